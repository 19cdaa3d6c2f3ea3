/**
 * A stored symmetric matrix as a source of entries. Layer 3.
 * The caller's array is used as it is (float32 entries are widened when read) and must not change while the source lives;
 * it is copied to shared memory when workers first ask for it, unless it lies there already.
 */
import { AsymmetryError, NonFiniteError, NotPositiveDefiniteError, ShapeError } from '../core/errors.js';
import type { Indices } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import type { Blas } from '../dense/blas.js';
import {
  checkView,
  copyInto,
  matrixOver,
  view,
  type FloatArray,
  type Matrix,
  type Precision,
} from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { EntrySource, SourceContext, SourceDescriptor } from './entry-source.js';

/** The part of ml-matrix's Matrix that is read here. */
export interface MatrixLike { readonly rows: number; readonly columns: number; get(row: number, column: number): number }

export interface DenseSourceOptions {
  /** With it, a float64 source also offers exact products (`operator`). */
  readonly blas?: Blas;
  /** Of the sample of pairs that symmetry is checked on; 0 unless given. */
  readonly seed?: number;
}

/** A matrix up to this size is checked for symmetry entry by entry, a larger one on a sample of pairs. */
const exhaustiveSize = 1024;
const sampledPairs = 200_000;
/** Asymmetry that is taken for rounding, relative to max(|K_ij|, |K_ji|, √(K_ii K_jj)). */
const asymmetryTolerance = (data: FloatArray): number => (data instanceof Float32Array ? 1e-5 : 1e-8);

interface DenseData { readonly matrix: Matrix; readonly exact: boolean }

/**
 * The source of a stored matrix: a flat column-major array of N² numbers, a square view, or ml-matrix's Matrix.
 * Checks: square (ShapeError), every entry finite (NonFiniteError), symmetric to 1e-8 (float32: 1e-5), entry by entry up to N = 1024, on 200,000 random pairs
 * above (AsymmetryError), diagonal ≥ 0 (NotPositiveDefiniteError). Entries that differ within that tolerance are read from the lower triangle, so the source is symmetric to the bit.
 */
export function denseSource(input: FloatArray | Matrix | MatrixLike, options: DenseSourceOptions = {}): EntrySource {
  const matrix = asMatrix(input);
  if (matrix.rows !== matrix.cols || matrix.rows < 1) throw new ShapeError(`The matrix must be square and not empty; it is ${matrix.rows} × ${matrix.cols}.`, { rows: matrix.rows, cols: matrix.cols });
  checkFinite(matrix);
  checkDiagonal(matrix);
  return new DenseSource(matrix, checkSymmetric(matrix, options.seed ?? 0), options.blas);
}

/** A worker's copy, from the descriptor's data. */
export function openDenseSource(data: DenseData, context: SourceContext): EntrySource {
  return new DenseSource(data.matrix, data.exact, context.blas);
}

export class DenseSource implements EntrySource {
  readonly size: number;
  readonly operator?: LinearOperator;
  #matrix: Matrix;
  /** Whether both triangles may be read: no asymmetry was seen at all. */
  readonly #exact: boolean;

  constructor(matrix: Matrix, exact: boolean, blas?: Blas) {
    this.size = matrix.rows;
    this.#matrix = matrix;
    this.#exact = exact;
    if (blas !== undefined && matrix.data instanceof Float64Array) {
      this.operator = { rows: matrix.rows, cols: matrix.rows, symmetric: true, applyUnchecked: (out, x, alpha, beta) => { blas.symm('L', 'L', alpha, this.#matrix, x, beta, out); } };
    }
  }

  /** Of the stored numbers. */
  get precision(): Precision { return this.#matrix.data instanceof Float64Array ? 'f64' : 'f32'; }

  get descriptor(): SourceDescriptor {
    this.#matrix = shared(this.#matrix);
    const data: DenseData = { matrix: this.#matrix, exact: this.#exact };
    return { module: import.meta.url, name: 'openDenseSource', data };
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    const { data, offset, ld } = this.#matrix;
    if (!this.#exact) readLower(data, offset, ld, rows, cols, out);
    else if (data instanceof Float64Array) read64(data, offset, ld, rows, cols, out);
    else read32(data, offset, ld, rows, cols, out);
  }

  diagonal(out: Float64Array): void {
    const { data, offset, ld } = this.#matrix;
    for (let i = 0; i < this.size; i++) out[i] = data[offset + i * (ld + 1)];
  }
}

// One loop per element type, so that each stays monomorphic.
function read64(k: Float64Array, offset: number, ld: number, rows: Indices, cols: Indices, out: Matrix): void {
  const y = out.data;
  for (let b = 0; b < cols.length; b++) {
    const column = offset + cols[b] * ld;
    const q = out.offset + b * out.ld;
    for (let a = 0; a < rows.length; a++) y[q + a] = k[column + rows[a]];
  }
}

function read32(k: Float32Array, offset: number, ld: number, rows: Indices, cols: Indices, out: Matrix): void {
  const y = out.data;
  for (let b = 0; b < cols.length; b++) {
    const column = offset + cols[b] * ld;
    const q = out.offset + b * out.ld;
    for (let a = 0; a < rows.length; a++) y[q + a] = k[column + rows[a]];
  }
}

function readLower(k: FloatArray, offset: number, ld: number, rows: Indices, cols: Indices, out: Matrix): void {
  const y = out.data;
  for (let b = 0; b < cols.length; b++) {
    const j = cols[b];
    const q = out.offset + b * out.ld;
    for (let a = 0; a < rows.length; a++) {
      const i = rows[a];
      y[q + a] = i >= j ? k[offset + i + j * ld] : k[offset + j + i * ld];
    }
  }
}

function asMatrix(input: FloatArray | Matrix | MatrixLike): Matrix {
  if (input instanceof Float64Array || input instanceof Float32Array) {
    const n = Math.round(Math.sqrt(input.length));
    if (n * n !== input.length) throw new ShapeError(`An array of ${input.length} numbers is not a square matrix: ${n}² = ${n * n}.`, { length: input.length });
    return matrixOver(input, n, n);
  }
  if ('columns' in input) {
    const { rows, columns } = input;
    const matrix = matrixOver(new Float64Array(new SharedArrayBuffer(8 * rows * columns)), rows, columns);
    for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) matrix.data[i + j * rows] = input.get(i, j);
    return matrix;
  }
  checkView(input, 'matrix');
  return view(input.data, input.offset, input.rows, input.cols, input.ld);
}

/** The matrix over shared memory: itself, or a copy without gaps between its columns. */
function shared(a: Matrix): Matrix {
  if (a.data.buffer instanceof SharedArrayBuffer) return a;
  const buffer = new SharedArrayBuffer(a.data.BYTES_PER_ELEMENT * a.rows * a.cols);
  const copy = view(a.data instanceof Float64Array ? new Float64Array(buffer) : new Float32Array(buffer), 0, a.rows, a.cols);
  copyInto(copy, a);
  return copy;
}

function checkFinite(a: Matrix): void {
  const { data, offset, rows, cols, ld } = a;
  for (let j = 0; j < cols; j++) {
    const p = offset + j * ld;
    // x − x is 0 for a finite x and NaN for any other.
    let sum = 0;
    for (let i = p; i < p + rows; i++) sum += data[i] - data[i];
    if (sum === 0) continue;
    for (let i = 0; i < rows; i++) {
      const value = data[p + i];
      if (!Number.isFinite(value)) throw new NonFiniteError(`Entry (${i}, ${j}) is ${value}; every entry must be a finite number.`, { row: i, column: j, value });
    }
  }
}

function checkDiagonal(a: Matrix): void {
  for (let i = 0; i < a.rows; i++) {
    const value = a.data[a.offset + i * (a.ld + 1)];
    if (value < 0) throw new NotPositiveDefiniteError(`Diagonal entry (${i}, ${i}) is ${value}: a positive semidefinite matrix has none below 0. Is it a covariance, kernel or Hessian matrix, and is its sign right?`, { row: i, column: i, value });
  }
}

/** Whether all pairs that were looked at agree to the bit; throws AsymmetryError where they do not agree within the tolerance. */
function checkSymmetric(a: Matrix, seed: number): boolean {
  const { data, offset, rows: n, ld } = a;
  const tolerance = asymmetryTolerance(data);
  let exact = true;
  const look = (i: number, j: number): void => {
    const lower = data[offset + i + j * ld];
    const upper = data[offset + j + i * ld];
    if (lower === upper) return;
    exact = false;
    const scale = Math.max(Math.abs(lower), Math.abs(upper), Math.sqrt(data[offset + i * (ld + 1)]) * Math.sqrt(data[offset + j * (ld + 1)]));
    if (Math.abs(lower - upper) > tolerance * scale) {
      throw new AsymmetryError(`The matrix is not symmetric: entry (${i}, ${j}) is ${lower}, entry (${j}, ${i}) is ${upper}. Symmetrise it first, if (K + Kᵀ)/2 is what is meant.`, { row: i, column: j, value: lower, transposed: upper, tolerance });
    }
  };
  if (n <= exhaustiveSize) {
    for (let j = 0; j < n; j++) for (let i = j + 1; i < n; i++) look(i, j);
  } else {
    const random = new RandomStream(seed, 0x73796d6d);
    for (let k = 0; k < sampledPairs; k++) look(random.integer(n), random.integer(n));
  }
  return exact;
}
