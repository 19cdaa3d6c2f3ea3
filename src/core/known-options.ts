/**
 * Option objects hold known keys only: a misspelt option must not pass as one that was left out.
 */
import { closest, distance } from 'fastest-levenshtein';
import { OptionError } from './errors.js';
import { describe, requireRole } from './kind.js';

/** What an option may be; `true`: what the function itself checks. */
export type OptionType = 'number' | 'number or null' | 'boolean' | 'text' | 'function' | true;

/** The {@link OptionType} of an option of type V. */
type TypeOf<V> = [V] extends [number]
  ? 'number'
  : [V] extends [number | null]
    ? 'number or null'
    : [V] extends [boolean]
      ? 'boolean'
      : [V] extends [(...args: never[]) => unknown]
        ? 'function'
        : string extends V
          ? [V] extends [string]
            ? 'text'
            : true
          : true;

/**
 * Every key of an options type, once, and whether it is a number, a boolean, a function or something else: the compiler
 * refuses a list that lacks one, has one too many, or calls a number something else.
 */
export type KeysOf<T> = { readonly [K in keyof T]-?: TypeOf<Exclude<T[K], undefined>> };

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

/** What users of other libraries call an option by, and what it is: of those functions that take it. */
const SYNONYMS: Readonly<Record<string, { readonly given: readonly string[]; readonly meaning: string }>> = {
  ridge: {
    given: ['noise', 'noisevariance', 'lambda', 'λ', 'sigma', 'sigma2', 'σ2', 'alpha', 'jitter', 'shift', 'variance'],
    meaning: 'the noise variance σ², added to the diagonal',
  },
  shift: {
    given: ['noise', 'noisevariance', 'lambda', 'λ', 'sigma', 'sigma2', 'σ2', 'alpha', 'jitter', 'ridge', 'damping'],
    meaning: 'λ of A + λI, such as a noise variance σ²',
  },
};

/** What is asked of functions that have neither, and where it belongs. */
const ELSEWHERE: readonly string[] = ['ridge', 'shift', 'nugget', 'noise', 'lambda'];
const NOISE_BELONGS = '; kernelSource takes a ridge or a nugget, factor and solve take a shift';

/** The option among `names` that users of other libraries call so, and what it is. */
function synonymOf(given: string, names: readonly string[]): { name: string; meaning: string } | undefined {
  const plain = given.replace(/[-_]/g, '').toLowerCase();
  const name = names.find((one) => Object.hasOwn(SYNONYMS, one) && SYNONYMS[one].given.includes(plain));
  return name === undefined ? undefined : { name, meaning: SYNONYMS[name].meaning };
}

const ASKED = {
  number: 'a number',
  'number or null': 'a number or null',
  boolean: 'true or false',
  text: 'text',
  function: 'a function',
} as const;

/** What `typeof` says of them. */
const TYPE_OF = {
  number: 'number',
  'number or null': 'number',
  boolean: 'boolean',
  text: 'string',
  function: 'function',
} as const;

function hasType(value: unknown, type: OptionType): boolean {
  if (value === null) return type === 'number or null';
  return type === true || typeof value === TYPE_OF[type];
}

/** Throws OptionError unless an option that was given is of its type; null is an option of few. */
function requireType(value: unknown, type: OptionType, option: string, of: string): void {
  if (value === undefined) return;
  if (option === 'team') requireRole(value, 'team', `The option team of ${of}`);
  else if (option === 'signal' && typeof (value as AbortSignal | null)?.aborted !== 'boolean')
    throw new OptionError(`The signal given to ${of} must be an AbortSignal, not ${describe(value)}.`, { option, of });
  else if (option === 'blas' && type === true && typeof (value as { gemm?: unknown } | null)?.gemm !== 'function')
    throw new OptionError(
      `The option blas of ${of} is a dense backend, as openBlas(name) opens it, not ${describe(value)}.`,
      { option, of },
    );
  if (hasType(value, type)) return;
  const wrong = type === true ? 'null: leave it out' : `${ASKED[type]}, not ${describe(value)}${unquoted(value, type)}`;
  throw new OptionError(`${option} of ${of} must ${type === true ? 'not ' : ''}be ${wrong}.`, { option, of });
}

/** What to write instead of a number or a boolean in quotes. */
function unquoted(value: unknown, type: keyof typeof ASKED): string {
  if (typeof value !== 'string' || type === 'function' || type === 'text') return '';
  const text = value.trim();
  const fits = type === 'boolean' ? text === 'true' || text === 'false' : text !== '' && Number.isFinite(Number(text));
  return fits ? `: write ${text} without quotes` : '';
}

/**
 * Throws OptionError unless `options` is an object whose keys are all among `keys`, and numbers and booleans where
 * these ask for them; the message names the nearest right key, or what was given; returns them. `of` is the function
 * that takes them, as its caller writes it; where it needs some, `example` is a call that has them.
 */
export function requireKnownOptions<T>(options: T, keys: KeysOf<T>, of: string, example?: string): T {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    const advice = example === undefined ? '' : `: ${example}`;
    throw new OptionError(`The options of ${of} must be an object, not ${describe(options)}${advice}.`, { of });
  }
  const names = Object.keys(keys);
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(keys, key)) {
      requireType(options[key as keyof T], keys[key as keyof T], key, of);
      continue;
    }
    const synonym = synonymOf(key, names);
    const near = synonym?.name ?? nearestName(key, names);
    const hint =
      synonym !== undefined
        ? `did you mean "${synonym.name}" (${synonym.meaning})?`
        : near === undefined
          ? names.length === 0
            ? 'it takes none'
            : `there are ${names.join(', ')}${ELSEWHERE.includes(key) ? NOISE_BELONGS : ''}`
          : `did you mean "${near}"?`;
    throw new OptionError(`${of} has no option "${key}": ${hint}`, { option: key, of, nearest: near });
  }
  return options;
}

/** The options whose names are among `keys`, where those of two functions were given together. */
export function optionsAmong<T extends object, K extends string>(
  options: T,
  keys: Readonly<Record<K, OptionType>>,
): Pick<T, K & keyof T> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(keys, key))) as Pick<
    T,
    K & keyof T
  >;
}
