/**
 * How a table is to be read, and how it was read.
 */
import type { DecimalMark } from './csv-cell.js';

/** How a table is to be read. */
export interface CsvFormat {
  /** Which columns, in which order: names of the header row, or numbers from 0. All of them by default. */
  readonly columns?: readonly (string | number)[] | undefined;
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
   * What to do about a row with a missing value in one of the columns: 'error' (default) or 'skip' the row. Missing, in
   * any case of letters, are: an empty cell, NA, N/A, #N/A, <NA>, NaN, null, None. Infinite values are not missing,
   * they are refused.
   */
  readonly incompleteRows?: 'error' | 'skip' | undefined;
}

/** The options of tables, by name. */
export const TABLE_OPTIONS = [
  'columns',
  'header',
  'delimiter',
  'decimal',
  'incompleteRows',
] as const satisfies readonly (keyof CsvFormat)[];

/** What was taken from a table, and how it was read. */
export interface CsvReading {
  readonly delimiter: string;
  readonly decimal: DecimalMark;
  /** Whether the first row was taken for names. */
  readonly header: boolean;
  /** The numbers of the columns taken, from 0, and their names: of the header, else "column 0", … */
  readonly columns: readonly number[];
  readonly names: readonly string[];
  /** Rows left out because a value was missing. */
  readonly skippedRows: number;
}
