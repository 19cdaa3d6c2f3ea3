/**
 * An HSS matrix in generator form: orthonormal bases and what they leave of the diagonal blocks, level by level.
 *
 *   A_ℓ = blockdiag(D_ν) + blockdiag(U_ν)·A_{ℓ−1}·blockdiag(U_ν)ᵀ,  ν on level ℓ;  A_depth = A, A_0 = D_root
 *
 * (the telescoping factorization of J. Levitt, P.-G. Martinsson, arXiv 2205.02990, section 3). A node's rows are a
 * leaf's indices, or the basis vectors of its children, the left one's first.
 */
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';

/** One level; node i of it is node `first + i` of the tree. */
export interface GeneratorLevel {
  readonly first: number;
  readonly count: number;
  /** Rows of node i: rowBegin[i] … rowBegin[i + 1] of the level's. */
  readonly rowBegin: Int32Array;
  /** D of node i, rows × rows, symmetric, from blocks[blockBegin[i]]. */
  readonly blockBegin: Float64Array;
  readonly blocks: Float64Array;
  /** U of node i, rows × rank, from bases[basisBegin[i]]; room for `cap[i]` columns. */
  readonly basisBegin: Float64Array;
  readonly bases: Float64Array;
  readonly cap: Int32Array;
  readonly ranks: Int32Array;
}

/** A level with room for its blocks and for bases of at most cap[i] vectors. */
export function makeLevel(first: number, rowBegin: Int32Array, capOf: (rows: number) => number): GeneratorLevel {
  const count = rowBegin.length - 1;
  const blockBegin = sharedFloat64(count + 1);
  const basisBegin = sharedFloat64(count + 1);
  const cap = sharedInt32(count);
  for (let i = 0; i < count; i++) {
    const rows = rowBegin[i + 1] - rowBegin[i];
    cap[i] = Math.min(rows, capOf(rows));
    blockBegin[i + 1] = blockBegin[i] + rows * rows;
    basisBegin[i + 1] = basisBegin[i] + rows * cap[i];
  }
  return {
    first,
    count,
    rowBegin,
    blockBegin,
    blocks: sharedFloat64(blockBegin[count]),
    basisBegin,
    bases: sharedFloat64(basisBegin[count]),
    cap,
    ranks: sharedInt32(count),
  };
}

/** Rows of the level above: the ranks of its nodes' children. */
export function rowsAbove({ ranks }: GeneratorLevel): Int32Array {
  const begin = sharedInt32(ranks.length / 2 + 1);
  for (let j = 0; j < ranks.length / 2; j++) begin[j + 1] = begin[j] + ranks[2 * j] + ranks[2 * j + 1];
  return begin;
}

/** Most rows of a node. */
export function mostRows(rowBegin: Int32Array): number {
  let most = 0;
  for (let i = 0; i + 1 < rowBegin.length; i++) most = Math.max(most, rowBegin[i + 1] - rowBegin[i]);
  return most;
}
