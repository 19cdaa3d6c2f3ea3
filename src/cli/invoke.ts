/**
 * A command line, from its arguments to its exit status.
 */
import type { Option } from 'commander';
import { WARNING_TYPE } from '../core/warning.js';
import { createProgram } from './commands.js';
import { EXIT_STATUS, inCommandWords, reportFailure } from './outcome.js';
import { say } from './terminal.js';
import type { Handlers } from './command-options.js';

/** A command's code is loaded when it is run: help and errors of usage come at once. */
const handlers: Handlers = {
  compress: async (options) => (await import('./compress.js')).compress(options),
  multiply: async (file, options) => (await import('./multiply.js')).multiply(file, options),
  info: async (file, options) => (await import('./info.js')).info(file, options),
  doctor: async (options) => (await import('./doctor.js')).doctor(options),
  solve: async (file, options) => (await import('./solve.js')).solve(file, options),
  tune: async (options) => (await import('./tune.js')).tune(options),
  eigs: async (file, options) => (await import('./eigs.js')).eigs(file, options),
  factor: async (file, options) => (await import('./factor.js')).factor(file, options),
  logdet: async (file, options) => (await import('./factor.js')).logdet(file, options),
  table: async (options) => (await import('./table.js')).table(options),
  preconditioners: async (options) => (await import('./preconditioners.js')).preconditioners(options),
  train: async (options) => (await import('./train.js')).trainCommand(await options()),
  compare: async (options) => (await import('./compare.js')).compareCommand(await options()),
  demo: async (options) => (await import('./demo.js')).demo(options),
};

/** The flags of the command that runs: what the library says of its options is said in them. */
let flags: readonly Option[] = [];

/** Runs `hmatrix ...args`; returns the exit status, after saying what went wrong. */
export async function invoke(args: readonly string[]): Promise<number> {
  let status: number = EXIT_STATUS.done;
  flags = [];
  try {
    const finish = (found: number): void => {
      status = found;
    };
    const program = await createProgram(handlers, finish, args);
    program.hook('preAction', (_program, command) => {
      flags = command.options;
    });
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    status = reportFailure(error, flags);
  }
  return status;
}

/** Warnings of the library are sentences for the user; Node's own line has a process number and a hint beside. */
export const sayWarning = ({ name, message }: Error): void => {
  say(`${name === WARNING_TYPE ? 'warning' : name}: ${inCommandWords(message, flags)}`);
};
