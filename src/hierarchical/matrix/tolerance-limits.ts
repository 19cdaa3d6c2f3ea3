/**
 * What keeps a compression from its tolerance: part of its report.
 */
import { levelOf } from '../../core/indices.js';

/**
 * What kept a compression from its tolerance:
 * - `maxRank`: nodes of `level` missed their share, their ranks at most `rank`, at the limit;
 * - `rows`: the ranks are free, but the rows that skeletons are found from did not show all of the matrix;
 * - `oversampling`: the ranks are free, but the random vectors did not show all of the operator (from products);
 * - `preserve`: the interpolation that keeps K̃ positive semidefinite is not the best fit
 *   (hierarchical/from-entries/definite-interpolation.ts);
 * - `budget`: the near blocks (`fmm`) use all that the budget gives them;
 * - `dtype`: the tolerance lies below what the precision of storage can hold.
 */
export type ToleranceLimitKind = 'maxRank' | 'rows' | 'oversampling' | 'preserve' | 'budget' | 'dtype';

/** One limit, with the nodes that it concerns. */
export interface ToleranceLimit {
  readonly limit: ToleranceLimitKind;
  /** Present where nodes of a level missed their share: the level, their number, and their largest rank. */
  readonly level?: number | undefined;
  readonly nodes?: number | undefined;
  readonly rank?: number | undefined;
}

/** A node that missed its share of the tolerance. */
export interface MissedNode {
  readonly node: number;
  readonly rank: number;
}

/** A rank from this share of maxRank on is at the limit: a node does not go on looking for the last few. */
export const NEAR_LIMIT = 0.9;
/** Near blocks that use this share of the budget use all of it: rows are filled leaf by leaf. */
const BUDGET_USED = 0.9;
/** Rounding of a product and of storage, relative to ‖K‖_F, in units of the precision's ε. */
const ROUNDING = 16;

const epsilonOf = (dtype: string): number => (dtype === 'f32' ? 2 ** -23 : Number.EPSILON);

/** The error that counts as met: the tolerance, or with tolerance 0 what rounding leaves of N terms. */
export const allowedError = (tolerance: number, dtype: string, size: number): number =>
  tolerance > 0 ? tolerance : ROUNDING * epsilonOf(dtype) * Math.sqrt(size);

/** Whether a relative error is of the size that rounding to `dtype` makes. */
export const isRounding = (error: number, dtype: string): boolean => error <= ROUNDING * epsilonOf(dtype);

/**
 * The limits of nodes that missed their share, level by level from the root; `otherwise` for those whose ranks are
 * free.
 */
export function limitsOfNodes(
  missed: readonly MissedNode[],
  maxRank: number,
  otherwise: ToleranceLimitKind,
): ToleranceLimit[] {
  const found = new Map<string, { limit: ToleranceLimitKind; level: number; nodes: number; rank: number }>();
  for (const { node, rank } of missed) {
    const level = levelOf(node);
    const limit = rank >= NEAR_LIMIT * maxRank ? 'maxRank' : otherwise;
    const key = `${level} ${limit}`;
    const entry = found.get(key);
    if (entry === undefined) found.set(key, { limit, level, nodes: 1, rank });
    else {
      entry.nodes++;
      entry.rank = Math.max(entry.rank, rank);
    }
  }
  return [...found.values()].sort((a, b) => a.level - b.level);
}

interface MatrixLimits {
  readonly format: string;
  readonly budget: number;
  readonly budgetUsed: number;
  readonly dtype: string;
  readonly tolerance: number;
}

/** Limits of the matrix as a whole: the near blocks' budget and the precision of storage. */
export function limitsOfMatrix({ format, budget, budgetUsed, dtype, tolerance }: MatrixLimits): ToleranceLimit[] {
  const limits: ToleranceLimit[] = [];
  if (format === 'fmm' && budgetUsed >= BUDGET_USED * budget) limits.push({ limit: 'budget' });
  if (tolerance > 0 && tolerance < epsilonOf(dtype)) limits.push({ limit: 'dtype' });
  return limits;
}
