/**
 * Points from a file, whatever its kind: .npy, HDF5, CSV, Matrix Market, IDX images; samples of those and of .npz
 * archives.
 */
import { shapeText } from './array-checks.js';
import { TELLING_BYTES, foreignFile, HDF5_SIGNATURE, startsWith } from './foreign-file.js';
import { requireWhole } from '../core/checks.js';
import { inCode } from '../core/advice.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { view, type Matrix } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { TABLE_OPTIONS, type CsvFormat, type CsvReading } from './csv-format.js';
import { readCsv } from './csv.js';
import { isGzip } from './gzip.js';
import { isHdf5, splitHdf5Path } from './hdf5-path.js';
import { readHdf5Ordered } from './hdf5-read.js';
import { isIdx, readIdx } from './idx.js';
import { sharedBuffer, withInputFile } from './input-file.js';
import { hex, NPY_MAGIC } from './npy-header.js';
import { isMatrixMarket, readMatrixMarket } from './matrix-market.js';
import { readNpyOrdered, type OrderedArray } from './npy.js';
import { readNpz, readNpzNames } from './npz.js';
import { elementCount } from './shape-size.js';

/** What CsvFormat has is for tables (.csv, .tsv), whose columns are the coordinates, but for that of `values`. */
export interface ReadPointsOptions extends CsvFormat, RunControl {
  /** The first so many points; all of them by default. */
  readonly limit?: number | undefined;
}
/** The keys of {@link ReadPointsOptions}, and `team`. */
const READ_POINTS_KEYS: KeysOf<ReadPointsOptions & { readonly team?: unknown | undefined }> = {
  limit: 'number',
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
  /** Which array of an archive (.npz, .h5); needed where there are several. */
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

type Kind = 'npy' | 'npz' | 'csv' | 'idx' | 'mtx' | 'hdf5';

/** By name where the name says it, else by the first bytes (MNIST's files have no extension of their own). */
async function kindOf(path: string, control: RunControl, archives: boolean): Promise<Kind> {
  if (/\.npy$/i.test(path)) return 'npy';
  if (isMatrixMarket(path)) return 'mtx';
  if (isHdf5(path)) return 'hdf5';
  if (archives && /\.npz$/i.test(path)) return 'npz';
  if (/\.(csv|tsv)$/i.test(path)) return 'csv';
  const start = await withInputFile(path, control, (file) => file.head(TELLING_BYTES));
  const head = start.subarray(0, 6);
  if (isGzip(head) || isIdx(head)) return 'idx';
  if (hex(head) === NPY_MAGIC) return 'npy';
  if (startsWith(start, HDF5_SIGNATURE)) return 'hdf5';
  if (archives && head[0] === 0x50 && head[1] === 0x4b) return 'npz';
  throw new FileFormatError(
    `${path}: neither .npy${archives ? ', nor .npz' : ''}, nor .h5, nor .csv or .tsv by name, nor IDX (MNIST, .gz as ` +
      `it comes): it starts with ${hex(head)}.${foreignFile(path, start)}`,
    { path },
  );
}

/** The first `limit` of `count`, without a copy. */
const first = (points: PointTable, limit: number): PointTable =>
  points.count <= limit
    ? points
    : { ...points, count: limit, coordinates: points.coordinates.subarray(0, limit * points.dimension) };

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

const arrayPoints = ({ rows, cols, data }: OrderedArray, { limit = Infinity }: ReadPointsOptions): PointTable =>
  first({ dimension: cols, count: rows, coordinates: data as Float64Array, total: rows }, limit);

const npyPoints = async (path: string, options: ReadPointsOptions): Promise<PointTable> =>
  arrayPoints(await readNpyOrdered(path, 'C', 'f64', options), options);

async function hdf5Points(path: string, { name, ...options }: ReadSamplesOptions): Promise<PointTable> {
  if (name !== undefined && splitHdf5Path(path).dataset !== undefined)
    throw new OptionError(`${path} names a dataset, and so does the option name: give one of them.`, {
      option: 'name',
      path,
    });
  const { signal, onProgress } = options;
  const reading = { order: 'C', precision: 'f64', dataset: name } as const;
  return arrayPoints(await readHdf5Ordered(path, reading, { signal, onProgress }), options);
}

async function npzPoints(path: string, { name, limit, ...control }: ReadSamplesOptions): Promise<PointTable> {
  const names = name === undefined ? await readNpzNames(path, control) : [name];
  if (names.length !== 1) {
    const there = names.map((one) => `"${one}"`).join(', ');
    throw new OptionError(`${path}: holds ${names.length} arrays, ${there}: say which one (name).`, { path, names });
  }
  const { signal, onProgress } = control;
  const array = (await readNpz(path, { names, signal, onProgress })).get(names[0])!;
  if (array.shape.length < 1 || array.shape.length > 2)
    throw new FileFormatError(
      `${path}: "${names[0]}" has rank ${array.shape.length} and shape ${shapeText(array.shape)}; rank 1 or 2 is ` +
        'needed. In NumPy: array.reshape(rows, -1).',
      { path, name: names[0], shape: array.shape },
    );
  const [rows, cols = 1] = array.shape;
  const coordinates = new Float64Array(sharedBuffer(8 * elementCount([rows, cols]), path));
  if (array.fortranOrder) transposeInto(view(coordinates, 0, cols, rows), view(array.data, 0, rows, cols));
  else coordinates.set(array.data);
  return first({ dimension: cols, count: rows, coordinates, total: rows }, limit ?? Infinity);
}

/**
 * Reads N points in ℝᵈ: an .npy array of N rows and d columns (or N records of d real fields), such a dataset of HDF5
 * (`FILE.h5` of one, `FILE.h5:/group/name`; it takes the package h5wasm), a Matrix Market file, a CSV table of N rows,
 * or IDX images (each one point; bytes scaled to [0, 1]). What was measured at the points is read from a table in the
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
  return readRows(path, options, false);
}

/**
 * Reads n samples of d numbers into a d × n matrix, in float64 over shared memory: the file's rows are samples, as
 * NumPy's users have them, and the matrix's columns are, as this library takes them everywhere (row j of the file is
 * column j). An .npy array (n, d), one of an .npz archive or an .h5 file, a CSV table of n rows, or IDX images (each
 * one sample; bytes scaled to [0, 1]); an array (n) is n samples of one number. Of a table the matrix has, besides,
 * `values` where that column was asked for (as `readPoints` takes it: targets or labels of the same rows), `table`,
 * whose `skippedRows` says how many rows were left out, and `keptRows`, which rows of the file its columns are.
 * Failure: as readPoints, and OptionError where an archive holds several arrays and none is named.
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
  const { dimension, count, coordinates, table, values, keptRows } = await readRows(path, options, true);
  const samples = view(coordinates, 0, dimension, count);
  return table === undefined ? samples : { ...samples, table, values, keptRows };
}

/** The file's rows as points, those of an archive's array too where `archives`. */
async function readRows(path: string, options: ReadSamplesOptions, archives: boolean): Promise<PointTable> {
  const { limit, name } = options;
  if (limit !== undefined) requireWhole(limit, 'limit', 1);
  if (name !== undefined && typeof name !== 'string')
    throw new OptionError(`name must be the name of an array, not ${describe(name)}.`, { option: 'name' });
  const kind = await kindOf(path, options, archives);
  if (kind !== 'npz' && kind !== 'hdf5' && name !== undefined)
    throw new OptionError(`The option name is for archives of arrays, .npz and .h5; ${path} is none.`, {
      option: 'name',
      path,
    });
  if (kind !== 'csv') {
    const misplaced = TABLE_OPTIONS.find((name) => options[name] !== undefined);
    if (misplaced !== undefined) {
      const advice = { option: misplaced };
      const text = `The ${inCode(advice)} is for tables, .csv or .tsv by name; ${path} is none.`;
      throw new OptionError(text, { option: misplaced, path, advice: [advice] });
    }
  }
  const readers = { npy: npyPoints, npz: npzPoints, csv: csvPoints, idx: idxPoints, mtx: mtxPoints, hdf5: hdf5Points };
  const points = await readers[kind](path, options);
  const { dimension, count, coordinates } = points;
  if (count === 0 || dimension === 0)
    throw new FileFormatError(`${path}: ${count} points in ${dimension} dimensions: there is nothing in it.`, {
      path,
      count,
      dimension,
    });
  for (let i = 0; i < coordinates.length; i++) {
    if (!Number.isFinite(coordinates[i])) {
      const row = Math.floor(i / dimension);
      throw new NonFiniteError(
        `${path}: row ${row}, column ${i % dimension} (from 0) is ${coordinates[i]}; points need finite coordinates.`,
        { path, row, column: i % dimension, value: coordinates[i] },
      );
    }
  }
  return points;
}
