/** The table of preconditioners: the published rows again, the sweep, networks, and what cannot be had. */
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { randomVectors } from '#hmatrix/experiment/compression-run.js';
import {
  planPreconditioners,
  PRECONDITIONER_CHOICES,
  printedLeafSize,
} from '#hmatrix/experiment/preconditioner-plan.js';
import type { PreconditionerRecord } from '#hmatrix/experiment/preconditioner-record.js';
import { runPreconditioners, type PreconditionerSetup } from '#hmatrix/experiment/preconditioner-run.js';
import { printedSolve } from '#hmatrix/experiment/printed-preconditioners.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { digitImages } from '#datasets/digits.js';
import { named } from '#datasets/named.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const nothing = (): Omit<PreconditionerSetup, 'printed' | 'swept' | 'networks'> => ({
  open: ({ name, size }) => named(name, size, { blas: team.blas }),
  methods: ['none'],
  seed: 0,
});
const at = (size: number, ...names: readonly string[]): { name: string; size: number }[] =>
  names.map((name) => ({ name, size }));
const ofMatrix = (record: PreconditionerRecord, name: string): PreconditionerRecord['sweep'][number]['rows'] =>
  record.sweep.find(({ matrix }) => matrix === name)!.rows;

describe('the published table', () => {
  // Steps fall with N, as ‖K‖_F/√N does: at these sizes they are those published.
  it.each([
    ['K02', 1, 65_536],
    ['K13', 1, 16_384],
    ['K15', 3, 65_536],
  ] as const)('%s_takes_%i_iterations_without_a_preconditioner_at_N_=_%i', async (name, iterations, size) => {
    const { operator } = named(name, size, { blas: team.blas });
    const solved = await printedSolve(shifted(operator!, 1), randomVectors(size, 1, 1), undefined, { team });
    expect({ outcome: solved.outcome, iterations: solved.iterations }).toEqual({ outcome: 'converged', iterations });
    expect(solved.solveError).toBeLessThan(1e-3);
  });

  it('has_three_rows_a_matrix_and_a_direct_solve_takes_no_iterations', async () => {
    const {
      printed: { rows, shift, tolerance },
    } = await runPreconditioners(
      { ...nothing(), printed: at(1024, 'COV', 'K02', 'K15'), swept: [], networks: [] },
      { team },
    );
    expect([shift, tolerance]).toEqual([1, 1e-3]);
    expect(rows.map(({ matrix, budget, preconditioner }) => [matrix, budget, preconditioner])).toEqual(
      ['COV', 'K02', 'K15'].flatMap((name) => [
        [name, 0, 'hss'],
        [name, 0.01, 'hss'],
        [name, 0.01, 'none'],
      ]),
    );
    for (const row of rows) {
      expect(row.outcome).toBe('converged');
      expect(row.solveError).toBeLessThan(1e-3);
      expect(row.matvecError).toBeLessThan(0.5);
      // λ = 1 on ‖K‖ = 1: a condition number of at most 2.
      expect(row.steps).toBeLessThanOrEqual(6);
      if (row.budget === 0)
        expect({ iterations: row.iterations, exact: row.solveError < 1e-12 }).toEqual({ iterations: 0, exact: true });
    }
  });

  it("has_leaves_of_a_row's_share_of_near_blocks", () => {
    expect([1024, 4096, 16_384, 65_536].map(printedLeafSize)).toEqual([16, 32, 128, 256]);
  });
});

describe('the sweep', () => {
  it('needs_no_more_iterations_with_HSS_than_without_and_reaches_the_true_residual', async () => {
    const record = await runPreconditioners(
      {
        ...nothing(),
        printed: [],
        swept: at(576, 'K02', 'K13', 'K15', 'COV', 'EXP', 'MATERN'),
        networks: [],
        shifts: [1, 1e-2, 1e-4],
      },
      { team },
    );
    expect(record.sweep.map(({ matrix }) => matrix)).toEqual(['K02', 'K13', 'K15', 'COV', 'EXP', 'MATERN']);
    for (const { matrix, rows, tolerance } of record.sweep) {
      expect(rows.map(({ preconditioner, relativeShift }) => [preconditioner, relativeShift])).toEqual(
        [1, 1e-2, 1e-4].flatMap((shift) => [
          ['none', shift],
          ['hss', shift],
        ]),
      );
      for (const { residual, outcome } of rows)
        expect({ matrix, outcome, met: residual! <= tolerance }).toEqual({ matrix, outcome: 'converged', met: true });
      const [plain, hss] = ['none', 'hss'].map((name) => rows.filter(({ preconditioner }) => preconditioner === name));
      plain.forEach(({ iterations }, k) => {
        expect(hss[k].iterations).toBeLessThanOrEqual(iterations);
      });
      // The smaller λ, the more there is to gain.
      expect(hss[2].iterations).toBeLessThan(plain[2].iterations / 4);
      for (const { seconds, share, bytes } of hss) {
        expect(seconds.total).toBeCloseTo(seconds.compress + seconds.factor + seconds.solve, 12);
        expect(share).toBe(bytes / (8 * 576 ** 2));
      }
    }
  });

  it('says_where_iterations_ran_out', async () => {
    const record = await runPreconditioners(
      { ...nothing(), printed: [], swept: at(400, 'K02'), networks: [], shifts: [1e-6], maxIterations: 5 },
      { team },
    );
    expect(ofMatrix(record, 'K02')[0]).toMatchObject({
      preconditioner: 'none',
      outcome: 'maxIterations',
      iterations: 5,
    });
  });

  it('is_the_same_for_any_number_of_workers_but_for_times', async () => {
    const alone = await sharedTeam(1);
    const setup = { ...nothing(), printed: at(400, 'K02'), swept: at(400, 'K15'), networks: [], shifts: [1e-3] };
    const numbers = ({ printed, sweep }: PreconditionerRecord): unknown => [
      printed.rows.map(({ steps, solveError, matvecError }) => [steps, solveError, matvecError]),
      sweep.map(({ rows }) => rows.map(({ iterations, residual }) => [iterations, residual])),
    ];
    expect(
      numbers(
        await runPreconditioners(
          { ...setup, open: ({ name, size }) => named(name, size, { blas: alone.blas }) },
          { team: alone },
        ),
      ),
    ).toEqual(numbers(await runPreconditioners(setup, { team })));
  });
});

describe('networks', () => {
  const network = (): PreconditionerSetup['networks'][number] => ({
    widths: [196, 4, 196],
    activation: 'tanh',
    loss: 'mse',
    samples: 40,
    epochs: 1,
    batchSize: 20,
    learningRate: 1e-3,
    data: { ...digitImages(40, 0), name: 'generated digits' },
  });

  it('have_a_row_for_each_preconditioner_and_shift', async () => {
    const methods = ['none', 'jacobi', 'kfac', 'nystrom-16', 'hss'];
    const {
      networks: [record],
    } = await runPreconditioners(
      { ...nothing(), printed: [], swept: [], networks: [network()], methods, networkShifts: [1e-1, 1e-2] },
      { team },
    );
    expect(record).toMatchObject({
      network: '196-4-196',
      size: 1568,
      samples: 40,
      activation: 'tanh',
      loss: 'mse',
      tolerance: 1e-4,
    });
    expect(record.rows.map(({ preconditioner, relativeShift }) => [preconditioner, relativeShift])).toEqual(
      [1e-1, 1e-2].flatMap((shift) => methods.map((method) => [method, shift])),
    );
    for (const { preconditioner, outcome, residual, shift, relativeShift } of record.rows) {
      expect({ preconditioner, outcome }).toEqual({ preconditioner, outcome: 'converged' });
      expect(residual).toBeLessThanOrEqual(1e-4);
      expect(shift).toBe(relativeShift * record.lambdaMax);
    }
  });

  it('have_rows_for_what_cannot_be_had', async () => {
    // K-FAC needs a network, and the memory for Nyström is not there.
    const {
      networks: [record],
    } = await runPreconditioners(
      {
        ...nothing(),
        printed: [],
        swept: [],
        networks: [network()],
        methods: ['none', 'nystrom-300'],
        networkShifts: [1e-2],
        memoryLimit: 2e6,
      },
      { team },
    );
    expect(record.rows[0].outcome).toBe('converged');
    expect(record.rows[1]).toMatchObject({ outcome: 'unavailable', residual: null, bytes: 0 });
    expect(record.rows[1].note).toBeTypeOf('string');
  });
});

describe('the plan', () => {
  it('knows_ranks_of_nystrom_and_refuses_other_names', () => {
    expect(planPreconditioners(['none', 'nystrom-64', 'nystrom', 'none'])).toMatchObject([
      { label: 'none', name: 'none' },
      { label: 'nystrom-64', name: 'nystrom', options: { rank: 64 } },
      { label: 'nystrom', name: 'nystrom', options: {} },
    ]);
    for (const names of [[], ['magic'], ['nystrom-0'], ['hss-3']])
      expect(() => planPreconditioners(names)).toThrow(OptionError);
    expect(() => planPreconditioners(['magic'])).toThrow(PRECONDITIONER_CHOICES.join(', '));
  });

  it('is_checked_before_anything_is_opened', async () => {
    const open = (): never => {
      throw new Error('opened');
    };
    await expect(
      runPreconditioners(
        { ...nothing(), open, methods: ['magic'], printed: at(400, 'K02'), swept: [], networks: [] },
        { team },
      ),
    ).rejects.toThrow(OptionError);
  });

  it('ends_when_it_is_aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(
      runPreconditioners({ ...nothing(), printed: at(400, 'K02'), swept: [], networks: [] }, { team, signal }),
    ).rejects.toThrow(/abort/i);
  });
});
