/**
 * CRC-32 (ISO-HDLC, the one of gzip and PNG: reflected polynomial 0xEDB88320).
 * Node has it natively since 20.15; on an older one the tables below do the same, eight bytes at a time
 * (M. Kounavis, F. Berry, "Novel table lookup-based algorithms for high-performance CRC generation", IEEE Trans.
 * Computers 57(11), 2008).
 */
import * as zlib from 'node:zlib';

/** tables[256·k + b]: the remainder of byte b followed by k zero bytes. */
let tables: Uint32Array | undefined;

function buildTables(): Uint32Array {
  const t = new Uint32Array(8 * 256);
  for (let b = 0; b < 256; b++) {
    let c = b;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    t[b] = c >>> 0;
  }
  for (let i = 256; i < t.length; i++) t[i] = (t[i - 256] >>> 8) ^ t[t[i - 256] & 255];
  return t;
}

/** The checksum by tables alone; continues from `seed`, the checksum of what came before. */
export function crc32ByTables(bytes: Uint8Array, seed = 0): number {
  tables ??= buildTables();
  const t = tables;
  let c = ~seed;
  const whole = bytes.length - (bytes.length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c =
      t[1792 + (c & 255)] ^
      t[1536 + ((c >>> 8) & 255)] ^
      t[1280 + ((c >>> 16) & 255)] ^
      t[1024 + (c >>> 24)] ^
      t[768 + bytes[i + 4]] ^
      t[512 + bytes[i + 5]] ^
      t[256 + bytes[i + 6]] ^
      t[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ t[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}

const native = (zlib as { crc32?: ((data: Uint8Array, seed?: number) => number) | undefined }).crc32;

/** The checksum of `bytes`, continuing from `seed`, the checksum of what came before. */
export const crc32: (bytes: Uint8Array, seed?: number) => number = native ?? crc32ByTables;
