/**
 * A matrix from a file, .npy or Matrix Market by name.
 */
import type { RunControl } from '../core/context.js';
import type { Matrix } from '../dense/matrix.js';
import { isMatrixMarket, readMatrixMarket } from './matrix-market.js';
import { readNpyMatrix } from './npy.js';

/** Throws as `readMatrixMarket` and `readNpyMatrix` do. */
export const readMatrixFile = (path: string, { signal, onProgress }: RunControl): Promise<Matrix> =>
  (isMatrixMarket(path) ? readMatrixMarket : readNpyMatrix)(path, { signal, onProgress });
