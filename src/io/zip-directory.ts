/**
 * The directory at the end of a zip archive, checked. (What its members hold: zip-member.ts.)
 * Source: PKWARE, "APPNOTE.TXT – .ZIP File Format Specification" 6.3, §4.3 (records), §4.5.3 (ZIP64). A member that was
 * damaged in a file must not pass for one that was not. Members are found through the directory, so one may be read
 * without the others; archives in several parts, encrypted members and other ways of compression are refused by name.
 * What the directory says of a member must be what stands before (and, where sizes follow, behind) its bytes: a
 * checksum covers those bytes alone, so that one flipped bit in the directory would make an array another's, or none.
 * Members may not overlap: a few bytes could otherwise unpack any number of times.
 */
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { foreignFile, TELLING_BYTES } from './foreign-file.js';
import type { InputFile } from './input-file.js';
import { hex } from './npy-header.js';
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

/** One member of the archive, as its directory and its local header say alike. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc32: number;
  readonly compressedBytes: number;
  /** Unpacked. */
  readonly bytes: number;
  /** Where its local header begins. */
  readonly offset: number;
  /** Where its bytes begin. */
  readonly begin: number;
}

/** A member as the directory lists it. */
interface Listed extends Omit<ZipEntry, 'begin'> {
  readonly flags: number;
  readonly rawName: Uint8Array;
}

const DESCRIPTOR_SIGNATURE = 0x08074b50;
/**
 * Flags that decide how a member is read: encrypted (0, 6, 13), sizes behind the bytes (3), patch (5), name in UTF-8
 * (11).
 */
const DECISIVE_FLAGS = 0x2869;
const SIZES_FOLLOW = 0x8;
const MOST_COMMENT = 65535;
/** Bytes of extra fields that are read with a member's header; more takes another read. */
const USUAL_EXTRA = 128;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What is thrown of an archive, or of a member whose path this is. */
export const damagedArchive = (path: string, what: string, data: Record<string, unknown> = {}): FileFormatError =>
  new FileFormatError(`${path}: ${what}. The archive is truncated or damaged: fetch it again, or write it anew.`, {
    path,
    ...data,
  });

/** A 64-bit size; one beyond 2⁵³ cannot be true of any file. */
function wide(fields: DataView, at: number, path: string): number {
  const value = fields.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedArchive(path, `it announces a size of ${value} bytes`);
  return Number(value);
}

/** Where the directory stands, and how many members it lists. */
async function locate(file: InputFile): Promise<{ start: number; length: number; count: number }> {
  const { path, size } = file;
  const tail = await file.head(END_BYTES + MOST_COMMENT, Math.max(0, size - END_BYTES - MOST_COMMENT));
  const fields = viewOf(tail);
  let at = tail.length - END_BYTES;
  while (
    at >= 0 &&
    !(fields.getUint32(at, true) === END_SIGNATURE && at + END_BYTES + fields.getUint16(at + 20, true) === tail.length)
  )
    at--;
  if (at < 0) {
    const head = await file.head(TELLING_BYTES);
    if (head.length >= 4 && viewOf(head).getUint32(0, true) === LOCAL_SIGNATURE)
      throw damagedArchive(path, 'it starts as a zip archive does, but its directory is not at its end', { size });
    throw new FileFormatError(
      `${path}: not a zip archive (.npz is one): it starts with ${hex(head.subarray(0, 4))}, not with 50 4b 03 04, ` +
        `and has no directory at its end.${foreignFile(path, head)}`,
      { path },
    );
  }
  const endAt = size - tail.length + at;
  const part = fields.getUint16(at + 4, true);
  let count = fields.getUint16(at + 10, true);
  if (count !== fields.getUint16(at + 8, true))
    throw damagedArchive(path, `it announces ${fields.getUint16(at + 8, true)} members and ${count}`);
  let length = fields.getUint32(at + 12, true);
  let start = fields.getUint32(at + 16, true);
  let directoryEnd = endAt;
  if (count === 0xffff || length === 0xffffffff || start === 0xffffffff) {
    const locator = await file.head(END64_LOCATOR_BYTES, Math.max(0, endAt - END64_LOCATOR_BYTES));
    if (locator.length < END64_LOCATOR_BYTES || viewOf(locator).getUint32(0, true) !== END64_LOCATOR_SIGNATURE)
      throw damagedArchive(path, 'its directory is of the ZIP64 kind, and the record that says where it is is missing');
    directoryEnd = wide(viewOf(locator), 8, path);
    const record = await file.head(END64_BYTES, directoryEnd);
    if (record.length < END64_BYTES || viewOf(record).getUint32(0, true) !== END64_SIGNATURE)
      throw damagedArchive(path, `there is no ZIP64 record at byte ${directoryEnd}, where it should be`);
    count = wide(viewOf(record), 32, path);
    length = wide(viewOf(record), 40, path);
    start = wide(viewOf(record), 48, path);
  } else if (part !== 0) {
    throw new FileFormatError(
      `${path}: the last part of an archive in ${part + 1} parts. Join the parts, or write one archive.`,
      { path, parts: part + 1 },
    );
  }
  if (start + length !== directoryEnd)
    throw damagedArchive(
      path,
      `its directory should span bytes ${start} to ${start + length}, and ends at ${directoryEnd}`,
      {
        start,
        length,
      },
    );
  return { start, length, count };
}

/** The members as the directory lists them, in its order; `start` is where it begins. */
function parseDirectory(bytes: Uint8Array, start: number, count: number, path: string): Listed[] {
  const length = bytes.length;
  const fields = viewOf(bytes);
  const entries: Listed[] = [];
  const names = new Set<string>();
  let at = 0;
  while (at < length) {
    if (at + DIRECTORY_ENTRY_BYTES > length || fields.getUint32(at, true) !== ENTRY_SIGNATURE)
      throw damagedArchive(path, `its directory is not one at byte ${start + at}`);
    const nameLength = fields.getUint16(at + 28, true);
    const extraLength = fields.getUint16(at + 30, true);
    const next = at + DIRECTORY_ENTRY_BYTES + nameLength + extraLength + fields.getUint16(at + 32, true);
    if (next > length) throw damagedArchive(path, `its directory is cut off within member ${entries.length}`);
    const flags = fields.getUint16(at + 8, true);
    const rawName = bytes.subarray(at + DIRECTORY_ENTRY_BYTES, at + DIRECTORY_ENTRY_BYTES + nameLength);
    const name = decodeName(rawName, flags);
    if ((flags & 1) !== 0)
      throw new FileFormatError(`${path}: member "${name}" is encrypted. Unpack the archive, and write it anew.`, {
        path,
        member: name,
      });
    if (names.has(name)) throw damagedArchive(path, `member "${name}" is there twice`, { member: name });
    names.add(name);
    const sizes = [fields.getUint32(at + 24, true), fields.getUint32(at + 20, true), fields.getUint32(at + 42, true)];
    readWideSizes({ fields, from: at + DIRECTORY_ENTRY_BYTES + nameLength, length: extraLength }, sizes, path, name);
    entries.push({
      name,
      rawName,
      flags,
      method: fields.getUint16(at + 10, true),
      crc32: fields.getUint32(at + 16, true),
      bytes: sizes[0],
      compressedBytes: sizes[1],
      offset: sizes[2],
    });
    at = next;
  }
  if (entries.length !== count)
    throw damagedArchive(path, `its directory lists ${entries.length} members, ${count} were announced`);
  return entries;
}

/**
 * Without the flag for UTF-8 a name is in an unnamed code page; its ASCII part, all that arrays are called, reads the
 * same in Latin-1.
 */
const decodeName = (bytes: Uint8Array, flags: number): string =>
  new TextDecoder((flags & 0x800) === 0 ? 'latin1' : 'utf-8').decode(bytes);

/**
 * The members, in the order of the directory, each as its own header has it. Throws FileFormatError (foreign,
 * truncated, damaged), FileAccessError.
 */
export async function readZipDirectory(file: InputFile, control: RunControl = {}): Promise<ZipEntry[]> {
  const { path } = file;
  const { start, length, count } = await locate(file);
  const entries: ZipEntry[] = [];
  const places: { name: string; from: number; to: number }[] = [];
  for (const entry of parseDirectory(await file.head(length, start), start, count, path)) {
    throwIfAborted(control.signal);
    const { begin, end } = await checkLocalHeader(file, entry, start);
    places.push({ name: entry.name, from: entry.offset, to: end });
    const { name, method, crc32: sum, compressedBytes, bytes, offset } = entry;
    entries.push({ name, method, crc32: sum, compressedBytes, bytes, offset, begin });
  }
  places.sort((a, b) => a.from - b.from);
  for (let k = 1; k < places.length; k++) {
    if (places[k].from < places[k - 1].to)
      throw damagedArchive(path, `members "${places[k - 1].name}" and "${places[k].name}" overlap`, {
        member: places[k].name,
      });
  }
  return entries;
}

/**
 * Where the member's bytes begin, and where it ends with what follows them. Throws FileFormatError where its own
 * header, or what follows its bytes, says something else than the directory does.
 */
async function checkLocalHeader(
  file: InputFile,
  entry: Listed,
  limit: number,
): Promise<{ begin: number; end: number }> {
  const { name, flags, method, crc32: sum, compressedBytes, bytes, offset, rawName } = entry;
  const path = `${file.path}: member "${name}"`;
  const facts = { path: file.path, member: name };
  const found = await file.head(LOCAL_BYTES + rawName.length + USUAL_EXTRA, offset);
  const head = found.subarray(0, LOCAL_BYTES);
  if (head.length < LOCAL_BYTES || viewOf(head).getUint32(0, true) !== LOCAL_SIGNATURE)
    throw damagedArchive(path, `its header is not at byte ${offset}, where it should be`, facts);
  const fields = viewOf(head);
  const nameLength = fields.getUint16(26, true);
  const extraLength = fields.getUint16(28, true);
  const begin = offset + LOCAL_BYTES + nameLength + extraLength;
  if (begin + compressedBytes > limit)
    throw damagedArchive(path, `its ${compressedBytes} bytes reach beyond the archive's members`, facts);
  const nameAndExtra =
    begin - offset <= found.length
      ? found.subarray(LOCAL_BYTES, begin - offset)
      : await file.head(nameLength + extraLength, offset + LOCAL_BYTES);
  const own = nameAndExtra.subarray(0, nameLength);
  if (own.length !== rawName.length || !own.every((byte, k) => byte === rawName[k])) {
    throw damagedArchive(path, `its own header calls it "${decodeName(own, fields.getUint16(6, true))}"`, facts);
  }
  const differ = (what: string, here: number, listed: number): never => {
    throw damagedArchive(path, `its own header has ${what} ${here}, the directory has ${listed}`, facts);
  };
  const ownFlags = fields.getUint16(6, true);
  if (((ownFlags ^ flags) & DECISIVE_FLAGS) !== 0) differ('flags', ownFlags, flags);
  if (fields.getUint16(8, true) !== method) differ('method', fields.getUint16(8, true), method);
  const ownSum = fields.getUint32(14, true);
  const sizes = [fields.getUint32(22, true), fields.getUint32(18, true)];
  readWideSizes({ fields: viewOf(nameAndExtra), from: nameLength, length: extraLength }, sizes, path, name);
  // Where sizes and checksum follow the bytes, zeros may stand here for them.
  const follow = (flags & SIZES_FOLLOW) !== 0;
  const agrees = (here: number, listed: number): boolean => here === listed || (follow && here === 0);
  if (!agrees(ownSum, sum)) differ('CRC-32', ownSum, sum);
  if (!agrees(sizes[1], compressedBytes)) differ('a packed size of', sizes[1], compressedBytes);
  if (!agrees(sizes[0], bytes)) differ('a size of', sizes[0], bytes);
  // Deflate cannot shrink by more than 1032 : 1.
  if ((method === 0 && bytes !== compressedBytes) || (method === 8 && bytes > 1032 * compressedBytes))
    throw damagedArchive(path, `${compressedBytes} bytes cannot unpack to the ${bytes} that are announced`, facts);
  return {
    begin,
    end: follow ? await checkDescriptor(file, entry, begin + compressedBytes, limit) : begin + compressedBytes,
  };
}

/**
 * Where what follows the bytes ends: checksum and sizes, with a signature or without, the sizes of 32 or 64 bits. They
 * must be the directory's.
 */
async function checkDescriptor(
  file: InputFile,
  { name, crc32: sum, compressedBytes, bytes }: Listed,
  at: number,
  limit: number,
): Promise<number> {
  const found = await file.head(Math.min(24, limit - at), at);
  const fields = viewOf(found);
  for (const signed of [true, false]) {
    for (const wideSizes of [false, true]) {
      const from = signed ? 4 : 0;
      const length = from + (wideSizes ? 20 : 12);
      if (
        length > found.length ||
        (signed && fields.getUint32(0, true) !== DESCRIPTOR_SIGNATURE) ||
        fields.getUint32(from, true) !== sum
      )
        continue;
      const sizes = wideSizes
        ? [fields.getBigUint64(from + 4, true), fields.getBigUint64(from + 12, true)]
        : [fields.getUint32(from + 4, true), fields.getUint32(from + 8, true)];
      if (Number(sizes[0]) === compressedBytes && Number(sizes[1]) === bytes) return at + length;
    }
  }
  throw damagedArchive(
    `${file.path}: member "${name}"`,
    'the checksum and sizes that follow its bytes are not those of the directory',
    { path: file.path, member: name },
  );
}

/**
 * Those of (size, compressed size, offset) that are 2³² − 1 stand in the extra field 0x0001, 64 bits each, in this
 * order; `sizes` holds the first of them or all.
 */
function readWideSizes(
  { fields, from, length }: { readonly fields: DataView; readonly from: number; readonly length: number },
  sizes: number[],
  path: string,
  name: string,
): void {
  if (!sizes.includes(0xffffffff)) return;
  for (let at = from; at + 4 <= from + length;) {
    const end = at + 4 + fields.getUint16(at + 2, true);
    if (fields.getUint16(at, true) === 1 && end <= from + length) {
      let p = at + 4;
      for (let k = 0; k < sizes.length; k++) {
        if (sizes[k] !== 0xffffffff) continue;
        if (p + 8 > end) throw damagedArchive(path, `the sizes of member "${name}" are cut off`, { member: name });
        sizes[k] = wide(fields, p, path);
        p += 8;
      }
      return;
    }
    at = end;
  }
}
