/**
 * How a table is to be read, and how it was read.
 */
import { splitArrayPath } from './array-path.js';
import { quoted, type DecimalMark } from './csv-cell.js';

/** How a table is to be read. */
export interface CsvFormat {
  /** Which columns, in which order: names of the header row, or numbers from 0. All of them by default. */
  readonly columns?: readonly (string | number)[] | undefined;
  /**
   * One more column, by name or number, which is no coordinate: what was measured at each point. It is read, and judged
   * by `incompleteRows`, together with the others. `columns` are by default all but this one.
   */
  readonly values?: string | number | undefined;
  /**
   * Whether the first row names the columns. By default it does if it holds text and no cell of it begins like a
   * number.
   */
  readonly header?: boolean | undefined;
  /**
   * One character. By default a tab in files called .tsv; else the comma, semicolon or tab that cuts the first rows
   * into equally many cells.
   */
  readonly delimiter?: string | undefined;
  /** What separates whole part and fraction of a number; default '.'. */
  readonly decimal?: DecimalMark | undefined;
  /**
   * What to do about a row with a missing value in one of the columns taken (`columns` and `values`; no other cell is
   * looked at): 'error' (default) or 'skip' the row. Missing, in any case of letters, are: an empty cell, NA, N/A,
   * #N/A, <NA>, NaN, null, None. Infinite values are not missing, they are refused.
   */
  readonly incompleteRows?: 'error' | 'skip' | undefined;
}

/** The options of tables by name, without that of one more column. */
export const READING_OPTIONS = [
  'columns',
  'header',
  'delimiter',
  'decimal',
  'incompleteRows',
] as const satisfies readonly (keyof CsvFormat)[];

/** The options of tables, by name. */
export const TABLE_OPTIONS = ['values', ...READING_OPTIONS] as const satisfies readonly (keyof CsvFormat)[];

/** Whether a file of that name is read as a table. */
export const isTable = (path: string): boolean => /\.(csv|tsv)$/i.test(splitArrayPath(path).file);

/** What was taken from a table, and how it was read. */
export interface CsvReading {
  readonly delimiter: string;
  readonly decimal: DecimalMark;
  /** Whether the first row was taken for names. */
  readonly header: boolean;
  /** The numbers of the columns taken, from 0, and their names: of the header, else "column 0", … */
  readonly columns: readonly number[];
  readonly names: readonly string[];
  /** The name of the column of `values`, where they were asked for. */
  readonly valuesName?: string | undefined;
  /** Of several columns of values, read besides: their numbers and names. */
  readonly besides?: readonly { readonly column: number; readonly name: string }[] | undefined;
  /** The names of the other columns of the file, which were not taken. */
  readonly leftOut: readonly string[];
  /** Rows left out because a value was missing. */
  readonly skippedRows: number;
}

/** A sentence on the columns that were taken of the table of that name. */
export const tableTaken = (name: string, table: CsvReading): string => `Taken of ${name}: ${columnsTaken(table)}.`;

/** Most columns that a sentence lists. */
const COLUMNS_SHOWN = 12;

/** Which columns were taken, what they are called by whom, and which were not: a part of a sentence. */
export function columnsTaken({
  columns,
  names,
  valuesName,
  besides = [],
  header,
  leftOut,
}: Pick<CsvReading, 'columns' | 'names' | 'valuesName' | 'besides' | 'header' | 'leftOut'>): string {
  const list = (shown: readonly string[]): string =>
    shown.slice(0, COLUMNS_SHOWN).join(', ') +
    (shown.length > COLUMNS_SHOWN ? ` and ${shown.length - COLUMNS_SHOWN} more` : '');
  const called = (name: string): string => (header ? quoted(name) : name.replace(/^column /, ''));
  const values = valuesName === undefined ? besides.map(({ name }) => name) : [valuesName];
  const valued = values.length === 0 ? '' : `, values ${list(values.map(called))}`;
  const taken = list(header ? names.map(quoted) : columns.map(String)) + valued;
  const by = header ? 'named by the first row' : 'by number from 0: the first row holds no names';
  const rest = leftOut.length === 0 ? '' : `; left out: ${list(leftOut.map(called))}`;
  return `${columns.length === 1 ? 'column' : 'columns'} ${taken} (${by}${rest})`;
}
