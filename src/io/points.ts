/**
 * Points from a file, whatever its kind: .npy, CSV, IDX images. Layer 1.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { readCsv } from './csv.js';
import { isGzip, isIdx, readIdx } from './idx.js';
import { sharedBuffer, withInputFile } from './input-file.js';
import { hex } from './npy-header.js';
import { readNpyOrdered } from './npy.js';

export interface ReadPointsOptions extends RunControl {
  /** The first so many points; all of them by default. */
  readonly limit?: number | undefined;
  /** CSV only: which columns are the coordinates (names or numbers from 0), whether the first row names them, what separates cells, what to do about missing values. */
  readonly columns?: readonly (string | number)[] | undefined;
  readonly header?: boolean | undefined;
  readonly delimiter?: string | undefined;
  readonly incompleteRows?: 'error' | 'skip' | undefined;
}
export const READ_POINTS_KEYS: KeysOf<ReadPointsOptions & { readonly team?: unknown }> = {
  limit: true, columns: true, header: true, delimiter: true, incompleteRows: true, signal: true, onProgress: true, team: true,
};

/** N points in ℝᵈ; point i is coordinates[i·d … i·d + d), over a SharedArrayBuffer. Structurally the `Points` of the sources. */
export interface PointTable { readonly dimension: number; readonly count: number; readonly coordinates: Float64Array }

type Kind = 'npy' | 'csv' | 'idx';

/** By name where the name says it, else by the first bytes (MNIST's files have no extension of their own). */
async function kindOf(path: string, control: RunControl): Promise<Kind> {
  if (/\.npy$/i.test(path)) return 'npy';
  if (/\.(csv|tsv)$/i.test(path)) return 'csv';
  const head = await withInputFile(path, control, (file) => file.head(6));
  if (isGzip(head) || isIdx(head)) return 'idx';
  if (hex(head) === '93 4e 55 4d 50 59') return 'npy';
  throw new FileFormatError(`${path}: neither .npy, nor .csv or .tsv by name, nor IDX (MNIST, .gz as it comes): it starts with ${hex(head)}.`, { path });
}

/** The first `limit` of `count`, without a copy. */
const first = (points: PointTable, limit: number): PointTable =>
  points.count <= limit ? points : { dimension: points.dimension, count: limit, coordinates: points.coordinates.subarray(0, limit * points.dimension) };

/** coordinates ← elements; bytes are grey values, 0 … 255 → 0 … 1. */
async function idxPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const { shape, data } = await readIdx(path, options);
  if (shape.length < 2) {
    throw new FileFormatError(`${path}: holds ${shape[0]} single values (labels?), not points. Give the file of images: its name has idx3, its first bytes are 00 00 08 03.`, { path, shape });
  }
  const count = Math.min(shape[0], options.limit ?? Infinity);
  const dimension = shape.slice(1).reduce((product, n) => product * n, 1);
  const coordinates = new Float64Array(sharedBuffer(8 * count * dimension, path));
  if (data instanceof Uint8Array) for (let i = 0; i < coordinates.length; i++) coordinates[i] = data[i] / 255;
  else coordinates.set(data.subarray(0, coordinates.length));
  return { dimension, count, coordinates };
}

async function csvPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const delimiter = options.delimiter ?? (/\.tsv$/i.test(path) ? '\t' : ',');
  const { rows, cols, data } = await readCsv(path, { ...options, delimiter });
  return { dimension: cols, count: rows, coordinates: data };
}

async function npyPoints(path: string, options: ReadPointsOptions): Promise<PointTable> {
  const { rows, cols, data } = await readNpyOrdered(path, 'C', 'f64', options);
  return first({ dimension: cols, count: rows, coordinates: data as Float64Array }, options.limit ?? Infinity);
}

/**
 * Reads N points in ℝᵈ: an .npy array of N rows and d columns, a CSV table of N rows, or IDX images (each one point; bytes scaled to [0, 1]).
 * Failure: NonFiniteError with point and coordinate, FileFormatError, OptionError, FileAccessError, MemoryError, AbortedError.
 */
export async function readPoints(path: string, options: ReadPointsOptions = {}): Promise<PointTable> {
  requireRole(path, 'path', 'readPoints');
  requireKnownOptions(options, READ_POINTS_KEYS, 'readPoints');
  const { limit } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) throw new OptionError(`limit must be a whole number of at least 1, not ${limit}.`, { limit });
  const kind = await kindOf(path, options);
  if (kind !== 'csv') {
    const misplaced = (['columns', 'header', 'delimiter', 'incompleteRows'] as const).find((name) => options[name] !== undefined);
    if (misplaced !== undefined) throw new OptionError(`${misplaced} is an option for CSV files; ${path} is none.`, { option: misplaced, path });
  }
  const points = await (kind === 'npy' ? npyPoints(path, options) : kind === 'csv' ? csvPoints(path, options) : idxPoints(path, options));
  const { dimension, count, coordinates } = points;
  if (count === 0 || dimension === 0) throw new FileFormatError(`${path}: ${count} points in ${dimension} dimensions: there is nothing in it.`, { path, count, dimension });
  for (let i = 0; i < coordinates.length; i++) {
    if (!Number.isFinite(coordinates[i])) {
      const row = Math.floor(i / dimension);
      throw new NonFiniteError(`${path}: row ${row}, column ${i % dimension} (from 0) is ${coordinates[i]}; points need finite coordinates.`, { path, row, column: i % dimension, value: coordinates[i] });
    }
  }
  return points;
}
