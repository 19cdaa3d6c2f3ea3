/**
 * The layout of the files in which matrices, factorizations and checkpoints are kept (docs/file-format.md).
 *
 * A zip archive of stored members, ZIP64, as numpy.savez makes them: numpy.load opens it. The first member,
 * hmatrix.json, is
 *
 *   { "format": "hmatrix", "version": 2, "header": what the writer tells, "arrays": [{ name, type, length, crc32 }] }
 *
 * and one member NAME.npy follows for each array, in that order: rank 1, little-endian, its elements at a multiple of
 * 64 bytes. The checksum of a member's bytes stands in the archive's records and, in eight hexadecimal digits, here:
 * so that members that changed their names are found too. container-version1.ts reads what was written before.
 */
import { FileFormatError } from '../core/errors.js';
import { excerptOf } from './excerpt.js';

/** The format's version that this library writes, and the newest that it reads. */
export const CONTAINER_VERSION = 2;
const FORMAT = 'hmatrix';

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

/** Bytes of an element, the array over a buffer, and NumPy's letter, of each type. */
export const ELEMENT_TYPES: Record<
  ElementType,
  {
    readonly bytes: number;
    readonly kind: 'f' | 'i' | 'u';
    readonly over: (buffer: SharedArrayBuffer) => ContainerArray;
  }
> = {
  f64: { bytes: 8, kind: 'f', over: (b) => new Float64Array(b) },
  f32: { bytes: 4, kind: 'f', over: (b) => new Float32Array(b) },
  i32: { bytes: 4, kind: 'i', over: (b) => new Int32Array(b) },
  u8: { bytes: 1, kind: 'u', over: (b) => new Uint8Array(b) },
};

/** The type of an array's elements; undefined where no section can hold them. */
export const typeOf = (array: ContainerArray): ElementType | undefined =>
  array instanceof Float64Array
    ? 'f64'
    : array instanceof Float32Array
      ? 'f32'
      : array instanceof Int32Array
        ? 'i32'
        : array instanceof Uint8Array
          ? 'u8'
          : undefined;

/** An array as the header lists it. */
export interface ListedArray {
  readonly name: string;
  readonly type: ElementType;
  /** Elements. */
  readonly length: number;
  /** CRC-32 of its member's bytes. */
  readonly crc32: number;
}
/** Where one array stands in a file. */
export interface Section extends ListedArray {
  /** Where its elements begin, in bytes from the file's beginning. */
  readonly offset: number;
  /** CRC-32 of what its checksum covers before the elements. */
  readonly before: number;
}
/** What a container holds, its arrays unread. */
export interface Directory {
  /** Whatever the writer put there. */
  readonly header: JsonObject;
  readonly sections: readonly Section[];
}

/** Bytes of a section's elements. */
export const sectionBytes = (section: Pick<Section, 'type' | 'length'>): number =>
  section.length * ELEMENT_TYPES[section.type].bytes;

/** A checksum in eight digits. */
export const checksumText = (crc: number): string => crc.toString(16).padStart(8, '0');

/** What is said of a container whose part `section` is not as it was written. */
export const damagedContainer = (
  path: string,
  section: string,
  what: string,
  data: Record<string, unknown> = {},
): FileFormatError =>
  new FileFormatError(`${path}: ${section}: ${what}. The file is damaged: fetch it again, or write it anew.`, {
    path,
    section,
    ...data,
  });

/** What is said of a file of a version that this library does not know. */
export const newerContainer = (path: string, version: unknown): FileFormatError =>
  new FileFormatError(
    `${path}: format version ${excerptOf(version)}; this library reads up to ${CONTAINER_VERSION}. Update hmatrix, ` +
      'or write the file again with this version.',
    { path, version, supported: CONTAINER_VERSION },
  );

/** The header's member; its length does not depend on the checksums. */
export function encodeHeader(header: JsonObject, arrays: readonly ListedArray[]): Uint8Array {
  const listed = arrays.map((array) => ({ ...array, crc32: checksumText(array.crc32) }));
  return new TextEncoder().encode(
    JSON.stringify({ format: FORMAT, version: CONTAINER_VERSION, header, arrays: listed }),
  );
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whatever JSON the bytes are. Throws FileFormatError. */
export function parseJson(json: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (error) {
    throw damagedContainer(path, 'header', `not JSON (${(error as Error).message})`);
  }
}

/** Reads and checks the header's member: every array named once, of a known type. Throws FileFormatError. */
export function parseHeaderMember(
  json: Uint8Array,
  path: string,
): { readonly header: JsonObject; readonly arrays: readonly ListedArray[] } {
  const value = parseJson(json, path);
  if (!isObject(value) || value['format'] !== FORMAT)
    throw damagedContainer(path, 'header', `its format is not "${FORMAT}"`);
  if (value['version'] !== CONTAINER_VERSION) throw newerContainer(path, value['version']);
  const { header, arrays } = value;
  if (!isObject(header) || !Array.isArray(arrays))
    throw damagedContainer(path, 'header', 'it must hold an object "header" and a list "arrays"');
  const names = new Set<string>();
  return {
    header,
    arrays: arrays.map((array: unknown) => {
      const { name, type, length, crc32: sum } = isObject(array) ? array : {};
      if (
        typeof name !== 'string' ||
        names.has(name) ||
        typeof type !== 'string' ||
        !Object.hasOwn(ELEMENT_TYPES, type) ||
        !Number.isSafeInteger(length) ||
        (length as number) < 0 ||
        typeof sum !== 'string' ||
        !/^[0-9a-f]{8}$/.test(sum)
      )
        throw damagedContainer(path, 'header', `an array is not described as it must be: ${excerptOf(array)}`);
      names.add(name);
      return { name, type: type as ElementType, length: length as number, crc32: Number.parseInt(sum, 16) };
    }),
  };
}
