/**
 * The container file in which hierarchical matrices are kept: a JSON header and named arrays, with checksums.
 * Sections are read straight into shared memory of their own and are aligned to 64 bytes, so a file may also be mapped
 * or sent as it is. Its layout: container-layout.ts. Its checksums: CRC-32 of every part, computed on the chunk that is
 * in cache for reading or writing anyway.
 */
import { endianness } from 'node:os';
import type { RunControl } from '../core/context.js';
import { FileFormatError, HmatrixError, OptionError } from '../core/errors.js';
import { writeAtomically } from './atomic-write.js';
import {
  ALIGNMENT,
  alignUp,
  ELEMENT_TYPES,
  formatPreamble,
  parseDirectory,
  parsePreamble,
  PREAMBLE_BYTES,
  sectionBytes,
  type ContainerArray,
  type Directory,
  type ElementType,
  type JsonObject,
  type Section,
} from './container-layout.js';
import { crc32 } from './crc32.js';
import { bytesOf, sharedBuffer, withInputFile, type InputFile } from './input-file.js';

export type { ContainerArray, JsonObject, JsonValue } from './container-layout.js';

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

const typeOf = (array: ContainerArray): ElementType | undefined =>
  array instanceof Float64Array
    ? 'f64'
    : array instanceof Float32Array
      ? 'f32'
      : array instanceof Int32Array
        ? 'i32'
        : array instanceof Uint8Array
          ? 'u8'
          : undefined;

const checksumText = (crc: number): string => crc.toString(16).padStart(8, '0');

function requireLittleEndian(): void {
  if (endianness() !== 'LE')
    throw new HmatrixError(
      'platform',
      'Hierarchical matrix files are little-endian, and this machine is not: use one that is.',
    );
}

/** The sections' places; all checksums have eight digits, so that the JSON's length is known before they are. */
function planSections(
  header: JsonObject,
  arrays: Readonly<Record<string, ContainerArray>>,
): { sections: Section[]; fileLength: number } {
  const parts = Object.entries(arrays).map(([name, array]) => {
    const type = typeOf(array);
    if (type === undefined)
      throw new OptionError(
        `Array "${name}" is of a type that cannot be kept; Float64Array, Float32Array, Int32Array and Uint8Array can.`,
        { name },
      );
    return { name, type, length: array.length };
  });
  // Offsets are written in the JSON, so their digits decide where they point: repeat until the lengths agree (they only
  // grow).
  let jsonLength = 0;
  for (;;) {
    let end = PREAMBLE_BYTES + jsonLength;
    const sections = parts.map((part) => {
      const offset = alignUp(end);
      end = offset + sectionBytes(part);
      return { ...part, offset, crc32: '00000000' };
    });
    const needed = encode({ header, sections }).length;
    if (needed <= jsonLength) return { sections, fileLength: end };
    jsonLength = needed;
  }
}

function encode(directory: Directory): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify(directory, (key, value: unknown) => {
      if (typeof value === 'number' && !Number.isFinite(value))
        throw new OptionError(`The header of a container is JSON, which cannot hold ${value} ("${key}").`, { key });
      return value;
    }),
  );
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
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new OptionError('The header of a container is a JSON object.');
  const { sections, fileLength } = planSections(header, arrays);
  const jsonRoom = (sections.length > 0 ? sections[0].offset : fileLength) - PREAMBLE_BYTES;
  await writeAtomically(path, control, async (file) => {
    let done = 0;
    const total = sections.reduce((sum, section) => sum + sectionBytes(section), 0);
    const summed: Section[] = [];
    // The preamble and the header's checksums come last; until then even the temporary file is no container.
    await file.append(new Uint8Array(PREAMBLE_BYTES + jsonRoom));
    for (const section of sections) {
      await file.align(ALIGNMENT);
      let crc = 0;
      await file.append(arrays[section.name], (chunk) => {
        crc = crc32(chunk, crc);
        done += chunk.length;
        control.onProgress?.({ phase: 'write', done, total });
      });
      summed.push({ ...section, crc32: checksumText(crc) });
    }
    const json = encode({ header, sections: summed });
    await file.writeAt(formatPreamble(json, fileLength), 0);
    await file.writeAt(json, PREAMBLE_BYTES);
  });
}

async function readDirectory(file: InputFile): Promise<Directory> {
  const { path, size } = file;
  const { jsonLength, jsonCrc, fileLength } = parsePreamble(await file.head(PREAMBLE_BYTES), path);
  const truncated = (section: string): FileFormatError =>
    new FileFormatError(
      `${path}: ${section} is cut off: the file has ${size} of ${fileLength} bytes. It is truncated: fetch it ` +
        'again, or write it anew.',
      { path, section, expected: fileLength, found: size },
    );
  if (PREAMBLE_BYTES + jsonLength > size) throw truncated('header');
  const directory = parseDirectory(await file.head(jsonLength, PREAMBLE_BYTES), jsonCrc, fileLength, path);
  if (size < fileLength)
    throw truncated(
      `section "${directory.sections.find((section) => section.offset + sectionBytes(section) > size)?.name ?? ''}"`,
    );
  if (size > fileLength)
    throw new FileFormatError(
      `${path}: ${size - fileLength} bytes follow the end of the file's last section. The file is damaged: fetch ` +
        'it again, or write it anew.',
      { path, section: 'end', expected: fileLength, found: size },
    );
  return directory;
}

/** The header and what sections there are, without reading them. Failure: as readContainer. */
export async function readContainerHeader(path: string, control: RunControl = {}): Promise<ContainerSummary> {
  requireLittleEndian();
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
  requireLittleEndian();
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
    let done = 0;
    const arrays: [string, ContainerArray][] = [];
    for (const section of wanted) {
      const array = ELEMENT_TYPES[section.type].over(
        sharedBuffer(sectionBytes(section), `${path}: section "${section.name}"`),
      );
      let crc = 0;
      await file.read(bytesOf(array), section.offset, options, (chunk) => {
        crc = crc32(chunk, crc);
        done += chunk.length;
        options.onProgress?.({ phase: 'read', done, total });
      });
      if (checksumText(crc) !== section.crc32) {
        throw new FileFormatError(
          `${path}: section "${section.name}": checksum ${checksumText(crc)}, ${section.crc32} expected. The ` +
            'file is damaged: fetch it again, or write it anew.',
          { path, section: section.name },
        );
      }
      arrays.push([section.name, array]);
    }
    return { header: directory.header, arrays: Object.fromEntries(arrays) };
  });
}
