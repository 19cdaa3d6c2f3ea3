/**
 * The commands, without what they do: handlers are loaded when a command runs, and options that name kernels,
 * preconditioners and methods, which are the whole library, when their command is named.
 */
import { Command } from 'commander';
import { version } from '../core/version.js';
import { checkArguments, withHint } from './hints.js';
import { isFirstRank } from './launched.js';
import { print, printError } from './terminal.js';
import { wholeNumber } from './usage.js';
import type {
  CommonOptions,
  DemoOptions,
  DoctorOptions,
  CompareCommandOptions,
  CompressCommandOptions,
  EigsCommandOptions,
  TuneCommandOptions,
  FactorCommandOptions,
  TableOptions,
  SampleCommandOptions,
  SolveCommandOptions,
  MultiplyOptions,
  PlanCommandOptions,
  PlotCommandOptions,
  ReportCommandOptions,
  TrainCommandOptions,
  Handlers,
} from './command-options.js';
import { withCommon } from './options/common.js';

const wasGiven = (name: string, command: Command): boolean => command.getOptionValueSource(name) !== 'default';

/** The options of a command, those of its --config file among them; read when the command runs. */
async function withConfig<T extends object>(command: Command): Promise<T> {
  const { configured } = await import('./config-file.js');
  const options = await configured<T>(command);
  return { ...options, activationGiven: wasGiven('activation', command) };
}

/** Which of the options with defaults of a network were given. */
const givenNetwork = (command: Command): Pick<TableOptions, 'networkGiven' | 'samplesGiven' | 'activationGiven'> => ({
  networkGiven: wasGiven('network', command) || wasGiven('loss', command) || wasGiven('bias', command),
  samplesGiven: wasGiven('samples', command),
  activationGiven: wasGiven('activation', command),
});

/** The options of a command that were given, and not those at their defaults. */
function givenOf<T extends object>(options: T, command: Command): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => wasGiven(name, command))) as Partial<T>;
}

/**
 * The program for these arguments (without those of node); what a handler returns goes to `finish` as the exit status.
 */
export async function createProgram(
  handlers: Handlers,
  finish: (status: number) => void,
  args: readonly string[],
): Promise<Command> {
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
        if (isFirstRank()) print(text.replace(/\n$/, ''));
      },
      // All ranks have the same command line.
      writeErr: (text) => {
        if (isFirstRank()) printError(text.replace(/\n$/, ''));
      },
      outputError: (text, write) => {
        write(withHint(text));
      },
    })
    .addHelpText(
      'after',
      '\nExit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance ' +
        'was missed.',
    );

  const compress = program
    .command('compress')
    .description('Compress a matrix, multiply with it, measure its error')
    .action(async (options: CompressCommandOptions) => {
      finish(await handlers.compress(options));
    });

  withCommon(
    program
      .command('multiply')
      .description('Multiply a saved hierarchical matrix with vectors')
      .argument('<file>', 'what compress --out wrote')
      .requiredOption(
        '--x <x>',
        "N rows: .npy, .npz, .safetensors, .h5, .mtx or a table (.csv), or 'seeded' for standard normal vectors",
      )
      .option('--vectors <p>', "how many vectors 'seeded' makes", wholeNumber(1, 65_536), 64)
      .option('--seed <s>', "of 'seeded'", wholeNumber(0), 0)
      .option('--out <file>', 'write the product, .npy, .npz, .safetensors, .h5, .mtx or .csv, in the shape of X'),
  )
    .option('--quiet', 'print nothing but failures')
    .action(async (file: string, options: MultiplyOptions) => {
      finish(await handlers.multiply(file, options));
    });

  withCommon(
    program.command('info').description('What a saved matrix or factorization is: options, ranks, memory'),
    false,
  )
    .argument('<file>', 'what compress --out or factor --out wrote')
    .action(async (file: string, options: CommonOptions) => {
      finish(await handlers.info(file, options));
    });

  const plot = withCommon(
    program
      .command('plot')
      .description(
        'Pictures of a saved matrix or factorization, or of the record of a run: SVG, PNG or a page; without --out ' +
          'in the terminal',
      )
      .argument('<file>', 'what compress --out or factor --out wrote, or the .json of a --record'),
  ).action(async (file: string, options: PlotCommandOptions) => {
    finish(await handlers.plot(file, options));
  });
  const report = withCommon(
    program
      .command('report')
      .description('One page of HTML, whole by itself, of records and saved matrices or factorizations')
      .argument('<files...>', 'the .json of a --record, or what compress --out or factor --out wrote'),
  ).action(async (files: readonly string[], options: ReportCommandOptions) => {
    finish(await handlers.report(files, options));
  });
  if (args.includes('plot')) (await import('./options/plot.js')).withPlot(plot);
  if (args.includes('report')) (await import('./options/plot.js')).withReport(report);

  withCommon(program.command('doctor').description('What hmatrix finds here: BLAS, cores, memory, GPU'))
    .option(
      '--calibrate [file]',
      'measure how fast memory, entries and vectors are beside gemm, and write it as JSON, for solve --rates',
    )
    .action(async (options: DoctorOptions) => {
      finish(await handlers.doctor(options));
    });

  const plan = withCommon(
    program
      .command('plan')
      .description(
        'What a matrix takes on several ranks: memory, flops, messages and seconds of compression, product, ' +
          'factorization and solve, and weak scaling, by stated formulas, without making it',
      ),
    false,
  ).action(async (options: PlanCommandOptions) => {
    finish(await handlers.plan(options));
  });
  if (args.includes('plan')) (await import('./options/plan.js')).withPlan(plan);

  const solve = withCommon(
    program
      .command('solve')
      .description(
        'Solve (A + λI) x = b: a saved hierarchical matrix, a stored matrix, a kernel over points, a test matrix, ' +
          'or the Gauss–Newton matrix of a network',
      )
      .argument(
        '[file]',
        'what compress --out wrote, of format hss or hodlr factored here, or what factor --out wrote',
      ),
  ).action(async (file: string | undefined, options: SolveCommandOptions) => {
    finish(await handlers.solve(file, options));
  });
  if (args.includes('solve')) (await import('./options/solve.js')).withSolve(solve);

  const eigs = withCommon(
    program
      .command('eigs')
      .description(
        'Eigenvalues at one end of the spectrum, each with a verified residual: of a saved hierarchical matrix, a ' +
          'stored matrix, a kernel over points, a test matrix, or the Gauss–Newton matrix of a network',
      )
      .argument('[file]', 'what compress --out wrote'),
  ).action(async (file: string | undefined, options: EigsCommandOptions) => {
    finish(await handlers.eigs(file, options));
  });
  if (args.includes('eigs')) (await import('./options/eigs.js')).withEigs(eigs);

  const sample = withCommon(
    program
      .command('sample')
      .description(
        "Draw a network's parameters from the Laplace approximation N(θ̂, (G + λI)⁻¹/n), G the Gauss–Newton matrix " +
          'at the trained or given weights θ̂: arrays by the names of the weights',
      ),
  ).action(async (options: SampleCommandOptions) => {
    finish(await handlers.sample(options));
  });
  if (args.includes('sample')) (await import('./options/sample.js')).withSample(sample);

  const tune = program
    .command('tune')
    .description('Which leaf size and ranks compress would choose, and what it was chosen from, without compressing')
    .action(async (options: TuneCommandOptions) => {
      finish(await handlers.tune(options));
    });
  if (args.includes('tune')) (await import('./options/matrix.js')).withTune(tune);

  const factor = program
    .command('factor')
    .description(
      'Factor K̃ + λI, K̃ a saved hierarchical matrix or one compressed on the spot: seconds, memory, log ' +
        'determinant, residual',
    )
    .argument('[file]', 'what compress --out wrote, of format hss or hodlr')
    .action(async (file: string | undefined, options: FactorCommandOptions) => {
      finish(await handlers.factor(file, options));
    });

  const logdet = program
    .command('logdet')
    .description(
      'log det(K̃ + λI), K̃ a saved hierarchical matrix or one compressed on the spot; of the latter also log det ' +
        'of the matrix itself, with an interval',
    )
    .argument('[file]', 'what compress --out wrote, of format hss or hodlr')
    .action(async (file: string | undefined, options: FactorCommandOptions) => {
      finish(await handlers.logdet(file, options));
    });
  for (const command of [compress, factor, logdet]) {
    if (!args.includes(command.name())) continue;
    const { withFactor, withFactorsOut, withInput, withProbes, withRun } = await import('./options/matrix.js');
    if (command === logdet) withProbes(command);
    if (command === factor) withFactorsOut(command);
    (await import('./options/network.js')).withNetwork(
      command === compress ? withInput(withRun(command)) : withFactor(command),
    );
  }

  const table = withCommon(
    program
      .command('table')
      .description(
        'Approximations of a Gauss–Newton Hessian at equal memory: hierarchical matrix, randomized SVD, K-FAC ' +
          'and others; or preconditioners. Errors are exact where the form tells them from ‖G‖, or up to ' +
          'N = 4096; else from 500 columns, with half a 95 % interval',
      ),
  ).action(async (options: TableOptions, command: Command) => {
    finish(
      await (options.preconditioners === true
        ? handlers.preconditioners(givenOf(options, command))
        : handlers.table({ ...options, ...givenNetwork(command) })),
    );
  });
  if (args.includes('table')) (await import('./options/table.js')).withTable(table);

  const demo = withCommon(
    program
      .command('demo')
      .description('The main job: the table for an autoencoder of images of digits, in less than a minute'),
  ).action(async (options: DemoOptions, command: Command) => {
    finish(await handlers.demo({ ...options, ...givenNetwork(command) }));
  });
  if (args.includes('demo')) (await import('./options/table.js')).withDemo(demo);

  const train = withCommon(
    program
      .command('train')
      .description(
        'Train a network on images, tables or generated digits, by first or second order. Exit status 3: a target ' +
          'was asked for and missed, or the run diverged (the last good weights are kept)',
      ),
  ).action(async (_options: object, command: Command) => {
    finish(await handlers.train(() => withConfig<TrainCommandOptions>(command)));
  });
  if (args.includes('train')) (await import('./options/train.js')).withTrain(train);

  const compare = withCommon(
    program
      .command('compare')
      .description(
        'How soon optimizers reach a target, each with several settings and seeds; adam is always among them. Exit ' +
          'status 3: none reached it',
      ),
  ).action(async (_options: object, command: Command) => {
    finish(await handlers.compare(() => withConfig<CompareCommandOptions>(command)));
  });
  if (args.includes('compare')) (await import('./options/train.js')).withCompare(compare);

  if (args[0] === 'completion' || args[0] === 'complete') {
    (await import('./completion.js')).addCompletion(program, args);
  } else {
    // For the list of commands alone.
    program
      .command('completion')
      .description('A script that completes commands and options in bash, zsh, fish or powershell')
      .argument('<shell>');
  }

  for (const command of program.commands) command.allowExcessArguments(true);
  program.hook('preAction', (_program, command) => {
    checkArguments(command, args);
  });
  return program;
}
