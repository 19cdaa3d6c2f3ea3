/**
 * Approximations of low rank within a budget: randomized SVD and Nyström.
 */
import { nystrom } from '../../lowrank/nystrom.js';
import { randomizedSvd } from '../../lowrank/randomized-svd.js';
import type { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Approximated, ApproximationOptions, Budget } from '../approximation.js';
import { rankWithin } from '../budget.js';
import { EXACT_SIZE, lowRankSquare } from '../operator-error.js';
import { withoutPart } from './kronecker.js';

/** U diag(s) Uᵀ of the largest rank that fits. Throws OptionError, and what `randomizedSvd` and `nystrom` throw. */
export async function approximateLowRank(
  operator: LinearOperator,
  method: 'rsvd' | 'nystrom',
  budget: Budget,
  { seed = 0, powerPasses = 1, memoryLimit }: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const rank = rankWithin(budget, operator.rows);
  const sketch = { blas: control.team.blas, rank, seed, memoryLimit };
  if (method === 'rsvd') {
    const found = await randomizedSvd(operator, { ...sketch, powerPasses }, control);
    return {
      ...describe(found.operator, { rank, powerPasses, products: found.products }),
      // The values are UᵀAU's.
      squaredError: withoutPart([found.operator.values]),
    };
  }
  const found = await nystrom(operator, sketch, control);
  return {
    ...describe(found.operator, { rank, products: found.products }),
    // r products with A: beyond, a sample of columns costs less.
    squaredError:
      operator.rows <= EXACT_SIZE ? (norm) => lowRankSquare(operator, found.operator, norm, control) : undefined,
  };
}

/** With orthonormal U of fewer than N columns, the eigenvalues are s and zero. */
function describe(operator: LowRankOperator, details: Readonly<Record<string, number>>): Approximated {
  const smallest = operator.values.reduce(
    (least, value) => Math.min(least, value),
    operator.rank < operator.rows ? 0 : Number.POSITIVE_INFINITY,
  );
  return { operator, bytes: operator.bytes, details, smallestEigenvalue: { value: smallest, bound: 0 } };
}
