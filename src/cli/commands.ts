/**
 * The commands and their options, without what they do: handlers are loaded when a command runs. Layer 8.
 */
import { Command, Option } from 'commander';
import { version } from '../core/version.js';
import type { CompressOptions } from '../hierarchical/options.js';
import type { InputOptions } from './input.js';
import { bandwidth, byteCount, finiteNumber, wholeNumber } from './usage.js';

/** What every command takes. */
export interface CommonOptions { readonly json?: boolean; readonly quiet?: boolean; readonly workers?: number; readonly blas?: string }

/** What a run of a compression takes, besides its input. */
export interface RunOptions extends CommonOptions, Omit<CompressOptions, 'seed'> {
  readonly seed: number;
  readonly vectors: number;
  readonly out?: string;
  readonly record?: string;
}

export type CompressCommandOptions = RunOptions & InputOptions;
export interface DemoOptions extends RunOptions { readonly images?: string; readonly size: number }
export interface MultiplyOptions extends CommonOptions { readonly x: string; readonly vectors: number; readonly seed: number; readonly out?: string }

export interface Handlers {
  compress(options: CompressCommandOptions): Promise<number>;
  multiply(file: string, options: MultiplyOptions): Promise<number>;
  info(file: string, options: CommonOptions): Promise<number>;
  doctor(options: CommonOptions): Promise<number>;
  demo(options: DemoOptions): Promise<number>;
}

const MAX_SIZE = 2 ** 31 - 1;
const nonNegative = finiteNumber('a number of at least 0', (value) => value >= 0);

function withCommon(command: Command, team = true): Command {
  if (team) {
    command
      .option('--workers <n>', 'workers, the main thread included (default: the cores there are)', wholeNumber(1, 1024))
      .option('--blas <choice>', "dense backend: 'portable', a family (openblas, mkl, blis, accelerate, netlib) or a library's path (default: HMATRIX_BLAS, else the first found)");
  }
  return command.option('--json', 'print one JSON object and nothing else');
}

/** Where the demo's defaults differ from those of `compress`. */
interface RunDefaults { readonly leafSize?: number; readonly maxRank?: number; readonly tolerance?: number; readonly neighbors?: number; readonly format?: string }

function withRun(command: Command, defaults: RunDefaults = {}): Command {
  const { leafSize, maxRank, tolerance, neighbors, format } = defaults;
  const named = (flags: string, text: string, choices: readonly string[], fallback?: string): Option => {
    const option = new Option(flags, text).choices(choices);
    return fallback === undefined ? option : option.default(fallback);
  };
  const numbered = (flags: string, text: string, parse: (text: string) => number, fallback: number | undefined): Option => {
    const option = new Option(flags, text).argParser(parse);
    return fallback === undefined ? option : option.default(fallback);
  };
  return withCommon(command)
    .addOption(named('--format <name>', 'hss: nested bases; hodlr: a basis per block; fmm: hss and dense near blocks (default: hss, fmm with a budget)', ['hss', 'hodlr', 'fmm'], format))
    .addOption(numbered('--leaf-size <m>', 'most indices in a leaf (default: 256)', wholeNumber(2, 16_384), leafSize))
    .addOption(numbered('--max-rank <s>', 'most skeletons of a node (default: the leaf size)', wholeNumber(1, 16_384), maxRank))
    .addOption(numbered('--tolerance <t>', 'asked relative error, Frobenius norm (default: 1e-5)', finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1), tolerance))
    .addOption(numbered('--neighbors <k>', 'nearest neighbours per index (default: 32)', wholeNumber(1, 4096), neighbors))
    .option('--budget <b>', 'share of each row that near blocks may hold, fmm only (default: 0.03 for fmm)', finiteNumber('a number in [0, 1]', (b) => b >= 0 && b <= 1))
    .addOption(named('--distance <name>', 'what orders the indices (default: auto)', ['auto', 'geometric', 'gram', 'angle', 'lexicographic', 'random']))
    .addOption(named('--dtype <name>', 'precision of the stored blocks (default: f64)', ['f64', 'f32']))
    .option('--vectors <p>', 'vectors that products are timed with', wholeNumber(1, 65_536), 64)
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--out <file>', 'save the hierarchical matrix')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

/** The program; what a handler returns goes to `finish` as the exit status. */
export function createProgram(handlers: Handlers, finish: (status: number) => void): Command {
  const program = new Command('hmatrix')
    .description('Hierarchical matrices: compress large dense symmetric positive semidefinite matrices, multiply with them, measure the error.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print help')
    .showHelpAfterError('(see hmatrix help)')
    .exitOverride()
    .addHelpText('after', '\nExit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance was missed.');

  withRun(program.command('compress').description('Compress a matrix, multiply with it, measure its error')
    .option('--matrix <file>', 'a symmetric matrix, .npy')
    .option('--points <points>', 'points: .npy, .csv, IDX images (MNIST, .gz as it comes), normal:N,d or uniform:N,d')
    .option('--kernel <kernel>', 'gaussian, laplace, matern32, matern52, imq, polynomial, cosine, or an expression in r (and h) such as "exp(-r^2/2)" (default: gaussian)')
    .option('--bandwidth <h>', "the kernel's bandwidth, or 'median' for the median distance (default: median)", bandwidth)
    .option('--degree <n>', 'of the polynomial kernel (default: 2)', wholeNumber(1, 64))
    .option('--ridge <x>', 'added to the diagonal of a kernel matrix (default: 0)', nonNegative)
    .option('--limit <n>', 'only the first n points', wholeNumber(1, MAX_SIZE))
    .option('--named <name>', 'a test matrix: K02, K13, K15')
    .option('--size <n>', 'size of the test matrix, a perfect square', wholeNumber(1, MAX_SIZE)))
    .action(async (options: CompressCommandOptions) => { finish(await handlers.compress(options)); });

  withCommon(program.command('multiply').description('Multiply a saved hierarchical matrix with vectors')
    .argument('<file>', 'what compress --out wrote')
    .requiredOption('--x <x>', "an .npy file of N rows, or 'seeded' for standard normal vectors")
    .option('--vectors <p>', "how many vectors 'seeded' makes", wholeNumber(1, 65_536), 64)
    .option('--seed <s>', "of 'seeded'", wholeNumber(0), 0)
    .option('--out <file>', 'write the product, .npy'))
    .option('--quiet', 'print nothing but failures')
    .action(async (file: string, options: MultiplyOptions) => { finish(await handlers.multiply(file, options)); });

  withCommon(program.command('info').description('What a saved hierarchical matrix is: options, ranks, memory'), false)
    .argument('<file>', 'what compress --out wrote')
    .action(async (file: string, options: CommonOptions) => { finish(await handlers.info(file, options)); });

  withCommon(program.command('doctor').description('What hmatrix finds here: BLAS, cores, memory, GPU'))
    .action(async (options: CommonOptions) => { finish(await handlers.doctor(options)); });

  withRun(program.command('demo').description('The main job: the Gaussian kernel matrix of 10,000 images of digits'), { format: 'hss', leafSize: 256, maxRank: 256, tolerance: 1e-2, neighbors: 32 })
    .option('--images <file>', 'real images instead of the embedded generator: MNIST as it comes (IDX, .gz)')
    .option('--size <n>', 'how many images', wholeNumber(2, MAX_SIZE), 10_000)
    .action(async (options: DemoOptions) => { finish(await handlers.demo(options)); });

  return program;
}

