/**
 * A caller's own functions of vectors, called so that what they return is told apart from what was asked: numbers, so
 * many of them, all finite, at once.
 */
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { describe, kindOf } from '../../core/kind.js';

/**
 * A linear function: so many vectors, one after the other without gaps, to as many, each of its own length. The input
 * is the function's to read until it returns; what it returns is read at once and may be used again.
 */
export type VectorFunction = (vectors: Float64Array, count: number) => ArrayLike<number>;

/** A function that was given, and what it is to be. */
export interface NamedFunction {
  readonly name: string;
  /** For people: "J·v". */
  readonly what: string;
  readonly call: VectorFunction;
}

const ADVICE =
  "it must return an array of numbers at once; a framework's own array is read by what waits for it, such as " +
  'array.dataSync()';

/** f(vectors), where it is numbers, `length` of them for each vector where that is known. */
export function numbersOf(
  { name, what, call }: NamedFunction,
  vectors: Float64Array,
  count: number,
  length?: number,
): ArrayLike<number> {
  const result: unknown = call(vectors, count);
  const kind = kindOf(result);
  const given = `${name} returned ${kind === 'promise' ? 'a promise' : describe(result)}`;
  if (kind !== 'numbers') throw new OptionError(`${given} for ${what}: ${ADVICE}.`, { option: name });
  const numbers = result as ArrayLike<number>;
  if (length !== undefined && numbers.length !== length * count) {
    const wanted = count === 1 ? `${length}` : `${count} vectors of ${length}`;
    throw new ShapeError(`${name} returned ${numbers.length} numbers for ${what}: it must return ${wanted}.`, {
      option: name,
      length: numbers.length,
      expected: length * count,
    });
  }
  return numbers;
}

/** As `numbersOf` for one vector, copied. Throws where one of the numbers is none, or is not finite. */
export function finiteNumbersOf(named: NamedFunction, vector: Float64Array, length?: number): Float64Array {
  const { name, what } = named;
  const numbers = numbersOf(named, vector.slice(), 1, length);
  for (let i = 0; i < numbers.length; i++) {
    const value: unknown = numbers[i];
    if (typeof value !== 'number')
      throw new OptionError(`${name} returned ${describe(value)} at place ${i} of ${what}, which is no number.`, {
        option: name,
        index: i,
      });
    if (!Number.isFinite(value))
      throw new NonFiniteError(`${name} returned ${value} at place ${i} of ${what} for a random vector.`, {
        option: name,
        index: i,
        value,
      });
  }
  return Float64Array.from(numbers);
}
