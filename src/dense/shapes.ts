/**
 * What every routine of the dense contract checks before it touches memory: bounds, precision and shapes.
 * Shared by all backends, so that a misuse is the same ShapeError everywhere. The checks are plain comparisons and
 * allocate nothing unless they fail.
 */
import { ShapeError } from '../core/errors.js';
import type { Side, Transpose } from './blas.js';
import { checkView } from './matrix.js';
import type { FloatArray, Matrix } from './matrix.js';

/**
 * Throws ShapeError unless all entries of the view lie inside its array and its sizes fit the 32-bit integers of BLAS.
 */
export function requireView(a: Matrix, name: string): void {
  const { rows, cols, ld, offset } = a;
  if (
    (rows | 0) === rows &&
    (cols | 0) === cols &&
    (ld | 0) === ld &&
    rows >= 0 &&
    cols >= 0 &&
    ld >= rows &&
    ld >= 1 &&
    offset >= 0 &&
    Math.floor(offset) === offset
  ) {
    if (rows === 0 || cols === 0 || offset + (cols - 1) * ld + rows <= a.data.length) return;
  }
  checkView(a, name);
  throw new ShapeError(
    `${name}: ${rows} × ${cols} with ld ${ld} is beyond the 32-bit sizes of BLAS; split the matrix.`,
    { rows, cols, ld, offset },
  );
}

function requirePrecision(x: FloatArray, double: boolean, name: string): void {
  if (double ? x instanceof Float64Array : x instanceof Float32Array) return;
  throw new ShapeError(
    `${name}: all operands must be ${double ? 'Float64Array' : 'Float32Array'} as the first one is, this one is ` +
      `${kindOf(x)}; convert one side.`,
  );
}

const kindOf = (x: unknown): string => (typeof x === 'object' && x !== null ? x.constructor.name : typeof x);

const shapeOf = (a: Matrix): string => `${a.rows} × ${a.cols}`;

function requireSquare(a: Matrix, name: string): void {
  if (a.rows !== a.cols)
    throw new ShapeError(`${name} must be square, it is ${shapeOf(a)}.`, { rows: a.rows, cols: a.cols });
}

function requireShape(a: Matrix, rows: number, cols: number, name: string): void {
  if (a.rows !== rows || a.cols !== cols)
    throw new ShapeError(`${name} must be ${rows} × ${cols}, it is ${shapeOf(a)}.`, {
      rows: a.rows,
      cols: a.cols,
      expected: [rows, cols],
    });
}

function requireLength(x: { readonly length: number }, length: number, name: string): void {
  if (x.length < length)
    throw new ShapeError(`${name} must hold at least ${length} elements, it holds ${x.length}.`, {
      length: x.length,
      expected: length,
    });
}

/** C (m × n) against op(A) (m × k) and op(B) (k × n). */
export function checkGemm(transA: Transpose, transB: Transpose, a: Matrix, b: Matrix, c: Matrix): void {
  requireView(a, 'gemm: A');
  requireView(b, 'gemm: B');
  requireView(c, 'gemm: C');
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, 'gemm: A');
  requirePrecision(b.data, double, 'gemm: B');
  requirePrecision(c.data, double, 'gemm: C');
  const inner = transA === 'T' ? a.rows : a.cols;
  if (
    (transB === 'T' ? b.cols : b.rows) !== inner ||
    (transA === 'T' ? a.cols : a.rows) !== c.rows ||
    (transB === 'T' ? b.rows : b.cols) !== c.cols
  ) {
    throw new ShapeError(
      `gemm: C (${shapeOf(c)}) is not the shape of op(A)·op(B) with A ` +
        `${shapeOf(a)}${transA === 'T' ? ' transposed' : ''} and B ` +
        `${shapeOf(b)}${transB === 'T' ? ' transposed' : ''}.`,
    );
  }
}

/** y = op(A)·x with columns x and y. */
export function checkGemv(transA: Transpose, a: Matrix, x: Matrix, y: Matrix): void {
  requireView(a, 'gemv: A');
  requireView(x, 'gemv: x');
  requireView(y, 'gemv: y');
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, 'gemv: A');
  requirePrecision(x.data, double, 'gemv: x');
  requirePrecision(y.data, double, 'gemv: y');
  requireShape(x, transA === 'T' ? a.rows : a.cols, 1, 'gemv: x');
  requireShape(y, transA === 'T' ? a.cols : a.rows, 1, 'gemv: y');
}

/** C = A·B or B·A, A square of the order that the side asks for. */
export function checkSymm(side: Side, a: Matrix, b: Matrix, c: Matrix): void {
  requireView(a, 'symm: A');
  requireView(b, 'symm: B');
  requireView(c, 'symm: C');
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, 'symm: A');
  requirePrecision(b.data, double, 'symm: B');
  requirePrecision(c.data, double, 'symm: C');
  const order = side === 'R' ? c.cols : c.rows;
  requireShape(a, order, order, 'symm: A');
  requireShape(b, c.rows, c.cols, 'symm: B');
}

/** y (n × 1) ← A (n × n, symmetric)·x (n × 1). Throws ShapeError. */
export function checkSymv(a: Matrix, x: Matrix, y: Matrix): void {
  requireView(a, 'symv: A');
  requireView(x, 'symv: x');
  requireView(y, 'symv: y');
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, 'symv: A');
  requirePrecision(x.data, double, 'symv: x');
  requirePrecision(y.data, double, 'symv: y');
  requireSquare(a, 'symv: A');
  requireShape(x, a.rows, 1, 'symv: x');
  requireShape(y, a.rows, 1, 'symv: y');
}

/** C (k × k) ← A·Aᵀ or Aᵀ·A, k the rows or the columns of A. Throws ShapeError. */
export function checkSyrk(trans: Transpose, a: Matrix, c: Matrix): void {
  requireView(a, 'syrk: A');
  requireView(c, 'syrk: C');
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, 'syrk: A');
  requirePrecision(c.data, double, 'syrk: C');
  const order = trans === 'T' ? a.cols : a.rows;
  requireShape(c, order, order, 'syrk: C');
}

/** trsm and trmm: A square of the order that the side asks for. */
export function checkTriangular(side: Side, a: Matrix, b: Matrix, nameA: string, nameB: string): void {
  requireView(a, nameA);
  requireView(b, nameB);
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, nameA);
  requirePrecision(b.data, double, nameB);
  const order = side === 'R' ? b.cols : b.rows;
  requireShape(a, order, order, nameA);
}

function requireFloats(a: Matrix, name: string): boolean {
  const double = a.data instanceof Float64Array;
  requirePrecision(a.data, double, name);
  return double;
}

/** A: square, of floats. Throws ShapeError. */
export function checkPotrf(a: Matrix): void {
  requireView(a, 'potrf: A');
  requireFloats(a, 'potrf: A');
  requireSquare(a, 'potrf: A');
}

/** A (m × n), tau of at least min(m, n) numbers. Throws ShapeError. */
export function checkGeqrf(a: Matrix, tau: FloatArray): void {
  requireView(a, 'geqrf: A');
  requirePrecision(tau, requireFloats(a, 'geqrf: A'), 'geqrf: tau');
  requireLength(tau, Math.min(a.rows, a.cols), 'geqrf: tau');
}

/** A holds min(rows, cols) reflectors of length rows, the order of Q. */
export function checkOrmqr(side: Side, a: Matrix, tau: FloatArray, c: Matrix): void {
  requireView(a, 'ormqr: A');
  requireView(c, 'ormqr: C');
  const double = requireFloats(a, 'ormqr: A');
  requirePrecision(tau, double, 'ormqr: tau');
  requirePrecision(c.data, double, 'ormqr: C');
  requireLength(tau, Math.min(a.rows, a.cols), 'ormqr: tau');
  if ((side === 'R' ? c.cols : c.rows) !== a.rows) {
    throw new ShapeError(
      `ormqr: Q of order ${a.rows} does not fit C (${shapeOf(c)}) on the ${side === 'R' ? 'right' : 'left'}.`,
      { order: a.rows, rows: c.rows, cols: c.cols },
    );
  }
}

/** A (m × n), at least n pivots, tau of at least min(m, n) numbers. Throws ShapeError. */
export function checkGeqp3(a: Matrix, pivots: Int32Array, tau: FloatArray): void {
  requireView(a, 'geqp3: A');
  requirePrecision(tau, requireFloats(a, 'geqp3: A'), 'geqp3: tau');
  requireLength(pivots, a.cols, 'geqp3: pivots');
  requireLength(tau, Math.min(a.rows, a.cols), 'geqp3: tau');
}

/** A (m × n), s of at least k = min(m, n) numbers; U (m × k) and Vᵀ (k × n), or null for both. Throws ShapeError. */
export function checkGesdd(a: Matrix, s: FloatArray, u: Matrix | null, vt: Matrix | null): void {
  requireView(a, 'gesdd: A');
  const double = requireFloats(a, 'gesdd: A');
  const k = Math.min(a.rows, a.cols);
  requirePrecision(s, double, 'gesdd: s');
  requireLength(s, k, 'gesdd: s');
  if (u === null && vt === null) return;
  if (u === null || vt === null) throw new ShapeError('gesdd: give both U and Vᵀ, or null for both.');
  requireView(u, 'gesdd: U');
  requireView(vt, 'gesdd: Vᵀ');
  requirePrecision(u.data, double, 'gesdd: U');
  requirePrecision(vt.data, double, 'gesdd: Vᵀ');
  requireShape(u, a.rows, k, 'gesdd: U');
  requireShape(vt, k, a.cols, 'gesdd: Vᵀ');
}

/** A (n × n), w of at least n numbers. Throws ShapeError. */
export function checkSyevd(a: Matrix, w: FloatArray): void {
  requireView(a, 'syevd: A');
  requirePrecision(w, requireFloats(a, 'syevd: A'), 'syevd: w');
  requireSquare(a, 'syevd: A');
  requireLength(w, a.rows, 'syevd: w');
}

/** A (m × n), at least min(m, n) pivots. Throws ShapeError. */
export function checkGetrf(a: Matrix, pivots: Int32Array): void {
  requireView(a, 'getrf: A');
  requireFloats(a, 'getrf: A');
  requireLength(pivots, Math.min(a.rows, a.cols), 'getrf: pivots');
}

/** Besides shapes: every pivot must name a row, for the interchanges run unchecked in native code. */
export function checkGetrs(a: Matrix, pivots: Int32Array, b: Matrix): void {
  requireView(a, 'getrs: A');
  requireView(b, 'getrs: B');
  requirePrecision(b.data, requireFloats(a, 'getrs: A'), 'getrs: B');
  requireSquare(a, 'getrs: A');
  if (b.rows !== a.rows)
    throw new ShapeError(`getrs: B (${shapeOf(b)}) must have the ${a.rows} rows of A.`, {
      rows: b.rows,
      expected: a.rows,
    });
  requireLength(pivots, a.rows, 'getrs: pivots');
  for (let i = 0; i < a.rows; i++) {
    if (!(pivots[i] >= 0 && pivots[i] < a.rows))
      throw new ShapeError(
        `getrs: pivots[${i}] = ${pivots[i]} names no row of a matrix of order ${a.rows}; pass what getrf returned.`,
        { index: i, pivot: pivots[i] },
      );
  }
}

/** A ← β·A; with β = 0, A is not read. What a product over an empty inner dimension leaves to do. */
export function scaleView(a: Matrix, beta: number): void {
  if (beta === 1) return;
  const { data, ld, rows } = a;
  for (let j = 0; j < a.cols; j++) {
    const p = a.offset + j * ld;
    if (beta === 0) data.fill(0, p, p + rows);
    else for (let i = p; i < p + rows; i++) data[i] *= beta;
  }
}

/** The same for one triangle of a square matrix. */
export function scaleTriangle(uplo: 'L' | 'U', a: Matrix, beta: number): void {
  if (beta === 1) return;
  const { data, ld, rows } = a;
  for (let j = 0; j < a.cols; j++) {
    const column = a.offset + j * ld;
    const first = column + (uplo === 'L' ? j : 0);
    const last = column + (uplo === 'L' ? rows : j + 1);
    if (beta === 0) data.fill(0, first, last);
    else for (let i = first; i < last; i++) data[i] *= beta;
  }
}
