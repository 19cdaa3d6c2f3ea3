/**
 * What the tests share: points, sources, dense copies, norms.
 */
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';

export function normalPoints(count: number, dimension: number, seed: number): Points {
  const coordinates = sharedFloat64(count * dimension);
  new RandomStream(seed).fillNormal(coordinates);
  return { dimension, count, coordinates };
}

/** Gaussian kernel matrix of standard normal points. */
export const gaussianSource = (
  count: number,
  dimension: number,
  bandwidth: number,
  blas: Blas,
  seed = 7,
): EntrySource => kernelSource(normalPoints(count, dimension, seed), gaussian(bandwidth), { blas });

/** The same matrix without its points: only entries, as a source whose geometry is hidden, its rows shuffled. */
export function hidden(points: Points, blas: Blas, bandwidth: number, seed: number): EntrySource {
  const order = Int32Array.from({ length: points.count }, (_, i) => i);
  new RandomStream(seed).shuffle(order);
  const { dimension } = points;
  const coordinates = sharedFloat64(points.count * dimension);
  order.forEach((from, to) => {
    for (let k = 0; k < dimension; k++) coordinates[to * dimension + k] = points.coordinates[from * dimension + k];
  });
  const source = kernelSource({ ...points, coordinates }, gaussian(bandwidth), { blas });
  const { size, descriptor } = source;
  return {
    size,
    entries: (rows, cols, out) => source.entries(rows, cols, out),
    diagonal: (out) => source.diagonal(out),
    descriptor: descriptor!,
  };
}

export const allIndices = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

export function denseOf(source: EntrySource): Matrix {
  const dense = zeros(source.size, source.size);
  source.entries(allIndices(source.size), allIndices(source.size), dense);
  return dense;
}

export function randomMatrix(rows: number, cols: number, seed: number): Matrix {
  const data = sharedFloat64(rows * cols);
  new RandomStream(seed).fillNormal(data);
  return view(data, 0, rows, cols);
}

/** ‖a − b‖_F/‖b‖_F. */
export function relativeError(a: Matrix, b: Matrix): number {
  let difference = 0;
  let norm = 0;
  for (let j = 0; j < b.cols; j++) {
    for (let i = 0; i < b.rows; i++) {
      const x = a.data[a.offset + i + j * a.ld];
      const y = b.data[b.offset + i + j * b.ld];
      difference += (x - y) ** 2;
      norm += y ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
