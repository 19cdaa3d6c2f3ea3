/** Diagonals that are read in parts, and what they tell. */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { uniformPoints } from '#datasets/points.js';
import { diagonalSums, sumRuns, sumsOfRuns } from '#hmatrix/source/diagonal-sums.js';
import { findOnDiagonal, readDiagonal, RUN, runsOf, storedDiagonal } from '#hmatrix/source/diagonal.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { cosine, gaussian, polynomial } from '#hmatrix/source/kernels/named.js';
import { productKernels } from '#hmatrix/source/kernels/compose.js';
import { scaledSource } from '#hmatrix/source/unit-source.js';

const blas = openBlas();
const N = 37;
const points = uniformPoints(N, 3, 1);
const nugget = Float64Array.from({ length: N }, (_, i) => i / N);
const dense = Float64Array.from({ length: N * N }, (_, k) => (k % (N + 1) === 0 ? 1 + k : 0));
const view = (data: Float64Array | Float32Array) => ({ data, offset: 0, rows: N, cols: N, ld: N });
const sources: Readonly<Record<string, EntrySource>> = {
  distances: kernelSource(points, gaussian(1), { blas, ridge: 0.5 }),
  'inner products': kernelSource(points, polynomial(1, 2), { blas, nugget }),
  cosines: kernelSource(points, cosine(), { blas }),
  'several inputs': kernelSource(points, productKernels(gaussian(1), polynomial(1, 2)), { blas }),
  float64: denseSource(view(dense), { blas }),
  float32: denseSource(view(Float32Array.from(dense)), { blas }),
  'a scaled one': scaledSource(kernelSource(points, polynomial(1, 2), { blas, nugget }), 2 ** -300),
};

describe('diagonals', () => {
  it.each(Object.entries(sources))('are_read_in_parts_to_the_bit_of_%s', (_, source) => {
    const whole = new Float64Array(N);
    source.diagonal(whole);
    const indices = Int32Array.of(36, 0, 7, 7, 20);
    const some = new Float64Array(indices.length);
    source.diagonalAt!(indices, some);
    expect(some).toEqual(Float64Array.from(indices, (i) => whole[i]));
    const read = readDiagonal(source);
    expect(read.part(5, 29)).toEqual(whole.subarray(5, 29));
    expect(read.part(30, 30)).toHaveLength(0);
  });

  it('of_sources_without_parts_are_stored', () => {
    const { size, entries } = sources['float64'];
    const source: EntrySource = { size, entries, diagonal: (out) => out.fill(3) };
    expect(readDiagonal(source).part(2, 5)).toEqual(Float64Array.of(3, 3, 3));
  });

  it('tell_the_same_by_portions_of_runs', () => {
    const values = Float64Array.from({ length: 3 * RUN + 5 }, (_, i) => (i % 7 === 0 ? 0 : Math.sin(i)));
    const diagonal = storedDiagonal(values);
    const runs = runsOf(values.length);
    const parts = [sumRuns(diagonal, 0, 1), sumRuns(diagonal, 1, 1), sumRuns(diagonal, 1, runs)];
    const numbers = parts[0].map((_, k) => parts.reduce((sum, part) => sum + part[k], 0));
    const sums = diagonalSums(diagonal);
    expect(sumsOfRuns(numbers)).toEqual(sums);
    expect(sums.nonzero).toBe(values.filter((d) => d !== 0).length);
    expect(sums.largest).toBe(values.reduce((most, d) => Math.max(most, d), 0));
    expect(sums.least).toBe(values.reduce((least, d) => Math.min(least, d), 0));
    expect(sums.squares).toBeCloseTo(
      values.reduce((sum, d) => sum + d * d, 0),
      6,
    );
    values[2 * RUN + 1] = Infinity;
    expect(diagonalSums(diagonal).finite).toBe(false);
    expect(findOnDiagonal(diagonal, (d) => d === Infinity)).toEqual({ index: 2 * RUN + 1, value: Infinity });
    expect(findOnDiagonal(diagonal, (d) => d > 1 && d < Infinity)).toBeUndefined();
  });
});
