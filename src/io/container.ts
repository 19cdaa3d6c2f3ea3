/**
 * The files in which matrices, factorizations and checkpoints are kept: a JSON header and named arrays, with checksums.
 * Arrays are read straight into shared memory of their own, chunk by chunk: a file is never held twice, whatever its
 * size. The layout: container-layout.ts. Checksums are computed on the chunk that is in cache for reading or writing
 * anyway.
 */
import { endianness } from 'node:os';
import type { RunControl } from '../core/context.js';
import { FileFormatError, HmatrixError, OptionError } from '../core/errors.js';
import { writeAtomically } from './atomic-write.js';
import { byteProgress } from './byte-progress.js';
import {
  checksumText,
  damagedContainer,
  ELEMENT_TYPES,
  encodeHeader,
  parseHeaderMember,
  sectionBytes,
  typeOf,
  type ContainerArray,
  type Directory,
  type JsonObject,
  type ListedArray,
  type Section,
} from './container-layout.js';
import { readVersion1 } from './container-version1.js';
import { crc32 } from './crc32.js';
import { CONTAINER_MAGIC, foreignFile, HEADER_MEMBER, startsWith, TELLING_BYTES, ZIP } from './foreign-file.js';
import { bytesOf, FilePart, sharedBuffer, withInputFile, type InputFile } from './input-file.js';
import { formatNpyHeader, readNpyHeader } from './npy-header.js';
import { ARRAY_SUFFIX } from './npz.js';
import { readZipDirectory, type ZipEntry } from './zip-directory.js';
import { readZipEntry } from './zip-member.js';
import { requireMemberName, ZipWriter } from './zip-writer.js';

export type { ContainerArray, ElementType, JsonObject, JsonValue } from './container-layout.js';

/** A container's header and arrays, by name; arrays read lie over SharedArrayBuffers. */
export interface Container {
  readonly header: JsonObject;
  readonly arrays: Readonly<Record<string, ContainerArray>>;
}

/** What a container holds, its arrays unread. */
export interface ContainerSummary {
  readonly header: JsonObject;
  readonly sections: readonly {
    readonly name: string;
    readonly type: 'f64' | 'f32' | 'i32' | 'u8';
    readonly length: number;
    readonly bytes: number;
  }[];
  /** Length of the file. */
  readonly bytes: number;
}

/** Which arrays to read; abort and progress. */
export interface ReadContainerOptions extends RunControl {
  /** Only these sections; all by default. */
  readonly sections?: readonly string[] | undefined;
}

function requireLittleEndian(): void {
  if (endianness() !== 'LE')
    throw new HmatrixError(
      'platform',
      'Files of matrices are little-endian, and this machine is not: use one that is.',
    );
}

/** Throws OptionError where JSON cannot hold a value. */
function requireJson(header: JsonObject): void {
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new OptionError('The header of a container is a JSON object.');
  JSON.stringify(header, (key, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new OptionError(`The header of a container is JSON, which cannot hold ${value} ("${key}").`, { key });
    return value;
  });
}

/** An array as the header lists it, its checksum still 0. Throws OptionError. */
function listed(name: string, array: ContainerArray): ListedArray {
  const type = typeOf(array);
  if (type === undefined)
    throw new OptionError(
      `Array "${name}" is of a type that cannot be kept; Float64Array, Float32Array, Int32Array and Uint8Array can.`,
      { name },
    );
  requireMemberName(name, ARRAY_SUFFIX);
  return { name, type, length: array.length, crc32: 0 };
}

/**
 * Writes `header` and `arrays` to `path`, whole or not at all: a temporary file in the same folder is renamed at the
 * end. `header` must survive JSON (no NaN, no undefined). The arrays must not change meanwhile. Progress counts bytes.
 * Failure: OptionError, FileAccessError, AbortedError; then `path` is as it was.
 */
export async function writeContainer(
  path: string,
  header: JsonObject,
  arrays: Readonly<Record<string, ContainerArray>>,
  control: RunControl = {},
): Promise<void> {
  requireLittleEndian();
  requireJson(header);
  const list = Object.entries(arrays).map(([name, array]) => listed(name, array));
  const total = list.reduce((sum, section) => sum + sectionBytes(section), 0);
  await writeAtomically(path, control, async (file) => {
    const zip = new ZipWriter(file);
    const { member } = await zip.add(HEADER_MEMBER, encodeHeader(header, list));
    const summed: ListedArray[] = [];
    const count = byteProgress('write', total, control);
    for (const array of list) {
      const { bytes, kind } = ELEMENT_TYPES[array.type];
      const before = formatNpyHeader(`${kind}${bytes}` as Parameters<typeof formatNpyHeader>[0], false, [array.length]);
      const { crc32: sum } = await zip.add(array.name + ARRAY_SUFFIX, arrays[array.name], before, count);
      summed.push({ ...array, crc32: sum });
    }
    await zip.replace(member, encodeHeader(header, summed));
    await zip.finish();
  });
}

/** Where an array stands. Throws FileFormatError where its member is not what the header says. */
async function sectionOf(file: InputFile, array: ListedArray, entry: ZipEntry): Promise<Section> {
  const { path } = file;
  const { name, type, length } = array;
  const part = `array "${name}"`;
  if (entry.name !== name + ARRAY_SUFFIX)
    throw damagedContainer(path, part, `member "${entry.name}" stands where it should`);
  if (entry.method !== 0)
    throw damagedContainer(path, part, `it is compressed by method ${entry.method}, and arrays are stored as they are`);
  if (entry.crc32 !== array.crc32)
    throw damagedContainer(
      path,
      part,
      `the archive has checksum ${checksumText(entry.crc32)} for it, the header ${checksumText(array.crc32)}`,
    );
  const member = await FilePart.open(`${path}: ${part}`, file, entry.begin, entry.bytes);
  const { type: found, fortranOrder, shape, dataOffset } = await readNpyHeader(member);
  const { bytes, kind } = ELEMENT_TYPES[type];
  if (
    'fields' in found ||
    found.kind !== kind ||
    found.itemBytes !== bytes ||
    found.swap ||
    fortranOrder ||
    shape.length !== 1 ||
    shape[0] !== length
  )
    throw damagedContainer(path, part, `it is not of ${length} elements of type ${type}, as the header says`);
  const before = crc32(await member.head(dataOffset));
  return { ...array, offset: entry.begin + dataOffset, before };
}

async function readDirectory(file: InputFile): Promise<Directory> {
  requireLittleEndian();
  const { path } = file;
  const head = await file.head(TELLING_BYTES);
  if (startsWith(head, CONTAINER_MAGIC)) return readVersion1(file);
  const foreign = (why: string): FileFormatError =>
    new FileFormatError(
      `${path}: not a hierarchical matrix file, nor another that this library wrote: ${why}.${foreignFile(path, head)}`,
      { path, section: 'archive' },
    );
  if (!startsWith(head, ZIP)) throw foreign('it does not start as one does');
  const [first, ...rest] = await readZipDirectory(file);
  if (first?.name !== HEADER_MEMBER) throw foreign(`its first member is not ${HEADER_MEMBER}`);
  const { header, arrays } = parseHeaderMember(await readZipEntry(file, first, {}), path);
  if (arrays.length !== rest.length)
    throw damagedContainer(path, 'header', `it lists ${arrays.length} arrays, and the archive holds ${rest.length}`);
  const sections: Section[] = [];
  for (const [k, array] of arrays.entries()) sections.push(await sectionOf(file, array, rest[k]));
  return { header, sections };
}

/** The header and what sections there are, without reading them. Failure: as readContainer. */
export async function readContainerHeader(path: string, control: RunControl = {}): Promise<ContainerSummary> {
  return withInputFile(path, control, async (file) => {
    const { header, sections } = await readDirectory(file);
    return {
      header,
      sections: sections.map((section) => ({
        name: section.name,
        type: section.type,
        length: section.length,
        bytes: sectionBytes(section),
      })),
      bytes: file.size,
    };
  });
}

/**
 * Reads a container; every array lies over a SharedArrayBuffer of its own. Progress counts bytes.
 * Failure: FileFormatError (foreign, truncated, damaged, of a newer version; `data.section` says where), OptionError
 * (no such section), FileAccessError, MemoryError, AbortedError.
 */
export async function readContainer(path: string, options: ReadContainerOptions = {}): Promise<Container> {
  return withInputFile(path, options, async (file) => {
    const directory = await readDirectory(file);
    const wanted = directory.sections.filter((section) => options.sections?.includes(section.name) ?? true);
    const absent = options.sections?.find((name) => !directory.sections.some((section) => section.name === name));
    if (absent !== undefined)
      throw new OptionError(
        `${path}: there is no section "${absent}"; there are ` +
          `${directory.sections.map((section) => `"${section.name}"`).join(', ')}.`,
        { path, section: absent },
      );
    const total = wanted.reduce((sum, section) => sum + sectionBytes(section), 0);
    const count = byteProgress('read', total, options);
    const arrays: [string, ContainerArray][] = [];
    for (const section of wanted) {
      const array = ELEMENT_TYPES[section.type].over(
        sharedBuffer(sectionBytes(section), `${path}: section "${section.name}"`),
      );
      let crc = section.before;
      await file.read(bytesOf(array), section.offset, options, (chunk) => {
        crc = crc32(chunk, crc);
        count(chunk);
      });
      if (crc !== section.crc32)
        throw damagedContainer(
          path,
          `section "${section.name}"`,
          `checksum ${checksumText(crc)}, ${checksumText(section.crc32)} expected`,
        );
      arrays.push([section.name, array]);
    }
    return { header: directory.header, arrays: Object.fromEntries(arrays) };
  });
}
