/**
 * Names of files that hold arrays by name, and of an array within one: FILE.npz:name, FILE.safetensors:name,
 * FILE.h5:/group/name. A colon anywhere else belongs to the name of a file.
 */
import { basename } from 'node:path';

/** Kinds of files that hold arrays by name. */
export type ArrayFileKind = 'npz' | 'safetensors' | 'hdf5';

/** A file, and which of its arrays is meant, where one is named. */
export interface ArrayPath {
  readonly file: string;
  /** As the file has it; of HDF5 groups and name with / between, without one in front: 'group/name'. */
  readonly name: string | undefined;
  /** What the file's own name says that it is; undefined of files that hold one array, or tell nothing. */
  readonly kind: ArrayFileKind | undefined;
}

const NAMED = /^(.+\.(?:npz|safetensors|h5|hdf5)):(.*)$/is;

/** The kind that a file's ending names. */
function kindByEnding(file: string): ArrayFileKind | undefined {
  const [, ending] = /\.(npz|safetensors|h5|hdf5)$/i.exec(file) ?? [];
  if (ending === undefined) return undefined;
  const lower = ending.toLowerCase();
  return lower === 'npz' || lower === 'safetensors' ? lower : 'hdf5';
}

/** A path taken apart; of files that hold no arrays by name the path as it is. */
export function splitArrayPath(path: string): ArrayPath {
  const [, file = path, name] = NAMED.exec(path) ?? [];
  const kind = kindByEnding(file);
  return { file, kind, name: kind === 'hdf5' ? name?.replace(/^\/+/, '') : name };
}

/** The path of an array of a file: FILE.npz:name, FILE.h5:/group/name. */
export const arrayPath = (kind: ArrayFileKind, file: string, name: string): string =>
  `${file}:${kind === 'hdf5' ? '/' : ''}${name}`;

/** Whether UTF-8, which files keep names in, keeps this one: no half of a surrogate pair stands alone in it. */
export const isWellFormed = (name: string): boolean =>
  new TextDecoder().decode(new TextEncoder().encode(name)) === name;

/** What a path is called without its folder: FILE.npz:name, FILE.h5:/group/name, points.npy. */
export function fileName(path: string): string {
  const { file, name, kind } = splitArrayPath(path);
  return kind === undefined || name === undefined ? basename(file) : arrayPath(kind, basename(file), name);
}
