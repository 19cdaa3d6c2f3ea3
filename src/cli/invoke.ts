/**
 * A command line, from its arguments to its exit status.
 */
import { CommanderError, type Option } from 'commander';
import { WARNING_TYPE } from '../core/warning.js';
import { detectLauncher } from '../distributed/mpi/launcher.js';
import { createProgram } from './commands.js';
import { rememberCommandLine } from './command-line.js';
import { EXIT_STATUS, inCommandWords, reportFailure } from './outcome.js';
import { hasPipes, PIPE, withPipes, type PipeOptions } from './pipes.js';
import type * as Ranks from './ranks.js';
import { sayOnce } from './terminal.js';
import type { Handlers } from './command-options.js';

/** Runs a command with files in the place of standard input and output, where `-` stands for them. */
async function piped<O extends PipeOptions, F extends string | undefined>(
  file: F,
  options: O,
  run: (file: F, options: O) => Promise<number>,
): Promise<number> {
  return hasPipes(file, options) ? withPipes(file, options, run) : run(file, options);
}

/** A command's code is loaded when it is run: help and errors of usage come at once. */
const handlers: Handlers = {
  compress: (options) => piped(undefined, options, async (_, taken) => (await import('./compress.js')).compress(taken)),
  multiply: (file, options) =>
    piped(file, options, async (...taken) => (await import('./multiply.js')).multiply(...taken)),
  info: (file, options) => piped(file, options, async (...taken) => (await import('./info.js')).info(...taken)),
  doctor: async (options) => (await import('./doctor.js')).doctor(options),
  plan: async (options) => (await import('./plan.js')).plan(options),
  solve: (file, options) => piped(file, options, async (...taken) => (await import('./solve.js')).solve(...taken)),
  tune: (options) => piped(undefined, options, async (_, taken) => (await import('./tune.js')).tune(taken)),
  eigs: (file, options) => piped(file, options, async (...taken) => (await import('./eigs.js')).eigs(...taken)),
  sample: async (options) => (await import('./sample.js')).sample(options),
  factor: (file, options) => piped(file, options, async (...taken) => (await import('./factor.js')).factor(...taken)),
  logdet: (file, options) => piped(file, options, async (...taken) => (await import('./factor.js')).logdet(...taken)),
  table: async (options) => (await import('./table.js')).table(options),
  preconditioners: async (options) => (await import('./preconditioners.js')).preconditioners(options),
  train: async (options) => (await import('./train.js')).trainCommand(await options()),
  compare: async (options) => (await import('./compare.js')).compareCommand(await options()),
  plot: (file, options) => piped(file, options, async (...taken) => (await import('./plot.js')).plotCommand(...taken)),
  report: (files, options) => {
    // One of the files may be standard input.
    const input = files.indexOf(PIPE);
    return piped(files[input], options, async (file, taken) => {
      const { reportCommand } = await import('./report.js');
      return reportCommand(
        files.map((one, k) => (k === input && file !== undefined ? file : one)),
        taken,
      );
    });
  },
  demo: async (options) => (await import('./demo.js')).demo(options),
};

/** What runs of several ranks need, where a launcher started this one. */
const rankedRun = async (): Promise<typeof Ranks | undefined> =>
  detectLauncher() === undefined ? undefined : import('./ranks.js');

/** The flags of the command that runs: what the library says of its options is said in them. */
let flags: readonly Option[] = [];

/** Ends a command before it begins, with status 0 and without a word. */
const leftToRankZero = (): CommanderError => new CommanderError(EXIT_STATUS.done, 'hmatrix.rank', 'rank 0 does it');

/** Runs `hmatrix ...args`; returns the exit status, after saying what went wrong. */
export async function invoke(args: readonly string[]): Promise<number> {
  let status: number = EXIT_STATUS.done;
  flags = [];
  rememberCommandLine(args);
  try {
    const finish = (found: number): void => {
      status = found;
    };
    const program = await createProgram(handlers, finish, args);
    program.hook('preAction', async (_program, command) => {
      flags = command.options;
      if ((await (await rankedRun())?.openRanks(command.name())) === false) throw leftToRankZero();
    });
    await program.parseAsync([...args], { from: 'user' });
    (await rankedRun())?.closeRanks(status);
  } catch (error) {
    status = reportFailure(error, flags);
  }
  return status;
}

/** Warnings of the library are sentences for the user; Node's own line has a process number and a hint beside. */
export const sayWarning = ({ name, message }: Error): void => {
  // All ranks give the same.
  sayOnce(`${name === WARNING_TYPE ? 'warning' : name}: ${inCommandWords(message, flags)}`);
};
