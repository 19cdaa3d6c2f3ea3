/**
 * The options of hmatrix train and hmatrix compare.
 */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { DEVICE_CHOICES } from '../../device/open.js';
import { KEPT } from '../../experiment/training-run.js';
import { ACTIVATIONS } from '../../network/activations/table.js';
import { LOSSES } from '../../network/losses/table.js';
import { OPTIMIZERS } from '../../training/optimizers/table.js';
import { SCHEDULES } from '../../training/schedule-table.js';
import type { NamedSettings } from '../command-options.js';
import { byteCount, finiteNumber, oneOfEach, settings, wholeNumber, widths } from '../usage.js';
import { MAX_SIZE, named, nonNegative, positive, withTableReading } from './common.js';
import { withModel } from './models.js';
import { losses, withSamples } from './network.js';

/** Reads a share below one. */
const share = finiteNumber('from 0 to below 1', (value) => value >= 0 && value < 1);
/** Reads an accuracy. */
const portion = finiteNumber('from 0 to 1', (value) => value >= 0 && value <= 1);

/** --batch-size: a number, or all. */
function batchSize(text: string): number | 'all' {
  return text.trim().toLowerCase() === 'all' ? 'all' : wholeNumber(1, MAX_SIZE)(text);
}

/** --hidden: units of the layers between, 64 or 64-32. */
function hidden(text: string): number[] {
  const [, ...units] = widths(`1-${text.trim()}`);
  return units;
}

/** --schedule: NAME or NAME:setting=value,… */
function schedule(text: string): NamedSettings {
  const [name, ...rest] = text.split(':');
  return { name: name.trim(), settings: rest.length === 0 ? {} : settings(rest.join(':')) };
}

/** A list of numbers, each as `one` reads it. */
const numbers =
  (one: (text: string) => number) =>
  (text: string): number[] =>
    text.split(',').map(one);

function withTask(command: Command): Command {
  withSamples(
    command
      .option('--network <widths>', 'units per layer, such as 784-100-10 (default: what fits the data)', widths)
      .option(
        '--hidden <widths>',
        'units of the layers between, without --network, such as 64-32 (default: 32, of more than 100 inputs 100; of ' +
          'autoencoders half, of more than 256 inputs 128-32-128)',
        hidden,
      )
      .addOption(
        new Option(
          '--activation <names>',
          `of the hidden layers, or one for each layer, comma between: ${ACTIVATIONS.join(', ')}`,
        )
          .argParser(oneOfEach('activation', ACTIVATIONS))
          .default(['tanh'], 'tanh'),
      )
      .addOption(
        named(
          '--loss <name>',
          `${losses(false)}; of classes ${losses(true)} (default: cross-entropy of labels, else mse)`,
          LOSSES,
        ),
      )
      .option('--no-bias', 'layers without biases; training has them, unlike hmatrix table'),
  )
    .option(
      '--samples <n>',
      'the first n of a file (default: all), or generated digits (4000)',
      wholeNumber(2, MAX_SIZE),
    )
    .option('--validation <share>', 'of the samples, kept apart', share, 0.2)
    .option(
      '--standardize',
      'train on inputs, and targets of squared losses, of mean 0 and variance 1; --out takes and gives the raw ones',
    )
    .option(
      '--weights <file>',
      'weights to begin from: .npz, .h5 or safetensors of a PyTorch or Flax perceptron; of a --model safetensors',
    )
    .option('--last-layer', 'train the last layer alone')
    .addOption(named('--precision <name>', 'of the arithmetic', ['f32', 'f64']).default('f32'));
  return withTableReading(command)
    .option('--seed <s>', 'of first weights, order, validation, dropout', wholeNumber(0), 0)
    .option('--config <file>', 'options from a file of JSON under these names; flags win')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

/** The options of `hmatrix train`. */
export const withTrain = (command: Command): Command =>
  withModel(
    withTask(
      command
        .addOption(
          new Option(
            '--optimizer <name>',
            `${OPTIMIZERS.join(', ')} (default: ekfac-adam, or the --model's)`,
          ).argParser(optimizer),
        )
        .option('--learning-rate <a>', "of a step (default: the optimizer's own)", positive)
        .option(
          '--set <name=value>',
          'another setting of the optimizer, such as damping=0.1; may be given several times',
          (text: string, before?: NamedSettings['settings']) => ({ ...before, ...settings(text) }),
        )
        .option('--batch-size <b>', "samples of a step, or all (default: the optimizer's own)", batchSize)
        .option(
          '--epochs <e>',
          'passes over the data (default, where nothing else limits: 10, or as many as 20,000 samples make)',
          wholeNumber(0, 1e9),
        )
        .option('--seconds <s>', 'stop after so many seconds of steps', positive)
        .option('--steps <n>', 'stop after so many steps', wholeNumber(0))
        .option(
          '--target-loss <l>',
          'stop once the loss (of validation, else of training) is there',
          finiteNumber('a number', () => true),
        )
        .option('--target-accuracy <a>', 'stop once the accuracy is there, from 0 to 1', portion)
        .option('--patience <n>', 'stop after so many evaluations without a better one', wholeNumber(1))
        .option('--evaluate-every <n>', 'steps between evaluations (default: an epoch)', wholeNumber(1))
        .option(
          '--schedule <name:settings>',
          `of the rate: ${SCHEDULES.join(', ')}; such as step:every=10,factor=0.5`,
          schedule,
        )
        .option('--decay <d>', 'weights shrink by rate × d a step', nonNegative)
        .option('--regularization <l>', 'λ of (λ/2)‖W‖² in the loss', nonNegative)
        .option('--dropout <share>', 'of hidden units zeroed in a step; of networks of words too', share)
        .option('--clip <norm>', 'the longest gradient taken', positive)
        .option('--average <k>', 'average of the weights over steps, such as 0.99', share)
        .option('--accumulate <n>', 'parts in which the gradient of a batch is taken, to save memory', wholeNumber(1))
        .option(
          '--memory-limit <bytes>',
          'most memory of a run, e.g. 500M; where it is short a --model makes passes again (default: what is free)',
          byteCount,
        )
        .addOption(
          named(
            '--device <name>',
            'where steps are made: auto, a graphics card where there is one; webgpu; cpu (default: the processor)',
            DEVICE_CHOICES,
          ),
        )
        .option('--rotate-inputs', "turn inputs into their eigenbasis (default: the optimizer's choice)")
        .option('--no-rotate-inputs', 'leave them')
        .option('--checkpoint <dir>', 'folder that keeps the whole state of the run')
        .option('--resume', 'go on from --checkpoint where there is one')
        .option('--metrics <file>', 'a line of JSON for every step and evaluation')
        .option('--out <file>', 'write the weights, .safetensors, .npz or .h5')
        .addOption(named('--keep <which>', 'which weights are written', KEPT).default('best')),
    ),
  );

/** The options of `hmatrix compare`. */
export const withCompare = (command: Command): Command =>
  withTask(
    command
      .addOption(
        new Option('--optimizers <list>', `comma between: ${OPTIMIZERS.join(', ')}; or all`)
          .argParser(optimizerList)
          .default(['adam', 'ekfac-adam', 'kfac'], 'adam,ekfac-adam,kfac'),
      )
      .option(
        '--grid <choice>',
        'settings that are tried: small (2 or 3 each), default (4 to 6), or a file of JSON: {"adam": ' +
          '[{"learningRate": 0.01, "batchSize": 100}]}',
        'small',
      )
      .option(
        '--target-loss <list>',
        'the loss (of validation, else of training) that is to be reached; of several the least ends a run (default: ' +
          'what adam reaches in 10 epochs)',
        numbers(finiteNumber('a number, or several with commas between', () => true)),
      )
      .option('--target-accuracy <list>', 'or the accuracy, from 0 to 1', numbers(portion))
      .option('--seeds <n>', 'runs with each setting', wholeNumber(1, 1000), 3)
      .option('--seconds <s>', 'most seconds of steps of a run', positive, 60)
      .option('--epochs <e>', 'most epochs of a run', wholeNumber(1, 1e9))
      .option('--batch-size <b>', "of settings that have none (default: the optimizer's own), or all", batchSize),
  );

/** --optimizer: one name; of a file of options with settings behind it. */
function optimizer(text: string): string {
  const [name] = oneOfEach('optimizer', OPTIMIZERS)(text);
  if (text.includes(',')) throw new InvalidArgumentError('It is one name; hmatrix compare takes several.');
  return name;
}

/** --optimizers: names with commas between, or all. */
function optimizerList(text: string): string[] {
  const names = oneOfEach('optimizer', [...OPTIMIZERS, 'all'])(text);
  if (names.includes('all') && names.length > 1) throw new InvalidArgumentError("'all' stands alone.");
  return names;
}
