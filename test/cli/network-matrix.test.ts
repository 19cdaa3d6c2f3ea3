/** hmatrix compress, factor and logdet of a network's curvature; samples and targets of one table. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { FactorRecord } from '#hmatrix/experiment/factor-run.js';
import type { CompressionRecord } from '#hmatrix/experiment/record.js';
import { readSplitTable } from '#hmatrix/experiment/split-columns.js';
import { readSampleTable } from '#hmatrix/experiment/sample-table.js';
import type { TableRecord } from '#hmatrix/experiment/table-record.js';
import { trainedModel } from '#hmatrix/experiment/table-run.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const rows = 40;
const cells = Float64Array.from(randomMatrix(rows, 4, 5).data);
/** Rows that lack a price, and a row that lacks x2. */
const [UNPRICED, WITHOUT_X2] = [[3, 17], 8];
const whole = Array.from({ length: rows }, (_, i) => i).filter((i) => !UNPRICED.includes(i) && i !== WITHOUT_X2);

beforeAll(async () => {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [a, b, c, price] = cells.slice(4 * i, 4 * i + 4);
    return [a, i === WITHOUT_X2 ? '' : b, UNPRICED.includes(i) ? 'NA' : price, c].join(',');
  });
  await writeFile(at('houses.csv'), `x1,x2,price,x3\n${lines.join('\n')}\n`);
  await writeFile(at('named.csv'), 'city,x1,price\nRome,1,2\nOslo,3,4\n');
  await writeFile(at('y.csv'), 'y\n1\n2\n');
});

const skip = ['--incomplete-rows', 'skip'];
const houses = (): string[] => ['--data', at('houses.csv'), '--target', 'price', ...skip];
const network = ['--network', '3-6-1', '--epochs', '1', '--bias'];

async function made<T>(args: readonly string[], most = 0): Promise<T> {
  const { status, stdout, stderr } = await hmatrix([...args, '--json']);
  expect(status, stderr).toBeLessThanOrEqual(most);
  return JSON.parse(stdout) as T;
}

/** log det(G + λI) of the network that the options describe, by Gaussian elimination. */
async function exactLogdet(shift: number): Promise<number> {
  const data = await readSampleTable(
    { path: at('houses.csv'), name: 'houses.csv' },
    undefined,
    {},
    {
      target: ['price'],
      incompleteRows: 'skip',
    },
  );
  const { model } = await trainedModel(
    {
      widths: [3, 6, 1],
      activation: 'tanh',
      loss: 'mse',
      bias: true,
      data: { ...data, name: '' },
      samples: whole.length,
      epochs: 1,
      batchSize: 50,
      learningRate: 1e-3,
      seed: 0,
    },
    { team: await sharedTeam(1) },
  );
  const source = gaussNewtonSource(model);
  const n = source.size;
  const all = Int32Array.from({ length: n }, (_, i) => i);
  const a = zeros(n, n);
  source.entries(all, all, a);
  for (let i = 0; i < n; i++) a.data[i * (n + 1)] += shift;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sum += Math.log(a.data[k * (n + 1)]);
    for (let j = k + 1; j < n; j++)
      for (let i = k + 1; i < n; i++)
        a.data[i + j * n] -= (a.data[i + k * n] * a.data[k + j * n]) / a.data[k * (n + 1)];
  }
  return sum;
}

describe('the matrix of a network', () => {
  it.each(['factor', 'logdet'])('%s_is_that_of_the_dense_one', async (command) => {
    const found = await made<FactorRecord>([command, ...network, ...houses(), '--shift', '0.1']);
    expect(found).toMatchObject({ input: { kind: 'network', size: 31 }, shift: 0.1, error: { decision: 'met' } });
    expect(Math.abs(found.logdet - (await exactLogdet(0.1)))).toBeLessThan(1e-9);
  });

  it('is_compressed_to_the_same_record_by_teams_of_any_size_and_saved', async () => {
    const args = ['compress', '--network', '16-6-16', '--data', at('wide.csv'), '--epochs', '1', '--leaf-size', '16'];
    const wide = randomMatrix(60, 16, 3).data;
    const lines = Array.from({ length: 60 }, (_, i) => wide.slice(16 * i, 16 * i + 16).join(','));
    await writeFile(at('wide.csv'), lines.join('\n'));
    const run = (workers: string): Promise<CompressionRecord> =>
      made<CompressionRecord>([...args, '--workers', workers, '--tolerance', '1e-2'], 3);
    const [one, two] = [await run('1'), await run('2')];
    expect(one.input).toMatchObject({ kind: 'network', size: 192, tables: [{ name: 'wide.csv' }] });
    expect(one.options.distance).not.toBe('given');
    expect([two.error, two.ranks]).toEqual([one.error, one.ranks]);
    const saved = await hmatrix([...args, '--tolerance', '1e-2', '--out', at('net.hm')]);
    expect(saved.stdout).toMatch(/^Gauss–Newton matrix of the network 16-6-16 \(tanh, mse\), n = 60 of wide\.csv/);
    expect((await made<FactorRecord>(['logdet', at('net.hm'), '--shift', '1'])).input.size).toBe(192);
  });

  it.each([
    [['compress', '--network', '3-1', '--kernel', 'gaussian'], /--kernel goes with --points, not with --network/],
    [['factor', '--network', '3-1', '--points', 'normal:9,2'], /Give one of .*not --points and --network/],
    [['logdet', '--samples', '9'], /--samples goes with --network/],
    [['logdet', '--network', '3-1', '--distance', 'geometric'], /--distance geometric needs points/],
  ])('refuses_by_name: %j', async (args, message) => {
    const { status, stdout, stderr } = await hmatrix(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('columns of one table', () => {
  it('are_taken_apart_and_lose_the_same_rows', async () => {
    const { points, values } = await readSplitTable(at('houses.csv'), ['price'], { incompleteRows: 'skip' });
    expect([points.count, points.dimension, values.dimension]).toEqual([whole.length, 3, 1]);
    expect(Array.from(values.coordinates)).toEqual(whole.map((i) => cells[4 * i + 3]));
    expect(Array.from(points.coordinates)).toEqual(whole.flatMap((i) => [0, 1, 2].map((k) => cells[4 * i + k])));
    expect(points.table).toMatchObject({ names: ['x1', 'x2', 'x3'], columns: [0, 1, 3], skippedRows: 3 });
    // Of columns that are not taken nothing needs to be there.
    const one = await readSplitTable(at('houses.csv'), [2], { columns: ['x3', 'x1'], incompleteRows: 'skip' });
    expect([one.points.count, one.points.table!.names, one.values.table!.names]).toEqual([38, ['x3', 'x1'], ['price']]);
  });

  it('are_inputs_and_targets_of_table_compress_and_solve', async () => {
    const taken = [
      { name: 'houses.csv', count: 37, dimension: 3, table: { names: ['x1', 'x2', 'x3'], skippedRows: 3 } },
      { name: 'houses.csv', count: 37, dimension: 1, table: { names: ['price'] }, role: 'targets' },
    ];
    const table = await made<TableRecord>(['table', ...network, ...houses(), '--methods', 'diagonal']);
    expect(table).toMatchObject({ samples: 37, tables: taken });
    for (const command of ['compress', 'solve']) {
      const shift = command === 'solve' ? ['--shift', '1'] : [];
      expect(await made([command, ...network, ...houses(), ...shift])).toMatchObject({ input: { tables: taken } });
    }
    const args = [
      'table',
      '--network',
      '2-4-1',
      '--epochs',
      '1',
      ...houses(),
      '--columns',
      'x3,0',
      '--methods',
      'diagonal',
    ];
    const { stdout } = await hmatrix(args);
    expect(stdout).toMatch(
      /houses\.csv: 38 rows of 2 numbers: columns "x3", "x1".*2 rows with missing values left out/,
    );
    expect(stdout).toMatch(/\ntargets: houses\.csv: 38 rows of 1 number: column "price"/);
  });

  it.each([
    [['--data', 'houses.csv', '--target', 'cost'], 2, /no column "cost"; there are "x1", "x2", "price", "x3"/],
    [
      ['--data', 'houses.csv', '--target', 'price'],
      1,
      /line 5, column "price": no value \(NA\).*--incomplete-rows skip/,
    ],
    [
      ['--data', 'houses.csv', '--target', 'price', '--columns', 'x1,price', ...skip],
      2,
      /"price" cannot be taken twice/,
    ],
    [['--data', 'houses.csv', '--target', 'x1,x2,x3,price', ...skip], 2, /all columns are taken for values/],
    [['--data', 'named.csv', '--target', 'price'], 1, /column "city": "Rome" is not a number\. Choose .*\(--columns\)/],
    [['--data', 'X.npy', '--target', 'price'], 2, /--target names a column of a table: it goes with --data FILE\.csv/],
    [
      ['--data', 'houses.csv', '--target', 'price', '--targets', 'y.csv'],
      2,
      /--target COLUMN.* or --targets FILE.*not/,
    ],
    [['--data', 'houses.csv', '--targets', 'y.csv', ...skip], 2, /no longer belong together.*--target/],
    [['--data', 'X.npy', '--columns', 'a'], 2, /--columns goes with a table of samples/],
    [['--data', 'X.npy', '--targets', 'y.csv', '--columns', 'a'], 2, /--columns chooses the columns of --data/],
  ] as [string[], number, RegExp][])('refuse_by_name: %j', async (args, status, message) => {
    for (const command of [['table'], ['compress'], ['solve', '--shift', '1']]) {
      const outcome = await hmatrix([...command, '--network', '3-1', ...args], { cwd: folder });
      expect(outcome).toMatchObject({ status, stdout: '' });
      expect(outcome.stderr).toMatch(message);
    }
  });
});
