/**
 * Kernel matrices against their definition, entry by entry; their symmetry, their accuracy where distances cancel, and
 * what is refused.
 */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import * as module from '#hmatrix/source/kernel-source.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import {
  cosine,
  gaussian,
  laplace,
  matern32,
  matern52,
  inverseMultiquadric,
  polynomial,
} from '#hmatrix/source/kernels/named.js';
import { expressionKernel } from '#hmatrix/source/kernels/expression.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { medianBandwidth } from '#hmatrix/source/points.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';

const { kernelSource } = module;
const blas = openBlas();
const eps = Number.EPSILON;

function normalPoints(dimension: number, count: number, shift = 0, seed = 3): Points {
  const coordinates = new Float64Array(dimension * count);
  new RandomStream(seed).fillNormal(coordinates);
  for (let i = 0; i < coordinates.length; i++) coordinates[i] += shift;
  return { dimension, count, coordinates };
}

function block(source: EntrySource, rows: Int32Array, cols: Int32Array): Float64Array {
  const out = zeros(rows.length, cols.length);
  source.entries(rows, cols, out);
  return out.data as Float64Array;
}

const some = (count: number, size: number, seed: number): Int32Array => {
  const random = new RandomStream(seed);
  return Int32Array.from({ length: count }, () => random.integer(size));
};

const point = (p: Points, i: number): Float64Array => p.coordinates.subarray(i * p.dimension, (i + 1) * p.dimension);
const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, k) => sum + value * y[k], 0);
const squaredDistance = (x: Float64Array, y: Float64Array): number =>
  x.reduce((sum, value, k) => sum + (value - y[k]) ** 2, 0);

const h = 2;
const kernels: [string, Kernel, (x: Float64Array, y: Float64Array) => number][] = [
  ['gaussian', gaussian(h), (x, y) => Math.exp(-squaredDistance(x, y) / (2 * h * h))],
  ['laplace', laplace(h), (x, y) => Math.exp(-Math.sqrt(squaredDistance(x, y)) / h)],
  [
    'matern32',
    matern32(h),
    (x, y) => {
      const s = Math.sqrt(3 * squaredDistance(x, y)) / h;
      return (1 + s) * Math.exp(-s);
    },
  ],
  [
    'matern52',
    matern52(h),
    (x, y) => {
      const s = Math.sqrt(5 * squaredDistance(x, y)) / h;
      return (1 + s + (s * s) / 3) * Math.exp(-s);
    },
  ],
  ['imq', inverseMultiquadric(h), (x, y) => 1 / Math.sqrt(1 + squaredDistance(x, y) / (h * h))],
  ['polynomial', polynomial(h, 2), (x, y) => (dot(x, y) / (h * h) + 1) ** 2],
  ['cosine', cosine(), (x, y) => dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))],
  ['expression', await expressionKernel('exp(-r^2/8)'), (x, y) => Math.exp(-squaredDistance(x, y) / (2 * h * h))],
];
const dimensions = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20];

describe.each(kernels)('%s kernel matrix', (_, kernel, f) => {
  it.each(dimensions)('entries_are_the_kernel_of_the_points_in_dimension_%i', (d) => {
    const points = normalPoints(d, 60);
    const source = kernelSource(points, kernel, { blas });
    const rows = some(23, 60, 1);
    const cols = some(17, 60, 2);
    const k = block(source, rows, cols);
    cols.forEach((j, b) => {
      rows.forEach((i, a) => {
        const [x, y] = [point(points, i), point(points, j)];
        // Rounding of d-term sums, carried through kernels whose derivative in x·y/h² or r² is at most 2·(1 +
        // ‖x‖‖y‖/h²).
        const size = 1 + dot(x, x) + dot(y, y);
        expect(Math.abs(k[a + b * 23] - f(x, y))).toBeLessThan(8 * (d + 4) * eps * size * (1 + size));
      });
    });
  });

  it.each([6, 20])('a_block_and_its_transpose_are_the_same_bits_in_dimension_%i', (d) => {
    const source = kernelSource(normalPoints(d, 300), kernel, { blas, ridge: 0.5 });
    for (const [rows, cols] of [
      [some(41, 300, 5), some(37, 300, 6)],
      [some(64, 300, 7), some(64, 300, 7)],
      [some(1, 300, 8), some(90, 300, 9)],
    ]) {
      const k = block(source, rows, cols);
      const t = block(source, cols, rows);
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++) expect(k[a + b * rows.length]).toBe(t[b + a * cols.length]);
    }
  });

  it.each([6, 20])('the_diagonal_is_that_of_the_entries_with_the_ridge_in_dimension_%i', (d) => {
    const source = kernelSource(normalPoints(d, 50), kernel, { blas, ridge: 0.25 });
    const diagonal = new Float64Array(50);
    source.diagonal(diagonal);
    const every = Int32Array.from({ length: 50 }, (_x, i) => i);
    const k = block(source, every, every);
    every.forEach((i) => {
      expect(k[i * 51]).toBe(diagonal[i]);
    });
    const without = kernelSource(normalPoints(d, 50), kernel, { blas });
    const plain = block(without, every, every);
    for (let j = 0; j < 50; j++)
      for (let i = 0; i < 50; i++) expect(k[i + j * 50]).toBe(plain[i + j * 50] + (i === j ? 0.25 : 0));
  });

  it('a_worker_copy_from_the_cloned_descriptor_gives_the_same_bits', () => {
    for (const d of [3, 12]) {
      const source = kernelSource(normalPoints(d, 80, 5), kernel, { blas, ridge: 1e-3 });
      const descriptor = source.descriptor!;
      const copy = openSource({ ...descriptor, data: structuredClone(descriptor.data) }, () => ({ ...module }), {
        blas,
      });
      const rows = some(30, 80, 1);
      const cols = some(25, 80, 2);
      expect(block(copy, rows, cols)).toEqual(block(source, rows, cols));
      expect(copy.points!.coordinates.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });
});

describe('kernel source', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('an_entry_depends_on_its_two_points_alone_in_dimension_%i', (d) => {
    const source = kernelSource(normalPoints(d, 100), matern32(1), { blas });
    const rows = some(53, 100, 1);
    const cols = some(31, 100, 2);
    const whole = block(source, rows, cols);
    for (const [a, b] of [
      [0, 0],
      [52, 30],
      [17, 5],
    ])
      expect(block(source, rows.slice(a, a + 1), cols.slice(b, b + 1))[0]).toBe(whole[a + b * 53]);
  });

  it('writes_into_a_view_and_nowhere_else', () => {
    for (const d of [2, 15]) {
      const points = normalPoints(d, 10);
      const source = kernelSource(points, gaussian(1), { blas, ridge: 1 });
      const target = new Float64Array(40).fill(-7);
      source.entries(Int32Array.of(1, 2), Int32Array.of(4, 2, 6), view(target, 3, 2, 3, 5));
      const written = new Set([3, 4, 8, 9, 13, 14]);
      target.forEach((value, p) => {
        if (!written.has(p)) expect(value).toBe(-7);
      });
      expect(target[9]).toBe(2);
    }
  });

  it('blocks_larger_than_a_tile_are_those_of_their_parts', () => {
    const points = normalPoints(10, 1500);
    const source = kernelSource(points, gaussian(3), { blas });
    const rows = Int32Array.from({ length: 1500 }, (_, i) => 1499 - i);
    const cols = Int32Array.of(3, 1200, 77);
    const k = block(source, rows, cols);
    cols.forEach((j, b) => {
      for (let a = 0; a < 1500; a += 7) {
        const [x, y] = [point(points, rows[a]), point(points, j)];
        const exact = Math.exp(-squaredDistance(x, y) / 18);
        expect(Math.abs(k[a + b * 1500] - exact)).toBeLessThan(20 * 10 * eps * (1 + dot(x, x) + dot(y, y)));
      }
    });
  });

  it('near_and_equal_points_far_from_the_origin_keep_their_distances', () => {
    // Around a far centre ‖x‖² + ‖y‖² − 2x·y has lost everything; r itself, in the exponential kernel, must not.
    const d = 12;
    const points = normalPoints(d, 40, 1e6);
    const coordinates = points.coordinates;
    for (let k = 0; k < d; k++) coordinates[d + k] = coordinates[k];
    for (let k = 0; k < d; k++) coordinates[2 * d + k] = coordinates[k] + (k === 3 ? 2 ** -20 : 0);
    const every = Int32Array.from({ length: 40 }, (_, i) => i);
    const k = block(kernelSource(points, laplace(1), { blas }), every, every);
    expect(k[1]).toBe(1);
    expect(Math.abs(k[2] - Math.exp(-(2 ** -20)))).toBeLessThan(4 * eps);
    // Elsewhere r² is right to d·eps·2²⁰ at the worst, so r to half of that.
    for (let j = 0; j < 40; j++) {
      for (let i = 0; i < 40; i++) {
        const r = Math.sqrt(squaredDistance(point(points, i), point(points, j)));
        expect(Math.abs(k[i + j * 40] - Math.exp(-r))).toBeLessThanOrEqual(
          Math.exp(-r) * r * d * eps * 2 ** 20 + 4 * eps,
        );
        expect(k[i + j * 40]).toBeLessThanOrEqual(1);
      }
    }
  });

  it('gram_matrices_are_positive_semidefinite_to_rounding', () => {
    const n = 80;
    const every = Int32Array.from({ length: n }, (_, i) => i);
    for (const d of [2, 30]) {
      for (const [, kernel] of kernels) {
        const k = view(block(kernelSource(normalPoints(d, n), kernel, { blas }), every, every), 0, n, n);
        // K + εI with ε at rounding level has a Cholesky factor if and only if no eigenvalue of K lies below −ε (to
        // rounding).
        let trace = 0;
        for (let i = 0; i < n; i++) trace += k.data[i * (n + 1)];
        for (let i = 0; i < n; i++) k.data[i * (n + 1)] += 4 * n * eps * trace;
        expect(blas.potrf('L', k)).toBe(0);
      }
    }
  });

  it('points_that_are_no_points_are_refused', () => {
    const points = normalPoints(3, 5);
    points.coordinates[7] = Number.NaN;
    expect(() => kernelSource(points, gaussian(1), { blas })).toThrow(NonFiniteError);
    expect(() => kernelSource(points, gaussian(1), { blas })).toThrow('Point 2 has coordinate 1');
    expect(() =>
      kernelSource({ dimension: 3, count: 4, coordinates: new Float64Array(11) }, gaussian(1), { blas }),
    ).toThrow(ShapeError);
    expect(() =>
      kernelSource({ dimension: 0, count: 4, coordinates: new Float64Array(0) }, gaussian(1), { blas }),
    ).toThrow(ShapeError);
    expect(() =>
      kernelSource({ dimension: 1, count: 0, coordinates: new Float64Array(0) }, gaussian(1), { blas }),
    ).toThrow(ShapeError);
  });

  it('a_zero_point_has_no_cosine', () => {
    const points = normalPoints(3, 5);
    points.coordinates.fill(0, 6, 9);
    expect(() => kernelSource(points, cosine(), { blas })).toThrow('Point 2 is zero');
  });

  it('cosines_of_tiny_and_huge_points_neither_vanish_nor_overflow', () => {
    const coordinates = Float64Array.of(3e-200, 4e-200, 3e200, 4e200, -4, 3);
    const every = Int32Array.of(0, 1, 2);
    const k = block(kernelSource({ dimension: 2, count: 3, coordinates }, cosine(), { blas }), every, every);
    [1, 1, 0, 1, 1, 0, 0, 0, 1].forEach((exact, p) => {
      expect(Math.abs(k[p] - exact)).toBeLessThan(4 * eps);
    });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('ridge_%s_is_refused', (ridge) => {
    expect(() => kernelSource(normalPoints(2, 4), gaussian(1), { blas, ridge })).toThrow(OptionError);
  });
});

describe('extreme points', () => {
  const at = (...coordinates: number[]): Points => ({
    dimension: 1,
    count: coordinates.length,
    coordinates: Float64Array.from(coordinates),
  });

  it.each([
    ['gaussian', (bandwidth: number) => gaussian(bandwidth)],
    ['laplace', laplace],
    ['matern32', matern32],
    ['matern52', matern52],
    ['imq', inverseMultiquadric],
    ['polynomial', (bandwidth: number) => polynomial(bandwidth, 5)],
    ['cosine', () => cosine()],
  ] as [string, (bandwidth: number) => Kernel][])(
    '%s_of_points_of_any_size_has_finite_entries_or_is_refused',
    (_, make) => {
      let refused = 0;
      for (const scale of [1e-320, 1e-200, 1e-100, 1, 1e60, 1e100, 6e153, 1e154, 1e200, 1e308])
        for (const bandwidth of [1.5e-154, 1e-100, 1, 1e100, 1.3e154]) {
          const points = at(-scale, 0.5 * scale, scale);
          let source: EntrySource;
          try {
            source = kernelSource(points, make(bandwidth), { blas });
          } catch (error) {
            expect(error instanceof NonFiniteError || error instanceof OptionError).toBe(true);
            expect((error as Error).message).toMatch(/scale the points/);
            refused++;
            continue;
          }
          const all = Int32Array.of(0, 1, 2);
          for (const value of block(source, all, all))
            expect(value, `scale ${scale}, bandwidth ${bandwidth}`).toSatisfy(Number.isFinite);
        }
      if (make(1).argument !== 'cosine') expect(refused).toBeGreaterThanOrEqual(15);
    },
  );

  it('distances_that_overflow_are_refused_although_norms_do_not', () => {
    // ‖x‖² = 1e308, ‖x − y‖² = 4e308.
    expect(() => kernelSource(at(1e154, -1e154), gaussian(1.3e154), { blas })).toThrow(/Point 0 is so large/);
  });
});

describe('median bandwidth', () => {
  it('is_the_median_of_all_distances_of_few_points', () => {
    const coordinates = Float64Array.of(0, 1, 3);
    expect(medianBandwidth({ dimension: 1, count: 3, coordinates }, 1)).toBe(2);
    expect(medianBandwidth({ dimension: 1, count: 4, coordinates: Float64Array.of(0, 1, 3, 10) }, 1)).toBe(5);
  });

  it('is_near_the_median_distance_of_normal_points', () => {
    // r²/2 of standard normal points is χ² with d = 6 degrees of freedom, whose median is 5.348.
    const exact = Math.sqrt(2 * 5.348121);
    const found = medianBandwidth(normalPoints(6, 3000), 11);
    // Standard error of the sample median: 1/(2 f √pairs) with density f ≈ 0.4 of r here, and the points' own sampling.
    expect(Math.abs(found - exact)).toBeLessThan(0.1);
    expect(medianBandwidth(normalPoints(6, 3000), 11)).toBe(found);
    expect(medianBandwidth(normalPoints(6, 3000), 12)).not.toBe(found);
  });

  it('is_refused_where_there_is_none', () => {
    expect(() => medianBandwidth(normalPoints(2, 1), 1)).toThrow(OptionError);
    expect(() => medianBandwidth({ dimension: 2, count: 9, coordinates: new Float64Array(18) }, 1)).toThrow('coincide');
  });

  it('a_ridge_for_each_point_is_told_to_be_a_nugget_and_other_names_of_it_are_known', () => {
    const points = normalPoints(2, 3);
    const refused = (options: object) => () => kernelSource(points, gaussian(1), { blas, ...options });
    expect(refused({ ridge: new Float64Array(300) })).toThrow(
      /^The ridge must be a number ≥ 0, not a Float64Array of 300 numbers: .*\{ nugget: variances \}\.$/,
    );
    expect(refused({ ridge: [1, 2, 3] })).toThrow(/not an array of 3: .*nugget/);
    expect(refused({ ridge: -1 })).toThrow(/not -1\.$/);
    expect(refused({ ridge: '0.1' })).toThrow(/not the text "0.1"\.$/);
    for (const name of ['noise', 'lambda', 'sigma2', 'alpha'])
      expect(refused({ [name]: 1 })).toThrow(`kernelSource has no option "${name}": did you mean "ridge" (the noise`);
  });
});
