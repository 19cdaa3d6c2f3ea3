/**
 * Variational autoencoders (D. P. Kingma, M. Welling, *Auto-encoding variational Bayes*, ICLR 2014).
 */
import { requireWhole } from '../core/checks.js';
import { requireKnownOptions } from '../core/known-options.js';
import { dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { stack } from '../layers/compose.js';
import { gaussianCode } from '../layers/gaussian-code.js';

/** Settings of {@link variationalAutoencoder}. */
export interface VariationalAutoencoderOptions {
  /** From the inputs to features, any number of them. */
  readonly encoder: Layer;
  /** From the code to the outputs. */
  readonly decoder: Layer;
  /** Numbers of the code. */
  readonly code: number;
}

/**
 * The encoder, a dense layer to means and logarithms of variances, a code drawn of them, the decoder: parameters
 * "encoder…", "code.weight", "decoder…". With the loss 'bce' or 'mse' against the inputs the network's loss is the
 * negative evidence bound, one draw a sample; in evaluation at the code's mean. Curvature, Kronecker factors among it,
 * is that of both terms. Throws OptionError.
 */
export function variationalAutoencoder(options: VariationalAutoencoderOptions): Layer {
  const { encoder, decoder, code } = requireKnownOptions(
    options,
    { encoder: 'function', decoder: 'function', code: 'number' },
    'variationalAutoencoder',
    'variationalAutoencoder({ encoder: dense(64), decoder: dense(784), code: 2 })',
  );
  requireWhole(code, 'code', 1);
  const toCode: Layer = (builder, x) => gaussianCode(code)(builder, dense(2 * code, { deviation: 0.01 })(builder, x));
  return stack({ encoder, code: toCode, decoder });
}
