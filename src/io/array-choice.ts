/**
 * Which array of a file is meant, and which others a new file in its place would lose.
 */
import { FileFormatError, OptionError } from '../core/errors.js';
import { quoted } from '../core/kind.js';
import { shapeText } from './array-checks.js';
import { arrayPath, splitArrayPath, type ArrayFileKind } from './array-path.js';

/** An array of a file, its elements unread. */
export interface ListedArray {
  /** Null where it has none. */
  readonly shape: readonly number[] | null;
  /** Whether its elements are numbers that can be read. */
  readonly numbers: boolean;
}

/** What arrays are called in files of each kind. */
const NOUNS = { npz: 'array', safetensors: 'tensor', hdf5: 'dataset' } as const;
const MOST_LISTED = 8;

/** Arrays with their shapes, for messages; of many the first. */
export function listedArrays(arrays: ReadonlyMap<string, Pick<ListedArray, 'shape'>>): string {
  const all = [...arrays].slice(0, MOST_LISTED);
  const texts = all.map(([name, { shape }]) => `"${name}"${shape === null ? '' : ` ${shapeText(shape)}`}`);
  return texts.join(', ') + (arrays.size > MOST_LISTED ? `, … (${arrays.size})` : '');
}

/** A file with its arrays by name. */
export interface ListedFile {
  readonly file: string;
  readonly kind: ArrayFileKind;
  readonly arrays: ReadonlyMap<string, ListedArray>;
}

/**
 * The array that is meant: the one named, or the only one of numbers. Throws OptionError (none of that name; several,
 * none named), FileFormatError (there is none).
 */
export function arrayMeant({ file, kind, arrays }: ListedFile, name: string | undefined): string {
  const noun = NOUNS[kind];
  if (arrays.size === 0) throw new FileFormatError(`${file}: holds no ${noun}.`, { path: file });
  if (name !== undefined) {
    if (arrays.has(name)) return name;
    throw new OptionError(`${file}: there is no ${noun} ${quoted(name)}; there are ${listedArrays(arrays)}.`, {
      path: file,
      name,
    });
  }
  const names = [...arrays.keys()];
  const numbers = names.filter((one) => arrays.get(one)!.numbers);
  if (numbers.length === 1) return numbers[0];
  if (names.length === 1) return names[0];
  // What came through a pipe has no name that says what it is.
  const ending = kind === 'hdf5' ? 'h5' : kind;
  const called = splitArrayPath(file).kind === kind ? file : `FILE.${ending}`;
  throw new OptionError(
    `${file}: holds ${arrays.size} ${noun}s, ${listedArrays(arrays)}: say which one, ` +
      `${called === file ? '' : `as a file called .${ending}, `}${arrayPath(kind, called, numbers[0] ?? 'name')}.`,
    { path: file, names },
  );
}

/** Throws OptionError: to write `name` alone would lose what else its file holds, `lost` in words. */
export function refuseLoss(file: string, name: string, lost: string, names: readonly string[]): never {
  throw new OptionError(
    `${file}: holds ${lost} besides, which would be lost: a file is written as a whole. Give another file, ` +
      `or ${file} alone to replace all of it.`,
    { path: file, name, names },
  );
}
