/**
 * What the tests of curvature operators share: dense copies, symmetry, data that is given once.
 */
import type { Blas } from '#hmatrix/dense/blas.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { DataSet } from '#hmatrix/network/data-set.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { relativeError } from '../support.js';

/** The operator's columns. */
export function denseOperator(operator: LinearOperator): Matrix {
  const identity = zeros(operator.cols, operator.cols);
  for (let j = 0; j < operator.cols; j++) identity.data[j * (operator.cols + 1)] = 1;
  return apply(operator, identity);
}

/** ‖Aᵀ − A‖_F/‖A‖_F. */
export function asymmetry(a: Matrix): number {
  const transposed = zeros(a.cols, a.rows);
  for (let j = 0; j < a.cols; j++)
    for (let i = 0; i < a.rows; i++) transposed.data[j + i * a.cols] = a.data[i + j * a.rows];
  return relativeError(transposed, a);
}

/** A data set that forgets what it gave: the views of a batch are overwritten when the next one is asked. */
export function forgetful(data: DataSet): DataSet {
  let given: Matrix[] = [];
  return {
    ...data,
    batch: (first, count) => {
      for (const matrix of given) matrix.data.fill(Number.NaN);
      const batch = data.batch(first, count);
      const inputs = zeros(data.inputs, count);
      const targets = zeros(data.outputs, count);
      copyInto(inputs, batch.inputs);
      copyInto(targets, batch.targets);
      given = [inputs, targets];
      return { inputs, targets };
    },
  };
}

/** (A + λI)⁻¹ by LAPACK's Cholesky, both triangles. */
export function denseInverse(a: Matrix, shift: number, blas: Blas): Matrix {
  const n = a.rows;
  const lower = zeros(n, n);
  copyInto(lower, a);
  const inverse = zeros(n, n);
  for (let i = 0; i < n; i++) {
    lower.data[i * (n + 1)] += shift;
    inverse.data[i * (n + 1)] = 1;
  }
  if (blas.potrf('L', lower) !== 0) throw new Error('The matrix is not positive definite.');
  blas.trsm('L', 'L', 'N', 'N', 1, lower, inverse);
  blas.trsm('L', 'L', 'T', 'N', 1, lower, inverse);
  return inverse;
}
