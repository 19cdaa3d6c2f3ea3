/**
 * Evaluating and packing the blocks of a hierarchical matrix, one task per block (or panel of a large one). Layer 5.
 */
import { NonFiniteError } from '../core/errors.js';
import { sharedInt32 } from '../core/shared-array.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../dense/matrix.js';
import { phaseKernel, type WorkerContext } from '../parallel/kernel.js';
import type { EntrySource } from '../source/entry-source.js';
import { openHandle, type SourceHandle } from '../source/share-source.js';
import type { ClusterTree } from '../tree/cluster-tree.js';
import type { InteractionLists } from '../tree/interaction-lists.js';
import { diagonalOrder, firstLeaf, leavesOf, nodesOf, type BlockOffsets, type HierarchicalData, type Skeletons } from './data.js';
import { basisRows, type Layout } from './layout.js';
import { RowSampler, type RowSamplerState } from './row-sampler.js';
import { candidateLimit, firstSample, rowStream } from './skeletonize.js';

export interface FillState extends Omit<RowSamplerState, 'tree'> {
  readonly source: SourceHandle;
  /** The tree in apply order, and as it stood when rows were sampled (HODLR draws them again). */
  readonly tree: ClusterTree;
  readonly sampledTree: ClusterTree;
  readonly lists: InteractionLists;
  readonly skeletons: Skeletons;
  readonly offsets: BlockOffsets;
  readonly values: FloatArray;
  readonly pivotOf: Int32Array;
  readonly nested: boolean;
  readonly maxRank: number;
  readonly leafSize: number;
  readonly seed: number;
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
  /** What is stored is this times the source's entries: a power of two. */
  readonly factor: number;
  /** Three words a task: kind, and two numbers that say which block. */
  readonly tasks: Int32Array;
}

const PACK = 0;
const FIT = 1;
const COUPLING = 2;
const NEAR = 3;
const DIAGONAL = 4;
/** Indices whose interpolation is fitted at a time (HODLR). */
const FIT_PANEL = 1024;

/** The tasks that fill everything laid out, but for couplings that are zero: new memory holds zeros. */
export function fillTasks(layout: Layout, lists: InteractionLists, nested: boolean, zero: Int32Array): Int32Array {
  const tasks: number[] = [];
  const { tree, skeletons } = layout;
  const leaves = leavesOf(tree);
  for (let ν = nodesOf(tree) - 1; ν > 0; ν--) {
    if (skeletons.begin[ν + 1] === skeletons.begin[ν]) continue;
    if (nested || ν >= firstLeaf(tree)) tasks.push(PACK, ν, 0);
    else for (let p = tree.begin[ν]; p < tree.end[ν]; p += FIT_PANEL) tasks.push(FIT, ν, p);
  }
  for (let f = 0; f < lists.far.length / 2; f++) if (zero[f] === 0) tasks.push(COUPLING, f, 0);
  for (let α = 0; α < leaves; α++) for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) if (lists.near[e] > α) tasks.push(NEAR, α, e);
  for (let leaf = 0; leaf < leaves; leaf++) tasks.push(DIAGONAL, leaf, 0);
  const shared = sharedInt32(tasks.length);
  shared.set(tasks);
  return shared;
}

class BlockFiller {
  readonly #state: FillState;
  readonly #source: EntrySource;
  readonly #context: WorkerContext;
  readonly #direct: boolean;
  readonly #scratch: Float64Array;
  #fit: BasisFit | undefined;

  constructor(state: FillState, context: WorkerContext) {
    this.#state = state;
    this.#context = context;
    this.#source = openHandle(state.source, context);
    this.#direct = state.values instanceof Float64Array;
    const order = Math.max(state.leafSize, state.maxRank);
    this.#scratch = new Float64Array(order * order);
  }

  run(kind: number, a: number, b: number): void {
    const { tree, lists, skeletons, offsets } = this.#state;
    const leaf0 = firstLeaf(tree);
    const skeleton = (ν: number): Int32Array => skeletons.indices.subarray(skeletons.begin[ν], skeletons.begin[ν + 1]);
    const members = (ν: number): Int32Array => tree.order.subarray(tree.begin[ν], tree.end[ν]);
    if (kind === PACK) this.#pack(a);
    else if (kind === FIT) this.#fitPanel(a, b);
    else if (kind === COUPLING) this.#evaluate(skeleton(lists.far[2 * a]), skeleton(lists.far[2 * a + 1]), offsets.coupling[a]);
    else if (kind === NEAR) this.#evaluate(members(leaf0 + a), members(leaf0 + lists.near[b]), offsets.near[b]);
    else this.#fillDiagonal(a, members(leaf0 + a));
  }

  /** values[offset …] ← factor·K(I, J), rounded if they are float32. */
  #evaluate(rows: Int32Array, cols: Int32Array, offset: number): void {
    const { values, factor } = this.#state;
    const out = view(values, offset, rows.length, cols.length);
    const exact = this.#direct ? out : view(this.#scratch, 0, rows.length, cols.length);
    this.#source.entries(rows, cols, exact);
    const end = exact.offset + rows.length * cols.length;
    if (factor !== 1) for (let i = exact.offset; i < end; i++) exact.data[i] *= factor;
    if (!this.#direct) copyInto(out, exact);
    this.#requireFinite(offset, rows.length * cols.length);
  }

  #requireFinite(offset: number, count: number): void {
    const { values } = this.#state;
    for (let i = offset; i < offset + count; i++) {
      if (values[i] - values[i] !== 0) {
        const precision = this.#direct ? 'float64' : 'float32';
        throw new NonFiniteError(`A block to be stored holds ${values[i]}: the source gave a non-finite entry, or one beyond the range of ${precision}.`, { value: values[i] });
      }
    }
  }

  /** Tᵀ from its slot, columns from pivot order to apply order. */
  #pack(ν: number): void {
    const { tree, skeletons, nested, offsets, values, pivotOf, slotBegin, slots } = this.#state;
    const first = skeletons.begin[ν];
    const rank = skeletons.begin[ν + 1] - first;
    const rows = basisRows(tree, skeletons, nested, ν);
    for (let j = 0; j < rank; j++) {
      const from = slotBegin[ν] + pivotOf[first + j] * rows;
      values.set(slots.subarray(from, from + rows), offsets.basis[ν] + j * rows);
    }
    this.#requireFinite(offsets.basis[ν], rows * rank);
  }

  #fillDiagonal(leaf: number, members: Int32Array): void {
    const { tree, offsets, values, factor } = this.#state;
    const pair = leaf >> 1;
    const m = diagonalOrder(tree, pair);
    const n = members.length;
    this.#source.entries(members, members, view(this.#scratch, 0, n, n));
    const upper = (leaf & 1) === 1;
    const begin = offsets.diagonal[pair] + (upper ? m : 0);
    for (let j = 0; j < n; j++) {
      const [first, end] = upper ? [0, j + 1] : [j, n];
      for (let i = first; i < end; i++) values[begin + i + j * m] = factor * this.#scratch[i + j * n];
      this.#requireFinite(begin + first + j * m, end - first);
    }
  }

  #fitPanel(ν: number, position: number): void {
    this.#fit ??= new BasisFit(this.#state, this.#source, this.#context);
    this.#fit.run(ν, position);
  }
}

/**
 * HODLR's bases: the interpolation of all indices of an inner node from its skeleton, T = argmin ‖W·(K(R, :) − K(R, S)·T)‖_F by QR.
 */
class BasisFit {
  readonly #state: FillState;
  readonly #source: EntrySource;
  readonly #context: WorkerContext;
  readonly #sampler: RowSampler;
  readonly #factor: Float64Array;
  readonly #tau: Float64Array;
  readonly #panel: Float64Array;
  #node = -1;

  constructor(state: FillState, source: EntrySource, context: WorkerContext) {
    const rows = Math.min(state.tree.size, firstSample(candidateLimit(state.leafSize, state.maxRank)));
    this.#state = state;
    this.#source = source;
    this.#context = context;
    this.#sampler = new RowSampler({ ...state, tree: state.sampledTree }, rows);
    this.#factor = new Float64Array(rows * state.maxRank);
    this.#tau = new Float64Array(state.maxRank);
    this.#panel = new Float64Array(rows * FIT_PANEL);
  }

  run(ν: number, position: number): void {
    const { tree, skeletons, offsets, values } = this.#state;
    const { blas } = this.#context;
    const skeleton = skeletons.indices.subarray(skeletons.begin[ν], skeletons.begin[ν + 1]);
    const k = skeleton.length;
    if (this.#node !== ν) this.#factorize(ν, skeleton);
    const rows = this.#sampler.count;
    const factor = view(this.#factor, 0, rows, k);
    const count = Math.min(FIT_PANEL, tree.end[ν] - position);
    const panel = view(this.#panel, 0, rows, count);
    this.#weighted(tree.order.subarray(position, position + count), panel);
    blas.ormqr('L', 'T', factor, this.#tau.subarray(0, k), panel);
    const t = block(panel, 0, 0, k, count);
    blas.trsm('L', 'U', 'N', 'N', 1, block(factor, 0, 0, k, k), t);
    const n = tree.end[ν] - tree.begin[ν];
    const begin = offsets.basis[ν] + position - tree.begin[ν];
    for (let i = 0; i < count; i++) for (let j = 0; j < k; j++) values[begin + i + j * n] = this.#panel[j + i * rows];
  }

  /** QR of W·K(R, S); identity rows need no special case: they come out of the fit to rounding. */
  #factorize(ν: number, skeleton: Int32Array): void {
    const { seed, leafSize, maxRank } = this.#state;
    this.#sampler.draw(ν, firstSample(candidateLimit(leafSize, maxRank)), rowStream(seed, ν));
    const factor = view(this.#factor, 0, this.#sampler.count, skeleton.length);
    this.#weighted(skeleton, factor);
    this.#context.blas.geqrf(factor, this.#tau.subarray(0, skeleton.length));
    this.#node = ν;
  }

  #weighted(columns: Int32Array, out: Matrix): void {
    const { rows, count, certain, uniformWeight } = this.#sampler;
    this.#source.entries(rows.subarray(0, count), columns, out);
    if (uniformWeight === 1) return;
    for (let j = 0; j < columns.length; j++) {
      for (let i = certain + j * out.ld; i < count + j * out.ld; i++) out.data[out.offset + i] *= uniformWeight;
    }
  }
}

/** Runs task t of the list: one block. */
export const fillBlock = phaseKernel<FillState>(import.meta.url, 'fillBlock', (state, context) => {
  const filler = new BlockFiller(state, context);
  return (task) => filler.run(state.tasks[3 * task], state.tasks[3 * task + 1], state.tasks[3 * task + 2]);
});

/** The matrix a filled layout makes. */
export function assemble(layout: Layout, lists: InteractionLists, values: FloatArray, format: HierarchicalData['format']): HierarchicalData {
  return { format, dtype: values instanceof Float64Array ? 'f64' : 'f32', tree: layout.tree, lists, skeletons: layout.skeletons, offsets: layout.offsets, values };
}
