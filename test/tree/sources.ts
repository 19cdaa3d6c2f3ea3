/** Points and sources for the tests of layer 4. */
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';

export function normalPoints(count: number, dimension: number, seed: number): Points {
  const coordinates = sharedFloat64(count * dimension);
  new RandomStream(seed).fillNormal(coordinates);
  return { dimension, count, coordinates };
}

/** A source that has points and no entries to speak of: geometric distances ask for none. */
export function pointSource(points: Points): EntrySource {
  const none = (): never => {
    throw new Error('the geometric distance asked for entries');
  };
  return {
    size: points.count,
    points,
    entries: none,
    diagonal: (out) => {
      out.fill(1);
    },
  };
}

/** A Gaussian kernel matrix whose points are hidden. */
export function hiddenKernel(points: Points, bandwidth: number, blas: Blas): EntrySource {
  const source = kernelSource(points, gaussian(bandwidth), { blas });
  return {
    size: source.size,
    entries: (i, j, out) => source.entries(i, j, out),
    diagonal: (out) => source.diagonal(out),
    descriptor: source.descriptor!,
  };
}

/** K = F Fᵀ with random F (size × rank), rows listed in `zero` set to zero. */
export function gramSource(
  size: number,
  rank: number,
  seed: number,
  zero: ReadonlySet<number> = new Set(),
): EntrySource {
  const { coordinates: f } = normalPoints(size, rank, seed);
  const k = sharedFloat64(size * size);
  for (let j = 0; j < size; j++) {
    for (let i = 0; i <= j; i++) {
      let sum = 0;
      if (!zero.has(i) && !zero.has(j)) for (let c = 0; c < rank; c++) sum += f[i * rank + c] * f[j * rank + c];
      k[i + j * size] = k[j + i * size] = sum;
    }
  }
  return denseSource(k);
}

/** All entries of a source, column-major. */
export function allEntries(source: EntrySource): Float64Array {
  const { size } = source;
  const all = Int32Array.from({ length: size }, (_, i) => i);
  const data = new Float64Array(size * size);
  source.entries(all, all, { data, offset: 0, rows: size, cols: size, ld: size });
  return data;
}

/** The distance of two indices by the definitions in distance.ts. */
export type PairDistance = (i: number, j: number) => number;

export function geometricDistance({ dimension, coordinates }: Points): PairDistance {
  return (i, j) => {
    let sum = 0;
    for (let c = 0; c < dimension; c++) sum += (coordinates[i * dimension + c] - coordinates[j * dimension + c]) ** 2;
    return Math.sqrt(sum);
  };
}

export function gramDistance(source: EntrySource): PairDistance {
  const k = allEntries(source);
  const n = source.size;
  return (i, j) => Math.sqrt(Math.max(0, k[i + i * n] + k[j + j * n] - 2 * k[i + j * n]));
}

export function angleDistance(source: EntrySource): PairDistance {
  const k = allEntries(source);
  const n = source.size;
  return (i, j) => {
    const zero = Number(k[i + i * n] === 0) + Number(k[j + j * n] === 0);
    return zero === 0 ? 1 - (k[i + j * n] / Math.sqrt(k[i + i * n])) ** 2 / k[j + j * n] : zero === 1 ? 2 : 0;
  };
}

/** The `count` indices nearest to i, ties to the smaller index, by looking at all. */
export function nearestByBruteForce(
  size: number,
  distance: PairDistance,
  i: number,
  count: number,
): { index: number; distance: number }[] {
  const others = Array.from({ length: size }, (_, index) => ({ index, distance: distance(i, index) })).filter(
    ({ index }) => index !== i,
  );
  return others.sort((a, b) => a.distance - b.distance || a.index - b.index).slice(0, count);
}
