/**
 * A file open for reading at positions, in chunks.
 * Chunks bound what one system call moves (which also has a limit of 2³¹ − 1 bytes), let the event loop and an
 * AbortSignal through, and let the target be shared memory of any size: nothing is read twice or copied.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileAccessError, FileFormatError, OptionError } from '../core/errors.js';
import { allocateShared, requireBytes } from '../core/shared-array.js';
import type { ByteSource } from './byte-source.js';
import { availableMemory } from './machine.js';

/** Bytes moved by one read or write. */
export const CHUNK_BYTES = 8 * 1024 * 1024;

/** Throws OptionError where `path` is no text, FileAccessError where it holds what no path can. */
export function requirePath(path: string): void {
  const given: unknown = path;
  if (typeof given !== 'string' || given === '')
    throw new OptionError(
      `A path must be a text such as 'points.npy', not ` +
        `${given === '' ? 'an empty one' : given === null ? 'null' : `a value of type ${typeof given}`}.`,
      { path },
    );
  if (path.includes('\0'))
    throw new FileAccessError(`No file can be called ${JSON.stringify(path)}: a path holds no NUL character.`, {
      path,
      systemCode: 'EINVAL',
    });
}

/** What a file's failing system call means, as a typed error; anything else as it is. */
export function accessError(error: unknown, action: string, path: string): unknown {
  const { code, syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === undefined || syscall === undefined) return error;
  const why: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'operation not permitted',
    EISDIR: 'it is a folder',
    ENOSPC: 'no space left on the device',
    EROFS: 'the file system is read-only',
    ENOTDIR: 'part of the path is not a folder',
    EMFILE: 'too many open files',
    ENAMETOOLONG: 'the name is longer than the file system allows',
  };
  return new FileAccessError(`Cannot ${action} ${path}: ${why[code] ?? (error as Error).message} (${code}).`, {
    path,
    systemCode: code,
  });
}

/**
 * Shared memory for what is read. Throws MemoryError, before anything is allocated, where it is more than is available.
 */
export function sharedBuffer(bytes: number, what: string): SharedArrayBuffer {
  requireBytes(bytes, availableMemory(), what);
  return allocateShared(bytes, what);
}

/** The bytes a typed array lies on. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** What is thrown where bytes end before those that are wanted. */
export const endsTooSoon = (path: string, position: number, missing: number): FileFormatError =>
  new FileFormatError(
    `${path}: ended at byte ${position}; ${missing} more were expected. The file is truncated: write or fetch it ` +
      'again.',
    { path, position, missing },
  );

/** What `moving` resolves to; `each` sees a chunk meanwhile, and where it throws, that is thrown when it is settled. */
export async function meanwhile<T>(
  moving: Promise<T>,
  chunk: Uint8Array,
  each: ((chunk: Uint8Array) => void) | undefined,
): Promise<T> {
  try {
    if (chunk.length > 0) each?.(chunk);
  } catch (error) {
    await moving.catch(() => undefined);
    throw error;
  }
  return moving;
}

/** An open file of known size. */
export class InputFile implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /**
   * Fills `target` from `position` on, chunk by chunk; `each` sees every chunk, in order, while the next one is read.
   */
  async read(
    target: Uint8Array,
    position: number,
    control: RunControl,
    each?: (chunk: Uint8Array) => void,
  ): Promise<void> {
    let arrived = target.subarray(0, 0);
    for (let done = 0; done < target.length;) {
      throwIfAborted(control.signal);
      const wanted = Math.min(CHUNK_BYTES, target.length - done);
      const reading = this.#handle.read(target, done, wanted, position + done).catch((error: unknown) => {
        throw accessError(error, 'read', this.path);
      });
      const { bytesRead } = await meanwhile(reading, arrived, each);
      if (bytesRead === 0) throw endsTooSoon(this.path, position + done, target.length - done);
      arrived = target.subarray(done, done + bytesRead);
      done += bytesRead;
    }
    if (arrived.length > 0) each?.(arrived);
  }

  /** At most `count` bytes from `position` on: fewer where the file ends. */
  async head(count: number, position = 0): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(count, this.size - position)));
    await this.read(bytes, position, {});
    return bytes;
  }

  /** The whole file as a stream of byte chunks; the handle stays open. */
  stream(): Readable {
    return this.#handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024 });
  }
}

/** Bytes of a part that are read when it is opened: enough for the header of most arrays. */
const START_BYTES = 256;

/** Some of another source's bytes: a member of an archive that stands there as it is. */
export class FilePart implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #whole: ByteSource;
  readonly #begin: number;
  readonly #start: Uint8Array;

  private constructor(path: string, whole: ByteSource, begin: number, start: Uint8Array, size: number) {
    this.path = path;
    this.size = size;
    this.#whole = whole;
    this.#begin = begin;
    this.#start = start;
  }

  /** The `size` bytes of `whole` from `begin` on. */
  static async open(path: string, whole: ByteSource, begin: number, size: number): Promise<FilePart> {
    return new FilePart(path, whole, begin, await whole.head(Math.min(size, START_BYTES), begin), size);
  }

  async read(
    target: Uint8Array,
    position: number,
    control: RunControl,
    each?: (chunk: Uint8Array) => void,
  ): Promise<void> {
    if (position + target.length > this.size)
      throw endsTooSoon(this.path, this.size, position + target.length - this.size);
    await this.#whole.read(target, this.#begin + position, control, each);
  }

  head(count: number, position = 0): Promise<Uint8Array> {
    const end = Math.min(position + count, this.size);
    return end <= this.#start.length
      ? Promise.resolve(this.#start.slice(position, Math.max(position, end)))
      : this.#whole.head(end - position, this.#begin + position);
  }
}

/** Opens `path`, passes it to `use`, and closes it whatever happens. */
export async function withInputFile<T>(
  path: string,
  control: RunControl,
  use: (file: InputFile) => Promise<T>,
): Promise<T> {
  requirePath(path);
  throwIfAborted(control.signal);
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw accessError(error, 'open', path);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw new FileAccessError(
        `Cannot read ${path}: it is ${stat.isDirectory() ? 'a folder' : 'not a regular file'}; a file of known ` +
          'size is needed.',
        { path },
      );
    }
    return await use(new InputFile(path, stat.size, handle));
  } finally {
    await handle.close();
  }
}
