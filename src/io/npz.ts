/**
 * NumPy's .npz archives: a zip of .npy files, one for each array.
 * Source: numpy.savez and savez_compressed (numpy.lib.format); member "a.npy" is array "a". Reading goes through
 * zip-directory.ts and zip-member.ts, which check every checksum; zip-writer.ts writes members as they are. Equal
 * arrays make equal files.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { requireBytes } from '../core/shared-array.js';
import { writeAtomically } from './atomic-write.js';
import { byteProgress } from './byte-progress.js';
import { withInputFile } from './input-file.js';
import { availableMemory } from './machine.js';
import { npyHeaderOf, readNpyArray, type NpyArray, type NpySource } from './npy.js';
import { readZipDirectory, type ZipEntry } from './zip-directory.js';
import { withZipMember } from './zip-member.js';
import { requireMemberName, ZipWriter } from './zip-writer.js';

const PICKLED =
  '; PyTorch pickled it, and a pickle can run any program, so it is not read: write it with ' +
  'safetensors.torch.save_file or numpy.savez';

/** Which arrays to read; abort and progress. */
export interface ReadNpzOptions extends RunControl {
  /** Only these arrays; all by default. */
  readonly names?: readonly string[] | undefined;
}

/** What follows an array's name in that of its member. */
export const ARRAY_SUFFIX = '.npy';

/** name → member; others than arrays (folders, notes) are left out. Throws FileFormatError where no member is one. */
export function arraysIn(entries: readonly ZipEntry[], path: string): Map<string, ZipEntry> {
  const arrays = new Map(
    entries
      .filter(({ name }) => name.endsWith(ARRAY_SUFFIX))
      .map((entry) => [entry.name.slice(0, -ARRAY_SUFFIX.length), entry]),
  );
  if (arrays.size === 0 && entries.length > 0) {
    const pickled = entries.some(({ name }) => name.endsWith('data.pkl'));
    throw new FileFormatError(
      `${path}: a zip archive without a single .npy member (the first is ` +
        `"${entries[0].name}")${pickled ? PICKLED : ''}.`,
      { path, member: entries[0].name },
    );
  }
  return arrays;
}

/** Throws MemoryError where the members, unpacked, do not fit into memory together. */
function requireUnpacked(entries: readonly ZipEntry[], path: string): void {
  const all = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  requireBytes(all, availableMemory(), `${path}: unpacking ${entries.length} of its arrays`);
}

/** The names of the arrays in an .npz file, in its order. Throws FileFormatError, FileAccessError. */
export async function readNpzNames(path: string, control: RunControl = {}): Promise<string[]> {
  return withInputFile(path, control, async (file) => [
    ...arraysIn(await readZipDirectory(file, control), path).keys(),
  ]);
}

/**
 * Reads an .npz file: arrays of any rank, of every type that readNpy takes, stored or deflated; in the archive's
 * order. Progress counts arrays. Throws FileFormatError naming file and member (foreign, truncated, damaged, wrong
 * checksum, another type or rank), OptionError (no such array), FileAccessError, MemoryError, AbortedError.
 */
export async function readNpz(path: string, options: ReadNpzOptions = {}): Promise<Map<string, NpyArray>> {
  const { names, signal, onProgress } = options;
  return withInputFile(path, options, async (file) => {
    const members = arraysIn(await readZipDirectory(file, { signal }), path);
    const absent = names?.find((name) => !members.has(name));
    if (absent !== undefined)
      throw new OptionError(
        `${path}: there is no array "${absent}"; there are ` +
          `${[...members.keys()].map((name) => `"${name}"`).join(', ')}.`,
        { path, name: absent },
      );
    const wanted = [...members].filter(([name]) => names?.includes(name) ?? true);
    requireUnpacked(
      wanted.map(([, entry]) => entry),
      path,
    );
    const arrays = new Map<string, NpyArray>();
    for (const [name, entry] of wanted) {
      const read = withZipMember(file, entry, { signal }, (member) => readNpyArray(member, { signal }, true));
      arrays.set(name, await read);
      onProgress?.({ phase: 'read', done: arrays.size, total: wanted.length });
    }
    return arrays;
  });
}

/**
 * Writes arrays of any rank as .npz, whole or not at all; numpy.load reads it. The arrays must not change meanwhile.
 * Progress counts bytes. Throws ShapeError, OptionError (a name that cannot be one), FileAccessError, AbortedError;
 * then `path` is as it was.
 */
export async function writeNpz(
  path: string,
  arrays: ReadonlyMap<string, NpySource>,
  { signal, onProgress }: RunControl = {},
): Promise<void> {
  const headers = [...arrays].map(([name, array]) => {
    requireMemberName(name, ARRAY_SUFFIX);
    return npyHeaderOf(array, `writeNpz, array "${name}"`, true);
  });
  const total = [...arrays.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  await writeAtomically(path, { signal }, async (file) => {
    const zip = new ZipWriter(file);
    const count = byteProgress('write', total, { onProgress });
    for (const [k, [name, { data }]] of [...arrays].entries())
      await zip.add(name + ARRAY_SUFFIX, data, headers[k], count);
    await zip.finish();
  });
}
