#!/usr/bin/env node
/**
 * The hmatrix command.
 * Exit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance was missed.
 */
import * as modules from 'node:module';
import { invoke, sayWarning } from './invoke.js';
import { EXIT_STATUS } from './outcome.js';
import { watchOutput } from './terminal.js';

// Node 22.8 and later keep what they have compiled from one run to the next.
(modules as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();
process.removeAllListeners('warning');
process.on('warning', sayWarning);
watchOutput(EXIT_STATUS.failed);
// No await: the package's command is a file of CommonJS, which has none at its top.
void invoke(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
