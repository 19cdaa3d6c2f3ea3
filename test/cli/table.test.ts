/** hmatrix table: its JSON, its tables, and what it says of bad input. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tableReport } from '#hmatrix/cli/table-report.js';
import type { TableRecord } from '#hmatrix/experiment/table-record.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { writeWeights } from '#hmatrix/network/weights-file.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const small = ['--network', '784-4-784', '--samples', '60', '--epochs', '2', '--low', '0.005', '--high', '0.02'];
const smallest = ['--network', '196-4-196', '--samples', '40', '--high', '0.1'];

/** An IDX file of bytes. */
function idx(shape: readonly number[], bytes: (k: number) => number): Buffer {
  const count = shape.reduce((product, n) => product * n, 1);
  const file = Buffer.alloc(4 + 4 * shape.length + count);
  file.set([0, 0, 8, shape.length]);
  shape.forEach((n, k) => file.writeUInt32BE(n, 4 + 4 * k));
  for (let k = 0; k < count; k++) file[4 + 4 * shape.length + k] = bytes(k);
  return file;
}

const table = async (args: readonly string[]): Promise<TableRecord> => {
  const { status, stdout, stderr } = await hmatrix(['table', ...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as TableRecord;
};

describe('the record', () => {
  it('has_a_row_for_each_method_with_share_error_eigenvalue_and_times', async () => {
    const record = await table(small);
    expect(record).toMatchObject({
      network: '784-4-784',
      size: 6272,
      seed: 0,
      activation: 'tanh',
      loss: 'mse',
      bias: false,
      samples: 60,
      data: 'generated digits',
      budgets: { low: 0.005, high: 0.02 },
      skipped: [],
    });
    expect(record.training.losses).toHaveLength(2);
    expect(record.training.losses[1]).toBeLessThan(record.training.losses[0]);
    expect(record.rows.map(({ method }) => method)).toEqual([
      'HM-low',
      'HM-high',
      'RSVD-low',
      'RSVD-high',
      'KFAC-low',
      'KFAC-high',
      'EKFAC',
      'Nystrom-low',
      'Nystrom-high',
    ]);
    const dense = 8 * 6272 ** 2;
    for (const { method, share, bytes, budget, error, lambdaMin, lambdaMinBound, seconds, note } of record.rows) {
      expect(share).toBe(bytes / dense);
      if (note === undefined) expect({ method, within: share <= budget }).toEqual({ method, within: true });
      expect(error.low <= error.relative && error.relative <= error.high).toBe(true);
      expect([lambdaMin, lambdaMinBound, seconds.build, seconds.apply].every(Number.isFinite)).toBe(true);
    }
    const of = Object.fromEntries(record.rows.map((row) => [row.method, row.error.relative]));
    // More memory, more accuracy; and of G of a narrow autoencoder the hierarchical matrix keeps the most.
    for (const method of ['HM', 'RSVD', 'Nystrom'])
      expect(of[`${method}-high`]).toBeLessThanOrEqual(of[`${method}-low`]);
    expect(of['HM-low']).toBeLessThan(Math.min(of['RSVD-low'], of['KFAC-high'], of['EKFAC'], of['Nystrom-low']));
    // Both are the nearest of their kind: EKFAC's diagonal is the best in K-FAC's basis.
    expect(of['EKFAC']).toBeLessThanOrEqual(of['KFAC-high']);
    expect(record.exact.rankBound).toBe(Math.min(6272, 60 * 784));
    expect(record.exact.lambdaMax).toBeGreaterThan(0);
  });

  it('is_the_same_for_any_number_of_workers_but_for_times', async () => {
    const args = [...smallest, '--methods', 'hm,rsvd,kfac'];
    const [one, two] = [await table([...args, '--workers', '1']), await table([...args, '--workers', '2'])];
    const numbers = ({ rows, training, exact }: TableRecord): unknown => [
      training.losses,
      exact.lambdaMax,
      rows.map(({ share, error, lambdaMin }) => [share, error.relative, lambdaMin]),
    ];
    expect(numbers(two)).toEqual(numbers(one));
  });

  it('holds_any_methods_and_says_what_does_not_fit', async () => {
    const record = await table([
      '--network',
      '196-3-196',
      '--samples',
      '40',
      '--methods',
      'HSS, diagonal,block-diagonal,hm',
      '--low',
      '0.002',
      '--high',
      '0.2',
    ]);
    expect([...record.rows.map(({ method }) => method), ...record.skipped.map(({ method }) => method)].sort()).toEqual([
      'HM-high',
      'HM-low',
      'HSS-high',
      'HSS-low',
      'block-diagonal',
      'diagonal',
    ]);
    // The form tells errors, but for HSS and where they are rounding: columns are compared, all at N = 1,176.
    for (const { method, compared, error } of record.rows) {
      expect({ method, compared }).toEqual({ method, compared: method.startsWith('HSS') || error.relative < 1e-10 });
      expect(error).toMatchObject({ exact: true, columns: 1176 });
    }
    expect(tableReport(record, false)).toContain(
      'exact by ‖G − G̃‖² = ‖G‖² − 2⟨G, G̃⟩ + ‖G̃‖², or exact by all columns; measured in',
    );
    const [first, ...rows] = record.rows;
    const error = { relative: 0.1, low: 0.08, high: 0.12, exact: false, columns: 500 };
    const sampled = tableReport({ ...record, rows: [{ ...first, compared: true, error }, ...rows] }, false);
    expect(sampled).toContain('± half a 95 % interval, from 500 columns, where it is estimated; measured in');
    expect(sampled).toContain('1.00e-1 ± 2e-2');
    for (const { reason } of record.skipped) expect(reason).toMatch(/share/);
    expect(record.skipped.map(({ method }) => method)).toContain('HSS-low');
  });

  it('takes_weights_as_they_are', async () => {
    const network = defineNetwork({ widths: [196, 3, 196], activation: 'sigmoid', bias: true });
    const weights = join(folder, 'weights.npz');
    await writeWeights(weights, network, initialParameters(network, 4));
    const args = [
      '--network',
      '196-3-196',
      '--activation',
      'sigmoid',
      '--bias',
      '--samples',
      '30',
      '--methods',
      'diagonal',
    ];
    const record = await table([...args, '--weights', weights]);
    expect(record).toMatchObject({
      size: 196 * 3 + 3 + 3 * 196 + 196,
      bias: true,
      training: { weights: 'weights.npz', epochs: 0, losses: [] },
    });
    // A file that this seed would have made: the same loss without training.
    expect((await table([...args, '--epochs', '0', '--seed', '4'])).rows).toHaveLength(1);
    const misfit = await hmatrix(['table', '--network', '196-4-196', '--weights', weights]);
    expect(misfit.status).not.toBe(0);
    expect(misfit.stderr).toMatch(/weights\.npz/);
  });

  it('is_written_where_asked_and_nothing_is_printed_when_quiet', async () => {
    const path = join(folder, 'record.json');
    const { status, stdout } = await hmatrix([
      'table',
      '--network',
      '196-2-196',
      '--samples',
      '20',
      '--methods',
      'diagonal',
      '--record',
      path,
      '--quiet',
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ record: 'table', network: '196-2-196' });
  });
});

describe('the data', () => {
  const images = join(folder, 'images.gz');
  const labels = join(folder, 'labels');
  const classifier = ['--network', '784-3-10', '--loss', 'cross-entropy'];
  const twenty = ['--images', images, '--samples', '20'];
  const [many, few] = [join(folder, 'many'), join(folder, 'few')];

  it('may_be_images_and_labels_of_IDX_files', async () => {
    await writeFile(images, gzipSync(idx([50, 28, 28], (k) => (k * 7919) % 256)));
    await writeFile(
      labels,
      idx([50], (k) => k % 10),
    );
    await writeFile(
      many,
      idx([100], (k) => k % 10),
    );
    await writeFile(
      few,
      idx([49], (k) => k % 10),
    );
    const record = await table([
      '--network',
      '784-3-10',
      '--activation',
      'relu',
      '--loss',
      'cross-entropy',
      '--samples',
      '50',
      '--epochs',
      '1',
      '--images',
      images,
      '--labels',
      labels,
      '--methods',
      'rsvd',
    ]);
    expect(record).toMatchObject({
      data: 'images.gz',
      loss: 'cross-entropy',
      activation: 'relu',
      exact: { rankBound: 500 },
    });
  });

  it.each([
    [
      'labels_out_of_range',
      ['--network', '784-3-5', '--loss', 'cross-entropy', '--images', images, '--labels', labels, '--samples', '50'],
      /Label 5 of sample 5 is out of range.*0 to 4/,
    ],
    [
      'labels_that_are_missing',
      ['--network', '784-3-10', '--loss', 'cross-entropy', '--images', images, '--samples', '50'],
      /--labels.*needs labels/,
    ],
    ['labels_of_no_images', ['--network', '784-3-10', '--labels', labels], /--labels goes with --images/],
    [
      'images_given_for_labels',
      ['--network', '784-3-10', '--loss', 'cross-entropy', '--images', images, '--labels', images, '--samples', '50'],
      /not labels/,
    ],
    ['labels_given_for_images', ['--network', '784-3-10', '--images', labels, '--samples', '50'], /not points/],
    ['too_few_images', ['--images', images, '--samples', '51'], /50 images; 51 samples/],
    ['more_labels_than_images', [...classifier, ...twenty, '--labels', many], /50 images, .*many 100 labels/],
    ['fewer_labels_than_images', [...twenty, '--labels', few], /50 images, .*few 49 labels/],
    [
      'images_of_another_size',
      ['--network', '100-3-100', '--images', images, '--samples', '50'],
      /100 inputs.*784 pixels/,
    ],
  ] as [string, string[], RegExp][])('is_refused: %s', async (_, args, message) => {
    const { status, stdout, stderr } = await hmatrix(['table', ...args]);
    expect([1, 2]).toContain(status);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('is_refused_where_a_file_is_damaged', async () => {
    const whole = await readFile(images);
    for (const [name, bytes, message] of [
      ['cut.gz', whole.subarray(0, whole.length - 200), /cut\.gz.*truncated/],
      ['foreign', Buffer.from([0, 0, 7, 3, 0, 0, 0, 1]), /foreign.*IDX/],
    ] as const) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const { status, stderr } = await hmatrix(['table', '--images', path, '--samples', '20']);
      expect(status).toBe(1);
      expect(stderr).toMatch(message);
    }
  });

  const mnist = resolve(import.meta.dirname, '../../../shared/data/mnist/t10k-images-idx3-ubyte.gz');
  const there = existsSync(mnist);
  it.skipIf(!there)(
    `may_be_MNIST${there ? '' : ' (skipped: the MNIST images are not in the shared data folder)'}`,
    async () => {
      const { rows, data } = await table([
        '--network',
        '196-4-196',
        '--samples',
        '100',
        '--images',
        mnist,
        '--methods',
        'hm,kfac',
      ]);
      expect(data).toBe('t10k-images-idx3-ubyte.gz');
      expect(rows[1].error.relative).toBeLessThan(rows[3].error.relative);
    },
  );
});

describe('networks of layers', () => {
  const quick = ['--samples', '20', '--epochs', '1', '--methods', 'rsvd,kfac,ekfac'];

  it('have_their_rows_at_1_and_5_percent', async () => {
    for (const [model, size] of [
      ['simple-cnn', 2698],
      ['transformer', 3840],
    ] as const) {
      const record = await table(['--model', model, ...quick]);
      expect(record).toMatchObject({ size, samples: 20, budgets: { low: 0.01, high: 0.05 }, skipped: [] });
      expect(record.rows.map(({ method }) => method)).toEqual([
        'RSVD-low',
        'RSVD-high',
        'KFAC-low',
        'KFAC-high',
        'EKFAC',
      ]);
      for (const { error, share, budget, method } of record.rows) {
        expect(error.low).toBeLessThanOrEqual(error.relative);
        expect(error.high).toBeGreaterThanOrEqual(error.relative);
        expect(error.relative).toBeLessThan(1);
        if (method.startsWith('RSVD')) expect(share).toBeLessThanOrEqual(budget);
      }
      // More memory, less error, beyond what the sample of columns leaves open.
      expect(record.rows[1].error.high).toBeLessThan(record.rows[0].error.low);
      expect(tableReport(record, false)).toMatch(/half a 95 % interval, from \d+ columns/);
    }
  });

  it('are_of_a_part_of_larger_ones', async () => {
    for (const [model, size] of [
      ['resnet20', 9610],
      ['transformer-layer', 8544],
    ] as const) {
      const record = await table(['--model', model, '--samples', '3', '--epochs', '1', '--methods', 'ekfac']);
      expect(record).toMatchObject({ size, samples: 3, budgets: { low: 0.01, high: 0.05 }, skipped: [] });
      for (const { error, share } of record.rows) {
        // Kept parts of G err less than nothing does.
        expect(error.low).toBeLessThan(1);
        expect(share).toBeLessThan(0.01);
      }
    }
  });

  it('of_images_read_files_as_mnist_has_them', async () => {
    const images = join(folder, 'images.idx');
    const labels = join(folder, 'labels.idx');
    await writeFile(
      images,
      idx([12, 28, 28], (k) => (k * k) % 251),
    );
    await writeFile(
      labels,
      idx([12], (k) => k % 10),
    );
    const args = ['--model', 'simple-cnn', '--samples', '10', '--epochs', '1', '--methods', 'kfac', '--images', images];
    const record = await table([...args, '--labels', labels]);
    expect([record.data, record.samples, record.size]).toEqual(['images.idx', 10, 2698]);
    expect((await hmatrix(['table', ...args])).stderr).toMatch(/--labels/);
  });

  it.each([
    [['--model', 'resnet50'], /--model.*simple-cnn/],
    [['--model', 'simple-cnn', '--network', '784-10'], /--network/],
    [['--model', 'simple-cnn', '--weights', 'w.npz'], /--weights does not go with --model/],
    [['--model', 'transformer', '--images', 'i.idx', '--labels', 'l.idx'], /leave out --images/],
    [['--model', 'simple-cnn', '--methods', 'hm,magic'], /--methods/],
  ] as [string[], RegExp][])('refuse %j', async (args, named) => {
    const { status, stderr } = await hmatrix(['table', ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(named);
  });
});

describe('wrong usage has status 2 and names the option', () => {
  it.each([
    [['--network', '784'], /--network.*784-10-784/],
    [['--network', '784-0-784'], /--network.*at least 1/],
    [['--network', '784--784'], /--network/],
    [['--activation', 'swish'], /--activation.*"swish".*tanh, sigmoid, relu/],
    [['--activation', 'tanh,relu,tanh'], /3 activations for 2 layers/],
    [['--loss', 'hinge'], /--loss.*mse/],
    [['--low', '0'], /--low/],
    [['--low', '1e-9'], /--low.*no vector of 15680 numbers.*rank 1 takes/],
    [['--low', '0.2', '--high', '0.1'], /--low.*above the high one/],
    [['--methods', 'hm,magic'], /--methods.*"magic".*hm, kronecker-sum, eigenbasis, rsvd/],
    [['--samples', '0'], /--samples/],
    [['--learning-rate', '0'], /--learning-rate/],
    [['--epochs', '-1'], /--epochs/],
    [['--frobnicate'], /--frobnicate/],
  ] as [string[], RegExp][])('%j', async (args, named) => {
    const { status, stdout, stderr } = await hmatrix(['table', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(named);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('and_too_little_memory_or_a_diverging_training_have_status_1', async () => {
    const little = await hmatrix(['table', '--memory-limit', '1M']);
    expect(little.status).toBe(1);
    expect(little.stderr).toMatch(/available.*--high.*--memory-limit/);
    const diverged = await hmatrix([
      'table',
      '--network',
      '196-3-196',
      '--activation',
      'relu',
      '--samples',
      '40',
      '--learning-rate',
      '1e200',
    ]);
    expect(diverged.status).toBe(1);
    expect(diverged.stderr).toMatch(/diverged.*learning rate/);
  });
});
