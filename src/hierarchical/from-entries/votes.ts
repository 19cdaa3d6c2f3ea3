/**
 * Votes of a node's indices, and of the leaves near to it, for the rows outside: how many of them have each for a
 * neighbor.
 */
import { placeOf } from '../../core/index-places.js';
import { IndexTable } from '../../core/index-table.js';
import { leftChild } from '../../core/indices.js';
import { type ClusterTree, firstLeaf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { KnownIndices } from '../../tree/known-indices.js';
import type { Voters } from './voters.js';

/** What votes are counted from. */
export interface VotesState extends Voters, KnownIndices, Pick<InteractionLists, 'nearBegin' | 'near'> {
  readonly tree: ClusterTree;
  /** κ neighbors in each row, nearest first, and κ (tree/neighbors.ts, `NeighborRows`). */
  readonly neighbors: Int32Array;
  readonly neighborCount: number;
}

/** Votes for rows outside a node, in the order in which each got its first one. */
export interface GivenVotes {
  readonly indices: Int32Array;
  readonly votes: Int32Array;
  /** The leaf of each. */
  readonly leaves: Int32Array;
}

/** First and last leaf below ν, numbered within their level. */
export function leavesBelow(tree: ClusterTree, ν: number): { readonly first: number; readonly last: number } {
  const leaf0 = firstLeaf(tree);
  let [first, last] = [ν, ν];
  while (first < leaf0) {
    first = leftChild(first);
    last = 2 * last + 2;
  }
  return { first: first - leaf0, last: last - leaf0 };
}

/**
 * inside[leaf] ← 1 for the leaves of ν and those near to them, and for isolated rows, whose number is that of the
 * leaves; else 0. Writes the near ones outside ν to `nearLeaves`, in the order in which leaves of ν list them, and to
 * `listers` the first that does; returns how many they are.
 */
export function markInside(
  { tree, nearBegin, near }: Pick<VotesState, 'tree' | 'nearBegin' | 'near'>,
  ν: number,
  inside: Uint8Array,
  nearLeaves: Int32Array,
  listers?: Int32Array,
): number {
  const { first, last } = leavesBelow(tree, ν);
  inside.fill(0);
  inside[inside.length - 1] = 1;
  inside.fill(1, first, last + 1);
  let count = 0;
  for (let leaf = first; leaf <= last; leaf++)
    for (let e = nearBegin[leaf]; e < nearBegin[leaf + 1]; e++) {
      if (inside[near[e]] !== 0) continue;
      inside[near[e]] = 1;
      if (listers !== undefined) listers[count] = leaf;
      nearLeaves[count++] = near[e];
    }
  return count;
}

/** Votes that were counted, and for whom, in the order in which each got its first one. */
export class Votes {
  readonly #table = new IndexTable();
  /** By place. */
  #votes: Int32Array = new Int32Array(this.#table.list.length);
  #leaves: Int32Array = new Int32Array(this.#table.list.length);
  /** An index's neighbors outside, and their leaves. */
  #outside = new Int32Array(0);

  /** How many rows have any. */
  get count(): number {
    return this.#table.count;
  }

  /** Their indices, `count` at the beginning of the array. */
  get touched(): Int32Array {
    return this.#table.list;
  }

  /** How many each has. */
  get votes(): Int32Array {
    return this.#votes;
  }

  /** The leaf of each. */
  get leaves(): Int32Array {
    return this.#leaves;
  }

  /** Whether row i has any. */
  has(i: number): boolean {
    return this.#table.placeOf(i) >= 0;
  }

  /** Nobody has any. */
  clear(): void {
    this.#votes.fill(0, 0, this.#table.count);
    this.#table.clear();
    const room = this.#table.list.length;
    if (this.#votes.length > room) [this.#votes, this.#leaves] = [new Int32Array(room), new Int32Array(room)];
  }

  /** Gives so many to each of these. */
  give({ indices, votes, leaves }: GivenVotes): void {
    for (let t = 0; t < indices.length; t++) this.#give(indices[t], votes[t], leaves[t]);
  }

  #give(j: number, votes: number, leaf: number): void {
    const place = this.#table.add(j);
    if (place >= this.#votes.length) {
      const larger = (some: Int32Array): Int32Array => {
        const all = new Int32Array(this.#table.list.length);
        all.set(some);
        return all;
      };
      [this.#votes, this.#leaves] = [larger(this.#votes), larger(this.#leaves)];
    }
    this.#votes[place] += votes;
    this.#leaves[place] = leaf;
  }

  /**
   * Counts, for every row outside, how many indices of node μ, on this level, have it as a neighbor: each index as
   * often as it has neighbors outside. One that is nearest to the row and does not know it counts as often as an index
   * that has all its neighbors outside: outliers, in the node and outside, come first.
   */
  add(state: VotesState, inside: Uint8Array, μ: number, level: number): void {
    const { tree, places, leafAt, rowAt, neighbors, neighborCount } = state;
    const { nearestBegin, nearestOf, reach, first: from } = state;
    // A tree that was given needs no neighbors: there are no lists.
    if (neighborCount === 0) return;
    if (this.#outside.length < 2 * neighborCount) this.#outside = new Int32Array(2 * neighborCount);
    const rows = this.#outside.subarray(0, neighborCount);
    const leaves = this.#outside.subarray(neighborCount);
    const { order } = tree;
    const end = tree.end[μ];
    for (let p = tree.begin[μ]; p < end; p++) {
      // What is known of the index's own node alone; of leaves that another rank has nothing is.
      if (p >= from && p - from < reach.length && reach[p - from] >= level) continue;
      const row = rowAt[placeOf(places, order[p])];
      const first = row * neighborCount;
      const last = first + neighborCount;
      let outside = 0;
      for (let q = first; q < last; q++) {
        const j = neighbors[q];
        const leaf = leafAt[placeOf(places, j)];
        rows[outside] = j;
        leaves[outside] = leaf;
        outside += 1 - inside[leaf];
      }
      for (let k = 0; k < outside; k++) this.#give(rows[k], outside, leaves[k]);
      for (let q = nearestBegin[row], end = nearestBegin[row + 1]; q < end; q++) {
        const leaf = leafAt[placeOf(places, nearestOf[q])];
        if (inside[leaf] === 0) this.#give(nearestOf[q], neighborCount, leaf);
      }
    }
  }
}
