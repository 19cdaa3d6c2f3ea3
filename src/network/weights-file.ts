/**
 * Weights of multilayer perceptrons from files of PyTorch and JAX users, and back.
 * Such files (.npz, safetensors) hold arrays and names, no activations and no losses: the caller must know those.
 * Names: layer-names.ts.
 */
import { requirePrecision } from '../core/checks.js';
import { inCode } from '../core/advice.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError, ShapeError } from '../core/errors.js';
import { describe, quoted, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asFloats } from '../core/numbers.js';
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import type { FloatArray, Precision } from '../dense/matrix.js';
import { requireFiniteArray, shapeText } from '../io/array-checks.js';
import type { NamedArray } from '../io/named-array.js';
import { readArrayNames, readNamedArrays, writeNamedArrays } from '../io/named-arrays.js';
import { fillLayer } from './layer-arrays.js';
import { findLayers, possibleOrders, type LayerName } from './layer-names.js';
import { conventionalNames, weightArrays } from './weight-draws.js';
import { checkParameters, defineNetwork, type Network } from './network.js';

/** Options of {@link readWeights}. */
export interface ReadWeightsOptions extends RunControl {
  /** Precision of the parameters; by default 'f64' where one of the arrays is float64, else 'f32'. */
  readonly precision?: Precision | undefined;
  /**
   * Beginnings of the names that belong to the network, in the order in which data flows through them: ['encoder',
   * 'decoder']. Arrays of other names are left out. By default all names do, ordered by their numbers.
   */
  readonly parts?: readonly string[] | undefined;
  /**
   * Which layers have biases: all, none, or each layer's own answer. By default the network's; without one all layers
   * of the file must have them, or none: a file from which a single bias was lost looks like a network that has none
   * there.
   */
  readonly bias?: boolean | readonly boolean[] | undefined;
}
/** The keys of {@link ReadWeightsOptions}, and `team`. */
const READ_WEIGHTS_KEYS: KeysOf<ReadWeightsOptions & { readonly team?: unknown | undefined }> = {
  precision: true,
  parts: true,
  bias: true,
  signal: true,
  onProgress: 'function',
  team: true,
};

/** Parameters from a file, and the network that they fit. */
export interface LoadedWeights {
  /**
   * Units per layer, input first, and which layers have biases: with activations they make the network
   * (`defineNetwork`).
   */
  readonly widths: readonly number[];
  readonly bias: boolean | readonly boolean[];
  /** θ in that network's order, over shared memory. */
  readonly parameters: FloatArray;
  /** The arrays that each layer came from. */
  readonly layers: readonly { readonly weight: string; readonly bias: string | undefined }[];
}

/** Options of {@link writeWeights}. */
export interface WriteWeightsOptions extends RunControl {
  /**
   * 'pytorch' (default): "0.weight" (out, in) and "0.bias", numbered as nn.Sequential numbers Linear modules with an
   * activation's module after each layer that is not linear. 'flax': "Dense_0/kernel" (in, out) and "Dense_0/bias".
   */
  readonly convention?: 'pytorch' | 'flax' | undefined;
}
/** The keys of {@link WriteWeightsOptions}, and `team`. */
const WRITE_WEIGHTS_KEYS: KeysOf<WriteWeightsOptions & { readonly team?: unknown | undefined }> = {
  convention: true,
  signal: true,
  onProgress: 'function',
  team: true,
};

/** A layer with its arrays, their shapes read as inputs and outputs. */
interface FoundLayer extends LayerName {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: NamedArray;
  readonly biases: NamedArray | undefined;
}

/** `turned`: weights read as if they were kernels, and kernels as weights. */
function shapeLayer(
  name: LayerName,
  arrays: ReadonlyMap<string, NamedArray>,
  path: string,
  turned = false,
): FoundLayer {
  const weights = arrays.get(name.weight)!;
  const biases = name.bias === undefined ? undefined : arrays.get(name.bias);
  const { shape } = weights;
  if (shape.length !== 2 || shape.includes(0)) {
    throw new FileFormatError(
      `${path}: "${name.weight}" has shape ${shapeText(shape)}; a dense layer's is ` +
        `${name.kernel ? '(inputs, outputs)' : '(outputs, inputs)'}, at least one of each. Convolutions and ` +
        'normalisations are read by readTensors (hmatrix/io).',
      { path, name: name.weight, shape },
    );
  }
  const [inputs, outputs] = name.kernel !== turned ? shape : [shape[1], shape[0]];
  return { ...name, inputs, outputs, weights, biases };
}

/** What keeps the layers from being a network in this order, or nothing. */
function misfit(layers: readonly FoundLayer[]): { what: string; name: string } | undefined {
  for (const [ℓ, { inputs, outputs, weight, weights, bias, biases }] of layers.entries()) {
    if (biases !== undefined && !(biases.shape.length === 1 && biases.shape[0] === outputs)) {
      return {
        what:
          `"${bias}" has shape ${shapeText(biases.shape)}, and "${weight}", of shape ${shapeText(weights.shape)}, ` +
          `has ${outputs} outputs`,
        name: bias!,
      };
    }
    if (ℓ > 0 && inputs !== layers[ℓ - 1].outputs) {
      return {
        what:
          `"${weight}", of shape ${shapeText(weights.shape)}, takes ${inputs} inputs, and ` +
          `"${layers[ℓ - 1].weight}" before it, of shape ${shapeText(layers[ℓ - 1].weights.shape)}, gives ` +
          `${layers[ℓ - 1].outputs} outputs`,
        name: weight,
      };
    }
  }
  return undefined;
}

const widthsOf = (layers: readonly FoundLayer[]): number[] => [
  layers[0].inputs,
  ...layers.map(({ outputs }) => outputs),
];
const isOf = (network: Network, found: readonly FoundLayer[]): boolean =>
  network.layers.length === found.length &&
  network.layers.every(
    (layer, ℓ) =>
      layer.inputs === found[ℓ].inputs &&
      layer.outputs === found[ℓ].outputs &&
      layer.bias === (found[ℓ].biases !== undefined),
  );

/**
 * The one order in which the layers' widths chain (and are the network's). Throws FileFormatError where there is none,
 * or more than one.
 */
function orderLayers(
  names: readonly LayerName[],
  arrays: ReadonlyMap<string, NamedArray>,
  network: Network | undefined,
  path: string,
): FoundLayer[] {
  const { orders, meant } = possibleOrders(names.map((name) => shapeLayer(name, arrays, path)));
  const stems = names.map(({ stem }) => `"${stem}"`).join(', ');
  if (orders.length === 0)
    throw new FileFormatError(
      `${path}: the order of the layers ${stems} cannot be told from their names. Give the beginnings of the ` +
        'names in the order in which data flows (parts).',
      { path },
    );
  let fitting = orders.filter((order) => misfit(order) === undefined);
  if (fitting.length === 0) {
    const { what, name } = misfit(orders[0])!;
    const turned = possibleOrders(names.map((one) => shapeLayer(one, arrays, path, true))).orders.some(
      (order) => misfit(order) === undefined,
    );
    const hint = turned
      ? ' They would fit if read the other way round: name arrays of shape (outputs, inputs) "weight", of shape ' +
        '(inputs, outputs) "kernel".'
      : ' The layers of a multilayer perceptron follow each other; where their order is not that of the numbers in ' +
        'their names, give the beginnings of the names in order (parts).';
    throw new FileFormatError(`${path}: ${what}.${hint}`, { path, name });
  }
  if (network !== undefined && fitting.some((order) => isOf(network, order)))
    fitting = fitting.filter((order) => isOf(network, order));
  if (fitting.length > 1 && !(meant && fitting[0] === orders[0])) {
    throw new FileFormatError(
      `${path}: the layers ${stems} fit together in ${fitting.length} orders. Give the beginnings of the names ` +
        'in the order in which data flows (parts).',
      { path, orders: fitting.length },
    );
  }
  return fitting[0];
}

/** Throws ShapeError where the widths found are not those of the network. */
function checkLayers(network: Network, found: readonly FoundLayer[], path: string): void {
  const widths = [network.inputs, ...network.layers.map(({ outputs }) => outputs)];
  if (widths.join() !== widthsOf(found).join()) {
    throw new ShapeError(
      `${path}: holds a network of widths ${widthsOf(found).join('-')}; weights for ${widths.join('-')} are needed.`,
      { path, found: widthsOf(found), expected: widths },
    );
  }
}

/** What the bias of a layer is called: as its weight, with another last word. */
const biasName = ({ weight }: LayerName): string => weight.replace(/[^./]*$/, 'bias');

/**
 * Throws where biases are missing or left over: FileFormatError where the file alone must tell (some layers have one),
 * ShapeError where `expected` says which layers have one (the network, or the option), OptionError where it is of
 * another length.
 */
function checkBiases(
  found: readonly FoundLayer[],
  expected: boolean | readonly boolean[] | undefined,
  path: string,
): void {
  const given = found.map(({ biases }) => biases !== undefined);
  const names = found
    .flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]))
    .map((name) => `"${name}"`)
    .join(', ');
  if (expected === undefined) {
    const ℓ = given.indexOf(false);
    if (ℓ < 0 || !given.includes(true)) return;
    throw new FileFormatError(
      `${path}: "${biasName(found[ℓ])}" is missing: other layers have a bias, "${found[ℓ].weight}" has none; ` +
        `there are ${names}. If the network is so, say it: bias: [${given.join(', ')}], or give the network.`,
      {
        path,
        name: biasName(found[ℓ]),
        layer: ℓ,
      },
    );
  }
  const wanted = typeof expected === 'boolean' ? given.map(() => expected) : expected;
  if (wanted.length !== found.length)
    throw new OptionError(
      `bias says of ${wanted.length} layers whether they have one; ${path} holds ${found.length}.`,
      { option: 'bias', path },
    );
  const ℓ = given.findIndex((one, k) => one !== wanted[k]);
  if (ℓ < 0) return;
  const what = given[ℓ]
    ? `with a bias, "${found[ℓ].bias}", and the network has none`
    : 'without a bias, and the network has one';
  const uniform = given.every((one) => one === given[0]);
  const advice = { option: 'bias', value: uniform ? given[0] : given };
  const missing = given[ℓ] ? '' : ` ("${biasName(found[ℓ])}" is missing; there are ${names})`;
  throw new ShapeError(
    `${path}: "${found[ℓ].weight}", layer ${ℓ} of the network, comes ${what} there${missing}: define the network ` +
      `with the biases of the file, ${inCode(advice)}.`,
    { path, layer: ℓ, advice: [advice] },
  );
}

/**
 * Reads the weights of a multilayer perceptron from an .npz or safetensors file: PyTorch's names ("net.0.weight", (out,
 * in)) or Flax's ("params/Dense_0/kernel", (in, out)), layers in the order of the numbers in their names, widths
 * checked one against the next, no bias missing. Activations are not in such files. With `network`, its widths and
 * biases must be the file's; without, the result tells what to define:
 *
 * ```js
 * const { widths, bias, parameters } = await readWeights('mlp.safetensors');
 * const network = defineNetwork({ widths, bias, activation: 'relu' });
 * ```
 *
 * Throws FileFormatError naming file and array (foreign, truncated, damaged; no perceptron; a bias missing; widths that
 * do not chain), ShapeError (another network), OptionError, FileAccessError, MemoryError, AbortedError.
 */
export async function readWeights(
  path: string,
  network?: Network,
  options: ReadWeightsOptions = {},
): Promise<LoadedWeights> {
  requireRole(path, 'path', 'readWeights');
  if (network !== undefined) requireRole(network, 'network', 'readWeights');
  requireKnownOptions(options, READ_WEIGHTS_KEYS, 'readWeights');
  const { parts, signal, onProgress } = options;
  if (options.precision !== undefined) requirePrecision(options.precision);
  const given: unknown = parts;
  if (given !== undefined && !(Array.isArray(given) && given.every((part) => typeof part === 'string')))
    throw new OptionError(`parts is ${describe(given)}: it is a list of beginnings of names, ['encoder', 'decoder'].`, {
      option: 'parts',
    });
  const names = findLayers(await readArrayNames(path, { signal }), parts, path);
  const arrays = await readNamedArrays(
    path,
    names.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias])),
    { signal, onProgress },
  );
  const found = orderLayers(names, arrays, network, path);
  if (network !== undefined) checkLayers(network, found, path);
  if (network !== undefined)
    checkBiases(
      found,
      network.layers.map(({ bias }) => bias),
      path,
    );
  if (network === undefined || options.bias !== undefined) checkBiases(found, options.bias, path);
  for (const [name, array] of arrays) requireFiniteArray(array, name, path);

  const widths = widthsOf(found);
  const biases = found.map(({ biases: b }) => b !== undefined);
  const layout = network ?? defineNetwork({ widths, bias: biases, activation: 'linear' });
  const precision =
    options.precision ?? ([...arrays.values()].some(({ data }) => data instanceof Float64Array) ? 'f64' : 'f32');
  const parameters = precision === 'f64' ? sharedFloat64(layout.parameters) : sharedFloat32(layout.parameters);
  layout.layers.forEach((layer, ℓ) => {
    fillLayer(layer, found[ℓ], parameters);
  });
  return {
    widths,
    bias: biases.every((one) => one === biases[0]) ? biases[0] : biases,
    parameters,
    layers: found.map(({ weight, bias }) => ({ weight, bias })),
  };
}

/**
 * Writes a network's weights as .npz or .safetensors (the path's ending says which), in the precision of `parameters`,
 * whole or not at all. Activations are not written: such files have no place for them. torch:
 * model.load_state_dict(safetensors.torch.load_file(path)). Throws ShapeError, OptionError, FileAccessError,
 * AbortedError; then `path` is as it was.
 */
export async function writeWeights(
  path: string,
  network: Network,
  given: ArrayLike<number>,
  options: WriteWeightsOptions = {},
): Promise<void> {
  requireRole(path, 'path', 'writeWeights');
  requireRole(network, 'network', 'writeWeights');
  requireKnownOptions(options, WRITE_WEIGHTS_KEYS, 'writeWeights');
  const parameters = asFloats(given, 'parameters');
  const { convention = 'pytorch', signal, onProgress } = options;
  if (convention !== 'pytorch' && convention !== 'flax')
    throw new OptionError(`Unknown convention ${quoted(convention)} of names: choose pytorch or flax.`, {
      convention,
    });
  checkParameters(network, parameters);
  const arrays = weightArrays(network, parameters, conventionalNames(network, convention));
  await writeNamedArrays(path, arrays, { signal, onProgress });
}
