/**
 * Column-major matrix views.
 */
import { requirePrecision } from '../core/checks.js';
import { floats, type FloatArray, type Precision } from '../core/floats.js';
import { ShapeError } from '../core/errors.js';
import { describe, kindOf } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';

export type { FloatArray, Precision } from '../core/floats.js';

/**
 * Column-major view: entry (i, j) is data[offset + i + j·ld]; ld ≥ max(1, rows); all counts in elements. Its numbers
 * lie in an array of type A, where that is known.
 */
export interface Matrix<A extends FloatArray = FloatArray> {
  readonly data: A;
  readonly offset: number;
  readonly rows: number;
  readonly cols: number;
  readonly ld: number;
}

/** A view, not checked: for kernels whose caller has checked. */
export function view<A extends FloatArray>(
  data: A,
  offset: number,
  rows: number,
  cols: number,
  ld: number = rows,
): Matrix<A> {
  return { data, offset, rows, cols, ld: ld > 0 ? ld : 1 };
}

/**
 * A view, checked against the array it lies in: entry (i, j) is data[offset + i + j·ld]. Numbers in another array than
 * a Float64Array or Float32Array are copied to a Float64Array. Throws ShapeError.
 */
export function matrixOver<A extends FlatVector | Float32Array>(
  data: A,
  rows: number,
  cols: number,
  offset?: number,
  ld?: number,
): Matrix<A extends Float32Array ? Float32Array : Float64Array>;
/** As before, over numbers in an array of any type. */
export function matrixOver(data: ArrayLike<number>, rows: number, cols: number, offset?: number, ld?: number): Matrix;
export function matrixOver(
  data: ArrayLike<number>,
  rows: number,
  cols: number,
  offset = 0,
  ld: number = Math.max(1, rows),
): Matrix {
  const a = { data: asFloats(data, 'data'), offset, rows, cols, ld };
  checkView(a, 'matrix');
  return a;
}

/** A zero matrix of its own. */
export function zeros(rows: number, cols: number, precision?: 'f64'): Matrix<Float64Array>;
/** A zero matrix of its own, of that precision. Throws ShapeError, OptionError. */
export function zeros(rows: number, cols: number, precision: Precision): Matrix;
export function zeros(rows: number, cols: number, precision: Precision = 'f64'): Matrix {
  requirePrecision(precision);
  for (const [name, count] of [
    ['rows', rows],
    ['cols', cols],
  ] as const) {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new ShapeError(`${name} of zeros must be a whole number ≥ 0, not ${describe(count)}.`, { [name]: count });
  }
  return view(floats(rows * cols, precision), 0, rows, cols);
}

/** One vector as a flat array, whose numbers are, or become, float64. */
export type FlatVector = readonly number[] | Float64Array;

/** Vectors as callers hand them over: the columns of a matrix, or one vector as a flat array of numbers. */
export type Vectors = Matrix | ArrayLike<number>;

/**
 * The vectors as a checked matrix: itself, an array as one column. Numbers in another array than a Float64Array or
 * Float32Array are copied to a Float64Array. For what is only read: what a function writes to is to be a view
 * (`checkView`). Throws ShapeError.
 */
export function asVectors(x: Vectors, name: string): Matrix {
  if (Array.isArray(x) || ArrayBuffer.isView(x)) {
    const data = asFloats(x as ArrayLike<number>, name);
    return view(data, 0, data.length, 1);
  }
  let a = x as Matrix;
  if (!overFloats(a) && kindOf(a) === 'matrix') a = { ...a, data: asFloats(a.data, `${name}.data`) };
  checkView(a, name);
  return a;
}

/** A flat array of n² numbers as the n × n matrix, column by column. Throws ShapeError. */
export function squareOver(numbers: ArrayLike<number>, name: string): Matrix {
  const data = asFloats(numbers, name);
  const n = Math.round(Math.sqrt(data.length));
  if (n * n !== data.length)
    throw new ShapeError(`An array of ${data.length} numbers is not a square matrix: ${n}² = ${n * n}.`, {
      length: data.length,
    });
  return view(data, 0, n, n);
}

/** For messages about vectors with the wrong number of rows: says so where they would fit transposed. */
export const transposeHint = ({ cols }: Matrix, expected: number): string =>
  cols === expected ? ' It has as many columns: vectors are columns, transpose it.' : '';

/** Whether there are floating-point numbers behind it; for values of any kind. */
function overFloats(a: Matrix | null | undefined): boolean {
  const data = a?.data;
  return data instanceof Float64Array || data instanceof Float32Array;
}

/**
 * Throws ShapeError unless it is a view over a Float64Array or Float32Array, every entry of which lies inside its
 * array.
 */
export function checkView(a: Matrix, name: string): void {
  if (!overFloats(a)) {
    const given = kindOf(a) === 'matrix' ? `one over ${describe(a.data)}` : describe(a);
    throw new ShapeError(
      `${name} must be a matrix over a Float64Array or Float32Array, as matrixOver(data, rows, cols) and ` +
        `zeros(rows, cols) make it, not ${given}.`,
      { name },
    );
  }
  const { rows, cols, ld, offset } = a;
  if (
    !Number.isInteger(rows) ||
    !Number.isInteger(cols) ||
    !Number.isInteger(ld) ||
    !Number.isInteger(offset) ||
    rows < 0 ||
    cols < 0 ||
    offset < 0 ||
    ld < Math.max(1, rows)
  ) {
    throw new ShapeError(
      `${name}: not a view: rows ${describe(rows)}, cols ${describe(cols)}, ld ${describe(ld)}, offset ` +
        `${describe(offset)} (whole numbers, ld ≥ max(1, rows)).`,
      { rows, cols, ld, offset },
    );
  }
  if (rows > 0 && cols > 0 && offset + (cols - 1) * ld + rows > a.data.length) {
    throw new ShapeError(
      `${name}: ${rows} × ${cols} with ld ${ld} at offset ${offset} reaches past the end of an array of ` +
        `${a.data.length}.`,
      { rows, cols, ld, offset, length: a.data.length },
    );
  }
}

/** a(i, j), without a check of bounds. */
export const get = (a: Matrix, i: number, j: number): number => a.data[a.offset + i + j * a.ld];

/** Rows [row, row + rows) and columns [col, col + cols) as a view. */
export function block<A extends FloatArray>(
  a: Matrix<A>,
  row: number,
  col: number,
  rows: number,
  cols: number,
): Matrix<A> {
  return view(a.data, a.offset + row + col * a.ld, rows, cols, a.ld);
}

/** out ← a (same shape; precisions may differ). */
export function copyInto(out: Matrix, a: Matrix): void {
  const { rows, cols } = a;
  const x = a.data;
  const y = out.data;
  for (let j = 0; j < cols; j++) {
    let p = a.offset + j * a.ld;
    let q = out.offset + j * out.ld;
    // A block copy per column; below some thirty rows the loop is as fast as the view it takes.
    if (rows >= 32) y.set(x.subarray(p, p + rows), q);
    else for (let i = 0; i < rows; i++) y[q++] = x[p++];
  }
}

/** Every entry of the view ← value; memory between its columns stays. */
export function fill(a: Matrix, value: number): void {
  for (let j = 0; j < a.cols; j++) {
    const p = a.offset + j * a.ld;
    a.data.fill(value, p, p + a.rows);
  }
}

/** The upper triangle of a square a ← its lower one, transposed; or of the latter columns first … end − 1 alone. */
export function mirrorLower({ data, offset, rows, ld }: Matrix, first = 0, end = rows): void {
  for (let j = first + 1; j < rows; j++) {
    const last = Math.min(j, end);
    for (let i = first; i < last; i++) data[offset + i + j * ld] = data[offset + j + i * ld];
  }
}

/** ‖a‖_F², summed column by column. */
export function squaredNorm(a: Matrix): number {
  let sum = 0;
  for (let j = 0; j < a.cols; j++) {
    const p = a.offset + j * a.ld;
    for (let i = p; i < p + a.rows; i++) sum += a.data[i] * a.data[i];
  }
  return sum;
}
