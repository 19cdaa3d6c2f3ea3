/**
 * Boxes around points: of a tree whose nodes are cut at medians, down to level `top` whole, and below it of those
 * subtrees that a rank has, its own ones first, one after another. All subtrees have one of two sizes, so two shapes
 * tell the positions in each of them.
 */
import { firstOfLevel, leftChild } from '../core/indices.js';
import { placeOf, type IndexPlaces } from '../core/index-places.js';
import type { Points } from '../source/entry-source.js';
import { halvedRanges, splitAtMedian, visitInner, type Ranges } from './split.js';

/**
 * Box ν is Π [low[d·ν + c], high[d·ν + c]]: those down to level `top` by their numbers in the tree, then those of each
 * subtree that is here by their numbers in it (`rootOf`).
 */
export interface BoxTree extends Pick<Points, 'dimension' | 'coordinates'> {
  /** Which points have coordinates here, and where; empty where all have. */
  readonly places: IndexPlaces;
  /** Down to level `top`. */
  readonly ranges: Ranges;
  /** The same of a subtree of the smaller size, and of one point more. */
  readonly shapes: readonly [Ranges, Ranges];
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Points in the order of the boxes, and one value per position: what boxes are cut by. */
interface CutOrder {
  readonly order: Int32Array;
  readonly values: Float64Array;
}

/** Ranges of a tree of so many levels over `count` positions, and of its subtrees below level `top`. */
export function boxShapes(count: number, depth: number, top: number): Pick<BoxTree, 'ranges' | 'shapes'> {
  const least = Math.floor(count / 2 ** top);
  const shapeOf = (size: number): Ranges => halvedRanges(size, depth - top);
  return { ranges: halvedRanges(count, top), shapes: [shapeOf(least), shapeOf(least + 1)] };
}

/** The number of the box around the subtree that is here as number `slot`; of its node μ it is the μ-th after it. */
export const rootOf = ({ ranges, shapes }: Pick<BoxTree, 'ranges' | 'shapes'>, slot: number): number =>
  ranges.begin.length + slot * shapes[0].begin.length;

/** The shape of a subtree of so many points. */
export const shapeOf = ({ shapes }: Pick<BoxTree, 'shapes'>, size: number): Ranges => shapes[size - shapes[0].end[0]];

/** Points of the largest leaf. */
export const mostInBox = ({ shapes: [, { depth, end }] }: Pick<BoxTree, 'shapes'>): number => end[firstOfLevel(depth)];

/** The square of the distance between two boxes. */
export function squareBetween({ dimension: d, low, high }: BoxTree, μ: number, ν: number): number {
  let sum = 0;
  for (let c = 0; c < d; c++) {
    const gap = Math.max(0, low[d * μ + c] - high[d * ν + c], low[d * ν + c] - high[d * μ + c]);
    sum += gap * gap;
  }
  return sum;
}

/**
 * The largest square of a distance between a point of the one box and one of the other, as the search rounds it: its
 * differences, squares and sums of as many terms in the same order are no larger.
 */
export function squareWithin({ dimension: d, low, high }: BoxTree, μ: number, ν: number): number {
  let sum = 0;
  for (let c = 0; c < d; c++) {
    const most = Math.max(high[d * ν + c] - low[d * μ + c], high[d * μ + c] - low[d * ν + c]);
    sum += most * most;
  }
  return sum;
}

/** Measures boxes, and cuts them. */
export class Boxes {
  readonly #tree: BoxTree;

  constructor(tree: BoxTree) {
    this.#tree = tree;
  }

  /** Box ν around the points order[begin … end − 1]. */
  measure(ν: number, order: Int32Array, begin: number, end: number): void {
    const { dimension: d, coordinates: x, places, low, high } = this.#tree;
    for (let c = 0; c < d; c++) {
      let least = Infinity;
      let most = -Infinity;
      for (let p = begin; p < end; p++) {
        const value = x[placeOf(places, order[p]) * d + c];
        if (value < least) least = value;
        if (value > most) most = value;
      }
      low[d * ν + c] = least;
      high[d * ν + c] = most;
    }
  }

  /** Box ν around box μ and the next one. */
  join(ν: number, μ: number): void {
    const { dimension: d, low, high } = this.#tree;
    for (let c = 0; c < d; c++) {
      low[d * ν + c] = Math.min(low[d * μ + c], low[d * (μ + 1) + c]);
      high[d * ν + c] = Math.max(high[d * μ + c], high[d * (μ + 1) + c]);
    }
  }

  /** Box ν ← box μ. */
  copy(ν: number, μ: number): void {
    const { dimension: d, low, high } = this.#tree;
    for (const corners of [low, high]) corners.copyWithin(d * ν, d * μ, d * (μ + 1));
  }

  /** values[p], from … to − 1: the coordinate of point order[p] along the widest side of box ν. */
  project(ν: number, { order, values }: CutOrder, from: number, to: number): void {
    const { dimension: d, coordinates: x, places, low, high } = this.#tree;
    let widest = 0;
    for (let c = 1; c < d; c++)
      if (high[d * ν + c] - low[d * ν + c] > high[d * ν + widest] - low[d * ν + widest]) widest = c;
    for (let p = from; p < to; p++) values[p] = x[placeOf(places, order[p]) * d + widest];
  }

  /** Measures the boxes of a subtree whose points stand from `begin` on, and cuts each across its widest side. */
  cutSubtree(slot: number, cut: CutOrder, begin: number, end: number): void {
    const shape = shapeOf(this.#tree, end - begin);
    const root = rootOf(this.#tree, slot);
    const { order, values } = cut;
    visitInner(0, 0, shape.depth, (μ) => {
      const [from, to] = [begin + shape.begin[μ], begin + shape.end[μ]];
      this.measure(root + μ, order, from, to);
      this.project(root + μ, cut, from, to);
      splitAtMedian(order, values, from, to);
    });
    this.#measureLeaves(root, order, begin, shape);
  }

  /** The boxes of a subtree that is cut already. */
  measureSubtree(slot: number, order: Int32Array, begin: number, end: number): void {
    const shape = shapeOf(this.#tree, end - begin);
    const root = rootOf(this.#tree, slot);
    this.#measureLeaves(root, order, begin, shape);
    for (let μ = firstOfLevel(shape.depth) - 1; μ >= 0; μ--) this.join(root + μ, root + leftChild(μ));
  }

  #measureLeaves(root: number, order: Int32Array, begin: number, shape: Ranges): void {
    for (let μ = firstOfLevel(shape.depth); μ < shape.begin.length; μ++)
      this.measure(root + μ, order, begin + shape.begin[μ], begin + shape.end[μ]);
  }
}
