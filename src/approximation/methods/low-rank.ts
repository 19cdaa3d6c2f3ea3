/**
 * Approximations of low rank within a budget, by random sketches: U diag(s) Uᵀ of the largest rank that fits.
 */
import type { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import { sketchedNystrom } from '../../lowrank/nystrom.js';
import { sketchedSvd } from '../../lowrank/randomized-svd.js';
import { rankWithin } from '../budget.js';
import { EXACT_SIZE, lowRankSquare } from '../operator-error.js';
import { rowsAtBoth, withoutPart, type Approximated, type Method } from './method.js';

/** Randomized SVD, (q + 2)(r + 10) products for q power passes. */
export const rsvd: Method = {
  rows: rowsAtBoth('RSVD'),
  make: async ({ operator }, budget, { seed = 0, powerPasses = 1, memoryLimit }, control) => {
    const rank = rankWithin(budget, operator.rows);
    const sketch = { blas: control.team.blas, rank, seed, memoryLimit };
    const found = await sketchedSvd(operator, { ...sketch, powerPasses }, control);
    return {
      ...describe(found.operator, { rank, powerPasses, products: found.products }),
      // The values are UᵀAU's.
      squaredError: withoutPart([found.operator.values]),
    };
  },
};

/** Nyström, r + 10 products. */
export const nystrom: Method = {
  rows: rowsAtBoth('Nystrom'),
  make: async ({ operator }, budget, { seed = 0, memoryLimit }, control) => {
    const rank = rankWithin(budget, operator.rows);
    const found = await sketchedNystrom(operator, { blas: control.team.blas, rank, seed, memoryLimit }, control);
    return {
      ...describe(found.operator, { rank, products: found.products }),
      // r products with A: beyond, a sample of columns costs less.
      squaredError:
        operator.rows <= EXACT_SIZE ? (norm) => lowRankSquare(operator, found.operator, norm, control) : undefined,
    };
  },
};

/** With orthonormal U of fewer than N columns, the eigenvalues are s and zero. */
function describe(operator: LowRankOperator, details: Readonly<Record<string, number>>): Approximated {
  const smallest = operator.values.reduce(
    (least, value) => Math.min(least, value),
    operator.rank < operator.rows ? 0 : Number.POSITIVE_INFINITY,
  );
  return { operator, bytes: operator.bytes, details, smallestEigenvalue: { value: smallest, bound: 0 } };
}
