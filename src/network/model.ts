/**
 * A network at given parameters with its loss and data: what training, curvature and experiments pass around. Layer 3.
 */
import { ShapeError } from '../core/errors.js';
import type { FloatArray } from '../dense/matrix.js';
import type { DataSet } from './data-set.js';
import type { LossName } from './loss.js';
import { checkParameters, type Network } from './network.js';

/** The mean loss f(θ) = (1/n) Σ_i loss(a_L(x_i; θ), y_i); the precision of `parameters` and of the data must agree. */
export interface Model {
  readonly network: Network;
  readonly parameters: FloatArray;
  readonly loss: LossName;
  readonly data: DataSet;
}

/** Throws ShapeError where network, parameters and data do not fit each other. */
export function checkModel({ network, parameters, data }: Model): void {
  checkParameters(network, parameters);
  if (data.inputs !== network.inputs) throw new ShapeError(`The network takes ${network.inputs} inputs, the data has ${data.inputs}.`, { network: network.inputs, data: data.inputs });
  if (data.outputs !== network.outputs) throw new ShapeError(`The network has ${network.outputs} outputs, the targets ${data.outputs}.`, { network: network.outputs, data: data.outputs });
}
