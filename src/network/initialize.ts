/**
 * Seeded initial parameters: weights by layer, biases zero.
 */
import { requirePrecision } from '../core/checks.js';
import { floats } from '../core/floats.js';
import { OptionError } from '../core/errors.js';
import { quoted, describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import type { FloatArray, Precision } from '../dense/matrix.js';
import { ACTIVATION_TABLE } from './activations/table.js';
import type { Network } from './network.js';

/** Distributions of initial weights. */
export type InitialScheme = 'glorot' | 'he' | 'lecun';

/** How parameters are initialized. */
export interface InitialOptions {
  /** For all layers; default by their activations. */
  readonly scheme?: InitialScheme | undefined;
  /** Default 'f64'. */
  readonly precision?: Precision | undefined;
}
const INITIAL_KEYS: KeysOf<InitialOptions> = { scheme: true, precision: true };

/** Keeps the streams of layers apart from those of other purposes with the same seed. */
const PURPOSE = 0x696e6974;

/**
 * θ for a seed; each layer draws from its own stream. With n inputs and m outputs of a layer:
 *   glorot  uniform on ±√(6/(n + m))  (X. Glorot, Y. Bengio, AISTATS 2010)
 *   he      normal, variance 2/n      (K. He, X. Zhang, S. Ren, J. Sun, ICCV 2015)
 *   lecun   normal, variance 1/n      (Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp, 1998)
 * Default: he for layers with relu, softplus or gelu, glorot for the others. Throws OptionError.
 */
export function initialParameters(network: Network, seed: number, options: InitialOptions = {}): FloatArray {
  requireRole(network, 'network', 'initialParameters');
  requireKnownOptions(options, INITIAL_KEYS, 'initialParameters');
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`The seed is ${describe(seed)}: it is a whole number.`, { seed });
  const parameters = floats(network.parameters, requirePrecision(options.precision ?? 'f64'));
  network.layers.forEach(({ inputs, outputs, width, offset, activation }, ℓ) => {
    const random = new RandomStream(seed, PURPOSE, ℓ);
    const scheme = options.scheme ?? ACTIVATION_TABLE[activation].scheme;
    if (scheme !== 'glorot' && scheme !== 'he' && scheme !== 'lecun')
      throw new OptionError(`Unknown initialisation ${quoted(scheme)}: choose glorot, he, lecun.`, { scheme });
    const scale =
      scheme === 'glorot' ? Math.sqrt(6 / (inputs + outputs)) : Math.sqrt((scheme === 'he' ? 2 : 1) / inputs);
    for (let p = 0; p < outputs; p++) {
      const at = offset + p * width;
      for (let q = at; q < at + inputs; q++)
        parameters[q] = scale * (scheme === 'glorot' ? 2 * random.uniform() - 1 : random.normal());
    }
  });
  return parameters;
}
