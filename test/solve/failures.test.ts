/**
 * Systems that a solve cannot solve, or hardly: small networks, singular and slightly indefinite matrices, entries of
 * any size, what rounding leaves, float32.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { setTimeout as wait } from 'node:timers/promises';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { squaredNorm, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solveSystem } from '#hmatrix/solve/solve.js';
import type { SolveResult } from '#hmatrix/solve/options.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { randomModel } from '../curvature/brute-force.js';
import { denseSolve, filled, norm2, residualOf, withEigenvalues } from '../krylov/systems.js';
import { denseOf as denseOfSource, gaussianSource, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseOf, eigenvaluesOf, shiftedDense } from './subjects.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const frobenius = (a: Matrix): number => Math.sqrt(squaredNorm(a));

/** Each reported residual is that of x with the dense matrix, to the rounding of products with it. */
function expectTrue({ x, residuals, residual }: SolveResult, dense: Matrix, b: Matrix): void {
  const norm = frobenius(dense);
  for (let j = 0; j < b.cols; j++) {
    const length = norm2(b, j);
    if (length === 0) {
      expect([residuals[j], norm2(x, j)]).toEqual([0, 0]);
      continue;
    }
    const rounding = (dense.rows * 8 * EPS * norm * norm2(x, j)) / length;
    expect(Math.abs(residualOf(dense, b, x, team.blas, j) / length - residuals[j])).toBeLessThanOrEqual(
      rounding + 8 * EPS,
    );
  }
  expect(residual).toBe(Math.max(...residuals));
}

describe('the default solve of a small network', () => {
  const shapes = [
    [1, 1],
    [1, 1, 1],
    [2, 1, 1],
    [1, 3],
    [2, 8, 8, 2],
    [4, 10, 3],
    [13, 8, 1],
    [20, 1, 3],
    [5, 5, 5, 5],
  ];
  const cases = shapes.flatMap((widths, k) => LOSSES.map((loss, j) => ({ widths, loss, bias: (k + j) % 2 === 0 })));

  it('solves_for_every_shape_loss_and_shift_as_LAPACK_does', async () => {
    for (const { widths, loss, bias } of cases) {
      const operator = gaussNewton(randomModel({ widths, activation: 'tanh', loss, bias, samples: 7 }), {
        blas: team.blas,
        team,
      });
      const dense = denseOf(operator);
      const norm = eigenvaluesOf(dense, team.blas)[dense.rows - 1];
      for (const [relative, cols] of [
        [1e-6, 30],
        [1e-2, 1],
      ]) {
        const shift = relative * Math.max(norm, 1e-3);
        const b = randomMatrix(operator.rows, cols, 3);
        const solved = await solveSystem(operator, b, { shift }, { team });
        const system = shiftedDense(dense, shift);
        const what = `${widths.join('-')} ${loss} ${bias} ${relative} ${cols}`;
        expect([what, solved.outcome]).toEqual([what, 'converged']);
        expectTrue(solved, system, b);
        expect(relativeError(solved.x, denseSolve(system, b, team.blas))).toBeLessThan(1e-8 * (1 + 1 / relative));
      }
      operator.release();
    }
  });

  it('with_hss_asked_for_solves_too', async () => {
    for (const widths of shapes) {
      const operator = gaussNewton(randomModel({ widths, activation: 'tanh', loss: 'mse', bias: true, samples: 7 }), {
        blas: team.blas,
        team,
      });
      const { outcome, preconditioner } = await solveSystem(
        operator,
        randomMatrix(operator.rows, 2, 3),
        { shift: 1e-2, preconditioner: 'hss' },
        { team },
      );
      expect({ outcome, name: preconditioner.name }).toEqual({ outcome: 'converged', name: 'hss' });
      operator.release();
    }
  });

  it('passes_over_what_cannot_be_made_and_says_why', async () => {
    const operator = gaussNewton(
      randomModel({ widths: [13, 8, 1], activation: 'tanh', loss: 'mse', bias: true, samples: 50 }),
      { blas: team.blas, team },
    );
    const { outcome, reason, preconditioner } = await solveSystem(
      operator,
      randomMatrix(operator.rows, 200, 3),
      { shift: 1e-8, making: { share: 1e-9 } },
      { team },
    );
    expect(outcome).toBe('converged');
    const skipped = /Not (\w+), which cannot be made here: A share of 1e-9 cannot hold/.exec(reason);
    if (/^Chosen hss/.test(reason)) expect(skipped?.[1]).toBe('hss');
    else expect(preconditioner.name).not.toBe('hss');
    // A matrix that no factorization takes at any shift it would look for: the zero matrix.
    const zero = await compress(denseSource(zeros(80, 80)), { format: 'hss', leafSize: 16 }, { team });
    const solved = await solveSystem(zero, randomMatrix(80, 1, 1), {}, { team });
    expect(solved.outcome).toBe('singular');
    expect(solved.residual).toBe(1);
    operator.release();
    zero.release();
  });
});

describe('singular matrices', () => {
  const n = 40;
  const outer = (v: Float64Array): Matrix =>
    view(
      filled(n * n, (k) => v[k % n] * v[Math.floor(k / n)]),
      0,
      n,
      n,
    );
  const kinds: readonly (readonly [string, () => Matrix])[] = [
    ['all ones', () => outer(new Float64Array(n).fill(1))],
    ['rank one', () => outer(filled(n, (i) => 1 + Math.sin(i)))],
    [
      'half the rank',
      () =>
        withEigenvalues(
          filled(n, (i) => (i < n / 2 ? 1 + i / 4 : 0)),
          team.blas,
          5,
        ),
    ],
    ['zero', () => zeros(n, n)],
  ];

  it.each(kinds)(
    '%s: consistent_ones_are_solved_and_others_are_told_with_an_x_no_worse_than_zero',
    async (name, make) => {
      for (const scale of [1, 1e-200, 1e160]) {
        const unit = make();
        const dense = view(
          unit.data.map((value) => value * scale),
          0,
          n,
          n,
        );
        const consistent = zeros(n, 3);
        team.blas.gemm('N', 'N', 1, unit, randomMatrix(n, 3, 4), 0, consistent);
        for (const cols of [1, 3]) {
          for (const preconditioner of ['auto', 'none'] as const) {
            for (const [b, right] of [
              [view(consistent.data, 0, n, cols), 'converged'],
              [randomMatrix(n, cols, 6), 'singular'],
            ] as const) {
              const solved = await solveSystem(
                denseOperator(dense, true, { blas: team.blas }),
                b,
                { preconditioner },
                { team },
              );
              expect([name, scale, cols, preconditioner, solved.outcome]).toEqual([
                name,
                scale,
                cols,
                preconditioner,
                right,
              ]);
              expect(solved.residual).toBeLessThanOrEqual(right === 'converged' ? 1e-8 : 1 + n * EPS);
              // Dividing by the scale changes no residual, and keeps the squares of this check in range.
              if (scale === 1) expectTrue(solved, dense, b);
              if (right === 'singular') expect(solved.reason).toMatch(/singular to working precision/);
            }
          }
        }
      }
    },
  );

  it('compressed_and_factored_are_no_different', async () => {
    for (const format of ['hss', 'hodlr'] as const) {
      const matrix = await compress(denseSource(outer(new Float64Array(n).fill(1))), { format, leafSize: 8 }, { team });
      for (const cols of [1, 2]) {
        const b = randomMatrix(n, cols, 6);
        const solved = await solveSystem(matrix, b, {}, { team });
        expect(['singular', 'stagnated', 'indefinite']).toContain(solved.outcome);
        expect(solved.residual).toBeLessThanOrEqual(1 + n * EPS);
        expectTrue(solved, matrix.toDense(), b);
        const ones = view(new Float64Array(n * cols).fill(2), 0, n, cols);
        expect((await solveSystem(matrix, ones, {}, { team })).outcome).toBe('converged');
      }
      matrix.release();
    }
  });

  it('an_indefinite_matrix_is_told_from_a_singular_one_and_its_x_is_no_worse_than_zero', async () => {
    const dense = withEigenvalues(
      filled(n, (i) => (i === 3 ? -1e-6 : 10 ** (-i / 8))),
      team.blas,
      5,
    );
    for (const cols of [1, 3]) {
      const b = randomMatrix(n, cols, 6);
      const solved = await solveSystem(
        denseOperator(dense, true, { blas: team.blas }),
        b,
        { preconditioner: 'none', tolerance: 1e-12 },
        { team },
      );
      expect(solved.outcome).toBe('indefinite');
      expect(solved.residual).toBeLessThanOrEqual(1 + n * EPS);
      expectTrue(solved, dense, b);
    }
  });
});

describe('a tolerance below what rounding allows', () => {
  it('is_noticed_soon_for_one_and_for_many_right_hand_sides_and_the_best_iterate_is_kept', async () => {
    for (const [dimension, format] of [
      [1, 'hss'],
      [2, 'hodlr'],
    ] as const) {
      const count = 150;
      const { coordinates } = normalPoints(count, dimension, 3);
      const twice = new Float64Array(2 * coordinates.length);
      twice.set(coordinates);
      twice.set(coordinates, coordinates.length);
      const matrix = await compress(
        kernelSource({ dimension, count: 2 * count, coordinates: twice }, gaussian(3), { blas: team.blas }),
        { format, leafSize: 32, tolerance: 1e-8 },
        { team },
      );
      const dense = shiftedDense(matrix.toDense(), 1e-6);
      for (const cols of [1, 2, 5]) {
        const b = randomMatrix(2 * count, cols, 3);
        for (const tolerance of [1e-8, 1e-10]) {
          const solved = await solveSystem(matrix, b, { shift: 1e-6, tolerance }, { team });
          expect(['converged', 'stagnated']).toContain(solved.outcome);
          expect(solved.iterations).toBeLessThan(300);
          expectTrue(solved, dense, b);
          // ‖A‖‖x‖/‖b‖ is at most the condition number, 300·10⁶.
          expect(solved.residual).toBeLessThan(8 * EPS * 300e6);
          if (solved.outcome === 'stagnated') expect(solved.reason).toMatch(/rounding in float64 allows/);
        }
      }
      matrix.release();
    }
  });

  it('of_products_that_are_less_accurate_than_they_should_be_ends_too', async () => {
    // Conjugacy is lost by noise that no recurrence sees; the residual hovers for ever.
    const values = filled(200, (i) => 1 + i);
    const exact = diagonalOperator(values);
    let product = 0;
    const noisy = {
      ...exact,
      applyUnchecked: (out: Matrix, x: Matrix, alpha: number, beta: number) => {
        product++;
        const near = zeros(200, x.cols);
        for (let k = 0; k < x.cols; k++)
          for (let i = 0; i < 200; i++)
            near.data[i + k * 200] = x.data[x.offset + i + k * x.ld] * (1 + 1e-5 * Math.sin(i * 7 + product));
        exact.applyUnchecked(out, near, alpha, beta);
      },
    };
    for (const cols of [1, 4]) {
      const solved = await solveSystem(noisy, randomMatrix(200, cols, 1), { preconditioner: 'none' }, { team });
      expect(solved.outcome).toBe('stagnated');
      expect(solved.iterations).toBeLessThan(1500);
      expect(solved.residual).toBeLessThan(1e-2);
      expect(solved.reason).toMatch(/less accurate than float64/);
    }
  });
});

describe('float32', () => {
  const single = (a: Matrix): Matrix => view(Float32Array.from(a.data), 0, a.rows, a.cols);

  it('the_residual_is_that_of_the_x_that_is_handed_back_and_the_default_is_within_its_reach', async () => {
    const dense = denseOfSource(gaussianSource(300, 3, 1, team.blas));
    for (const shift of [1, 1e-3, 1e-6]) {
      const system = shiftedDense(dense, shift);
      const condition = eigenvaluesOf(system, team.blas)[299] / shift;
      for (const cols of [1, 3]) {
        const b = single(randomMatrix(300, cols, 3));
        for (const preconditioner of ['none', 'nystrom'] as const) {
          // Condition 3e7 is too much for 3,000 iterations without one.
          if (preconditioner === 'none' && shift < 1e-3) continue;
          const solved = await solveSystem(
            denseOperator(dense, true, { blas: team.blas }),
            b,
            { shift, preconditioner },
            { team },
          );
          expect(solved.x.data).toBeInstanceOf(Float32Array);
          expect(solved.outcome).toBe('converged');
          expectTrue(solved, system, b);
          expect(solved.residual).toBeLessThanOrEqual(solved.tolerance);
          expect(solved.tolerance).toBeLessThanOrEqual(Math.max(1e-8, 2 ** -20 * condition));
        }
        // With x in float64 the solution has all its digits.
        const out = zeros(300, cols);
        const wide = await solveSystem(
          denseOperator(dense, true, { blas: team.blas }),
          b,
          { shift, out, preconditioner: 'nystrom' },
          { team },
        );
        expect(wide.tolerance).toBe(1e-8);
        // At condition 3e8 rounding in float64 allows no more than about that: which side it falls on is the backend's.
        const level = wide.shortfall?.rounding?.level ?? 0;
        if (wide.outcome !== 'converged') {
          expect(shift).toBe(1e-6);
          expect(wide.outcome).toBe('stagnated');
          expect(level).toBeGreaterThan(1e-8);
        }
        expect(wide.residual).toBeLessThanOrEqual(Math.max(1e-8, level));
        expectTrue(wide, system, b);
        const asked = await solveSystem(
          denseOperator(dense, true, { blas: team.blas }),
          b,
          { shift, tolerance: 1e-12, preconditioner: 'nystrom' },
          { team },
        );
        expect(asked.outcome).toBe('stagnated');
        expect(asked.reason).toMatch(/x is of float32/);
        expectTrue(asked, system, b);
      }
    }
  });

  it('networks_in_float32_are_solved_by_default_and_a_smaller_tolerance_names_the_precision', async () => {
    const shape = { widths: [6, 5, 4], activation: 'tanh', loss: 'mse', bias: true, samples: 40 } as const;
    const operator = gaussNewton(randomModel({ ...shape, precision: 'f32' }), { blas: team.blas, team });
    const dense = denseOf(operator);
    const norm = eigenvaluesOf(dense, team.blas)[dense.rows - 1];
    for (const relative of [1, 1e-2, 1e-5]) {
      for (const cols of [1, 3]) {
        for (const b of [randomMatrix(operator.rows, cols, 3), single(randomMatrix(operator.rows, cols, 3))]) {
          const solved = await solveSystem(operator, b, { shift: relative * norm }, { team });
          expect(solved.outcome).toBe('converged');
          expect(solved.tolerance).toBeLessThanOrEqual(Math.max(1e-6, 2 ** -20 * (1 + 1 / relative)));
          const system = shiftedDense(dense, relative * norm);
          for (let j = 0; j < cols; j++)
            expect(residualOf(system, b, solved.x, team.blas, j) / norm2(b, j)).toBeLessThanOrEqual(
              2 * solved.tolerance,
            );
        }
        const asked = await solveSystem(
          operator,
          randomMatrix(operator.rows, cols, 3),
          { shift: relative * norm, tolerance: 1e-12 },
          { team },
        );
        expect(asked.outcome).toBe('stagnated');
        expect(asked.reason).toMatch(/products with A are of float32/);
        expect(asked.reason).not.toMatch(/condition number/);
      }
    }
    operator.release();
  });

  it('what_rounding_the_matrix_to_float32_costs_is_said_where_it_is_three_digits_or_more', async () => {
    const dense = denseOfSource(gaussianSource(200, 2, 1, team.blas));
    const source = denseSource(single(dense));
    const operator = await entryOperator(source, {}, { team });
    const b = randomMatrix(200, 1, 3);
    const said: string[] = [];
    const heard: string[] = [];
    const hear = (warning: Error): void => {
      heard.push(warning.message);
    };
    process.on('warning', hear);
    for (const shift of [10, 1e-4]) {
      await solveSystem(
        operator,
        b,
        { shift, source, tolerance: 1e-6 },
        {
          team,
          onProgress: ({ warning }) => {
            if (warning !== undefined) said.push(warning);
          },
        },
      );
      expect(said).toHaveLength(shift === 10 ? 0 : 1);
    }
    await wait(0);
    process.off('warning', hear);
    expect(said[0]).toMatch(/rounded to float32.*costs x about [4-7] of its 7 digits/);
    expect(heard).toEqual(said);
    operator.release();
  });
});

describe('factors in float32', () => {
  it('say_what_the_condition_number_costs_where_it_is_three_digits_or_more', async () => {
    for (const format of ['hss', 'hodlr'] as const) {
      const matrix = await compress(
        gaussianSource(200, 2, 1, team.blas),
        { format, leafSize: 32, tolerance: 1e-10 },
        { team },
      );
      const said: string[] = [];
      const control = {
        team,
        onProgress: ({ warning }: { warning?: string | undefined }) => {
          if (warning !== undefined) said.push(warning);
        },
      };
      const factorization = await factor(matrix, { shift: 50, precision: 'f32' }, control);
      expect(said).toEqual([]);
      await factorization.refactor(1e-3, control);
      expect(said).toHaveLength(1);
      expect(said[0]).toMatch(/Factored in float32 with λ = 0.001.*costs about [3-7] of 7 digits/);
      await factor(matrix, { shift: 1e-3 }, control);
      expect(said).toHaveLength(1);
    }
  });
});
