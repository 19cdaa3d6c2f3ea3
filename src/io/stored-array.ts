/**
 * The elements of an array that stand somewhere in a file, one after the other, in the order asked for.
 * They land straight in shared memory, chunk by chunk: float64 or float32 in this machine's byte order are never held
 * twice.
 */
import type { RunControl } from '../core/context.js';
import type { Portion } from '../core/portion.js';
import { floats, precisionOf, type FloatArray, type Precision } from '../core/floats.js';
import { view, type Matrix } from '../dense/matrix.js';
import { swapBytes } from './byte-order.js';
import type { ByteSource } from './byte-source.js';
import { convertElements } from './elements.js';
import { bytesOf, CHUNK_BYTES, sharedBuffer } from './input-file.js';
import type { NumberType } from './npy-type.js';

/** How an array stands in its file. */
export interface ArrayLayout {
  /** Every element is a float32: of type f4, or of 16 bits. */
  readonly single: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly count: number;
  /** Where the elements begin, in bytes. */
  readonly dataOffset: number;
}

/** An array of numbers in a file, read range by range. */
export interface StoredArray {
  readonly file: ByteSource;
  readonly header: ArrayLayout;
  readonly type: NumberType;
  readonly control: RunControl;
  /** Where elements stand that must be converted, from the first of them on. */
  staging?: Uint8Array | undefined;
}

/** How an array is wanted. */
export interface ArrayReading {
  readonly order: 'C' | 'F';
  /** By default float32 of 16 and 32 bits, else float64. */
  readonly precision?: Precision | undefined;
  /** Which array, of a file that holds several and whose path names none. */
  readonly name?: string | undefined;
  /**
   * Of how many rows which are wanted; all by default. Others are not read where rows stand one after another in a file
   * that is read anywhere; else all come.
   */
  readonly rows?: ((count: number) => Portion) | undefined;
}

/** An array in the order asked for; `shape` is the file's: (n) is read as n rows of one column. */
export interface OrderedArray {
  readonly shape: readonly number[];
  readonly rows: number;
  readonly cols: number;
  readonly data: FloatArray;
}

/** Shared memory for the elements. Throws MemoryError. */
export const arrayMemory = (
  { single, count }: Pick<ArrayLayout, 'single' | 'count'>,
  precision: Precision | undefined,
  path: string,
): FloatArray =>
  (precision ?? (single ? 'f32' : 'f64')) === 'f32'
    ? new Float32Array(sharedBuffer(4 * count, path))
    : new Float64Array(sharedBuffer(8 * count, path));

/** All of out ← elements `first` … of the file. */
async function readElements(elements: StoredArray, first: number, out: FloatArray): Promise<void> {
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

/** The elements in the order they have in the file, all or those from `first` to `end`. Progress counts them. */
export async function readAsStored(
  elements: StoredArray,
  precision: Precision | undefined,
  { first, end }: Portion = { first: 0, end: elements.header.count },
): Promise<FloatArray> {
  const { file, header, control } = elements;
  const count = end - first;
  const out = arrayMemory({ single: header.single, count }, precision, file.path);
  const step = CHUNK_BYTES;
  for (let done = 0; done < count; done += step) {
    await readElements(elements, first + done, out.subarray(done, Math.min(done + step, count)));
    control.onProgress?.({ phase: 'read', done: Math.min(done + step, count), total: count });
  }
  return out;
}

/**
 * Line l of the file, element k, goes to out[k·lines + l]: the other order, tile by tile, so that no second copy of the
 * file is held; but where lines are longer than a tile and bytes come in order alone, once as stored.
 */
async function readTransposed(
  elements: StoredArray,
  lines: number,
  width: number,
  precision: Precision | undefined,
): Promise<FloatArray> {
  const { file, header, control } = elements;
  const out = arrayMemory(header, precision, file.path);
  const capacity = CHUNK_BYTES / 8;
  // At least 16 lines to a tile: then whole cache lines of the result are written at a time.
  const tileLines = Math.min(lines, Math.max(16, Math.floor(capacity / width)));
  const tileWidth = Math.min(width, Math.floor(capacity / tileLines));
  if (tileWidth < width && file.inOrder === true) {
    scatter(view(await readAsStored(elements, precision), 0, width, lines), view(out, 0, lines, width));
    return out;
  }
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

/** An array of rank 1 or 2 in the order asked for. Throws what reading throws, and MemoryError. */
export async function readStoredArray(
  elements: StoredArray,
  { order, precision, rows: wanted }: ArrayReading,
): Promise<OrderedArray> {
  const { shape, fortranOrder } = elements.header;
  const [rows, cols = 1] = shape;
  // A file whose bytes come in order alone is read from its beginning.
  if (wanted !== undefined && order === 'C' && (!fortranOrder || cols <= 1) && elements.file.inOrder !== true) {
    const { first, end } = wanted(rows);
    const data = await readAsStored(elements, precision, { first: first * cols, end: end * cols });
    return { shape, rows: end - first, cols, data };
  }
  const asStored = fortranOrder === (order === 'F') || rows <= 1 || cols <= 1;
  const data = asStored
    ? await readAsStored(elements, precision)
    : await readTransposed(elements, fortranOrder ? cols : rows, fortranOrder ? rows : cols, precision);
  return { shape, rows, cols, data };
}
