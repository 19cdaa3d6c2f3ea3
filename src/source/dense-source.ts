/**
 * A stored symmetric matrix as a source of entries.
 * The caller's array is used as it is (float32 entries are widened when read) and must not change while the source
 * lives; it is copied to shared memory when workers first ask for it, unless it lies there already.
 */
import { ShapeError } from '../core/errors.js';
import type { Indices } from '../core/indices.js';
import { kindOf } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asIndices } from '../core/numbers.js';
import { allocateShared } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import {
  asVectors,
  copyInto,
  matrixOver,
  squareOver,
  view,
  type Matrix,
  type Precision,
  type Vectors,
} from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { derived } from '../operator/self-check.js';
import { builtIn } from '../parallel/built-in.js';
import { checkStored } from './check-stored.js';
import type { EntrySource, SourceContext, SourceDescriptor } from './entry-source.js';

/** The part of ml-matrix's Matrix that is read here. */
export interface MatrixLike {
  readonly rows: number;
  readonly columns: number;
  get(row: number, column: number): number;
}

/** Options of {@link denseSource}. */
export interface DenseSourceOptions {
  /** With it, a float64 source also offers exact products (`operator`). */
  readonly blas?: Blas | undefined;
}
/** The keys of {@link DenseSourceOptions}. */
const DENSE_SOURCE_KEYS: KeysOf<DenseSourceOptions> = { blas: true };

interface DenseData {
  readonly matrix: Matrix;
  readonly exact: boolean;
}

/**
 * The source of a stored matrix: a flat column-major array of N² numbers, a square view, or ml-matrix's Matrix.
 * A Float64Array or Float32Array is used as it is, other arrays of numbers are copied.
 * It is checked whole (check-stored.ts), once: square (ShapeError), every entry finite (NonFiniteError), symmetric to
 * 1e-8 (float32: 1e-5) (AsymmetryError), K_ii ≥ 0 and |K_ij| ≤ √(K_ii K_jj) (NotPositiveDefiniteError); the error names
 * the entries. Entries that differ within that tolerance are read from the lower triangle, so the source is symmetric
 * to the bit. Cost: one pass over the matrix, a few tenths of a second for N = 10,000.
 */
export function denseSource(input: Vectors | MatrixLike, options: DenseSourceOptions = {}): EntrySource {
  requireKnownOptions(options, DENSE_SOURCE_KEYS, 'denseSource');
  return storedSource(input, 0, options.blas);
}

/** `denseSource` of a matrix to whose diagonal `added` ≥ 0 will be added (∞: nobody knows), which is checked so. */
export function storedSource(input: Vectors | MatrixLike, added: number, blas?: Blas): EntrySource {
  const matrix = asMatrix(input);
  if (matrix.rows !== matrix.cols || matrix.rows < 1)
    throw new ShapeError(`The matrix must be square and not empty; it is ${matrix.rows} × ${matrix.cols}.`, {
      rows: matrix.rows,
      cols: matrix.cols,
    });
  return new DenseSource(matrix, checkStored(matrix, added), blas);
}

/** A system A + λI as it is asked for, A being stored. */
export interface AskedSystem {
  readonly shift?: number | undefined;
  readonly shiftRelative?: number | undefined;
  /** Whether A + λI may have eigenvalues of both signs. */
  readonly indefinite?: boolean | undefined;
}

/** What `storedSource` checks A with: λ, ∞ where it is relative and not known yet, or where nothing need be checked. */
export const addedToDiagonal = ({ shift = 0, shiftRelative = 0, indefinite = false }: AskedSystem): number =>
  indefinite || shiftRelative > 0 ? Infinity : Math.max(shift, 0) || 0;

/** A worker's copy, from the descriptor's data. */
export function openDenseSource(data: DenseData, context: SourceContext): EntrySource {
  return new DenseSource(data.matrix, data.exact, context.blas);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openDenseSource', openDenseSource);

/** Entries of a stored symmetric matrix. */
export class DenseSource implements EntrySource {
  readonly size: number;
  readonly operator?: LinearOperator | undefined;
  #matrix: Matrix;
  /** Whether both triangles may be read: they agree to the bit. */
  readonly #exact: boolean;

  constructor(matrix: Matrix, exact: boolean, blas?: Blas) {
    this.size = matrix.rows;
    this.#matrix = matrix;
    this.#exact = exact;
    if (blas !== undefined && matrix.data instanceof Float64Array) {
      this.operator = derived({
        rows: matrix.rows,
        cols: matrix.rows,
        symmetric: true,
        applyUnchecked: (out, x, alpha, beta) => {
          blas.symm('L', 'L', alpha, this.#matrix, x, beta, out);
        },
        flops: (vectors) => 2 * matrix.rows ** 2 * vectors,
      });
    }
  }

  /** Precision of the stored numbers. */
  get precision(): Precision {
    return this.#matrix.data instanceof Float64Array ? 'f64' : 'f32';
  }

  /** All N² numbers, column by column over shared memory: of float64 matrices whose triangles agree to the bit. */
  get whole(): Float64Array | undefined {
    if (!this.#exact || !(this.#matrix.data instanceof Float64Array)) return undefined;
    const { data, offset, ld } = (this.#matrix = shared(this.#matrix));
    return ld === this.size ? (data as Float64Array).subarray(offset, offset + this.size ** 2) : undefined;
  }

  get descriptor(): SourceDescriptor {
    this.#matrix = shared(this.#matrix);
    const data: DenseData = { matrix: this.#matrix, exact: this.#exact };
    return { ...WORKERS_COPY, data };
  }

  entries(givenRows: Indices, givenCols: Indices, out: Matrix): void {
    const rows = asIndices(givenRows, 'rows');
    const cols = asIndices(givenCols, 'cols');
    if (!this.#exact) readLower(this.#matrix, rows, cols, out);
    else if (this.#matrix.data instanceof Float64Array) read64(this.#matrix, rows, cols, out);
    else read32(this.#matrix, rows, cols, out);
  }

  diagonal(out: Float64Array): void {
    const { data, offset, ld } = this.#matrix;
    for (let i = 0; i < this.size; i++) out[i] = data[offset + i * (ld + 1)];
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    const { data, offset, ld } = this.#matrix;
    for (let k = 0; k < indices.length; k++) out[k] = data[offset + indices[k] * (ld + 1)];
  }
}

// One loop per element type, so that each stays monomorphic.
function read64({ data, offset, ld }: Matrix, rows: Indices, cols: Indices, out: Matrix): void {
  const k = data as Float64Array;
  const y = out.data;
  for (let b = 0; b < cols.length; b++) {
    const column = offset + cols[b] * ld;
    const q = out.offset + b * out.ld;
    for (let a = 0; a < rows.length; a++) y[q + a] = k[column + rows[a]];
  }
}

function read32({ data, offset, ld }: Matrix, rows: Indices, cols: Indices, out: Matrix): void {
  const k = data as Float32Array;
  const y = out.data;
  for (let b = 0; b < cols.length; b++) {
    const column = offset + cols[b] * ld;
    const q = out.offset + b * out.ld;
    for (let a = 0; a < rows.length; a++) y[q + a] = k[column + rows[a]];
  }
}

function readLower({ data: k, offset, ld }: Matrix, rows: Indices, cols: Indices, out: Matrix): void {
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

function asMatrix(input: Vectors | MatrixLike): Matrix {
  if (Array.isArray(input) || ArrayBuffer.isView(input)) return squareOver(input as ArrayLike<number>, 'matrix');
  if (kindOf(input) === 'ml-matrix') return copyOf(input as MatrixLike);
  const { data, offset, rows, cols, ld } = asVectors(input as Matrix, 'matrix');
  return view(data, offset, rows, cols, ld);
}

/** Over shared memory, as workers need it. */
function copyOf(input: MatrixLike): Matrix {
  const { rows, columns } = input;
  const matrix = matrixOver(
    new Float64Array(allocateShared(8 * rows * columns, 'A copy of the matrix')),
    rows,
    columns,
  );
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) matrix.data[i + j * rows] = input.get(i, j);
  return matrix;
}

/** The matrix over shared memory: itself, or a copy without gaps between its columns. */
function shared(a: Matrix): Matrix {
  if (a.data.buffer instanceof SharedArrayBuffer) return a;
  const buffer = allocateShared(a.data.BYTES_PER_ELEMENT * a.rows * a.cols, 'A copy of the matrix that workers see');
  const copy = view(
    a.data instanceof Float64Array ? new Float64Array(buffer) : new Float32Array(buffer),
    0,
    a.rows,
    a.cols,
  );
  copyInto(copy, a);
  return copy;
}
