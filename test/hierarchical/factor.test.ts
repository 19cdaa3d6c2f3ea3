import { beforeAll, describe, expect, it } from 'vitest';
import { zeros, view, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, laplace } from '#hmatrix/source/kernels/named.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { gaussianSource, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { builtShifted, denseShifted, identity, outer, reference, residual } from './factored.js';
import { randomHss, randomSizes, treeOfLeaves } from './trees.js';
import type { HierarchicalFormat } from '#hmatrix/hierarchical/matrix/format.js';

const FORMATS: readonly HierarchicalFormat[] = ['hss', 'hodlr'];
const small: CompressOptions = { leafSize: 32, maxRank: 32, tolerance: 1e-6, neighbors: 32, seed: 3 };
const EPS = Number.EPSILON;

describe('factorization', () => {
  let team: Team;
  beforeAll(async () => {
    team = await sharedTeam(2);
  });

  const smooth = (format: HierarchicalFormat, n = 500): Promise<HierarchicalMatrix> =>
    compress(gaussianSource(n, 2, 0.7, team.blas), { ...small, format, maxRank: 48 }, { team });
  const rough = (format: HierarchicalFormat, n = 500): Promise<HierarchicalMatrix> =>
    compress(kernelSource(normalPoints(n, 3, 2), laplace(1), { blas: team.blas }), { ...small, format }, { team });

  /** Everything a factorization gives, against LAPACK. */
  async function agrees(matrix: HierarchicalMatrix, shift: number): Promise<void> {
    const n = matrix.size;
    const { a, inverse, logdet, condition } = reference(matrix, shift, team.blas);
    const rounding = 16 * Math.sqrt(n) * EPS * condition;
    const f = await factor(matrix, { shift, suggestShift: false }, { team });
    const b = randomMatrix(n, 5, 4);
    expect(residual(a, f.solve(b), b, team.blas)).toBeLessThan(rounding);
    expect(Math.abs(f.logdet - logdet)).toBeLessThan(rounding * Math.max(1, Math.abs(logdet)));
    const diagonal = await f.diagonalOfInverse();
    for (let i = 0; i < n; i++)
      expect(Math.abs(diagonal[i] - inverse.data[i * (n + 1)])).toBeLessThan(rounding * inverse.data[i * (n + 1)]);
    const square = f.applyFactor(identity(n));
    expect(relativeError(outer(square, square, team.blas), a)).toBeLessThan(64 * Math.sqrt(n) * EPS);
    const root = f.applyInverseFactor(identity(n));
    expect(relativeError(outer(root, root, team.blas), inverse)).toBeLessThan(rounding);
    f.release();
  }

  describe.each(FORMATS)('%s', (format) => {
    it('solve_determinant_samples_and_inverse_diagonal_agree_with_LAPACK', async () => {
      await agrees(await rough(format), 0);
      for (const shift of [1, 1e-2]) await agrees(await smooth(format), shift);
    });

    it('tells_the_flops_of_a_solve_about_those_of_a_product_of_the_matrix', async () => {
      const matrix = await smooth(format);
      const f = await factor(matrix, { shift: 1 }, { team });
      expect(f.flops(7)).toBe(7 * f.flops(1));
      expect(f.flops(1)).toBeGreaterThan(matrix.flops(1) / 2);
      expect(f.flops(1)).toBeLessThan(8 * matrix.flops(1));
      f.release();
    });

    it('one_solve_leaves_a_residual_below_1e-10_at_condition_one_million', async () => {
      const matrix = await compress(
        gaussianSource(800, 2, 1, team.blas),
        { ...small, format, leafSize: 64, maxRank: 128, tolerance: 1e-12 },
        { team },
      );
      const largest = reference(matrix, 0, team.blas).eigenvalues[799];
      const shift = 1e-6 * largest;
      const { a, condition, logdet } = reference(matrix, shift, team.blas);
      expect(condition).toBeGreaterThan(5e5);
      const f = await factor(matrix, { shift }, { team });
      const b = randomMatrix(800, 3, 1);
      expect(residual(a, f.solve(b), b, team.blas)).toBeLessThan(1e-10);
      expect(Math.abs(f.logdet / logdet - 1)).toBeLessThan(1e-8);
      const estimate = await f.conditionEstimate();
      expect(estimate.converged).toBe(true);
      expect(estimate.condition).toBeGreaterThan(0.9 * condition);
      expect(estimate.condition).toBeLessThan(1.01 * condition);
    });

    it('any_number_of_right_hand_sides_gives_the_same_solutions_and_views_and_in_place_work', async () => {
      const matrix = await rough(format, 300);
      const { a, condition } = reference(matrix, 0, team.blas);
      const f = await factor(matrix, {}, { team });
      for (const p of [1, 2, 65, 300]) {
        const b = randomMatrix(300, p, p);
        expect(residual(a, f.solve(b), b, team.blas)).toBeLessThan(300 * EPS * condition);
      }
      expect(f.solve(zeros(300, 0)).cols).toBe(0);
      expect(f.solve(zeros(300, 2)).data.every((x) => x === 0)).toBe(true);
      const b = view(randomMatrix(310, 5, 1).data, 7, 300, 4, 310);
      const expected = f.solve(b);
      const y = view(randomMatrix(305, 6, 2).data, 3, 300, 4, 305);
      const sum = zeros(300, 4);
      for (let j = 0; j < 4; j++)
        for (let i = 0; i < 300; i++)
          sum.data[i + 300 * j] = 2 * expected.data[i + 300 * j] - 0.5 * y.data[3 + i + 305 * j];
      f.applyUnchecked(y, b, 2, -0.5);
      expect(relativeError(y, sum)).toBeLessThan(1e-14);
      const plain = { ...b, data: Float64Array.from(b.data) };
      expect(f.solve(plain, plain)).toBe(plain);
      expect(relativeError(plain, expected)).toBe(0);
    });

    it('is_symmetric_and_positive_definite_as_an_operator', async () => {
      const f = await factor(await smooth(format, 250), { shift: 1e-3 }, { team });
      expect(f).toMatchObject({
        rows: 250,
        cols: 250,
        symmetric: true,
        indefinite: false,
        inertia: { positive: 250, negative: 0 },
      });
      const inverse = f.solve(identity(250));
      const transposed = zeros(250, 250);
      for (let j = 0; j < 250; j++)
        for (let i = 0; i < 250; i++) transposed.data[i + 250 * j] = inverse.data[j + 250 * i];
      expect(relativeError(inverse, transposed)).toBeLessThan(1e-12);
      const values = new Float64Array(250);
      expect(team.blas.syevd(false, 'L', inverse, values)).toBe(0);
      expect(values[0]).toBeGreaterThan(0);
    });

    it(
      'shift_is_consistent: factoring with it, again for it, ' + 'and the matrix built with it give the same bits',
      async () => {
        const matrix = await smooth(format, 420);
        const b = randomMatrix(420, 6, 9);
        const f = await factor(matrix, { shift: 0.25 }, { team });
        const direct = f.solve(b).data.slice();
        const built = builtShifted(matrix, 0.25, team);
        expect(relativeError(built.toDense(), denseShifted(matrix, 0.25))).toBeLessThan(8 * EPS);
        const anew = await factor(built, {}, { team });
        expect(anew.solve(b).data).toEqual(direct);
        expect(anew.logdet).toBe(f.logdet);
        await f.refactor(3);
        expect(f.shift).toBe(3);
        expect(f.solve(b).data).not.toEqual(direct);
        expect(await f.refactor(0.25)).toBe(f);
        expect(f.solve(b).data).toEqual(direct);
      },
    );

    it('samples_have_the_covariance_asked_for_and_their_seeds', async () => {
      const n = 40;
      const matrix = await compress(
        kernelSource(normalPoints(n, 2, 3), laplace(1), { blas: team.blas }),
        { ...small, format, leafSize: 8, tolerance: 0 },
        { team },
      );
      const f = await factor(matrix, {}, { team });
      const count = 20_000;
      const { a, inverse } = reference(matrix, 0, team.blas);
      for (const [of, covariance] of [
        ['matrix', a],
        ['inverse', inverse],
      ] as const) {
        const x = f.sample({ count, seed: 5, of });
        const empirical = outer(x, x, team.blas);
        // Var of an entry: (C_ii·C_jj + C_ij²)/count; seven standard deviations.
        for (let j = 0; j < n; j++) {
          for (let i = 0; i < n; i++) {
            const c = (p: number, q: number): number => covariance.data[p + q * n];
            expect(Math.abs(empirical.data[i + j * n] / count - c(i, j))).toBeLessThan(
              7 * Math.sqrt((c(i, i) * c(j, j) + c(i, j) ** 2) / count),
            );
          }
        }
        expect(relativeError(f.sample({ count: 3, seed: 5, of }), { ...x, cols: 3 })).toBeLessThan(1e-12);
        expect(f.sample({ seed: 6, of }).data).not.toEqual(x.data.slice(0, n));
      }
    });

    it('degenerate_blocks: ranks of zero, one index, one leaf, rank one, leaves of one index', async () => {
      for (const n of [1, 2, 31, 32, 33, 65]) await agrees(await rough(format, n), 0.1);
      const n = 150;
      const entries: readonly ((i: number, j: number) => number)[] = [
        (i, j) => (i === j ? 2 : 0),
        (i, j) => (i === j ? 2 : 1),
        (i, j) => (Math.floor(i / 50) === Math.floor(j / 50) ? (i === j ? 2 : 1) : 0),
        (i, j) => Math.min(i, j) + 1,
      ];
      for (const entry of entries) {
        const values = new Float64Array(n * n);
        for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) values[i + n * j] = entry(i, j);
        const source = denseSource(values);
        await agrees(
          await compress(
            source,
            { ...small, format, leafSize: 16, tolerance: 1e-10, distance: 'lexicographic' },
            { team },
          ),
          0.5,
        );
        await agrees(
          await compress(
            source,
            { ...small, format, leafSize: 2, tolerance: 1e-10, distance: 'lexicographic' },
            { team },
          ),
          0.5,
        );
      }
    });

    it('zero_matrix_plus_a_shift_is_the_scaled_identity', async () => {
      const matrix = await compress(
        denseSource(new Float64Array(60 * 60)),
        { ...small, format, leafSize: 8 },
        { team },
      );
      const f = await factor(matrix, { shift: 4 }, { team });
      const b = randomMatrix(60, 2, 1);
      expect(relativeError(f.solve(b), { ...b, data: b.data.map((x) => x / 4) })).toBeLessThan(4 * EPS);
      expect(f.logdet).toBeCloseTo(60 * Math.log(4), 12);
    });

    it('unequal_leaves_and_isolated_indices', async () => {
      for (const isolated of [0, 5]) {
        const tree: ClusterTree = treeOfLeaves(randomSizes(8, 1, 40, 5), 6, isolated);
        const n = tree.size;
        const a: Matrix = randomHss(tree, 6, 17, team.blas);
        // Diagonally dominant, but for the isolated rows of zeros.
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let i = 0; i < n; i++) if (i !== j) sum += Math.abs(a.data[i + j * n]);
          if (sum > 0) a.data[j * (n + 1)] = sum;
        }
        const matrix = await compress(
          denseSource(a),
          { ...small, format, tree, maxRank: 40, tolerance: 1e-12 },
          { team },
        );
        expect(relativeError(matrix.toDense(), a)).toBeLessThan(1e-9);
        await agrees(matrix, 1);
        if (isolated === 0) await agrees(matrix, 0);
      }
    });

    it('same_bits_for_every_team_size', async () => {
      const results: {
        solution: ArrayLike<number>;
        sample: ArrayLike<number>;
        diagonal: ArrayLike<number>;
        logdet: number;
      }[] = [];
      for (const workers of [1, 2, 3, 5]) {
        const other = await sharedTeam(workers);
        const matrix = await compress(
          gaussianSource(900, 4, 1, other.blas),
          { ...small, format, leafSize: 16, maxRank: 16 },
          { team: other },
        );
        const f = await factor(matrix, { shift: 30 }, { team: other });
        results.push({
          solution: f.solve(randomMatrix(900, 66, 1)).data,
          sample: f.sample({ count: 2 }).data,
          diagonal: await f.diagonalOfInverse(),
          logdet: f.logdet,
        });
      }
      for (const result of results) expect(result).toEqual(results[0]);
    });

    it('single_precision_factors_and_matrices', async () => {
      const source = gaussianSource(400, 2, 0.7, team.blas);
      const double = await compress(source, { ...small, format }, { team });
      const single = await compress(source, { ...small, format, dtype: 'f32' }, { team });
      const b = randomMatrix(400, 3, 1);
      for (const matrix of [double, single]) {
        const { a, condition } = reference(matrix, 1, team.blas);
        const exact = await factor(matrix, { shift: 1 }, { team });
        const half = await factor(matrix, { shift: 1, precision: 'f32' }, { team });
        // A matrix stored in float32 multiplies in float32: its dense copy is rounded.
        expect(residual(a, exact.solve(b), b, team.blas)).toBeLessThan(
          400 * condition * (matrix === single ? 2 ** -24 : EPS),
        );
        expect(residual(a, half.solve(b), b, team.blas)).toBeLessThan(64 * condition * 2 ** -24);
        expect(half.precision).toBe('f32');
        expect(half.bytes).toBeLessThan(
          0.75 * (format === 'hss' && matrix === double ? exact.bytes + double.memory().basis : exact.bytes),
        );
      }
    });

    it('a_second_solve_allocates_no_shared_memory', async () => {
      const f = await factor(await rough(format, 300), {}, { team });
      const b = { ...randomMatrix(300, 3, 1), data: new Float64Array(900).fill(1) };
      const out = zeros(300, 3);
      f.solve(b, out);
      const original = globalThis.SharedArrayBuffer;
      let made = 0;
      globalThis.SharedArrayBuffer = new Proxy(original, {
        construct: (target, args: [number]) => {
          made++;
          return new target(...args);
        },
      });
      try {
        f.solve(b, out);
        expect(made).toBe(0);
        f.solve(zeros(300, 100));
        expect(made).toBeGreaterThan(0);
      } finally {
        globalThis.SharedArrayBuffer = original;
      }
    });
  });

  it('fmm_without_near_blocks_is_factored_like_hss', async () => {
    const source = kernelSource(normalPoints(400, 3, 1), gaussian(0.5), { blas: team.blas });
    const matrix = await compress(source, { ...small, format: 'fmm', budget: 0 }, { team });
    await agrees(matrix, 1);
  });
});
