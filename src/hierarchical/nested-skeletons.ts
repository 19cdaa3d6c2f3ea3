/**
 * From generators to skeletons: an HSS matrix with orthonormal bases in the form that hierarchical matrices are stored in. Layer 5.
 *
 * Upwards, V_ν = U_ν (leaf) or blockdiag(C_l, C_r)·U_ν is interpolated from some of its rows, V_ν = P_ν·C_ν: the rows chosen are the skeleton, C_ν goes to the parent.
 * Downwards, the whole diagonal block of a node in terms of its rows, D_ν + U_ν·M_ν·U_νᵀ = [M_l B; Bᵀ M_r], gives the coupling C_l·B·C_rᵀ of its children and, M_l and M_r passed
 * on, in the end the leaves' diagonal blocks. Both are exact but for rounding: C_ν is a part of an orthonormal matrix, and P_ν has moderate entries.
 */
import { leftChild, rightChild } from '../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../dense/matrix.js';
import { phaseKernel } from '../parallel/kernel.js';
import { runOnce } from '../parallel/run-once.js';
import { taskGraph, upwardTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { ClusterTree } from '../tree/cluster-tree.js';
import type { InteractionLists } from '../tree/interaction-lists.js';
import { BlockWriter, redundantRows, writerState, type WriterState } from './block-writer.js';
import { firstLeaf, nodesOf } from './data.js';
import { mostRows, type GeneratorLevel } from './generators.js';
import { layOut, type Layout } from './layout.js';
import { RowInterpolation } from './row-interpolation.js';

interface NestedState {
  readonly tree: ClusterTree;
  readonly levels: readonly GeneratorLevel[];
  readonly maxRank: number;
  /** As `FoundSkeletons`. */
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
  /** P of node ν (rows × rank) from slotBegin[ν]; C and M (rank × rank) from cornerBegin[ν]. */
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
  readonly cornerBegin: Float64Array;
  readonly corners: Float64Array;
  readonly passed: Float64Array;
  /** There in the second phase. */
  readonly writer: WriterState | null;
}

/** A node's part of its level. */
class NestedNode {
  readonly rows: number;
  readonly rank: number;
  readonly block: Matrix;
  readonly basis: Matrix;

  constructor({ tree, levels }: NestedState, ν: number) {
    const depth = 31 - Math.clz32(ν + 1);
    const level = levels[Math.min(depth, tree.depth)];
    const i = ν - level.first;
    this.rows = level.rowBegin[i + 1] - level.rowBegin[i];
    this.rank = level.ranks[i];
    this.block = view(level.blocks, level.blockBegin[i], this.rows, this.rows);
    this.basis = view(level.bases, level.basisBegin[i], this.rows, this.rank);
  }
}

/** The largest node: scratch is made for it. */
function extent({ levels }: NestedState): { rows: number; rank: number } {
  let rows = 0;
  let rank = 0;
  for (const level of levels) {
    rows = Math.max(rows, mostRows(level.rowBegin));
    for (const r of level.ranks) rank = Math.max(rank, r);
  }
  return { rows, rank };
}

class Interpolator {
  readonly #state: NestedState;
  readonly #blas: Blas;
  readonly #interpolation: RowInterpolation;

  constructor(state: NestedState, blas: Blas) {
    const { rows, rank } = extent(state);
    this.#state = state;
    this.#blas = blas;
    this.#interpolation = new RowInterpolation(blas, rows * rank, rows, rank);
  }

  run(ν: number): void {
    const state = this.#state;
    const { rows, rank, basis } = new NestedNode(state, ν);
    if (ν === 0 || rank === 0) return;
    const { tree, maxRank, choice, skeletons, ranks, corners, cornerBegin } = state;
    const v = view(state.slots, state.slotBegin[ν], rows, rank);
    const leaf = ν >= firstLeaf(tree);
    const l = leftChild(ν);
    const r = rightChild(ν);
    const left = leaf ? 0 : ranks[l];
    if (leaf) {
      copyInto(v, basis);
    } else {
      this.#blas.gemm('N', 'N', 1, view(corners, cornerBegin[l], left, left), block(basis, 0, 0, left, rank), 0, block(v, 0, 0, left, rank));
      this.#blas.gemm('N', 'N', 1, view(corners, cornerBegin[r], rows - left, rows - left), block(basis, left, 0, rows - left, rank), 0, block(v, left, 0, rows - left, rank));
    }
    this.#interpolation.interpolate(v, view(corners, cornerBegin[ν], rank, rank));
    for (let j = 0; j < rank; j++) {
      const row = this.#interpolation.pivots[j];
      choice[ν * maxRank + j] = row;
      skeletons[ν * maxRank + j] = leaf ? tree.order[tree.begin[ν] + row] : row < left ? skeletons[l * maxRank + row] : skeletons[r * maxRank + row - left];
    }
  }
}

class Folder {
  readonly #state: NestedState;
  readonly #blas: Blas;
  readonly #writer: BlockWriter;
  readonly #full: Float64Array;
  readonly #half: Float64Array;
  readonly #product: Float64Array;

  constructor(state: NestedState, blas: Blas) {
    const { rows, rank } = extent(state);
    this.#state = state;
    this.#blas = blas;
    this.#writer = new BlockWriter(state.writer!);
    this.#full = new Float64Array(rows * rows);
    this.#half = new Float64Array(rows * rank);
    this.#product = new Float64Array(Math.max(rows * rows, rank * rank));
  }

  run(ν: number): void {
    const state = this.#state;
    const { tree, maxRank, choice } = state;
    const node = new NestedNode(state, ν);
    const { rows, rank } = node;
    if (rank > 0) this.#writer.basis(ν, view(state.slots, state.slotBegin[ν], rows, rank), redundantRows(rows, choice.subarray(ν * maxRank, ν * maxRank + rank), rank));
    const full = this.#wholeBlock(ν, node);
    if (ν >= firstLeaf(tree)) this.#writer.diagonal(ν, full);
    else if (rows > 0) this.#split(ν, full);
  }

  /** D + U·M·Uᵀ, symmetric to the last bit. */
  #wholeBlock(ν: number, { rows, rank, block: d, basis }: NestedNode): Matrix {
    const full = view(this.#full, 0, rows, rows);
    copyInto(full, d);
    if (rank === 0) return full;
    const { passed, cornerBegin } = this.#state;
    const half = view(this.#half, 0, rows, rank);
    const product = view(this.#product, 0, rows, rows);
    this.#blas.gemm('N', 'N', 1, basis, view(passed, cornerBegin[ν], rank, rank), 0, half);
    this.#blas.gemm('N', 'T', 1, half, basis, 0, product);
    for (let j = 0; j < rows; j++) {
      for (let i = j; i < rows; i++) {
        const value = this.#full[i + j * rows] + 0.5 * (this.#product[i + j * rows] + this.#product[j + i * rows]);
        this.#full[i + j * rows] = value;
        this.#full[j + i * rows] = value;
      }
    }
    return full;
  }

  /** The children's coupling block to its place, their own blocks to them. */
  #split(ν: number, full: Matrix): void {
    const { ranks, passed, corners, cornerBegin } = this.#state;
    const l = leftChild(ν);
    const r = rightChild(ν);
    const left = ranks[l];
    const right = ranks[r];
    copyInto(view(passed, cornerBegin[l], left, left), block(full, 0, 0, left, left));
    copyInto(view(passed, cornerBegin[r], right, right), block(full, left, left, right, right));
    if (left === 0 || right === 0) return;
    const half = view(this.#half, 0, left, right);
    const coupling = view(this.#product, 0, left, right);
    this.#blas.gemm('N', 'N', 1, view(corners, cornerBegin[l], left, left), block(full, 0, left, left, right), 0, half);
    this.#blas.gemm('N', 'T', 1, half, view(corners, cornerBegin[r], right, right), 0, coupling);
    this.#writer.coupling(l, coupling);
  }
}

/** Node `task`: its interpolation and skeleton, children first. */
export const interpolateNested = phaseKernel<NestedState>(import.meta.url, 'interpolateNested', (state, context) => {
  const interpolator = new Interpolator(state, context.blas);
  return (ν) => interpolator.run(ν);
});

/** Node `task`: what it stores, parents first. */
export const foldDown = phaseKernel<NestedState>(import.meta.url, 'foldDown', (state, context) => {
  const folder = new Folder(state, context.blas);
  return (ν) => folder.run(ν);
});

/** The stored form: layout and values, in the precision of `allocate`'s arrays. Cost O(N·rank²/leaf size + N·leaf size) beyond what is written. */
export async function storeNested(
  tree: ClusterTree, lists: InteractionLists, levels: readonly GeneratorLevel[], maxRank: number, allocate: (length: number) => FloatArray, control: TeamControl,
): Promise<{ layout: Layout; values: FloatArray }> {
  const nodes = nodesOf(tree);
  const ranks = sharedInt32(nodes);
  const slotBegin = sharedFloat64(nodes + 1);
  const cornerBegin = sharedFloat64(nodes + 1);
  for (const { first, count, rowBegin, ranks: found } of levels) {
    for (let i = 0; i < count; i++) {
      ranks[first + i] = found[i];
      slotBegin[first + i + 1] = slotBegin[first + i] + (rowBegin[i + 1] - rowBegin[i]) * found[i];
      cornerBegin[first + i + 1] = cornerBegin[first + i] + found[i] * found[i];
    }
  }
  const state: NestedState = {
    tree, levels, maxRank, ranks, choice: sharedInt32(nodes * maxRank), skeletons: sharedInt32(nodes * maxRank),
    slotBegin, slots: sharedFloat64(slotBegin[nodes]), cornerBegin, corners: sharedFloat64(cornerBegin[nodes]), passed: sharedFloat64(cornerBegin[nodes]), writer: null,
  };
  await runOnce('find skeletons', interpolateNested, state, upwardTasks(nodes), control);
  const layout = layOut(tree, lists, state, true);
  const values = allocate(layout.elements.total);
  const edges: number[] = [];
  for (let ν = 1; ν < nodes; ν++) edges.push((ν - 1) >> 1, ν);
  await runOnce('store blocks', foldDown, { ...state, writer: writerState(layout, tree, lists.far, values) }, taskGraph(nodes, edges), control);
  return { layout, values };
}
