/**
 * The safetensors format, in which PyTorch and JAX users pass weights.
 * Source and rules: safetensors-header.ts. F64 and F32 are read straight into shared memory; F16 and BF16 become
 * float32, which holds each of them.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError, ShapeError } from '../core/errors.js';
import { precisionOf, type FloatArray, type Precision } from '../core/floats.js';
import { quoted } from '../core/kind.js';
import { isWellFormed } from './array-path.js';
import { writeAtomically } from './atomic-write.js';
import { byteProgress } from './byte-progress.js';
import { HOST_IS_LITTLE_ENDIAN, swapBytes } from './byte-order.js';
import { widenBfloat16, widenBinary16 } from './half-precision.js';
import { bytesOf, CHUNK_BYTES, sharedBuffer, withInputFile, type InputFile } from './input-file.js';
import {
  METADATA_KEY,
  MOST_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './safetensors-header.js';
import { elementCount } from './shape-size.js';

export type { SafetensorsHeader, TensorInfo } from './safetensors-header.js';

/** A tensor of floats, of any rank. */
export interface Tensor {
  /** Sizes, slowest index first; () of a single number. */
  readonly shape: readonly number[];
  /** In C order (last index fastest). */
  readonly data: FloatArray;
}

type FloatType = 'F64' | 'F32' | 'F16' | 'BF16';
/** Whether elements of this type are read. */
export const isFloatType = (dtype: string): dtype is FloatType => ['F64', 'F32', 'F16', 'BF16'].includes(dtype);

/** The tensors of a file, and its free text. */
export interface Safetensors {
  /**
   * By where they stand in the file; Float64Array for F64, Float32Array for F32, F16 and BF16, over SharedArrayBuffers.
   */
  readonly tensors: ReadonlyMap<string, Tensor & { readonly dtype: FloatType }>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Which tensors to read; abort and progress. */
export interface ReadSafetensorsOptions extends RunControl {
  /** Only these tensors; all by default. */
  readonly names?: readonly string[] | undefined;
}

/** What to write beside the tensors; abort and progress. */
export interface WriteSafetensorsOptions extends RunControl {
  /** Free text, kept under "__metadata__". */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * What a file holds, its elements unread, checked by every rule of the format. Throws FileFormatError, FileAccessError.
 */
export async function readSafetensorsHeader(path: string, control: RunControl = {}): Promise<SafetensorsHeader> {
  return withInputFile(path, control, parseSafetensorsHeader);
}

/** Sixteen-bit elements, widened chunk by chunk. */
async function readHalves(
  file: InputFile,
  { begin, count, dtype }: TensorInfo,
  data: Float32Array,
  control: RunControl,
  each: (chunk: Uint8Array) => void,
): Promise<void> {
  const widen = dtype === 'BF16' ? widenBfloat16 : widenBinary16;
  const halves = new Uint16Array(Math.min(count, CHUNK_BYTES / 2));
  for (let done = 0; done < count; done += halves.length) {
    const part = halves.subarray(0, Math.min(halves.length, count - done));
    await file.read(bytesOf(part), begin + 2 * done, control, each);
    if (!HOST_IS_LITTLE_ENDIAN) swapBytes(bytesOf(part), 2);
    widen(part, data.subarray(done, done + part.length));
  }
}

/**
 * Reads a safetensors file: tensors of F64, F32, F16 and BF16, of any rank. Progress counts bytes.
 * Throws FileFormatError (foreign, truncated, against a rule of the format, elements of another type), OptionError (no
 * such tensor), FileAccessError, MemoryError, AbortedError.
 */
export async function readSafetensors(path: string, options: ReadSafetensorsOptions = {}): Promise<Safetensors> {
  const { names, onProgress } = options;
  return withInputFile(path, options, async (file) => {
    const { tensors: infos, metadata } = await parseSafetensorsHeader(file);
    const absent = names?.find((name) => !infos.has(name));
    if (absent !== undefined)
      throw new OptionError(
        `${path}: there is no tensor "${absent}"; there are ` +
          `${[...infos.keys()].map((name) => `"${name}"`).join(', ')}.`,
        { path, name: absent },
      );
    const wanted = [...infos].filter(([name]) => names?.includes(name) ?? true);
    for (const [name, { dtype }] of wanted) {
      if (!isFloatType(dtype)) {
        throw new FileFormatError(
          `${path}: tensor "${name}": elements of type ${dtype}; F64, F32, F16 and BF16 can be read. Convert it ` +
            'first, in PyTorch: tensor.float().',
          { path, name, dtype },
        );
      }
    }
    const total = wanted.reduce((sum, [, { begin, end }]) => sum + end - begin, 0);
    const count = byteProgress('read', total, { onProgress });
    const tensors = new Map<string, Tensor & { readonly dtype: FloatType }>();
    for (const [name, info] of wanted) {
      const dtype = info.dtype as FloatType;
      const what = `${path}: tensor "${name}"`;
      const data =
        dtype === 'F64'
          ? new Float64Array(sharedBuffer(8 * info.count, what))
          : new Float32Array(sharedBuffer(4 * info.count, what));
      if (dtype === 'F64' || dtype === 'F32') {
        await file.read(bytesOf(data), info.begin, options, count);
        if (!HOST_IS_LITTLE_ENDIAN)
          for (let at = 0; at < data.byteLength; at += CHUNK_BYTES)
            swapBytes(bytesOf(data).subarray(at, at + CHUNK_BYTES), data.BYTES_PER_ELEMENT);
      } else {
        await readHalves(file, info, data as Float32Array, options, count);
      }
      tensors.set(name, { dtype, shape: info.shape, data });
    }
    return { tensors, metadata };
  });
}

/** Throws OptionError where no tensor of the file can be called so. */
export function requireTensorName(name: string, file = 'a safetensors file'): void {
  if (name !== METADATA_KEY && isWellFormed(name)) return;
  const why = name === METADATA_KEY ? '' : ': half of a surrogate pair stands alone in it';
  throw new OptionError(`No tensor of ${file} can be called ${quoted(name)}${why}.`, { name });
}

/** The numbers as files have them: elsewhere than on a little-endian machine a copy. */
export function littleEndian(data: FloatArray): FloatArray {
  if (HOST_IS_LITTLE_ENDIAN) return data;
  const out = data.slice();
  swapBytes(bytesOf(out), out.BYTES_PER_ELEMENT);
  return out;
}

/** A tensor that is going to be written. */
interface TensorPlan {
  readonly shape: readonly number[];
  readonly precision: Precision;
}

/**
 * The header for tensors one after the other in the order given, padded so that the elements begin at a multiple of 8.
 * Throws OptionError where it is longer than the format allows.
 */
export function formatSafetensorsHeader(
  tensors: readonly (readonly [string, TensorPlan])[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const entries = tensors.map(([name, { shape, precision }]) => {
    const begin = end;
    end += elementCount(shape) * (precision === 'f64' ? 8 : 4);
    // As text: an object would put names like "0" first, and take "__proto__" for something else.
    const dtype = precision === 'f64' ? 'F64' : 'F32';
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`;
  });
  if (metadata !== undefined) entries.unshift(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  const text = new TextEncoder().encode(`{${entries.join(',')}}`);
  const length = 8 * Math.ceil(text.length / 8);
  if (length > MOST_HEADER_BYTES)
    throw new OptionError(
      `The header of these ${tensors.length} tensors takes ${length} bytes; a safetensors file allows ` +
        `${MOST_HEADER_BYTES}.`,
      { bytes: length },
    );
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

/**
 * Writes tensors as safetensors (Float64Array as F64, Float32Array as F32), whole or not at all; F64 stand first, so
 * that every element is aligned. The arrays must not change meanwhile. Progress counts bytes.
 * Throws ShapeError, OptionError (a name or metadata that cannot be kept), FileAccessError, AbortedError; then `path`
 * is as it was.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  const { metadata, onProgress } = options;
  for (const [name, { shape, data }] of tensors) {
    requireTensorName(name);
    if (
      !shape.every((n) => Number.isSafeInteger(n) && n >= 0) ||
      shape.reduce((product, n) => product * n, 1) !== data.length
    ) {
      throw new ShapeError(
        `writeSafetensors, tensor "${name}": shape (${shape.join(', ')}) does not describe ${data.length} elements.`,
        { name, shape, length: data.length },
      );
    }
  }
  const misplaced = Object.entries(metadata ?? {}).find(([, value]) => typeof value !== 'string');
  if (misplaced !== undefined)
    throw new OptionError(
      `The metadata of a safetensors file is text: "${misplaced[0]}" is ${JSON.stringify(misplaced[1])}.`,
      { name: misplaced[0] },
    );

  const ordered = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header = formatSafetensorsHeader(
    ordered.map(([name, { shape, data }]) => [name, { shape, precision: precisionOf(data) }]),
    metadata,
  );
  const total = ordered.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  const count = byteProgress('write', total, { onProgress });
  await writeAtomically(path, options, async (file) => {
    await file.append(header);
    for (const [, { data }] of ordered) await file.append(littleEndian(data), count);
  });
}
