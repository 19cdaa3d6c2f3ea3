/** hmatrix compare: its object, its report, its grids, and what it refuses. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareReport } from '#hmatrix/cli/compare-report.js';
import type { ComparisonRecord } from '#hmatrix/experiment/comparison-record.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, widestTable, type Outcome } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<Outcome> =>
  hmatrix(['compare', '--workers', '1', '--samples', '60', '--hidden', '6', ...args], { cwd: folder });
const grid = async (value: unknown): Promise<string> => {
  await writeFile(at('grid.json'), typeof value === 'string' ? value : JSON.stringify(value));
  return 'grid.json';
};

describe('hmatrix compare', () => {
  it('gives_the_object_that_it_promises_and_records_all_curves', async () => {
    const points = { adam: [{ learningRate: 0.01, batchSize: 12 }, { learningRate: 1e-9 }], kfac: [{ damping: 1 }] };
    const { status, stdout, stderr } = await run(
      ...['--optimizers', 'kfac,lbfgs', '--grid', await grid(points), '--target-loss', '2.2', '--seeds', '2'],
      ...['--epochs', '6', '--seed', '3', '--json', '--record', 'record.json'],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found = JSON.parse(stdout) as ComparisonRecord;
    expect(found.task).toMatchObject({
      network: '784-6-10',
      loss: 'cross-entropy',
      training: 48,
      validation: 12,
      seed: 3,
    });
    expect(found.targets).toEqual({ measure: 'loss', values: [2.2], of: 'validation', chosen: null });
    expect(found.budget).toEqual({ seconds: 60, epochs: 6 });
    // adam is always there, first where it was not named, and runs go round.
    expect(found.rows.map(({ optimizer, seed, settings }) => [optimizer, seed, settings['batchSize']])).toEqual(
      [3, 4].flatMap((seed) => [
        ['adam', seed, 12],
        ['kfac', seed, 500],
        ['lbfgs', seed, 'all'],
        ['adam', seed, 100],
        ['lbfgs', seed, 'all'],
      ]),
    );
    for (const row of found.rows) {
      expect(Object.keys(row)).toEqual(
        expect.arrayContaining(
          'optimizer settings seed reached seconds samples epochs loss accuracy blasShare'.split(' '),
        ),
      );
      expect(row.blasShare).toBeGreaterThan(0);
      expect(row.blasShare).toBeLessThanOrEqual(1);
      if (row.reached) expect(row.loss).toBeLessThanOrEqual(2.2);
      else expect(row.epochs).toBeGreaterThan(0);
    }
    const { best } = found;
    expect(new Set(best.map(({ optimizer }) => optimizer))).toEqual(new Set(['adam', 'kfac', 'lbfgs']));
    const adam = best.find(({ optimizer }) => optimizer === 'adam')!;
    expect(adam.settings).toEqual({ learningRate: 0.01, batchSize: 12 });
    expect(adam.ratioToAdam).toBe(1);
    const recorded = JSON.parse(await readFile(at('record.json'), 'utf8')) as ComparisonRecord;
    expect(recorded.rows.map(({ evaluations: _, ...row }) => row)).toEqual(found.rows);
    // Four evaluations an epoch.
    expect(recorded.rows[0].evaluations[0].step).toBe(1);
    expect(recorded.rows[0].evaluations.every(({ validationLoss }) => validationLoss !== null)).toBe(true);
  });

  it('gives_equal_seeds_equal_runs', async () => {
    const points = { adam: [{ learningRate: 0.003 }] };
    const args = [
      '--optimizers',
      'adam',
      '--grid',
      await grid(points),
      '--target-loss',
      '0',
      '--seeds',
      '2',
      '--epochs',
      '2',
    ];
    const losses = async (): Promise<(number | null)[]> => {
      const { status, stdout } = await run(...args, '--json');
      // Nobody reaches zero.
      expect(status).toBe(3);
      return (JSON.parse(stdout) as ComparisonRecord).rows.map(({ loss }) => loss);
    };
    const first = await losses();
    expect(first[0]).not.toBe(first[1]);
    expect(await losses()).toEqual(first);
  });

  it('reports_in_words_with_several_targets', async () => {
    const { status, stdout, stderr } = await run(
      ...['--optimizers', 'adam,ekfac-adam', '--target-accuracy', '0.01,0', '--seeds', '2', '--epochs', '3'],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/\ntarget: validation accuracy ≥ 0\.0 %, then validation accuracy ≥ 1\.0 %; 12 runs: /);
    expect(stdout).toMatch(/: grid small, 2 seeds each, 60 s or 3 epochs a run at most\n/);
    expect(stdout).toMatch(/│ adam.* of 2 │/);
    expect(stdout).toMatch(/\n {2}ekfac-adam: learningRate .*, batchSize 200; .* s … .* s[;\n]/);
    expect(stdout).toMatch(/\nTo validation accuracy ≥ 1\.0 %:\n┌/);
    expect(widestTable(stdout)).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/\nFirst to validation accuracy ≥ 1\.0 % in time is .*; in samples .*\.\n/);
    expect(stdout).not.toMatch(/One seed/);
  });

  it('prints_a_table_that_fits_a_terminal_whatever_the_numbers', async () => {
    await run('--optimizers', 'adam', '--target-loss', '2', '--epochs', '2', '--record', 'wide.json');
    const record = JSON.parse(await readFile(at('wide.json'), 'utf8')) as ComparisonRecord;
    const most = {
      ...record.best[0],
      ...{ optimizer: 'levenberg-marquardt' as const, seconds: 86_399.9999, least: 0.00001234, most: null },
      ...{ samples: 1_234_567, ratioToAdam: 123.456, reached: 10, runs: 10, measure: 0.00012345, tied: true },
    };
    const text = compareReport({ ...record, unevenScales: null, skipped: [], best: [most] }, false);
    expect(widestTable(text)).toBeLessThanOrEqual(80);
    expect(text).toMatch(/│ levenberg-marquardt │ 86400\.000 │ +123 │ 1,234,567 │ 10 of 10 │/);
    expect(text).toMatch(/\n {2}levenberg-marquardt: .*; 0\.0000123 s … missed; .*a tie with the first\n/);
  });

  it('takes_the_loss_that_adam_reaches_where_no_target_is_given', async () => {
    const { stdout, status } = await run('--optimizers', 'sgd', '--seeds', '1', '--epochs', '2');
    expect([0, 3]).toContain(status);
    expect(stdout).toMatch(/what adam with its default settings reaches in 10 epochs; 6 runs/);
    expect(stdout).toMatch(/One seed does not tell a tie/);
  });

  it('leaves_out_what_the_task_does_not_allow_and_counts_what_diverges', async () => {
    const wide = ['--hidden', '100', '--optimizers', 'newton,sgd', '--seeds', '1', '--epochs', '1', '--loss', 'mse'];
    const points = { adam: [{}], sgd: [{ learningRate: 1e25 }] };
    const { stdout } = await run(...wide, '--activation', 'relu', '--target-loss', '1', '--grid', await grid(points));
    expect(stdout).toMatch(/\nnewton left out: A matrix of \d+ parameters/);
    expect(stdout).toMatch(/\n1 of 2 runs diverged; they count as missed\.\n/);
    expect(stdout).toMatch(/No optimizer reached validation loss ≤ 1 with most of its seeds\./);
  });
});

describe('wrong usage of compare', () => {
  it.each([
    [['--optimizers', 'adam,kfca'], /There is no optimizer "kfca"/],
    [['--optimizers', 'all,adam'], /'all' stands alone/],
    [['--target-loss', '1', '--target-accuracy', '0.5'], /not both/],
    [['--target-accuracy', '0.5,2'], /It must be from 0 to 1/],
    [['--seeds', '0'], /It must be a whole number from 1/],
    [['--out', 'x.npz'], /unknown option '--out'/],
    [['--config', 'grid.json'], /there are|did you mean/],
  ])('is_refused: %j', async (args, message) => {
    await grid({ adam: [{}] });
    const { status, stdout, stderr } = await run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it.each([
    [{ adan: [{}] }, /grid\.json: there is no optimizer "adan": did you mean "adam"\?/],
    [{ adam: {} }, /"adam" must be an array of settings/],
    [{ adam: [] }, /at least one/],
    [{ adam: [3] }, /"adam" must be an array of settings/],
    [{ adam: [{ rate: 1 }] }, /adam has no option "rate"/],
    [{ adam: [{ learningRate: -1 }] }, /of adam is -1: it is a number above 0/],
    [{ adam: [{ batchSize: 0 }] }, /batch-?[sS]ize of adam in the grid is 0/],
    [{ adam: [{ rotateInputs: 1 }] }, /rotateInputs of adam in the grid is true or false/],
    ['{', /the grid is no JSON/],
  ])('of_grids_is_refused: %j', async (value, message) => {
    const { status, stdout, stderr } = await run('--grid', await grid(value));
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('names_a_grid_that_is_not_there', async () => {
    const { status, stderr } = await run('--grid', 'large');
    expect(status).toBe(1);
    expect(stderr).toMatch(/Cannot read large/);
  });
});
