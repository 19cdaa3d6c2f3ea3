/**
 * The bytes of a member of a zip archive, checked by length and checksum as they are read, never all in memory.
 * Source: zip-directory.ts; RFC 1951 (deflate).
 */
import { createInflateRaw, type InflateRaw } from 'node:zlib';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError, HmatrixError } from '../core/errors.js';
import { requireBytes } from '../core/shared-array.js';
import type { ByteSource } from './byte-source.js';
import { crc32 } from './crc32.js';
import { CHUNK_BYTES, endsTooSoon, FilePart, type InputFile } from './input-file.js';
import { availableMemory } from './machine.js';
import { damagedArchive, type ZipEntry } from './zip-directory.js';

/** Bytes that are unpacked, and bytes that are packed, at a time. */
const STEP_BYTES = 1024 * 1024;
/** Packed bytes at a time where the beginning alone is wanted. */
const START_STEP_BYTES = 16 * 1024;

/** A member that can be read, and then be done with. */
interface Member extends ByteSource {
  /** Throws FileFormatError unless all of the member is what the directory says. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

const memberPath = (file: InputFile, { name }: ZipEntry): string => `${file.path}: member "${name}"`;

const inHex = (sum: number): string => sum.toString(16).padStart(8, '0');

function requireChecksum(file: InputFile, entry: ZipEntry, found: number): void {
  if (found === entry.crc32) return;
  const what = `its CRC-32 is ${inHex(found)}, ${inHex(entry.crc32)} is expected`;
  throw damagedArchive(memberPath(file, entry), what, { path: file.path, member: entry.name });
}

/** A member that stands in the archive as it is. */
class StoredMember implements Member {
  readonly path: string;
  readonly size: number;
  readonly #file: InputFile;
  readonly #entry: ZipEntry;
  readonly #part: FilePart;
  readonly #control: RunControl;
  /** Bytes from the beginning on that were looked at, and their checksum. */
  #seen = 0;
  #crc = 0;

  constructor(file: InputFile, entry: ZipEntry, part: FilePart, control: RunControl) {
    this.path = part.path;
    this.size = part.size;
    this.#file = file;
    this.#entry = entry;
    this.#part = part;
    this.#control = control;
  }

  async read(
    target: Uint8Array,
    position: number,
    control: RunControl,
    each?: (chunk: Uint8Array) => void,
  ): Promise<void> {
    // A header is skipped over, for it was read before; what is far away is looked at in the end.
    if (position > this.#seen && position - this.#seen <= STEP_BYTES) await this.#look(position);
    const next = position === this.#seen;
    await this.#part.read(target, position, control, (chunk) => {
      if (next) this.#see(chunk);
      each?.(chunk);
    });
  }

  head(count: number, position?: number): Promise<Uint8Array> {
    return this.#part.head(count, position);
  }

  async finish(): Promise<void> {
    await this.#look(this.size);
    requireChecksum(this.#file, this.#entry, this.#crc);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #see(chunk: Uint8Array): void {
    this.#crc = crc32(chunk, this.#crc);
    this.#seen += chunk.length;
  }

  async #look(end: number): Promise<void> {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - this.#seen));
    while (this.#seen < end) {
      const part = chunk.subarray(0, Math.min(chunk.length, end - this.#seen));
      await this.#part.read(part, this.#seen, this.#control);
      this.#see(part);
    }
  }
}

/** Hands the packed bytes over; what fails ends the unpacking. */
async function feed(
  inflate: InflateRaw,
  file: InputFile,
  { begin, compressedBytes }: ZipEntry,
  step: number,
): Promise<void> {
  try {
    for (let at = 0; at < compressedBytes && !inflate.destroyed; at += step) {
      const packed = await file.head(Math.min(step, compressedBytes - at), begin + at);
      await new Promise<void>((done) => {
        inflate.write(packed, () => {
          done();
        });
      });
    }
    if (!inflate.destroyed) inflate.end();
  } catch (error) {
    inflate.destroy(error as Error);
  }
}

/** What a deflated member unpacks to, chunk by chunk; after the last one length and checksum are right. */
async function* unpacked(
  file: InputFile,
  entry: ZipEntry,
  step: number,
  control: RunControl,
): AsyncGenerator<Uint8Array, void> {
  const { name, bytes: size } = entry;
  const path = memberPath(file, entry);
  const facts = { path: file.path, member: name };
  const inflate = createInflateRaw({ chunkSize: Math.max(64, Math.min(STEP_BYTES, size)) });
  void feed(inflate, file, entry, step);
  let length = 0;
  let crc = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Uint8Array>) {
      throwIfAborted(control.signal);
      length += chunk.length;
      if (length > size) throw damagedArchive(path, `it unpacks to more than the ${size} bytes announced`, facts);
      crc = crc32(chunk, crc);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof HmatrixError || !String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    throw damagedArchive(path, `its deflate stream is wrong (${(error as Error).message})`, facts);
  } finally {
    inflate.destroy();
  }
  if (length !== size) throw damagedArchive(path, `it unpacks to ${length} bytes, ${size} were announced`, facts);
  requireChecksum(file, entry, crc);
}

/** A member that is unpacked while it is read: in its order, or else from its beginning again. */
class DeflatedMember implements Member {
  readonly path: string;
  readonly size: number;
  readonly inOrder = true;
  readonly #file: InputFile;
  readonly #entry: ZipEntry;
  readonly #control: RunControl;
  #flow: AsyncGenerator<Uint8Array, void> | undefined;
  /** Of the chunk that came last what was not taken yet. */
  #rest: Uint8Array = new Uint8Array(0);
  #position = 0;

  constructor(file: InputFile, entry: ZipEntry, control: RunControl) {
    this.path = memberPath(file, entry);
    this.size = entry.bytes;
    this.#file = file;
    this.#entry = entry;
    this.#control = control;
  }

  async read(target: Uint8Array, position: number, _: RunControl, each?: (chunk: Uint8Array) => void): Promise<void> {
    const missing = position + target.length - this.size;
    if (missing > 0) throw endsTooSoon(this.path, this.size, missing);
    if (position < this.#position) await this.close();
    while (this.#position < position) await this.#take(position - this.#position);
    for (let done = 0; done < target.length;) {
      const chunk = await this.#take(target.length - done);
      target.set(chunk, done);
      done += chunk.length;
      each?.(chunk);
    }
  }

  async head(count: number, position = 0): Promise<Uint8Array> {
    const start = new Uint8Array(Math.max(0, Math.min(count, this.size - position)));
    const end = position + start.length;
    let at = 0;
    for await (const chunk of unpacked(this.#file, this.#entry, START_STEP_BYTES, this.#control)) {
      const from = Math.max(0, position - at);
      if (from < chunk.length) start.set(chunk.subarray(from, end - at), at + from - position);
      at += chunk.length;
      if (at >= end) break;
    }
    return start;
  }

  async finish(): Promise<void> {
    for (;;) if ((await this.#next()) === undefined) return;
  }

  async close(): Promise<void> {
    await this.#flow?.return();
    this.#flow = undefined;
    this.#rest = this.#rest.subarray(0, 0);
    this.#position = 0;
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.#flow ??= unpacked(this.#file, this.#entry, STEP_BYTES, this.#control);
    const { value, done } = await this.#flow.next();
    return done === true ? undefined : (value as Uint8Array);
  }

  /** The next bytes, at most so many. */
  async #take(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const chunk = await this.#next();
      if (chunk === undefined) throw endsTooSoon(this.path, this.#position, most);
      this.#rest = chunk;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }
}

/** Throws FileFormatError for a way of compression that is not known. */
function requireMethod(file: InputFile, entry: ZipEntry): void {
  const { method, name } = entry;
  if (method === 0 || method === 8) return;
  throw new FileFormatError(
    `${memberPath(file, entry)} is compressed by method ${method}; stored (0) and deflated (8) members can be read. ` +
      'Write it anew, as numpy.savez or savez_compressed do.',
    { path: file.path, member: name, method },
  );
}

async function withMember<T>(
  file: InputFile,
  entry: ZipEntry,
  control: RunControl,
  use: (member: Member) => Promise<T>,
): Promise<T> {
  requireMethod(file, entry);
  const member =
    entry.method === 0
      ? new StoredMember(
          file,
          entry,
          await FilePart.open(memberPath(file, entry), file, entry.begin, entry.bytes),
          control,
        )
      : new DeflatedMember(file, entry, control);
  try {
    return await use(member);
  } finally {
    await member.close();
  }
}

/**
 * Passes a member's bytes to `use`; what that makes of them is returned when their length and checksum are those of the
 * directory. Throws FileFormatError naming the member, FileAccessError, AbortedError, and what `use` throws.
 */
export async function withZipMember<T>(
  file: InputFile,
  entry: ZipEntry,
  control: RunControl,
  use: (member: ByteSource) => Promise<T>,
): Promise<T> {
  return withMember(file, entry, control, async (member) => {
    const result = await use(member);
    await member.finish();
    return result;
  });
}

/**
 * Passes a member's bytes to `use`, which looks at their beginning alone: nothing is checked. Throws as withZipMember.
 */
export const withZipMemberStart = <T>(
  file: InputFile,
  entry: ZipEntry,
  control: RunControl,
  use: (member: ByteSource) => Promise<T>,
): Promise<T> => withMember(file, entry, control, use);

/** All that a member unpacks to. Throws as withZipMember, and MemoryError. */
export async function readZipEntry(file: InputFile, entry: ZipEntry, control: RunControl): Promise<Uint8Array> {
  return withZipMember(file, entry, control, async (member) => {
    requireBytes(member.size, availableMemory(), member.path);
    const bytes = new Uint8Array(member.size);
    await member.read(bytes, 0, control);
    return bytes;
  });
}
