/** Stochastic Lanczos quadrature: exact where it must be, within its intervals elsewhere; spectral densities. */
import { describe, expect, it } from 'vitest';
import { AbortedError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { gaussQuadrature, integrate, lanczosMatrices, radauQuadrature } from '#hmatrix/krylov/lanczos-quadrature.js';
import { meanInterval, studentQuantile } from '#hmatrix/krylov/mean-interval.js';
import { spectralDensity } from '#hmatrix/krylov/spectral-density.js';
import { estimatedLogDeterminant, logDeterminant } from '#hmatrix/krylov/log-determinant.js';
import { stochasticLanczosQuadrature } from '#hmatrix/krylov/stochastic-lanczos-quadrature.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { counted, filled, geometric, withEigenvalues } from './systems.js';

const blas = openBlas();
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);

/** 2 Σ log l_ii of the Cholesky factor (LAPACK). */
function denseLogDeterminant(a: Matrix): number {
  const l = zeros(a.rows, a.cols);
  copyInto(l, a);
  expect(blas.potrf('L', l)).toBe(0);
  return 2 * sum(filled(a.rows, (i) => Math.log(l.data[i * (a.rows + 1)])));
}

describe('a quadrature', () => {
  it('is_exact_for_polynomials_of_degree_2m_minus_1_and_Radau_for_2m', async () => {
    const n = 40;
    const values = filled(n, (i) => 1 + i / 13);
    const matrices = (await lanczosMatrices(diagonalOperator(values), { blas, probes: 2, degree: 5 }, {}))!;
    for (const t of matrices) {
      const gauss = gaussQuadrature(t, blas);
      const radau = radauQuadrature(t, blas, 0.5);
      expect(sum(gauss.weights)).toBeCloseTo(1, 12);
      expect(Math.min(...radau.nodes)).toBeCloseTo(0.5, 11);
      // Probes of ±1 see each eigenvalue of a diagonal alike: the measure is known.
      for (let k = 0; k <= 10; k++) {
        const moment = sum(values.map((value) => value ** k)) / n;
        if (k <= 9) expect(Math.abs(integrate(gauss, (x) => x ** k) / moment - 1)).toBeLessThan(1e-11);
        expect(Math.abs(integrate(radau, (x) => x ** k) / moment - 1)).toBeLessThan(1e-11);
      }
      expect(
        Math.abs(integrate(gauss, (x) => x ** 10) / (sum(values.map((value) => value ** 10)) / n) - 1),
      ).toBeGreaterThan(1e-9);
    }
  });

  it('ends_at_an_invariant_space_with_the_exact_measure', async () => {
    const matrices = (await lanczosMatrices(
      diagonalOperator(filled(30, (i) => [1, 4, 9][i % 3])),
      { blas, probes: 3 },
      {},
    ))!;
    for (const t of matrices) {
      expect(t.diagonal.length).toBe(3);
      expect(t.beside[2]).toBe(0);
      const { nodes, weights } = gaussQuadrature(t, blas);
      [1, 4, 9].forEach((value, k) => {
        expect(nodes[k]).toBeCloseTo(value, 12);
        expect(weights[k]).toBeCloseTo(1 / 3, 12);
      });
    }
  });
});

describe('log det', () => {
  const n = 200;
  const a = withEigenvalues(geometric(n, 1e3), blas, 6);
  const operator = denseOperator(a, true, { blas });
  const exact = denseLogDeterminant(a);

  it('of_a_diagonal_is_exact_from_a_single_probe', async () => {
    const values = filled(50, (i) => 1 + i);
    const { value } = await estimatedLogDeterminant(diagonalOperator(values), { blas, probes: 2, lowerBound: 1 });
    expect(Math.abs(value / sum(values.map(Math.log)) - 1)).toBeLessThan(1e-9);
  });

  it('agrees_with_LAPACK_within_its_interval_for_nearly_all_seeds', async () => {
    // 95 % intervals over 20 seeds: fewer than 15 hits would have a probability below 1e-3.
    let hits = 0;
    for (let seed = 0; seed < 20; seed++) {
      const estimate = await estimatedLogDeterminant(operator, { blas, seed, probes: 12, degree: 60 });
      expect(estimate.outcome).toBe('estimated');
      expect(Math.abs(estimate.value / exact - 1)).toBeLessThan(0.2);
      if (estimate.lower <= exact && exact <= estimate.upper) hits++;
    }
    expect(hits).toBeGreaterThanOrEqual(15);
  });

  it('brackets_the_error_of_the_quadrature_by_a_lower_bound_of_the_spectrum', async () => {
    // On a diagonal there is no error of the sample: all that is left is the quadrature's.
    const diagonal = diagonalOperator(geometric(n, 1e4));
    const truth = sum(geometric(n, 1e4).map(Math.log));
    let before = Number.POSITIVE_INFINITY;
    for (const degree of [5, 10, 20, 40]) {
      const { lower, upper, quadratureError } = await estimatedLogDeterminant(diagonal, {
        blas,
        probes: 2,
        degree,
        lowerBound: 1e-4,
      });
      expect(lower).toBeLessThanOrEqual(truth * (1 - 1e-12));
      expect(upper).toBeGreaterThanOrEqual(truth * (1 + 1e-12));
      expect(quadratureError).toBeLessThan(before);
      before = quadratureError;
    }
    expect(before).toBeLessThan(1e-2 * Math.abs(truth));
  });

  it('tells_an_indefinite_operator_and_a_wrong_bound', async () => {
    const indefinite = await logDeterminant(diagonalOperator(filled(60, (i) => i - 3)), { blas });
    expect(indefinite.outcome).toBe('indefinite');
    if (indefinite.outcome === 'indefinite') expect(indefinite.ritzValue).toBeCloseTo(-3, 8);
    expect(
      (await estimatedLogDeterminant(diagonalOperator(filled(60, (i) => i + 1)), { blas, lowerBound: 2 })).outcome,
    ).toBe('indefinite');
  });
});

describe('a trace', () => {
  it('of_the_inverse_and_of_a_product_are_within_their_intervals', async () => {
    const n = 150;
    const values = geometric(n, 50);
    const operator = denseOperator(withEigenvalues(values, blas, 9), true, { blas });
    for (const f of [(x: number) => 1 / x, (x: number) => x, (x: number) => Math.exp(-x)]) {
      const { lower, upper, value, standardError, perProbe } = await stochasticLanczosQuadrature(operator, f, {
        blas,
        probes: 20,
        degree: 40,
        seed: 1,
      });
      const exact = sum(values.map(f));
      expect(lower).toBeLessThan(exact);
      expect(upper).toBeGreaterThan(exact);
      expect(value).toBeCloseTo(sum(perProbe) / 20, 8);
      expect(standardError).toBeLessThan(0.1 * exact);
    }
  });

  it('has_the_same_bits_for_the_same_seed_whatever_runs_beside_a_probe', async () => {
    const operator = diagonalOperator(filled(80, (i) => 1 + (i % 9) / 3));
    const all = await stochasticLanczosQuadrature(operator, Math.log, { blas, seed: 3, probes: 5 });
    const one = await stochasticLanczosQuadrature(operator, Math.log, { blas, seed: 3, probes: 5, blockSize: 1 });
    expect(one).toEqual(all);
    const dense = denseOperator(withEigenvalues(geometric(80, 10), blas), true, { blas });
    const first = await stochasticLanczosQuadrature(dense, Math.log, { blas, seed: 3 });
    expect(await stochasticLanczosQuadrature(dense, Math.log, { blas, seed: 3 })).toEqual(first);
    expect((await stochasticLanczosQuadrature(dense, Math.log, { blas, seed: 4 })).value).not.toBe(first.value);
  });

  it('tells_products_that_are_not_finite_reports_progress_and_aborts', async () => {
    const good = diagonalOperator(filled(30, (i) => 1 + i));
    const bad = counted(good, (product, out) => {
      if (product === 4) out.data[out.offset] = Number.NaN;
    });
    expect((await stochasticLanczosQuadrature(bad, Math.log, { blas })).outcome).toBe('nonFinite');
    expect((await stochasticLanczosQuadrature(good, () => Number.NaN, { blas })).outcome).toBe('nonFinite');
    const controller = new AbortController();
    const done: number[] = [];
    await expect(
      stochasticLanczosQuadrature(
        good,
        Math.log,
        { blas, probes: 4 },
        {
          signal: controller.signal,
          onProgress: (progress) => {
            done.push(progress.done);
            if (done.length === 3) controller.abort();
          },
        },
      ),
    ).rejects.toThrow(AbortedError);
    expect(done).toEqual([4, 8, 12]);
  });

  it('misuse_is_an_error', async () => {
    const good = diagonalOperator(filled(5, (i) => 1 + i));
    for (const options of [{ probes: 0 }, { degree: 0 }, { blockSize: 1.5 }])
      await expect(stochasticLanczosQuadrature(good, Math.log, { blas, ...options })).rejects.toThrow(OptionError);
    await expect(logDeterminant(good, { blas, lowerBound: 0 })).rejects.toThrow(OptionError);
    await expect(logDeterminant(denseOperator(zeros(3, 4), false, { blas }), { blas })).rejects.toThrow(ShapeError);
    await expect(spectralDensity(good, { blas, width: 0 })).rejects.toThrow(OptionError);
    await expect(spectralDensity(good, { blas, grid: { count: 1 } })).rejects.toThrow(OptionError);
    await expect(spectralDensity(good, { blas, grid: { from: 2, to: 1 } })).rejects.toThrow(OptionError);
  });
});

describe('a spectral density', () => {
  it('integrates_to_one_and_finds_the_shares_of_separate_clusters', async () => {
    const n = 300;
    const values = filled(n, (i) => (i < 60 ? 1 : 5) + (i % 20) / 100);
    const { outcome, grid, density, cumulative } = await spectralDensity(
      denseOperator(withEigenvalues(values, blas, 4), true, { blas }),
      { blas, degree: 40, probes: 20, width: 0.2 },
    );
    expect(outcome).toBe('estimated');
    const step = grid[1] - grid[0];
    expect(sum(density.value) * step).toBeCloseTo(1, 3);
    const at = (t: number): number => grid.findIndex((value) => value >= t);
    const middle = at(3);
    expect(density.value[middle]).toBeLessThan(1e-6);
    // A fifth of the eigenvalues lies below.
    expect(cumulative.lower[middle]).toBeLessThan(0.2);
    expect(cumulative.upper[middle]).toBeGreaterThan(0.2);
    expect(cumulative.upper[middle] - cumulative.lower[middle]).toBeLessThan(0.1);
    expect(cumulative.value[grid.length - 1]).toBeCloseTo(1, 10);
    for (let i = 0; i < grid.length; i++) {
      expect(density.lower[i]).toBeLessThanOrEqual(density.value[i] + 1e-15);
      expect(density.upper[i]).toBeGreaterThanOrEqual(density.value[i] - 1e-15);
    }
  });

  it('is_the_smoothed_sum_of_its_eigenvalues_where_the_probes_see_all_of_them', async () => {
    const n = 60;
    const values = filled(n, (i) => Math.sin(i));
    const width = 0.3;
    const { grid, density } = await spectralDensity(diagonalOperator(values), {
      blas,
      probes: 3,
      width,
      grid: { from: -2, to: 2, count: 41 },
    });
    expect(grid[0]).toBe(-2);
    expect(grid[40]).toBe(2);
    grid.forEach((t, i) => {
      const exact =
        sum(values.map((value) => Math.exp(-0.5 * ((t - value) / width) ** 2))) / (n * width * Math.sqrt(2 * Math.PI));
      expect(Math.abs(density.value[i] - exact)).toBeLessThan(1e-6);
    });
  });

  it('of_a_multiple_of_the_identity_and_of_nothing_finite', async () => {
    const { grid, cumulative, quadratures } = await spectralDensity(diagonalOperator(filled(20, () => 3)), { blas });
    expect(quadratures.every(({ nodes }) => nodes.length === 1 && Math.abs(nodes[0] - 3) < 1e-14)).toBe(true);
    expect(cumulative.value[0]).toBe(0);
    expect(cumulative.value[grid.length - 1]).toBeCloseTo(1, 14);
    const bad = counted(diagonalOperator(filled(20, () => 3)), (_, out) => {
      out.data[out.offset] = Number.NaN;
    });
    expect((await spectralDensity(bad, { blas })).outcome).toBe('nonFinite');
  });
});

describe('an interval', () => {
  it('uses_the_quantiles_of_Student', () => {
    const table: [number, number][] = [
      [1, 12.706],
      [2, 4.303],
      [3, 3.182],
      [4, 2.776],
      [5, 2.571],
      [10, 2.228],
      [29, 2.045],
      [1000, 1.962],
    ];
    for (const [freedom, quantile] of table)
      expect(Math.abs(studentQuantile(freedom) / quantile - 1)).toBeLessThan(freedom === 3 ? 1e-2 : 2e-3);
    const { value, standardError, lower, upper } = meanInterval([-1, 0, 1]);
    expect(value).toBeCloseTo(0, 14);
    expect(standardError).toBeCloseTo(1 / Math.sqrt(3), 14);
    expect(upper - value).toBeCloseTo(4.302652729749464 / Math.sqrt(3), 12);
    expect(value - lower).toBeCloseTo(upper - value, 12);
    expect(meanInterval([5])).toMatchObject({ value: 5, upper: Infinity });
    expect(meanInterval([0, 0, 0])).toEqual({ value: 0, standardError: 0, lower: 0, upper: 0 });
  });

  it('is_longer_on_the_side_of_the_longer_tail_whatever_the_sign_and_the_scale', () => {
    const samples = [1, 1.1, 0.9, 1, 4, 1.2, 0.8, -0.5];
    const { value, lower, upper } = meanInterval(samples);
    expect(upper - value).toBeGreaterThan(1.2 * (value - lower));
    const mirrored = meanInterval(samples.map((x) => -x));
    expect([mirrored.lower, mirrored.upper]).toEqual([-upper, -lower]);
    const large = meanInterval(samples.map((x) => x * 2 ** 300));
    expect([large.lower, large.upper]).toEqual([lower * 2 ** 300, upper * 2 ** 300]);
  });
});
