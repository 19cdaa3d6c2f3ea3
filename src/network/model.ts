/**
 * A network at given parameters with its loss and data: what training, curvature and experiments pass around.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';
import type { FloatArray } from '../dense/matrix.js';
import type { DataSet } from './data-set.js';
import { lossOf, type LossName } from './losses/table.js';
import { checkParameters, type Network } from './network.js';

/** The mean loss f(θ) = (1/n) Σ_i loss(a_L(x_i; θ), y_i); the precision of `parameters` and of the data must agree. */
export interface Model {
  readonly network: Network;
  readonly parameters: FloatArray;
  readonly loss: LossName;
  readonly data: DataSet;
}

/** A model as callers hand it over: its parameters may lie in any array of numbers. */
export type GivenModel = Omit<Model, 'parameters'> & { readonly parameters: ArrayLike<number> };

/** The numbers, where weights as `readWeights` reads them were not meant by them. */
function parametersOf(given: ArrayLike<number>): FloatArray {
  if (typeof given === 'object' && (given as object | null) !== null && 'parameters' in given)
    throw new ShapeError(`parameters must be an array of numbers, not ${describe(given)}: pass its .parameters.`, {
      name: 'parameters',
    });
  return asFloats(given, 'parameters');
}

/** Throws OptionError for a network of layers where it is not known what the function makes of one. */
function requirePerceptron(network: object, of: string): void {
  if ('kind' in network)
    throw new OptionError(
      `${of} takes a perceptron (defineNetwork), and this is a network of layers (graphNetwork): of those there are ` +
        'gaussNewton, hessian, kfac, ekfac, predict, accuracy, meanLoss and lossAndGradient, and what takes operators.',
      { of },
    );
}

/**
 * The model, with parameters in a Float64Array or Float32Array (other arrays of numbers are copied to a Float64Array).
 * Throws OptionError for what is no model, ShapeError for parameters that are no numbers.
 */
export function asModel(model: GivenModel, of: string): Model {
  requireRole(model, 'model', of);
  requireRole(model.network, 'network', `The model given to ${of}`);
  requirePerceptron(model.network, of);
  requireRole(model.data, 'data set', `The model given to ${of}`);
  const parameters = parametersOf(model.parameters);
  return parameters === model.parameters ? (model as Model) : { ...model, parameters };
}

/** A network at given parameters: a model, or one without its data and, where that is not needed, its loss. */
export type GivenNetwork = Pick<GivenModel, 'network' | 'parameters'> & Partial<Pick<GivenModel, 'loss'>>;

/**
 * The network with its parameters in a Float64Array or Float32Array, one for each of its N, and its loss if any. Throws
 * OptionError for what is no network with parameters or an unknown loss, ShapeError for parameters that do not fit.
 */
export function asNetwork(
  given: GivenNetwork,
  of: string,
): Pick<Model, 'network' | 'parameters'> & { readonly loss: LossName | undefined } {
  if (typeof given !== 'object' || (given as unknown) === null || !('network' in given))
    requireRole(given, 'model', of);
  const { network, loss } = given;
  requireRole(network, 'network', `The model given to ${of}`);
  const parameters = parametersOf(given.parameters);
  checkParameters(network, parameters);
  if (loss !== undefined) lossOf(loss);
  return { network, parameters, loss };
}

/**
 * Throws ShapeError where network, parameters and data do not fit each other, OptionError for another thing or loss.
 */
export function checkModel(model: GivenModel): void {
  const { network, parameters, data, loss } = asModel(model, 'checkModel');
  // Throws for an unknown name.
  lossOf(loss);
  checkParameters(network, parameters);
  if (data.inputs !== network.inputs && data.samples === network.inputs) {
    throw new ShapeError(
      `The network takes ${network.inputs} inputs, and the data has ${data.inputs} for each of ` +
        `${data.samples} samples: samples are columns, transpose the inputs (memoryDataSet(inputs, targets, { ` +
        `samples: 'rows' })).`,
      { network: network.inputs, data: data.inputs, samples: data.samples },
    );
  }
  if (data.inputs !== network.inputs)
    throw new ShapeError(`The network takes ${network.inputs} inputs, the data has ${data.inputs}.`, {
      network: network.inputs,
      data: data.inputs,
    });
  if (data.outputs !== network.outputs)
    throw new ShapeError(`The network has ${network.outputs} outputs, the targets ${data.outputs}.`, {
      network: network.outputs,
      data: data.outputs,
    });
}
