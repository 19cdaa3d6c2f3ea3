/**
 * Files of version 1, which hmatrix 0.1 wrote: they are read, and no longer written.
 *
 *   preamble, 64 bytes  magic (8) · version u32 · JSON length u32 · JSON CRC-32 u32 · 0 u32 · file length u64 · zeros ·
 *   CRC-32 of the first 60 bytes u32 JSON                { header: the writer's own object, sections: [{ name, type,
 *   length, offset, crc32 }] } sections            arrays, each at a multiple of 64 bytes, gaps filled with zeros
 *
 * Everything is little-endian. The magic's first byte is not text, and its line ends show a transfer in text mode, as
 * in PNG.
 */
import { FileFormatError } from '../core/errors.js';
import {
  damagedContainer,
  ELEMENT_TYPES,
  newerContainer,
  parseJson,
  sectionBytes,
  type Directory,
  type ElementType,
  type JsonObject,
  type Section,
} from './container-layout.js';
import { crc32 } from './crc32.js';
import { excerptOf } from './excerpt.js';
import type { InputFile } from './input-file.js';

const PREAMBLE_BYTES = 64;
const ALIGNMENT = 64;

/** A section as the JSON lists it. */
interface Listed {
  readonly name: string;
  readonly type: ElementType;
  readonly length: number;
  readonly offset: number;
  readonly crc32: string;
}

const alignUp = (position: number): number => Math.ceil(position / ALIGNMENT) * ALIGNMENT;

/** Reads and checks the 64 bytes (or fewer, if the file is shorter), which begin with the magic. */
function parsePreamble(bytes: Uint8Array, path: string): { jsonLength: number; jsonCrc: number; fileLength: number } {
  if (bytes.length < PREAMBLE_BYTES)
    throw new FileFormatError(
      `${path}: preamble: ${bytes.length} of ${PREAMBLE_BYTES} bytes. The file is truncated: fetch it again, or ` +
        'write it anew.',
      { path, section: 'preamble' },
    );
  const fields = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_BYTES);
  const version = fields.getUint32(8, true);
  if (crc32(bytes.subarray(0, 60)) !== fields.getUint32(60, true))
    throw damagedContainer(path, 'preamble', `its checksum is wrong${version === 1 ? '' : ` (version ${version})`}`, {
      version,
    });
  if (version !== 1) throw newerContainer(path, version);
  return {
    jsonLength: fields.getUint32(12, true),
    jsonCrc: fields.getUint32(16, true),
    fileLength: Number(fields.getBigUint64(24, true)),
  };
}

/** Reads and checks the JSON part: every section named once, of a known type, aligned, in order, within the file. */
function parseDirectory(json: Uint8Array, crc: number, fileLength: number, path: string): Directory {
  const damaged = (what: string): FileFormatError => damagedContainer(path, 'header', what);
  if (crc32(json) !== crc) throw damaged('its checksum is wrong');
  const directory = parseJson(json, path) as { readonly header: JsonObject; readonly sections: readonly Listed[] };
  if (
    typeof directory?.header !== 'object' ||
    directory.header === null ||
    Array.isArray(directory.header) ||
    !Array.isArray(directory.sections)
  )
    throw damaged('it must hold an object "header" and a list "sections"');
  let end = PREAMBLE_BYTES + json.length;
  const names = new Set<string>();
  const sections = directory.sections.map((section): Section => {
    const { name, type, length, offset, crc32: sum } = (section ?? {}) as Listed;
    if (
      typeof name !== 'string' ||
      names.has(name) ||
      !Object.hasOwn(ELEMENT_TYPES, type) ||
      !Number.isSafeInteger(length) ||
      length < 0 ||
      typeof sum !== 'string' ||
      offset !== alignUp(end)
    )
      throw damaged(`a section is not described as it must be: ${excerptOf(section)}`);
    names.add(name);
    end = offset + sectionBytes({ type, length });
    return { name, type, length, offset, crc32: Number.parseInt(sum, 16), before: 0 };
  });
  if (end !== fileLength) throw damaged(`its sections end at byte ${end}, the file should end at ${fileLength}`);
  return { header: directory.header, sections };
}

/** The directory of a file that begins with the magic. Throws FileFormatError (truncated, damaged, newer). */
export async function readVersion1(file: InputFile): Promise<Directory> {
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
