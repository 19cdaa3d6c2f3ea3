/**
 * The options that every command has, and what the commands' options are written with.
 */
import type { Command } from 'commander';
import { Option } from 'commander';
import { columnList, delimiter, finiteNumber, header, wholeNumber } from '../usage.js';

/** Most rows. */
export const MAX_SIZE = 2 ** 31 - 1;
/** Reads a number ≥ 0. */
export const nonNegative = finiteNumber('a number of at least 0', (value) => value >= 0);

/** Reads a number > 0. */
export const positive = finiteNumber('a positive number', (value) => value > 0);

/** What every command takes; `team`: whether it computes with one. */
export function withCommon(command: Command, team = true): Command {
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

/** An option that takes one of some names. */
export const named = (flags: string, text: string, choices: readonly string[]): Option =>
  new Option(flags, text).choices(choices);

/** How tables (.csv, .tsv) of points or samples are read. */
export const withTableReading = (command: Command): Command =>
  command
    .option('--columns <list>', 'of a .csv or .tsv file: names or numbers from 0, commas between (all)', columnList)
    .option('--header <choice>', 'its first row holds names: yes, no, auto (if no cell begins like a number)', header)
    .option('--delimiter <c>', 'between its cells: a character, tab, space (default: the first rows tell)', delimiter)
    .addOption(named('--decimal <mark>', 'decimal mark of the file (default: .)', ['.', ',']))
    .addOption(named('--incomplete-rows <choice>', 'with cells empty, NA, NaN … (default: error)', ['error', 'skip']));
