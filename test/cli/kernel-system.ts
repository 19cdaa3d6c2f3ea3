/** A system whose matrix, points and right-hand sides tests of the command keep in files of several formats. */
import { normalPoints } from '#datasets/points.js';
import { view, type Matrix } from '#hmatrix/dense/matrix.js';
import { randomMatrix } from '../support.js';

/** Normal points in the plane, their Gaussian kernel matrix of bandwidth 1, whole, and two right-hand sides. */
export function kernelSystem(size: number): {
  readonly coordinates: Float64Array;
  readonly dimension: number;
  readonly K: Matrix<Float64Array>;
  readonly b: Matrix;
} {
  const { coordinates, dimension } = normalPoints(size, 2, 1);
  const K = view(new Float64Array(size * size), 0, size, size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      const [x, y] = [0, 1].map((k) => coordinates[2 * i + k] - coordinates[2 * j + k]);
      K.data[i + size * j] = Math.exp(-(x * x + y * y) / 2);
    }
  return { coordinates, dimension, K, b: randomMatrix(size, 2, 3) };
}
