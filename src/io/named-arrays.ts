/**
 * Files of named arrays, .npz or safetensors, behind one face.
 * Which of the two a file is, its first bytes tell; its name only where they do not, so that the right reader says what
 * is wrong.
 */
import { TELLING_BYTES, foreignFile } from './foreign-file.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { withInputFile } from './input-file.js';
import { hex } from './npy-header.js';
import { readNpz, readNpzNames, writeNpz } from './npz.js';
import { readSafetensors, readSafetensorsHeader, writeSafetensors, type Tensor } from './safetensors.js';

/** An array of a file, by either reader. */
export interface NamedArray extends Tensor {
  /** For rank 2: element (i, j) of (rows, cols) is data[i + j·rows] if true, data[i·cols + j] if not. */
  readonly fortranOrder: boolean;
}

/** Kinds of files of named arrays. */
export type ArrayFileKind = 'npz' | 'safetensors';

const kindByName = (path: string): ArrayFileKind | undefined =>
  /\.npz$/i.test(path) ? 'npz' : /\.safetensors$/i.test(path) ? 'safetensors' : undefined;

/** Which of the two a file is. Throws FileFormatError, FileAccessError, AbortedError. */
export async function arrayFileKind(path: string, control: RunControl): Promise<ArrayFileKind> {
  const start = await withInputFile(path, control, (file) => file.head(TELLING_BYTES));
  const head = start.subarray(0, 9);
  const kind = head[0] === 0x50 && head[1] === 0x4b ? 'npz' : head[8] === 0x7b ? 'safetensors' : kindByName(path);
  if (kind === undefined)
    throw new FileFormatError(
      `${path}: neither .npz nor safetensors: it starts with ${hex(head)}.${foreignFile(path, start)}`,
      { path },
    );
  return kind;
}

/** The names of the arrays, in the file's order. Throws FileFormatError, FileAccessError, AbortedError. */
export async function readArrayNames(path: string, control: RunControl = {}): Promise<string[]> {
  return (await arrayFileKind(path, control)) === 'npz'
    ? readNpzNames(path, control)
    : [...(await readSafetensorsHeader(path, control)).tensors.keys()];
}

/** The arrays called `names`. Throws as readNpz and readSafetensors do. */
export async function readNamedArrays(
  path: string,
  names: readonly string[],
  control: RunControl = {},
): Promise<Map<string, NamedArray>> {
  if ((await arrayFileKind(path, control)) === 'npz') return readNpz(path, { ...control, names });
  const { tensors } = await readSafetensors(path, { ...control, names });
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data, fortranOrder: false }]));
}

/**
 * Writes arrays in C order as what the path's ending says, whole or not at all. Throws OptionError, and as writeNpz and
 * writeSafetensors do.
 */
export async function writeNamedArrays(
  path: string,
  arrays: ReadonlyMap<string, Tensor>,
  control: RunControl = {},
): Promise<void> {
  const kind = kindByName(path);
  if (kind === undefined)
    throw new OptionError(`${path}: name the file .npz or .safetensors: the ending says which of the two it becomes.`, {
      path,
    });
  await (kind === 'npz' ? writeNpz(path, arrays, control) : writeSafetensors(path, arrays, control));
}
