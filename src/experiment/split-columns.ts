/**
 * Columns of one table taken apart: coordinates or inputs, and values that belong to the same rows. All are read in one
 * call: a row with a missing cell in any of them is left out of all, or refused.
 */
import { inCode, type OptionAdvice } from '../core/advice.js';
import { FileFormatError, OptionError } from '../core/errors.js';
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
 * Reads `columns` of a table. Throws what readPoints throws; an error about the columns names the caller's option for
 * them, `called`, or none.
 */
export async function readColumns(
  path: string,
  columns: readonly Column[],
  options: ReadPointsOptions,
  called?: string,
): Promise<PointTable> {
  try {
    return await readPoints(path, { ...options, columns });
  } catch (error) {
    if (error instanceof OptionError && error.data['option'] === 'columns')
      throw new OptionError(error.message, { ...error.data, option: called });
    throw called === undefined ? error : asCalled(error, called);
  }
}

/** An error about a cell with the option `called` in place of columns. */
function asCalled(error: unknown, called: string): unknown {
  if (!(error instanceof FileFormatError)) return error;
  const { advice = [] } = error.data as { readonly advice?: readonly OptionAdvice[] | undefined };
  const own: OptionAdvice = { option: called };
  if (!advice.some(({ option }) => option === 'columns')) return error;
  const message = error.message.replaceAll(inCode({ option: 'columns' }), inCode(own));
  return new FileFormatError(message, { ...error.data, advice: [...advice, own] });
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
 * Reads a table (.csv, .tsv): the columns `valueColumns` as values, which the caller's option `called` names, and
 * `options.columns` or all others as points. Throws OptionError where a column is to be both, or no column is left for
 * points, and what readPoints throws.
 */
export async function readSplitTable(
  path: string,
  valueColumns: readonly Column[],
  options: ReadPointsOptions,
  called?: string,
): Promise<SplitTable> {
  const { columns } = options;
  // Of all columns the values' own are found by reading one row: who names none that is there hears which there are.
  const found = await readColumns(path, valueColumns, { ...options, limit: 1, incompleteRows: 'skip' }, called);
  const own = found.table!.columns;
  const all = columns === undefined ? options : { ...options, columns: [...columns, ...own] };
  const whole = await readPoints(path, all).catch((error: unknown) => {
    const { number } = (error instanceof FileFormatError ? error.data : {}) as { readonly number?: number | undefined };
    throw called !== undefined && own.some((column) => column === number) ? asCalled(error, called) : error;
  });
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
  const points = part(whole, table, rest);
  const besides = own.map((column, k) => ({ column, name: table.names[values[k]] }));
  return { points: { ...points, table: { ...points.table!, besides } }, values: part(whole, table, values) };
}
