/**
 * The kernels of tensors: sums and products along rows and columns, softmax, indices, maxima of windows, copies of
 * chunks, over the arrays of a linear memory (`vector-memory.ts`), beside those that go element by element
 * (`vector-kernels.ts`).
 *
 * The same rules hold: all arrays are typed arrays over the memory, of the kernels' precision (indices: Int32Array);
 * rows × cols numbers lie column by column without gaps, from the array's beginning on. Arrays of one call are the same
 * or do not overlap. Scalars are rounded to the precision. The bits of a result depend on the arguments alone. With
 * β = 0 what it multiplies is not read. Every method throws ShapeError for an array that is not over the memory, of
 * another precision or too short, for sizes that are no whole numbers, and for indices outside their array; then
 * nothing has been written.
 */
import type { FloatArray } from './matrix.js';

/** One axis of a grid of chunks: how many, and how many numbers apart they begin in x and in y. */
export interface ChunkAxis {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Windows over images: x has `depth` contiguous numbers (channels × samples) at each of width × height positions, y at
 * each of out[0] × out[1], the first axis before the second. The window of position (i, j) of y begins at
 * (i·stride[0] − padding[0], j·stride[1] − padding[1]) of x. Pairs are (along the width, along the height).
 */
export interface PoolShape {
  readonly depth: number;
  readonly width: number;
  readonly height: number;
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly out: readonly [number, number];
}

/**
 * The kernels of one precision. Sums along columns are in double precision and rounded once. Those along rows are so by
 * runs of columns, 32 or more, as many as 256 KiB of each call's matrices hold; with 16 rows or fewer all columns are
 * one run. After each run the sum is rounded.
 */
export interface TensorKernels {
  /** out_i ← α·Σ_j x_ij + β·out_i; out has `rows` numbers. */
  rowSums(rows: number, cols: number, alpha: number, x: FloatArray, beta: number, out: FloatArray): void;
  /** out_i ← α·Σ_j x_ij y_ij + β·out_i, products in double precision; out has `rows` numbers. */
  rowDots(rows: number, cols: number, alpha: number, x: FloatArray, y: FloatArray, beta: number, out: FloatArray): void;
  /** out_j ← α·Σ_i x_ij + β·out_j; out has `cols` numbers. */
  columnSums(rows: number, cols: number, alpha: number, x: FloatArray, beta: number, out: FloatArray): void;
  /** out_j ← α·Σ_i x_ij y_ij + β·out_j, products in double precision; out has `cols` numbers. */
  columnDots(
    rows: number,
    cols: number,
    alpha: number,
    x: FloatArray,
    y: FloatArray,
    beta: number,
    out: FloatArray,
  ): void;
  /**
   * y_ij ← a_i x_ij + b_i z_ij + c_i + βy_ij. A term whose factor or array is null is left out: a and x, b and z are
   * null together. y may be x or z.
   */
  combineRows(
    rows: number,
    cols: number,
    a: FloatArray | null,
    x: FloatArray | null,
    b: FloatArray | null,
    z: FloatArray | null,
    c: FloatArray | null,
    beta: number,
    y: FloatArray,
  ): void;
  /** y_ij ← a_j x_ij + b_j z_ij + c_j + βy_ij, as `combineRows` with numbers for each column. */
  combineColumns(
    rows: number,
    cols: number,
    a: FloatArray | null,
    x: FloatArray | null,
    b: FloatArray | null,
    z: FloatArray | null,
    c: FloatArray | null,
    beta: number,
    y: FloatArray,
  ): void;
  /**
   * out_ij ← e^{x_ij}/Σ_k e^{x_kj}; out may be x. Entries −∞ give 0; a column that is −∞ throughout, or has +∞ or NaN,
   * gives NaN.
   */
  softmax(rows: number, cols: number, x: FloatArray, out: FloatArray): void;
  /**
   * out_j ← log Σ_k e^{x_kj}, the sum in double precision. −∞ for a column that is −∞ throughout or has no rows, +∞ for
   * one that has +∞, NaN for one that has NaN.
   */
  logSumExp(rows: number, cols: number, x: FloatArray, out: FloatArray): void;
  /** indices_j ← the row of the first maximum of column j, of its first NaN if it has one; rows > 0 unless cols = 0. */
  maxIndices(rows: number, cols: number, x: FloatArray, indices: Int32Array): void;
  /**
   * y_j ← x_{k} + βy_j, k = indices_j: columns of `rows` numbers, `cols` of them in y, as many as fit in x. With
   * rows = 1 numbers.
   */
  gather(rows: number, cols: number, indices: Int32Array, x: FloatArray, beta: number, y: FloatArray): void;
  /** y_k ← y_k + x_j, k = indices_j, for j = 0, 1, … in order: the transpose of `gather`; `cols` columns in x. */
  scatterAdd(rows: number, cols: number, indices: Int32Array, x: FloatArray, y: FloatArray): void;
  /**
   * y ← the maximum of each window, outside the image −∞; indices ← where in x the first maximum lies (the width runs
   * before the height), or the first NaN if there is one. `gather` and `scatterAdd` with rows = 1 are the derivative
   * and its transpose. Throws ShapeError unless every window has a position within the image.
   */
  maxPool(shape: PoolShape, x: FloatArray, y: FloatArray, indices: Int32Array): void;
  /**
   * y ← x + βy on a grid of chunks of `chunk` contiguous numbers, with one axis or two: chunk (i, j) begins at
   * i·from₀ + j·from₁ in x and at i·to₀ + j·to₁ in y. Chunks of x may overlap, those of y do not. x and y may be one
   * array where no number that is read is written.
   */
  copyChunks(chunk: number, axes: readonly ChunkAxis[], x: FloatArray, beta: number, y: FloatArray): void;
}
