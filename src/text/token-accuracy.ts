/**
 * How many tokens of a sequence are right.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { requireWhole } from '../core/checks.js';
import { asIndices } from '../core/numbers.js';

/**
 * The share of positions at which a predicted token is the expected one, positions where <pad> is expected left out.
 * Both lie in flat arrays, place by place. Throws ShapeError (other lengths, not whole numbers), OptionError where
 * nothing but <pad> is expected.
 */
export function tokenAccuracy(predicted: ArrayLike<number>, expected: ArrayLike<number>, pad: number): number {
  const found = asIndices(predicted, 'predicted');
  const wanted = asIndices(expected, 'expected');
  requireWhole(pad, 'pad', 0);
  if (found.length !== wanted.length)
    throw new ShapeError(`${found.length} tokens are predicted, ${wanted.length} expected.`, {
      predicted: found.length,
      expected: wanted.length,
    });
  let right = 0;
  let all = 0;
  wanted.forEach((token, k) => {
    if (token === pad) return;
    all++;
    if (found[k] === token) right++;
  });
  if (all === 0) throw new OptionError('No token is expected but <pad>: there is nothing to compare.', { pad });
  return right / all;
}
