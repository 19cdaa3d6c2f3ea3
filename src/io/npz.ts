/**
 * NumPy's .npz archives: a zip of .npy files, one for each array.
 * Source: numpy.savez and savez_compressed (numpy.lib.format); member "a.npy" is array "a". Reading goes through
 * zip-directory.ts, which checks every checksum; fflate writes. Equal arrays make equal files: members bear the
 * earliest date that the zip format knows.
 */
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { requireBytes } from '../core/shared-array.js';
import { writeAtomically } from './atomic-write.js';
import { bytesOf, MemoryBytes, withInputFile } from './input-file.js';
import { availableMemory } from './machine.js';
import { npyHeaderOf, readNpyArray, type NpyArray, type NpySource } from './npy.js';
import { readZipDirectory, readZipEntry, type ZipEntry } from './zip-directory.js';

const PICKLED =
  '; PyTorch pickled it, and a pickle can run any program, so it is not read: write it with ' +
  'safetensors.torch.save_file or numpy.savez';

/** Which arrays to read; abort and progress. */
export interface ReadNpzOptions extends RunControl {
  /** Only these arrays; all by default. */
  readonly names?: readonly string[] | undefined;
}

/** How to write them; abort and progress. */
export interface WriteNpzOptions extends RunControl {
  /** Deflate the members (savez_compressed); by default they are stored (savez). */
  readonly compress?: boolean | undefined;
}

/** Bytes deflated or stored before they are written: a small piece keeps the event loop and an AbortSignal alive. */
const PIECE_BYTES = 1024 * 1024;
/** Beyond these an archive needs ZIP64 records. */
const MOST_BYTES = 0xffffffff;
const MOST_MEMBERS = 0xffff;
const SUFFIX = '.npy';

/** name → member; others than arrays (folders, notes) are left out. */
function arraysIn(entries: readonly ZipEntry[], path: string): Map<string, ZipEntry> {
  const arrays = new Map(
    entries.filter(({ name }) => name.endsWith(SUFFIX)).map((entry) => [entry.name.slice(0, -SUFFIX.length), entry]),
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

/**
 * Throws MemoryError where the members do not fit into memory: all of them unpacked, and the largest once more, packed
 * and unpacked, while it is read.
 */
function requireUnpacked(entries: readonly ZipEntry[], path: string): void {
  const all = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = entries.reduce((most, { bytes, compressedBytes }) => Math.max(most, bytes + compressedBytes), 0);
  requireBytes(all + largest, availableMemory(), `${path}: unpacking ${entries.length} of its arrays`);
}

/** The names of the arrays in an .npz file, in its order. Throws FileFormatError, FileAccessError. */
export async function readNpzNames(path: string, control: RunControl = {}): Promise<string[]> {
  return withInputFile(path, control, async (file) => [
    ...arraysIn(await readZipDirectory(file, control), path).keys(),
  ]);
}

/**
 * Reads an .npz file: arrays of rank 1 or 2, of every type that readNpy takes, stored or deflated; in the archive's
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
      const bytes = await readZipEntry(file, entry, { signal });
      arrays.set(name, await readNpyArray(new MemoryBytes(`${path}: member "${entry.name}"`, bytes), { signal }));
      onProgress?.({ phase: 'read', done: arrays.size, total: wanted.length });
    }
    return arrays;
  });
}

function checkNames(arrays: ReadonlyMap<string, NpySource>, headers: ReadonlyMap<string, Uint8Array>): void {
  let total = 0;
  for (const [name, { data }] of arrays) {
    const encoded = new TextEncoder().encode(name + SUFFIX).length;
    if (name === '' || name.includes('\0') || encoded > 65535)
      throw new OptionError(
        `"${name}" cannot be the name of an array in an archive: 1 to 65,531 bytes without zeros are needed.`,
        { name },
      );
    total += headers.get(name)!.length + data.byteLength + 128 + 2 * encoded;
  }
  // Room for what deflate adds to bytes that it cannot shrink is left too.
  if (total * 1.001 > MOST_BYTES || arrays.size >= MOST_MEMBERS) {
    throw new OptionError(
      `An .npz file of ${arrays.size} arrays and ${total} bytes is beyond what is written (4 GiB, 65,534 ` +
        'arrays). Write safetensors, which has no such limits.',
      { arrays: arrays.size, bytes: total },
    );
  }
}

/**
 * Writes arrays of rank 1 or 2 as .npz, whole or not at all; numpy.load reads it. The arrays must not change meanwhile.
 * Progress counts bytes. Throws ShapeError, OptionError (a name that cannot be one; beyond 4 GiB), FileAccessError,
 * AbortedError; then `path` is as it was.
 */
export async function writeNpz(
  path: string,
  arrays: ReadonlyMap<string, NpySource>,
  options: WriteNpzOptions = {},
): Promise<void> {
  const { compress = false, signal, onProgress } = options;
  const headers = new Map([...arrays].map(([name, array]) => [name, npyHeaderOf(array, `writeNpz, array "${name}"`)]));
  checkNames(arrays, headers);
  const total = [...arrays.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  await writeAtomically(path, { signal }, async (file) => {
    const ready: Uint8Array[] = [];
    let failure: Error | null = null;
    const zip = new Zip((error, chunk) => {
      if (error) failure = error;
      else ready.push(chunk);
    });
    const flush = async (): Promise<void> => {
      if (failure !== null) throw failure;
      for (const chunk of ready.splice(0)) await file.append(chunk);
    };
    let done = 0;
    for (const [name, { data }] of arrays) {
      const member = compress ? new ZipDeflate(name + SUFFIX) : new ZipPassThrough(name + SUFFIX);
      // fflate writes local time; this is 1980-01-01 00:00 in any zone.
      member.mtime = new Date(1980, 0, 1);
      zip.add(member);
      const bytes = bytesOf(data);
      member.push(headers.get(name)!, bytes.length === 0);
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        throwIfAborted(signal);
        const end = Math.min(bytes.length, at + PIECE_BYTES);
        member.push(bytes.subarray(at, end), end === bytes.length);
        await flush();
        done += end - at;
        onProgress?.({ phase: 'write', done, total });
      }
    }
    zip.end();
    await flush();
  });
}
