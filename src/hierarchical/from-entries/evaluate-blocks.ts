/**
 * Evaluating and packing the blocks of a hierarchical matrix, one task per block (or panel of a large one).
 */
import { levelOf } from '../../core/indices.js';
import { toShared } from '../../core/shared-array.js';
import { copyInto, view } from '../../dense/matrix.js';
import { defineTask, type WorkerContext } from '../../parallel/task.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, type SourceHandle } from '../../source/share-source.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { BasisComposer, type ComposeState } from './compose-basis.js';
import { diagonalOrder } from '../matrix/data.js';
import { requireFiniteValues } from '../matrix/finite-values.js';
import { basisRows, type Layout } from '../matrix/layout.js';
import { holdsLeaf, type Share } from '../ranks/share.js';
import { firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';

/** What filling the blocks reads and writes. */
export interface FillState extends ComposeState {
  readonly source: SourceHandle;
  readonly lists: InteractionLists;
  readonly nested: boolean;
  /** What is stored is this times the source's entries: a power of two. */
  readonly factor: number;
  /** Three words a task: kind, and two numbers that say which block. */
  readonly tasks: Int32Array;
}

/** Columns of a diagonal block that are evaluated at a time. */
const DIAGONAL_PANEL = 64;

const PACK = 0;
const COMPOSE = 1;
const COUPLING = 2;
const NEAR = 3;
const DIAGONAL = 4;

/**
 * The tasks that fill everything laid out (of several ranks, what `share` holds), but for couplings that are zero: new
 * memory holds zeros.
 */
export function fillTasks(
  layout: Layout,
  lists: InteractionLists,
  { nested, zero, share }: { readonly nested: boolean; readonly zero: Int32Array; readonly share?: Share | undefined },
): Int32Array {
  const tasks: number[] = [];
  const { tree, skeletons } = layout;
  const leaves = leavesOf(tree);
  for (let ν = nodesOf(tree) - 1; ν > 0; ν--) {
    if (skeletons.begin[ν + 1] === skeletons.begin[ν] || share?.held[ν] === 0) continue;
    if (nested || ν >= firstLeaf(tree)) tasks.push(PACK, ν, 0);
  }
  for (let leaf = nodesOf(tree) - 1; !nested && leaf > 0 && leaf >= firstLeaf(tree); leaf--)
    if (share?.held[leaf] !== 0) tasks.push(COMPOSE, leaf, 0);
  for (let f = 0; f < lists.far.length / 2; f++) if (zero[f] === 0) tasks.push(COUPLING, f, 0);
  for (let α = 0; α < leaves; α++)
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) if (lists.near[e] > α) tasks.push(NEAR, α, e);
  for (let leaf = 0; leaf < leaves; leaf++)
    if (share === undefined || holdsLeaf(tree, share, leaf)) tasks.push(DIAGONAL, leaf, 0);
  return toShared(Int32Array.from(tasks));
}

/** The indices of the rows and columns of all blocks that are evaluated. */
export function entriesOf(
  { tree, skeletons: { begin, indices } }: Layout,
  { far, near, nearBegin }: InteractionLists,
  share: Share | undefined,
): Int32Array[] {
  const leaf0 = firstLeaf(tree);
  const members = (leaf: number): Int32Array => tree.order.subarray(tree.begin[leaf0 + leaf], tree.end[leaf0 + leaf]);
  const leaves = new Set<number>();
  for (let α = 0; α < leavesOf(tree); α++) {
    if (share === undefined || holdsLeaf(tree, share, α)) leaves.add(α);
    for (let e = nearBegin[α]; e < nearBegin[α + 1]; e++) if (near[e] > α) leaves.add(α).add(near[e]);
  }
  return [...Array.from(new Set(far), (ν) => indices.subarray(begin[ν], begin[ν + 1])), ...Array.from(leaves, members)];
}

class BlockFiller {
  readonly #state: FillState;
  readonly #source: EntrySource;
  readonly #context: WorkerContext;
  readonly #direct: boolean;
  readonly #scratch: Float64Array;
  #composer: BasisComposer | undefined;

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
    else if (kind === COMPOSE) this.#compose(a);
    else if (kind === COUPLING)
      this.#evaluate(skeleton(lists.far[2 * a]), skeleton(lists.far[2 * a + 1]), offsets.coupling[a]);
    else if (kind === NEAR) this.#evaluate(members(leaf0 + a), members(leaf0 + lists.near[b]), offsets.near[b]);
    else this.#fillDiagonal(a, members(leaf0 + a));
  }

  /** values[offset …] ← factor·K(I, J), rounded if they are float32. */
  #evaluate(rows: Int32Array, cols: Int32Array, offset: number): void {
    const { values, factor } = this.#state;
    const out = view(values, offset, rows.length, cols.length);
    const exact = this.#direct ? out : view(this.#scratch, 0, rows.length, cols.length);
    const m = rows.length;
    this.#source.entries(rows, cols, exact);
    if (factor !== 1) for (let i = exact.offset; i < exact.offset + m * cols.length; i++) exact.data[i] *= factor;
    if (!this.#direct) copyInto(out, exact);
    requireFiniteValues(
      values,
      offset,
      m * cols.length,
      () => 'block to be stored',
      (i) => `entry (${rows[i % m]}, ${cols[Math.floor(i / m)]})`,
    );
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
    requireFiniteValues(values, offsets.basis[ν], rows * rank, () => `basis of node ${ν} (level ${levelOf(ν)})`);
  }

  /** The lower or the upper triangle of K(I, I), by panels of columns: the other one is hardly evaluated. */
  #fillDiagonal(leaf: number, members: Int32Array): void {
    const { tree, offsets, values, factor } = this.#state;
    const scratch = this.#scratch;
    const pair = leaf >> 1;
    const m = diagonalOrder(tree, pair);
    const n = members.length;
    const upper = (leaf & 1) === 1;
    const begin = offsets.diagonal[pair] + (upper ? m : 0);
    for (let panel = 0; panel < n; panel += DIAGONAL_PANEL) {
      const last = Math.min(n, panel + DIAGONAL_PANEL);
      const [top, bottom] = upper ? [0, last] : [panel, n];
      const rows = bottom - top;
      this.#source.entries(
        members.subarray(top, bottom),
        members.subarray(panel, last),
        view(scratch, 0, rows, last - panel),
      );
      for (let j = panel; j < last; j++) {
        const [first, end] = upper ? [0, j + 1] : [j, n];
        const from = (j - panel) * rows - top;
        for (let i = first; i < end; i++) values[begin + i + j * m] = factor * scratch[from + i];
        requireFiniteValues(
          values,
          begin + first + j * m,
          end - first,
          () => 'block to be stored',
          (i) => `entry (${members[first + i]}, ${members[j]})`,
        );
      }
    }
  }

  #compose(leaf: number): void {
    this.#composer ??= new BasisComposer(this.#state, this.#context.blas);
    this.#composer.run(leaf);
  }
}

/** Runs task t of the list: one block. */
export const fillBlock = defineTask<FillState>(import.meta.url, 'fillBlock', (state, context) => {
  const filler = new BlockFiller(state, context);
  return (task) => filler.run(state.tasks[3 * task], state.tasks[3 * task + 1], state.tasks[3 * task + 2]);
});
