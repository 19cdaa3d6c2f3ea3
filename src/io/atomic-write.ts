/**
 * Writing a file whole or not at all.
 * Bytes go to a temporary name in the target's own folder (a rename across file systems is not atomic), are
 * synchronised to the device, and the name is switched at the end: a reader sees the old file or the new one, never
 * part of one. On failure and on abort the temporary file is removed and the old file stands untouched.
 */
import { chmod, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileAccessError } from '../core/errors.js';
import { accessError, bytesOf, CHUNK_BYTES, meanwhile, requirePath } from './input-file.js';

/** The temporary file while it is written: bytes go to its end or to a position. */
export class OutputFile {
  /** Where the next `append` goes. */
  position = 0;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #control: RunControl;

  constructor(path: string, handle: FileHandle, control: RunControl) {
    this.#path = path;
    this.#handle = handle;
    this.#control = control;
  }

  /** Writes the bytes of `array` at the end, chunk by chunk; `each` sees every chunk while it is written. */
  async append(array: ArrayBufferView, each?: (chunk: Uint8Array) => void): Promise<void> {
    await this.writeAt(array, this.position, each);
    this.position += array.byteLength;
  }

  /** Zeros up to the next multiple of `alignment`. */
  async align(alignment: number): Promise<void> {
    const gap = (alignment - (this.position % alignment)) % alignment;
    if (gap > 0) await this.append(new Uint8Array(gap));
  }

  /** Writes the bytes of `array` at `position`, without moving the end. */
  async writeAt(array: ArrayBufferView, position: number, each?: (chunk: Uint8Array) => void): Promise<void> {
    const bytes = bytesOf(array);
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      throwIfAborted(this.#control.signal);
      const chunk = bytes.subarray(start, Math.min(bytes.length, start + CHUNK_BYTES));
      for (let done = 0; done < chunk.length;) {
        const writing = this.#handle
          .write(chunk, done, chunk.length - done, position + start + done)
          .catch((error: unknown) => {
            throw accessError(error, 'write', this.#path);
          });
        const { bytesWritten } = await meanwhile(writing, chunk, done === 0 ? each : undefined);
        done += bytesWritten;
      }
    }
  }
}

let serial = 0;

/**
 * Bytes of the target's name that its temporary file's begins with: with what follows they stay below 143, the least
 * limit in use (eCryptfs).
 */
const NAME_BYTES = 64;

/**
 * A name that no other writer uses; it begins as the target's does, so that what a crash leaves behind tells where it
 * came from.
 */
function temporaryName(name: string): string {
  const cut = new TextDecoder().decode(new TextEncoder().encode(name).subarray(0, NAME_BYTES)).replace(/\ufffd+$/, '');
  return `.${cut}.${process.pid}-${threadId}-${serial++}-${Date.now().toString(36)}.tmp`;
}

/** The file a write to `path` replaces: links followed, so that a link stays a link. Its mode, if it exists already. */
async function resolveTarget(path: string): Promise<{ target: string; mode: number | undefined }> {
  const target = await realpath(path).catch(() => path);
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { target, mode: undefined };
    throw accessError(error, 'write', path);
  }
  // A rename would replace a folder or a device node by a file.
  if (!found.isFile())
    throw new FileAccessError(
      `Cannot write ${path}: it is ${found.isDirectory() ? 'a folder' : 'not a regular file'}; give the name of ` +
        'a file.',
      { path },
    );
  return { target, mode: found.mode & 0o777 };
}

/** Best effort: makes a rename survive a power cut where the system lets folders be synchronised. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/**
 * Writes `path` through `produce`, whole or not at all; `produce` is told the temporary file's path too, for libraries
 * that open files by name.
 * Failure: FileAccessError (no such folder, permission, device full), AbortedError, or whatever `produce` throws; then
 * `path` is as it was.
 */
export async function writeAtomically(
  path: string,
  control: RunControl,
  produce: (file: OutputFile, temporary: string) => Promise<void>,
): Promise<void> {
  requirePath(path);
  throwIfAborted(control.signal);
  const { target, mode } = await resolveTarget(path);
  const folder = dirname(target);
  const temporary = join(folder, temporaryName(basename(target)));
  let handle: FileHandle;
  try {
    handle = await open(temporary, 'wx');
  } catch (error) {
    throw accessError(error, 'write', path);
  }
  try {
    try {
      await produce(new OutputFile(path, handle, control), temporary);
      await handle.sync();
    } finally {
      await handle.close();
    }
    throwIfAborted(control.signal);
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw accessError(error, 'write', path);
  }
  await syncFolder(folder);
}
