/**
 * Vectors that callers have whole, for solvers over own rows.
 */
import { floats, precisionOf } from '../core/floats.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, zeros, type Matrix } from '../dense/matrix.js';
import type { RowShare } from '../operator/row-share.js';
import type { CheckedControl } from './solution.js';
import { largestEntry } from './solver-checks.js';

/** What a solve takes and where its x goes. */
export interface SolveVectors {
  readonly b: Matrix;
  readonly x: Matrix;
  readonly control: CheckedControl;
}

/** Own rows of b and of the guess, and room for those of x. Throws NonFiniteError, with the row of all rows. */
export function ownCopies(share: RowShare, { b, x, control }: SolveVectors): SolveVectors {
  const take = (a: Matrix, name: string): Matrix => {
    for (let j = 0; j < a.cols; j++) largestEntry(a, j, name);
    const own = zeros(share.rows, a.cols);
    share.take(own, a);
    return own;
  };
  const own = take(b, 'b');
  const result = view(floats(share.rows * x.cols, precisionOf(x.data)), 0, share.rows, x.cols);
  if (control.guess === undefined) return { b: own, x: result, control };
  return { b: own, x: result, control: { ...control, guess: take(control.guess, 'guess') } };
}

/** The solution with all rows of x, and of a direction; x of own rows is whole afterwards. Collective. */
export function gathered<S extends { readonly x: Matrix; readonly direction?: Matrix }>(
  share: RowShare,
  solution: S,
  x: Matrix,
): S {
  share.gather(x, solution.x);
  if (solution.direction === undefined) return { ...solution, x };
  const direction = view(sharedFloat64(share.size), 0, share.size, 1);
  share.gather(direction, solution.direction);
  return { ...solution, x, direction };
}
