/** --data and --targets: samples of one's own in table, solve --network, table --preconditioners and demo. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PreconditionerRecord } from '#hmatrix/experiment/preconditioner-record.js';
import { readSampleTable, sampleDataSet, type NamedFile } from '#hmatrix/experiment/sample-table.js';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import type { TableRecord } from '#hmatrix/experiment/table-record.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { writeNpz } from '#hmatrix/io/npz.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const named = (name: string): NamedFile => ({ path: at(name), name });
const [rows, inputs, outputs] = [30, 4, 2];
const x = Float64Array.from(randomMatrix(rows, inputs, 1).data);
const y = Float64Array.from(randomMatrix(rows, outputs, 2).data);
const labels = Float64Array.from({ length: rows }, (_, i) => i % 3);
const csv = (data: Float64Array, cols: number, header = ''): string =>
  header + Array.from({ length: rows }, (_, i) => data.slice(i * cols, (i + 1) * cols).join(',')).join('\n');
const quick = ['--epochs', '1', '--methods', 'diagonal'];

beforeAll(async () => {
  await writeNpy(at('X.npy'), { shape: [rows, inputs], data: x });
  await writeNpy(at('y.npy'), { shape: [rows, outputs], data: y });
  await writeNpy(at('labels.npy'), { shape: [rows], data: labels });
  await writeNpy(at('short.npy'), { shape: [rows - 1], data: labels.slice(1) });
  await writeNpz(at('one.npz'), new Map([['whatever', { shape: [rows, inputs], data: x }]]));
  await writeNpz(
    at('both.npz'),
    new Map([
      ['x', { shape: [rows, inputs], data: x }],
      ['y', { shape: [rows, outputs], data: y }],
    ]),
  );
  await writeNpz(
    at('unclear.npz'),
    new Map([
      ['a', { shape: [1], data: Float64Array.of(1) }],
      ['b', { shape: [1], data: Float64Array.of(1) }],
    ]),
  );
  await writeFile(at('X.csv'), csv(x, inputs, 'a,b,c,d\n'));
  await writeFile(at('y.csv'), csv(y, outputs));
});

async function made<T>(args: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await hmatrix([...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

describe('samples of files', () => {
  it.each([
    ['X.npy', 'y.npy'],
    ['X.csv', 'y.csv'],
    ['one.npz', 'both.npz'],
    ['both.npz', 'both.npz'],
  ])('are_rows_whatever_the_file: %s %s', async (data, targets) => {
    const table = await readSampleTable(named(data), named(targets));
    const set = sampleDataSet({ inputs, outputs }, 'mse', table, 7);
    expect([set.samples, set.inputs, set.outputs]).toEqual([7, inputs, outputs]);
    const batch = set.batch(0, 7);
    expect(Array.from(batch.inputs.data.subarray(0, 7 * inputs))).toEqual(Array.from(x.subarray(0, 7 * inputs)));
    expect(Array.from(batch.targets.data.subarray(0, 7 * outputs))).toEqual(Array.from(y.subarray(0, 7 * outputs)));
  });

  it('are_their_own_targets_without_any_and_one_column_holds_class_labels', async () => {
    const own = sampleDataSet(
      { inputs, outputs: inputs },
      'mse',
      await readSampleTable(named('X.npy'), undefined),
      rows,
    );
    const { inputs: a, targets: b } = own.batch(0, rows);
    expect(Array.from(b.data)).toEqual(Array.from(a.data));
    const table = await readSampleTable(named('X.npy'), named('labels.npy'));
    const classes = sampleDataSet({ inputs, outputs: 3 }, 'cross-entropy', table, rows).batch(0, rows);
    for (let i = 0; i < rows; i++)
      expect(Array.from(classes.targets.data.subarray(3 * i, 3 * i + 3))).toEqual(
        [0, 1, 2].map((k) => Number(k === labels[i])),
      );
    // Of an mse the same column is a number.
    const regression = sampleDataSet({ inputs, outputs: 1 }, 'mse', table, rows).batch(0, rows);
    expect(Array.from(regression.targets.data)).toEqual(Array.from(labels));
  });
});

describe('the commands', () => {
  it('table_takes_all_rows_where_no_number_of_samples_is_given_and_says_what_was_taken', async () => {
    const args = ['table', '--network', '4-3-2', '--data', at('X.csv'), '--targets', at('y.npy'), ...quick];
    expect(await made<TableRecord>(args)).toMatchObject({
      samples: rows,
      data: 'X.csv and y.npy',
      tables: [{ name: 'X.csv', count: rows, dimension: inputs, table: { names: ['a', 'b', 'c', 'd'] } }],
    });
    expect((await made<TableRecord>([...args, '--samples', '10'])).samples).toBe(10);
    const { stdout } = await hmatrix(args);
    expect(stdout).toContain('n = 30 of X.csv and y.npy');
    expect(stdout).toContain('\nX.csv: 30 rows of 4 numbers: columns "a", "b", "c", "d" (named by the first row)');
  });

  it('table_of_an_autoencoder_and_of_a_classifier', async () => {
    const own = ['table', '--network', '4-2-4', '--data', at('X.npy'), ...quick];
    expect((await made<TableRecord>(own)).data).toBe('X.npy');
    const classifier = ['--network', '4-3-3', '--loss', 'cross-entropy', '--targets', at('labels.npy')];
    expect((await made<TableRecord>(['table', ...classifier, '--data', at('X.npy'), ...quick])).samples).toBe(rows);
  });

  it('solve', async () => {
    const args = ['solve', '--network', '4-3-2', '--data', at('X.csv'), '--targets', at('y.csv'), '--epochs', '1'];
    const record = await made<SolveRecord>([...args, '--shift', '0.1']);
    expect(record.input).toMatchObject({ kind: 'network', size: 18, tables: [{ name: 'X.csv' }, { name: 'y.csv' }] });
    expect(record.input.name).toContain('n = 30 of X.csv and y.csv');
    expect((await hmatrix([...args, '--shift', '0.1'])).stdout).toMatch(
      /\nX\.csv: 30 rows of 4 numbers: columns .*\ntargets: y\.csv: 30 rows of 2 numbers: columns 0, 1 \(by number/,
    );
  });

  it('table_of_preconditioners_and_demo', async () => {
    const data = ['--network', '4-3-2', '--data', at('X.npy'), '--targets', at('y.npy'), '--epochs', '1'];
    const args = ['table', '--preconditioners', '--matrices', 'none', ...data, '--methods', 'none,jacobi'];
    const record = await made<PreconditionerRecord>(args);
    expect(record.networks).toMatchObject([{ network: '4-3-2', samples: rows, data: 'X.npy and y.npy' }]);
    const { status, stdout } = await hmatrix([
      ...['demo', ...data, '--methods', 'diagonal', '--high', '1'],
      ...['--report', at('demo.html')],
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/4-3-2 units sees 30 samples of .*X\.npy/);
  });

  it.each([
    [['--network', '5-3-2', '--data', 'X.npy', '--targets', 'y.npy'], 1, /takes 5 inputs, .*X\.npy have 4 numbers/],
    [['--network', '5-5', '--data', 'X.csv'], 1, /takes 5 .* 4 numbers.* Taken of X\.csv: columns "a", "b"/],
    [['--network', '4-3-3', '--data', 'X.npy', '--targets', 'y.npy'], 1, /gives 3 outputs, .*y\.npy have 2 numbers/],
    [['--network', '4-3-3', '--data', 'X.npy'], 1, /gives 3 outputs, and without targets each sample, of 4 numbers/],
    [['--network', '4-3', '--data', 'X.npy', '--targets', 'labels.npy'], 1, /gives 3 .*1 number:.*cross-entropy/],
    [['--network', '4-3', '--data', 'X.npy', '--targets', 'short.npy'], 1, /X\.npy has 30 rows, .*short\.npy 29/],
    [['--network', '4-4', '--data', 'unclear.npz'], 1, /which of its arrays holds the data\? There are "a", "b"/],
    [['--network', '4-2', '--loss', 'cross-entropy', '--data', 'X.npy'], 2, /--targets: .*on classes and needs labels/],
    [
      ['--network', '4-2', '--loss', 'cross-entropy', '--data', 'X.npy', '--targets', 'labels.npy'],
      2,
      /Label 2 of sample 2.*2 outputs/,
    ],
    [['--network', '4-4', '--data', 'X.npy', '--samples', '31'], 2, /--samples: X\.npy has 30 rows; 31 samples/],
    [['--network', '4-4', '--data', 'X.npy', '--images', 'i.gz'], 2, /--data does not go with --images/],
    [['--network', '4-4', '--data', 'X.npy', '--labels', 'l.gz'], 2, /--data does not go with --labels/],
    [['--network', '4-4', '--targets', 'y.npy'], 2, /--targets goes with --data/],
  ] as [string[], number, RegExp][])('refuse_by_name: %j', async (args, status, message) => {
    for (const command of [
      ['table', ...quick],
      ['solve', '--shift', '1', '--epochs', '1'],
    ]) {
      const outcome = await hmatrix([...command, ...args], { cwd: folder });
      expect(outcome).toMatchObject({ status, stdout: '' });
      expect(outcome.stderr).toMatch(message);
    }
  });

  it('say_of_images_in_a_table_what_was_taken_too', async () => {
    const args = ['--images', at('X.csv'), ...quick];
    expect((await hmatrix(['table', '--network', '4-2-4', '--samples', '20', ...args])).stdout).toContain(
      '\nX.csv: 20 rows of 4 numbers: columns "a", "b", "c", "d" (named by the first row)',
    );
    const { status, stderr } = await hmatrix(['table', '--network', '5-2-5', '--samples', '20', ...args]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/takes 5 inputs, the images have 4 pixels.* Taken of X\.csv: columns "a", "b", "c", "d"/);
  });

  it('need_a_network', async () => {
    expect((await hmatrix(['solve', '--named', 'K02', '--size', '64', '--data', at('X.npy')])).stderr).toMatch(
      /--data goes with --network/,
    );
    expect((await hmatrix(['table', '--preconditioners', '--data', at('X.npy')])).stderr).toMatch(
      /--data goes with --network/,
    );
  });
});
