/**
 * Writing zip archives of stored members.
 * Source: PKWARE, "APPNOTE.TXT – .ZIP File Format Specification" 6.3, §4.3 (records), §4.5.3 (ZIP64). Every size stands
 * in a ZIP64 record, whether it needs one or not: one form, for archives of any size. Each member's bytes begin at a
 * multiple of 64, by zeros in an extra field (0xd935, that of Android's zipalign), so that arrays can be mapped. Equal
 * members make equal archives: all bear the earliest date that the format knows.
 */
import { OptionError } from '../core/errors.js';
import { quoted } from '../core/kind.js';
import { isWellFormed } from './array-path.js';
import type { OutputFile } from './atomic-write.js';
import { crc32 } from './crc32.js';
import {
  DIRECTORY_ENTRY_BYTES,
  END64_BYTES,
  END64_LOCATOR_BYTES,
  END64_LOCATOR_SIGNATURE,
  END64_SIGNATURE,
  END_BYTES,
  END_SIGNATURE,
  ENTRY_SIGNATURE,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
} from './zip-records.js';

/** The bytes of members begin at multiples of so many. */
export const MEMBER_ALIGNMENT = 64;

const ZIP64_EXTRA = 1;
const ALIGNMENT_EXTRA = 0xd935;
/** Version 4.5 of the format, the first with ZIP64. */
const VERSION = 45;
const NAMES_IN_UTF8 = 0x800;
/** 1980-01-01. */
const DATE = 0x21;
const WIDE = 0xffffffff;
const MOST_NAME_BYTES = 0xffff;
/** Where a local header's checksum stands. */
const CRC_AT = 14;

const NOTHING = new Uint8Array(0);

/** Bytes that come piece by piece. */
export interface Pieces {
  /** Of all pieces together. */
  readonly byteLength: number;
  readonly pieces: Iterable<ArrayBufferView>;
}

/** A member that stands in the archive. */
interface Written {
  readonly name: Uint8Array;
  readonly offset: number;
  readonly begin: number;
  readonly bytes: number;
  crc32: number;
}

/** A record of little-endian fields. */
class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  short(...values: readonly number[]): this {
    for (const value of values) {
      this.#view.setUint16(this.#at, value, true);
      this.#at += 2;
    }
    return this;
  }

  word(...values: readonly number[]): this {
    for (const value of values) {
      this.#view.setUint32(this.#at, value, true);
      this.#at += 4;
    }
    return this;
  }

  wide(...values: readonly number[]): this {
    for (const value of values) {
      this.#view.setBigUint64(this.#at, BigInt(value), true);
      this.#at += 8;
    }
    return this;
  }
}

/** Throws OptionError where no array of the file can be called so: its member's name is `name` and `suffix`. */
export function requireMemberName(name: string, suffix: string, file = 'an archive'): void {
  const bytes = new TextEncoder().encode(name + suffix).length;
  if (name === '' || bytes > MOST_NAME_BYTES || name.includes('\0') || !isWellFormed(name))
    throw new OptionError(
      `${quoted(name)} cannot be the name of an array in ${file}: text of 1 to 65,531 bytes without zeros is needed.`,
      { name },
    );
}

/** An archive that is written to a file, member after member. */
export class ZipWriter {
  readonly #file: OutputFile;
  readonly #members: Written[] = [];

  constructor(file: OutputFile) {
    this.#file = file;
  }

  /**
   * Adds a member: `before`, then the bytes of `content`, every chunk of which `each` sees while it is written. Returns
   * its number and its checksum.
   */
  async add(
    name: string,
    content: ArrayBufferView | Pieces,
    before: Uint8Array = NOTHING,
    each?: (chunk: Uint8Array) => void,
  ): Promise<{ readonly member: number; readonly crc32: number }> {
    const file = this.#file;
    const encoded = new TextEncoder().encode(name);
    const bytes = before.length + content.byteLength;
    const offset = file.position;
    const wide = new Fields(20).short(ZIP64_EXTRA, 16).wide(bytes, bytes).bytes;
    const headed = offset + LOCAL_BYTES + encoded.length + wide.length + 6;
    const gap = (MEMBER_ALIGNMENT - (headed % MEMBER_ALIGNMENT)) % MEMBER_ALIGNMENT;
    const padding = new Fields(6 + gap).short(ALIGNMENT_EXTRA, 2 + gap, MEMBER_ALIGNMENT).bytes;
    const local = new Fields(LOCAL_BYTES)
      .word(LOCAL_SIGNATURE)
      .short(VERSION, NAMES_IN_UTF8, 0, 0, DATE)
      .word(0, WIDE, WIDE)
      .short(encoded.length, wide.length + padding.length);
    for (const part of [local.bytes, encoded, wide, padding]) await file.append(part);
    const begin = file.position;
    await file.append(before);
    let crc = crc32(before);
    for (const piece of 'pieces' in content ? content.pieces : [content])
      await file.append(piece, (chunk) => {
        crc = crc32(chunk, crc);
        each?.(chunk);
      });
    const member = this.#members.push({ name: encoded, offset, begin, bytes, crc32: 0 }) - 1;
    await this.#putChecksum(member, crc);
    return { member, crc32: crc };
  }

  /** Puts other bytes, as many, in place of a member's. */
  async replace(member: number, bytes: Uint8Array): Promise<void> {
    await this.#file.writeAt(bytes, this.#members[member].begin);
    await this.#putChecksum(member, crc32(bytes));
  }

  /** Writes the directory: afterwards nothing can be added. */
  async finish(): Promise<void> {
    const file = this.#file;
    const start = file.position;
    for (const { name, offset, bytes, crc32: sum } of this.#members) {
      const wide = new Fields(28).short(ZIP64_EXTRA, 24).wide(bytes, bytes, offset).bytes;
      const entry = new Fields(DIRECTORY_ENTRY_BYTES)
        .word(ENTRY_SIGNATURE)
        .short(VERSION, VERSION, NAMES_IN_UTF8, 0, 0, DATE)
        .word(sum, WIDE, WIDE)
        .short(name.length, wide.length, 0, 0, 0)
        .word(0, WIDE);
      for (const part of [entry.bytes, name, wide]) await file.append(part);
    }
    const end = file.position;
    const count = this.#members.length;
    const ending = new Fields(END64_BYTES + END64_LOCATOR_BYTES + END_BYTES)
      .word(END64_SIGNATURE)
      .wide(END64_BYTES - 12)
      .short(VERSION, VERSION)
      .word(0, 0)
      .wide(count, count, end - start, start)
      .word(END64_LOCATOR_SIGNATURE, 0)
      .wide(end)
      .word(1)
      .word(END_SIGNATURE)
      .short(0, 0, 0xffff, 0xffff)
      .word(WIDE, WIDE)
      .short(0);
    await file.append(ending.bytes);
  }

  async #putChecksum(member: number, crc: number): Promise<void> {
    const written = this.#members[member];
    written.crc32 = crc;
    await this.#file.writeAt(new Fields(4).word(crc).bytes, written.offset + CRC_AT);
  }
}
