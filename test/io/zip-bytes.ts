/** ZIP archives laid out by hand. */
import { deflateRawSync } from 'node:zlib';
import { crc32 } from '#hmatrix/io/crc32.js';

/**
 * `announced`: the method that both headers name. `own`: what the member's own header says in place of what the
 * directory says. `follow`: sizes stand behind the bytes, with a signature or without.
 */
export interface Member {
  name: string;
  bytes: Uint8Array;
  method?: number;
  announced?: number;
  flags?: number;
  crc?: number;
  size?: number;
  packedSize?: number;
  offset?: number;
  own?: { name?: string; method?: number; flags?: number; crc?: number; size?: number; packedSize?: number };
  follow?: { signed: boolean; wide: boolean; crc?: number; size?: number };
}

/**
 * An archive laid out by hand; what a member says of itself may be false. With `wide`, sizes stand in ZIP64 records.
 */
export function zipBytes(members: Member[], { wide = false, count = members.length, comment = '' } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const {
    name,
    bytes,
    method = 0,
    announced = method,
    crc = crc32(bytes),
    size = bytes.length,
    offset = at,
    own = {},
    follow,
    ...said
  } of members) {
    const packed = method === 8 ? deflateRawSync(bytes) : bytes;
    const { packedSize = packed.length, flags = follow === undefined ? 0 : 8 } = said;
    const ownName = own.name ?? name;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(own.flags ?? flags, 6);
    local.writeUInt16LE(own.method ?? announced, 8);
    local.writeUInt32LE(own.crc ?? (follow === undefined ? crc : 0), 14);
    local.writeUInt32LE(wide ? 0xffffffff : (own.packedSize ?? (follow === undefined ? packedSize : 0)), 18);
    local.writeUInt32LE(wide ? 0xffffffff : (own.size ?? (follow === undefined ? size : 0)), 22);
    local.writeUInt16LE(Buffer.byteLength(ownName), 26);
    const ownExtra = Buffer.alloc(wide ? 20 : 0);
    if (wide) {
      local.writeUInt16LE(ownExtra.length, 28);
      ownExtra.writeUInt16LE(1, 0);
      ownExtra.writeUInt16LE(16, 2);
      [own.size ?? size, own.packedSize ?? packedSize].forEach((n, k) =>
        ownExtra.writeBigUInt64LE(BigInt(n), 4 + 8 * k),
      );
    }
    const behind = Buffer.alloc(follow === undefined ? 0 : (follow.signed ? 4 : 0) + (follow.wide ? 20 : 12));
    if (follow !== undefined) {
      const from = follow.signed ? behind.writeUInt32LE(0x08074b50) : 0;
      behind.writeUInt32LE(follow.crc ?? crc, from);
      [packedSize, follow.size ?? size].forEach((n, k) =>
        follow.wide ? behind.writeBigUInt64LE(BigInt(n), from + 4 + 8 * k) : behind.writeUInt32LE(n, from + 4 + 4 * k),
      );
    }
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(announced, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(wide ? 0xffffffff : packedSize, 20);
    entry.writeUInt32LE(wide ? 0xffffffff : size, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(wide ? 0xffffffff : offset, 42);
    let extra = Buffer.alloc(0);
    if (wide) {
      // Another field first, to be skipped.
      extra = Buffer.alloc(8 + 28);
      extra.writeUInt16LE(0x5455, 0);
      extra.writeUInt16LE(4, 2);
      extra.writeUInt16LE(1, 8);
      extra.writeUInt16LE(24, 10);
      [size, packedSize, offset].forEach((n, k) => extra.writeBigUInt64LE(BigInt(n), 12 + 8 * k));
      entry.writeUInt16LE(extra.length, 30);
    }
    parts.push(local, Buffer.from(ownName), ownExtra, Buffer.from(packed), behind);
    directory.push(entry, Buffer.from(name), extra);
    at += 30 + Buffer.byteLength(ownName) + ownExtra.length + packed.length + behind.length;
  }
  const listing = Buffer.concat(directory);
  const ends: Buffer[] = [];
  if (wide) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50);
    record.writeBigUInt64LE(44n, 4);
    record.writeBigUInt64LE(BigInt(count), 32);
    record.writeBigUInt64LE(BigInt(listing.length), 40);
    record.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(BigInt(at + listing.length), 8);
    ends.push(record, locator);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? 0xffffffff : listing.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, listing, ...ends, end, Buffer.from(comment)]);
}
