/** Right-hand sides of tables, solutions that go to tables, and outputs whose names say another kind of file. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { view } from '#hmatrix/dense/matrix.js';
import { writeCsvMatrix } from '#hmatrix/io/csv-write.js';
import { readCsv } from '#hmatrix/io/csv.js';
import { readNpy, writeNpy } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const rows = 60;
const cells = randomMatrix(rows, 4, 7).data;
/** A row without y, and a row without x2. */
const [NO_Y, NO_X2] = [4, 30];
const whole = Array.from({ length: rows }, (_, i) => i).filter((i) => i !== NO_Y && i !== NO_X2);
const row = (i: number): number[] => Array.from(cells.slice(4 * i, 4 * i + 4));

beforeAll(async () => {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [x1, x2, y, z] = row(i);
    return [i % 2 === 0 ? 'Rome' : 'Oslo', x1, i === NO_X2 ? '' : x2, i === NO_Y ? 'NA' : y, z].join(',');
  });
  await writeFile(at('table.csv'), `city,x1,x2,y,z\n${lines.join('\n')}\n`);
  const y = whole.map((i) => row(i)[2]);
  await writeFile(at('y.csv'), `y\n${y.join('\n')}\n`);
  await writeNpy(at('y.npy'), { shape: [y.length], data: Float64Array.from(y) });
});

const table = (): string[] => ['--points', at('table.csv'), '--columns', 'x1,x2'];
const kernel = ['--kernel', 'gaussian', '--bandwidth', '0.7', '--shift', '0.1', '--tolerance', '1e-10'];
const skip = ['--incomplete-rows', 'skip'];

/** (K + λI)⁻¹ b of the whole rows, by Gaussian elimination. */
function exact(column: number): number[] {
  const n = whole.length;
  const x = whole.map(row);
  const a = x.map(([p, q]) => x.map(([r, s]) => Math.exp(-((p - r) ** 2 + (q - s) ** 2) / (2 * 0.49))));
  a.forEach((line, i) => (line[i] += 0.1));
  const b = x.map((line) => line[column]);
  for (let k = 0; k < n; k++)
    for (let i = k + 1; i < n; i++) {
      const factor = a[i][k] / a[k][k];
      for (let j = k; j < n; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

const near = (found: ArrayLike<number>, expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs(found[i] - value)).toBeLessThan(1e-7 * scale);
  });
};

describe('hmatrix solve --rhs-column', () => {
  it.each([
    ['with_its_file', ['--rhs', at('table.csv'), '--rhs-column', 'y']],
    ['alone', ['--rhs-column', 'y']],
    ['by_number', ['--rhs-column', '3']],
  ])('takes_a_column_of_the_table_of_points_and_drops_rows_together: %s', async (_name, rhs) => {
    const args = ['solve', ...table(), ...kernel, ...skip, ...rhs, '--out', at('x.npy')];
    const { status, stdout, stderr } = await hmatrix(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /58 points in 2 dimensions: columns "x1", "x2", values "y" .*2 rows with missing values left out/,
    );
    expect(stdout).toContain('1 right-hand side, column "y" of table.csv, ');
    const { shape, data } = await readNpy(at('x.npy'));
    expect(shape).toEqual([58]);
    near(data as Float64Array, exact(2));
  });

  it('takes_several_columns_and_writes_a_table', async () => {
    const args = ['solve', ...table(), ...kernel, ...skip, '--rhs-column', 'y,z', '--out', at('x.csv')];
    const { stdout } = await hmatrix([...args, '--json']);
    const record = JSON.parse(stdout) as SolveRecord;
    expect(record).toMatchObject({ vectors: 2, rightHandSide: 'columns "y", "z" of table.csv' });
    const { names, data } = await readCsv(at('x.csv'));
    expect(names).toEqual(['x1', 'x2']);
    near(
      Array.from(data).filter((_, k) => k % 2 === 0),
      exact(2),
    );
    near(
      Array.from(data).filter((_, k) => k % 2 === 1),
      exact(3),
    );
  });

  it('takes_a_column_of_another_table_of_as_many_rows_and_names_files_in_the_report', async () => {
    await hmatrix(['compress', ...table(), ...skip, '--bandwidth', '0.7', '--tolerance', '1e-12', '--out', at('k.hm')]);
    const saved = ['solve', at('k.hm'), '--shift', '0.1'];
    const csv = await hmatrix([
      ...saved,
      '--rhs',
      at('y.csv'),
      '--rhs-column',
      'y',
      '--header',
      'yes',
      '--out',
      at('x.npy'),
    ]);
    // Both columns make a row of the compressed matrix's points: rows without y are among them.
    expect(csv.status).toBe(1);
    expect(csv.stderr).toMatch(/y\.csv has 58 rows; the matrix is 59 × 59/);
    const limited = ['--limit', '58', '--points', 'normal:70,2', '--bandwidth', '1', '--shift', '1'];
    const npy = await hmatrix(['solve', ...limited, '--rhs', at('y.npy')]);
    expect(npy.stdout).toMatch(/1 right-hand side, y\.npy, /);
    const own = await hmatrix(['solve', ...limited, '--rhs', at('y.csv'), '--rhs-column', 'y']);
    expect(own.stdout).toMatch(/1 right-hand side, column "y" of y\.csv, /);
    expect((await hmatrix(['solve', ...limited])).stdout).toMatch(/1 right-hand side, seed 0, /);
  });

  it.each([
    [['--rhs', 'table.csv'], 2, /--rhs-column COLUMN, or .*numpy\.save.*writeMatrix/],
    [['--rhs', 'y.npy', '--rhs-column', 'y'], 2, /--rhs-column names a column of a table/],
    [['--rhs', 'y.csv', '--rhs-column', 'y', ...skip], 2, /no longer belong together.*--rhs-column/],
    [['--rhs-column', 'cost'], 2, /^hmatrix: .*no column "cost"; there are "city", "x1"/],
    [['--rhs-column', 'x1', ...skip], 2, /"x1" cannot be taken twice/],
    [['--rhs-column', 'y'], 1, /column "y": no value \(NA\).*--incomplete-rows skip/],
  ] as [string[], number, RegExp][])('refuses_by_name: %j', async (args, status, message) => {
    const outcome = await hmatrix(['solve', '--points', 'table.csv', '--columns', 'x1,x2', ...args], { cwd: folder });
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(outcome.stderr).toMatch(message);
  });
});

describe('outputs', () => {
  it('called_csv_or_tsv_are_tables_whose_numbers_come_back_as_they_are', async () => {
    for (const name of ['m.csv', 'm.tsv']) {
      const data = Float64Array.from([0.1, -1e-300, 1 / 3, 2 ** 53, 5e-324, -0.1]);
      await writeCsvMatrix(at(name), 'y', view(data, 0, 3, 2));
      const back = await readCsv(at(name));
      expect([back.rows, back.names]).toEqual([3, ['y1', 'y2']]);
      expect(Array.from(back.data)).toEqual([0, 1, 2].flatMap((i) => [data[i], data[i + 3]]));
    }
    const args = ['multiply', at('k.hm'), '--x', 'seeded', '--vectors', '1', '--out', at('y2.csv')];
    expect((await hmatrix(args)).status).toBe(0);
    expect((await readFile(at('y2.csv'), 'utf8')).split('\n')).toHaveLength(61);
  });

  it.each([
    [['compress', '--named', 'K02', '--size', '64', '--out', 'k.csv'], /a hierarchical matrix is written.*\.hm/],
    [['compress', '--named', 'K02', '--size', '64', '--record', 'k.npy'], /the record of the run in JSON .*\.json/],
    [
      ['solve', '--named', 'K02', '--size', '64', '--out', 'x.hm'],
      /a file of vectors .*\.npy, \.npz, \.safetensors, \.h5, \.hdf5, \.mtx, \.csv or \.tsv/,
    ],
    [['solve', '--named', 'K02', '--size', '64', '--out', 'x.json'], /a file of vectors .*\.npy/],
    [['factor', '--named', 'K02', '--size', '64', '--record', 'x.hm'], /the record of the run/],
    [['table', '--record', 'x.csv'], /the record of the run/],
    [['multiply', 'k.hm', '--x', 'seeded', '--out', 'y.txt'], /a file of vectors/],
  ] as [string[], RegExp][])('whose_name_says_another_kind_are_refused: %j', async (args, message) => {
    const outcome = await hmatrix(args, { cwd: folder });
    expect(outcome).toMatchObject({ status: 2, stdout: '' });
    expect(outcome.stderr).toMatch(message);
  });
});

describe('files of another kind', () => {
  it.each([
    ['info', 'table.csv'],
    ['multiply', 'y.npy', '--x', 'seeded'],
    ['solve', 'table.csv'],
    ['logdet', 'y.npy'],
    ['info', 'all.safetensors'],
    ['solve', 'all.npz:K'],
  ])('are_refused_with_their_options: %s %s', async (...args) => {
    const { status, stderr } = await hmatrix(args, { cwd: folder });
    expect(status).toBe(2);
    expect(stderr).toMatch(/is no matrix that hmatrix compress --out wrote\. Points go with --points/);
  });

  it('a_table_is_no_stored_matrix', async () => {
    const { status, stderr } = await hmatrix(['compress', '--matrix', 'table.csv'], { cwd: folder });
    expect(status).toBe(2);
    expect(stderr).toMatch(/a stored matrix is an \.npy file .*--points/);
  });
});
