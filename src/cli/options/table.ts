/**
 * The options of hmatrix table and hmatrix demo.
 */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { PRECONDITIONER_CHOICES, SWEPT_MATRICES } from '../../experiment/preconditioner-plan.js';
import { TABLE_MODEL_NAMES } from '../../experiment/model-names.js';
import { DEFAULT_TABLE_METHODS, TABLE_METHODS } from '../../experiment/table-plan.js';
import { PRECONDITIONERS } from '../../solve/preconditioners/table.js';
import { byteCount, finiteNumber, oneOfEach, wholeNumber } from '../usage.js';
import { MAX_SIZE, withTableReading } from './common.js';
import { withNetwork } from './network.js';

/** A network that the table of takes less than a minute on two cores, on any backend. */
const DEMO = { network: [784, 10, 784], samples: 300, high: 0.05 } as const;

/** The options of `hmatrix table`. */
export const withTable = (command: Command): Command =>
  withApproximations(command, { network: [784, 10, 784], samples: 1000 })
    .option(
      '--preconditioners',
      'preconditioners instead: the published table, a sweep over shifts of test matrices, and Gauss–Newton ' +
        'matrices (default: of 196-32-8-32-196 and 784-20-20-10, 250 and 1000 images)',
    )
    .addOption(
      new Option(
        '--model <name>',
        'a network of layers instead of --network, small enough for minutes on two cores: on digits (--images, ' +
          '--labels: MNIST) a CNN, on generated shapes a ResNet-8 or the end of a ResNet-20, on sentences a small ' +
          'transformer or the layer of a larger one; by default of 100, 32, 200, 60, 40 samples, 1 and 5 % of memory',
      ).choices(TABLE_MODEL_NAMES),
    )
    .option('--size <n>', 'size of the test matrices, a perfect square (default: 4096)', wholeNumber(16, MAX_SIZE))
    .option(
      '--matrices <list>',
      `test matrices, comma between: ${SWEPT_MATRICES.join(', ')}; or none (default: all)`,
      matrixList,
    );

/** The options of `hmatrix demo`: those of a table, but for preconditioners. */
export const withDemo = (command: Command): Command =>
  withApproximations(command, DEMO).option(
    '--report <file>',
    'the page of pictures that is written',
    'hmatrix-demo.html',
  );

function withApproximations(
  command: Command,
  defaults: { readonly network: readonly number[]; readonly samples: number; readonly high?: number | undefined },
): Command {
  const shareOf = (column: string): string =>
    `share of the dense matrix that the ${column} column may store (default: the published ones for 784-10-784, ` +
    '784-25-784, 784-50-784 without biases, else';
  return withTableReading(withNetwork(command, defaults))
    .option('--low <share>', `${shareOf('low')} 208 numbers a row)`, shareNumber)
    .addOption(highOption(`${shareOf('high')} 1811 numbers a row, at most 0.5)`, defaults.high))
    .addOption(
      new Option(
        '--methods <list>',
        `comma between: ${TABLE_METHODS.join(', ')}; of preconditioners: ${PRECONDITIONER_CHOICES.join(', ')}; or all`,
      )
        .argParser(methodList)
        .default([...DEFAULT_TABLE_METHODS], DEFAULT_TABLE_METHODS.join(',')),
    )
    .option('--vectors <p>', 'vectors that products are timed with', wholeNumber(1, 65_536), 1)
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

const shareNumber = finiteNumber('above 0 and at most 1', (share) => share > 0 && share <= 1);

function highOption(text: string, fallback: number | undefined): Option {
  if (fallback === undefined) return new Option('--high <share>', text).argParser(shareNumber);
  return new Option('--high <share>', 'share of the dense matrix that the high column may store')
    .argParser(shareNumber)
    .default(fallback);
}

/** --methods: names with commas between, or all; which of them a table has, it says itself. */
function methodList(text: string): string[] {
  const ranked = /^\s*nystrom-[1-9]\d{0,5}\s*$/i;
  const known = [...new Set(['all', ...TABLE_METHODS, ...PRECONDITIONERS])];
  const names = text
    .split(',')
    .flatMap((part) => (ranked.test(part) ? [part.trim().toLowerCase()] : oneOfEach('method', known)(part)));
  if (names.includes('all') && names.length > 1) throw new InvalidArgumentError("'all' stands alone.");
  return names;
}

/** --matrices: names with commas between, or none. */
function matrixList(text: string): string[] {
  const names = SWEPT_MATRICES.map((name) => name.toLowerCase());
  return text.trim().toLowerCase() === 'none'
    ? []
    : oneOfEach('test matrix', names)(text).map((name) => name.toUpperCase());
}
