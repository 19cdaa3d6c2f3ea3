/**
 * Files of named arrays, .npz, safetensors or HDF5, behind one face.
 * Which of them a file is, its first bytes tell; its name only where they do not, so that the right reader says what
 * is wrong.
 */
import { arrayFileKindOf, foreignFile, TELLING_BYTES } from './foreign-file.js';
import { splitArrayPath, type ArrayFileKind } from './array-path.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { readHdf5Header, readHdf5Tensors } from './hdf5-read.js';
import { writeHdf5Tensors } from './hdf5-write.js';
import { withInputFile } from './input-file.js';
import { hex } from './npy-header.js';
import type { NamedArray } from './named-array.js';
import { readNpz, readNpzNames, writeNpz } from './npz.js';
import { readSafetensors, readSafetensorsHeader, writeSafetensors, type Tensor } from './safetensors.js';

/** Throws OptionError for the name of an array: arrays by name are those of a whole file. */
function requireWholeFile(path: string): void {
  const { file, name, kind } = splitArrayPath(path);
  if (name === undefined) return;
  const called = kind === 'hdf5' ? ", whose arrays are called 'group/name'" : '';
  throw new OptionError(
    `${path}: arrays by name are taken from a whole file and written to one: give ${file}${called}.`,
    { path },
  );
}

/** Which of them a file is. Throws OptionError, FileFormatError, FileAccessError, AbortedError. */
export async function arrayFileKind(path: string, control: RunControl): Promise<ArrayFileKind> {
  requireWholeFile(path);
  const start = await withInputFile(path, control, (file) => file.head(TELLING_BYTES));
  const kind = arrayFileKindOf(start) ?? splitArrayPath(path).kind;
  if (kind === undefined)
    throw new FileFormatError(
      `${path}: neither .npz, nor safetensors, nor HDF5: it starts with ${hex(start.subarray(0, 9))}.` +
        foreignFile(path, start),
      { path },
    );
  return kind;
}

/**
 * The names of the arrays, in the file's order (of HDF5 those of numbers). Throws FileFormatError, FileAccessError,
 * LibraryError (of HDF5: h5wasm is not installed), AbortedError.
 */
export async function readArrayNames(path: string, control: RunControl = {}): Promise<string[]> {
  const kind = await arrayFileKind(path, control);
  if (kind === 'npz') return readNpzNames(path, control);
  if (kind === 'safetensors') return [...(await readSafetensorsHeader(path, control)).tensors.keys()];
  return [...(await readHdf5Header(path, control))]
    .filter(([, { type }]) => typeof type !== 'string')
    .map(([name]) => name);
}

/** The arrays called `names`. Throws as readNpz, readSafetensors and readHdf5Matrix do. */
export async function readNamedArrays(
  path: string,
  names: readonly string[],
  control: RunControl = {},
): Promise<Map<string, NamedArray>> {
  const kind = await arrayFileKind(path, control);
  if (kind === 'npz') return readNpz(path, { ...control, names });
  const tensors =
    kind === 'hdf5'
      ? await readHdf5Tensors(path, names, control)
      : (await readSafetensors(path, { ...control, names })).tensors;
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data, fortranOrder: false }]));
}

/**
 * Writes arrays in C order as what the path's ending says, whole or not at all. Throws OptionError, and as writeNpz,
 * writeSafetensors and writeHdf5Matrix do.
 */
export async function writeNamedArrays(
  path: string,
  arrays: ReadonlyMap<string, Tensor>,
  control: RunControl = {},
): Promise<void> {
  requireWholeFile(path);
  const { kind } = splitArrayPath(path);
  if (kind === undefined)
    throw new OptionError(
      `${path}: name the file .npz, .safetensors or .h5: the ending says which of them it becomes.`,
      {
        path,
      },
    );
  const write = { npz: writeNpz, safetensors: writeSafetensors, hdf5: writeHdf5Tensors }[kind];
  await write(path, arrays, control);
}
