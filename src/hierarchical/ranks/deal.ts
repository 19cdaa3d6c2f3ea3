/**
 * A whole matrix dealt out to ranks: each keeps what it holds. What any number of ranks wrote is read by any other.
 */
import { sharedFloats, type FloatArray } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Team } from '../../parallel/team.js';
import { leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { placeBlocks, type Layout } from '../matrix/layout.js';
import { ranksOf } from '../matrix/memory.js';
import { eachOwnBlock, eachOwnPair } from './own-blocks.js';
import { concerns, holdsLeaf, type Share } from './share.js';
import { elementsOfAll, ownInteractions, shareOnTeam } from './whole.js';

/**
 * What the team's rank keeps of a matrix that all ranks have whole, and the elements that all of them store; the
 * matrix itself on a single rank. Collective.
 */
export function dealMatrix(
  whole: HierarchicalData,
  elements: Layout['elements'],
  team: Team,
): { readonly data: HierarchicalData; readonly elements: Layout['elements'] } {
  const { tree, lists, format, dtype } = whole;
  const share = shareOnTeam(tree, lists, format, team);
  if (share === undefined) return { data: whole, elements };
  const zeros = sharesZeros(whole);
  share.skeletonRanks.set(ranksOf(whole.skeletons));
  share.zeroPairs.set(zeros);
  share.orderIsWhole[0] = 1;
  const nodes = nodesOf(tree);
  const kept = new Uint8Array(nodes);
  for (let ν = 0; ν < nodes; ν++) kept[ν] = concerns(share, ν) ? 1 : 0;
  for (const { receives } of share.halo.peers) for (const ν of receives) kept[ν] = 1;
  const from = whole.skeletons;
  const begin = sharedInt32(nodes + 1);
  for (let ν = 0; ν < nodes; ν++) begin[ν + 1] = begin[ν] + (kept[ν] === 1 ? share.skeletonRanks[ν] : 0);
  const [indices, gather] = [sharedInt32(begin[nodes]), sharedInt32(begin[nodes])];
  for (let ν = 0; ν < nodes; ν++) {
    if (kept[ν] === 0) continue;
    indices.set(from.indices.subarray(from.begin[ν], from.begin[ν + 1]), begin[ν]);
    gather.set(from.gather.subarray(from.begin[ν], from.begin[ν + 1]), begin[ν]);
  }
  const skeletons = { begin, indices, gather, picked: from.picked };
  const own = ownInteractions(tree, lists, share);
  const zero = new Int32Array(own.far.length / 2);
  eachOwnPair({ lists: own }, share, (f, pair) => {
    zero[pair] = zeros[f];
  });
  const { offsets, elements: stored } = placeBlocks(tree, own, skeletons, FORMAT_TABLE[format].nested, { zero, share });
  const values = sharedFloats(stored.total, dtype);
  eachOwnBlock({ format, tree, lists: own, skeletons, offsets }, share, whole, ({ here, there, length }) => {
    values.set(whole.values.subarray(there, there + length) as never, here);
  });
  clearOthers(values, { tree, offsets }, share);
  const data: HierarchicalData = { format, dtype, tree, lists: own, skeletons, offsets, values, share };
  return { data, elements: elementsOfAll(stored, team.communicator) };
}

/** Zeros for triangles of diagonal rectangles that belong to another rank's leaf: all ranks' together are the whole. */
function clearOthers(
  values: FloatArray,
  { tree, offsets }: Pick<HierarchicalData, 'tree' | 'offsets'>,
  share: Share,
): void {
  const leaves = leavesOf(tree);
  for (let leaf = 0; leaf < leaves; leaf++) {
    // Of a pair this rank has at least one leaf, or it has none of the rectangle.
    if (holdsLeaf(tree, share, leaf) || !holdsLeaf(tree, share, leaf ^ 1)) continue;
    const pair = leaf >> 1;
    const m = diagonalOrder(tree, pair);
    for (let j = 0, at = offsets.diagonal[pair]; j <= m; j++, at += m)
      if ((leaf & 1) === 1) values.fill(0, at, at + j);
      else values.fill(0, at + Math.min(j, m), at + m);
  }
}
