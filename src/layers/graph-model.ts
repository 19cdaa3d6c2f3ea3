/**
 * A network of layers at given parameters with its data.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import type { FloatArray } from '../core/floats.js';
import { kindOf, requireRole } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';
import type { Matrix } from '../dense/matrix.js';
import type { Batch, DataSet } from '../network/data-set.js';
import { numbersEach } from '../tape/shape.js';
import type { GraphNetwork } from './graph-network.js';
import type { GraphLoss } from './losses.js';

/** The mean loss over the data; its loss is the network's. */
export interface GraphModel {
  readonly network: GraphNetwork;
  readonly parameters: FloatArray;
  readonly loss: GraphLoss;
  readonly data: DataSet;
}

/** A graph model as callers hand it over. */
export interface GivenGraphModel {
  readonly network: GraphNetwork;
  readonly parameters: ArrayLike<number>;
  readonly data: DataSet;
}

/** A network of layers at its parameters. */
export type GivenGraph = Pick<GivenGraphModel, 'network' | 'parameters'>;

/** Whether a network is one of layers (`graphNetwork`), not a perceptron. */
export const isGraphNetwork = (network: object): network is GraphNetwork =>
  'kind' in network && network.kind === 'graph';

/** Whether what was given is a network of layers at its parameters, with data or without. */
export const isGivenGraph = (given: object): given is GivenGraph =>
  kindOf(given) === 'model' &&
  kindOf((given as GivenGraph).network) === 'network' &&
  isGraphNetwork((given as GivenGraph).network);

/** The model, its numbers counted. Throws ShapeError; OptionError for a loss beside that of the network. */
export function asGraphModel({ network, parameters: given, data, ...rest }: GivenGraphModel, of: string): GraphModel {
  const loss = (rest as { readonly loss?: unknown }).loss;
  if (loss !== undefined && loss !== network.loss)
    throw new OptionError(`The network given to ${of} has its loss from graphNetwork: leave out the model's.`, {
      loss,
    });
  requireRole(data, 'data set', `The model given to ${of}`);
  const parameters = requireCount(network, asFloats(given, 'parameters'));
  for (const [name, what] of [
    ['inputs', 'inputs'],
    ['outputs', 'targets'],
  ] as const)
    if (data[name] !== network[name])
      throw new ShapeError(
        `The network takes ${network[name]} numbers of ${what} a sample, the data has ${data[name]}.`,
        { network: network[name], data: data[name] },
      );
  return { network, parameters, loss: network.loss, data };
}

/** Throws OptionError where a term of the loss beside the network's own does not tell its Hessian's root. */
export function requireRoots({ evaluation }: GraphNetwork, of: string): void {
  const [, ...others] = evaluation.terms;
  const unknown = others.find(({ root }) => root === undefined);
  if (unknown !== undefined)
    throw new OptionError(
      `${of} draws errors of every term of the loss, and the layer that adds "${unknown.loss.name}" does not tell ` +
        'the root of its Hessian: give the penalty its root, or take gaussNewton.',
      { of, term: unknown.loss.name },
    );
}

/** The parameters, as many as the network has. Throws ShapeError. */
export function requireCount(network: GraphNetwork, parameters: FloatArray): FloatArray {
  if (parameters.length !== network.parameters)
    throw new ShapeError(`The network has ${network.parameters} parameters, the vector ${parameters.length}.`, {
      expected: network.parameters,
      length: parameters.length,
    });
  return parameters;
}

/** Throws ShapeError where an index of a batch's words is not one of the network's vocabulary. */
export function requireWords({ inputKinds, loss, training }: GraphNetwork, { inputs, targets }: Batch): void {
  let first = 0;
  inputKinds.forEach(({ shape, vocabulary }, k) => {
    const size = numbersEach(shape);
    if (vocabulary !== null) requireIndices(inputs, { first, size, words: vocabulary, what: `input ${k}` });
    first += size;
  });
  if (typeof loss === 'string') return;
  const words = training.output.shape.dims[0];
  requireIndices(targets, { first: 0, size: targets.rows, words, what: 'the targets' });
}

/** Throws ShapeError where rows first … first + size − 1 of what is called `what` are no indices below `words`. */
export function requireIndices(
  { data, offset, cols, ld }: Matrix,
  {
    first,
    size,
    words,
    what,
  }: { readonly first: number; readonly size: number; readonly words: number; readonly what: string },
): void {
  for (let j = 0; j < cols; j++)
    for (let i = first; i < first + size; i++) {
      const word = data[offset + i + j * ld];
      if (Number.isInteger(word) && word >= 0 && word < words) continue;
      throw new ShapeError(
        `Position ${i - first} of sample ${j} of ${what} is ${word}: indices of words run from 0 to ${words - 1}.`,
        { sample: j, position: i - first, word, words },
      );
    }
}
