/**
 * NumPy's .npy files.
 * Elements land straight in shared memory, chunk by chunk: a file of float64 or float32 in this machine's byte order is
 * never held twice. Records (structured arrays) of numbers become a matrix, a column for each field. Source:
 * numpy.lib.format (see npy-header.ts, npy-type.ts).
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
import { bytesOf, CHUNK_BYTES, sharedBuffer, withInputFile } from './input-file.js';
import { formatNpyHeader, readNpyHeader, type NpyHeader } from './npy-header.js';
import type { NumberType, RecordType } from './npy-type.js';

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

const floatArray = (header: NpyHeader, precision: Precision | undefined, path: string): FloatArray =>
  (precision ?? (header.single ? 'f32' : 'f64')) === 'f32'
    ? new Float32Array(sharedBuffer(4 * header.count, path))
    : new Float64Array(sharedBuffer(8 * header.count, path));

/** The elements of one file, read range by range. */
interface Elements {
  readonly file: ByteSource;
  readonly header: NpyHeader;
  readonly type: NumberType;
  readonly control: RunControl;
  /** Where elements stand that must be converted, from the first of them on. */
  staging?: Uint8Array | undefined;
}

/** All of out ← elements `first` … of the file. */
async function readElements(elements: Elements, first: number, out: FloatArray): Promise<void> {
  const { file, header, type, control } = elements;
  const { itemBytes, kind, swap } = type;
  const count = out.length;
  const position = header.dataOffset + first * itemBytes;
  if (kind === 'f' && itemBytes === out.BYTES_PER_ELEMENT) {
    const target = bytesOf(out);
    await file.read(target, position, control);
    if (swap)
      for (let at = 0; at < target.length; at += CHUNK_BYTES)
        swapBytes(target.subarray(at, at + CHUNK_BYTES), itemBytes);
    return;
  }
  const staging = (elements.staging ??= new Uint8Array(Math.min(CHUNK_BYTES, header.count * itemBytes)));
  const step = staging.length / itemBytes;
  for (let done = 0; done < count; done += step) {
    const n = Math.min(step, count - done);
    const raw = staging.subarray(0, n * itemBytes);
    await file.read(raw, position + done * itemBytes, control);
    if (swap) swapBytes(raw, itemBytes);
    convertElements(raw, type, out, done);
  }
}

/** The elements in the order they have in the file. */
async function readAsStored(elements: Elements, precision: Precision | undefined): Promise<FloatArray> {
  const { file, header, control } = elements;
  const out = floatArray(header, precision, file.path);
  const step = CHUNK_BYTES;
  for (let done = 0; done < header.count; done += step) {
    await readElements(elements, done, out.subarray(done, Math.min(done + step, header.count)));
    control.onProgress?.({ phase: 'read', done: Math.min(done + step, header.count), total: header.count });
  }
  return out;
}

/**
 * Line l of the file, element k, goes to out[k·lines + l]: the other order, tile by tile, so that no second copy of the
 * file is held.
 */
async function readTransposed(
  elements: Elements,
  lines: number,
  width: number,
  precision: Precision | undefined,
): Promise<FloatArray> {
  const { file, header, control } = elements;
  const out = floatArray(header, precision, file.path);
  const capacity = CHUNK_BYTES / 8;
  // At least 16 lines to a tile: then whole cache lines of the result are written at a time.
  const tileLines = Math.min(lines, Math.max(16, Math.floor(capacity / width)));
  const tileWidth = Math.min(width, Math.floor(capacity / tileLines));
  const tile = floats(tileLines * tileWidth, precisionOf(out));
  for (let l0 = 0; l0 < lines; l0 += tileLines) {
    const rows = Math.min(tileLines, lines - l0);
    for (let k0 = 0; k0 < width; k0 += tileWidth) {
      const cols = Math.min(tileWidth, width - k0);
      if (cols === width) await readElements(elements, l0 * width, tile.subarray(0, rows * width));
      else
        for (let l = 0; l < rows; l++)
          await readElements(elements, (l0 + l) * width + k0, tile.subarray(l * cols, (l + 1) * cols));
      scatter(view(tile, 0, cols, rows), view(out, l0 + k0 * lines, rows, cols, lines));
    }
    control.onProgress?.({ phase: 'read', done: (l0 + rows) * width, total: header.count });
  }
  return out;
}

/** out ← tileᵀ, in blocks that stay in cache. */
function scatter({ data: tile }: Matrix, { data: out, offset, rows, cols, ld }: Matrix): void {
  const side = 32;
  for (let lb = 0; lb < rows; lb += side) {
    const le = Math.min(rows, lb + side);
    for (let kb = 0; kb < cols; kb += side) {
      const ke = Math.min(cols, kb + side);
      for (let k = kb; k < ke; k++) {
        let q = offset + k * ld + lb;
        for (let l = lb; l < le; l++) out[q++] = tile[l * cols + k];
      }
    }
  }
}

/** Field f of record i goes to out[i·d + f] (order C) or out[i + f·n] (order F). */
async function readRecords(
  { file, header, control }: Omit<Elements, 'type'>,
  { recordBytes, fields }: RecordType,
  order: 'C' | 'F',
  precision: Precision | undefined,
): Promise<FloatArray> {
  const out = floatArray(header, precision, file.path);
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

/** An array in the order asked for; `shape` is the file's: (n) is read as n rows of one column. */
export interface OrderedArray {
  readonly shape: readonly number[];
  readonly rows: number;
  readonly cols: number;
  readonly data: FloatArray;
}

/** As readNpy, in the order asked for. `precision` converts on the way. */
export async function readNpyOrdered(
  path: string,
  order: 'C' | 'F',
  precision?: Precision,
  control: RunControl = {},
): Promise<OrderedArray> {
  return withInputFile(path, control, async (file) => {
    const header = await readNpyHeader(file);
    const { type, fortranOrder } = header;
    const [rows, cols = 1] = header.shape;
    if ('fields' in type)
      return {
        shape: header.shape,
        rows,
        cols,
        data: await readRecords({ file, header, control }, type, order, precision),
      };
    const asStored = fortranOrder === (order === 'F') || rows <= 1 || cols <= 1;
    const elements: Elements = { file, header, type, control };
    const data = asStored
      ? await readAsStored(elements, precision)
      : await readTransposed(elements, fortranOrder ? cols : rows, fortranOrder ? rows : cols, precision);
    return { shape: header.shape, rows, cols, data };
  });
}

/**
 * An .npy file as a column-major matrix over shared memory, of the file's own shape: a file of N points, N × d, becomes
 * an N × d matrix, whose rows are the points (`readPoints` and `readSamples` take them as columns). A row-major file is
 * turned as it comes in; shape (n) becomes n × 1. Failure: as readNpy.
 */
export async function readNpyMatrix(path: string, control: RunControl = {}): Promise<Matrix> {
  requireRole(path, 'path', 'readNpyMatrix');
  requireControl(control, 'readNpyMatrix');
  const { rows, cols, data } = await readNpyOrdered(path, 'F', undefined, control);
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
  const { data, offset, rows, cols, ld } = asVectors(matrix, 'matrix');
  if (ld === rows || cols <= 1) {
    await writeNpy(
      path,
      { shape: [rows, cols], data: data.subarray(offset, offset + rows * cols), fortranOrder: true },
      control,
    );
    return;
  }
  const single = data instanceof Float32Array;
  await writeAtomically(path, control, async (file) => {
    await file.append(formatNpyHeader(single ? 'f4' : 'f8', true, [rows, cols]));
    if (rows === 0) return;
    const columns = Math.max(1, Math.min(cols, Math.floor(CHUNK_BYTES / (rows * data.BYTES_PER_ELEMENT))));
    const packed = single ? new Float32Array(rows * columns) : new Float64Array(rows * columns);
    for (let j0 = 0; j0 < cols; j0 += columns) {
      const n = Math.min(columns, cols - j0);
      for (let j = 0; j < n; j++)
        packed.set(data.subarray(offset + (j0 + j) * ld, offset + (j0 + j) * ld + rows), j * rows);
      await file.append(packed.subarray(0, rows * n));
    }
  });
}
