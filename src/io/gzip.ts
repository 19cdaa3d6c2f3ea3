/**
 * Files that may be compressed by gzip (RFC 1952), as a stream of their unpacked bytes.
 * Whether a file is compressed is seen from its first bytes, not from its name.
 */
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { requireBytes } from '../core/shared-array.js';
import type { InputFile } from './input-file.js';
import { availableMemory } from './machine.js';

/** True if these first bytes of a file are those of a gzip stream. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;
/** Bytes that one compressed byte unpacks to, at most: what deflate can do. */
export const MOST_DEFLATION = 1032;

/**
 * Hands every chunk of the file's bytes to `take`, in order, unpacked where `compressed`. What `take` throws ends the
 * reading. Throws FileFormatError (a gzip stream that is damaged, truncated or followed by more), FileAccessError,
 * AbortedError.
 */
export async function streamUnpacked(
  file: InputFile,
  compressed: boolean,
  control: RunControl,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  const { path, size } = file;
  const source = file.stream();
  const gunzip: Gunzip | undefined = compressed ? createGunzip({ chunkSize: 256 * 1024 }) : undefined;
  const stream: Readable = gunzip ? source.pipe(gunzip) : source;
  if (gunzip) source.once('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      throwIfAborted(control.signal);
      take(chunk);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('Z_')) {
      const truncated = code === 'Z_BUF_ERROR';
      throw new FileFormatError(
        `${path}: the gzip stream ` +
          `${truncated ? 'ends too soon: the file is truncated' : `is damaged (${(error as Error).message})`}. ` +
          'Fetch it again.',
        { path, zlib: code },
      );
    }
    throw error;
  } finally {
    source.destroy();
    gunzip?.destroy();
  }
  if (gunzip && gunzip.bytesWritten < size)
    throw new FileFormatError(
      `${path}: ${size - gunzip.bytesWritten} bytes follow the end of the gzip stream; the file is damaged. ` +
        'Fetch it again.',
      { path, extra: size - gunzip.bytesWritten },
    );
}

/** Bytes that are kept at first where a file does not tell how many it unpacks to. */
const FIRST_ROOM = 1024 * 1024;

/** All bytes of the file, unpacked. Throws as `streamUnpacked`, and MemoryError. */
export async function readUnpacked(file: InputFile, control: RunControl): Promise<Uint8Array> {
  const compressed = isGzip(await file.head(2));
  let bytes = roomFor(compressed ? FIRST_ROOM : file.size, file);
  let filled = 0;
  await streamUnpacked(file, compressed, control, (chunk) => {
    if (filled + chunk.length > bytes.length) {
      const larger = roomFor(2 * (filled + chunk.length), file);
      larger.set(bytes.subarray(0, filled));
      bytes = larger;
    }
    bytes.set(chunk, filled);
    filled += chunk.length;
    control.onProgress?.({ phase: 'read', done: filled, total: Math.max(filled, file.size) });
  });
  return bytes.subarray(0, filled);
}

function roomFor(bytes: number, { path }: InputFile): Uint8Array {
  requireBytes(bytes, availableMemory(), path);
  return new Uint8Array(bytes);
}
