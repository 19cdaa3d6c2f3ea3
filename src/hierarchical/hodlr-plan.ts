/**
 * Recursive factorization of a HODLR matrix: where its factors stand. Layer 5.
 * Depends on ranks alone: made once, kept for every shift.
 */
import { leftChild } from '../core/indices.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Precision } from '../dense/matrix.js';
import { firstLeaf, nodesOf, type HierarchicalData } from './data.js';
import { siblingPairs } from './factor-tree.js';

export interface HodlrPlan {
  readonly precision: Precision;
  /** Q of node ν, (its indices in tree order) × rank. */
  readonly basisBegin: Float64Array;
  /** R of node ν, rank × rank: what its parent's factor is made of. */
  readonly triangleBegin: Float64Array;
  /** Leaf: L. Inner node: X (ranks of its children), then C (order of the right child's rank). */
  readonly factorBegin: Float64Array;
  readonly basisLength: number;
  readonly triangleLength: number;
  readonly factorLength: number;
  /** Far pair of a left child and its sibling. */
  readonly pairOf: Int32Array;
  readonly mostRank: number;
}

/** Throws OptionError where far pairs are not the siblings. */
export function planHodlr(data: HierarchicalData, precision: Precision): HodlrPlan {
  const { tree, skeletons: { begin } } = data;
  const pairOf = siblingPairs(data);
  const nodes = nodesOf(tree);
  const leaf0 = firstLeaf(tree);
  const basisBegin = sharedFloat64(nodes);
  const triangleBegin = sharedFloat64(nodes);
  const factorBegin = sharedFloat64(nodes);
  let basisLength = 0;
  let triangleLength = 0;
  let factorLength = 0;
  let mostRank = 0;
  for (let ν = 0; ν < nodes; ν++) {
    const n = tree.end[ν] - tree.begin[ν];
    const k = begin[ν + 1] - begin[ν];
    mostRank = Math.max(mostRank, k);
    basisBegin[ν] = basisLength;
    triangleBegin[ν] = triangleLength;
    factorBegin[ν] = factorLength;
    basisLength += n * k;
    triangleLength += k * k;
    const l = leftChild(ν);
    const right = ν < leaf0 ? begin[l + 2] - begin[l + 1] : 0;
    factorLength += ν < leaf0 ? (begin[l + 1] - begin[l] + right) * right : n * n;
  }
  return { precision, basisBegin, triangleBegin, factorBegin, basisLength, triangleLength, factorLength, pairOf, mostRank };
}

/** Whether the children of inner node ν are coupled: both have a rank. */
export function coupled({ skeletons: { begin } }: HierarchicalData, ν: number): boolean {
  const l = leftChild(ν);
  return begin[l + 1] > begin[l] && begin[l + 2] > begin[l + 1];
}
