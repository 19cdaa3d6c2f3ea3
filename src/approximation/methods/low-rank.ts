/**
 * Approximations of low rank within a budget, by random sketches: U diag(s) Uᵀ of the largest rank that fits.
 */
import type { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import { sketchedNystrom } from '../../lowrank/nystrom.js';
import { sketchedSvd } from '../../lowrank/randomized-svd.js';
import { OptionError } from '../../core/errors.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { rankWithin } from '../budget.js';
import { EXACT_SIZE, lowRankSquare } from '../operator-error.js';
import type { Subject } from '../subject.js';
import { lowRankToTolerance, type Sketched } from './low-rank-to-tolerance.js';
import {
  rowsAtBoth,
  withoutPart,
  type Accuracy,
  type ApproximationOptions,
  type Approximated,
  type Method,
} from './method.js';

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
  reach: async (subject, accuracy, options, control) => {
    const { powerPasses = 1 } = options;
    const found = await lowRankTo(subject, accuracy, subject.operator.rows, options, control);
    if (found === undefined) throw noRank('rsvd', accuracy);
    const { operator, products } = found;
    return {
      ...describe(operator, { rank: operator.rank, powerPasses, products }),
      squaredError: withoutPart([operator.values]),
    };
  },
};

/**
 * Randomized SVD of the least rank up to `most` that keeps to the tolerance; undefined where none does. Cost: twice
 * that of the rank it needs.
 */
export function lowRankTo(
  { operator }: Subject,
  { tolerance }: Accuracy,
  most: number,
  { seed = 0, powerPasses = 1, memoryLimit }: ApproximationOptions,
  control: TeamControl,
): Promise<Sketched | undefined> {
  const how = { blas: control.team.blas, seed, memoryLimit, powerPasses };
  return lowRankToTolerance(
    operator,
    { tolerance, most, seed },
    (rank) => sketchedSvd(operator, { ...how, rank }, control),
    control,
  );
}

/** That not even rank N keeps a tolerance is for rounding to cause. */
const noRank = (method: string, { tolerance }: Accuracy): OptionError =>
  new OptionError(`No rank of ${method} keeps a tolerance of ${tolerance}: it lies below rounding. Raise it.`, {
    option: 'tolerance',
    tolerance,
  });

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
  reach: async ({ operator }, accuracy, { seed = 0, memoryLimit }, control) => {
    const how = { blas: control.team.blas, seed, memoryLimit };
    const found = await lowRankToTolerance(
      operator,
      { ...accuracy, most: operator.rows, seed },
      (rank) => sketchedNystrom(operator, { ...how, rank }, control),
      control,
    );
    if (found === undefined) throw noRank('nystrom', accuracy);
    return describe(found.operator, { rank: found.operator.rank, products: found.products });
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
