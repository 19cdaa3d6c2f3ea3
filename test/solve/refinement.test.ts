/**
 * Systems whose products evaluate all entries anew: corrections by a tight hierarchical matrix, each residual a true
 * one, tighter where one corrects too little, the race where none is left, the same bits on every team.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '#hmatrix/core/context.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { subjectOf } from '#hmatrix/approximation/subject.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { TeamControl } from '#hmatrix/parallel/team-control.js';
import type { Choice } from '#hmatrix/solve/candidates.js';
import { Corrections } from '#hmatrix/solve/corrections.js';
import { correctionsTo, type Refiner, type RefinementPlan } from '#hmatrix/solve/refinement-plan.js';
import { USUAL_RATES } from '#hmatrix/solve/machine-rates.js';
import { runRefined, type RefinedSystem } from '#hmatrix/solve/refinement.js';
import { solveSystem } from '#hmatrix/solve/solve.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { denseSolve, filled, norm2, residualOf, withEigenvalues } from '../krylov/systems.js';
import { denseOf, gaussianSource, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { shiftedDense } from './subjects.js';

let team: Team;
let other: Team;
beforeAll(async () => {
  [team, other] = [await sharedTeam(2), await sharedTeam(1)];
});

/** x of a dense system by corrections with M, as the refinement runs them. */
function corrected(a: Matrix, b: Matrix, inverse: (r: Matrix, d: Matrix) => void, steps: number): Corrections {
  const corrections = new Corrections(b);
  for (let k = 0; k < steps && corrections.residual > 1e-12; k++) {
    inverse(corrections.r, corrections.d);
    const product = corrections.advance();
    denseOperator(a, true, { blas: team.blas }).applyUnchecked(product, corrections.x, 1, 0);
    corrections.judge();
  }
  return corrections;
}

describe('corrections', () => {
  const n = 60;

  it('end_after_as_many_steps_as_MA_has_eigenvalues_whatever_these_are', () => {
    const a = withEigenvalues(
      filled(n, (i) => [0.2, 0.7, 1, 3][i % 4]),
      team.blas,
    );
    // The identity for M: plain refinement would diverge, ‖I − A‖ = 2.
    for (const cols of [1, 3]) {
      const b = randomMatrix(n, cols, 2);
      const done = corrected(a, b, (r, d) => d.data.set(r.data), 4);
      for (const estimated of done.estimated) expect(estimated).toBeLessThan(1e-12);
      // The accelerated iterate is verified by a product of its own.
      done.d.data.fill(0);
      denseOperator(a, true, { blas: team.blas }).applyUnchecked(done.advance(), done.x, 1, 0);
      done.judge();
      const x = zeros(n, cols);
      done.write(x);
      expect(relativeError(x, denseSolve(a, b, team.blas))).toBeLessThan(1e-11);
      for (let j = 0; j < cols; j++)
        expect(Math.abs(residualOf(a, b, x, team.blas, j) / norm2(b, j) - done.residuals[j])).toBeLessThan(1e-13);
    }
  });

  it('with_a_near_inverse_leave_its_error_each_time_in_any_units', () => {
    const values = filled(n, (i) => 1 + i / 7);
    const a = view(new Float64Array(n * n), 0, n, n);
    const near = values.map((value, i) => (1 + 1e-3 * Math.sin(i)) / value);
    for (const scale of [1, 1e-200, 1e200]) {
      values.forEach((value, i) => (a.data[i * (n + 1)] = value));
      const b = view(
        randomMatrix(n, 2, 3).data.map((value) => value * scale),
        0,
        n,
        2,
      );
      const done = corrected(a, b, (r, d) => diagonalOperator(near).applyUnchecked(d, r, 1, 0), 3);
      expect(done.residual).toBeLessThan(1e-9);
      const x = zeros(n, 2);
      done.write(x);
      expect(x.data.every((value, i) => Math.abs((value / b.data[i]) * values[i % n] - 1) < 1e-8)).toBe(true);
    }
  });

  it('are_foreseen_from_their_rate', () => {
    expect(correctionsTo(1e-8, 1, 1e-4)).toBe(2);
    expect(correctionsTo(1e-8, 1e-9, 0.5)).toBe(0);
    // Accelerated, some ½√κ·ln(2/tolerance) of κ = 2.8.
    expect(correctionsTo(1e-8, 1, 0.9)).toBeLessThan(18);
    expect(correctionsTo(1e-8, 1, 40)).toBeGreaterThan(40);
  });
});

const SIZE = 500;
const SHIFT = 1e-3;

/** A refiner of this tolerance that is expected to leave `rate`. */
const refiner = (tolerance: number, rate: number, maxRank = 400): Refiner => ({
  prediction: {
    setup: 1e9,
    step: 1e8,
    iterations: 1,
    atLeast: false,
    details: `at ${tolerance}`,
    making: { tolerance, leafSize: 64, maxRank },
  },
  rate,
  corrections: correctionsTo(1e-8, 1, rate),
  total: 1e9,
});

async function refine(
  refiners: readonly Refiner[],
  given: Partial<RefinedSystem> = {},
  control: TeamControl = { team },
  otherwise = 1e12,
) {
  const source = gaussianSource(SIZE, 3, 0.5, control.team.blas);
  const operator = await entryOperator(source, { keepBytes: 0 }, control);
  const plan: RefinementPlan = { operator, source, refiners, first: 0, otherwise, reason: '', rates: USUAL_RATES };
  const b = given.b ?? randomMatrix(SIZE, 2, 5);
  const out = given.out ?? zeros(SIZE, b.cols);
  const choice: Choice = {
    reason: '',
    candidates: [
      {
        name: 'none',
        make: () =>
          Promise.resolve({
            name: 'none',
            bytes: 0,
            details: {},
            seconds: { compress: 0, factor: 0 },
            release: () => undefined,
          }),
      },
    ],
  };
  const system = {
    b,
    out,
    tolerance: 1e-8,
    roundoff: Number.EPSILON,
    subject: subjectOf(operator, { source }, control),
    shift: SHIFT,
    norm: 100,
    making: {},
    ...given,
  };
  const done = await runRefined(plan, choice, system, control);
  done.release();
  operator.release();
  return { ...done, b, out, dense: shiftedDense(denseOf(source), SHIFT) };
}

/** The residuals that are told are those of X with the dense matrix. */
function expectTrue({ solution, dense, b, out }: Awaited<ReturnType<typeof refine>>, slack = 1e-11): void {
  const residuals = 'residuals' in solution ? solution.residuals : [solution.residual];
  residuals.forEach((residual, j) => {
    expect(Math.abs(residualOf(dense, b, out, team.blas, j) / norm2(b, j) - residual)).toBeLessThan(slack);
  });
}

describe('a system of dear products', () => {
  it('is_solved_by_a_few_of_them_with_the_same_bits_on_every_team', async () => {
    const done = await refine([refiner(1e-9, 1e-4)]);
    expect(done.solution.outcome).toBe('converged');
    expect(done.solution.iterations).toBeLessThanOrEqual(4);
    expect(done.solution.products).toBe(2 * done.solution.iterations);
    expectTrue(done);
    const again = await refine([refiner(1e-9, 1e-4)], {}, { team: other });
    expect(again.out.data).toEqual(done.out.data);
    expect(again.solution.history).toEqual(done.solution.history);
  });

  it('takes_a_tighter_matrix_where_one_corrects_too_little_and_says_so', async () => {
    const done = await refine([refiner(1e-2, 1e-2), refiner(1e-9, 1e-4)]);
    expect(done.solution.outcome).toBe('converged');
    expect(done.told.join(' ')).toMatch(/a tighter one is made/);
    expectTrue(done);
  });

  it('goes_on_with_the_others_from_x_where_none_is_left', async () => {
    const done = await refine([refiner(1e-1, 1e-2, 4)], {}, { team }, 1e8);
    expect(done.solution.outcome).toBe('converged');
    expect(done.used.name).toBe('none');
    expect(done.told.join(' ')).toMatch(/given up.* others go on/);
    expect(done.solution.history).toHaveLength(done.solution.iterations + 1);
    expectTrue(done);
  });

  it('passes_over_a_matrix_that_cannot_be_made', async () => {
    const done = await refine([refiner(1e-9, 1e-4)], { making: { memoryLimit: 1e3 } });
    expect(done.told.join(' ')).toMatch(/which cannot be made here/);
    expect(done.solution.outcome).toBe('converged');
  });

  it('begins_at_a_guess_and_needs_nothing_for_zero_or_for_the_solution', async () => {
    const { out, dense, b } = await refine([refiner(1e-9, 1e-4)]);
    const known = await refine([refiner(1e-9, 1e-4)], { guess: out });
    expect({ outcome: known.solution.outcome, iterations: known.solution.iterations }).toEqual({
      outcome: 'converged',
      iterations: 0,
    });
    expect(known.used.name).toBe('none');
    expectTrue({ ...known, dense, b });
    const zero = await refine([refiner(1e-9, 1e-4)], { b: zeros(SIZE, 1), guess: randomMatrix(SIZE, 1, 1) });
    expect([zero.solution.residual, norm2(zero.out)]).toEqual([0, 0]);
    const far = await refine([refiner(1e-9, 1e-4)], { guess: randomMatrix(SIZE, 2, 9) });
    expect(far.solution.outcome).toBe('converged');
    expectTrue(far);
  });

  it('ends_at_the_most_iterations_at_rounding_and_where_the_signal_fires_with_the_best_x', async () => {
    const few = await refine([refiner(1e-3, 0.3)], { maxIterations: 1 });
    expect(few.solution.outcome).toBe('maxIterations');
    expectTrue(few);
    const below = await refine([refiner(1e-11, 1e-6)], { tolerance: 1e-17 });
    expect(below.solution.outcome).toBe('stagnated');
    expectTrue(below);
    let products = 0;
    const aborting = {
      team,
      signal: {
        get aborted() {
          return products > 1;
        },
      },
      onProgress: ({ phase }: Progress) => {
        if (phase === 'refinement') products++;
      },
    };
    const aborted = await refine([refiner(1e-3, 0.3)], { tolerance: 1e-15 }, aborting);
    expect(aborted.solution.outcome).toBe('aborted');
    expect(aborted.solution.iterations).toBe(1);
    expect(aborted.solution.residual).toBeLessThan(1);
    expectTrue(aborted);
  });

  it('hands_back_float32_with_the_residual_that_it_has_there', async () => {
    const done = await refine([refiner(1e-9, 1e-4)], { out: view(new Float32Array(2 * SIZE), 0, SIZE, 2) });
    expect(done.solution.outcome).toBe('stagnated');
    expect(done.solution.unrounded).toBeLessThan(1e-8);
    expectTrue(done, 1e-9);
  });
});

describe('solve of entries that are not kept', () => {
  it('refines_where_that_is_cheaper_says_what_it_takes_beforehand_and_claims_true_residuals', async () => {
    const size = 2600;
    const results: { readonly x: Matrix; readonly choice: string }[] = [];
    for (const one of [team, other]) {
      const source = kernelSource(normalPoints(size, 2, 1), matern32(1), { blas: one.blas });
      const operator = await entryOperator(source, { keepBytes: 0 }, { team: one });
      const b = randomMatrix(size, 1, 4);
      const told: Progress[] = [];
      const onProgress = (progress: Progress): unknown => told.push(progress);
      const solved = await solveSystem(operator, b, { source, shift: 1e-2 }, { team: one, onProgress });
      expect(solved.outcome).toBe('converged');
      expect(solved.choice).toMatch(/few are made. Predicted: \d+ corrections? .* Refined with hss \(rank \d+ at/);
      expect(solved.products).toBeLessThanOrEqual(3);
      const refinement = told.filter(({ phase }) => phase === 'refinement');
      expect(refinement[0].values?.['predictedSeconds']).toBeGreaterThan(0);
      expect(refinement.at(-1)?.values?.['residual']).toBe(solved.residual);
      expect(told.some(({ phase }) => phase === 'exact product')).toBe(true);
      const product = zeros(size, 1);
      shifted(operator, 1e-2).applyUnchecked(product, solved.x, 1, 0);
      const rest = Math.hypot(...product.data.map((value, i) => b.data[i] - value)) / norm2(b);
      expect(Math.abs(rest - solved.residual)).toBeLessThan(1e-11);
      results.push(solved);
      operator.release();
    }
    expect(results[1].x.data).toEqual(results[0].x.data);
    expect(results[1].choice).toBe(results[0].choice);
  });
});
