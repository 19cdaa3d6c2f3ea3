/** Operators as dense matrices, and how far two of these lie from each other. */
import { squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';

/** All columns of a square operator. */
export function columnsOf(a: LinearOperator): Matrix {
  const n = a.rows;
  const identity = zeros(n, n);
  for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = 1;
  const dense = zeros(n, n);
  a.applyUnchecked(dense, identity, 1, 0);
  return dense;
}

/** ‖A − B‖_F/‖A‖_F. */
export function relativeDistance(a: Matrix, b: Matrix): number {
  const difference = zeros(a.rows, a.cols);
  for (let i = 0; i < a.data.length; i++) difference.data[i] = a.data[i] - b.data[i];
  return Math.sqrt(squaredNorm(difference) / squaredNorm(a));
}
