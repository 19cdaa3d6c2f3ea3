/**
 * What a virtual dataset of an HDF5 file is put together from. In the place of sources that are not there the library
 * would give fill values, zeros as a rule, without a word.
 */
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { FileAccessError } from '../core/errors.js';
import type { Hdf5Library, Hdf5Source } from './hdf5-library.js';

/** A name with a number of a block in it, '%b': there are as many blocks as there are files. */
const NUMBERED = /%\d*b/;

/** Where the library looks for a source's file: beside the file of the dataset, and from the process's own folder. */
function placesOf(source: string, file: string): string[] {
  const folder = dirname(resolve(file));
  return isAbsolute(source) ? [source, resolve(folder, basename(source))] : [resolve(folder, source), resolve(source)];
}

/** Whether the library can open the file and has a dataset of that name in it. */
function holds(library: Hdf5Library, path: string, name: string): boolean {
  let id: bigint;
  try {
    id = library.open(path, library.H5F_ACC_RDONLY, false, -1, -1);
  } catch {
    return false;
  }
  if (id < 0) return false;
  try {
    return library.get_type(id, name) === library.H5G_DATASET;
  } finally {
    library.close_file(id);
  }
}

/** A dataset whose sources are looked for, of an open file. */
export interface VirtualDataset {
  readonly file: string;
  readonly id: bigint;
  readonly name: string;
  readonly sources: readonly Hdf5Source[];
}

/** Throws FileAccessError where a source of a virtual dataset is not there. Opens each of their files. */
export function requireSources(library: Hdf5Library, { file, id, name, sources }: VirtualDataset): void {
  const asked = new Set<string>();
  for (const { file_name: source, dset_name: dataset } of sources) {
    const key = JSON.stringify([source, dataset]);
    if (asked.has(key) || NUMBERED.test(source) || NUMBERED.test(dataset)) continue;
    asked.add(key);
    const there =
      source === '.'
        ? library.get_type(id, dataset) === library.H5G_DATASET
        : placesOf(source, file).some((path) => holds(library, path, dataset));
    if (there) continue;
    throw new FileAccessError(
      `${file}: dataset "${name}" is put together from others, and ${source === '.' ? '' : `${source}:`}${dataset} ` +
        'is not there or cannot be read: put it beside the file, or write the dataset whole.',
      { path: file, name, source, dataset },
    );
  }
}
