/**
 * From ranks to addresses: the apply order of indices and skeletons, and where every block begins.
 * Serial and cheap, O(number of skeletons): it decides the order of memory, so it must not depend on who computed what.
 */
import { precisionOf } from '../../core/floats.js';
import { leftChild, rightChild } from '../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { type ClusterTree, firstLeaf, leavesOf, mostInLeaf, nodesOf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { holdsLeaf, type Share } from '../ranks/share.js';
import { diagonalOrder, type BlockOffsets, type Skeletons, type HierarchicalData } from './data.js';
import type { FloatArray } from '../../dense/matrix.js';
import type { HeldRows } from './row-blocks.js';

/** What skeletonization found, in pivot order (hierarchical/from-entries/skeletonize.ts). */
export interface FoundSkeletons {
  readonly maxRank: number;
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
}

/** The order of memory, before anything stands in it. */
export interface Layout {
  readonly tree: ClusterTree;
  readonly skeletons: Skeletons;
  readonly offsets: BlockOffsets;
  /** pivotOf[begin[ν] + j]: the pivot number of skeleton j (apply order) of node ν. */
  readonly pivotOf: Int32Array;
  /** Elements of all blocks together, and by kind. */
  readonly elements: {
    readonly total: number;
    readonly basis: number;
    readonly coupling: number;
    readonly near: number;
    readonly diagonal: number;
  };
}

/**
 * Apply order of the skeletons of every node: a child's picked ones first, in its parent's order. Fills begin, pivotOf,
 * gather, picked.
 */
function orderSkeletons(
  tree: ClusterTree,
  found: FoundSkeletons,
  nested: boolean,
  share: Share | undefined,
): { skeletons: Skeletons; pivotOf: Int32Array } {
  const nodes = nodesOf(tree);
  const { ranks, choice, maxRank } = found;
  const begin = sharedInt32(nodes + 1);
  for (let ν = 0; ν < nodes; ν++) begin[ν + 1] = begin[ν] + ranks[ν];
  const total = begin[nodes];
  const indices = sharedInt32(total);
  const gather = sharedInt32(total);
  const picked = sharedInt32(nodes);
  const pivotOf = sharedInt32(total);
  const ordered = new Uint8Array(total);
  const leaf0 = firstLeaf(tree);
  const complete = (ν: number): void => {
    let next = begin[ν] + picked[ν];
    for (let pivot = 0; pivot < ranks[ν]; pivot++) if (ordered[begin[ν] + pivot] === 0) pivotOf[next++] = pivot;
  };
  // Parents stand before their children, so a node's order is complete before it orders its children's.
  for (let ν = 0; ν < nodes; ν++) {
    complete(ν);
    for (let j = 0; j < ranks[ν]; j++) indices[begin[ν] + j] = found.skeletons[ν * maxRank + pivotOf[begin[ν] + j]];
    if (ν >= leaf0 || !nested || share?.held[ν] === 0) continue;
    const left = leftChild(ν);
    const right = rightChild(ν);
    for (let j = 0; j < ranks[ν]; j++) {
      const column = choice[ν * maxRank + pivotOf[begin[ν] + j]];
      const fromLeft = column < ranks[left];
      const child = fromLeft ? left : right;
      const pivot = fromLeft ? column : column - ranks[left];
      const place = picked[child]++;
      pivotOf[begin[child] + place] = pivot;
      ordered[begin[child] + pivot] = 1;
      gather[begin[ν] + j] = fromLeft ? place : ranks[left] + place;
    }
  }
  return { skeletons: { begin, indices, gather, picked }, pivotOf };
}

/**
 * The tree with every leaf's skeleton first, in apply order, then its other indices as they stood; of several ranks
 * each has its own leaves.
 */
function orderLeaves(
  tree: ClusterTree,
  found: FoundSkeletons,
  { skeletons, pivotOf }: Pick<Layout, 'skeletons' | 'pivotOf'>,
  share: Share | undefined,
): ClusterTree {
  const all = sharedInt32(tree.size);
  const order = share === undefined ? inLargePages(all) : all;
  // What stands before the tree stays there.
  order.set(tree.order.subarray(0, tree.begin[0]));
  const taken = new Uint8Array(mostInLeaf(tree));
  const nodes = nodesOf(tree);
  for (let ν = firstLeaf(tree); ν < nodes; ν++) {
    if (share?.held[ν] === 0) continue;
    const first = tree.begin[ν];
    const size = tree.end[ν] - first;
    let next = first;
    taken.fill(0, 0, size);
    for (let j = skeletons.begin[ν]; j < skeletons.begin[ν + 1]; j++) {
      const place = found.choice[ν * found.maxRank + pivotOf[j]];
      taken[place] = 1;
      order[next++] = tree.order[first + place];
    }
    for (let place = 0; place < size; place++) if (taken[place] === 0) order[next++] = tree.order[first + place];
  }
  return { ...tree, order };
}

/**
 * Rows of node ν's stored basis: the redundant candidates (nested, or a leaf), or all its indices (HODLR, inner node),
 * of which a rank has `rows`.
 */
export function basisRows(
  tree: ClusterTree,
  { begin }: Pick<Skeletons, 'begin'>,
  nested: boolean,
  ν: number,
  rows: HeldRows = tree,
): number {
  const rank = begin[ν + 1] - begin[ν];
  if (rank === 0) return 0;
  if (ν >= firstLeaf(tree)) return tree.end[ν] - tree.begin[ν] - rank;
  if (!nested) return rows.end[ν] - rows.begin[ν];
  return begin[rightChild(ν) + 1] - begin[leftChild(ν)] - rank;
}

/** What a layout may leave out. */
export interface LayoutOptions {
  /** zero[f] = 1 where the coupling of far pair f is known to be zero: all those share one block. */
  readonly zero?: Int32Array | undefined;
  /**
   * Of several ranks, what this one holds: bases of its nodes, blocks of its leaves; of nodes that concern it the ranks
   * are known, of the others they are zero.
   */
  readonly share?: Share | undefined;
}

/** Orders and addresses of everything a hierarchical matrix stores. */
export function layOut(
  tree: ClusterTree,
  lists: InteractionLists,
  found: FoundSkeletons,
  nested: boolean,
  options: LayoutOptions = {},
): Layout {
  const { share } = options;
  const { skeletons, pivotOf } = orderSkeletons(tree, found, nested, share);
  return {
    tree: orderLeaves(tree, found, { skeletons, pivotOf }, share),
    skeletons,
    pivotOf,
    ...placeBlocks(tree, lists, skeletons, nested, options),
  };
}

/** Where each block begins, and how many elements there are: by ranks (`begin` of the skeletons) and sizes alone. */
export function placeBlocks(
  tree: ClusterTree,
  lists: InteractionLists,
  { begin }: Pick<Skeletons, 'begin'>,
  nested: boolean,
  { zero, share }: LayoutOptions = {},
): Pick<Layout, 'offsets' | 'elements'> {
  const nodes = nodesOf(tree);
  const leaves = leavesOf(tree);
  const leaf0 = firstLeaf(tree);
  const sizeOf = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
  let next = 0;
  const place = (elements: number): number => {
    const at = next;
    next += elements;
    return at;
  };
  const basis = sharedFloat64(nodes);
  // Leaves first, then level by level to the root: the order the upward pass reads them in.
  for (let level = tree.depth; level >= 0; level--) {
    for (let ν = 2 ** level - 1; ν < 2 ** (level + 1) - 1; ν++)
      if (share?.held[ν] !== 0)
        basis[ν] = place(basisRows(tree, { begin }, nested, ν, share?.rows) * (begin[ν + 1] - begin[ν]));
  }
  const basisElements = next;
  const pairs = lists.far.length / 2;
  const coupling = sharedFloat64(pairs);
  let largestZero = 0;
  for (let f = 0; f < pairs; f++) {
    const α = lists.far[2 * f];
    const β = lists.far[2 * f + 1];
    const elements = (begin[α + 1] - begin[α]) * (begin[β + 1] - begin[β]);
    if (zero?.[f] === 1) largestZero = Math.max(largestZero, elements);
    else coupling[f] = place(elements);
  }
  const zeros = place(largestZero);
  if (largestZero > 0) for (let f = 0; f < pairs; f++) if (zero?.[f] === 1) coupling[f] = zeros;
  const couplingElements = next - basisElements;
  const near = sharedFloat64(lists.near.length);
  for (let α = 0; α < leaves; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++)
      if (lists.near[e] > α) near[e] = place(sizeOf(α) * sizeOf(lists.near[e]));
  }
  // The entry (β, α), α < β, points to the block of (α, β).
  const seen = lists.nearBegin.slice(0, leaves);
  for (let α = 0; α < leaves; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) {
      const β = lists.near[e];
      if (β > α) near[seen[β]] = near[e];
      seen[β]++;
    }
  }
  const nearElements = next - basisElements - couplingElements;
  const diagonal = sharedFloat64(Math.ceil(leaves / 2));
  for (let q = 0; q < diagonal.length; q++) {
    if (share !== undefined && ![2 * q, 2 * q + 1].some((leaf) => leaf < leaves && holdsLeaf(tree, share, leaf)))
      continue;
    const m = diagonalOrder(tree, q);
    diagonal[q] = place(leaves === 1 ? m * m : m * (m + 1));
  }
  const diagonalElements = next - basisElements - couplingElements - nearElements;
  return {
    offsets: { basis, coupling, near, diagonal },
    elements: {
      total: next,
      basis: basisElements,
      coupling: couplingElements,
      near: nearElements,
      diagonal: diagonalElements,
    },
  };
}

/** The matrix a filled layout makes. */
export function assemble(
  layout: Layout,
  lists: InteractionLists,
  values: FloatArray,
  { format, share }: Pick<HierarchicalData, 'format' | 'share'>,
): HierarchicalData {
  return {
    format,
    share,
    dtype: precisionOf(values),
    tree: layout.tree,
    lists,
    skeletons: layout.skeletons,
    offsets: layout.offsets,
    values,
  };
}
