/**
 * A vector or a matrix as a file holds it: .npy, an array of an .npz archive, of a safetensors file, of HDF5. What it
 * is its name says, else its first bytes.
 */
import type { RunControl } from '../core/context.js';
import { splitArrayPath, type ArrayFileKind } from './array-path.js';
import { arrayFileKindOf, TELLING_BYTES } from './foreign-file.js';
import { readHdf5Ordered, requireHdf5Replaceable } from './hdf5-read.js';
import { writeHdf5Vectors } from './hdf5-write.js';
import { withInputFile } from './input-file.js';
import { readNpyOrdered } from './npy.js';
import { readNpzOrdered, requireNpzReplaceable, writeNpzVectors } from './npz-array.js';
import type { WrittenVectors } from './packed-vectors.js';
import { readSafetensorsOrdered, requireSafetensorsReplaceable, writeSafetensorsVectors } from './safetensors-array.js';
import type { ArrayReading, OrderedArray } from './stored-array.js';

/** What reads and writes an array of each kind of file, and refuses to write where others would be lost. */
const FORMATS = {
  npz: { read: readNpzOrdered, requireReplaceable: requireNpzReplaceable, write: writeNpzVectors },
  safetensors: {
    read: readSafetensorsOrdered,
    requireReplaceable: requireSafetensorsReplaceable,
    write: writeSafetensorsVectors,
  },
  hdf5: { read: readHdf5Ordered, requireReplaceable: requireHdf5Replaceable, write: writeHdf5Vectors },
} as const;

/** The kind of a file that holds arrays by name; undefined of others. Throws FileAccessError, AbortedError. */
async function kindOf(path: string, control: RunControl): Promise<ArrayFileKind | undefined> {
  const { kind } = splitArrayPath(path);
  if (kind !== undefined || /\.npy$/i.test(path)) return kind;
  return arrayFileKindOf(await withInputFile(path, control, (file) => file.head(TELLING_BYTES)), path);
}

/**
 * The array in the order asked for; `precision` converts on the way. Throws as readNpy, readNpzOrdered,
 * readSafetensorsOrdered, readHdf5Ordered do.
 */
export async function readArrayOrdered(path: string, how: ArrayReading, control: RunControl): Promise<OrderedArray> {
  const kind = await kindOf(path, control);
  return kind === undefined ? readNpyOrdered(path, how, control) : FORMATS[kind].read(path, how, control);
}

/**
 * Writes vectors as the array of a file that holds arrays by name, FILE.npz, FILE.safetensors, FILE.h5, each with :name
 * or without; false, and nothing is written, where the path is none of those. Throws as the writers of each kind do.
 */
export async function writeArrayVectors(path: string, vectors: WrittenVectors, control: RunControl): Promise<boolean> {
  const { kind } = splitArrayPath(path);
  if (kind === undefined) return false;
  await FORMATS[kind].write(path, vectors, control);
  return true;
}

/**
 * Throws OptionError where `path` names an array that cannot be, or one of a file that holds others, which would be
 * lost; what reading throws where the file is of another kind than its name says.
 */
export async function requireReplaceable(path: string, control: RunControl = {}): Promise<void> {
  const { kind, name } = splitArrayPath(path);
  if (kind !== undefined && name !== undefined) await FORMATS[kind].requireReplaceable(path, control);
}
