/**
 * Option objects hold known keys only: a misspelt option must not pass as one that was left out.
 */
import { closest, distance } from 'fastest-levenshtein';
import { OptionError } from './errors.js';
import { describe } from './kind.js';

/** Every key of an options type, once: the compiler refuses a list that lacks one or has one too many. */
export type KeysOf<T> = Readonly<Record<keyof T, true>>;

/** Options after defaults: every one has a value. */
export type Resolved<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/**
 * The name that `given` most likely stands for, or undefined where none is near: at most a third of its letters differ.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const plain = (text: string): string => text.replace(/[-_]/g, '').toLowerCase();
  if (names.length === 0) return undefined;
  const near = closest(plain(given), names.map(plain));
  return distance(plain(given), near) <= Math.max(1, Math.floor(given.length / 3))
    ? names.find((name) => plain(name) === near)
    : undefined;
}

/**
 * Throws OptionError unless `options` is an object whose keys are all among `keys`; the message names the nearest right
 * one; returns them. `of` is the function that takes them, as its caller writes it; where it needs some, `example` is
 * a call that has them.
 */
export function requireKnownOptions<T>(options: T, keys: KeysOf<T>, of: string, example?: string): T {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    const advice = example === undefined ? '' : `: ${example}`;
    throw new OptionError(`The options of ${of} must be an object, not ${describe(options)}${advice}.`, { of });
  }
  const names = Object.keys(keys);
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(keys, key)) continue;
    const near = nearestName(key, names);
    const hint =
      near === undefined
        ? names.length === 0
          ? 'it takes none'
          : `there are ${names.join(', ')}`
        : `did you mean "${near}"?`;
    throw new OptionError(`${of} has no option "${key}": ${hint}`, { option: key, of, nearest: near });
  }
  return options;
}

/** The options whose names are among `keys`, where those of two functions were given together. */
export function optionsAmong<T extends object, K extends string>(
  options: T,
  keys: Readonly<Record<K, true>>,
): Pick<T, K & keyof T> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(keys, key))) as Pick<
    T,
    K & keyof T
  >;
}
