#!/usr/bin/env node
/**
 * The hmatrix command.
 * Exit status: 0 done, 1 the run failed or was interrupted, 2 wrong usage, 3 done but the asked tolerance was missed.
 */
import { invoke, sayWarning } from './invoke.js';
import { EXIT_STATUS } from './outcome.js';
import { watchOutput } from './terminal.js';

process.removeAllListeners('warning');
process.on('warning', sayWarning);
watchOutput(EXIT_STATUS.failed);
process.exitCode = await invoke(process.argv.slice(2));
