/**
 * How accurate a hierarchical matrix has to be that preconditions A + λI: ‖A − K̃‖_F of about λ.
 * Then K̃ + λI is positive definite, and ten or twenty iterations mend the rest.
 */
import type { Subject } from '../../approximation/subject.js';
import { RandomStream } from '../../core/random.js';
import { norm } from '../../dense/norm.js';
import { view, zeros } from '../../dense/matrix.js';
import { estimateNorm } from '../../hierarchical/measure/norm-estimate.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { readDiagonal } from '../../source/diagonal.js';
import type { PreconditionerOptions } from './kind.js';
import { LEAF_SIZE, rankLimit, toleranceFor } from './predict-hierarchical.js';
import { SampledRanks } from './sampled-ranks.js';

/** Where λ is 0, and nobody knows the least eigenvalue. */
const WITHOUT_SHIFT = 1e-8;
/** Random vectors from which ‖A‖_F is told: to some tenths. */
const VECTORS = 8;
const STREAM = 0xf70b;

/** Options whose tolerance is known. */
export type WithTolerance = PreconditionerOptions & { readonly tolerance: number };

/**
 * The options with a tolerance for this λ, and of a matrix with entries the rank limit that the tolerance needs, as far
 * as a sample tells. Costs 32 columns and a block of 256 × 256 entries a level, or 8 products. Throws what the source
 * throws.
 */
export async function makingByShift(
  subject: Subject,
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<WithTolerance> {
  const { operator, source } = subject;
  const { seed = 0 } = options;
  const least = shift + subject.lowerBound;
  if (source === undefined || subject.gaussNewton !== undefined) {
    const total = normByProducts(operator, seed);
    return { ...options, tolerance: least > 0 ? toleranceFor(least, total) : WITHOUT_SHIFT };
  }
  const total = Math.sqrt(await estimateNorm(source, readDiagonal(source), seed, control));
  const tolerance = least > 0 ? toleranceFor(least, total) : WITHOUT_SHIFT;
  if (options.maxRank !== undefined) return { ...options, tolerance };
  const leafSize = Math.max(2, Math.min(options.leafSize ?? LEAF_SIZE, source.size));
  const tree = options.tree ?? (await subject.tree(source, { leafSize, seed }, control));
  if (tree.depth === 0) return { ...options, tolerance, leafSize };
  const { ranks } = new SampledRanks(source, tree, seed, control.team.blas).at(tolerance * total);
  const most = Math.max(...ranks.map(({ rank }) => rank));
  return { ...options, tolerance, leafSize, maxRank: rankLimit(most, leafSize) };
}

/** ‖A‖_F, from E‖Ag‖² = ‖A‖_F² for normal g. */
function normByProducts(operator: LinearOperator, seed: number): number {
  const x = zeros(operator.cols, VECTORS);
  new RandomStream(seed, STREAM).fillNormal(x.data);
  const y = zeros(operator.rows, VECTORS);
  operator.applyUnchecked(y, x, 1, 0);
  return norm(view(y.data, 0, y.data.length, 1)) / Math.sqrt(VECTORS);
}
