/**
 * What a file holds of one thing, a matrix or a part of one: its share of the header and of the arrays, with checks
 * that say what is wrong.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { firstNonFinite, type FloatArray, type Precision } from '../core/floats.js';
import { requireMemory } from '../core/memory.js';
import { excerptOf } from './excerpt.js';
import {
  readContainer,
  readContainerHeader,
  type ContainerArray,
  type ElementType,
  type JsonObject,
  type JsonValue,
} from './container.js';
import { typeOf } from './container-layout.js';
import { availableMemory } from './machine.js';

/** What is written of one thing. */
export interface Kept {
  readonly header: JsonObject;
  readonly arrays: Readonly<Record<string, ContainerArray>>;
  /** Where several ranks keep it together: whether this one writes, and what all call with whether it did. */
  readonly ranks?: { readonly writes: boolean; readonly done: (written: boolean) => void } | undefined;
}

const SEPARATOR = '.';

/** Arrays as those of a part called `name`. */
export const keptWithin = (name: string, arrays: Kept['arrays']): Kept['arrays'] =>
  Object.fromEntries(Object.entries(arrays).map(([own, array]) => [`${name}${SEPARATOR}${own}`, array]));

/** A report as JSON holds it: its numbers that are not finite as null, what is undefined left out. */
export const keptReport = (report: object): JsonObject => JSON.parse(JSON.stringify(report)) as JsonObject;

/** What is read of one thing. */
export class Contents {
  readonly path: string;
  /** What it is, as `content` of the header says. */
  readonly content: string;
  readonly header: JsonObject;
  readonly #arrays: Kept['arrays'];
  readonly #prefix: string;

  constructor(path: string, header: JsonObject, arrays: Kept['arrays'], prefix = '') {
    this.path = path;
    this.content = typeof header['content'] === 'string' ? header['content'] : 'something else';
    this.header = header;
    this.#arrays = arrays;
    this.#prefix = prefix;
  }

  /** Throws FileFormatError. */
  refuse(what: string): never {
    throw new FileFormatError(
      `${this.path}: ${what}. The file does not hold a consistent ${this.content}: write it anew.`,
      {
        path: this.path,
        what,
      },
    );
  }

  /** Throws FileFormatError unless it is what `content` says. */
  requireContent(content: string): void {
    if (this.content !== content)
      throw new FileFormatError(
        `${this.path}: a container of ${excerptOf(this.header['content'] ?? 'something else')}, not of a ${content}. ` +
          'Give a file that was written of one.',
        { path: this.path },
      );
  }

  /** A part whose header is the member `name`, and whose arrays' names begin so. */
  within(name: string): Contents {
    return new Contents(
      this.path,
      this.object(this.header[name], name),
      this.#arrays,
      `${this.#prefix}${name}${SEPARATOR}`,
    );
  }

  /** A whole number that is not negative. */
  count(value: JsonValue | undefined, name: string): number {
    return Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : this.refuse(`the header's ${name} is ${excerptOf(value)}, not a count`);
  }

  /** A number of at least `least`; of a report, perhaps NaN. */
  number(value: JsonValue | undefined, name: string, least = -Infinity): number {
    return typeof value === 'number' && !(value < least)
      ? value
      : this.refuse(`the header's ${name} is ${excerptOf(value)}, not a number${least === 0 ? ' of at least 0' : ''}`);
  }

  object(value: JsonValue | undefined, name: string): JsonObject {
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : this.refuse(`the header's ${name} is missing`);
  }

  /** The header's report, which must be of `own`; null as NaN, as `keptReport` has it. */
  report(own: Readonly<Record<string, JsonValue>>): JsonObject {
    const report = this.object(this.header['report'], 'report');
    for (const [name, here] of Object.entries(own))
      if (report[name] !== here)
        this.refuse(
          `the report is of another matrix: its ${name} is ${excerptOf(report[name])}, the matrix's ${excerptOf(here)}`,
        );
    this.object(report['seconds'], 'report.seconds');
    return Object.fromEntries(Object.entries(report).map(([name, value]) => [name, value ?? Number.NaN]));
  }

  list(value: JsonValue | undefined, name: string): readonly JsonValue[] {
    return Array.isArray(value) ? (value as readonly JsonValue[]) : this.refuse(`the header's ${name} is no list`);
  }

  /** One of `names`. */
  oneOf<T extends string>(value: JsonValue | undefined, names: readonly T[], name: string): T {
    return names.includes(value as T)
      ? (value as T)
      : this.refuse(`the header's ${name} is ${excerptOf(value)}; there are ${names.join(', ')}`);
  }

  /** The whole numbers called `name`. */
  i32(name: string, length?: number): Int32Array {
    return this.#array(name, 'i32', length) as Int32Array;
  }

  /** The numbers called `name`. */
  f64(name: string, length?: number): Float64Array {
    return this.#array(name, 'f64', length) as Float64Array;
  }

  /** The numbers called `name`, of that precision, or of the one that the file has. */
  floats(name: string, length?: number, precision?: Precision): FloatArray {
    const single = this.#arrays[this.#prefix + name] instanceof Float32Array;
    return this.#array(name, precision ?? (single ? 'f32' : 'f64'), length) as FloatArray;
  }

  /** As `floats`, all of them finite. */
  finite(name: string, length?: number, precision?: Precision): FloatArray {
    const array = this.floats(name, length, precision);
    const at = firstNonFinite(array);
    if (at >= 0) this.refuse(`number ${at} of section "${name}" is ${array[at]}, not a finite one`);
    return array;
  }

  /** Throws FileFormatError unless a section is there and of its type. */
  requireType(section: string, found: ElementType | undefined, type: ElementType): void {
    if (found === undefined) this.refuse(`section "${section}" is missing`);
    if (found !== type) this.refuse(`section "${section}" holds ${found} where ${type} belongs`);
  }

  #array(name: string, type: ElementType, length: number | undefined): ContainerArray {
    const section = this.#prefix + name;
    const array = Object.hasOwn(this.#arrays, section) ? this.#arrays[section] : undefined;
    this.requireType(section, array === undefined ? undefined : typeOf(array), type);
    const found = array!;
    if (length !== undefined && found.length !== length)
      this.refuse(`section "${section}" holds ${found.length} numbers, ${length} expected`);
    return found;
  }
}

/**
 * All that a file holds. Throws FileFormatError, FileAccessError, MemoryError (before reading, where it would not fit),
 * AbortedError.
 */
export async function readContents(path: string, { signal, onProgress }: RunControl): Promise<Contents> {
  const { bytes } = await readContainerHeader(path, { signal });
  requireMemory(bytes, availableMemory(), {
    what: `${path} needs`,
    advice: 'free some, or compress to a smaller matrix.',
    data: { path },
  });
  const { header, arrays } = await readContainer(path, { signal, onProgress });
  return new Contents(path, header, arrays);
}
