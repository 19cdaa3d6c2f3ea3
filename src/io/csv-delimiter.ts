/**
 * What separates the cells of a table, found from its first rows where nobody says it.
 * It is the one among comma, semicolon and tab that cuts each of the first rows into equally many cells, more than one;
 * among several of these, the one that leaves fewest cells that are no numbers in any notation ("1,5;2,5" are two
 * numbers with decimal commas, not a number and two pieces of text). A file without any of them has one column.
 */
import { describe } from '../core/kind.js';
import { parse } from 'csv-parse/sync';
import { OptionError } from '../core/errors.js';
import { isMissing, notationOf, numberOf, type DecimalMark } from './csv-cell.js';

/** Rows looked at. */
const ROWS = 20;
/** Bytes of the file's start that they are looked for in. */
export const HEAD_BYTES = 64 * 1024;

/** Throws OptionError unless cells can be separated by `delimiter`: one character that no number holds. */
export function requireDelimiter(delimiter: string): void {
  const given: unknown = delimiter;
  if (typeof given === 'string' && [...given].length === 1 && !/[\w.+\-"\r\n]/.test(given)) return;
  throw new OptionError(
    `The delimiter must be one character, no digit, letter, sign, point or quote; not ${describe(given)}.`,
    { option: 'delimiter', delimiter: given },
  );
}

/** The first rows, without one that the head's end cuts. */
function firstRows(head: Uint8Array, whole: boolean, delimiter: string): string[][] {
  const options = {
    bom: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    delimiter,
    to: ROWS,
  };
  const rows: string[][] = parse(Buffer.from(head), options);
  return whole || rows.length >= ROWS || rows.length <= 1 ? rows : rows.slice(0, -1);
}

/** The share of cells that hold no number in any notation, and something all the same. */
function textShare(rows: readonly string[][]): number {
  const cells = rows.flat();
  const isText = (cell: string): boolean =>
    !isMissing(cell) && numberOf(cell, '.') === undefined && notationOf(cell, '.') === undefined;
  return cells.filter(isText).length / cells.length;
}

/**
 * Whether some cell of the first rows holds the decimal comma although commas separate the cells: it stands in quotes
 * then.
 */
const hasQuotedCommas = (rows: readonly string[][]): boolean =>
  rows.some((row) => row.some((cell) => cell.includes(',') && numberOf(cell, ',') !== undefined));

/**
 * The delimiter of the table that begins with `head`; `whole`: the head is all of it. Where the decimal mark is a
 * comma, commas separate cells only if cells with such commas are in quotes. Throws OptionError where `given` is the
 * decimal comma and no cell is in quotes.
 */
export function delimiterOf(head: Uint8Array, whole: boolean, decimal: DecimalMark, given: string | undefined): string {
  if (given !== undefined) {
    requireDelimiter(given);
    if (given === decimal && !hasQuotedCommas(firstRows(head, whole, given))) {
      throw new OptionError(
        `The delimiter and the decimal mark are both '${given}', and no cell is in quotes: they cannot be told apart.`,
        { option: 'delimiter', delimiter: given },
      );
    }
    return given;
  }
  const candidates = [';', '\t', ',']
    .map((delimiter) => ({ delimiter, rows: firstRows(head, whole, delimiter) }))
    .filter(({ delimiter, rows }) => delimiter !== decimal || hasQuotedCommas(rows));
  const regular = candidates.filter(
    ({ rows }) => rows.length > 0 && rows[0].length > 1 && rows.every((row) => row.length === rows[0].length),
  );
  const [best] = regular
    .map(({ delimiter, rows }) => ({ delimiter, text: textShare(rows) }))
    .sort((a, b) => a.text - b.text);
  if (best !== undefined) return best.delimiter;
  // Ragged rows: the reader says which, under the delimiter that its first row has.
  return (
    candidates.filter(({ rows }) => rows.length > 0 && rows[0].length > 1).pop()?.delimiter ??
    (decimal === ',' ? ';' : ',')
  );
}
