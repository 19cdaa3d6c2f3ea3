/**
 * Folders that hold a few files of known names.
 */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { accessError, requirePath } from './input-file.js';

/** The file of that name in a folder. */
export const fileIn = (folder: string, name: string): string => join(folder, name);

/** Makes the folder, and those that it lies in, where it is not there. Throws FileAccessError. */
export async function makeFolder(folder: string): Promise<void> {
  requirePath(folder);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw accessError(error, 'make the folder', folder);
  }
}

/** Whether there is something of that name. Throws FileAccessError where that cannot be told. */
export async function isThere(path: string): Promise<boolean> {
  requirePath(path);
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw accessError(error, 'look at', path);
  }
}
