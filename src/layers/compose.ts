/**
 * Layers made of layers: one after the other, beside each other, by name; and those without parameters.
 */
import { requireName, requireNonNegative, requireWhole } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import type { ActivationKind } from '../dense/vector-memory.js';
import { elementwise, multiply } from '../tape/primitives/elementwise.js';
import { flatten as flattened, reshape, unflatten as unflattened } from '../tape/primitives/rearrange.js';
import { sum } from '../tape/primitives/sum.js';
import { sameShape, shapeText } from '../tape/shape.js';
import type { Layer } from './builder.js';

function requireLayer(layer: Layer, what: string): void {
  if (typeof layer !== 'function')
    throw new OptionError(`${what} is ${describe(layer)}: layers are what dense(units), relu and others are.`);
}

/** One after the other; their parameters are named by their places, "0.weight". Throws OptionError. */
export function sequential(...layers: readonly Layer[]): Layer {
  layers.forEach((layer, k) => {
    requireLayer(layer, `layer ${k} of sequential`);
  });
  return (builder, x) => layers.reduce((y, layer, k) => builder.within(String(k), () => layer(builder, y)), x);
}

/** The layer with a name before those of its parameters. Throws OptionError. */
export function named(name: string, layer: Layer): Layer {
  if (typeof name !== 'string' || name === '')
    throw new OptionError(`The name of a layer is text, not ${describe(name)}.`, { name });
  requireLayer(layer, `the layer "${name}"`);
  return (builder, x) => builder.within(name, () => layer(builder, x));
}

/**
 * Layers by name, one after the other: parameters "conv1.weight". Names that are whole numbers come in their order,
 * as JavaScript has them, and not beside others. Throws OptionError.
 */
export function stack(layers: Readonly<Record<string, Layer>>): Layer {
  if (typeof layers !== 'object' || layers === null || Array.isArray(layers))
    throw new OptionError(`stack takes a record of layers by name, not ${describe(layers)}: sequential takes a list.`);
  const names = Object.keys(layers);
  const whole = names.filter((name) => /^\d+$/.test(name));
  if (whole.length > 0 && whole.length < names.length)
    throw new OptionError(
      `stack has the names "${whole[0]}" and "${names.at(-1)!}": whole numbers would come before all others, so give ` +
        'either of them alone.',
      { names },
    );
  for (const [name, layer] of Object.entries(layers)) requireLayer(layer, `the layer "${name}" of stack`);
  return (builder, x) =>
    Object.entries(layers).reduce((y, [name, layer]) => builder.within(name, () => layer(builder, y)), x);
}

/**
 * x + main(x), or shortcut(x) + main(x), the shortcut's parameters under `name`. The network throws ShapeError where
 * the shapes differ.
 */
export function residual(main: Layer, shortcut?: Layer, name = 'shortcut'): Layer {
  requireLayer(main, 'the layer of residual');
  if (shortcut !== undefined) requireLayer(shortcut, 'the shortcut of residual');
  return (builder, x) => {
    const y = main(builder, x);
    const straight = shortcut === undefined ? x : builder.within(name, () => shortcut(builder, x));
    if (!sameShape(y.shape, straight.shape))
      builder.graph.fail(
        'residual',
        `the branch gives ${shapeText(y.shape)}, the shortcut ${shapeText(straight.shape)}: give a shortcut that ` +
          'changes the shape alike.',
      );
    return sum(builder.graph, [y, straight]);
  };
}

const ACTIVATIONS: readonly ActivationKind[] = [
  'linear',
  'relu',
  'leakyRelu',
  'tanh',
  'sigmoid',
  'softplus',
  'gelu',
  'silu',
];

/**
 * φ number by number: linear, relu, leakyRelu (slope 0.01), tanh, sigmoid, softplus, gelu, silu. Throws OptionError for
 * another name.
 */
export function activation(name: ActivationKind): Layer {
  requireName(name, 'the name', 'activation', ACTIVATIONS);
  return ({ graph }, x) => elementwise(graph, name, x);
}

/** max(x, 0). */
export const relu: Layer = activation('relu');

/**
 * All positions of a sample as features of one: feature by feature, as files and PyTorch have images, channel by
 * channel and row by row.
 */
export const flatten: Layer = ({ graph }, x) => flattened(graph, x);

/** Features of one position as an image or a sequence: the inverse of `flatten`. Throws OptionError. */
export function unflatten(...dims: readonly number[]): Layer {
  dims.forEach((size, k) => requireWhole(size, `dimension ${k} of unflatten`, 1));
  return ({ graph }, x) => unflattened(graph, x, dims);
}

/** An image's pixels as a sequence of positions. */
export const asSequence: Layer = ({ graph }, x) =>
  reshape(graph, x, [x.shape.dims[0], x.shape.dims.slice(1).reduce((product, size) => product * size, 1)]);

/** Zeroes a share of the numbers in training and scales up the others; nothing in evaluation. Throws OptionError. */
export function dropout(share: number): Layer {
  requireNonNegative(share, 'the share of dropout', 1);
  return (builder, x) =>
    builder.mode === 'evaluation' || share === 0 ? x : multiply(builder.graph, x, builder.mask(x.shape, share));
}
