/** --values: rows judged by columns that are no coordinates, so that log det and solve are of one matrix; and hints. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FactorRecord } from '#hmatrix/experiment/factor-run.js';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const rows = 50;
const cells = randomMatrix(rows, 3, 11).data;
const [NO_X, NO_Y] = [7, 20];
const whole = Array.from({ length: rows }, (_, i) => i).filter((i) => i !== NO_X && i !== NO_Y);

beforeAll(async () => {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [x1, x2, y] = cells.slice(3 * i, 3 * i + 3);
    return [i % 2 === 0 ? 'Rome' : 'Oslo', i === NO_X ? '' : x1, x2, i === NO_Y ? 'NA' : y].join(',');
  });
  await writeFile(at('t.csv'), `city,x1,x2,y\n${lines.join('\n')}\n`);
});

const points = (): string[] => ['--points', at('t.csv'), '--columns', 'x1,x2', '--incomplete-rows', 'skip'];
const kernel = ['--kernel', 'gaussian', '--bandwidth', '0.7', '--tolerance', '1e-10'];
const LAMBDA = 0.1;

/** log det(K + λI) and yᵀ(K + λI)⁻¹y of the rows that are whole, by a dense Cholesky factorization. */
function exact(): { logdet: number; quadratic: number } {
  const n = whole.length;
  const l = Array.from({ length: n }, () => new Float64Array(n));
  const z = new Float64Array(n);
  let logdet = 0;
  let quadratic = 0;
  const entry = (i: number, j: number): number => {
    const [p, q] = [3 * whole[i], 3 * whole[j]];
    const r2 = (cells[p] - cells[q]) ** 2 + (cells[p + 1] - cells[q + 1]) ** 2;
    return Math.exp(-r2 / (2 * 0.49)) + (i === j ? LAMBDA : 0);
  };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = entry(i, j);
      for (let k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
      l[i][j] = i === j ? Math.sqrt(sum) : sum / l[j][j];
    }
    logdet += 2 * Math.log(l[i][i]);
    let right = cells[3 * whole[i] + 2];
    for (let k = 0; k < i; k++) right -= l[i][k] * z[k];
    z[i] = right / l[i][i];
    quadratic += z[i] ** 2;
  }
  return { logdet, quadratic };
}

describe('--values', () => {
  it('leaves_the_rows_of_solve_out_of_log_det_too', async () => {
    const { logdet, quadratic } = exact();
    const shift = ['--shift', `${LAMBDA}`, '--json'];
    const found = await hmatrix(['logdet', ...points(), '--values', 'y', ...kernel, ...shift]);
    expect(found.status, found.stderr).toBe(0);
    const record = JSON.parse(found.stdout) as FactorRecord;
    expect(record.input.size).toBe(whole.length);
    expect(record.input.table).toMatchObject({ names: ['x1', 'x2'], skippedRows: 2, leftOut: ['city'] });
    expect(record.input.table!.besides).toEqual([{ column: 3, name: 'y' }]);
    expect(Math.abs(record.logdet - logdet)).toBeLessThan(1e-6);
    const solved = await hmatrix(['solve', ...points(), ...kernel.slice(0, 4), '--rhs-column', 'y', ...shift]);
    expect(solved.status, solved.stderr).toBe(0);
    const solution = JSON.parse(solved.stdout) as SolveRecord;
    expect(solution.input.size).toBe(whole.length);
    expect(Math.abs(solution.quadratic![0] - quadratic)).toBeLessThan(1e-5 * quadratic);
  });

  it('is_said_by_factor_and_compress_and_by_solve_beside_a_column_of_b', async () => {
    for (const command of ['factor', 'compress'] as const) {
      const { status, stdout } = await hmatrix([command, ...points(), '--values', 'y', ...kernel]);
      expect(status).toBe(0);
      expect(stdout).toMatch(/48 points in 2 dimensions.*"x1", "x2", values "y".*2 rows with missing values left out/);
    }
    const both = ['--rhs-column', 'x2', '--columns', 'x1', '--values', 'y', '--shift', '0.1', '--json'];
    const { stdout, stderr, status } = await hmatrix([
      'solve',
      ...points().slice(0, 2),
      ...both,
      '--incomplete-rows',
      'skip',
    ]);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ vectors: 1, input: { size: whole.length } });
  });

  it('a_saved_matrix_is_solved_with_the_rows_that_it_is_of', async () => {
    const saved = at('K.hm');
    const made = await hmatrix(['compress', ...points(), '--values', 'y', ...kernel, '--out', saved, '--quiet']);
    expect(made.status, made.stderr).toBe(0);
    const b = ['--rhs', at('t.csv'), '--rhs-column', 'y', '--shift', `${LAMBDA}`];
    const without = await hmatrix(['solve', saved, ...b]);
    expect(without.stderr).toMatch(/no value \(NA\).*--incomplete-rows skip/);
    const { status, stdout, stderr } = await hmatrix(['solve', saved, ...b, '--incomplete-rows', 'skip', '--json']);
    expect(status, stderr).toBe(0);
    const { quadratic, rightHandSide } = JSON.parse(stdout) as SolveRecord;
    expect(Math.abs(quadratic![0] - exact().quadratic)).toBeLessThan(1e-5 * exact().quadratic);
    expect(rightHandSide).toBe('column "y" of t.csv');
  });

  it('a_saved_matrix_of_more_rows_or_of_another_table_says_what_to_do', async () => {
    const saved = at('all.hm');
    await hmatrix(['compress', ...points(), ...kernel, '--out', saved, '--quiet']);
    const b = ['--rhs', at('t.csv'), '--rhs-column', 'y', '--shift', '0.1', '--incomplete-rows', 'skip'];
    const { status, stderr } = await hmatrix(['solve', saved, ...b]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/49 rows.*48 have all of "y", "x1", "x2": compress with --values y --incomplete-rows skip/);
    const random = at('random.hm');
    await hmatrix(['compress', '--points', 'normal:50,2', ...kernel, '--out', random, '--quiet']);
    expect((await hmatrix(['solve', random, ...b])).stderr).toMatch(
      /is known where it was compressed from the table t\.csv/,
    );
  });

  it('goes_with_a_table_of_points_and_names_itself_where_it_is_wrong', async () => {
    for (const [args, message] of [
      [['compress', '--points', 'normal:50,2', '--values', 'y'], /--values goes with/],
      [['compress', '--network', '4-2-4', '--values', 'y'], /--values goes with --points/],
      [['compress', ...points(), '--values', 'city'], /"Rome" is not a number\. Choose .*\(--values\)/],
      [['compress', ...points(), '--values', 'z'], /no column "z"/],
      [['solve', ...points(), '--rhs-column', 'city'], /"Rome" is not a number\. Choose .*\(--rhs-column\)/],
      [['solve', ...points(), '--rhs', at('t.csv'), '--rhs-column', 'city'], /\(--rhs-column\)/],
    ] as const) {
      const { status, stderr } = await hmatrix(args);
      expect(status, stderr).not.toBe(0);
      expect(stderr).toMatch(message);
    }
  });
});

describe('hints of the command', () => {
  it.each<readonly [string, readonly string[], RegExp]>([
    ['noise', ['compress', '--noise', '1'], /unknown option '--noise': --ridge adds .*--shift adds/],
    ['lengthscale', ['logdet', '--length-scale', '1'], /unknown option '--length-scale': --bandwidth/],
    ['rbf', ['compress', '--points', 'normal:50,2', '--kernel', 'rbf'], /rbf is gaussian here/],
    ['ridge', ['solve', 'b.hm', '--ridge', '1'], /no other source\. --shift adds to its diagonal/],
    [
      'words',
      ['compress', '--points', 't.csv', '--columns', 'x1', 'x2'],
      /"x2" belongs to no option: .*--columns x1,x2/,
    ],
    ['a_file_too_many', ['solve', '--points', 't.csv', '--columns', 'x1', 'x2'], /--columns x1,x2/],
    ['arguments', ['info', 'a.hm', 'b.hm'], /hmatrix info takes 1 argument: "b\.hm" is one too many/],
    ['no_arguments', ['doctor', 'a.hm'], /hmatrix doctor takes options alone, no arguments: "a\.hm" is one too many/],
  ])('%s', async (_name, args, message) => {
    const { status, stderr } = await hmatrix(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('files_of_another_kind_are_named', async () => {
    const saved = at('named.hm');
    await hmatrix(['compress', '--points', 'normal:50,2', '--out', saved, '--quiet']);
    await writeFile(at('c.txt'), '1,2\n3,4\n');
    await writeFile(at('t.xlsx'), Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0));
    for (const [args, message] of [
      [['compress', '--points', saved], /It is a hierarchical matrix, .*hmatrix solve FILE/],
      [['compress', '--matrix', saved], /It is a hierarchical matrix/],
      [['compress', '--points', at('c.txt')], /It is text: .*call it \.csv or \.tsv/],
      [['compress', '--points', at('t.xlsx')], /It is a spreadsheet: save its sheet as \.csv/],
    ] as const) {
      const { status, stderr } = await hmatrix(args);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(message);
    }
  });

  it('multiply_takes_the_table_that_solve_wrote', async () => {
    const saved = at('m.hm');
    await hmatrix(['compress', '--points', 'normal:50,2', '--out', saved, '--quiet']);
    for (const vectors of ['1', '2']) {
      await hmatrix(['solve', saved, '--shift', '1', '--vectors', vectors, '--out', at('x.csv'), '--quiet']);
      const { status, stdout, stderr } = await hmatrix(['multiply', saved, '--x', at('x.csv'), '--json']);
      expect(status, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ size: 50, vectors: Number(vectors) });
    }
  });
});
