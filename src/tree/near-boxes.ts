/**
 * Subtrees of boxes that other ranks have cut, and that are near to own ones: a rank gets the order of their points,
 * and measures their boxes itself.
 *
 * A point has its κ nearest no farther than the farthest point of any box around it with more than κ points, so that a
 * search by boxes looks at no others than those within reach of that.
 */
import { firstOfLevel, leftChild, parentOf } from '../core/indices.js';
import { sharedFloat64, sharedInt32, toShared } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { exchangeParts, partsOf, type Parts } from '../distributed/exchange-parts.js';
import { rankOfTask, type Portion } from '../core/portion.js';
import { gatherPortions, ownPortion } from '../distributed/portion.js';
import { together } from '../distributed/together.js';
import { Boxes, rootOf, shapeOf, squareBetween, squareWithin, type BoxTree } from './boxes.js';
import type { Ranges } from './split.js';

/** Boxes with the points of those subtrees that are here. */
export interface PlacedBoxes extends BoxTree {
  /** The subtrees that are here, numbered within level `top`: this rank's own, then others. */
  readonly subtrees: Int32Array;
  /** Where the points of each of these begin, and where the last one's end. */
  readonly begin: Int32Array;
  /** Points in the order of the boxes. */
  readonly order: Int32Array;
}

/** The boxes of level `top`, each from the rank that has it, to all ranks; those above are made of them. */
function gatherTop(tree: BoxTree, communicator: Communicator): void {
  const { dimension: d, ranges, low, high } = tree;
  const top = firstOfLevel(ranges.depth);
  const endOf = (subtree: number): number => d * (top + subtree + 1);
  for (const corners of [low, high]) gatherPortions(communicator, corners, top + 1, { begin: d * top, endOf });
  const boxes = new Boxes(tree);
  for (let ν = top - 1; ν >= 0; ν--) boxes.join(ν, leftChild(ν));
}

/** Per subtree 1 where a point of own boxes may have one of its κ nearest there. */
function nearSubtrees(tree: BoxTree, own: Portion, capacity: number): Uint8Array {
  const { ranges } = tree;
  const top = firstOfLevel(ranges.depth);
  const isNear = new Uint8Array(top + 1);
  const visit = (leaf: number, ν: number, reach: number): void => {
    if (squareBetween(tree, leaf, ν) > reach) return;
    if (ν >= top) isNear[ν - top] = 1;
    else for (const child of [leftChild(ν), leftChild(ν) + 1]) visit(leaf, child, reach);
  };
  for (let subtree = own.first; subtree < own.end; subtree++) {
    const size = ranges.end[top + subtree] - ranges.begin[top + subtree];
    const shape = shapeOf(tree, size);
    const root = rootOf(tree, subtree - own.first);
    /** The smallest box around node μ with more than κ points. */
    const around = (μ: number): number => {
      for (; μ >= 0; μ = parentOf(μ)) if (shape.end[μ] - shape.begin[μ] > capacity) return root + μ;
      let ν = parentOf(top + subtree);
      while (ranges.end[ν] - ranges.begin[ν] <= capacity) ν = parentOf(ν);
      return ν;
    };
    for (let μ = firstOfLevel(shape.depth); μ < shape.begin.length; μ++)
      visit(root + μ, 0, squareWithin(tree, root + μ, around(μ)));
  }
  return isNear;
}

/** Subtrees that are here, and where the points of each stand. */
function placesOf({ ranges }: BoxTree, some: Int32Array): Pick<PlacedBoxes, 'subtrees' | 'begin'> {
  const [subtrees, begin] = [toShared(some), sharedInt32(some.length + 1)];
  subtrees.forEach((subtree, slot) => {
    begin[slot + 1] = begin[slot] + sizeOf(ranges, subtree);
  });
  return { subtrees, begin };
}

const sizeOf = ({ depth, begin, end }: Ranges, subtree: number): number =>
  end[firstOfLevel(depth) + subtree] - begin[firstOfLevel(depth) + subtree];

/** Points of each part of subtrees. */
function pointsOf({ numbers, counts }: Parts, ranges: Ranges): Int32Array {
  let at = 0;
  return counts.map((count) => {
    let points = 0;
    for (const end = at + count; at < end; at++) points += sizeOf(ranges, numbers[at]);
    return points;
  });
}

/** A larger copy. */
function grown(array: Float64Array, length: number): Float64Array {
  const copy = inLargePages(sharedFloat64(length));
  copy.set(array);
  return copy;
}

/**
 * Collective: own subtrees, whose points stand at their positions of `order`, and behind them those of other ranks in
 * which own points may have some of their κ nearest, as yet without boxes. Sent are the boxes of level `top`, numbers
 * of subtrees, and 4 bytes for each of their points; where one process has all, nothing. Throws MemoryError.
 */
export function withNear(tree: BoxTree, order: Int32Array, capacity: number, communicator: Communicator): PlacedBoxes {
  const { dimension, ranges, low, high } = tree;
  const { size } = communicator;
  const top = firstOfLevel(ranges.depth);
  const own = ownPortion(communicator, top + 1);
  const ownSubtrees = Int32Array.from({ length: own.end - own.first }, (_, slot) => own.first + slot);
  if (size === 1) return { ...tree, ...placesOf(tree, ownSubtrees), order };
  gatherTop(tree, communicator);
  const wanted = together(communicator, () => {
    const isNear = nearSubtrees(tree, own, capacity).fill(0, own.first, own.end);
    return partsOf(size, 1, (put) => {
      isNear.forEach((is, subtree) => {
        if (is === 1) put(rankOfTask(communicator, subtree, top + 1), subtree);
      });
    });
  });
  const asked = exchangeParts(communicator, wanted);
  const [sent, received] = [pointsOf(asked, ranges), pointsOf(wanted, ranges)];
  const { going, placed } = together(communicator, () => {
    const going = new Int32Array(sent.reduce((sum, points) => sum + points, 0));
    let at = 0;
    for (const subtree of asked.numbers) {
      going.set(order.subarray(ranges.begin[top + subtree], ranges.end[top + subtree]), at);
      at += sizeOf(ranges, subtree);
    }
    const places = placesOf(tree, Int32Array.from([...ownSubtrees, ...wanted.numbers]));
    const { begin, subtrees } = places;
    const corners = dimension * rootOf(tree, subtrees.length);
    const placed: PlacedBoxes = {
      ...tree,
      ...places,
      low: grown(low, corners),
      high: grown(high, corners),
      order: inLargePages(sharedInt32(begin[subtrees.length])),
    };
    const first = ranges.begin[top + own.first];
    if (ownSubtrees.length > 0) placed.order.set(order.subarray(first, first + begin[ownSubtrees.length]));
    return { going, placed };
  });
  communicator.alltoall(going, sent, placed.order.subarray(placed.begin[ownSubtrees.length]), received);
  return placed;
}
