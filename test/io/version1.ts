/** Files of version 1, as hmatrix 0.1 wrote them, laid out by hand. */
import type { ContainerArray, JsonObject } from '#hmatrix/io/container.js';
import { crc32 } from '#hmatrix/io/crc32.js';

const align = (at: number): number => 64 * Math.ceil(at / 64);

/** The preamble and the JSON part, and zeros up to `total`. */
export function version1Directory(directory: unknown, total: number): Buffer {
  const json = Buffer.from(typeof directory === 'string' ? directory : JSON.stringify(directory));
  const bytes = Buffer.alloc(Math.max(total, 64 + json.length));
  bytes.set([0x89, 0x48, 0x4d, 0x58, 0x0d, 0x0a, 0x1a, 0x0a]);
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt32LE(json.length, 12);
  bytes.writeUInt32LE(crc32(json), 16);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  bytes.set(json, 64);
  return bytes;
}

const typeOf = (array: ContainerArray): string =>
  array instanceof Float64Array
    ? 'f64'
    : array instanceof Float32Array
      ? 'f32'
      : array instanceof Int32Array
        ? 'i32'
        : 'u8';

/** A whole file. */
export function version1Bytes(header: JsonObject, arrays: Readonly<Record<string, ContainerArray>>): Buffer {
  for (let room = 0; ; room += 64) {
    let end = 64 + room;
    const sections = Object.entries(arrays).map(([name, array]) => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      const offset = align(end);
      end = offset + bytes.length;
      const sum = crc32(bytes).toString(16).padStart(8, '0');
      return { name, type: typeOf(array), length: array.length, offset, crc32: sum };
    });
    const directory = { header, sections };
    const length = Buffer.byteLength(JSON.stringify(directory));
    // Offsets are written with digits of their own: until the text fits where they leave room for it.
    if (length > room || align(64 + length) !== align(64 + room)) continue;
    const file = version1Directory(directory, end);
    sections.forEach(({ name, offset }) => {
      const { buffer, byteOffset, byteLength } = arrays[name];
      file.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    });
    return file;
  }
}
