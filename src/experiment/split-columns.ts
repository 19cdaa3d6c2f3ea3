/**
 * Columns of one table taken apart: coordinates or inputs, and values that belong to the same rows. All are read in one
 * call: a row with a missing cell in any of them is left out of all, or refused.
 */
import { OptionError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { quoted } from '../io/csv-cell.js';
import type { CsvReading } from '../io/csv-format.js';
import { readPoints, type PointTable, type ReadPointsOptions } from '../io/points.js';

/** Column of a table: its name, or its number from 0. */
export type Column = string | number;

/** Row i of both belongs together. */
export interface SplitTable {
  /** The columns that were asked for, else all others. */
  readonly points: PointTable;
  /** The columns of the values. */
  readonly values: PointTable;
}

/**
 * Reads `columns` of a table. Throws what readPoints throws; an error about the columns names no option, because
 * callers have their own for them.
 */
export async function readColumns(
  path: string,
  columns: readonly Column[],
  options: ReadPointsOptions,
): Promise<PointTable> {
  try {
    return await readPoints(path, { ...options, columns });
  } catch (error) {
    if (error instanceof OptionError && error.data['option'] === 'columns')
      throw new OptionError(error.message, { ...error.data, option: undefined });
    throw error;
  }
}

/** Columns `places` (numbers within what was read) of a table. */
function part(whole: PointTable, table: CsvReading, places: readonly number[]): PointTable {
  const { count, dimension } = whole;
  const coordinates = sharedFloat64(count * places.length);
  for (let i = 0, to = 0; i < count; i++)
    for (const k of places) coordinates[to++] = whole.coordinates[i * dimension + k];
  const names = places.map((k) => table.names[k]);
  const columns = places.map((k) => table.columns[k]);
  return { ...whole, dimension: places.length, coordinates, table: { ...table, names, columns } };
}

/**
 * Reads a table (.csv, .tsv): the columns `valueColumns` as values, `options.columns` or all others as points. Throws
 * OptionError where a column is to be both, or no column is left for points, and what readPoints throws.
 */
export async function readSplitTable(
  path: string,
  valueColumns: readonly Column[],
  options: ReadPointsOptions,
): Promise<SplitTable> {
  const { columns } = options;
  // Of all columns the values' own are found by reading one row: who names none that is there hears which there are.
  const found = await readColumns(path, valueColumns, { ...options, limit: 1, incompleteRows: 'skip' });
  const own = found.table!.columns;
  const whole = await readPoints(path, columns === undefined ? options : { ...options, columns: [...columns, ...own] });
  const table = whole.table!;
  const given = columns === undefined ? table.columns : table.columns.slice(0, columns.length);
  const rest = given.flatMap((column, k) => (columns === undefined && own.includes(column) ? [] : [k]));
  const both = rest.find((k) => own.includes(given[k]));
  if (both !== undefined || rest.length === 0) {
    const why =
      both === undefined
        ? 'all columns are taken for values, and none is left'
        : `column ${quoted(table.names[both])} cannot be taken twice, for values and besides`;
    throw new OptionError(`${path}: ${why}.`, { option: 'columns', path });
  }
  const values = own.map((column) => table.columns.lastIndexOf(column));
  return { points: part(whole, table, rest), values: part(whole, table, values) };
}
