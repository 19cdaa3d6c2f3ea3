/**
 * ULV factorization of an HSS matrix: what is eliminated where, and where its factors stand.
 * Depends on ranks alone: made once, kept for every shift.
 */
import { firstOfLevel, leftChild, levelOf, rightChild } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { Precision } from '../../../dense/matrix.js';
import { isolatedOf, type ClusterTree, firstLeaf, leavesOf, nodesOf } from '../../../tree/cluster-tree.js';
import { type HierarchicalData } from '../../matrix/data.js';
import { eliminationFlops } from '../elimination-flops.js';
import { siblingPairs, SPLIT_FROM, splitLevel } from '../tree.js';
import { basisRows } from '../../matrix/layout.js';

/** What each node eliminates, and where its parts begin in the arrays that hold them. */
export interface UlvPlan {
  readonly precision: Precision;
  /**
   * Node ν eliminates variables begin[ν] … begin[ν + 1]: its redundant candidates (at a leaf, indices; at an inner
   * node, its children's skeletons, the left one's first; at the root all). Every index is eliminated once; the first
   * variables are the isolated indices.
   */
  readonly begin: Int32Array;
  /** Where node ν's variables begin in the factor's own order: of several ranks, that of the whole matrix. */
  readonly variables: Int32Array;
  /** L (R × R, R = variables eliminated at ν), then V (R × rank), from factorBegin[ν]. */
  readonly factorBegin: Float64Array;
  readonly factorLength: number;
  /** Schur complements: node ν's stands in the slot of its leftmost leaf, from which its parent's then replaces it. */
  readonly slotBegin: Float64Array;
  readonly slotLength: number;
  /** Skeletons of each node. */
  readonly rank: Int32Array;
  /**
   * Nodes that several workers eliminate: where their scratch (rank² + R·rank numbers) begins behind the Schur
   * complements; −1 for the others.
   */
  readonly splitBegin: Float64Array;
  readonly splitLength: number;
  /** Far pair of a left child and its sibling. */
  readonly pairOf: Int32Array;
  /** Largest R and rank of a node, for scratch. */
  readonly mostEliminated: number;
  readonly mostRank: number;
  /** Flops of one factorization by Cholesky. */
  readonly flops: number;
}

/** Number of the leaf furthest left below node ν. */
export const leftmostLeaf = ({ depth }: ClusterTree, ν: number): number =>
  (ν + 1) * 2 ** (depth - levelOf(ν)) - 2 ** depth;

/**
 * The plan; of several ranks, of what this one's share holds. Throws OptionError where the matrix is not HSS: near
 * blocks off the diagonal, or far pairs other than siblings.
 */
export function planUlv(data: HierarchicalData, precision: Precision): UlvPlan {
  const { tree, skeletons, share } = data;
  const pairOf = siblingPairs(data);
  const nodes = nodesOf(tree);
  const leaf0 = firstLeaf(tree);
  const ranks = sharedInt32(nodes);
  for (let ν = 0; ν < nodes; ν++) ranks[ν] = skeletons.begin[ν + 1] - skeletons.begin[ν];
  const rank = (ν: number): number => ranks[ν];
  const begin = sharedInt32(nodes + 1);
  const factorBegin = sharedFloat64(nodes);
  const slots = new Float64Array(leavesOf(tree));
  begin[0] = isolatedOf(tree);
  let mostEliminated = 0;
  let mostRank = 0;
  let flops = 0;
  for (let ν = 0; ν < nodes; ν++) {
    const k = rank(ν);
    const candidates =
      share?.held[ν] === 0 ? k : ν < leaf0 ? rank(leftChild(ν)) + rank(rightChild(ν)) : tree.end[ν] - tree.begin[ν];
    const r = candidates - k;
    begin[ν + 1] = begin[ν] + r;
    mostEliminated = Math.max(mostEliminated, r);
    mostRank = Math.max(mostRank, k);
    flops += eliminationFlops(r, k);
    const leaf = leftmostLeaf(tree, ν);
    slots[leaf] = Math.max(slots[leaf], k * k);
  }
  // Leaves first, then level by level: the order of the upward pass.
  let factorLength = 0;
  for (let level = tree.depth; level >= 0; level--) {
    for (let ν = 2 ** level - 1; ν < 2 ** (level + 1) - 1; ν++) {
      const r = begin[ν + 1] - begin[ν];
      factorBegin[ν] = factorLength;
      factorLength += r * (r + rank(ν));
    }
  }
  const slotBegin = sharedFloat64(slots.length);
  const variables = share === undefined ? begin : wholeOrder(tree, share.skeletonRanks);
  let slotLength = 0;
  slots.forEach((length, leaf) => {
    slotBegin[leaf] = slotLength;
    slotLength += length;
  });
  const splitBegin = sharedFloat64(nodes).fill(-1);
  let splitLength = 0;
  for (let ν = 0; ν < firstOfLevel(splitLevel(tree)); ν++) {
    const r = begin[ν + 1] - begin[ν];
    if (r === 0 || r + rank(ν) <= SPLIT_FROM) continue;
    splitBegin[ν] = slotLength + splitLength;
    splitLength += (r + rank(ν)) * rank(ν);
  }
  return {
    precision,
    begin,
    variables,
    factorBegin,
    factorLength,
    slotBegin,
    slotLength,
    rank: ranks,
    splitBegin,
    splitLength,
    pairOf,
    mostEliminated,
    mostRank,
    flops,
  };
}

/** `begin` of the whole matrix, from the ranks of all nodes. */
function wholeOrder(tree: ClusterTree, ranks: Int32Array): Int32Array {
  const begin = sharedInt32(ranks.length + 1);
  begin[0] = isolatedOf(tree);
  for (let ν = 0; ν < ranks.length; ν++) {
    const candidates = ν < firstLeaf(tree) ? ranks[leftChild(ν)] + ranks[rightChild(ν)] : tree.end[ν] - tree.begin[ν];
    begin[ν + 1] = begin[ν] + candidates - ranks[ν];
  }
  return begin;
}

/** The stored interpolations in the factor's precision: the matrix's own where they agree, else a copy. */
export function basisIn(
  data: HierarchicalData,
  precision: Precision,
  allocate: (length: number) => Float64Array | Float32Array,
): { basis: Float64Array | Float32Array; basisBegin: Float64Array; copied: boolean } {
  const { tree, skeletons, offsets, values, share } = data;
  if (data.dtype === precision) return { basis: values, basisBegin: offsets.basis, copied: false };
  const nodes = nodesOf(tree);
  const length = (ν: number): number =>
    share?.held[ν] === 0 ? 0 : basisRows(tree, skeletons, true, ν) * (skeletons.begin[ν + 1] - skeletons.begin[ν]);
  const basisBegin = sharedFloat64(nodes);
  let total = 0;
  for (let ν = 0; ν < nodes; ν++) {
    basisBegin[ν] = total;
    total += length(ν);
  }
  const basis = allocate(total);
  for (let ν = 0; ν < nodes; ν++)
    basis.set(values.subarray(offsets.basis[ν], offsets.basis[ν] + length(ν)), basisBegin[ν]);
  return { basis, basisBegin, copied: true };
}
