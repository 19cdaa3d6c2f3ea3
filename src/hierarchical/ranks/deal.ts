/**
 * A whole matrix dealt out to ranks: each keeps what it holds. What any number of ranks wrote is read by any other.
 */
import { sharedFloats } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Team } from '../../parallel/team.js';
import { firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { basisRows, placeBlocks, type Layout } from '../matrix/layout.js';
import { ranksOf } from '../matrix/memory.js';
import { concerns, holdsLeaf } from './share.js';
import { elementsOfAll, ownLists, shareOnTeam } from './whole.js';

/**
 * What the team's rank keeps of a matrix that all ranks have whole, and the elements that all of them store; the
 * matrix itself on a single rank, and where its format's bases are not nested: then each rank multiplies by itself.
 * Collective.
 */
export function dealMatrix(
  whole: HierarchicalData,
  elements: Layout['elements'],
  team: Team,
): { readonly data: HierarchicalData; readonly elements: Layout['elements'] } {
  const { tree, lists, format, dtype } = whole;
  const share = FORMAT_TABLE[format].nested ? shareOnTeam(tree, lists, format, team) : undefined;
  if (share === undefined) return { data: whole, elements };
  share.skeletonRanks.set(ranksOf(whole.skeletons));
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
  const own = ownLists(tree, lists, share);
  const zeros = sharesZeros(whole);
  const pairs: number[] = [];
  for (let f = 0; 2 * f < lists.far.length; f++)
    if (share.held[lists.far[2 * f]] === 1 || share.held[lists.far[2 * f + 1]] === 1) pairs.push(f);
  const zero = Int32Array.from(pairs, (f) => zeros[f]);
  const placed = placeBlocks(tree, own, skeletons, true, { zero, share });
  const values = sharedFloats(placed.elements.total, dtype);
  const copy = (to: number, at: number, length: number): void => {
    values.set(whole.values.subarray(at, at + length) as never, to);
  };
  const { offsets } = placed;
  const rank = (ν: number): number => begin[ν + 1] - begin[ν];
  const leaf0 = firstLeaf(tree);
  const size = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
  for (let ν = 0; ν < nodes; ν++)
    if (share.held[ν] === 1)
      copy(offsets.basis[ν], whole.offsets.basis[ν], basisRows(tree, skeletons, true, ν) * rank(ν));
  pairs.forEach((f, mine) => {
    const elementsOf = rank(lists.far[2 * f]) * rank(lists.far[2 * f + 1]);
    if (zero[mine] === 0) copy(offsets.coupling[mine], whole.offsets.coupling[f], elementsOf);
  });
  for (let α = 0; α < leavesOf(tree); α++) {
    let e = own.nearBegin[α];
    for (let f = lists.nearBegin[α]; f < lists.nearBegin[α + 1]; f++) {
      const β = lists.near[f];
      if (e === own.nearBegin[α + 1] || own.near[e] !== β) continue;
      if (β > α) copy(offsets.near[e], whole.offsets.near[f], size(α) * size(β));
      e++;
    }
  }
  for (let leaf = 0; leaf < leavesOf(tree); leaf++) {
    if (!holdsLeaf(tree, share, leaf)) continue;
    const m = diagonalOrder(tree, leaf >> 1);
    copy(offsets.diagonal[leaf >> 1], whole.offsets.diagonal[leaf >> 1], tree.depth === 0 ? m * m : m * (m + 1));
  }
  const data: HierarchicalData = { format, dtype, tree, lists: own, skeletons, offsets, values, share };
  return { data, elements: elementsOfAll(placed.elements, team.communicator) };
}
