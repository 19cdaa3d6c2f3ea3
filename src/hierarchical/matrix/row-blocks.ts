/**
 * Bases that are not nested have rows of all indices below a node, and near the root of several ranks' leaves. What is
 * summed over such rows is summed over blocks of them, those of the nodes of one level, which are added along the tree:
 * whoever has which blocks, the bits are the same.
 */
import { levelOf, parentOf } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { nodesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { HierarchicalData } from './data.js';
import { FORMAT_TABLE } from './format.js';

/** At most 2⁶ blocks, of at least so many rows on average: of fewer a block takes less time than what is about it. */
const MOST_LEVEL = 6;
const LEAST_ROWS = 512;

/** The level whose nodes' rows are blocks; more than 2^level ranks do not share such bases. */
export const blockLevel = ({ depth, size }: Pick<ClusterTree, 'depth' | 'size'>): number =>
  Math.max(0, Math.min(depth, MOST_LEVEL, Math.floor(Math.log2(size / LEAST_ROWS))));

/** Rows of each node's bases that this process has: begin[ν] … end[ν] − 1 in tree order. */
export const heldRows = ({ tree, share }: Pick<HierarchicalData, 'tree' | 'share'>): HeldRows => share?.rows ?? tree;

/** Positions of each node, or a part of them. */
export type HeldRows = Pick<ClusterTree, 'begin' | 'end'>;

/** Calls `act` for the blocks of node ν that this process has, in tree order: ν itself where it is no higher. */
export function eachBlock(
  { tree, share }: Pick<HierarchicalData, 'tree' | 'share'>,
  ν: number,
  act: (block: number) => void,
): void {
  eachBelow(share, ν, Math.max(blockLevel(tree), levelOf(ν)), act);
}

/** Calls `act` for the nodes of a level that are ν or lie below it, of several ranks those that this one holds. */
export function eachBelow(
  share: HierarchicalData['share'],
  ν: number,
  level: number,
  act: (node: number) => void,
): void {
  const count = 2 ** (level - levelOf(ν));
  const first = (ν + 1) * count - 1;
  for (let μ = first; μ < first + count; μ++) if (share?.held[μ] !== 0) act(μ);
}

/**
 * Where the skeleton weights of each node begin in an upward pass. Of bases that are not nested a node from the block
 * level on up has behind its own weights its part of those of all nodes above it, the nearest first: so a node's
 * weights, and what it adds to those above, are the sum of what its children add.
 */
export function weightPlaces({ tree, skeletons, format, share }: HierarchicalData): Int32Array {
  const { begin } = skeletons;
  if (FORMAT_TABLE[format].nested) return begin;
  const nodes = nodesOf(tree);
  const places = sharedInt32(nodes + 1);
  const deepest = blockLevel(tree);
  for (let ν = 0; ν < nodes; ν++) {
    let numbers = begin[ν + 1] - begin[ν];
    if (levelOf(ν) <= deepest && (ν === 0 || share?.held[parentOf(ν)] !== 0))
      for (let μ = parentOf(ν); μ > 0; μ = parentOf(μ)) numbers += begin[μ + 1] - begin[μ];
    places[ν + 1] = places[ν] + numbers;
  }
  return places;
}
