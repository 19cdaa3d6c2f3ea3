/** log det of networks' matrices: exact where they are small, in float32, with and without a factorization. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { estimatedLogDeterminant, logDeterminant } from '#hmatrix/krylov/log-determinant.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import { converted } from '#hmatrix/operator/converted.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseOf, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, randomModel } from '../curvature/brute-force.js';
import { counted, filled } from './systems.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

const network = (precision: 'f32' | 'f64'): Model =>
  randomModel({
    widths: [20, 16, 5],
    activation: ['relu', 'linear'],
    loss: 'cross-entropy',
    bias: true,
    samples: 60,
    precision,
  });

/** log det(G + λI) by LAPACK in float64. */
function denseLogDeterminant(g: Matrix, λ: number): number {
  const n = g.rows;
  for (let i = 0; i < n; i++) g.data[i * (n + 1)] += λ;
  expect(team.blas.potrf('L', g)).toBe(0);
  return 2 * filled(n, (i) => Math.log(g.data[i * (n + 1)])).reduce((sum, value) => sum + value, 0);
}

describe('log det', () => {
  it.each(['f32', 'f64'] as const)('of_a_network_is_exact_where_products_would_reach_N: %s', async (precision) => {
    const model = network(precision);
    for (const λ of [0.1, 1e-3]) {
      const truth = denseLogDeterminant(denseGaussNewton(model), λ);
      const operator = shifted(gaussNewton(model, { blas: team.blas }), λ);
      for (const options of [{}, { lowerBound: λ }]) {
        const { outcome, exact, value, lower, upper, standardError, quadratureError } = await logDeterminant(
          operator,
          options,
        );
        expect({ outcome, exact, standardError, quadratureError }).toEqual({
          outcome: 'estimated',
          exact: true,
          standardError: 0,
          quadratureError: 0,
        });
        expect([lower, upper]).toEqual([value, value]);
        expect(Math.abs(value / truth - 1)).toBeLessThan(precision === 'f64' ? 1e-11 : 1e-5);
      }
    }
  });

  it('of_a_network_in_float32_is_estimated_with_its_shift_for_a_lower_bound', async () => {
    const model = network('f32');
    for (const λ of [0.1, 1e-3, 1e-5]) {
      const truth = denseLogDeterminant(denseGaussNewton(model), λ);
      const operator = shifted(gaussNewton(model, { blas: team.blas }), λ);
      let held = 0;
      for (let seed = 0; seed < 10; seed++) {
        const options = { blas: team.blas, probes: 8, lowerBound: λ, seed };
        const found = await estimatedLogDeterminant(operator, options);
        expect([found.outcome, found.exact]).toEqual(['estimated', false]);
        if (found.lower <= truth && truth <= found.upper) held++;
      }
      expect(held).toBeGreaterThanOrEqual(7);
      // A bound that is wrong by more than rounding is told.
      expect((await estimatedLogDeterminant(operator, { blas: team.blas, lowerBound: 2 * λ + 1e-3 })).outcome).toBe(
        'indefinite',
      );
    }
  });

  it('below_the_rounding_of_float32_takes_the_bound_for_what_rounding_has_moved', async () => {
    const model = network('f32');
    const λ = 1e-9;
    const operator = shifted(gaussNewton(model, { blas: team.blas }), λ);
    const { outcome, value } = await logDeterminant(operator, { lowerBound: λ });
    expect(outcome).toBe('estimated');
    const truth = denseLogDeterminant(denseGaussNewton(model), λ);
    expect(Math.abs(value / truth - 1)).toBeLessThan(0.4);
    expect((await logDeterminant(shifted(gaussNewton(network('f64')), -0.1))).outcome).toBe('indefinite');
  });

  it('of_a_larger_matrix_is_estimated_and_fewer_products_than_rows_are_taken', async () => {
    const values = filled(300, (i) => 1 + i / 10);
    let columns = 0;
    const operator = counted(diagonalOperator(values), (_, out) => {
      columns += out.cols;
    });
    const { exact, perProbe } = await logDeterminant(operator, { probes: 4, degree: 20 });
    expect([exact, perProbe.length]).toEqual([false, 4]);
    expect(columns).toBeLessThan(100);
    columns = 0;
    const whole = await logDeterminant(operator, { probes: 15, degree: 20 });
    expect([whole.exact, columns]).toEqual([true, 300]);
  });

  it('written_out_tells_what_is_not_finite_reports_and_aborts', async () => {
    const nan = counted(diagonalOperator([1, 2, 3]), (_, out) => {
      out.data[out.offset] = Number.NaN;
    });
    expect((await logDeterminant(nan)).outcome).toBe('nonFinite');
    const found = await logDeterminant(diagonalOperator([1, -2, 3]));
    expect(found).toMatchObject({ outcome: 'indefinite', ritzValue: -2 });
    const done: number[] = [];
    await logDeterminant(
      diagonalOperator(filled(300, (i) => 1 + i)),
      {},
      { onProgress: (progress) => done.push(progress.done) },
    );
    expect(done).toEqual([256, 300]);
    await expect(logDeterminant(diagonalOperator([1]), {}, { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
    await expect(logDeterminant(diagonalOperator([1]), { probes: 0 })).rejects.toThrow(OptionError);
  });

  it('by_a_factorization_in_the_Kronecker_eigenbasis', async () => {
    const model = network('f64');
    const λ = 0.05;
    const matrix = await kroneckerHierarchical(model, { preserve: 'positive-definite', share: 0.3 }, { team });
    const factorization = await factorKronecker(matrix, { shift: λ }, { team });
    // S·Sᵀ = G̃ + λI, and S⁻ᵀ·S⁻¹ its inverse.
    const n = matrix.rows;
    const identity = zeros(n, n);
    for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = 1;
    const root = factorization.applyFactor(identity);
    const square = zeros(n, n);
    team.blas.gemm('N', 'T', 1, root, root, 0, square);
    expect(relativeError(square, apply(shifted(matrix, λ), identity))).toBeLessThan(1e-12);
    const product = zeros(n, n);
    team.blas.gemm('T', 'N', 1, factorization.applyInverseFactor(identity), root, 0, product);
    expect(relativeError(product, identity)).toBeLessThan(1e-10);

    const truth = denseLogDeterminant(denseGaussNewton(model), λ);
    const operator = shifted(gaussNewton(model, { blas: team.blas }), λ);
    const options = { blas: team.blas, probes: 10, degree: 20 };
    const { lower, upper, standardError } = await estimatedLogDeterminant(operator, { ...options, factorization });
    expect(lower <= truth && truth <= upper).toBe(true);
    const plain = await estimatedLogDeterminant(operator, options);
    expect(standardError).toBeLessThan(plain.standardError);
    factorization.release();
  });

  it('refuses_a_factorization_without_a_factor_by_name', async () => {
    const model = network('f64');
    const operator = shifted(gaussNewton(model, { blas: team.blas }), 0.1);
    for (const factorization of [dualForm(model).inverse(0.1), 3, {}])
      await expect(logDeterminant(operator, { factorization: factorization as never })).rejects.toThrow(
        /The option factorization of logDeterminant takes M = F·Fᵀ .*applyFactor.*not /,
      );
  });

  it('of_the_dual_form_is_that_of_the_dense_matrix', () => {
    // n·r below N and above it, in both precisions.
    for (const precision of ['f64', 'f32'] as const)
      for (const samples of [7, 60]) {
        const model = randomModel({
          widths: [6, 4, 5],
          activation: 'tanh',
          loss: 'cross-entropy',
          bias: true,
          samples,
          precision,
        });
        const dual = dualForm(model, { blas: team.blas });
        for (const λ of [1, 1e-4]) {
          const truth = denseLogDeterminant(denseGaussNewton(model), λ);
          expect(Math.abs(dual.logdet(λ) - truth)).toBeLessThan(1e-9 * Math.abs(truth));
          expect(dual.inverse(λ)).toMatchObject({ shift: λ, logdet: dual.logdet(λ) });
        }
        expect(() => dual.logdet(0)).toThrow(OptionError);
      }
  });

  it('of_entries_and_products_agree', async () => {
    const model = network('f64');
    const source = denseOf(gaussNewtonSource(model, { blas: team.blas }));
    const { value } = await logDeterminant(shifted(converted(gaussNewton(model), 'f64'), 0.1));
    expect(Math.abs(value / denseLogDeterminant(source, 0.1) - 1)).toBeLessThan(1e-11);
  });
});
