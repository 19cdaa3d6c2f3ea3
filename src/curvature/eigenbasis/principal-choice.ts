/**
 * The part of a rotated Gauss–Newton Hessian that keeps it positive semidefinite: a principal submatrix, and small
 * diagonal blocks of the rest.
 *
 *   H̃ = H_SS ⊕ blockdiag(H_ββ),   S: the indices with the largest diagonal entries,  β: leaves of all the others.
 *
 * Principal submatrices of H ≽ 0 are positive semidefinite, so H̃ is, whatever is left out. With μ = λ_max of H on the
 * indices outside S (at most their trace, which is reported)
 *
 *   (H + λI) ≼ 2(1 + μ/λ)·(H̃ + λI),   (H̃ + λI) ≼ (2 + 3μ/λ)·(H + λI):
 *
 * the first by xᵀHx ≤ 2sᵀHs + 2rᵀHr ≤ 2sᵀHs + 2μ‖r‖², the second by sᵀHs ≤ 2xᵀHx + 2rᵀHr for x = s + r, s on S. In the
 * Kronecker eigenbasis the diagonal falls fast (K-FAC's eigenvalues are about its entries), and μ with it: this is what
 * makes so plain a choice a good one.
 */
import { sharedInt32 } from '../../core/shared-array.js';
import { layOut, type Layout, assemble } from '../../hierarchical/matrix/layout.js';
import { memoryUse } from '../../hierarchical/matrix/memory.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { Cells } from './cells.js';
import type { Choice } from './choice.js';
import { gramOffset, gramsOf, type RotatedTables } from './energies.js';
import { blockLists, rotatedTree, type RotatedTree, type UsedVectors } from './layout.js';
import type { RotatedModel } from './model.js';

/** The tree, lists and layout that keep H_SS and small diagonal blocks. */
export interface PrincipalPlan {
  readonly tree: RotatedTree;
  readonly lists: InteractionLists;
  readonly layout: Layout;
  /** Bytes of the hierarchical matrix over the rotated indices. */
  readonly bytes: number;
  readonly blocks: number;
  /** Indices of S, which are the first 2^level leaves below one node. */
  readonly principal: number;
  /** Trace of H on the other indices. */
  readonly traceOutside: number;
}

/** Indices of a leaf within S, about: blocks large enough for GEMM. */
const PRINCIPAL_LEAF = 64;

/** Σ of the diagonal of H over each cell: H[(ℓ,q,p), (ℓ,q,p)] = Σ_i X_ℓ(i,q)²·m_i(p,p). 2n flops an index. */
export function cellTraces(tables: RotatedTables, cells: Cells): Float64Array {
  const { samples: n, layers } = tables;
  const traces = new Float64Array(cells.count);
  layers.forEach(({ directions, units, activations }, ℓ) => {
    const m = gramsOf(tables, ℓ, ℓ);
    for (let p = 0; p < units; p++) {
      const at = gramOffset(tables, ℓ, p, ℓ, p);
      for (let q = 0, from = 0; q < directions; q++) {
        let sum = 0;
        for (let i = at; i < at + n; i++, from++) sum += activations[from] ** 2 * m[i];
        traces[cells.cellOf[ℓ][q + directions * p]] += sum;
      }
    }
  });
  return traces;
}

/** What S is chosen from. */
export interface PrincipalCandidates {
  readonly rotated: RotatedModel;
  readonly cells: Cells;
  /** Σ of the diagonal of H over each cell. */
  readonly traces: Float64Array;
  readonly used: readonly UsedVectors[];
  /** Indices of a leaf outside S, about. */
  readonly leafSize: number;
}

/**
 * The largest S whose hierarchical matrix takes at most `bytes`; the least there is (S one cell) where none does, and
 * null where H is zero.
 */
export function principalPlan(candidates: PrincipalCandidates, bytes: number): PrincipalPlan | null {
  const { cells, traces } = candidates;
  const density = traces.map((trace, cell) => trace / cells.sizes[cell]);
  const ranked = Array.from(cells.sizes.keys())
    .filter((cell) => traces[cell] > 0)
    .sort((a, b) => density[b] - density[a] || a - b);
  if (ranked.length === 0) return null;
  const planOf = (count: number): PrincipalPlan => principalOf(candidates, ranked, count);
  let [low, high] = [1, ranked.length];
  let best = planOf(high);
  if (best.bytes <= bytes) return best;
  best = planOf(low);
  // Bytes grow with S, but for the rounding of leaves: the largest that fits among those tried is taken.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const plan = planOf(middle);
    if (plan.bytes <= bytes) [low, best] = [middle, plan];
    else high = middle;
  }
  return best;
}

function principalOf(
  { rotated, cells, traces, used, leafSize }: PrincipalCandidates,
  ranked: readonly number[],
  count: number,
): PrincipalPlan {
  const ascending = (a: number, b: number): number => a - b;
  const inside = ranked.slice(0, count).sort(ascending);
  const outside = ranked.slice(count).sort(ascending);
  const keptCells = Int32Array.from([...inside, ...outside]);
  const kept = new Uint8Array(cells.count);
  for (const cell of keptCells) kept[cell] = 1;
  const sizeOf = (list: readonly number[]): number => list.reduce((sum, cell) => sum + cells.sizes[cell], 0);
  const [principal, rest] = [sizeOf(inside), sizeOf(outside)];
  // Every leaf holds a cell, and there are at least as many leaves outside S as inside.
  const fewest = outside.length === 0 ? inside.length : Math.min(inside.length, outside.length);
  const level = Math.max(0, Math.min(Math.round(Math.log2(principal / PRINCIPAL_LEAF)), Math.floor(Math.log2(fewest))));
  const leavesInside = 2 ** level;
  const depth = outside.length === 0 ? level : depthFor(leavesInside, rest / leafSize, outside.length);
  const cellTree = treeOf(inside.length, outside.length, leavesInside, depth);
  const blocks: number[] = [];
  for (let α = 0; α < leavesInside; α++) for (let β = α + 1; β < leavesInside; β++) blocks.push(α * 2 ** depth + β);
  const choice: Choice = { kept, cellTree, keptCells, blocks: Float64Array.from(blocks), bytes: 0, dropped: 0 };
  const tree = rotatedTree(rotated, cells, choice, used);
  const lists = blockLists(tree.tree, choice);
  const layout = layOut(
    tree.tree,
    lists,
    { maxRank: 0, ranks: sharedInt32(tree.tree.begin.length), choice: sharedInt32(0), skeletons: sharedInt32(0) },
    true,
  );
  const { bytes } = memoryUse(assemble(layout, lists, new Float64Array(0), { format: 'fmm' }), layout.elements);
  return {
    tree,
    lists,
    layout,
    bytes,
    blocks: blocks.length,
    principal,
    traceOutside: outside.reduce((sum, cell) => sum + traces[cell], 0),
  };
}

/** The depth at which the leaves outside S, one cell each at least, come nearest to the number wanted from above. */
function depthFor(leavesInside: number, wanted: number, cellsOutside: number): number {
  let depth = Math.log2(leavesInside) + 1;
  while (2 ** depth - leavesInside < wanted && 2 ** (depth + 1) - leavesInside <= cellsOutside) depth++;
  return depth;
}

/** Complete tree over cells: the first leaves share the inner ones evenly, the others the outer ones. */
function treeOf(inside: number, outside: number, leavesInside: number, depth: number): ClusterTree {
  const leaves = 2 ** depth;
  const bound = (leaf: number): number =>
    leaf <= leavesInside
      ? Math.floor((leaf * inside) / leavesInside)
      : inside + Math.floor(((leaf - leavesInside) * outside) / (leaves - leavesInside));
  const nodes = 2 * leaves - 1;
  const order = sharedInt32(inside + outside).map((_, k) => k);
  const [begin, end] = [sharedInt32(nodes), sharedInt32(nodes)];
  for (let level = 0, ν = 0; level <= depth; level++) {
    const below = 2 ** (depth - level);
    for (let k = 0; k < 2 ** level; k++, ν++) {
      begin[ν] = bound(k * below);
      end[ν] = bound((k + 1) * below);
    }
  }
  return { size: inside + outside, depth, order, begin, end };
}
