/**
 * The commands and their options, without what they do: handlers are loaded when a command runs.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { version } from '../core/version.js';
import { FORMAT_TABLE, FORMATS } from '../hierarchical/matrix/format.js';
import { PRECONDITIONER_CHOICES, SWEPT_MATRICES } from '../experiment/preconditioner-plan.js';
import { DEFAULT_TABLE_METHODS, TABLE_METHODS } from '../experiment/table-plan.js';
import { ACTIVATIONS } from '../network/activations/table.js';
import { LOSSES, lossOf } from '../network/losses/table.js';
import { PRECONDITIONERS } from '../solve/preconditioners/preconditioner.js';
import { familiesWith, kernelFamilies } from '../source/kernels/table.js';
import { DISTANCES } from '../tree/distances/table.js';
import { print, printError } from './terminal.js';
import {
  bandwidth,
  byteCount,
  columnList,
  delimiter,
  finiteNumber,
  header,
  oneOfEach,
  wholeNumber,
  widths,
} from './usage.js';
import type {
  CommonOptions,
  CompressCommandOptions,
  TableOptions,
  SolveCommandOptions,
  MultiplyOptions,
  Handlers,
} from './command-options.js';
const MAX_SIZE = 2 ** 31 - 1;
const nonNegative = finiteNumber('a number of at least 0', (value) => value >= 0);

function withCommon(command: Command, team = true): Command {
  if (team) {
    command
      .option(
        '--workers <n>',
        'workers, the main thread included (default: the cores there are; more make nothing faster, above four a ' +
          'core the command says so)',
        wholeNumber(1, 1024),
      )
      .option(
        '--blas <choice>',
        "dense backend: 'portable', a family (openblas, mkl, blis, accelerate, netlib) or a library's path " +
          '(default: HMATRIX_BLAS, else the first found)',
      );
  }
  return command.option('--json', 'print one JSON object and nothing else');
}

const named = (flags: string, text: string, choices: readonly string[]): Option =>
  new Option(flags, text).choices(choices);

/** How a hierarchical matrix is made, but for its tolerance. */
function withShape(command: Command): Command {
  return command
    .option('--leaf-size <m>', 'most indices in a leaf (default: 256)', wholeNumber(2, 16_384))
    .option('--max-rank <s>', 'most skeletons of a node (default: the leaf size)', wholeNumber(1, 16_384))
    .option('--neighbors <k>', 'nearest neighbours per index (default: 32)', wholeNumber(1, 4096))
    .option(
      '--budget <b>',
      'share of each row that near blocks may hold, fmm only (default: 0.03 for fmm)',
      finiteNumber('a number in [0, 1]', (b) => b >= 0 && b <= 1),
    )
    .addOption(named('--distance <name>', 'what orders the indices (default: auto)', DISTANCES))
    .addOption(named('--dtype <name>', 'precision of the stored blocks (default: f64)', ['f64', 'f32']));
}

function withRun(command: Command): Command {
  return withShape(
    withCommon(command)
      .addOption(
        named(
          '--format <name>',
          `${FORMATS.map((name) => `${name}: ${FORMAT_TABLE[name].description}`).join('; ')} (default: hss, fmm ` +
            'with a ' +
            'budget)',
          FORMATS,
        ),
      )
      .option(
        '--tolerance <t>',
        'asked relative error, Frobenius norm (default: 1e-5)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      ),
  )
    .addOption(
      named('--preserve <property>', 'positive-definite: positive semidefinite by construction, format hss', [
        'positive-definite',
      ]),
    )
    .option('--vectors <p>', 'vectors that products are timed with', wholeNumber(1, 65_536), 64)
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--out <file>', 'save the hierarchical matrix')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

/** Where a matrix comes from. */
function withInput(command: Command): Command {
  return command
    .option('--matrix <file>', 'a symmetric matrix, .npy')
    .option('--points <points>', 'points: .npy, .csv, IDX images (MNIST, .gz as it comes), normal:N,d or uniform:N,d')
    .option(
      '--kernel <kernel>',
      `${kernelFamilies.join(', ')}, or an expression in r (and h) such as "exp(-r^2/2)" (default: gaussian)`,
    )
    .option(
      '--bandwidth <h>',
      "the kernel's bandwidth, or 'median' for the median distance (default: median)",
      bandwidth,
    )
    .option('--degree <n>', `of the ${familiesWith('degree').join(', ')} kernel (default: 2)`, wholeNumber(1, 64))
    .option('--ridge <x>', 'added to the diagonal of a kernel matrix (default: 0)', nonNegative)
    .option('--limit <n>', 'only the first n points', wholeNumber(1, MAX_SIZE))
    .option('--columns <list>', 'of a .csv or .tsv file: names or numbers from 0, commas between (all)', columnList)
    .option('--header <choice>', 'its first row holds names: yes, no, auto (if no cell begins like a number)', header)
    .option('--delimiter <c>', 'between its cells: a character, tab, space (default: the first rows tell)', delimiter)
    .addOption(named('--decimal <mark>', 'decimal mark of the file (default: .)', ['.', ',']))
    .addOption(named('--incomplete-rows <choice>', 'with cells empty, NA, NaN … (default: error)', ['error', 'skip']))
    .option('--named <name>', 'a test matrix: K02, K13, K15, COV, EXP, MATERN')
    .option('--size <n>', 'size of the test matrix; but for COV a perfect square', wholeNumber(1, MAX_SIZE));
}

/** The losses on classes, or the others, with their notes: "a (note), b and c". */
const losses = (classes: boolean): string =>
  LOSSES.filter((name) => lossOf(name).classes === classes)
    .map((name) => (lossOf(name).note === undefined ? name : `${name} (${lossOf(name).note})`))
    .join(', ')
    .replace(/, (?=[^,]*$)/, ' and ');

/** A network that the table of takes less than a minute on two cores, on any backend. */
const DEMO = { network: [784, 10, 784], samples: 300, high: 0.05 } as const;

/** Of networks, where the options do not say. */
export const NETWORK_DEFAULTS = {
  activation: ['tanh'],
  loss: 'mse',
  bias: false,
  samples: 1000,
  learningRate: 1e-3,
  batchSize: 50,
} as const;

/**
 * A network, its data and its training; what has no default where `defaults` are missing is left open, so that it can
 * be told from what was given.
 */
function withNetwork(
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
    new Option('--samples <n>', 'images: the first n').argParser(wholeNumber(1, MAX_SIZE)),
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
  return command
    .option('--images <file>', 'images, IDX as MNIST comes (.gz too); default: generated digits')
    .option('--labels <file>', 'their labels, IDX; classifiers of --images need them')
    .option('--weights <file>', 'weights to begin from: .npz or safetensors of a PyTorch or Flax perceptron');
}

function withTable(
  command: Command,
  defaults: { readonly network: readonly number[]; readonly samples: number; readonly high?: number | undefined },
): Command {
  const shareOf = (column: string): string =>
    `share of the dense matrix that the ${column} column may store (default: the published ones for 784-10-784, ` +
    '784-25-784, 784-50-784 without biases, else';
  return withNetwork(withCommon(command), defaults)
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

function withSolve(command: Command): Command {
  return withShape(
    withNetwork(withInput(withCommon(command)))
      .option('--shift <λ>', 'added to the diagonal (default: 0)', nonNegative)
      .option('--shift-relative <x>', 'the same in units of ‖A‖₂, which is measured', nonNegative)
      .addOption(
        named(
          '--preconditioner <name>',
          'what makes the iteration short; auto predicts the cost of several and says why',
          ['auto', ...PRECONDITIONERS],
        ).default('auto'),
      )
      .option('--rank <r>', 'of the preconditioner nystrom (default: 256, at most N/4)', wholeNumber(1, 65_536))
      .option(
        '--rhs <b>',
        "right-hand sides: an .npy file of N rows, or 'seeded' for standard normal vectors",
        'seeded',
      )
      .option('--vectors <p>', "how many vectors 'seeded' makes", wholeNumber(1, 65_536), 1)
      .option(
        '--tolerance <t>',
        'asked relative residual of each right-hand side (default: 1e-8, or in float32 what that allows)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      )
      .option('--max-iterations <k>', 'most iterations (default: 10·N, at most 10,000)', wholeNumber(0))
      .addOption(
        named(
          '--format <name>',
          'solve with the compressed matrix of this format in place of the matrix itself; the residual is still ' +
            'that of the matrix itself',
          FORMATS,
        ),
      )
      .option(
        '--compress-tolerance <t>',
        'of what is compressed, Frobenius norm (default: 1e-2 for a preconditioner, 1e-5 with --format)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      ),
  )
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--out <file>', 'write the solution, .npy, in the shape of b, unless the tolerance was missed')
    .option('--keep-failed', 'write --out also where the tolerance was missed')
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

/** The options of a command that were given, and not those at their defaults. */
function givenOf<T extends object>(options: T, command: Command): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => command.getOptionValueSource(name) !== 'default'),
  ) as Partial<T>;
}

/** The program; what a handler returns goes to `finish` as the exit status. */
export function createProgram(handlers: Handlers, finish: (status: number) => void): Command {
  const program = new Command('hmatrix')
    .description(
      'Hierarchical matrices: compress large dense symmetric positive semidefinite matrices, multiply with them, ' +
        'measure the error.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print help')
    .showHelpAfterError('(see hmatrix help)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        print(text.replace(/\n$/, ''));
      },
      writeErr: (text) => {
        printError(text.replace(/\n$/, ''));
      },
    })
    .addHelpText(
      'after',
      '\nExit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance ' +
        'was missed.',
    );

  withInput(
    withRun(program.command('compress').description('Compress a matrix, multiply with it, measure its error')),
  ).action(async (options: CompressCommandOptions) => {
    finish(await handlers.compress(options));
  });

  withCommon(
    program
      .command('multiply')
      .description('Multiply a saved hierarchical matrix with vectors')
      .argument('<file>', 'what compress --out wrote')
      .requiredOption('--x <x>', "an .npy file of N rows, or 'seeded' for standard normal vectors")
      .option('--vectors <p>', "how many vectors 'seeded' makes", wholeNumber(1, 65_536), 64)
      .option('--seed <s>', "of 'seeded'", wholeNumber(0), 0)
      .option('--out <file>', 'write the product, .npy, in the shape of X'),
  )
    .option('--quiet', 'print nothing but failures')
    .action(async (file: string, options: MultiplyOptions) => {
      finish(await handlers.multiply(file, options));
    });

  withCommon(program.command('info').description('What a saved hierarchical matrix is: options, ranks, memory'), false)
    .argument('<file>', 'what compress --out wrote')
    .action(async (file: string, options: CommonOptions) => {
      finish(await handlers.info(file, options));
    });

  withCommon(program.command('doctor').description('What hmatrix finds here: BLAS, cores, memory, GPU')).action(
    async (options: CommonOptions) => {
      finish(await handlers.doctor(options));
    },
  );

  withSolve(
    program
      .command('solve')
      .description(
        'Solve (A + λI) x = b: a stored matrix, a kernel over points, a test matrix, or the Gauss–Newton matrix ' +
          'of a network',
      ),
  ).action(async (options: SolveCommandOptions) => {
    finish(await handlers.solve(options));
  });

  withTable(
    program
      .command('table')
      .description(
        'Approximations of a Gauss–Newton Hessian at equal memory: hierarchical matrix, randomized SVD, K-FAC ' +
          'and others; or preconditioners. Errors are exact where the form tells them from ‖G‖, or up to ' +
          'N = 4096; else from 500 columns, with half a 95 % interval',
      ),
    { network: [784, 10, 784], samples: 1000 },
  )
    .option(
      '--preconditioners',
      'preconditioners instead: the published table, a sweep over shifts of test matrices, and Gauss–Newton ' +
        'matrices (default: of 196-32-8-32-196 and 784-20-20-10, 250 and 1000 images)',
    )
    .option('--size <n>', 'size of the test matrices, a perfect square (default: 4096)', wholeNumber(16, MAX_SIZE))
    .option(
      '--matrices <list>',
      `test matrices, comma between: ${SWEPT_MATRICES.join(', ')}; or none (default: all)`,
      matrixList,
    )
    .action(async (options: TableOptions, command: Command) => {
      finish(
        await (options.preconditioners === true
          ? handlers.preconditioners(givenOf(options, command))
          : handlers.table(options)),
      );
    });

  withTable(
    program
      .command('demo')
      .description('The main job: the table for an autoencoder of images of digits, in less than a minute'),
    DEMO,
  ).action(async (options: TableOptions) => {
    finish(await handlers.demo(options));
  });

  return program;
}
