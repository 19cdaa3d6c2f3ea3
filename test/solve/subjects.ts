/**
 * Matrices that solves are tested on: a kernel seen through entries, and the Gauss–Newton matrix of a small network;
 * dense copies of both.
 */
import { Subject, subjectOf } from '#hmatrix/approximation/subject.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { PreconditionerName } from '#hmatrix/solve/preconditioners/table.js';
import type { PreconditionerOptions } from '#hmatrix/solve/preconditioners/kind.js';
import { digitModel } from '../curvature/autoencoder.js';
import { denseOf as denseOfSource, gaussianSource } from '../support.js';

export interface Known {
  readonly subject: Subject;
  readonly dense: Matrix;
  readonly norm: number;
}

export function denseOf(a: LinearOperator): Matrix {
  const n = a.rows;
  const identity = zeros(n, n);
  for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = 1;
  const dense = zeros(n, n);
  a.applyUnchecked(dense, identity, 1, 0);
  return dense;
}

/** Eigenvalues of (A + Aᵀ)/2, ascending. */
export function eigenvaluesOf(a: Matrix, blas: Blas): Float64Array {
  const n = a.rows;
  const copy = zeros(n, n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) copy.data[i + j * n] = (a.data[i + j * n] + a.data[j + i * n]) / 2;
  const values = new Float64Array(n);
  if (blas.syevd(false, 'L', copy, values) !== 0) throw new Error('syevd did not converge');
  return values;
}

/** ‖A − Aᵀ‖_F/‖A‖_F. */
export function asymmetryOf(a: Matrix): number {
  const n = a.rows;
  let difference = 0;
  let norm = 0;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      difference += (a.data[i + j * n] - a.data[j + i * n]) ** 2;
      norm += a.data[i + j * n] ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

const known = (subject: Subject, dense: Matrix, blas: Blas): Known => ({
  subject,
  dense,
  norm: eigenvaluesOf(dense, blas)[dense.rows - 1],
});

export function kernelSubject(team: Team, size = 300): Known {
  const source = gaussianSource(size, 3, 1, team.blas);
  const dense = denseOfSource(source);
  return known(new Subject(denseOperator(dense, true, { blas: team.blas }), { source }), dense, team.blas);
}

/** 49-3-49: N = 294, n·r = 980; or of other hidden layers. */
export async function networkSubject(team: Team, hidden: readonly number[] = [3]): Promise<Known> {
  const model = await digitModel(hidden, 20, team, { pool: 4 });
  const subject = subjectOf(gaussNewton(model, { blas: team.blas, team }), {}, { team });
  return known(subject, denseOf(subject.operator), team.blas);
}

/** A + λI. */
export function shiftedDense(a: Matrix, shift: number): Matrix {
  const copy = zeros(a.rows, a.cols);
  copyInto(copy, a);
  for (let i = 0; i < a.rows; i++) copy.data[i * (a.rows + 1)] += shift;
  return copy;
}

export const FOR_ENTRIES: readonly PreconditionerName[] = [
  'jacobi',
  'block-jacobi',
  'nystrom',
  'cholesky',
  'hodlr',
  'hss',
];
export const FOR_NETWORKS: readonly PreconditionerName[] = [...FOR_ENTRIES, 'kfac', 'ekfac', 'kronecker-sum', 'dual'];
export const SMALL: PreconditionerOptions = { leafSize: 32, maxRank: 32, tolerance: 1e-3, rank: 32 };
