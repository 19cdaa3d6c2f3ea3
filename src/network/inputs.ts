/**
 * Inputs of a network as callers hand them over.
 */
import { ShapeError } from '../core/errors.js';
import { asVectors, type Matrix, type Vectors } from '../dense/matrix.js';

/**
 * The inputs as a checked matrix, d × n, one sample a column; an array of d numbers is one sample. Throws ShapeError.
 */
export function asInputs(network: { readonly inputs: number }, inputs: Vectors): Matrix {
  const x = asVectors(inputs, 'inputs');
  if (x.rows === network.inputs) return x;
  const hint =
    x.cols === network.inputs ? ' They have as many columns: samples are columns, transpose them (hmatrix/dense).' : '';
  throw new ShapeError(`The network takes ${network.inputs} inputs, these have ${x.rows} rows.${hint}`, {
    network: network.inputs,
    rows: x.rows,
  });
}
