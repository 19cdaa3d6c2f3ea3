/**
 * One array of an .npz archive, as a vector or a matrix: the others are not read.
 */
import { stat } from 'node:fs/promises';
import type { RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import { arrayMeant, listedArrays, refuseLoss, type ListedArray } from './array-choice.js';
import { splitArrayPath } from './array-path.js';
import { writeAtomically } from './atomic-write.js';
import { byteProgress } from './byte-progress.js';
import { foreignFile, HEADER_MEMBER, TELLING_BYTES } from './foreign-file.js';
import { withInputFile, type InputFile } from './input-file.js';
import { formatNpyHeader, readNpyDictionary } from './npy-header.js';
import { isNumberDescr } from './npy-type.js';
import { readNpyOrderedArray } from './npy.js';
import { ARRAY_SUFFIX, arraysIn } from './npz.js';
import { columnPieces, shapedVectors, type WrittenVectors } from './packed-vectors.js';
import type { ArrayReading, OrderedArray } from './stored-array.js';
import { readZipDirectory, type ZipEntry } from './zip-directory.js';
import { withZipMember, withZipMemberStart } from './zip-member.js';
import { requireMemberName, ZipWriter } from './zip-writer.js';

/** The arrays with what their headers say, elements unread. Throws FileFormatError for a header that is none. */
async function listArrays(
  file: InputFile,
  members: ReadonlyMap<string, ZipEntry>,
  control: RunControl,
): Promise<Map<string, ListedArray>> {
  const listed = new Map<string, ListedArray>();
  for (const [name, entry] of members) {
    const { shape, descr } = await withZipMemberStart(file, entry, control, readNpyDictionary);
    listed.set(name, { shape, numbers: isNumberDescr(descr) });
  }
  return listed;
}

/** The member that is meant: the headers of all are read only where they must be told apart. */
async function memberMeant(
  file: InputFile,
  entries: readonly ZipEntry[],
  name: string | undefined,
  control: RunControl,
): Promise<ZipEntry> {
  const { path } = file;
  if (name === undefined && entries[0]?.name === HEADER_MEMBER)
    throw new FileFormatError(
      `${path}: not an archive of arrays alone.${foreignFile(path, await file.head(TELLING_BYTES))}`,
      { path },
    );
  const members = arraysIn(entries, path);
  const direct = name ?? (members.size === 1 ? [...members.keys()][0] : undefined);
  const found = direct === undefined ? undefined : members.get(direct);
  if (found !== undefined) return found;
  return members.get(arrayMeant({ file: path, kind: 'npz', arrays: await listArrays(file, members, control) }, name))!;
}

/**
 * An array of rank 1 or 2 of an .npz archive in the order asked for: of FILE.npz the only one, or the only one of
 * numbers, of FILE.npz:name that one. Its bytes go straight where they are wanted, stored or deflated. Throws
 * FileFormatError (foreign, damaged, no numbers, another rank; a file that `save` wrote), OptionError (several arrays,
 * none of that name), FileAccessError, MemoryError, AbortedError.
 */
export async function readNpzOrdered(path: string, how: ArrayReading, control: RunControl = {}): Promise<OrderedArray> {
  const { file: archive, name = how.name } = splitArrayPath(path);
  const { signal } = control;
  return withInputFile(archive, control, async (file) => {
    const entry = await memberMeant(file, await readZipDirectory(file, { signal }), name, { signal });
    return withZipMember(file, entry, control, (member) => readNpyOrderedArray(member, how, control));
  });
}

/**
 * Throws OptionError where `path`, FILE.npz:name, names an array that cannot be, or one of an archive that holds
 * others, which would be lost: a file is written as a whole. One that is not there, or is empty, has none. Throws
 * FileFormatError where the file is no archive, FileAccessError, AbortedError besides.
 */
export async function requireNpzReplaceable(path: string, control: RunControl = {}): Promise<void> {
  const { file: archive, name } = splitArrayPath(path);
  if (name === undefined) return;
  requireMemberName(name, ARRAY_SUFFIX, archive);
  if (!(await stat(archive).catch(() => undefined))?.size) return;
  await withInputFile(archive, control, async (file) => {
    const others = (await readZipDirectory(file, control)).filter((entry) => entry.name !== name + ARRAY_SUFFIX);
    if (others.length === 0) return;
    const names = others.map((entry) =>
      entry.name.endsWith(ARRAY_SUFFIX) ? entry.name.slice(0, -ARRAY_SUFFIX.length) : entry.name,
    );
    refuseLoss(archive, name, listedArrays(new Map(names.map((one) => [one, { shape: null }]))), names);
  });
}

/**
 * Writes vectors as `FILE.npz` or `FILE.npz:name`, an archive of one array in Fortran order and their own precision,
 * whole or not at all. Progress counts bytes. Throws ShapeError, FileAccessError, AbortedError, and as
 * requireNpzReplaceable; then the file is as it was.
 */
export async function writeNpzVectors(
  path: string,
  { name: usual, ...written }: WrittenVectors,
  { signal, onProgress }: RunControl = {},
): Promise<void> {
  const { matrix, shape, byteLength } = shapedVectors(written);
  const { file: archive, name = usual } = splitArrayPath(path);
  await requireNpzReplaceable(path, { signal });
  const header = formatNpyHeader(precisionOf(matrix.data) === 'f32' ? 'f4' : 'f8', shape.length === 2, shape);
  await writeAtomically(archive, { signal }, async (file) => {
    const zip = new ZipWriter(file);
    const count = byteProgress('write', byteLength, { onProgress });
    await zip.add(name + ARRAY_SUFFIX, { byteLength, pieces: columnPieces(matrix) }, header, count);
    await zip.finish();
  });
}
