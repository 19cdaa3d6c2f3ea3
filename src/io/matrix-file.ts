/**
 * A matrix from a file: .npy, HDF5, Matrix Market.
 */
import type { RunControl } from '../core/context.js';
import { view, type Matrix } from '../dense/matrix.js';
import { isMatrixMarket, readMatrixMarket } from './matrix-market.js';
import { readArrayOrdered } from './array-file.js';

/** Throws as `readMatrixMarket`, `readNpyMatrix` and `readHdf5Matrix` do. */
export async function readMatrixFile(path: string, { signal, onProgress }: RunControl): Promise<Matrix> {
  if (isMatrixMarket(path)) return readMatrixMarket(path, { signal, onProgress });
  const { rows, cols, data } = await readArrayOrdered(path, 'F', undefined, { signal, onProgress });
  return view(data, 0, rows, cols);
}
