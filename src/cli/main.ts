#!/usr/bin/env node
/**
 * The hmatrix command.
 * Exit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance was missed.
 */
import { WARNING_TYPE } from '../core/warning.js';
import { createProgram, type Handlers } from './commands.js';
import { exitStatus, reportFailure } from './outcome.js';
import { say, watchOutput } from './terminal.js';

/** A command's code is loaded when it is run: help and errors of usage come at once. */
const handlers: Handlers = {
  compress: async (options) => (await import('./compress.js')).compress(options),
  multiply: async (file, options) => (await import('./multiply.js')).multiply(file, options),
  info: async (file, options) => (await import('./info.js')).info(file, options),
  doctor: async (options) => (await import('./doctor.js')).doctor(options),
  solve: async (options) => (await import('./solve.js')).solve(options),
  table: async (options) => (await import('./table.js')).table(options),
  preconditioners: async (options) => (await import('./preconditioners.js')).preconditioners(options),
  demo: async (options) => (await import('./demo.js')).demo(options),
};

// Warnings of the library are sentences for the user; Node's own line has a process number and a hint about
// --trace-warnings.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  say(`${warning.name === WARNING_TYPE ? 'warning' : warning.name}: ${warning.message}`);
});

watchOutput(exitStatus.failed);

try {
  await createProgram(handlers, (status) => {
    process.exitCode = status;
  }).parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
