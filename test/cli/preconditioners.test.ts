/** hmatrix table --preconditioners: its JSON, its tables, and what it says of bad input. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preconditionerReport } from '#hmatrix/cli/preconditioner-report.js';
import type { PreconditionerRecord } from '#hmatrix/experiment/preconditioner-record.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, widestTable } from './command.js';

const folder = temporaryFolder();
const network = ['--network', '196-3-196', '--samples', '30', '--epochs', '1'];

const recordOf = async (args: readonly string[]): Promise<PreconditionerRecord> => {
  const { status, stdout, stderr } = await hmatrix(['table', '--preconditioners', ...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as PreconditionerRecord;
};

describe('the record', () => {
  it('has_the_published_table_the_sweep_and_the_network', async () => {
    const record = await recordOf([
      ...network,
      '--matrices',
      'k02,exp',
      '--size',
      '256',
      '--methods',
      'none,nystrom-16',
    ]);
    expect(record).toMatchObject({ record: 'preconditioners', seed: 0, printed: { shift: 1, tolerance: 1e-3 } });
    // EXP is not in the published table.
    expect(
      record.printed.rows.map(({ matrix, size, budget, preconditioner }) => [matrix, size, budget, preconditioner]),
    ).toEqual([
      ['K02', 256, 0, 'hss'],
      ['K02', 256, 0.01, 'hss'],
      ['K02', 256, 0.01, 'none'],
    ]);
    expect(record.sweep.map(({ matrix, size, tolerance, rows }) => [matrix, size, tolerance, rows.length])).toEqual([
      ['K02', 256, 1e-8, 14],
      ['EXP', 256, 1e-8, 14],
    ]);
    expect(record.networks).toHaveLength(1);
    expect(record.networks[0]).toMatchObject({
      network: '196-3-196',
      size: 1176,
      samples: 30,
      activation: 'tanh',
      loss: 'mse',
      data: 'generated digits',
      tolerance: 1e-4,
    });
    expect(record.networks[0].rows.map(({ preconditioner }) => preconditioner)).toEqual(
      Array.from({ length: 4 }, () => ['none', 'nystrom-16']).flat(),
    );
    for (const { outcome, residual, iterations, seconds, share, bytes } of [
      ...record.sweep,
      ...record.networks,
    ].flatMap(({ rows }) => rows)) {
      expect(outcome).toBe('converged');
      expect(
        [residual, iterations, seconds.compress, seconds.factor, seconds.solve, seconds.total, share, bytes].every(
          (value) => Number.isFinite(value) && value! >= 0,
        ),
      ).toBe(true);
    }
    expect(JSON.stringify(record)).not.toContain(folder);
  });

  it('is_written_where_asked_and_nothing_is_printed_when_quiet', async () => {
    const path = join(folder, 'record.json');
    const { status, stdout } = await hmatrix([
      'table',
      '--preconditioners',
      ...network,
      '--matrices',
      'none',
      '--methods',
      'none',
      '--record',
      path,
      '--quiet',
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      record: 'preconditioners',
      sweep: [],
      printed: { rows: [] },
    });
  });
});

describe('the tables', () => {
  it('are_printed_for_people', async () => {
    const { status, stdout } = await hmatrix([
      'table',
      '--preconditioners',
      ...network,
      '--matrices',
      'K02',
      '--size',
      '256',
      '--methods',
      'none,jacobi',
    ]);
    expect(status).toBe(0);
    for (const text of [
      /As published: λ = 1/,
      /λ\/‖K‖ .*none │ +HSS │ +none, s │ +HSS, s │/,
      /λ\/λ_max .*1e-2.*1e-5.*%K/,
      /│ seconds .*1e-2.*1e-5.*factor/,
      /│ jacobi/,
      /196-3-196 \(tanh, mse\)/,
    ])
      expect(stdout).toMatch(text);
    expect(widestTable(stdout)).toBeLessThanOrEqual(80);
  });

  it('fit_a_terminal_whatever_the_numbers_and_how_solves_ended', () => {
    const seconds = { compress: 1e-7, factor: 1234.5678, solve: 0.00987654, total: 1234.5679 };
    const solve = { iterations: 2000, outcome: 'maxIterations', residual: 0.1, bytes: 1e9, share: 0.1234, details: {} };
    const rows = ['none', 'hss', 'kronecker-sum', 'block-jacobi'].flatMap((preconditioner) =>
      [1e-2, 1e-3, 1e-4, 1e-5].map((relativeShift) => ({ ...solve, preconditioner, relativeShift, seconds })),
    );
    const sweep = { rows, tolerance: 1e-8, maxIterations: 2000, productSeconds: 1e-7, size: 262_144, samples: 60_000 };
    const network = { network: '784-50-784', activation: 'tanh', loss: 'mse', data: 'digits', lambdaMax: 1, ...sweep };
    const printed = { matrix: 'MATERN', size: 262_144, budget: 0.1, preconditioner: 'hss', ...solve, seconds };
    const record = {
      printed: { rows: [{ ...printed, matvecError: 1.25e-12, solveError: 1.25e-12 }], shift: 1, tolerance: 1e-3 },
      sweep: [{ matrix: 'MATERN', ...sweep }],
      networks: [network],
      seed: 0,
      workers: 2,
      seconds: { total: 1 },
      memory: { peakBytes: 1 },
      blas: 'portable',
      gflops: { dgemm: 1 },
    } as unknown as PreconditionerRecord;
    const text = preconditionerReport(record, false);
    expect(widestTable(text)).toBeLessThanOrEqual(80);
    expect(text).toContain('2000*');
    expect(text).toContain('  * none at 0.01: maxIterations');
    expect(text).toContain('  * MATERN with hss: maxIterations');
  });
});

describe('wrong usage has status 2 and names the option', () => {
  it.each([
    [['--methods', 'none,magic'], /--methods.*"magic"/],
    [['--methods', 'rsvd'], /--methods.*"rsvd".*nystrom-RANK/],
    [['--methods', 'nystrom-0'], /--methods.*"nystrom-0"/],
    [['--matrices', 'K99'], /--matrices.*"K99".*k02/],
    [['--matrices', 'K02', '--size', '257', '--methods', 'none'], /256 and 289/],
    [['--low', '0.1'], /--low goes without --preconditioners/],
    [['--loss', 'mse'], /--loss goes with --network/],
    [['--labels', 'labels'], /--labels goes with --images/],
  ] as [string[], RegExp][])('%j', async (args, named) => {
    const { status, stdout, stderr } = await hmatrix([
      'table',
      '--preconditioners',
      ...network.slice(args.includes('--loss') ? 2 : 0),
      ...args,
    ]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(named);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it.each([
    [['--size', '256'], /--size goes with --preconditioners/],
    [['--methods', 'jacobi'], /--methods.*"jacobi".*hm, kronecker-sum, eigenbasis, rsvd/],
  ] as [string[], RegExp][])('without_preconditioners: %j', async (args, named) => {
    const { status, stderr } = await hmatrix(['table', ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(named);
  });
});
