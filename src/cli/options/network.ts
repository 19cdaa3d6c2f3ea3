/**
 * The options that say of which network a Gauss–Newton matrix is.
 */
import type { Command } from 'commander';
import { Option } from 'commander';
import { ACTIVATIONS } from '../../network/activations/table.js';
import { LOSSES, lossOf } from '../../network/losses/table.js';
import { columnList, finiteNumber, oneOfEach, wholeNumber, widths } from '../usage.js';
import { MAX_SIZE } from './common.js';
import { NETWORK_DEFAULTS } from './network-defaults.js';

/** The losses on classes, or the others, with their notes: "a (note), b and c". */
export const losses = (classes: boolean): string =>
  LOSSES.filter((name) => lossOf(name).classes === classes)
    .map((name) => (lossOf(name).note === undefined ? name : `${name} (${lossOf(name).note})`))
    .join(', ')
    .replace(/, (?=[^,]*$)/, ' and ');
/**
 * A network, its data and its training; what has no default where `defaults` are missing is left open, so that it can
 * be told from what was given.
 */
export function withNetwork(
  command: Command,
  defaults?: { readonly network: readonly number[]; readonly samples: number },
): Command {
  const add = <T>(option: Option, value: T, text: string = String(value)): void => {
    if (defaults === undefined) option.description += ` (default: ${text})`;
    else option.default(value, text);
    command.addOption(option);
  };
  const { activation, loss, bias, samples, learningRate, batchSize } = NETWORK_DEFAULTS;
  const widthsOption = new Option(
    '--network <widths>',
    defaults === undefined
      ? 'the Gauss–Newton matrix of a network with so many units per layer, such as 784-10-784'
      : 'units per layer',
  ).argParser(widths);
  command.addOption(
    defaults === undefined ? widthsOption : widthsOption.default(defaults.network, defaults.network.join('-')),
  );
  add(
    new Option(
      '--activation <names>',
      `of the hidden layers, or one for each layer, comma between: ${ACTIVATIONS.join(', ')}`,
    ).argParser(oneOfEach('activation', ACTIVATIONS)),
    [...activation],
    activation.join(','),
  );
  add(
    new Option(
      '--loss <name>',
      `${losses(false)} make an autoencoder where the widths are the same at both ends; else, and with ` +
        `${losses(true)}, a classifier`,
    ).choices(LOSSES),
    loss,
  );
  if (defaults === undefined) command.option('--bias', 'layers with biases');
  else command.option('--bias', 'layers with biases', bias);
  add(
    new Option('--samples <n>', 'images, or rows of --data: the first n').argParser(wholeNumber(1, MAX_SIZE)),
    defaults?.samples ?? samples,
  );
  command.option(
    '--epochs <e>',
    'of training by Adam before the Hessian is taken (default: 5; with --weights 0)',
    wholeNumber(0, 1e6),
  );
  add(
    new Option('--learning-rate <a>', 'of training').argParser(finiteNumber('a positive number', (a) => a > 0)),
    learningRate,
  );
  add(new Option('--batch-size <b>', 'samples of a step of training').argParser(wholeNumber(1, MAX_SIZE)), batchSize);
  return withSamples(command).option(
    '--weights <file>',
    'weights to begin from: .npz, .h5 or safetensors of a PyTorch or Flax perceptron',
  );
}

/** Where the samples of a network come from. */
export const withSamples = (command: Command): Command =>
  command
    .option('--images <file>', 'images, IDX as MNIST comes (.gz too); default: generated digits')
    .option('--labels <file>', 'their labels, IDX; classifiers of --images need them')
    .option(
      '--data <file>',
      'samples of yours, a row each: .npy, .npz, .safetensors, .h5, .csv, IDX; the first width is their columns',
    )
    .option(
      '--targets <file>',
      'targets of --data, a row each; one column of whole numbers: class labels (--loss cross-entropy); without ' +
        'it the samples themselves',
    )
    .option('--target <list>', 'columns of --data, a table, that are the targets; the others are inputs', columnList);
