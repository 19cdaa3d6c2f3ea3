/**
 * A matrix from and to a file: .npy, .npz, safetensors, HDF5, Matrix Market.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { view, type Matrix, type Vectors } from '../dense/matrix.js';
import { readArrayOrdered, writeArrayVectors } from './array-file.js';
import { isMatrixMarket, readMatrixMarket, writeMatrixMarket } from './matrix-market.js';
import { writeNpyMatrix } from './npy.js';

/**
 * A matrix as a column-major one over shared memory, of the file's own shape; shape (n) becomes n × 1. `FILE.npy`,
 * `FILE.mtx`, or an array of `FILE.npz`, `FILE.safetensors` or `FILE.h5` (which takes the package h5wasm): the only one
 * of numbers, or `FILE.npz:name`, `FILE.safetensors:name`, `FILE.h5:/group/name`; the others are not read. Real numbers
 * of 16 and 32 bits become float32, all others (whole ones, booleans) float64. A file whose name says nothing of it is
 * known by its first bytes. Throws FileFormatError (foreign, damaged, no numbers, another rank), OptionError (several
 * arrays, none of that name), LibraryError, FileAccessError, MemoryError, AbortedError.
 */
export async function readMatrix(path: string, control: RunControl = {}): Promise<Matrix> {
  requireRole(path, 'path', 'readMatrix');
  requireControl(control, 'readMatrix');
  const { signal, onProgress } = control;
  if (isMatrixMarket(path)) return readMatrixMarket(path, { signal, onProgress });
  const { rows, cols, data } = await readArrayOrdered(path, { order: 'F' }, { signal, onProgress });
  return view(data, 0, rows, cols);
}

/**
 * Writes a matrix (an array of numbers as one column) in its own shape and precision, whole or not at all, as what the
 * path's ending says: `.npy`, `.mtx`, or a file of one array, `FILE.npz`, `FILE.safetensors`, `FILE.h5`, where it is
 * called 'matrix', or `FILE.npz:name`, `FILE.safetensors:name`, `FILE.h5:/group/name`. Files are written as a whole:
 * one that holds other arrays is replaced as `FILE.npz`, and refused as `FILE.npz:name`. Throws ShapeError,
 * OptionError, LibraryError (of .h5: h5wasm is not installed), FileFormatError (the file of that name is of another
 * kind), FileAccessError, AbortedError; then the file is as it was.
 */
export async function writeMatrix(path: string, matrix: Vectors, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'writeMatrix');
  requireControl(control, 'writeMatrix');
  if (/\.mtx$/i.test(path) && isMatrixMarket(path)) return writeMatrixMarket(path, matrix, control);
  if (await writeArrayVectors(path, { vectors: matrix, flat: false, name: 'matrix' }, control)) return;
  if (/\.npy$/i.test(path)) return writeNpyMatrix(path, matrix, control);
  throw new OptionError(
    `${path}: name the file .npy, .npz, .safetensors, .h5 or .mtx: the ending says which of them it becomes.`,
    { path },
  );
}
