/**
 * Tensors by name, of any rank, from and to the files of PyTorch, JAX and NumPy users: safetensors, .npz and HDF5. What
 * the names mean is for the models to know.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError, ShapeError } from '../core/errors.js';
import { floats, precisionOf } from '../core/floats.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asFloats } from '../core/numbers.js';
import { view } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { requireFiniteArray, shapeText } from './array-checks.js';
import { readHdf5Header } from './hdf5-read.js';
import type { NamedArray } from './named-array.js';
import { arrayFileKind, readArrayNames, readNamedArrays, writeNamedArrays } from './named-arrays.js';
import { elementCount } from './shape-size.js';
import { isFloatType, readSafetensorsHeader, type Tensor } from './safetensors.js';

/** Which tensors to read; abort and progress. */
export interface ReadTensorsOptions extends RunControl {
  /**
   * The tensors that must be there, each with its shape, slowest index first: { 'conv1.weight': [64, 3, 7, 7] }. Those
   * are read, and no others. By default all of floating-point numbers are.
   */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** What names in the file begin with, and `shapes` and the result leave out: 'module.'. Other names are others. */
  readonly prefix?: string | undefined;
}
const READ_TENSORS_KEYS: KeysOf<ReadTensorsOptions & { readonly team?: unknown | undefined }> = {
  shapes: true,
  prefix: 'text',
  signal: true,
  onProgress: 'function',
  team: true,
};

/** What a file holds. */
export interface NamedTensors {
  /** By name, in the file's order; numbers in C order (last index fastest), over shared memory, all finite. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Names of what was not read: not asked for, or not of floating-point numbers (a batch norm's count of batches). */
  readonly others: readonly string[];
}

const WRITE_TENSORS_KEYS: KeysOf<RunControl & { readonly team?: unknown | undefined }> = {
  signal: true,
  onProgress: 'function',
  team: true,
};

/** A tensor as callers hand it over. */
export interface TensorRecord {
  readonly [name: string]: { readonly shape: ArrayLike<number>; readonly data: ArrayLike<number> };
}

/** Throws OptionError unless `shapes` has a list of sizes for every name. */
function checkShapes(shapes: Readonly<Record<string, readonly number[]>>): void {
  const given: unknown = shapes;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new OptionError(`shapes is a record of shapes by name, not ${describe(given)}.`, { option: 'shapes' });
  for (const [name, shape] of Object.entries(given as Record<string, unknown>))
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && (n as number) >= 0))
      throw new OptionError(`The shape of "${name}" is a list of sizes, not ${describe(shape)}.`, { name });
}

/** Throws ShapeError where a tensor has another shape than the one asked for. */
function requireShape(path: string, name: string, found: readonly number[], asked: readonly number[]): void {
  if (found.length === asked.length && found.every((n, k) => n === asked[k])) return;
  const turned = found.length === asked.length && [...found].reverse().every((n, k) => n === asked[k]);
  throw new ShapeError(
    `${path}: "${name}" has shape ${shapeText(found)}; ${shapeText(asked)} is needed.` +
      (turned ? ' It would fit with its axes in the reverse order.' : ''),
    { path, name, shape: found, expected: asked },
  );
}

/** Names in the file, with their shapes where a header tells them before anything is read, and what cannot be read. */
async function contentsOf(
  path: string,
  control: RunControl,
): Promise<ReadonlyMap<string, { readonly shape?: readonly number[]; readonly readable: boolean }>> {
  const kind = await arrayFileKind(path, control);
  if (kind === 'hdf5')
    return new Map(
      [...(await readHdf5Header(path, control))].map(([name, { shape, type }]) => {
        const readable = shape !== null && typeof type !== 'string' && type.kind === 'f';
        return [name, shape === null ? { readable } : { shape, readable }];
      }),
    );
  if (kind === 'npz') return new Map((await readArrayNames(path, control)).map((name) => [name, { readable: true }]));
  const { tensors } = await readSafetensorsHeader(path, control);
  return new Map([...tensors].map(([name, { dtype, shape }]) => [name, { shape, readable: isFloatType(dtype) }]));
}

/** In C order. */
function ordered({ shape, data, fortranOrder }: NamedArray): Tensor {
  if (!fortranOrder || shape.length < 2) return { shape, data };
  const turned = floats(data.length, precisionOf(data));
  if (shape.length === 2) {
    const [rows, cols] = shape;
    transposeInto(view(turned, 0, cols, rows), view(data, 0, rows, cols));
    return { shape, data: turned };
  }
  const index = shape.map(() => 0);
  const strides = shape.map((_, k) => elementCount(shape.slice(0, k)));
  for (let to = 0, from = 0; to < turned.length; to++) {
    turned[to] = data[from];
    for (let k = shape.length - 1; k >= 0; k--) {
      from += strides[k];
      if (++index[k] < shape[k]) break;
      from -= strides[k] * shape[k];
      index[k] = 0;
    }
  }
  return { shape, data: turned };
}

/**
 * Reads tensors by name from a safetensors, HDF5 ('group/name') or .npz file, shapes checked (but for .npz before
 * anything is read). Throws FileFormatError (foreign, truncated, damaged; a tensor is missing, or not of floating-point
 * numbers), ShapeError, NonFiniteError, OptionError, FileAccessError, MemoryError, AbortedError.
 */
export async function readTensors(path: string, options: ReadTensorsOptions = {}): Promise<NamedTensors> {
  requireRole(path, 'path', 'readTensors');
  requireKnownOptions(options, READ_TENSORS_KEYS, 'readTensors');
  const { shapes, prefix = '', signal, onProgress } = options;
  if (shapes !== undefined) checkShapes(shapes);
  const contents = await contentsOf(path, { signal });
  const names = [...contents.keys()];
  const asked = new Map(Object.entries(shapes ?? {}).map(([name, shape]) => [prefix + name, shape]));
  for (const [name, shape] of asked) {
    const found = contents.get(name);
    if (found === undefined)
      throw new FileFormatError(`${path}: "${name}" is missing; there are ${listed(names)}.`, { path, name });
    if (found.shape !== undefined) requireShape(path, name, found.shape, shape);
  }
  const wanted = names.filter((name) =>
    shapes === undefined ? name.startsWith(prefix) && contents.get(name)!.readable : asked.has(name),
  );
  const arrays = await readNamedArrays(path, wanted, { signal, onProgress });
  const tensors = new Map<string, Tensor>();
  for (const [name, array] of arrays) {
    if (asked.has(name)) requireShape(path, name, array.shape, asked.get(name)!);
    requireFiniteArray(array, name, path);
    tensors.set(name.slice(prefix.length), ordered(array));
  }
  return { tensors, others: names.filter((name) => !arrays.has(name)) };
}

const MOST_LISTED = 8;
const listed = (names: readonly string[]): string =>
  names
    .slice(0, MOST_LISTED)
    .map((name) => `"${name}"`)
    .join(', ') + (names.length > MOST_LISTED ? `, … (${names.length})` : '');

/**
 * Writes tensors by name as .safetensors, .h5 or .npz (the path's ending says which), float32 where
 * a Float32Array is given, else float64, whole or not at all. Throws ShapeError, OptionError, LibraryError (of .h5:
 * h5wasm is not installed), FileAccessError, AbortedError; then `path` is as it was.
 */
export async function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, TensorRecord[string]> | TensorRecord,
  control: RunControl = {},
): Promise<void> {
  requireRole(path, 'path', 'writeTensors');
  requireKnownOptions(control, WRITE_TENSORS_KEYS, 'writeTensors');
  const given: unknown = tensors;
  if (typeof given !== 'object' || given === null)
    throw new OptionError(`writeTensors takes a map or a record of tensors by name, not ${describe(given)}.`);
  const entries = given instanceof Map ? [...(given as ReadonlyMap<string, unknown>)] : Object.entries(given);
  const arrays = new Map<string, Tensor>();
  for (const [name, tensor] of entries) {
    const { shape, data } = (tensor ?? {}) as Partial<TensorRecord[string]>;
    if (shape === undefined || data === undefined)
      throw new OptionError(`"${name}" of writeTensors must be { shape, data }, not ${describe(tensor)}.`, { name });
    arrays.set(name, { shape: Array.from(shape), data: asFloats(data, `"${name}".data`) });
  }
  await writeNamedArrays(path, arrays, control);
}
