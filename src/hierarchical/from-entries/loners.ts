/**
 * Lonely indices of every node of a tree: neighbors of few others, those at the rim of a cloud, or between clusters.
 */
import { firstOfLevel, leftChild } from '../../core/indices.js';
import { placeOf } from '../../core/index-places.js';
import type { Communicator } from '../../distributed/communicator.js';
import type { Portion } from '../../core/portion.js';
import { defineTask } from '../../parallel/task.js';
import { type ClusterTree, firstLeaf } from '../../tree/cluster-tree.js';
import type { KnownIndices } from '../../tree/known-indices.js';
import type { HeldNodes } from '../ranks/share.js';

/** Lonely indices that are known of each node. */
export const LONERS = 16;
/** Lonely: a neighbor of fewer than this share of as many as it has neighbors itself. */
const LONELY = 1 / 2;
/** Levels of the subtrees whose lonely indices are found by a task each. */
const LONER_LEVELS = 5;

/** What is looked at, and found. */
export interface LonersState extends Pick<KnownIndices, 'places' | 'rowAt'> {
  readonly tree: ClusterTree;
  /** Neighbors of each index, and of each row, of how many indices its own is one. */
  readonly count: number;
  readonly known: Int32Array;
  /** Of every node, its lonely indices, neighbors of few others, the loneliest first, LONERS at most; −1 for none. */
  readonly loners: Int32Array;
  /** The level of the subtrees whose lonely indices a task finds, and how well those of their roots are known. */
  readonly top: number;
  readonly lonersKnown: Int32Array;
}

/** The first of the subtrees that this rank looks at. */
export interface FirstSubtree {
  readonly firstSubtree: number;
}

/** The level of the subtrees whose lonely indices are found by a task each: none is shared by ranks. */
export const lonerLevel = (depth: number, shareLevel: number): number => Math.max(shareLevel, depth - LONER_LEVELS);

/** This rank's subtrees of a level at or below that of the nodes that are dealt out. */
export function subtreesOf(share: HeldNodes | undefined, level: number): Portion {
  if (share === undefined) return { first: 0, end: 2 ** level };
  const below = 2 ** (level - share.level);
  return { first: below * share.bounds[share.rank], end: below * share.bounds[share.rank + 1] };
}

/** Lonely indices of all nodes, of several ranks gathered. Collective. */
export function gatherLoners(state: LonersState, share: HeldNodes | undefined, communicator: Communicator): void {
  const { tree, top, loners, lonersKnown } = state;
  if (share !== undefined) {
    const gather = (numbers: Int32Array, level: number): void => {
      const width = LONERS * 2 ** (level - share.level);
      const counts = Array.from({ length: share.ranks }, (_, r) => width * (share.bounds[r + 1] - share.bounds[r]));
      communicator.allgather(undefined, numbers, counts);
    };
    for (let level = top; level <= tree.depth; level++) {
      const begin = LONERS * firstOfLevel(level);
      gather(loners.subarray(begin, begin + LONERS * 2 ** level), level);
    }
    gather(lonersKnown, top);
  }
  const known = new Map<number, number>();
  loners.subarray(LONERS * firstOfLevel(top), LONERS * firstOfLevel(top + 1)).forEach((i, k) => {
    known.set(i, lonersKnown[k]);
  });
  for (let ν = firstOfLevel(top) - 1; ν >= 0; ν--) keepLoners(loners, ν, ofChildren(loners, ν), (i) => known.get(i)!);
}

/** Whether an index that so many have for a neighbor is lonely. */
export const isLonely = (known: number, count: number): boolean => known < LONELY * count;

/** Keeps the loneliest of some as those of node ν (`Voters.loners`); none without neighbors. */
function keepLoners(loners: Int32Array, ν: number, some: number[], knownOf: (i: number) => number): void {
  some.sort((a, b) => knownOf(a) - knownOf(b) || a - b);
  for (let place = 0; place < LONERS; place++) loners[ν * LONERS + place] = some[place] ?? -1;
}

/** Lonely indices of a node's children. */
const ofChildren = (loners: Int32Array, ν: number): number[] =>
  Array.from(loners.subarray(leftChild(ν) * LONERS, (leftChild(ν) + 2) * LONERS)).filter((i) => i >= 0);

/** Per subtree: the lonely indices of its nodes, and how well those of its root are known. */
export const findLoners = defineTask<LonersState, FirstSubtree>(
  import.meta.url,
  'findLoners',
  ({ tree, places, rowAt, known, count, loners, top, lonersKnown }) => {
    const { depth, order, begin, end } = tree;
    const knownOf = (i: number): number => known[rowAt[placeOf(places, i)]];
    const isLonelyOne = (i: number): boolean => isLonely(knownOf(i), count);
    return (task, { firstSubtree }) => {
      const subtree = firstSubtree + task;
      for (let level = depth; level >= top; level--) {
        const nodes = 2 ** (level - top);
        const first = firstOfLevel(level) + subtree * nodes;
        for (let ν = first; ν < first + nodes; ν++) {
          const some =
            level === depth ? Array.from(order.subarray(begin[ν], end[ν])).filter(isLonelyOne) : ofChildren(loners, ν);
          keepLoners(loners, ν, some, knownOf);
        }
      }
      for (let place = subtree * LONERS; place < (subtree + 1) * LONERS; place++) {
        const i = loners[firstOfLevel(top) * LONERS + place];
        lonersKnown[place] = i < 0 ? 0 : knownOf(i);
      }
    };
  },
);

/** The number of the leaf of a lonely index of node ν: it is one of a child of each node above. Cost: O(1) a level. */
export function leafOfLoner({ tree, loners }: Pick<LonersState, 'tree' | 'loners'>, ν: number, i: number): number {
  const leaf0 = firstLeaf(tree);
  let μ = ν;
  while (μ < leaf0) {
    μ = leftChild(μ);
    let place = 0;
    while (place < LONERS && loners[μ * LONERS + place] !== i) place++;
    if (place === LONERS) μ++;
  }
  return μ - leaf0;
}
