/** Dense references for factorizations: LAPACK on K̃ + λI. */
import type { Blas } from '#hmatrix/dense/blas.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import type { Team } from '#hmatrix/parallel/team.js';

export function identity(n: number): Matrix {
  const a = zeros(n, n);
  for (let i = 0; i < n; i++) a.data[i * (n + 1)] = 1;
  return a;
}

/** K̃ + λI, exactly symmetric. */
export function denseShifted(matrix: HierarchicalMatrix, shift: number): Matrix {
  const n = matrix.size;
  const a = matrix.toDense();
  for (let j = 0; j < n; j++) {
    a.data[j * (n + 1)] += shift;
    for (let i = j + 1; i < n; i++) a.data[i + j * n] = a.data[j + i * n] = (a.data[i + j * n] + a.data[j + i * n]) / 2;
  }
  return a;
}

export interface Reference {
  readonly a: Matrix;
  readonly inverse: Matrix;
  readonly logdet: number;
  readonly condition: number;
  readonly eigenvalues: Float64Array;
}

/** K̃ + λI, or any symmetric matrix, by LAPACK's eigenvalues. */
export const reference = (matrix: HierarchicalMatrix, shift: number, blas: Blas): Reference =>
  denseReference(denseShifted(matrix, shift), blas);

export function denseReference(a: Matrix, blas: Blas): Reference {
  const n = a.rows;
  const vectors = zeros(n, n);
  copyInto(vectors, a);
  const eigenvalues = new Float64Array(n);
  if (blas.syevd(true, 'L', vectors, eigenvalues) !== 0) throw new Error('syevd did not converge');
  const scaled = zeros(n, n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) scaled.data[i + j * n] = vectors.data[i + j * n] / eigenvalues[j];
  const inverse = zeros(n, n);
  blas.gemm('N', 'T', 1, scaled, vectors, 0, inverse);
  const sizes = eigenvalues.map(Math.abs);
  return {
    a,
    inverse,
    logdet: eigenvalues.reduce((sum, w) => sum + Math.log(Math.abs(w)), 0),
    condition: Math.max(...sizes) / Math.min(...sizes),
    eigenvalues,
  };
}

export const norm = (a: ArrayLike<number>): number =>
  Math.sqrt(Array.prototype.reduce.call(a, (sum, x) => (sum as number) + (x as number) ** 2, 0) as number);

/** ‖A·X − B‖_F/‖B‖_F. */
export function residual(a: Matrix, x: Matrix, b: Matrix, blas: Blas): number {
  const r = zeros(b.rows, b.cols);
  copyInto(r, b);
  blas.gemm('N', 'N', 1, a, x, -1, r);
  return norm(r.data) / norm(b.data);
}

/** A·Bᵀ. */
export function outer(a: Matrix, b: Matrix, blas: Blas): Matrix {
  const c = zeros(a.rows, b.rows);
  blas.gemm('N', 'T', 1, a, b, 0, c);
  return c;
}

/** The same hierarchical matrix with λ added to its stored diagonal blocks. */
export function builtShifted(matrix: HierarchicalMatrix, shift: number, team: Team): HierarchicalMatrix {
  const { data, elements, report } = matrix;
  const values = sharedFloat64(data.values.length);
  values.set(data.values);
  const { tree, offsets } = data;
  const leaf0 = 2 ** tree.depth - 1;
  for (let ν = leaf0; ν < tree.begin.length; ν++) {
    const sizes = [ν, ν + 1 - 2 * ((ν - leaf0) & 1)].map((leaf) =>
      tree.depth === 0 ? tree.end[0] - tree.begin[0] : tree.end[leaf] - tree.begin[leaf],
    );
    const m = Math.max(...sizes);
    const at = offsets.diagonal[(ν - leaf0) >> 1] + (((ν - leaf0) & 1) === 1 ? m : 0);
    for (let i = 0; i < sizes[0]; i++) values[at + i * (m + 1)] += shift;
  }
  return new HierarchicalMatrix({ ...data, values }, elements, report, team);
}
