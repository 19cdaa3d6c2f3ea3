/**
 * Kernels made of kernels, mapped points and noise against plain formulas, entry by entry; the same bits in a block and
 * its transpose, on the diagonal, in workers' copies and on teams; what is refused.
 */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import * as module from '#hmatrix/source/kernel-source.js';
import { ard, productKernels, scaleKernel, sumKernels } from '#hmatrix/source/kernels/compose.js';
import { expressionKernel } from '#hmatrix/source/kernels/expression.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import {
  constant,
  cosine,
  gaussian,
  laplace,
  matern32,
  matern52,
  periodic,
  polynomial,
  rationalQuadratic,
} from '#hmatrix/source/kernels/named.js';
import { kernelFromDefinition, kernelOfFamily } from '#hmatrix/source/kernels/table.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { allIndices, denseOf, normalPoints, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const { kernelSource } = module;
const blas = openBlas();
const eps = Number.EPSILON;

type Vector = readonly number[];
type Formula = (x: Vector, y: Vector) => number;

const sumOf = (x: Vector, term: (value: number, k: number) => number): number =>
  x.reduce((sum, value, k) => sum + term(value, k), 0);
const r2 = (x: Vector, y: Vector): number => sumOf(x, (value, k) => (value - y[k]) ** 2);
const dot = (x: Vector, y: Vector): number => sumOf(x, (value, k) => value * y[k]);
const over = (x: Vector, scales: Vector): Vector => x.map((value, k) => value / scales[k]);
const gauss =
  (h: number): Formula =>
  (x, y) =>
    Math.exp(-r2(x, y) / (2 * h * h));
const exponential =
  (h: number): Formula =>
  (x, y) =>
    Math.exp(-Math.sqrt(r2(x, y)) / h);
const waves =
  (h: number, p: number): Formula =>
  (x, y) =>
    Math.exp((-2 * sumOf(x, (value, k) => Math.sin((Math.PI * (value - y[k])) / p) ** 2)) / (h * h));
const angle: Formula = (x, y) => dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));

/** The scales of coordinate k: 0.5, 1, 1.5, … */
const scalesOf = (d: number): number[] => Array.from({ length: d }, (_, k) => 0.5 * (k + 1));
/** A kernel of the caller's own: 1/(1 + r²). */
const own: Kernel = {
  name: 'own',
  argument: 'squaredDistance',
  evaluate(values, offset, length) {
    for (let i = offset; i < offset + length; i++) values[i] = 1 / (1 + values[i]);
  },
};
const lorentz: Formula = (x, y) => 1 / (1 + r2(x, y));

/** The kernel for points of dimension d, its formula, and how many inputs it has. */
type Case = readonly [name: string, make: (d: number) => Kernel, formula: (d: number) => Formula, inputs: number];
const cases: readonly Case[] = [
  ['rational quadratic', () => rationalQuadratic(2, 0.7), () => (x, y) => (1 + r2(x, y) / 5.6) ** -0.7, 1],
  ['constant', () => constant(), () => () => 1, 1],
  ['periodic', () => periodic(1.5, 2), () => waves(1.5, 2), 1],
  [
    'ard',
    (d) => ard(matern32(1), scalesOf(d)),
    (d) => (x, y) => {
      const s = Math.sqrt(3 * r2(over(x, scalesOf(d)), over(y, scalesOf(d))));
      return (1 + s) * Math.exp(-s);
    },
    1,
  ],
  [
    'ard of ard of periodic',
    (d) => ard(ard(periodic(1, 3), scalesOf(d)), scalesOf(d)),
    (d) => (x, y) => waves(1, 3)(over(over(x, scalesOf(d)), scalesOf(d)), over(over(y, scalesOf(d)), scalesOf(d))),
    1,
  ],
  [
    'sum of one input',
    () => sumKernels(gaussian(2), scaleKernel(laplace(1), 0.25), scaleKernel(constant(), 3)),
    () => (x, y) => gauss(2)(x, y) + 0.25 * exponential(1)(x, y) + 3,
    1,
  ],
  [
    'product of one input',
    () => productKernels(gaussian(2), laplace(1), gaussian(2)),
    () => (x, y) => gauss(2)(x, y) ** 2 * exponential(1)(x, y),
    1,
  ],
  ['scaled', () => scaleKernel(gaussian(2), 1.5), () => (x, y) => 1.5 * gauss(2)(x, y), 1],
  [
    'sum of distances and inner products',
    () => sumKernels(gaussian(2), scaleKernel(polynomial(2, 2), 0.5), cosine()),
    () => (x, y) => gauss(2)(x, y) + 0.5 * (dot(x, y) / 4 + 1) ** 2 + angle(x, y),
    3,
  ],
  [
    'locally periodic with a trend',
    () => sumKernels(productKernels(gaussian(2), periodic(1, 2)), scaleKernel(laplace(3), 0.1), constant()),
    () => (x, y) => gauss(2)(x, y) * waves(1, 2)(x, y) + 0.1 * exponential(3)(x, y) + 1,
    2,
  ],
  [
    'ard of a composition',
    (d) => ard(productKernels(sumKernels(gaussian(1), cosine()), sumKernels(constant(), gaussian(2))), scalesOf(d)),
    (d) => (x, y) => {
      const [u, v] = [over(x, scalesOf(d)), over(y, scalesOf(d))];
      return (gauss(1)(u, v) + angle(u, v)) * (1 + gauss(2)(u, v));
    },
    2,
  ],
  [
    "a kernel of the caller's own",
    () => sumKernels(own, periodic(1, 2)),
    () => (x, y) => lorentz(x, y) + waves(1, 2)(x, y),
    2,
  ],
  [
    "a product with the caller's own",
    () => productKernels(own, gaussian(2)),
    () => (x, y) => lorentz(x, y) * gauss(2)(x, y),
    1,
  ],
];

const pointOf = ({ coordinates, dimension }: Points, i: number): Vector =>
  Array.from(coordinates.subarray(i * dimension, (i + 1) * dimension));
const block = (source: EntrySource, rows: Int32Array, cols: Int32Array): Float64Array => {
  const out = zeros(rows.length, cols.length);
  source.entries(rows, cols, out);
  return out.data as Float64Array;
};
const some = (count: number, size: number, seed: number): Int32Array => {
  const random = new RandomStream(seed);
  return Int32Array.from({ length: count }, () => random.integer(size));
};

describe.each(cases)('%s', (_, make, formula, inputs) => {
  const isOwn = make(1).definition === undefined;

  it.each([1, 2, 5, 20])('is_its_formula_in_dimension_%i', (d) => {
    const kernel = make(d);
    expect(kernel.inputs?.length ?? 1).toBe(inputs);
    const points = normalPoints(50, d, 3);
    const [rows, cols] = [some(23, 50, 1), some(17, 50, 2)];
    const k = block(kernelSource(points, kernel, { blas }), rows, cols);
    cols.forEach((j, b) => {
      rows.forEach((i, a) => {
        const [x, y] = [pointOf(points, i), pointOf(points, j)];
        // Sums of d terms, carried through kernels of derivatives below 8·(1 + ‖x‖² + ‖y‖²) here; scales are ≥ ½.
        const size = 1 + 16 * (dot(x, x) + dot(y, y));
        expect(Math.abs(k[a + b * 23] - formula(d)(x, y))).toBeLessThan(8 * (d + 4) * eps * size * (1 + size));
      });
    });
  });

  it.each([3, 20])('has_the_same_bits_in_a_block_and_its_transpose_in_dimension_%i', (d) => {
    // More than one tile of arguments.
    const source = kernelSource(normalPoints(600, d, 4), make(d), { blas, ridge: 0.5 });
    for (const [rows, cols] of [
      [some(300, 600, 5), some(270, 600, 6)],
      [some(301, 600, 7), some(301, 600, 7)],
      [some(1, 600, 8), some(400, 600, 9)],
    ]) {
      const [k, t] = [block(source, rows, cols), block(source, cols, rows)];
      let different = 0;
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++) if (k[a + b * rows.length] !== t[b + a * cols.length]) different++;
      expect(different).toBe(0);
    }
  });

  it.each([3, 20])('has_the_diagonal_of_its_entries_with_the_noise_in_dimension_%i', (d) => {
    const n = 40;
    const nugget = Float64Array.from({ length: n }, (_x, i) => 0.01 * i);
    const plain = denseOf(kernelSource(normalPoints(n, d, 5), make(d), { blas })).data;
    for (const [options, noise] of [
      [{}, () => 0],
      [{ ridge: 0.25 }, () => 0.25],
      [{ nugget }, (i: number) => nugget[i]],
      [{ nugget: Array.from(nugget), ridge: 0.25 }, (i: number) => 0.25 + nugget[i]],
    ] as const) {
      const source = kernelSource(normalPoints(n, d, 5), make(d), { blas, ...options });
      const diagonal = new Float64Array(n);
      source.diagonal(diagonal);
      const k = denseOf(source).data;
      for (let j = 0; j < n; j++) {
        expect(k[j * (n + 1)]).toBe(diagonal[j]);
        for (let i = 0; i < n; i++) expect(k[i + j * n]).toBe(i === j ? plain[i + j * n] + noise(i) : plain[i + j * n]);
      }
    }
  });

  it.each([2, 20])('is_positive_semidefinite_in_dimension_%i', (d) => {
    const n = 60;
    const k = denseOf(kernelSource(normalPoints(n, d, 6), make(d), { blas }));
    const trace = allIndices(n).reduce((sum, i) => sum + k.data[i * (n + 1)], 0);
    const values = new Float64Array(n);
    blas.syevd(false, 'L', k, values);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-4 * n * eps * trace);
    expect(4 * n * eps * trace).toBeLessThan(1e-10);
  });

  it('is_built_again_from_its_definition_or_stays_on_this_thread', () => {
    for (const d of [3, 12]) {
      const kernel = make(d);
      const nugget = new Float64Array(80).fill(1e-3);
      const source = kernelSource(normalPoints(80, d, 7), kernel, { blas, nugget });
      if (isOwn) {
        expect(source.descriptor).toBeUndefined();
        continue;
      }
      expect(kernelFromDefinition(structuredClone(kernel.definition!)).name).toBe(kernel.name);
      const { data, ...rest } = source.descriptor!;
      const copy = openSource({ ...rest, data: structuredClone(data) }, () => ({ ...module }), { blas });
      const [rows, cols] = [some(30, 80, 1), some(25, 80, 2)];
      expect(block(copy, rows, cols)).toEqual(block(source, rows, cols));
      expect((data as { noise: Float64Array }).noise.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });
});

describe('on teams', () => {
  it.each([
    ['one input', ard(sumKernels(gaussian(1), scaleKernel(matern52(2), 0.5)), [1, 2])],
    ['several inputs', sumKernels(productKernels(gaussian(2), periodic(2, 9)), scaleKernel(polynomial(3), 0.1))],
    ["the caller's own", sumKernels(own, gaussian(1))],
  ])('a_kernel_of_%s_is_compressed_to_the_same_bits', async (_, kernel) => {
    const n = 700;
    const points = normalPoints(n, 2, 8);
    const nugget = Float64Array.from({ length: n }, (_x, i) => 0.1 + 1e-3 * i);
    const source = kernelSource(points, kernel, { blas, nugget });
    const x = randomMatrix(n, 2, 9);
    const products = await Promise.all(
      [1, 2].map(async (workers) => {
        const team = await sharedTeam(workers);
        const matrix = await compress(source, { leafSize: 64, tolerance: 1e-4 }, { team });
        const { relative } = await matrix.estimateError(source);
        expect(relative).toBeLessThan(3e-4);
        const product = Float64Array.from(matrix.apply(x).data);
        matrix.release();
        return product;
      }),
    );
    expect(products[1]).toEqual(products[0]);
  });
});

describe('mapped points', () => {
  it('periodic_of_points_a_period_apart_is_one_and_of_close_points_exact', () => {
    const coordinates = Float64Array.of(0.25, 0.25 + 4, 0.25 - 12, 0.25 + 1e-9, 0.25);
    const source = kernelSource({ dimension: 1, count: 5, coordinates }, periodic(1e-3, 4), { blas });
    const k = denseOf(source).data;
    expect([k[0], k[1], k[2], k[4], k[6]]).toEqual([1, 1, 1, 1, 1]);
    // k = 1 − 2 sin²(π·δ/4)/h² to first order, its error 2·√2·eps/h at most.
    expect(Math.abs(k[3] - Math.exp(-2 * (Math.sin((Math.PI * 1e-9) / 4) / 1e-3) ** 2))).toBeLessThan((4 * eps) / 1e-3);
  });

  it('points_of_the_source_are_where_its_one_map_puts_them', () => {
    const points = normalPoints(10, 2, 1);
    expect(kernelSource(points, gaussian(1), { blas }).points!.coordinates).toBe(points.coordinates);
    const scaled = kernelSource(points, ard(gaussian(1), [2, 4]), { blas }).points!;
    expect(scaled.coordinates).toEqual(points.coordinates.map((x, p) => x / (p % 2 === 0 ? 2 : 4)));
    expect(kernelSource(points, periodic(1, 1), { blas }).points).toMatchObject({ dimension: 4, count: 10 });
    const several = kernelSource(points, sumKernels(gaussian(1), periodic(1, 1)), { blas });
    expect(several.points!.coordinates).toBe(points.coordinates);
  });

  it('compositions_share_inputs_that_are_the_same', () => {
    const scaled = ard(gaussian(1), [1, 2]);
    expect(sumKernels(scaled, ard(laplace(2), [1, 2])).inputs).toBeUndefined();
    expect(sumKernels(scaled, ard(laplace(2), [1, 3])).inputs).toHaveLength(2);
    expect(sumKernels(periodic(1, 2), periodic(3, 2), constant()).map).toBeDefined();
    expect(sumKernels(constant(), polynomial(1), ard(constant(), [1, 2])).argument).toBe('innerProduct');
  });
});

describe('names', () => {
  it('say_what_the_kernel_is', async () => {
    const seasons = sumKernels(gaussian(2), scaleKernel(productKernels(periodic(1, 12), laplace(3)), 0.5), constant());
    expect(seasons.name).toBe('gaussian, h = 2 + 0.5·((periodic, h = 1, period 12)·(laplace, h = 3)) + constant');
    expect(scaleKernel(constant(), 4).name).toBe('4·constant');
    expect(ard(matern52(1), [0.5, 2, 10]).name).toBe('matern52, h = 1, ard [0.5, 2, 10]');
    expect(ard(sumKernels(gaussian(1), cosine()), Array<number>(8).fill(1)).name).toBe(
      '(gaussian, h = 1 + cosine), ard [1, 1, 1, 1, 1, 1, … 8 in all]',
    );
    expect(rationalQuadratic(2, 0.5).name).toBe('rationalQuadratic, h = 2, α = 0.5');
    expect(scaleKernel(await expressionKernel('exp(-r)'), 2).name).toBe('2·(exp(-r))');
    expect(kernelOfFamily('periodic', 2).name).toBe('periodic, h = 2, period 1');
    expect(sumKernels(seasons)).toBe(seasons);
  });
});

describe('what is no kernel', () => {
  const points = normalPoints(4, 2, 1);

  it('is_refused', () => {
    expect(() => sumKernels()).toThrow('sumKernels needs at least one kernel');
    expect(() => productKernels()).toThrow('productKernels needs at least one kernel');
    expect(() => sumKernels(gaussian(1), gaussian as never)).toThrow(/sumKernels takes a kernel.*not a function/);
    expect(() => productKernels(gaussian(1), 2 as never)).toThrow(/productKernels takes a kernel.*not 2/);
    expect(() => ard(2 as never, [1])).toThrow(/ard takes a kernel/);
    expect(() => scaleKernel([gaussian(1)] as never, 1)).toThrow(/scaleKernel takes a kernel/);
    for (const bad of [0, -1, Number.NaN, Infinity])
      expect(() => scaleKernel(gaussian(1), bad)).toThrow(`must be a positive number, not ${bad}`);
    expect(() => scaleKernel(gaussian(1), '2' as never)).toThrow('must be a positive number, not the text "2"');
    expect(() => kernelSource(points, { ...own, argument: 'several' }, { blas })).toThrow(/'several' and no inputs/);
  });

  it('length_scales_must_be_positive_and_as_many_as_coordinates', () => {
    for (const bad of [0, -1, Number.NaN, Infinity])
      expect(() => ard(gaussian(1), [1, bad])).toThrow(`lengthScales[1] must be a positive number, not ${bad}.`);
    expect(() => ard(gaussian(1), [])).toThrow(OptionError);
    expect(() => kernelSource(points, ard(gaussian(1), [1, 2, 3]), { blas })).toThrow(ShapeError);
    expect(() => kernelSource(points, sumKernels(cosine(), ard(gaussian(1), [1, 2, 3])), { blas })).toThrow(
      'ard has 3 length scales, and the points have dimension 2',
    );
  });

  it('points_that_a_map_takes_out_of_range_are_named', () => {
    const far = { dimension: 1, count: 2, coordinates: [1, 1e200] };
    expect(() => kernelSource(far, ard(cosine(), [1e-200]), { blas })).toThrow(NonFiniteError);
    expect(() => kernelSource(far, periodic(1, 1e-200), { blas })).toThrow(/Coordinate 0 of point 1, 1e\+200/);
  });

  it('values_that_are_not_finite_are_refused', () => {
    const large = { dimension: 1, count: 2, coordinates: [1, 1e100] };
    expect(() => kernelSource(large, sumKernels(gaussian(1), polynomial(1, 5)), { blas })).toThrow(
      /gaussian, h = 1 \+ polynomial.* is Infinity at point 1.*scale the points/,
    );
    const twice = scaleKernel(scaleKernel(gaussian(1), 1e200), 1e200);
    expect(() => kernelSource(points, twice, { blas })).toThrow(OptionError);
  });

  it('nuggets_are_as_many_as_points_and_not_negative', () => {
    const open = (nugget: ArrayLike<number>) => () => kernelSource(points, gaussian(1), { blas, nugget });
    expect(open([1, 2, 3])).toThrow(ShapeError);
    expect(open([1, 2, 3])).toThrow('The nugget has 3 numbers for 4 points');
    expect(open([1, 2, -3, 4])).toThrow('nugget[2] must be a number ≥ 0, not -3.');
    expect(open([1, Number.NaN, 3, 4])).toThrow('nugget[1] must be a finite number ≥ 0, not NaN.');
  });
});
