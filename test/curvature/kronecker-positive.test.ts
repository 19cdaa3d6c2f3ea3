/**
 * Kronecker-hierarchical matrices that are positive semidefinite by construction, and their factorization, against
 * dense Gauss–Newton Hessians from the definition.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import type { KroneckerHierarchicalMatrix } from '#hmatrix/curvature/eigenbasis/matrix.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { checkHierarchicalData } from '#hmatrix/hierarchical/matrix/check-data.js';
import { conjugateGradients } from '#hmatrix/krylov/conjugate-gradients.js';
import { apply } from '#hmatrix/operator/apply.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { digitModel } from './autoencoder.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (model: Model, share: number, of = team, leafSize = 4): Promise<KroneckerHierarchicalMatrix> =>
  kroneckerHierarchical(model, { preserve: 'positive-definite', share, leafSize }, { team: of });

function dense(operator: LinearOperator): Matrix {
  const one = zeros(operator.rows, operator.rows);
  for (let i = 0; i < operator.rows; i++) one.data[i * (operator.rows + 1)] = 1;
  return apply(operator, one);
}

function eigenvalues(a: Matrix): Float64Array {
  const copy = zeros(a.rows, a.cols);
  copyInto(copy, a);
  const values = new Float64Array(a.rows);
  expect(team.blas.syevd(false, 'L', copy, values)).toBe(0);
  return values;
}

/** (A + λI)⁻¹·B by LAPACK's Cholesky. */
function denseSolve(a: Matrix, shift: number, b: Matrix): Matrix {
  const l = zeros(a.rows, a.cols);
  copyInto(l, a);
  for (let i = 0; i < a.rows; i++) l.data[i * (a.rows + 1)] += shift;
  const x = zeros(b.rows, b.cols);
  copyInto(x, b);
  expect(team.blas.potrf('L', l)).toBe(0);
  team.blas.trsm('L', 'L', 'N', 'N', 1, l, x);
  team.blas.trsm('L', 'L', 'T', 'N', 1, l, x);
  return x;
}

describe('positive_semidefinite_by_construction', () => {
  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'is_the_dense_Hessian_where_everything_fits: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const matrix = await build(model, 10);
      expect(relativeError(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows);
      expect(matrix.report.principal!.traceOutside).toBe(0);
      matrix.release();
    },
  );

  it.each([0.05, 0.08, 0.12])(
    'keeps_its_eigenvalues_and_its_pencil_within_the_stated_bounds_at_share_%d',
    async (share) => {
      const model = await digitModel([6, 3, 6], 40, team, { pool: 4 });
      const exact = denseGaussNewton(model);
      const matrix = await build(model, share);
      expect(matrix.share).toBeLessThanOrEqual(share);
      expect(matrix.error).toBeNaN();
      checkHierarchicalData(matrix.core!.data, matrix.core!.elements, (what) => {
        throw new Error(what);
      });
      const approximation = dense(matrix);
      const spectrum = eigenvalues(approximation);
      const largest = spectrum[spectrum.length - 1];
      expect(spectrum[0]).toBeGreaterThanOrEqual(-100 * EPS * exact.rows * largest);
      const μ = matrix.report.principal!.traceOutside;
      expect(μ).toBeGreaterThan(0);
      for (const λ of [1e-3 * largest, 1e-5 * largest]) {
        // L⁻¹(G + λI)L⁻ᵀ, LLᵀ = G̃ + λI.
        const l = approximation;
        const factor = zeros(l.rows, l.rows);
        copyInto(factor, l);
        const pencil = zeros(l.rows, l.rows);
        copyInto(pencil, exact);
        for (let i = 0; i < l.rows; i++) {
          factor.data[i * (l.rows + 1)] += λ;
          pencil.data[i * (l.rows + 1)] += λ;
        }
        expect(team.blas.potrf('L', factor)).toBe(0);
        team.blas.trsm('L', 'L', 'N', 'N', 1, factor, pencil);
        team.blas.trsm('R', 'L', 'T', 'N', 1, factor, pencil);
        const values = eigenvalues(pencil);
        const slack = 1 + 100 * EPS * l.rows * (largest / λ);
        expect(values[values.length - 1]).toBeLessThanOrEqual(2 * (1 + μ / λ) * slack);
        expect(values[0] * slack).toBeGreaterThanOrEqual(1 / (2 + (3 * μ) / λ));
      }
    },
  );

  it('keeps_more_of_the_trace_with_more_memory', async () => {
    const model = await digitModel([6, 3, 6], 40, team, { pool: 4 });
    const outside: number[] = [];
    for (const share of [0.05, 0.07, 0.1, 0.14])
      outside.push((await build(model, share)).report.principal!.traceOutside);
    for (let k = 1; k < outside.length; k++) expect(outside[k]).toBeLessThan(outside[k - 1]);
  });

  it('refuses_a_tolerance_and_unknown_properties', async () => {
    const model = randomModel({ widths: [6, 4, 5], activation: 'tanh', loss: 'mse', bias: false, samples: 8 });
    await expect(
      kroneckerHierarchical(model, { preserve: 'positive-definite', tolerance: 0.1 }, { team }),
    ).rejects.toBeInstanceOf(OptionError);
    await expect(
      kroneckerHierarchical(model, { preserve: 'symmetric' as 'positive-definite' }, { team }),
    ).rejects.toBeInstanceOf(OptionError);
    await expect(
      kroneckerHierarchical(model, { preserve: 'positive-definite', share: 1e-4 }, { team }),
    ).rejects.toThrow(/least share/);
    await expect(
      kroneckerHierarchical(model, { preserve: 'positive-definite', share: 1, memoryLimit: 1000 }, { team }),
    ).rejects.toBeInstanceOf(MemoryError);
  });
});

describe('its_factorization', () => {
  const models = smallModels();

  it.each(models.map(({ name, model }) => [name, model] as const))(
    'solves_with_the_matrix_itself: %s',
    async (_name, model) => {
      const matrix = await build(model, 10);
      const approximation = dense(matrix);
      const spectrum = eigenvalues(approximation);
      const largest = spectrum[spectrum.length - 1];
      const b = randomMatrix(matrix.rows, 3, 4);
      const λ = 1e-3 * (largest > 0 ? largest : 1);
      const factorization = await factorKronecker(matrix, { shift: λ }, { team });
      const bound = 1000 * EPS * matrix.rows * (1 + largest / λ);
      expect(relativeError(factorization.solve(b), denseSolve(approximation, λ, b))).toBeLessThanOrEqual(bound);
      const logdet = spectrum.reduce((sum, value) => sum + Math.log(Math.max(0, value) + λ), 0);
      expect(Math.abs(factorization.logdet - logdet)).toBeLessThanOrEqual(bound * matrix.rows);
      await factorization.refactor(10 * λ);
      expect(relativeError(factorization.solve(b), denseSolve(approximation, 10 * λ, b))).toBeLessThanOrEqual(bound);
      factorization.release();
      matrix.release();
    },
  );

  it('solves_in_place_adds_and_allocates_no_vectors_on_the_second_call', async () => {
    const model = await digitModel([6, 3, 6], 40, team, { pool: 4 });
    const matrix = await build(model, 0.2);
    const factorization = await factorKronecker(matrix, { shift: 1e-3 }, { team });
    matrix.release();
    const b = randomMatrix(matrix.rows, 1, 4);
    const x = factorization.solve(b);
    const sum = zeros(b.rows, 1);
    sum.data.fill(1);
    factorization.applyUnchecked(sum, b, 2, 3);
    expect(relativeError(sum, { ...x, data: Float64Array.from(x.data, (v) => 3 + 2 * v) })).toBeLessThanOrEqual(
      4 * EPS,
    );
    const same = zeros(b.rows, 1);
    copyInto(same, b);
    factorization.solve(same, same);
    expect(same.data).toEqual(x.data);
    factorization.release();
    expect(() => factorization.solve(b)).toThrow(OptionError);
  });

  it('preconditions: fewer_iterations_the_more_memory_and_never_indefinite', async () => {
    const model = await digitModel([6, 3, 6], 40, team, { pool: 4 });
    const exact = denseGaussNewton(model);
    const largest = eigenvalues(exact).at(-1)!;
    const b = randomMatrix(exact.rows, 1, 8);
    for (const λ of [1e-3 * largest, 1e-5 * largest]) {
      const operator = shifted(denseOperator(exact, true, { blas: team.blas }), λ);
      const run = (preconditioner?: LinearOperator): number => {
        const solution = conjugateGradients(operator, b, zeros(b.rows, 1), {
          relativeTolerance: 1e-6,
          ...(preconditioner === undefined ? {} : { preconditioner }),
        });
        expect(solution.outcome).toBe('converged');
        return solution.iterations;
      };
      const counts = [run()];
      for (const share of [0.05, 0.1, 0.2]) {
        const matrix = await build(model, share);
        const factorization = await factorKronecker(matrix, { shift: λ }, { team });
        counts.push(run(factorization));
        factorization.release();
        matrix.release();
      }
      for (let k = 1; k < counts.length; k++) expect(counts[k]).toBeLessThanOrEqual(counts[k - 1]);
      expect(counts[3]).toBeLessThan(counts[0] / 4);
    }
  });

  it('has_the_same_bits_for_every_team', async () => {
    const model = await digitModel([6, 3, 6], 40, team, { pool: 4 });
    const results: Float64Array[] = [];
    for (const workers of [1, 2, 3]) {
      const other = await sharedTeam(workers);
      const matrix = await build(model, 0.2, other);
      const factorization = await factorKronecker(matrix, { shift: 1e-4 }, { team: other });
      results.push(factorization.solve(randomMatrix(matrix.rows, 2, 4)).data as Float64Array);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('refuses_bad_input', async () => {
    const model = randomModel({ widths: [6, 4, 5], activation: 'tanh', loss: 'mse', bias: false, samples: 8 });
    const plain = await kroneckerHierarchical(model, { tolerance: 0.1 }, { team });
    await expect(factorKronecker(plain, { shift: 1 }, { team })).rejects.toThrow(/preserve/);
    const matrix = await build(model, 10);
    for (const shift of [0, -1, Number.NaN])
      await expect(factorKronecker(matrix, { shift }, { team })).rejects.toBeInstanceOf(OptionError);
    const factorization = await factorKronecker(matrix, { shift: 1 }, { team });
    await expect(factorization.refactor(0)).rejects.toBeInstanceOf(OptionError);
    expect(() => factorization.solve(zeros(3, 1))).toThrow(ShapeError);
    expect(() => factorization.solve(zeros(matrix.rows, 1), zeros(matrix.rows, 2))).toThrow(ShapeError);
    const b = zeros(matrix.rows, 1);
    b.data[5] = Number.NaN;
    expect(() => factorization.solve(b)).toThrow(NonFiniteError);
  });
});
