/**
 * The order in which a number's bytes stand.
 */
import { endianness } from 'node:os';

/** This machine keeps the lowest byte first. */
export const HOST_IS_LITTLE_ENDIAN = endianness() === 'LE';

/** Turns the bytes of every element of `itemBytes` (1, 2, 4, 8) round, in place. */
export function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  const buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  if (itemBytes === 2) buffer.swap16();
  else if (itemBytes === 4) buffer.swap32();
  else if (itemBytes === 8) buffer.swap64();
}
