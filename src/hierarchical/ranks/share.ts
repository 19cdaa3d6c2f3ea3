/**
 * A rank's share of a cluster tree, where several ranks work on one matrix.
 *
 * The nodes of one level are dealt out in order, each with all that lies below it; a rank holds these and the nodes
 * above them. So a node near the root is held by several ranks, which all compute it, from the same numbers and to the
 * same bits: that takes no longer than one of them would, and what a rank needs from others is one number set for each
 * level, that of the sibling which it does not hold (exchange.ts).
 */
import { firstOfLevel, levelOf, parentOf } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { firstLeaf, nodesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { PositionRange } from '../../tree/split.js';

/** How nodes are dealt out to ranks. Plain data. */
export interface Dealing {
  readonly ranks: number;
  /** The level whose nodes are dealt out. */
  readonly level: number;
  /** Rank r has the nodes firstOfLevel(level) + bounds[r] … bounds[r + 1] − 1: none where there are more ranks. */
  readonly bounds: Int32Array;
}

/** Which nodes one rank of several holds. Plain data over shared memory: workers see it. */
export interface HeldNodes extends Dealing {
  readonly rank: number;
  /** 1 for nodes that this rank holds: its own ones, what lies below and above them. */
  readonly held: Uint8Array;
  /** The positions of each node that this rank has: begin[ν] … end[ν] − 1. */
  readonly rows: Pick<ClusterTree, 'begin' | 'end'>;
}

/** Nodes that go to a rank and come from it, each ascending. */
export interface HaloPeer {
  readonly peer: number;
  readonly sends: Int32Array;
  readonly receives: Int32Array;
}

/** A rank's halo. Plain data. */
export interface Halo {
  readonly peers: readonly HaloPeer[];
  /** Leaves (as nodes) that are near to some of another rank: whose vectors go to it and come from it. */
  readonly leaves: readonly HaloPeer[];
}

/** What one rank of several has of a matrix. */
export interface Share extends HeldNodes {
  /** The lists of the whole matrix. */
  readonly lists: InteractionLists;
  readonly halo: Halo;
  /** Ranks of the skeletons of all nodes, whoever holds them; filled once they are known. */
  readonly skeletonRanks: Int32Array;
  /** 1 for each far pair of the whole lists of which this rank knows that its coupling is zero; filled once known. */
  readonly zeroPairs: Int32Array;
  /** 1 once this rank knows the order of all leaves as they are laid out: the same on all ranks. */
  readonly orderIsWhole: Int32Array;
}

/** Levels of nodes more than it takes to give everyone one, where ranks are no power of two: shares are more even. */
const FINER = 2;

/** How the nodes of a tree of that depth are dealt out to so many ranks. */
export function dealing(depth: number, ranks: number): Dealing {
  const enough = Math.ceil(Math.log2(ranks));
  const level = Math.min(depth, 2 ** enough === ranks ? enough : enough + FINER);
  const bounds = Int32Array.from({ length: ranks + 1 }, (_, r) => Math.floor((r * 2 ** level) / ranks));
  return { ranks, level, bounds };
}

/** The nodes of rank `rank` of `ranks`, dealt out on level `deepest` at most. */
export function dealOut(tree: ClusterTree, rank: number, ranks: number, deepest = tree.depth): HeldNodes {
  const dealt = dealing(deepest, ranks);
  const { level, bounds } = dealt;
  const nodes = nodesOf(tree);
  const held = new Uint8Array(new SharedArrayBuffer(nodes));
  const first = firstOfLevel(level);
  held.fill(1, first + bounds[rank], first + bounds[rank + 1]);
  for (let ν = 2 * first + 1; ν < nodes; ν++) held[ν] = held[parentOf(ν)];
  for (let ν = 2 * first; ν > 0; ν--) held[parentOf(ν)] |= held[ν];
  const own = positionsOf(tree, dealt, rank);
  const rows = { begin: sharedInt32(nodes), end: sharedInt32(nodes) };
  for (let ν = 0; ν < nodes; ν++) {
    rows.begin[ν] = Math.max(tree.begin[ν], own.begin);
    rows.end[ν] = Math.max(rows.begin[ν], Math.min(tree.end[ν], own.end));
  }
  return { ...dealt, rank, held, rows };
}

/** The ranks that hold node ν, `first` … `end` − 1 but for those that hold nothing. */
function holdersOf(share: Dealing, ν: number): { readonly first: number; readonly end: number } {
  const { bounds, ranks } = share;
  const own = levelOf(ν);
  const below = 2 ** Math.max(0, share.level - own);
  const at = (own <= share.level ? ν : ancestorOn(share.level, ν)) - firstOfLevel(Math.min(own, share.level));
  const [from, to] = [at * below, (at + 1) * below];
  let first = 0;
  while (first < ranks && bounds[first + 1] <= from) first++;
  let end = first;
  while (end < ranks && bounds[end] < to) end++;
  return { first, end };
}

/** The node of that level above ν, or ν. */
export function ancestorOn(level: number, ν: number): number {
  let μ = ν;
  while (levelOf(μ) > level) μ = parentOf(μ);
  return μ;
}

/** Ranks that hold node ν, ascending. */
export function holders(share: Dealing, ν: number): number[] {
  const { first, end } = holdersOf(share, ν);
  const found: number[] = [];
  for (let r = first; r < end; r++) if (share.bounds[r] < share.bounds[r + 1]) found.push(r);
  return found;
}

/** Whether this rank is the first of those that hold node ν: what is counted over all ranks is counted by it. */
export const countsFor = (share: HeldNodes, ν: number): boolean =>
  share.held[ν] === 1 && holders(share, ν)[0] === share.rank;

/** Nodes of a level that this rank holds, ascending. */
export function heldNodes({ held }: HeldNodes, level: number): Int32Array {
  const first = firstOfLevel(level);
  const found: number[] = [];
  for (let ν = first; ν < 2 * first + 1; ν++) if (held[ν] === 1) found.push(ν);
  return Int32Array.from(found);
}

/** Whether this rank needs what is known of node ν: it holds it, or its parent. */
export const concerns = ({ held }: HeldNodes, ν: number): boolean =>
  held[ν] === 1 || (ν > 0 && held[parentOf(ν)] === 1);

/** The part of all leaves that a rank holds. */
export const shareOfLeaves = ({ bounds, rank, level }: HeldNodes): number =>
  (bounds[rank + 1] - bounds[rank]) / 2 ** level;

/** Positions in tree order of the leaves that rank r holds, [begin, end). */
export function positionsOf(tree: ClusterTree, { level, bounds }: Dealing, r: number): PositionRange {
  const first = firstOfLevel(level);
  if (bounds[r] === bounds[r + 1]) return { begin: tree.end[0], end: tree.end[0] };
  return { begin: tree.begin[first + bounds[r]], end: tree.end[first + bounds[r + 1] - 1] };
}

/** The positions that each rank has indices of: those of its leaves, and isolated ones before the first of all. */
export function rangesOf(tree: ClusterTree, dealt: Dealing): PositionRange[] {
  return Array.from({ length: dealt.ranks }, (_, r) => {
    const { begin, end } = positionsOf(tree, dealt, r);
    return { begin: begin === tree.begin[0] ? 0 : begin, end };
  });
}

/** The positions that this rank has indices of; all of a process that is alone. */
export const ownPositions = (tree: ClusterTree, share: HeldNodes | undefined): PositionRange =>
  share === undefined ? { begin: 0, end: tree.size } : rangesOf(tree, share)[share.rank];

/** Whether the first leaf is this rank's: isolated indices, which stand before it, count as its own. */
export const hasFirst = (tree: ClusterTree, share: HeldNodes): boolean => share.held[firstLeaf(tree)] === 1;

/** Whether leaf number `leaf` is this rank's. */
export const holdsLeaf = (tree: ClusterTree, { held }: HeldNodes, leaf: number): boolean =>
  held[firstLeaf(tree) + leaf] === 1;
