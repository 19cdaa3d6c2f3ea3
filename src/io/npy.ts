/**
 * NumPy's .npy files.
 * Records (structured arrays) of numbers become a matrix, a column for each field. Source: numpy.lib.format (see
 * npy-header.ts, npy-type.ts).
 */
import { requireControl, type RunControl } from '../core/context.js';
import { ShapeError } from '../core/errors.js';
import { floats, precisionOf } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { asVectors, view, type FloatArray, type Matrix, type Precision, type Vectors } from '../dense/matrix.js';
import { writeAtomically } from './atomic-write.js';
import { swapBytes } from './byte-order.js';
import type { ByteSource } from './byte-source.js';
import { convertElements } from './elements.js';
import { CHUNK_BYTES, withInputFile } from './input-file.js';
import { formatNpyHeader, readNpyHeader } from './npy-header.js';
import type { RecordType } from './npy-type.js';
import { columnPieces } from './packed-vectors.js';
import {
  arrayMemory,
  readAsStored,
  readStoredArray,
  type ArrayReading,
  type OrderedArray,
  type StoredArray,
} from './stored-array.js';

/** An array, as an .npy file (of rank 1 or 2) or an .npz archive (of any rank) holds it. */
export interface NpyArray {
  /** (n), (rows, cols), …. */
  readonly shape: readonly number[];
  /** The first index is the fastest if true, the last one if not: (i, j) is data[i + j·rows] or data[i·cols + j]. */
  readonly fortranOrder: boolean;
  /**
   * Float32Array for f4 and f2 (and records of nothing else), Float64Array for everything else; over a
   * SharedArrayBuffer.
   */
  readonly data: Float64Array | Float32Array;
}

/** What can be written, and as which type. */
export type NpyData = Float64Array | Float32Array | Int32Array | Uint8Array;

/** Field f of record i goes to out[i·d + f] (order C) or out[i + f·n] (order F). */
async function readRecords(
  { file, header, control }: Omit<StoredArray, 'type'>,
  { recordBytes, fields }: RecordType,
  order: 'C' | 'F',
  precision: Precision | undefined,
): Promise<FloatArray> {
  const out = arrayMemory(header, precision, file.path);
  const [records, columns] = header.shape;
  const step = Math.min(records, Math.max(1, Math.floor(CHUNK_BYTES / recordBytes)));
  const raw = new Uint8Array(step * recordBytes);
  const packed = new Uint8Array(8 * step);
  const column = floats(step, precisionOf(out));
  const [rowStep, columnStep] = order === 'C' ? [columns, 1] : [1, records];
  for (let done = 0; done < records; done += step) {
    const n = Math.min(step, records - done);
    await file.read(raw.subarray(0, n * recordBytes), header.dataOffset + done * recordBytes, control);
    for (const [f, field] of fields.entries()) {
      const { itemBytes, offset } = field;
      for (let i = 0, to = 0; i < n; i++)
        for (let p = i * recordBytes + offset, end = p + itemBytes; p < end; p++) packed[to++] = raw[p];
      const bytes = packed.subarray(0, n * itemBytes);
      if (field.swap) swapBytes(bytes, itemBytes);
      convertElements(bytes, field, column, 0);
      for (let i = 0, q = done * rowStep + f * columnStep; i < n; i++, q += rowStep) out[q] = column[i];
    }
    control.onProgress?.({ phase: 'read', done: (done + n) * columns, total: header.count });
  }
  return out;
}

/**
 * Reads an .npy file of rank 1 or 2: f8, f4, f2, i1 … i8, u1 … u8, b1, either byte order, C or Fortran order. Whole
 * numbers become float64 (beyond 2⁵³ the nearest one). N records of d such fields (a structured array of rank 1) are N
 * rows of d columns. Failure: FileFormatError (foreign, truncated, another type or rank), FileAccessError, MemoryError,
 * AbortedError.
 */
export async function readNpy(path: string, control: RunControl = {}): Promise<NpyArray> {
  return withInputFile(path, control, (file) => readNpyArray(file, control));
}

/** As readNpy, from bytes wherever they are, and of any rank where that is said. */
export async function readNpyArray(source: ByteSource, control: RunControl = {}, anyRank = false): Promise<NpyArray> {
  const header = await readNpyHeader(source, anyRank);
  const { shape, fortranOrder, type } = header;
  const data =
    'fields' in type
      ? await readRecords({ file: source, header, control }, type, 'C', undefined)
      : await readAsStored({ file: source, header, type, control }, undefined);
  return { shape, fortranOrder, data };
}

/** As readNpy, in the order asked for. `precision` converts on the way. */
export async function readNpyOrdered(path: string, how: ArrayReading, control: RunControl = {}): Promise<OrderedArray> {
  return withInputFile(path, control, (file) => readNpyOrderedArray(file, how, control));
}

/** As readNpyOrdered, from bytes wherever they are. */
export async function readNpyOrderedArray(
  file: ByteSource,
  how: ArrayReading,
  control: RunControl,
): Promise<OrderedArray> {
  const header = await readNpyHeader(file);
  const { type, shape } = header;
  if (!('fields' in type)) return readStoredArray({ file, header, type, control }, how);
  const { order, precision } = how;
  const [rows, cols] = shape;
  return { shape, rows, cols, data: await readRecords({ file, header, control }, type, order, precision) };
}

/**
 * An .npy file as a column-major matrix over shared memory, of the file's own shape: a file of N points, N × d, becomes
 * an N × d matrix, whose rows are the points (`readPoints` and `readSamples` take them as columns). A row-major file is
 * turned as it comes in; shape (n) becomes n × 1. Failure: as readNpy.
 */
export async function readNpyMatrix(path: string, control: RunControl = {}): Promise<Matrix> {
  requireRole(path, 'path', 'readNpyMatrix');
  requireControl(control, 'readNpyMatrix');
  const { rows, cols, data } = await readNpyOrdered(path, { order: 'F' }, control);
  return view(data, 0, rows, cols);
}

/** An array to be written, in C order unless it says otherwise. */
export interface NpySource {
  readonly shape: readonly number[];
  readonly data: NpyData;
  /** The elements are in Fortran order. Default false. */
  readonly fortranOrder?: boolean | undefined;
}

/**
 * The header under which the array's elements are written, of rank 1 or 2, or of any. Throws ShapeError, saying that
 * `what` wanted it, where shape and elements do not fit.
 */
export function npyHeaderOf(
  { shape, data, fortranOrder = false }: NpySource,
  what: string,
  anyRank = false,
): Uint8Array {
  if (
    !(anyRank || shape.length === 1 || shape.length === 2) ||
    !shape.every((n) => Number.isSafeInteger(n) && n >= 0) ||
    shape.reduce((p, n) => p * n, 1) !== data.length
  ) {
    throw new ShapeError(
      `${what}: shape (${shape.join(', ')}) does not describe ${data.length} elements` +
        `${anyRank ? '' : ' in rank 1 or 2'}.`,
      { shape, length: data.length },
    );
  }
  const type =
    data instanceof Float64Array
      ? 'f8'
      : data instanceof Float32Array
        ? 'f4'
        : data instanceof Int32Array
          ? 'i4'
          : 'u1';
  return formatNpyHeader(type, fortranOrder, shape);
}

/**
 * Writes an array of rank 1 or 2 as .npy (format 1.0), whole or not at all. Failure: ShapeError, FileAccessError,
 * AbortedError.
 */
export async function writeNpy(path: string, array: NpySource, control: RunControl = {}): Promise<void> {
  const header = npyHeaderOf(array, 'writeNpy');
  await writeAtomically(path, control, async (file) => {
    await file.append(header);
    await file.append(array.data);
  });
}

/**
 * Writes a matrix as .npy of the same shape, in Fortran order and its own precision (an array of numbers as one
 * column); a view with gaps is packed as it goes out. Files of points and samples are N × d, a row each: of samples as
 * columns, d × N, write the `transpose`. Failure: as writeNpy.
 */
export async function writeNpyMatrix(path: string, matrix: Vectors, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'writeNpyMatrix');
  requireControl(control, 'writeNpyMatrix');
  const given = asVectors(matrix, 'matrix');
  const { data, rows, cols } = given;
  await writeAtomically(path, control, async (file) => {
    await file.append(formatNpyHeader(data instanceof Float32Array ? 'f4' : 'f8', true, [rows, cols]));
    for (const piece of columnPieces(given)) await file.append(piece);
  });
}
