/** hmatrix train: what it trains, writes, resumes and refuses. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shownEvaluations } from '#hmatrix/cli/train-report.js';
import type { TrainingRecord } from '#hmatrix/experiment/training-run.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { meanLoss } from '#hmatrix/network/gradient.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { readWeights } from '#hmatrix/network/weights-file.js';
import { readSamples } from '#hmatrix/io/points.js';
import type { Evaluated } from '#hmatrix/training/train-options.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { hmatrix, hmatrixProcess, type Outcome } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<Outcome> => hmatrix(['train', '--workers', '1', ...args], { cwd: folder });
/** The record of a run that did what was asked. */
async function recordOf(...args: string[]): Promise<TrainingRecord> {
  const { status, stdout, stderr } = await run(...args, '--json');
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return JSON.parse(stdout) as TrainingRecord;
}
const quick = ['--samples', '60', '--hidden', '6', '--epochs', '2'];
const houses = ['--data', 'houses.csv', '--target', 'price'];

beforeAll(async () => {
  const values = randomMatrix(3, 50, 1).data;
  const lines = Array.from({ length: 50 }, (_, i) => {
    const [rooms, year, noise] = [5 + values[3 * i], 1990 + 10 * values[3 * i + 1], values[3 * i + 2]];
    return `${rooms},${year},${i === 7 ? 'NA' : 0.001 * noise},${200 * rooms + 2 * (year - 1990) + noise},${i % 3}`;
  });
  await writeFile(at('houses.csv'), `rooms,year,tax,price,class\n${lines.join('\n')}\n`);
});

describe('hmatrix train', () => {
  it('trains_on_generated_digits_as_it_comes', async () => {
    const { task, optimizer, outcome, evaluations, kept, best, batchSize, samples, record } = await recordOf(
      '--samples',
      '100',
      '--epochs',
      '3',
    );
    expect(record).toBe('training');
    expect(task).toEqual({
      network: '784-100-10',
      size: 785 * 100 + 101 * 10,
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      data: 'generated digits',
      training: 80,
      validation: 20,
      precision: 'f32',
      standardized: false,
      weights: null,
      seed: 0,
    });
    expect([optimizer.name, outcome, batchSize, samples, evaluations.length]).toEqual([
      'ekfac-adam',
      'finished',
      80,
      240,
      3,
    ]);
    expect(kept.which).toBe('best');
    expect(kept.loss).toBeCloseTo(best.validationLoss!, 5);
    expect(kept.accuracy).toBeCloseTo(best.validationAccuracy!, 10);
  });

  it('reports_in_words', async () => {
    const { status, stdout, stderr } = await run(...quick, '--optimizer', 'kfac', '--set', 'damping=1');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^network 784-6-10 \(tanh, cross-entropy\), N = 4,780 parameters, n = 48 of generated digits, 12/,
    );
    expect(stdout).toMatch(/\nkfac, batches of 48; damping 1\nlayers: 1 kfac: A .*; 2 kfac: A .*\n/);
    expect(stdout).toMatch(/│ best │ +2 │ +2 │/);
    expect(stdout).toMatch(
      /\nfinished 2 epochs; 2 steps in .* samples\/s, .*; steps on 1 thread, .* of memory; λ at the end 0\.774/,
    );
    expect(stdout).toMatch(
      /\nweights of the best evaluation \(epoch 2, step 2\): loss .*, accuracy .* % of validation data\n/,
    );
    expect((await run(...quick, '--quiet')).stdout).toBe('');
  });

  it('has_networks_that_fit_the_data', async () => {
    const networkOf = async (...args: string[]): Promise<string> => {
      const { task } = await recordOf('--steps', '1', ...args);
      return `${task.network} ${task.loss}`;
    };
    expect(await networkOf('--samples', '20', '--loss', 'mse')).toBe('784-128-32-128-784 mse');
    expect(await networkOf('--samples', '20', '--network', '196-5-196')).toBe('196-5-196 mse');
    expect(await networkOf('--samples', '20', '--network', '784-10')).toBe('784-10 cross-entropy');
    expect(await networkOf(...houses, '--columns', 'rooms,year')).toBe('2-32-1 mse');
    expect(await networkOf('--data', 'houses.csv', '--columns', 'rooms,year,price')).toBe('3-2-3 mse');
    const classes = ['--data', 'houses.csv', '--target', 'class', '--columns', 'rooms,year', '--loss', 'cross-entropy'];
    expect(await networkOf(...classes, '--hidden', '5-4')).toBe('2-5-4-3 cross-entropy');
  });

  it('sees_little_data_more_often_where_nothing_limits_it', async () => {
    const few = ['--columns', 'rooms,year', '--hidden', '2', '--optimizer', 'sgd', '--learning-rate', '1e-9'];
    const { epochs } = await recordOf(...houses, ...few);
    expect(epochs).toBe(500);
    expect((await recordOf(...houses, ...few, '--steps', '3')).steps).toBe(3);
  });

  it('advises_to_standardize_and_writes_weights_for_raw_data', async () => {
    const plain = [...houses, '--incomplete-rows', 'skip', '--hidden', '4', '--epochs', '60'];
    expect((await run(...plain)).stdout).toMatch(
      /very different scales .*tax about .* to year about 2000\): --standardize/,
    );
    for (const name of ['raw.npz', 'raw.safetensors']) {
      const args = [...plain, '--standardize', '--out', name];
      const { stdout, status } = await run(...args);
      expect(status).toBe(0);
      expect(stdout).toMatch(
        `in the data's own units; written to ${name}\nLosses of the table are of standardized data.`,
      );
      expect(stdout).not.toMatch('very different scales');
      const { kept, best } = await recordOf(...args);
      // Of the variance of prices, which is in the ten thousands.
      expect(best.validationLoss).toBeLessThan(1);
      const network = defineNetwork({ widths: [4, 4, 1] });
      const { parameters } = await readWeights(at(name), network, { precision: 'f64' });
      const columns = ['rooms', 'year', 'tax', 'class', 'price'];
      const table = await readSamples(at('houses.csv'), { columns, incompleteRows: 'skip' });
      const part = (first: number, rows: number) => {
        const out = { data: new Float64Array(rows * table.cols), offset: 0, rows, cols: table.cols, ld: rows };
        for (let j = 0; j < table.cols; j++)
          for (let i = 0; i < rows; i++) out.data[i + j * rows] = table.data[table.offset + first + i + j * table.ld];
        return out;
      };
      const data = memoryDataSet(part(0, 4), part(4, 1));
      const loss = meanLoss({ network, parameters, loss: 'mse', data });
      // Of all rows against those of validation: of the same size, far below the variance.
      expect(loss).toBeLessThan(10 * kept.loss + 100);
    }
  });

  it('begins_with_weights_of_a_file_and_gives_them_back', async () => {
    expect((await run(...quick, '--out', 'begin.npz', '--keep', 'last')).status).toBe(0);
    const before = await readWeights(at('begin.npz'));
    const again = ['--samples', '60', '--steps', '0', '--weights', 'begin.npz', '--activation', 'tanh'];
    const { task, kept } = await recordOf(...again, '--out', 'same.npz');
    expect([task.network, task.weights]).toEqual(['784-6-10', 'begin.npz']);
    expect((await readWeights(at('same.npz'))).parameters).toEqual(before.parameters);
    expect((await recordOf(...again, '--network', '784-6-10')).kept.loss).toBe(kept.loss);
    const standard = [...houses, '--columns', 'rooms,year', '--hidden', '3', '--standardize', '--precision', 'f64'];
    await recordOf(...standard, '--epochs', '20', '--out', 'houses.npz');
    const resumed = ['--steps', '0', '--weights', 'houses.npz', '--activation', 'tanh', '--out', 'houses2.npz'];
    await recordOf(...standard, ...resumed);
    const [first, second] = await Promise.all(['houses.npz', 'houses2.npz'].map((name) => readWeights(at(name))));
    second.parameters.forEach((value, k) => {
      expect(value).toBeCloseTo(first.parameters[k], 6);
    });
  });

  it('resumes_bit_for_bit', async () => {
    const args = ['--samples', '60', '--hidden', '6', '--checkpoint'];
    await recordOf(...args, 'whole', '--epochs', '4', '--out', 'whole.npz', '--keep', 'last');
    await recordOf(...args, 'parts', '--epochs', '2', '--metrics', 'steps.jsonl');
    const resume = [...args, 'parts', '--epochs', '4', '--resume', '--out', 'parts.npz', '--keep', 'last'];
    const { evaluations } = await recordOf(...resume);
    expect(evaluations.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    const [whole, parts] = await Promise.all(['whole.npz', 'parts.npz'].map((name) => readWeights(at(name))));
    expect(parts.parameters).toEqual(whole.parameters);
    expect((await readFile(at('steps.jsonl'), 'utf8')).split('\n').length).toBeGreaterThan(3);
    const other = await run(...resume, '--optimizer', 'adam');
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringMatching(/is of another run, with optimizer ekfac-adam/),
    ]);
    const replaced = await run(...args, 'parts', '--epochs', '1', '--json');
    expect(replaced.stderr).toMatch('the checkpoint in parts is replaced; --resume would go on from it.');
  });

  it('stops_at_a_signal_with_what_to_do_next', async () => {
    const args = ['train', '--samples', '60', '--hidden', '6', '--epochs', '1000000', '--checkpoint', 'stopped'];
    const main = resolve(import.meta.dirname, '../../dist/command/hmatrix.js');
    const child = spawn(process.execPath, [main, ...args, '--workers', '1'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    // A run that has a checkpoint listens to signals.
    const timer = setInterval(() => {
      if (!existsSync(at('stopped/last.hmt'))) return;
      clearInterval(timer);
      child.kill('SIGINT');
    }, 50);
    const status = await new Promise<number | null>((done) => {
      child.on('close', done);
    });
    clearInterval(timer);
    expect(errors).toMatch(/interrupted; the same command with --resume goes on from stopped/);
    expect(status).toBe(1);
  });

  it('ends_at_targets_and_says_where_they_were_missed', async () => {
    const { outcome, reached, targets } = await recordOf(...quick, '--target-accuracy', '0');
    expect({ outcome, reached, targets }).toEqual({
      outcome: 'target',
      reached: true,
      targets: { loss: null, accuracy: 0 },
    });
    const missed = await run(...quick, '--target-loss', '1e-9');
    expect(missed.status).toBe(3);
    expect(missed.stdout).toMatch(/\nfinished 2 epochs; the target, loss 1e-9, was MISSED; /);
    const waited = [...quick, '--optimizer', 'sgd', '--learning-rate', '1e-30', '--epochs', '50', '--patience', '3'];
    expect((await run(...waited)).stdout).toMatch(
      /\nstopped: no evaluation was better for as long as --patience waits; /,
    );
    const slow = await run(...quick, '--seconds', '1e-9');
    expect(slow.stdout).toMatch(/\nstopped after the seconds that were given; 1 step in /);
  });

  it('keeps_the_last_good_weights_of_a_run_that_diverges', async () => {
    const args = ['--samples', '60', '--loss', 'mse', '--hidden', '6', '--activation', 'relu', '--optimizer', 'sgd'];
    const { status, stdout } = await run(...args, '--learning-rate', '1e20', '--epochs', '9', '--out', 'good.npz');
    expect(status).toBe(3);
    expect(stdout).toMatch(
      /\nDIVERGED: Training diverged in epoch .* What is kept is that of the last good evaluation; /,
    );
    expect((await readWeights(at('good.npz'))).parameters.every(Number.isFinite)).toBe(true);
  });

  it('shows_at_most_twelve_evaluations_with_first_last_and_best', () => {
    const evaluations = Array.from({ length: 100 }, (_, k) => ({ step: k + 1 }) as Evaluated);
    const steps = (best: number): number[] => shownEvaluations(evaluations, evaluations[best]).map(({ step }) => step);
    expect(steps(36)).toHaveLength(12);
    expect(steps(36)).toEqual(expect.arrayContaining([1, 37, 100]));
    expect(steps(99)).toHaveLength(11);
    expect(shownEvaluations(evaluations.slice(0, 12), evaluations[3])).toHaveLength(12);
    expect(shownEvaluations(evaluations.slice(0, 1), evaluations[0])).toHaveLength(1);
  });
});

describe('a file of options', () => {
  const withConfig = async (config: object | string, ...args: string[]): Promise<Outcome> => {
    await writeFile(at('config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    return run('--config', 'config.json', ...args, '--json');
  };
  const config = {
    optimizer: { name: 'kfac', damping: 2, momentum: false },
    hidden: [5, 4],
    'batch-size': 20,
    samples: 50,
    epochs: 1,
    bias: false,
    schedule: { name: 'warm-up', steps: 3, then: 'cosine' },
    targetLoss: 0,
  };

  it('is_taken_under_the_names_of_flags_which_win', async () => {
    const { status, stdout, stderr } = await withConfig(config, '--samples', '40', '--set', 'damping=3,largestSide=9');
    // The target was missed.
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
    const { task, optimizer, batchSize, epochs, targets } = JSON.parse(stdout) as TrainingRecord;
    expect([task.network, task.bias, task.training, batchSize, epochs]).toEqual(['784-5-4-10', false, 32, 20, 1]);
    expect(optimizer.name).toBe('kfac');
    expect(optimizer.settings).toMatchObject({ damping: 3, momentum: false, largestSide: 9 });
    expect(targets.loss).toBe(0);
    const replaced = JSON.parse((await withConfig(config, '--optimizer', 'adam')).stdout) as TrainingRecord;
    expect(replaced.optimizer.name).toBe('adam');
    const tables = await withConfig({ data: 'houses.csv', target: ['price'], columns: ['rooms', 'year'], epochs: 1 });
    expect((JSON.parse(tables.stdout) as TrainingRecord).task.network).toBe('2-32-1');
    const switched = await withConfig({ 'no-bias': true, samples: 20, hidden: '2', epochs: 1, 'rotate-inputs': true });
    expect((JSON.parse(switched.stdout) as TrainingRecord).task.bias).toBe(false);
  });

  it.each([
    [{ epoch: 3 }, /has no option "epoch" of this command: did you mean "epochs"\?/],
    [{ zebra: 3 }, /has no option "zebra" of this command: there are workers, blas, json, optimizer, /],
    [{ epochs: 'many' }, /"epochs": It must be a whole number/],
    [{ epochs: null }, /"epochs": It has no value/],
    [{ bias: 3 }, /"bias": It must be true or false/],
    [{ optimizer: 'adamm' }, /"optimizer": There is no optimizer "adamm".*Did you mean adam\?/],
    [{ optimizer: { name: 'adam', rate: 3 } }, /adam has no option "rate"/],
    [{ set: { dampin: 1 }, optimizer: 'kfac' }, /kfac has no option "dampin": did you mean "damping"\?/],
    ['[1]', /the file of options must be a JSON object/],
    ['{"epochs": 3', /the file of options is no JSON: /],
  ])('that_is_wrong_is_refused: %j', async (wrong, message) => {
    const { status, stdout, stderr } = await withConfig(wrong);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('that_is_wrong_is_said_by_the_packages_command_too', async () => {
    await writeFile(at('wrong.json'), JSON.stringify({ model: 'resnet21' }));
    const { status, stdout, stderr } = await hmatrixProcess(['train', '--config', 'wrong.json'], { cwd: folder });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/wrong\.json: "model": Allowed choices are simple-cnn, /);
  });
});

describe('wrong usage of train', () => {
  it.each([
    [['--optimizer', 'adamm'], /There is no optimizer "adamm"; there are sgd, .*Did you mean adam\?/],
    [['--optimizer', 'adam,sgd'], /It is one name; hmatrix compare takes several/],
    [['--optimizer', 'lbfgs', '--learning-rate', '1'], /lbfgs has no --learning-rate: .* It has history, curvature\./],
    [['--optimizer', 'newton-cg', '--learning-rate', '1'], /searches the length of its steps.*--set search=fixed does/],
    [['--set', 'learningRat=1'], /ekfac-adam has no option "learningRat": did you mean "learningRate"\?/],
    [['--set', 'damping'], /It must be name=value, such as damping=0\.1/],
    [['--optimizer', 'kfac', '--set', 'dampingKind=none'], /dampingKind of kfacOptimizer is "none": it is 'exact' or/],
    [['--schedule', 'cosin'], /Unknown schedule "cosin": did you mean "cosine"\?/],
    [['--schedule', 'step'], /The schedule step needs every: such as step:every=10\./],
    [['--schedule', 'cosine:most=1'], /cosineSchedule has no option "most"/],
    [['--resume'], /--resume goes with --checkpoint DIR/],
    [['--network', '784-10', '--hidden', '3'], /--hidden goes without --network/],
    [['--hidden', '3-x'], /It must be the units of each layer/],
    [['--target-accuracy', '2'], /It must be from 0 to 1\./],
    [['--loss', 'mse', '--target-accuracy', '0.5', '--samples', '20'], /--target-accuracy has no meaning for the loss/],
    [['--out', 'x.txt'], /a file of weights is written, not \.txt: call the file \.npz, \.safetensors, \.h5/],
    [['--out', 'weights'], /the name of a file of weights ends in \.safetensors, \.npz or \.h5/],
    [['--keep', 'average'], /--keep average goes with --average/],
    [['--keep', 'first'], /Allowed choices are best, last, average/],
    [['--no-bias', '--standardize', '--samples', '20'], /needs biases in the first and last layers, not --no-bias\./],
    [['--validation', '1'], /It must be from 0 to below 1/],
    [['--batch-size', 'x'], /It must be a whole number/],
    [['--samples', '1'], /It must be a whole number from 2/],
    [['--labels', 'x.gz'], /--labels goes with --images/],
    [['--target', 'price'], /--target names a column of a table/],
    [['--optimizer', 'kfac', '--accumulate', '2', '--samples', '20'], /accumulate is for optimizers without curvature/],
  ])('is_refused: %j', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('names_missing_cells_columns_and_files', async () => {
    const cases = [
      [houses, 1, /line 9, column "tax": no value \(NA\)\. Leave such rows out \(--incomplete-rows skip\)/],
      [['--data', 'houses.csv', '--target', 'prize'], 2, /"prize"/],
      [['--images', 'nope.gz'], 1, /Cannot open nope\.gz/],
      [['--config', 'nope.json'], 1, /Cannot read nope\.json/],
      [['--network', '500-10', '--samples', '20'], 1, /its first width must be 784, or 196/],
      [['--out', 'nowhere/x.npz'], 1, /its folder does not exist/],
    ] as const;
    for (const [args, status, message] of cases) {
      const outcome = await run(...args);
      expect({ args, status: outcome.status, stdout: outcome.stdout }).toEqual({ args, status, stdout: '' });
      expect(outcome.stderr).toMatch(message);
    }
  });
});
