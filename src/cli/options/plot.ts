/**
 * The options of hmatrix plot and hmatrix report.
 */
import type { Command } from 'commander';
import { THEMES } from '../../report/svg.js';
import { wholeNumber } from '../usage.js';
import { named } from './common.js';

/** The options of `hmatrix plot`. */
export const withPlot = (command: Command): Command =>
  command
    .option('-o, --out <file>', 'write .svg, .png or .html (default: show it in the terminal)')
    .option('--figures <list>', 'ids of figures, commas between, as --json tells them (default: all)', (text: string) =>
      text.split(',').map((one) => one.trim()),
    )
    .addOption(named('--theme <name>', 'colours (default: auto in .svg, light in .png)', THEMES))
    .option('--singular-values', 'of a matrix: also the singular values of a block of each level')
    .option('--spectrum', 'of a matrix: also the density of its eigenvalues, by some 1,600 products')
    .option('--seed <s>', 'of the probes of --spectrum', wholeNumber(0), 0)
    .option('--quiet', 'print nothing but failures');

/** The options of `hmatrix report`. */
export const withReport = (command: Command): Command =>
  command
    .option('-o, --out <file>', 'the page that is written', 'report.html')
    .option('--title <text>', 'of the page (default: that of the only run, or how many there are)')
    .option('--quiet', 'print nothing but failures');
