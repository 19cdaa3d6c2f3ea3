/**
 * Recursive factorization of a HODLR matrix: where its factors stand, of several ranks those that this one has.
 * Depends on ranks alone: made once, kept for every shift.
 */
import { leftChild, levelOf, parentOf } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { Precision } from '../../../dense/matrix.js';
import { type HierarchicalData } from '../../matrix/data.js';
import { siblingPairs } from '../tree.js';
import { blockLevel, heldRows } from '../../matrix/row-blocks.js';
import { firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';

/** Ranks of the factorization, and where the parts of each node begin in the arrays that hold them. */
export interface HodlrPlan {
  readonly precision: Precision;
  /** Rank of node ν in the factorization, begin[ν + 1] − begin[ν]: the smaller one of its own and its sibling's. */
  readonly begin: Int32Array;
  /** G of node ν, (its rank in the matrix) × rank: the coupling of siblings is G_l·G_rᵀ. */
  readonly splitBegin: Float64Array;
  /** Q of node ν, (its indices in tree order, of several ranks those that this one has) × rank. */
  readonly basisBegin: Float64Array;
  /** R of node ν, rank × rank: what its parent's factor is made of. */
  readonly triangleBegin: Float64Array;
  /** Leaf: L. Inner node: X, then C, both of the order of its children's rank. */
  readonly factorBegin: Float64Array;
  /** Elements of each array. */
  readonly splitLength: number;
  readonly basisLength: number;
  readonly triangleLength: number;
  readonly factorLength: number;
  /**
   * Scratch of node ν from the block level on up (matrix/row-blocks.ts), for sums over its rows and for their QR, and
   * what sums of projections in passes take of it for each vector.
   */
  readonly slotBegin: Float64Array;
  readonly slotLength: number;
  readonly sumBegin: Int32Array;
  /** Far pair of a left child and its sibling. */
  readonly pairOf: Int32Array;
  /** Largest rank of a node in the factorization, and in the matrix. */
  readonly mostRank: number;
  readonly mostSkeletons: number;
}

/** Columns of all bases above node ν together. */
export function columnsAbove({ begin }: Pick<HodlrPlan, 'begin'>, ν: number): number {
  let columns = 0;
  for (let μ = parentOf(ν); μ > 0; μ = parentOf(μ)) columns += begin[μ + 1] - begin[μ];
  return columns;
}

/** Throws OptionError where far pairs are not the siblings. */
export function planHodlr(data: HierarchicalData, precision: Precision): HodlrPlan {
  const { tree, skeletons, share } = data;
  const rows = heldRows(data);
  const pairOf = siblingPairs(data);
  const nodes = nodesOf(tree);
  const leaf0 = firstLeaf(tree);
  const stored = (ν: number): number => skeletons.begin[ν + 1] - skeletons.begin[ν];
  const rankOf = (ν: number): number =>
    ν === 0 ? 0 : Math.min(stored(leftChild(parentOf(ν))), stored(leftChild(parentOf(ν)) + 1));
  const begin = sharedInt32(nodes + 1);
  const splitBegin = sharedFloat64(nodes);
  const basisBegin = sharedFloat64(nodes);
  const triangleBegin = sharedFloat64(nodes);
  const factorBegin = sharedFloat64(nodes);
  /** The largest rank of a node above ν. */
  const sumsOf = (ν: number): number => {
    let most = 0;
    for (let μ = parentOf(ν); μ > 0; μ = parentOf(μ)) most = Math.max(most, begin[μ + 1] - begin[μ]);
    return most;
  };
  let splitLength = 0;
  let basisLength = 0;
  let triangleLength = 0;
  let factorLength = 0;
  let mostRank = 0;
  let mostSkeletons = 0;
  for (let ν = 0; ν < nodes; ν++) {
    const n = share?.held[ν] === 0 ? 0 : rows.end[ν] - rows.begin[ν];
    const k = rankOf(ν);
    begin[ν + 1] = begin[ν] + k;
    mostRank = Math.max(mostRank, k);
    mostSkeletons = Math.max(mostSkeletons, stored(ν));
    splitBegin[ν] = splitLength;
    basisBegin[ν] = basisLength;
    triangleBegin[ν] = triangleLength;
    factorBegin[ν] = factorLength;
    splitLength += stored(ν) * k;
    basisLength += n * k;
    triangleLength += k * k;
    factorLength += ν < leaf0 ? 2 * rankOf(leftChild(ν)) ** 2 : n * n;
  }
  const deepest = blockLevel(tree);
  const slotBegin = sharedFloat64(nodes);
  const sumBegin = sharedInt32(nodes + 1);
  const slots = new Float64Array(nodes);
  let slotLength = 0;
  for (let ν = 0; ν < nodes; ν++) {
    slotBegin[ν] = slotLength;
    sumBegin[ν + 1] = sumBegin[ν];
    const parent = parentOf(ν);
    if (ν === 0 || levelOf(ν) > deepest || share?.held[parent] === 0) continue;
    const k = begin[ν + 1] - begin[ν];
    slots[ν] = Math.max(slots[parent], k * columnsAbove({ begin }, ν), levelOf(ν) < deepest ? 3 * k * k : 0);
    slotLength += slots[ν];
    sumBegin[ν + 1] += sumsOf(ν);
  }
  return {
    precision,
    begin,
    slotBegin,
    slotLength,
    sumBegin,
    splitBegin,
    basisBegin,
    triangleBegin,
    factorBegin,
    splitLength,
    basisLength,
    triangleLength,
    factorLength,
    pairOf,
    mostRank,
    mostSkeletons,
  };
}

/** Whether the children of inner node ν are coupled. */
export function coupled({ begin }: HodlrPlan, ν: number): boolean {
  const l = leftChild(ν);
  return begin[l + 1] > begin[l];
}
