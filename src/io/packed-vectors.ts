/**
 * Vectors piece by piece, as files hold them: column after column, or row after row, without gaps.
 */
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import { asVectors, view, type Matrix, type Vectors } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { CHUNK_BYTES } from './input-file.js';

/** What is written of vectors into a file that holds arrays by name. */
export interface WrittenVectors {
  /** Column-major, with or without gaps. */
  readonly vectors: Vectors;
  /** One column is written with shape (n), not (n, 1). */
  readonly flat: boolean;
  /** What the array is called where the path does not name it. */
  readonly name: string;
}

/** Such vectors, the shape that they are written with, and their bytes. Throws ShapeError. */
export function shapedVectors({ vectors, flat }: Pick<WrittenVectors, 'vectors' | 'flat'>): {
  readonly matrix: Matrix;
  readonly shape: readonly number[];
  readonly byteLength: number;
} {
  const matrix = asVectors(vectors, 'matrix');
  const { data, rows, cols } = matrix;
  const shape = flat && cols === 1 ? [rows] : [rows, cols];
  return { matrix, shape, byteLength: rows * cols * data.BYTES_PER_ELEMENT };
}

/** How many lines of `length` numbers a piece has. */
const linesOf = (data: FloatArray, length: number, count: number): number =>
  Math.max(1, Math.min(count, Math.floor(CHUNK_BYTES / (length * data.BYTES_PER_ELEMENT))));

/** The numbers in Fortran order; a piece may be written over when the next one is asked for. */
export function* columnPieces({ data, offset, rows, cols, ld }: Matrix): Generator<FloatArray> {
  if (rows === 0 || cols === 0) return;
  if (ld === rows || cols === 1) {
    yield data.subarray(offset, offset + rows * cols);
    return;
  }
  const columns = linesOf(data, rows, cols);
  const packed = floats(rows * columns, precisionOf(data));
  for (let j0 = 0; j0 < cols; j0 += columns) {
    const n = Math.min(columns, cols - j0);
    for (let j = 0; j < n; j++)
      packed.set(data.subarray(offset + (j0 + j) * ld, offset + (j0 + j) * ld + rows), j * rows);
    yield packed.subarray(0, rows * n);
  }
}

/** The numbers in C order; a piece may be written over when the next one is asked for. */
export function* rowPieces({ data, offset, rows, cols, ld }: Matrix): Generator<FloatArray> {
  if (rows === 0 || cols === 0) return;
  if (cols === 1) {
    yield data.subarray(offset, offset + rows);
    return;
  }
  const lines = linesOf(data, cols, rows);
  const packed = floats(cols * lines, precisionOf(data));
  for (let i0 = 0; i0 < rows; i0 += lines) {
    const n = Math.min(lines, rows - i0);
    transposeInto(view(packed, 0, cols, n), view(data, offset + i0, n, cols, ld));
    yield packed.subarray(0, cols * n);
  }
}
