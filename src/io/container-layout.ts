/**
 * The layout of the container file in which hierarchical matrices are kept: what stands where.
 *
 *   preamble, 64 bytes  magic (8) · version u32 · JSON length u32 · JSON CRC-32 u32 · 0 u32 · file length u64 · zeros ·
 *   CRC-32 of the first 60 bytes u32 JSON                { header: the writer's own object, sections: [{ name, type,
 *   length, offset, crc32 }] } sections            arrays, each at a multiple of 64 bytes, gaps filled with zeros
 *
 * Everything is little-endian. The preamble has this form in every version, so that an older reader can tell a newer
 * file from a damaged one. The magic's first byte is not text, and its line ends show a transfer in text mode, as in
 * PNG.
 */
import { FileFormatError } from '../core/errors.js';
import { crc32 } from './crc32.js';
import { excerptOf } from './excerpt.js';
import { CONTAINER_MAGIC, foreignFile } from './foreign-file.js';

/** The format's version that this library writes, and the newest that it reads. */
export const CONTAINER_VERSION = 1;
/** Bytes of the preamble, in every version. */
export const PREAMBLE_BYTES = 64;
/** Sections begin at multiples of so many bytes. */
export const ALIGNMENT = 64;

/** Whatever JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The arrays that a section can hold. */
export type ContainerArray = Float64Array | Float32Array | Int32Array | Uint8Array;
/** The type of a section's elements, as the file names it. */
export type ElementType = 'f64' | 'f32' | 'i32' | 'u8';

/** Bytes of an element, and the array over a buffer, of each type. */
export const ELEMENT_TYPES: Record<
  ElementType,
  { readonly bytes: number; readonly over: (buffer: SharedArrayBuffer) => ContainerArray }
> = {
  f64: { bytes: 8, over: (b) => new Float64Array(b) },
  f32: { bytes: 4, over: (b) => new Float32Array(b) },
  i32: { bytes: 4, over: (b) => new Int32Array(b) },
  u8: { bytes: 1, over: (b) => new Uint8Array(b) },
};

/** Where one array stands in the file. */
export interface Section {
  readonly name: string;
  readonly type: ElementType;
  /** Elements. */
  readonly length: number;
  /** Bytes from the file's beginning. */
  readonly offset: number;
  /** CRC-32 of the section's bytes, eight hexadecimal digits. */
  readonly crc32: string;
}
/** The JSON part of a container. */
export interface Directory {
  /** Whatever the writer put there. */
  readonly header: JsonObject;
  readonly sections: readonly Section[];
}

/** The next position, in bytes, at which a section may begin. */
export const alignUp = (position: number): number => Math.ceil(position / ALIGNMENT) * ALIGNMENT;
/** Bytes of a section's elements. */
export const sectionBytes = (section: Pick<Section, 'type' | 'length'>): number =>
  section.length * ELEMENT_TYPES[section.type].bytes;

/** The preamble of a file of `fileLength` bytes whose JSON part is `json`. */
export function formatPreamble(json: Uint8Array, fileLength: number): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  const fields = new DataView(bytes.buffer);
  bytes.set(CONTAINER_MAGIC);
  fields.setUint32(8, CONTAINER_VERSION, true);
  fields.setUint32(12, json.length, true);
  fields.setUint32(16, crc32(json), true);
  fields.setBigUint64(24, BigInt(fileLength), true);
  fields.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

const damaged = (path: string, section: string, what: string, data: Record<string, unknown> = {}): FileFormatError =>
  new FileFormatError(`${path}: ${section}: ${what}. The file is damaged: fetch it again, or write it anew.`, {
    path,
    section,
    ...data,
  });

/** Reads and checks the 64 bytes (or fewer, if the file is shorter). */
export function parsePreamble(
  bytes: Uint8Array,
  path: string,
): { jsonLength: number; jsonCrc: number; fileLength: number } {
  const known = bytes.subarray(0, CONTAINER_MAGIC.length);
  if (known.length === 0 || !known.every((byte, i) => byte === CONTAINER_MAGIC[i])) {
    throw new FileFormatError(
      `${path}: not a hierarchical matrix file: it does not start with its magic bytes. Give a file that this ` +
        `library wrote.${foreignFile(path, bytes)}`,
      { path, section: 'preamble' },
    );
  }
  if (bytes.length < PREAMBLE_BYTES)
    throw new FileFormatError(
      `${path}: preamble: ${bytes.length} of ${PREAMBLE_BYTES} bytes. The file is truncated: fetch it again, or ` +
        'write it anew.',
      { path, section: 'preamble' },
    );
  const fields = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_BYTES);
  const version = fields.getUint32(8, true);
  if (crc32(bytes.subarray(0, 60)) !== fields.getUint32(60, true)) {
    throw damaged(
      path,
      'preamble',
      'its checksum is ' +
        'wrong' +
        (version === CONTAINER_VERSION
          ? ''
          : ` (it claims format version ${version}, this library reads up to ${CONTAINER_VERSION})`),
      { version },
    );
  }
  if (version > CONTAINER_VERSION || version === 0) {
    throw new FileFormatError(
      `${path}: format version ${version}; this library reads up to ${CONTAINER_VERSION}. Update hmatrix, or ` +
        'write the file again with this version.',
      { path, section: 'preamble', version, supported: CONTAINER_VERSION },
    );
  }
  return {
    jsonLength: fields.getUint32(12, true),
    jsonCrc: fields.getUint32(16, true),
    fileLength: Number(fields.getBigUint64(24, true)),
  };
}

/** Reads and checks the JSON part: every section named once, of a known type, aligned, in order, within the file. */
export function parseDirectory(json: Uint8Array, crc: number, fileLength: number, path: string): Directory {
  if (crc32(json) !== crc) throw damaged(path, 'header', 'its checksum is wrong');
  let directory: Directory;
  try {
    directory = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as Directory;
  } catch (error) {
    throw damaged(path, 'header', `not JSON (${(error as Error).message})`);
  }
  if (
    typeof directory?.header !== 'object' ||
    directory.header === null ||
    Array.isArray(directory.header) ||
    !Array.isArray(directory.sections)
  ) {
    throw damaged(path, 'header', 'it must hold an object "header" and a list "sections"');
  }
  let end = PREAMBLE_BYTES + json.length;
  const names = new Set<string>();
  for (const section of directory.sections) {
    const { name, type, length, offset, crc32: sum } = section ?? {};
    if (
      typeof name !== 'string' ||
      names.has(name) ||
      !Object.hasOwn(ELEMENT_TYPES, type) ||
      !Number.isSafeInteger(length) ||
      length < 0 ||
      typeof sum !== 'string' ||
      offset !== alignUp(end)
    ) {
      throw damaged(path, 'header', `a section is not described as it must be: ${excerptOf(section)}`);
    }
    names.add(name);
    end = offset + sectionBytes(section);
  }
  if (end !== fileLength)
    throw damaged(path, 'header', `its sections end at byte ${end}, the file should end at ${fileLength}`);
  return directory;
}
