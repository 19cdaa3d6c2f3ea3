/** Cluster trees and structured matrices by construction, for tests. */
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { block, copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { randomMatrix } from '../support.js';

/**
 * A complete binary tree with leaves of the given sizes, left to right, over randomly numbered indices; the first
 * `isolated` positions belong to no node.
 */
export function treeOfLeaves(sizes: readonly number[], seed: number, isolated = 0): ClusterTree {
  const depth = Math.log2(sizes.length);
  const nodes = 2 * sizes.length - 1;
  const begin = sharedInt32(nodes);
  const end = sharedInt32(nodes);
  let next = isolated;
  sizes.forEach((size, leaf) => {
    begin[sizes.length - 1 + leaf] = next;
    end[sizes.length - 1 + leaf] = next += size;
  });
  for (let ν = sizes.length - 2; ν >= 0; ν--) {
    begin[ν] = begin[2 * ν + 1];
    end[ν] = end[2 * ν + 2];
  }
  const order = sharedInt32(next);
  for (let p = 0; p < next; p++) order[p] = p;
  new RandomStream(seed).shuffle(order);
  return { size: next, depth, order, begin, end };
}

/** Leaves of sizes from `least` to `most`. */
export function randomSizes(leaves: number, least: number, most: number, seed: number): number[] {
  const random = new RandomStream(seed);
  return Array.from({ length: leaves }, () => least + random.integer(most - least + 1));
}

/** A, given in tree order, in the caller's order. */
export function inCallersOrder(a: Matrix, { order }: ClusterTree): Matrix {
  const n = a.rows;
  const out = zeros(n, n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) out.data[order[i] + order[j] * n] = a.data[i + j * n];
  return out;
}

/**
 * A symmetric HSS matrix of exact ranks min(rank, size) at most: nested random bases, random couplings, random diagonal
 * blocks.
 */
export function randomHss(tree: ClusterTree, rank: number, seed: number, blas: Blas): Matrix {
  const a = zeros(tree.size, tree.size);
  const make = (ν: number): Matrix => {
    const at = tree.begin[ν];
    const size = tree.end[ν] - at;
    if (2 * ν + 1 >= tree.begin.length) {
      const d = randomMatrix(size, size, seed + 3 * ν);
      for (let j = 0; j < size; j++)
        for (let i = 0; i < size; i++) a.data[at + i + (at + j) * a.ld] = d.data[i + j * size] + d.data[j + i * size];
      return randomMatrix(size, Math.min(size, rank), seed + 3 * ν + 1);
    }
    const l = make(2 * ν + 1);
    const r = make(2 * ν + 2);
    const b = randomMatrix(l.cols, r.cols, seed + 3 * ν);
    const half = zeros(l.rows, r.cols);
    blas.gemm('N', 'N', 1, l, b, 0, half);
    const upper = block(a, at, at + l.rows, l.rows, r.rows);
    blas.gemm('N', 'T', 1, half, r, 0, upper);
    for (let j = 0; j < r.rows; j++)
      for (let i = 0; i < l.rows; i++)
        a.data[at + l.rows + j + (at + i) * a.ld] = upper.data[upper.offset + i + j * upper.ld];
    const up = randomMatrix(l.cols + r.cols, Math.min(rank, l.cols + r.cols), seed + 3 * ν + 2);
    const basis = zeros(size, up.cols);
    const scale = 1 / Math.sqrt(up.rows);
    blas.gemm('N', 'N', scale, l, block(up, 0, 0, l.cols, up.cols), 0, block(basis, 0, 0, l.rows, up.cols));
    blas.gemm('N', 'N', scale, r, block(up, l.cols, 0, r.cols, up.cols), 0, block(basis, l.rows, 0, r.rows, up.cols));
    return basis;
  };
  make(0);
  return inCallersOrder(a, tree);
}

/** V·diag(scale)·Vᵀ + diagonal. */
export function lowRankPlusDiagonal(v: Matrix, diagonal: (i: number) => number, blas: Blas): Matrix {
  const n = v.rows;
  const a = zeros(n, n);
  blas.gemm('N', 'T', 1, v, v, 0, a);
  const symmetric = zeros(n, n);
  copyInto(symmetric, a);
  for (let j = 0; j < n; j++) for (let i = 0; i < j; i++) symmetric.data[i + j * n] = a.data[j + i * n];
  for (let i = 0; i < n; i++) symmetric.data[i + i * n] += diagonal(i);
  return view(symmetric.data, 0, n, n);
}
