/**
 * A principal submatrix and diagonal blocks (principal-choice.ts), stored as near blocks, in the nested form that
 * factorizations take: siblings below the root of S are coupled at full rank, everything else has rank zero. The same
 * numbers, in other places.
 */
import { OptionError } from '../../core/errors.js';
import { firstOfLevel, levelOf } from '../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { type HierarchicalData } from '../../hierarchical/matrix/data.js';
import { layOut, assemble } from '../../hierarchical/matrix/layout.js';
import { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { Team } from '../../parallel/team.js';
import { blockLists } from './layout.js';
import { firstLeaf, leavesOf } from '../../tree/cluster-tree.js';

/** Throws OptionError where the near blocks are others than all those of the first leaves below one node. */
export function nestedCore(core: HierarchicalMatrix, team: Team): HierarchicalMatrix {
  const { data } = core;
  const { tree, values, offsets } = data;
  const inside = principalLeaves(data);
  const root = leavesOf(tree) / inside - 1;
  const nodes = tree.begin.length;
  const below = (ν: number): boolean => levelOf(ν) > levelOf(root) && tree.begin[ν] < tree.end[root];
  const ranks = sharedInt32(nodes);
  for (let ν = 0; ν < nodes; ν++) ranks[ν] = below(ν) ? tree.end[ν] - tree.begin[ν] : 0;
  const maxRank = ranks.reduce((most, rank) => Math.max(most, rank), 0);
  const choice = sharedInt32(nodes * maxRank);
  const skeletons = sharedInt32(nodes * maxRank);
  for (let ν = 0; ν < nodes; ν++) {
    for (let j = 0; j < ranks[ν]; j++) {
      choice[ν * maxRank + j] = j;
      skeletons[ν * maxRank + j] = tree.order[tree.begin[ν] + j];
    }
  }
  const lists = blockLists(tree, { blocks: new Float64Array(0) });
  const layout = layOut(tree, lists, { maxRank, ranks, choice, skeletons }, true);
  const nested = sharedFloat64(layout.elements.total);
  const length = layout.elements.diagonal;
  nested.set(values.subarray(offsets.diagonal[0], offsets.diagonal[0] + length), layout.offsets.diagonal[0]);
  for (let f = 0; f < lists.far.length / 2; f++)
    if (ranks[lists.far[2 * f]] > 0)
      copyCoupling(data, lists.far[2 * f], lists.far[2 * f + 1], nested, layout.offsets.coupling[f]);
  return new HierarchicalMatrix(
    assemble(layout, lists, nested, { format: 'hss' }),
    layout.elements,
    { ...core.report, format: 'hss', maxRank, budget: 0, budgetUsed: 0 },
    team,
  );
}

/** Leaves of S: the first ones, all of which are near each other, while every other leaf is near itself alone. */
function principalLeaves({ tree, lists: { nearBegin } }: HierarchicalData): number {
  const inside = nearBegin[1];
  for (let leaf = 0; leaf < leavesOf(tree); leaf++) {
    if (nearBegin[leaf + 1] - nearBegin[leaf] !== (leaf < inside ? inside : 1)) {
      throw new OptionError(
        "This matrix was made without { preserve: 'positive-definite' }: its blocks have no direct factorization.",
        { leaf },
      );
    }
  }
  return inside;
}

/** The near blocks between the leaves of node l and those of node r, as one block. */
function copyCoupling(
  { tree, lists: { nearBegin, near }, offsets, values }: HierarchicalData,
  l: number,
  r: number,
  out: Float64Array,
  to: number,
): void {
  const leaf0 = firstLeaf(tree);
  const below = 2 ** (tree.depth - levelOf(l));
  const leafOf = (ν: number): number => (ν - firstOfLevel(levelOf(ν))) * below;
  const rows = tree.end[l] - tree.begin[l];
  for (let α = leafOf(l); α < leafOf(l) + below; α++) {
    const top = to + tree.begin[leaf0 + α] - tree.begin[l];
    const height = tree.end[leaf0 + α] - tree.begin[leaf0 + α];
    for (let e = nearBegin[α]; e < nearBegin[α + 1]; e++) {
      const β = near[e];
      if (β < leafOf(r) || β >= leafOf(r) + below) continue;
      const left = tree.begin[leaf0 + β] - tree.begin[r];
      const width = tree.end[leaf0 + β] - tree.begin[leaf0 + β];
      for (let j = 0, from = offsets.near[e]; j < width; j++, from += height)
        out.set(values.subarray(from, from + height), top + (left + j) * rows);
    }
  }
}
