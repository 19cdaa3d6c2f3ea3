/**
 * solve: residuals that are true, one and many right-hand sides, hierarchical matrices of every format, outcomes and
 * errors, the same bits on every team.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { block, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { Model } from '#hmatrix/network/model.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { preconditionerOf } from '#hmatrix/solve/preconditioners/make.js';
import type { PreconditionerName } from '#hmatrix/solve/preconditioners/table.js';
import { solve, solveSystem } from '#hmatrix/solve/solve.js';
import type { SolveOptions } from '#hmatrix/solve/options.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { gaussianSource, randomMatrix, relativeError } from '../support.js';
import { denseSolve, residualOf, norm2 } from '../krylov/systems.js';
import { sharedTeam } from '../teams.js';
import {
  FOR_ENTRIES,
  FOR_NETWORKS,
  kernelSubject,
  networkSubject,
  shiftedDense,
  SMALL,
  type Known,
} from './subjects.js';

const EPS = Number.EPSILON;
let team: Team;
let kernel: Known;
let network: Known;

beforeAll(async () => {
  team = await sharedTeam(2);
  kernel = kernelSubject(team);
  network = await networkSubject(team);
});

const { rank: _, ...HIERARCHICAL } = SMALL;

describe('a solve', () => {
  it.each([...FOR_NETWORKS, 'none', 'auto'] as (PreconditionerName | 'auto')[])(
    'meets_the_tolerance_with: %s',
    async (preconditioner) => {
      const { subject, norm, dense } = network;
      const shift = 1e-2 * norm;
      for (const columns of [1, 3]) {
        const b = randomMatrix(dense.rows, columns, 5);
        const solved = await solveSystem(
          subject.operator,
          b,
          { shift, preconditioner, making: SMALL, tolerance: 1e-9 },
          { team },
        );
        expect(solved.outcome).toBe('converged');
        expect(solved.residuals).toHaveLength(columns);
        const a = shiftedDense(dense, shift);
        for (let j = 0; j < columns; j++) {
          const residual = residualOf(a, b, solved.x, team.blas, j) / norm2(b, j);
          expect(residual).toBeLessThan(1e-9 * 1.01 + dense.rows * EPS * 100);
          expect(Math.abs(residual - solved.residuals[j])).toBeLessThan(dense.rows * EPS * 100);
        }
        expect(solved.residual).toBe(Math.max(...solved.residuals));
        expect(solved.history.length).toBeGreaterThan(0);
        if (preconditioner !== 'auto') expect(solved.preconditioner.name).toBe(preconditioner);
        // Twice the condition, twice the error of LAPACK's.
        expect(relativeError(solved.x, denseSolve(a, b, team.blas))).toBeLessThan(1e-9 * 102);
      }
    },
  );

  it('with_the_inverse_for_a_preconditioner_takes_one_or_two_iterations', async () => {
    const exact = { leafSize: 32, maxRank: 300, tolerance: 0 };
    for (const [{ subject, norm, dense }, preconditioner] of [
      [kernel, 'hss'],
      [kernel, 'hodlr'],
      [network, 'dual'],
    ] as const) {
      const { outcome, iterations } = await solveSystem(
        subject.operator,
        randomMatrix(dense.rows, 1, 1),
        {
          shift: 1e-3 * norm,
          preconditioner,
          making: exact,
          ...(subject.source === undefined ? {} : { source: subject.source }),
        },
        { team },
      );
      expect(outcome).toBe('converged');
      expect(iterations).toBeLessThanOrEqual(2);
    }
  });

  it('takes_its_shift_relative_to_the_norm', async () => {
    const { subject, norm } = kernel;
    const b = randomMatrix(300, 1, 1);
    const solved = await solveSystem(subject.operator, b, { shiftRelative: 1e-2, preconditioner: 'none' }, { team });
    expect(Math.abs(solved.norm! - norm)).toBeLessThan(1e-3 * norm);
    expect(solved.shift).toBe(1e-2 * solved.norm!);
    expect(
      (await solveSystem(subject.operator, b, { shift: norm, preconditioner: 'none' }, { team })).norm,
    ).toBeUndefined();
  });

  it('begins_from_a_guess_and_writes_where_asked', async () => {
    const { subject, norm, dense } = kernel;
    const b = randomMatrix(300, 1, 1);
    const shift = 0.1 * norm;
    const guess = denseSolve(shiftedDense(dense, shift), b, team.blas);
    const out = zeros(300, 1);
    const solved = await solveSystem(subject.operator, b, { shift, guess, out, preconditioner: 'none' }, { team });
    expect(solved.x).toBe(out);
    expect(solved.iterations).toBe(0);
    expect(relativeError(out, guess)).toBeLessThan(300 * EPS);
    const many = randomMatrix(300, 2, 3);
    const wide = randomMatrix(310, 2, 4);
    await solveSystem(
      subject.operator,
      many,
      { shift, out: block(wide, 5, 0, 300, 2), preconditioner: 'none' },
      { team },
    );
    expect(
      relativeError(block(wide, 5, 0, 300, 2), denseSolve(shiftedDense(dense, shift), many, team.blas)),
    ).toBeLessThan(1e-6);
  });

  it('takes_a_preconditioner_that_is_ready_and_leaves_it_to_the_caller', async () => {
    const { subject, norm } = kernel;
    const b = randomMatrix(300, 1, 1);
    const shift = 1e-2 * norm;
    const ready = await preconditionerOf(subject, 'hss', shift, SMALL, { team });
    const first = await solveSystem(subject.operator, b, { shift, preconditioner: ready }, { team });
    const second = await solveSystem(subject.operator, b, { shift, preconditioner: ready }, { team });
    expect(first.preconditioner.name).toBe('hss');
    expect(first.seconds).toMatchObject({ compress: 0, factor: 0 });
    expect(second.x.data).toEqual(first.x.data);
    const operator = await solveSystem(subject.operator, b, { shift, preconditioner: ready.operator! }, { team });
    expect(operator.preconditioner.name).toBe('given');
    expect(operator.x.data).toEqual(first.x.data);
    ready.release();
  });

  it('takes_and_gives_float32', async () => {
    const b = randomMatrix(300, 1, 1);
    const single = view(Float32Array.from(b.data), 0, 300, 1);
    const { x, outcome } = await solveSystem(
      diagonalOperator(new Float64Array(300).fill(3)),
      single,
      { shift: 1, tolerance: 1e-6, preconditioner: 'none' },
      { team },
    );
    expect(x.data).toBeInstanceOf(Float32Array);
    expect(outcome).toBe('converged');
  });
});

describe('hierarchical matrices', () => {
  const made = (format: 'hss' | 'hodlr' | 'fmm', size = 600) =>
    compress(
      gaussianSource(size, 3, 1, team.blas),
      { format, leafSize: 64, tolerance: 1e-6, maxRank: 64, ...(format === 'fmm' ? { budget: 0.1 } : {}) },
      { team },
    );

  it.each(['hss', 'hodlr'] as const)('%s_is_factored_itself', async (format) => {
    const matrix = await made(format);
    const { outcome, iterations, preconditioner, reason, residual } = await solveSystem(
      matrix,
      randomMatrix(600, 1, 2),
      { shift: 1, tolerance: 1e-12 },
      { team },
    );
    expect({ outcome, name: preconditioner.name }).toEqual({ outcome: 'converged', name: format });
    expect(iterations).toBeLessThanOrEqual(2);
    expect(residual).toBeLessThan(1e-12);
    expect(preconditioner.details['from']).toBe('itself');
    expect(reason).toMatch(/factored itself/);
  });

  it('fmm_is_solved_with_its_near_blocks_to_the_asked_residual', async () => {
    const matrix = await made('fmm');
    expect(matrix.elements.near).toBeGreaterThan(0);
    const dense = matrix.toDense();
    for (const source of [gaussianSource(600, 3, 1, team.blas), undefined]) {
      for (const columns of [1, 4]) {
        const b = randomMatrix(600, columns, 2);
        const options: SolveOptions = {
          shift: 1,
          tolerance: 1e-10,
          making: HIERARCHICAL,
          ...(source === undefined ? {} : { source }),
        };
        const { outcome, x, preconditioner } = await solveSystem(matrix, b, options, { team });
        expect({ outcome, name: preconditioner.name, from: preconditioner.details['from'] }).toEqual({
          outcome: 'converged',
          name: 'hss',
          from: source === undefined ? 'products' : 'entries',
        });
        for (let j = 0; j < columns; j++)
          expect(residualOf(shiftedDense(dense, 1), b, x, team.blas, j) / norm2(b, j)).toBeLessThan(2e-10);
      }
    }
  });
});

describe('the choice', () => {
  it('says_what_every_candidate_was_predicted_to_cost', async () => {
    const { subject, norm, dense } = network;
    const { reason, preconditioner } = await solveSystem(
      subject.operator,
      randomMatrix(dense.rows, 1, 1),
      { shift: 1e-9 * norm },
      { team },
    );
    expect(reason).toMatch(/^Tried none first: .* Left none after \d+ iterations at residual .* Predicted: /);
    for (const name of ['none', 'nystrom', 'hss', 'kfac', 'dual'])
      expect(reason).toMatch(new RegExp(`${name} (≥ )?[\\d.e+]+ Gflop`));
    expect(reason).toMatch(new RegExp(`Solved with ${preconditioner.name}[,.]`));
  });

  it('measures_nothing_where_what_needs_no_setup_is_done_meanwhile', async () => {
    const { subject, norm, dense } = network;
    const { reason, preconditioner, outcome } = await solveSystem(
      subject.operator,
      randomMatrix(dense.rows, 1, 1),
      { shift: norm },
      { team },
    );
    expect([outcome, preconditioner.name]).toEqual(['converged', 'none']);
    expect(reason).toMatch(/^Tried none first: .* Solved with none\.$/);
  });

  it('counts_products_that_tell_nothing_as_those_of_a_dense_matrix', async () => {
    const { subject, norm, dense } = kernel;
    const { rows, cols, symmetric, applyUnchecked, flops } = subject.operator;
    const foreign = { rows, cols, symmetric, applyUnchecked };
    const b = randomMatrix(dense.rows, 1, 1);
    const options = { shift: 1e-8 * norm };
    const [one, two, told] = [
      await solveSystem(foreign, b, options, { team }),
      await solveSystem(foreign, b, options, { team }),
      await solveSystem({ ...foreign, flops }, b, options, { team }),
    ];
    expect(one.reason).toMatch(/products were counted as those of a dense matrix/);
    expect(two.reason).toBe(one.reason);
    expect(two.x.data).toEqual(one.x.data);
    expect(told.reason).not.toMatch(/were counted/);
    expect(told.x.data).toEqual(one.x.data);
  });

  it('begins_with_the_diagonal_where_that_is_uneven', async () => {
    // Of the larger one measuring takes no longer than a few iterations.
    for (const n of [400, 2500]) {
      const dense = zeros(n, n);
      dense.data.fill(1e-8);
      for (let i = 0; i < n; i++) dense.data[i * (n + 1)] += 10 ** ((-6 * i) / n);
      const { outcome, iterations, preconditioner } = await solve(dense, new Float64Array(n).fill(1), {}, { team });
      expect([outcome, preconditioner.name]).toEqual(['converged', 'jacobi']);
      expect(iterations).toBeLessThan(10);
    }
  });

  it('takes_no_preconditioner_where_none_is_needed_and_one_where_it_pays', async () => {
    const { subject, norm, dense } = network;
    const b = randomMatrix(dense.rows, 1, 1);
    expect((await solveSystem(subject.operator, b, { shift: 10 * norm }, { team })).preconditioner.name).toBe('none');
    const many = randomMatrix(dense.rows, 200, 1);
    expect((await solveSystem(subject.operator, many, { shift: 1e-6 * norm }, { team })).preconditioner.name).not.toBe(
      'none',
    );
  });

  it('is_the_same_every_time', async () => {
    const { subject, norm, dense } = network;
    const b = randomMatrix(dense.rows, 1, 1);
    const [one, two] = [
      await solveSystem(subject.operator, b, { shift: 1e-3 * norm }, { team }),
      await solveSystem(subject.operator, b, { shift: 1e-3 * norm }, { team }),
    ];
    expect(two.reason).toBe(one.reason);
    expect(two.x.data).toEqual(one.x.data);
  });
});

describe('outcomes and errors', () => {
  const b = randomMatrix(20, 1, 1);
  const operator = diagonalOperator(Float64Array.from({ length: 20 }, (__, i) => 1 + i));

  it('an_unmet_tolerance_is_an_outcome_that_says_why', async () => {
    const short = await solveSystem(operator, b, { maxIterations: 2, preconditioner: 'none' }, { team });
    expect(short.outcome).toBe('maxIterations');
    expect(short.reason).toMatch(/After 2 iterations.*asked 1e-8/);
    const indefinite = await solveSystem(
      diagonalOperator(Float64Array.from({ length: 20 }, (__, i) => i - 10)),
      b,
      { preconditioner: 'none' },
      { team },
    );
    expect(indefinite.outcome).toBe('indefinite');
    expect(indefinite.reason).toMatch(/not positive definite/);
    const controller = new AbortController();
    const slow = {
      ...operator,
      applyUnchecked: (out: Matrix, x: Matrix, alpha: number, beta: number) => {
        controller.abort();
        operator.applyUnchecked(out, x, alpha, beta);
      },
    };
    expect((await solveSystem(slow, b, { preconditioner: 'none' }, { team, signal: controller.signal })).outcome).toBe(
      'aborted',
    );
  });

  it.each([
    ['a_negative_shift', { shift: -1 }, OptionError],
    ['a_negative_relative_shift', { shiftRelative: -1 }, OptionError],
    ['two_shifts', { shift: 1, shiftRelative: 1 }, OptionError],
    ['a_tolerance_out_of_range', { tolerance: 1 }, OptionError],
    ['a_preconditioner_there_is_not', { preconditioner: 'ilu' as PreconditionerName }, OptionError],
    ['kfac_without_a_network', { preconditioner: 'kfac' }, OptionError],
    [
      'a_source_of_another_size',
      {
        get source() {
          return gaussianSource(21, 2, 1, team.blas);
        },
      },
      ShapeError,
    ],
    ['an_out_of_another_size', { out: zeros(19, 1) }, ShapeError],
    ['a_guess_of_another_size', { guess: zeros(20, 2) }, ShapeError],
  ] as [string, SolveOptions, typeof OptionError][])('is_refused: %s', async (__, options, type) => {
    await expect(solveSystem(operator, b, options, { team })).rejects.toThrow(type);
  });

  it('right_hand_sides_that_do_not_fit_or_are_not_finite_are_refused', async () => {
    await expect(solveSystem(operator, zeros(19, 1), {}, { team })).rejects.toThrow(ShapeError);
    await expect(solveSystem(operator, zeros(20, 0), {}, { team })).rejects.toThrow(ShapeError);
    const bad = randomMatrix(20, 2, 1);
    bad.data[25] = Number.NaN;
    await expect(solveSystem(operator, bad, {}, { team })).rejects.toThrow(/row 5, column 1/);
    await expect(solveSystem(operator, bad, {}, { team })).rejects.toThrow(NonFiniteError);
    await expect(solveSystem({ ...operator, symmetric: false }, b, {}, { team })).rejects.toThrow(OptionError);
    await expect(solveSystem(operator, b, {}, { team, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });
});

describe('teams of 1, 2 and 3 workers', () => {
  const bits = async (teams: readonly Team[], run: (one: Team) => Promise<Matrix>): Promise<void> => {
    const found: Matrix[] = [];
    for (const one of teams) found.push(await run(one));
    for (const { data } of found.slice(1)) expect(data).toEqual(found[0].data);
  };
  const teams: Team[] = [];
  beforeAll(async () => {
    for (const workers of [1, 2, 3]) teams.push(await sharedTeam(workers));
  });

  it.each(FOR_ENTRIES)('give_the_same_bits_for_entries: %s', async (preconditioner) => {
    await bits(teams, async (one) => {
      const source = gaussianSource(300, 3, 1, one.blas);
      const operator = await entryOperator(source, { keepBytes: 0 }, { team: one });
      const { x } = await solveSystem(
        operator,
        randomMatrix(300, 2, 1),
        { shift: 1, preconditioner, making: SMALL, source },
        { team: one },
      );
      operator.release();
      return x;
    });
  });

  it.each([...FOR_NETWORKS, 'auto'] as (PreconditionerName | 'auto')[])(
    'give_the_same_bits_for_networks: %s',
    async (preconditioner) => {
      const model: Model = network.subject.model!;
      await bits(teams, async (one) => {
        const operator = gaussNewton(model, { blas: one.blas, team: one });
        const { x } = await solveSystem(
          operator,
          randomMatrix(operator.rows, 1, 1),
          { shift: 1e-2 * network.norm, preconditioner, making: SMALL },
          { team: one },
        );
        operator.release();
        return x;
      });
    },
  );
});
