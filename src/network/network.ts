/**
 * Multilayer perceptrons: widths, activations, biases, and where each weight stands in the parameter vector.
 * Notation of C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, SIMAX 42(1), 2021, arXiv 1910.12184:
 * z_ℓ = W̄_ℓ ā_{ℓ−1}, a_ℓ = φ_ℓ(z_ℓ), ā = [a; 1] and W̄ = [W b] where the layer has a bias.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { quoted, describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { view, type FloatArray, type Matrix } from '../dense/matrix.js';
import { ACTIVATIONS, type ActivationName } from './activations/table.js';
import type { LayerBlock, ParameterLayout } from './parameter-layout.js';

/** One dense layer: its sizes, its activation, and where its weights stand. */
export interface Layer extends LayerBlock {
  readonly activation: ActivationName;
}

/**
 * θ ∈ ℝᴺ holds the layers one after the other, within a layer the output units one after the other, and of a unit its
 * weights by input, then its bias: W̄_ℓᵀ, width × outputs, column-major (without biases, the row-major (outputs,
 * inputs) of other libraries).
 */
export interface Network extends ParameterLayout {
  readonly layers: readonly Layer[];
}

/** Options of {@link defineNetwork}. */
export interface NetworkOptions {
  /** Units per layer, input first: [784, 10, 784]. */
  readonly widths: ArrayLike<number>;
  /** The hidden layers' activation, or one for each layer, the last included. Default 'tanh'. */
  readonly activation?: ActivationName | readonly ActivationName[] | undefined;
  /** The last layer's activation where `activation` is one name. Default 'linear'. */
  readonly outputActivation?: ActivationName | undefined;
  /** One for all layers, or one for each. Default true. */
  readonly bias?: boolean | readonly boolean[] | undefined;
}
/** The keys of {@link NetworkOptions}. */
const NETWORK_KEYS: KeysOf<NetworkOptions> = {
  widths: true,
  activation: true,
  outputActivation: true,
  bias: true,
};

/** Throws OptionError for all that `readWeights` read in one object: the network is of its widths and biases. */
function requireNoWeights(options: object | null): void {
  if (typeof options !== 'object' || options === null || !('widths' in options && 'parameters' in options)) return;
  throw new OptionError(
    'defineNetwork takes the widths and biases of weights, not their parameters, which go into the model: ' +
      'const { parameters, widths, bias } = await readWeights(path); ' +
      "defineNetwork({ widths, bias, activation: 'relu' }).",
    { option: 'parameters' },
  );
}

function requireActivation(name: ActivationName, layer?: number): void {
  if (!ACTIVATIONS.includes(name))
    throw new OptionError(`Unknown activation ${quoted(name)}: choose ${ACTIVATIONS.join(', ')}.`, {
      layer,
      activation: name,
    });
}

/**
 * Throws OptionError for an empty layer, an unknown activation, or as many activations or biases as there are not
 * layers.
 */
export function defineNetwork(options: NetworkOptions): Network {
  requireNoWeights(options);
  requireKnownOptions(
    options,
    NETWORK_KEYS,
    'defineNetwork',
    "defineNetwork({ widths: [784, 10, 784], activation: 'tanh' })",
  );
  const { activation = 'tanh', outputActivation = 'linear', bias = true } = options;
  if (!Array.isArray(options.widths) && !ArrayBuffer.isView(options.widths)) {
    const wanted = 'an array of whole numbers, input first ([784, 10, 784])';
    throw new OptionError(`The widths of a network are ${wanted}, not ${describe(options.widths)}.`, {
      option: 'widths',
    });
  }
  const widths = Array.from(options.widths);
  if (widths.length < 2)
    throw new OptionError(
      `A network has an input and at least one layer; ${widths.length} ` +
        `width${widths.length === 1 ? ' was' : 's were'} given.`,
      { widths },
    );
  widths.forEach((width, ℓ) => {
    if (!Number.isSafeInteger(width) || width < 1)
      throw new OptionError(
        `Layer ${ℓ} of the network has ${describe(width)} units: a width is a whole number of at least 1.`,
        { layer: ℓ, width },
      );
  });
  const count = widths.length - 1;
  const names =
    typeof activation === 'string'
      ? Array.from({ length: count }, (_, ℓ) => (ℓ === count - 1 ? outputActivation : activation))
      : activation;
  if (!Array.isArray(names))
    throw new OptionError(
      `activation of defineNetwork is a name or an array of names, not ${describe(names)}: choose ` +
        `${ACTIVATIONS.join(', ')}.`,
      { activation: names },
    );
  if (typeof activation === 'string') requireActivation(activation);
  if (names.length !== count)
    throw new OptionError(
      `${names.length} activations for ${count} layers: give one for each layer, the last included.`,
      { activations: names.length, layers: count },
    );
  const biases = typeof bias === 'boolean' ? names.map(() => bias) : bias;
  if (!Array.isArray(biases) || !biases.every((one) => typeof one === 'boolean'))
    throw new OptionError(
      `bias of defineNetwork is true, false, or an array of these for each layer, not ${describe(bias)}.`,
      { bias },
    );
  if (biases.length !== count)
    throw new OptionError(
      `Biases for ${biases.length} of ${count} layers are told: give true or false for each layer, the last included.`,
      { biases: biases.length, layers: count },
    );
  const layers: Layer[] = [];
  let offset = 0;
  names.forEach((name, ℓ) => {
    requireActivation(name, ℓ);
    const width = widths[ℓ] + (biases[ℓ] ? 1 : 0);
    layers.push({ inputs: widths[ℓ], outputs: widths[ℓ + 1], activation: name, bias: biases[ℓ], width, offset });
    offset += width * widths[ℓ + 1];
  });
  return { layers, inputs: widths[0], outputs: widths[count], parameters: offset };
}

/**
 * W̄_ℓᵀ as a view of θ (or of any vector laid out like it): width × outputs, column p the weights of output unit p.
 * Throws ShapeError for another array.
 */
export function layerWeights({ offset, width, outputs }: LayerBlock, parameters: FloatArray, at = 0): Matrix {
  if (!(parameters instanceof Float64Array || parameters instanceof Float32Array)) {
    throw new ShapeError(
      `A layer's weights are a view of a Float64Array or Float32Array, not of ${describe(parameters)}.`,
    );
  }
  return view(parameters, at + offset, width, outputs);
}

/** Says so where biases make the difference between N and the numbers that there are. */
function biasesHint({ layers, parameters }: Network, found: number): string {
  const units = layers.reduce((sum, { outputs }) => sum + outputs, 0);
  const own = layers.reduce((sum, { outputs, bias }) => sum + (bias ? outputs : 0), 0);
  if (own < units && found === parameters - own + units)
    return ' With biases in all layers it would have as many: defineNetwork({ widths, bias: true }).';
  return own > 0 && found === parameters - own
    ? ' Without biases it would have as many: defineNetwork({ widths, bias: false }).'
    : '';
}

/** Throws ShapeError unless `parameters` holds one number for each of the network's N parameters. */
export function checkParameters(network: Network, parameters: FloatArray): void {
  if (parameters.length !== network.parameters) {
    const hint = biasesHint(network, parameters.length);
    throw new ShapeError(`The network has ${network.parameters} parameters, the vector ${parameters.length}.${hint}`, {
      expected: network.parameters,
      length: parameters.length,
    });
  }
}
