/**
 * A check that the generators share. Data sets.
 */
import { ShapeError } from '../src/core/errors.js';
import { describe } from '../src/core/kind.js';

/** Throws ShapeError, naming the generator, unless `n` is a whole number of at least 1. */
export function requireCount(n: number, generator: string, what = 'count'): void {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ShapeError(`${generator}: ${what} must be a whole number of at least 1, not ${describe(n)}.`, {
      [what]: n,
    });
}
