/**
 * Linear operators, and their algebra: sums, products, multiples, shifts, permutations.
 */
export { apply } from '../operator/apply.js';
export { converted } from '../operator/converted.js';
export { denseOperator } from '../operator/dense-operator.js';
export { diagonalOperator } from '../operator/diagonal-operator.js';
export { identityOperator } from '../operator/identity-operator.js';
export type { LinearOperator, OwnRowsOperator } from '../operator/linear-operator.js';
export { ownRows } from '../operator/own-rows.js';
export { permuted } from '../operator/permuted.js';
export { product } from '../operator/product.js';
export type { RowShare } from '../operator/row-share.js';
export { scaled } from '../operator/scaled.js';
export { shifted } from '../operator/shifted.js';
export { sum } from '../operator/sum.js';
export { blockDiagonal, type BlockDiagonalOperator, type BlockDiagonalOptions } from '../source/block-diagonal.js';
export { toDense } from '../operator/to-dense.js';
export { entryOperator, type EntryOperator, type EntryOperatorOptions } from '../source/entry-operator.js';
