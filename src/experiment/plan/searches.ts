/**
 * How the neighbors of a plan are searched for, and what of points beside its own a rank has for that.
 */
import { leafFor } from '../../tree/neighbors.js';
import { boxDepth, MOST_DIMENSIONS } from '../../tree/point-neighbors.js';
import { subtreeLevelFor } from '../../tree/split.js';
import type { PlanSetup } from './options.js';

/** A search. */
export interface PlannedSearch {
  /** Whether in boxes, of which there is one tree; else in trees of random directions. */
  readonly boxed: boolean;
  readonly trees: number;
  /** The level of the subtrees that are dealt out to ranks. */
  readonly top: number;
  /** Ranks that have any, and subtrees beside those of one of them that its points may have neighbors in. */
  readonly searching: number;
  readonly near: number;
}

/**
 * Trees that are searched for so many neighbors as a compression asks for, of uniform points: one for each dimension
 * times the first number, and the second for each time that there are twice as many as 4,096. As counted of 4,096 to
 * 131,072 points in 5 to 16 dimensions (3 to 15 trees, good to one or two); more are not searched than MOST_TREES.
 */
const TREES = [0.66, 0.08] as const;
const MOST_TREES = 24;

/** Of the sides of so many equal cubes, those with another one beyond. */
export const cutSides = (parts: number, dimension: number): number => 1 - parts ** (-1 / dimension);

/** The search of a setup. */
export function plannedSearch({ size, ranks, dimension, neighbors }: PlanSetup): PlannedSearch {
  const boxed = dimension <= MOST_DIMENSIONS;
  const depth = boxed ? boxDepth(size) : Math.floor(Math.log2(size / leafFor(Math.max(1, neighbors))));
  const top = subtreeLevelFor(size, depth);
  const searching = Math.min(ranks, 2 ** top);
  if (!boxed) {
    const [each, doubled] = TREES;
    const trees = Math.round(dimension * (each + doubled * Math.max(0, Math.log2(size / 4096))));
    return { boxed, trees: Math.min(MOST_TREES, trees), top, searching, near: 0 };
  }
  const own = 2 ** top / searching;
  // One beyond each side, so far as there are.
  const around = ((1 + 2 * own ** (-1 / dimension)) ** dimension - 1) * cutSides(searching, dimension);
  return { boxed, trees: 1, top, searching, near: Math.min(2 ** top - own, own * around) };
}
