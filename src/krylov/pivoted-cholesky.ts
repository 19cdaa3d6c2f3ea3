/**
 * Which columns of a block are independent, from their Gram matrix.
 * Cholesky with diagonal pivoting (N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002,
 * section 10.3), for small matrices.
 */
import type { Matrix } from '../dense/matrix.js';

/**
 * G(π, π) = L Lᵀ for the leading `rank` pivots π; stops where what is left of every diagonal entry is below `least`.
 * Both triangles of G (n × n) are read, and it is destroyed: its first rank × rank lower triangle, in the order of the
 * pivots, becomes L. Returns the rank; `order` holds the pivots, then the other columns.
 */
export function pivotedCholesky(g: Matrix, order: Int32Array, least: number): number {
  const { data, offset, ld, rows: n } = g;
  const at = (i: number, j: number): number => offset + i + j * ld;
  const swap = (p: number, q: number): void => {
    const kept = data[p];
    data[p] = data[q];
    data[q] = kept;
  };
  for (let i = 0; i < n; i++) order[i] = i;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (data[at(i, i)] > data[at(pivot, pivot)]) pivot = i;
    if (!(data[at(pivot, pivot)] >= least)) return k;
    if (pivot !== k) {
      // Rows and columns k and pivot change places; of L only the rows do.
      for (let j = 0; j < n; j++) swap(at(k, j), at(pivot, j));
      for (let i = k; i < n; i++) swap(at(i, k), at(i, pivot));
      const kept = order[k];
      order[k] = order[pivot];
      order[pivot] = kept;
    }
    const diagonal = Math.sqrt(data[at(k, k)]);
    data[at(k, k)] = diagonal;
    for (let i = k + 1; i < n; i++) data[at(i, k)] /= diagonal;
    for (let j = k + 1; j < n; j++) {
      const factor = data[at(j, k)];
      for (let i = k + 1; i < n; i++) data[at(i, j)] -= data[at(i, k)] * factor;
    }
  }
  return n;
}
