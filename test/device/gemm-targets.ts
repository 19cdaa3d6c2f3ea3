/** Products of blocks at given places, for tests of cuBLAS. */
import type { Block } from '#hmatrix/device/work/demand.js';
import type { BlockProducts, ProductTarget } from '#hmatrix/device/work/products.js';

/** A block. */
export const block = (offset: number, ld: number, transposed = false): Block => ({ offset, ld, transposed });
/** Products. */
export const products = (targets: readonly ProductTarget[], alpha = 1, beta = 0): BlockProducts => ({
  kind: 'products',
  alpha,
  beta,
  targets,
});
/** A target of one term whose three blocks begin at these places. */
export const targetAt = (
  [a, b, c]: readonly number[],
  rows: number,
  columns: number,
  depth: number,
): ProductTarget => ({
  c: block(c, rows),
  rows,
  columns,
  terms: [{ a: block(a, rows), b: block(b, depth), depth }],
});
