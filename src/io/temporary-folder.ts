/**
 * A folder for files that are needed for a while.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessError } from './input-file.js';

/** Makes a folder, passes it to `use`, and removes it whatever happens. Throws FileAccessError. */
export async function withTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'hmatrix-')).catch((error: unknown) => {
    throw accessError(error, 'write', tmpdir());
  });
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
