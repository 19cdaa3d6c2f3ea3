/**
 * Names of HDF5 files, and of a dataset within one: FILE.h5, FILE.h5:/group/name.
 */
import { basename } from 'node:path';
import { OptionError } from '../core/errors.js';

/** A file, and which of its datasets is meant, where one is named. */
export interface Hdf5Path {
  readonly file: string;
  /** Groups and name with / between, without one in front: 'group/name'. */
  readonly dataset: string | undefined;
}

const NAMED = /^(.+\.(?:h5|hdf5)):(.*)$/is;

/** A path taken apart; of other files than HDF5 ones the path as it is. */
export function splitHdf5Path(path: string): Hdf5Path {
  const [, file, dataset] = NAMED.exec(path) ?? [];
  return file === undefined ? { file: path, dataset: undefined } : { file, dataset: dataset.replace(/^\/+/, '') };
}

/** Whether a path's name says that it is an HDF5 file, or a dataset of one. */
export const isHdf5 = (path: string): boolean => /\.(h5|hdf5)$/i.test(splitHdf5Path(path).file);

/** What a path is called without its folder: FILE.h5, FILE.h5:/group/name, points.npy. */
export function fileName(path: string): string {
  const { file, dataset } = splitHdf5Path(path);
  return basename(file) + (dataset === undefined ? '' : `:/${dataset}`);
}

/** Throws OptionError unless `name` can be a dataset's, groups and name with / between. */
export function requireDatasetName(name: string, path: string): void {
  if (name.includes('\0') || name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new OptionError(
      `${path}: no dataset can be called ${JSON.stringify(name)}: a name is that of groups and dataset with / ` +
        'between, FILE.h5:/group/name, none of them empty, "." or "..".',
      { path, name },
    );
}
