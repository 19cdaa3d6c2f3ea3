/**
 * Points and samples from a file, whatever its kind: .npy, .npz, safetensors, HDF5, CSV, Matrix Market, IDX images.
 */
import { readArrayOrdered } from './array-file.js';
import { splitArrayPath } from './array-path.js';
import { arrayFileKindOf, TELLING_BYTES, foreignFile } from './foreign-file.js';
import { requireWhole } from '../core/checks.js';
import { inCode } from '../core/advice.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { view, type Matrix } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { isTable, TABLE_OPTIONS, type CsvFormat, type CsvReading } from './csv-format.js';
import { readCsv } from './csv.js';
import { isGzip } from './gzip.js';
import { isIdx, readIdx } from './idx.js';
import { sharedBuffer, withInputFile } from './input-file.js';
import { hex, NPY_MAGIC } from './npy-header.js';
import { isMatrixMarket, readMatrixMarket } from './matrix-market.js';
import { elementCount } from './shape-size.js';
import { portionOf, type Portion } from '../core/portion.js';

/** What CsvFormat has is for tables (.csv, .tsv), whose columns are the coordinates, but for that of `values`. */
export interface ReadPointsOptions extends CsvFormat, RunControl {
  /** The first so many points; all of them by default. */
  readonly limit?: number | undefined;
  /**
   * Of these points the ones of this rank of so many, a communicator say: equal parts, in the order of the ranks. Of an
   * .npy file in C order no others are read, of any other file none are kept.
   */
  readonly part?: { readonly rank: number; readonly size: number } | undefined;
}
/** The keys of {@link ReadPointsOptions}, and `team`. */
const READ_POINTS_KEYS: KeysOf<ReadPointsOptions & { readonly team?: unknown | undefined }> = {
  limit: 'number',
  part: true,
  columns: true,
  values: true,
  header: 'boolean',
  delimiter: 'text',
  decimal: true,
  incompleteRows: true,
  signal: true,
  onProgress: 'function',
  team: true,
};

/** Options of {@link readSamples}. */
export interface ReadSamplesOptions extends ReadPointsOptions {
  /**
   * Which array of a file that holds arrays by name (.npz, .safetensors, .h5), where several are of numbers and the
   * path names none.
   */
  readonly name?: string | undefined;
}
const READ_SAMPLES_KEYS: KeysOf<ReadSamplesOptions & { readonly team?: unknown | undefined }> = {
  ...READ_POINTS_KEYS,
  name: 'text',
};

/**
 * N points in ℝᵈ; point i is coordinates[i·d … i·d + d), over a SharedArrayBuffer. Structurally the `Points` of the
 * sources.
 */
export interface PointTable {
  readonly dimension: number;
  readonly count: number;
  readonly coordinates: Float64Array;
  /**
   * Points that the file gives without a `limit`; undefined for a table whose reading ended with the limit. Rows
   * skipped for a missing value are not counted: the file has table.skippedRows more.
   */
  readonly total: number | undefined;
  /** Where the file is a table: which columns were taken, what they are called, how cells were told apart. */
  readonly table?: CsvReading | undefined;
  /** The column `values` of a table, number i belonging to point i, where it was asked for. */
  readonly values?: Float64Array | undefined;
  /**
   * Where the file is a table: point i is its row keptRows[i], rows of data counted from 0, without the header and
   * blank lines. `city[keptRows[i]]` is then what another column, read by other means, says of point i.
   */
  readonly keptRows?: Int32Array | undefined;
}

/** Samples from a file: the columns of a matrix, and what a table says besides. */
export interface SampleMatrix extends Matrix, Pick<PointTable, 'table' | 'values' | 'keptRows'> {}

/** What comes with `values` besides. */
interface WithValues {
  readonly values: Float64Array;
}

type Kind = 'array' | 'csv' | 'idx' | 'mtx';

/** By name where the name says it, else by the first bytes (MNIST's files have no extension of their own). */
async function kindOf(path: string, control: RunControl): Promise<Kind> {
  if (splitArrayPath(path).kind !== undefined || /\.npy$/i.test(path)) return 'array';
  if (isMatrixMarket(path)) return 'mtx';
  if (isTable(path)) return 'csv';
  const start = await withInputFile(path, control, (file) => file.head(TELLING_BYTES));
  const head = start.subarray(0, 6);
  if (isGzip(head) || isIdx(head)) return 'idx';
  if (hex(head) === NPY_MAGIC || arrayFileKindOf(start, path) !== undefined) return 'array';
  throw new FileFormatError(
    `${path}: neither .npy, nor .npz, nor safetensors, nor .h5, nor .csv or .tsv by name, nor IDX (MNIST, .gz as it ` +
      `comes): it starts with ${hex(head)}.${foreignFile(path, start)}`,
    { path },
  );
}

/** The first `limit` of `count`, without a copy. */
const first = (points: PointTable, limit: number): PointTable =>
  points.count <= limit
    ? points
    : { ...points, count: limit, coordinates: points.coordinates.subarray(0, limit * points.dimension) };

/** Which of so many points are wanted: the first `limit`, and of these a rank's part. */
function wantedRows(count: number, { limit = Infinity, part }: ReadPointsOptions): Portion {
  const most = Math.min(count, limit);
  return part === undefined ? { first: 0, end: most } : portionOf(part, part.rank, most);
}

/** Throws OptionError. */
function requirePart({ rank, size }: NonNullable<ReadPointsOptions['part']>): void {
  if (Number.isInteger(rank) && Number.isInteger(size) && rank >= 0 && rank < size) return;
  throw new OptionError(
    'part must say which of so many parts is read, { rank, size } with 0 ≤ rank < size, not ' +
      `${describe(rank)} of ${describe(size)}.`,
    { option: 'part' },
  );
}

/** A rank's part of what was read, a copy, so that nothing holds the others; and how many points stand before it. */
function ownPart(
  read: PointTable,
  options: ReadPointsOptions,
): { readonly points: PointTable; readonly before: number } {
  const { dimension, count, coordinates, values, keptRows, total = count } = read;
  const { first: before, end } = wantedRows(total, options);
  // The others may not have been read.
  if (count === end - before) return { points: read, before };
  const own = new Float64Array(sharedBuffer(8 * dimension * (end - before), 'points'));
  own.set(coordinates.subarray(before * dimension, end * dimension));
  const points = {
    ...read,
    count: end - before,
    coordinates: own,
    values: values?.slice(before, end),
    keptRows: keptRows?.slice(before, end),
  };
  return { points, before };
}

/** coordinates ← elements; bytes are grey values, 0 … 255 → 0 … 1. */
async function idxPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const { shape, data } = await readIdx(path, options);
  if (shape.length < 2) {
    throw new FileFormatError(
      `${path}: holds ${shape[0]} single values (labels?), not points. Give the file of images: its name has ` +
        'idx3, its first bytes are 00 00 08 03.',
      { path, shape },
    );
  }
  const count = Math.min(shape[0], options.limit ?? Infinity);
  const dimension = elementCount(shape.slice(1));
  const coordinates = new Float64Array(sharedBuffer(8 * elementCount([count, dimension]), path));
  if (data instanceof Uint8Array) for (let i = 0; i < coordinates.length; i++) coordinates[i] = data[i] / 255;
  else coordinates.set(data.subarray(0, coordinates.length));
  return { dimension, count, coordinates, total: shape[0] };
}

async function mtxPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const { signal, onProgress, limit = Infinity } = options;
  const { data, rows, cols } = await readMatrixMarket(path, { signal, onProgress });
  const coordinates = new Float64Array(sharedBuffer(data.byteLength, path));
  transposeInto(view(coordinates, 0, cols, rows), view(data, 0, rows, cols));
  return first({ dimension: cols, count: rows, coordinates, total: rows }, limit);
}

async function csvPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const { rows, cols, data, values, keptRows, whole, ...table } = await readCsv(path, options);
  const total = whole ? rows : undefined;
  return { dimension: cols, count: rows, coordinates: data, total, table, values, keptRows };
}

async function arrayPoints(path: string, options: ReadSamplesOptions): Promise<PointTable> {
  const { name, signal, onProgress, limit = Infinity, part } = options;
  const rowsOf = part === undefined ? undefined : (count: number) => wantedRows(count, options);
  const how = { order: 'C', precision: 'f64', name, rows: rowsOf } as const;
  const { shape, rows, cols, data } = await readArrayOrdered(path, how, { signal, onProgress });
  const points = { dimension: cols, count: rows, coordinates: data as Float64Array, total: shape[0] };
  return first(points, limit);
}

/**
 * Reads N points in ℝᵈ: an .npy array of N rows and d columns (or N records of d real fields), such an array of an .npz
 * archive, a safetensors file or HDF5 (`FILE.npz` of one, else `FILE.npz:name`, `FILE.safetensors:name`,
 * `FILE.h5:/group/name`; HDF5 takes the package h5wasm), a Matrix Market file, a CSV table of N rows, or IDX images
 * (each one point; bytes scaled to [0, 1]). What was measured at the points is read from a table in the
 * same call: rows are judged by the columns taken, so two calls may skip different ones. `keptRows` says which rows of
 * the file the points are. Failure: NonFiniteError with point and coordinate, FileFormatError, OptionError,
 * FileAccessError, MemoryError, AbortedError.
 *
 * ```js
 * // x1,x2,city,y: text in city is not looked at, a row without x1, x2 or y is left out.
 * const options = { columns: ['x1', 'x2'], values: 'y', incompleteRows: 'skip' };
 * const points = await readPoints('table.csv', options);
 * const { values: y, keptRows, table } = points; // y[i] belongs to point i; table.skippedRows were left out
 * ```
 */
export async function readPoints(
  path: string,
  options: ReadPointsOptions & { readonly values: string | number },
): Promise<PointTable & WithValues>;
/** The same without values. */
export async function readPoints(path: string, options?: ReadPointsOptions): Promise<PointTable>;
/** Either of them. */
export async function readPoints(path: string, options: ReadPointsOptions = {}): Promise<PointTable> {
  requireRole(path, 'path', 'readPoints');
  requireKnownOptions(options, READ_POINTS_KEYS, 'readPoints');
  return readRows(path, options);
}

/**
 * Reads n samples of d numbers into a d × n matrix, in float64 over shared memory: the file's rows are samples, as
 * NumPy's users have them, and the matrix's columns are, as this library takes them everywhere (row j of the file is
 * column j). An .npy array (n, d), one of an .npz archive, a safetensors or an .h5 file, a CSV table of n rows, or IDX
 * images (each one sample; bytes scaled to [0, 1]); an array (n) is n samples of one number. Of a table the matrix has,
 * besides, `values` where that column was asked for (as `readPoints` takes it: targets or labels of the same rows),
 * `table`, whose `skippedRows` says how many rows were left out, and `keptRows`, which rows of the file its columns
 * are. Failure: as readPoints, and OptionError where an archive holds several arrays and none is named.
 */
export async function readSamples(
  path: string,
  options: ReadSamplesOptions & { readonly values: string | number },
): Promise<SampleMatrix & WithValues>;
/** The same without values. */
export async function readSamples(path: string, options?: ReadSamplesOptions): Promise<SampleMatrix>;
/** Either of them. */
export async function readSamples(path: string, options: ReadSamplesOptions = {}): Promise<SampleMatrix> {
  requireRole(path, 'path', 'readSamples');
  requireKnownOptions(options, READ_SAMPLES_KEYS, 'readSamples');
  const { dimension, count, coordinates, table, values, keptRows } = await readRows(path, options);
  const samples = view(coordinates, 0, dimension, count);
  return table === undefined ? samples : { ...samples, table, values, keptRows };
}

/** Throws OptionError where the option `name` is for another file. */
function checkName(path: string, name: string | undefined): void {
  if (name === undefined) return;
  if (typeof name !== 'string')
    throw new OptionError(`name must be the name of an array, not ${describe(name)}.`, { option: 'name' });
  if (splitArrayPath(path).name === undefined) return;
  const text = `${path} names an array, and so does the option name: give one of them.`;
  throw new OptionError(text, { option: 'name', path });
}

/** The file's rows as points. */
async function readRows(path: string, options: ReadSamplesOptions): Promise<PointTable> {
  const { limit, name, part } = options;
  if (limit !== undefined) requireWhole(limit, 'limit', 1);
  if (part !== undefined) requirePart(part);
  checkName(path, name);
  const kind = await kindOf(path, options);
  if (name !== undefined && (kind !== 'array' || /\.npy$/i.test(path)))
    throw new OptionError(
      `The option name is for files that hold arrays by name, .npz, .safetensors and .h5; ${path} is none.`,
      { option: 'name', path },
    );
  if (kind !== 'csv') {
    const misplaced = TABLE_OPTIONS.find((name) => options[name] !== undefined);
    if (misplaced !== undefined) {
      const advice = { option: misplaced };
      const text = `The ${inCode(advice)} is for tables, .csv or .tsv by name; ${path} is none.`;
      throw new OptionError(text, { option: misplaced, path, advice: [advice] });
    }
  }
  const readers = { array: arrayPoints, csv: csvPoints, idx: idxPoints, mtx: mtxPoints };
  const read = await readers[kind](path, options);
  const { count, dimension } = read;
  if ((read.total ?? count) === 0 || dimension === 0)
    throw new FileFormatError(`${path}: ${count} points in ${dimension} dimensions: there is nothing in it.`, {
      path,
      count,
      dimension,
    });
  const { points, before } = part === undefined ? { points: read, before: 0 } : ownPart(read, options);
  const { coordinates } = points;
  for (let i = 0; i < coordinates.length; i++) {
    if (!Number.isFinite(coordinates[i])) {
      const row = before + Math.floor(i / dimension);
      throw new NonFiniteError(
        `${path}: row ${row}, column ${i % dimension} (from 0) is ${coordinates[i]}; points need finite coordinates.`,
        { path, row, column: i % dimension, value: coordinates[i] },
      );
    }
  }
  return points;
}
