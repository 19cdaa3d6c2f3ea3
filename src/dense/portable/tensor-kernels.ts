/**
 * The kernels of `../tensor-kernels.ts` in WebAssembly, over a memory that callers' arrays lie in: a call checks its
 * shapes, arrays and indices and hands on addresses.
 */
import type { Precision } from '../../core/floats.js';
import { ShapeError } from '../../core/errors.js';
import type { FloatArray } from '../matrix.js';
import type { ChunkAxis, PoolShape, TensorKernels } from '../tensor-kernels.js';
import { KernelArrays, routinesOf } from './kernel-arrays.js';

/** The routines of one precision; `assembly/training/tensors.ts` has them. Pointers in bytes, 0 for none. */
interface Routines {
  combine(n: number, alpha: number, x: number, beta: number, y: number): void;
  rowSums(rows: number, cols: number, alpha: number, x: number, beta: number, out: number): void;
  rowDots(rows: number, cols: number, alpha: number, x: number, y: number, beta: number, out: number): void;
  columnSums(rows: number, cols: number, alpha: number, x: number, beta: number, out: number): void;
  columnDots(rows: number, cols: number, alpha: number, x: number, y: number, beta: number, out: number): void;
  combineRows: Combination;
  combineColumns: Combination;
  softmax(rows: number, cols: number, x: number, out: number): void;
  logSumExp(rows: number, cols: number, x: number, out: number): void;
  maxIndices(rows: number, cols: number, x: number, indices: number): void;
  gather(rows: number, cols: number, indices: number, x: number, beta: number, y: number): void;
  scatterAdd(rows: number, cols: number, indices: number, x: number, y: number): void;
  maxPool(
    depth: number,
    width: number,
    height: number,
    windowWidth: number,
    windowHeight: number,
    strideWidth: number,
    strideHeight: number,
    left: number,
    top: number,
    outWidth: number,
    outHeight: number,
    x: number,
    y: number,
    indices: number,
  ): void;
  copyChunks(
    chunk: number,
    inner: number,
    innerFrom: number,
    innerTo: number,
    outer: number,
    outerFrom: number,
    outerTo: number,
    x: number,
    beta: number,
    y: number,
  ): void;
}

/** b is not there without a; a or c is. */
type Combination = (
  rows: number,
  cols: number,
  a: number,
  x: number,
  b: number,
  z: number,
  c: number,
  beta: number,
  y: number,
) => void;

const NAMES: readonly (keyof Routines)[] = [
  'combine',
  'rowSums',
  'rowDots',
  'columnSums',
  'columnDots',
  'combineRows',
  'combineColumns',
  'softmax',
  'logSumExp',
  'maxIndices',
  'gather',
  'scatterAdd',
  'maxPool',
  'copyChunks',
];

const ONE_CHUNK: ChunkAxis = { count: 1, from: 0, to: 0 };

/** Throws ShapeError unless the value is a whole number, at least `least`, of 32 bits. */
function requireSize(value: number, name: string, least = 0): void {
  if ((value | 0) !== value || value < least)
    throw new ShapeError(`${name} must be a whole number from ${least} to 2³¹ − 1, not ${String(value)}.`, {
      name,
      value,
    });
}

/** rows·cols, both whole. */
function numbersOf(rows: number, cols: number): number {
  requireSize(rows, 'rows');
  requireSize(cols, 'cols');
  return rows * cols;
}

/** Along one axis, each of `out` windows must have a position within `size`. */
function requireWindows(axis: string, size: number, window: number, stride: number, padding: number, out: number) {
  requireSize(size, axis);
  requireSize(window, `window along the ${axis}`, 1);
  requireSize(stride, `stride along the ${axis}`, 1);
  requireSize(padding, `padding along the ${axis}`);
  requireSize(out, `out along the ${axis}`);
  if (out === 0) return;
  const last = (out - 1) * stride;
  requireSize(last + window, `the windows' end along the ${axis}`);
  if (padding < window && last - padding < size) return;
  throw new ShapeError(
    `${out} windows of ${window} with stride ${stride} and padding ${padding} along a ${axis} of ${size}: the ` +
      `${padding < window ? 'last' : 'first'} has no position within the image. Take fewer windows or less padding.`,
    { axis, size, window, stride, padding, out },
  );
}

/** The kernels of tensors of a precision, of an instance over the memory that has the buffer. */
export class PortableTensorKernels implements TensorKernels {
  readonly #arrays: KernelArrays;
  readonly #routines: Routines;
  readonly #largestIndex: (n: number, indices: number) => number;

  constructor(exports: object, buffer: SharedArrayBuffer, precision: Precision) {
    this.#arrays = new KernelArrays(buffer, precision);
    this.#routines = routinesOf<Routines>(exports, NAMES, precision);
    ({ largestIndex: this.#largestIndex } = exports as { largestIndex(n: number, indices: number): number });
  }

  rowSums(rows: number, cols: number, alpha: number, x: FloatArray, beta: number, out: FloatArray): void {
    const from = this.#arrays.at(x, numbersOf(rows, cols), 'x');
    this.#routines.rowSums(rows, cols, alpha, from, beta, this.#arrays.at(out, rows, 'out'));
  }

  rowDots(
    rows: number,
    cols: number,
    alpha: number,
    x: FloatArray,
    y: FloatArray,
    beta: number,
    out: FloatArray,
  ): void {
    const n = numbersOf(rows, cols);
    const from = this.#arrays.at(x, n, 'x');
    const by = this.#arrays.at(y, n, 'y');
    this.#routines.rowDots(rows, cols, alpha, from, by, beta, this.#arrays.at(out, rows, 'out'));
  }

  columnSums(rows: number, cols: number, alpha: number, x: FloatArray, beta: number, out: FloatArray): void {
    const from = this.#arrays.at(x, numbersOf(rows, cols), 'x');
    this.#routines.columnSums(rows, cols, alpha, from, beta, this.#arrays.at(out, cols, 'out'));
  }

  columnDots(
    rows: number,
    cols: number,
    alpha: number,
    x: FloatArray,
    y: FloatArray,
    beta: number,
    out: FloatArray,
  ): void {
    const n = numbersOf(rows, cols);
    const from = this.#arrays.at(x, n, 'x');
    const by = this.#arrays.at(y, n, 'y');
    this.#routines.columnDots(rows, cols, alpha, from, by, beta, this.#arrays.at(out, cols, 'out'));
  }

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
  ): void {
    this.#combined(this.#routines.combineRows, rows, rows, cols, a, x, b, z, c, beta, y);
  }

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
  ): void {
    this.#combined(this.#routines.combineColumns, cols, rows, cols, a, x, b, z, c, beta, y);
  }

  /** By a routine that takes `factors` numbers of each of a, b and c. */
  #combined(
    routine: Combination,
    factors: number,
    rows: number,
    cols: number,
    a: FloatArray | null,
    x: FloatArray | null,
    b: FloatArray | null,
    z: FloatArray | null,
    c: FloatArray | null,
    beta: number,
    y: FloatArray,
  ): void {
    const n = numbersOf(rows, cols);
    if ((a === null) !== (x === null)) throw new ShapeError('a and x must be null together.', {});
    if ((b === null) !== (z === null)) throw new ShapeError('b and z must be null together.', {});
    const arrays = this.#arrays;
    const aAt = arrays.atIfAny(a, factors, 'a');
    const xAt = arrays.atIfAny(x, n, 'x');
    const bAt = arrays.atIfAny(b, factors, 'b');
    const zAt = arrays.atIfAny(z, n, 'z');
    const cAt = arrays.atIfAny(c, factors, 'c');
    const to = arrays.at(y, n, 'y');
    if (aAt !== 0) routine(rows, cols, aAt, xAt, bAt, zAt, cAt, beta, to);
    else if (bAt !== 0 || cAt !== 0) routine(rows, cols, bAt, zAt, 0, 0, cAt, beta, to);
    else this.#routines.combine(n, 0, to, beta, to);
  }

  softmax(rows: number, cols: number, x: FloatArray, out: FloatArray): void {
    const n = numbersOf(rows, cols);
    const from = this.#arrays.at(x, n, 'x');
    const to = this.#arrays.at(out, n, 'out');
    if (n > 0) this.#routines.softmax(rows, cols, from, to);
  }

  logSumExp(rows: number, cols: number, x: FloatArray, out: FloatArray): void {
    const from = this.#arrays.at(x, numbersOf(rows, cols), 'x');
    this.#routines.logSumExp(rows, cols, from, this.#arrays.at(out, cols, 'out'));
  }

  maxIndices(rows: number, cols: number, x: FloatArray, indices: Int32Array): void {
    const from = this.#arrays.at(x, numbersOf(rows, cols), 'x');
    const to = this.#arrays.atIndices(indices, cols);
    if (cols === 0) return;
    requireSize(rows, 'rows of columns that have a maximum', 1);
    this.#routines.maxIndices(rows, cols, from, to);
  }

  gather(rows: number, cols: number, indices: Int32Array, x: FloatArray, beta: number, y: FloatArray): void {
    const n = numbersOf(rows, cols);
    const to = this.#arrays.at(y, n, 'y');
    const from = this.#arrays.at(x, 0, 'x');
    const places = this.#placesIn(x, 'x', rows, cols, indices);
    if (n > 0) this.#routines.gather(rows, cols, places, from, beta, to);
  }

  scatterAdd(rows: number, cols: number, indices: Int32Array, x: FloatArray, y: FloatArray): void {
    const n = numbersOf(rows, cols);
    const from = this.#arrays.at(x, n, 'x');
    const to = this.#arrays.at(y, 0, 'y');
    const places = this.#placesIn(y, 'y', rows, cols, indices);
    if (n > 0) this.#routines.scatterAdd(rows, cols, places, from, to);
  }

  /** The address of indices of columns of `rows` numbers, all of which the array has. */
  #placesIn(array: FloatArray, name: string, rows: number, cols: number, indices: Int32Array): number {
    const places = this.#arrays.atIndices(indices, cols);
    if (rows > 0 && cols > 0) {
      const columns = Math.floor(array.length / rows);
      if (this.#largestIndex(cols, places) >>> 0 >= columns) {
        const at = indices.findIndex((index) => !(index >= 0 && index < columns));
        throw new ShapeError(
          `Index ${indices[at]} at ${at}: ${name} has ${columns} columns of ${rows} numbers, from 0 on.`,
          { at, index: indices[at], columns, rows },
        );
      }
    }
    return places;
  }

  maxPool(shape: PoolShape, x: FloatArray, y: FloatArray, indices: Int32Array): void {
    const { depth, width, height, window, stride, padding, out } = shape;
    requireSize(depth, 'depth');
    requireWindows('width', width, window[0], stride[0], padding[0], out[0]);
    requireWindows('height', height, window[1], stride[1], padding[1], out[1]);
    const from = this.#arrays.at(x, depth * width * height, 'x');
    const maxima = depth * out[0] * out[1];
    const to = this.#arrays.at(y, maxima, 'y');
    const places = this.#arrays.atIndices(indices, maxima);
    this.#routines.maxPool(
      depth,
      width,
      height,
      window[0],
      window[1],
      stride[0],
      stride[1],
      padding[0],
      padding[1],
      out[0],
      out[1],
      from,
      to,
      places,
    );
  }

  copyChunks(chunk: number, axes: readonly ChunkAxis[], x: FloatArray, beta: number, y: FloatArray): void {
    requireSize(chunk, 'chunk');
    if (axes.length < 1 || axes.length > 2)
      throw new ShapeError(`A grid of chunks has one axis or two, not ${axes.length}.`, { axes: axes.length });
    const [inner, outer = ONE_CHUNK] = axes;
    for (const { count, from, to } of axes) {
      requireSize(count, 'count of chunks');
      requireSize(from, 'distance of chunks in x');
      requireSize(to, 'distance of chunks in y');
    }
    const empty = chunk === 0 || inner.count === 0 || outer.count === 0;
    const end = (first: number, second: number): number =>
      empty ? 0 : (inner.count - 1) * first + (outer.count - 1) * second + chunk;
    const from = this.#arrays.at(x, end(inner.from, outer.from), 'x');
    const to = this.#arrays.at(y, end(inner.to, outer.to), 'y');
    if (empty) return;
    const { copyChunks: copy } = this.#routines;
    // Chunks that follow each other are one.
    if (inner.from === chunk && inner.to === chunk)
      copy(chunk * inner.count, outer.count, outer.from, outer.to, 1, 0, 0, from, beta, to);
    else copy(chunk, inner.count, inner.from, inner.to, outer.count, outer.from, outer.to, from, beta, to);
  }
}
