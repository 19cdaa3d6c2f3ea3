/**
 * The elimination of one large node by several workers: the steps of eliminate.ts, each cut into fixed blocks.
 * Near the root there are fewer nodes than workers and, where ranks grow, most of the work. Blocks depend on the node's
 * sizes alone, so that every team computes the same bits.
 *
 *   assemble   D_SS, D_RS, D_RR
 *   uncouple   rows I:     Y = Tᵀ(I)·D_SS,   Z(I) = D_RS(I) − Y/2,   G(I) = D_RS(I) − Y
 *   congruence columns J:  H(I, J) = D_RR(I, J) − Z(I)·T(J) − Tᵀ(I)·Z(J)ᵀ,   I from J on down
 *   factor     panels p:   L(p) by Cholesky and substitution;   update columns J > p:  H(J) ← H(J) − L(J, p)·L(J, p)ᵀ
 *   eliminate  columns J:  V(J) = L⁻¹·G(J)
 *   complement columns J:  D_SS(J) ← D_SS(J) − VᵀV(J), to its place among the Schur complements
 */
import { firstOfLevel, leftChild, rightChild } from '../../../core/indices.js';
import { toShared } from '../../../core/shared-array.js';
import type { Blas } from '../../../dense/blas.js';
import { block, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { substituteLeft, substituteRight } from '../../../dense/substitution.js';
import { middleOfNode, taskGraph, type TaskGraph } from '../../../parallel/task-graph.js';
import { SKIPPED } from '../engine.js';
import { copyRun, subtreeRootLevel, type SharedTree } from '../tree.js';
import { assembleLocal } from './assemble.js';
import type { UlvFactorState } from './factors.js';
import { leftmostLeaf, type UlvPlan } from './plan.js';

/** Rows or columns of a block, and columns of a panel of the Cholesky factorization, which wait for each other. */
const BLOCK = 128;
const PANEL = 64;

/** A node, or a subtree, as a whole; the steps of a split node. */
export const WHOLE = 0;
const [ASSEMBLE, UNCOUPLE, CONGRUENCE, FACTOR, UPDATE, ELIMINATE, COMPLEMENT] = [1, 2, 3, 4, 5, 6, 7];
/** Numbers of a task in the table: its step, its node, its block or panel, and the columns that an update changes. */
export const TASK_NUMBERS = 4;

/** The graph of a factorization, and its tasks. */
export interface EliminationGraph {
  readonly graph: TaskGraph;
  readonly tasks: Int32Array;
}

/** Levels of nodes, both included. */
export interface Levels {
  readonly first: number;
  readonly last: number;
}

/**
 * One task for each subtree and each node above them, but several, with `split`, for those that the plan splits; of
 * some levels alone, and of several ranks those of this one.
 */
export function eliminationGraph(
  data: SharedTree,
  plan: UlvPlan,
  split: boolean,
  { first, last: deepest }: Levels = { first: 0, last: subtreeRootLevel(data) },
): EliminationGraph {
  const tasks: number[] = [];
  const edges: number[] = [];
  const places: number[] = [];
  const roots = firstOfLevel(subtreeRootLevel(data));
  /** Tasks after which a node is done. */
  const last: (readonly number[] | undefined)[] = [];
  const add = (step: number, ν: number, part: number, columns: number, after: readonly number[]): number => {
    const task = places.push(middleOfNode(ν)) - 1;
    tasks.push(step, ν, part, columns);
    for (const before of after) edges.push(before, task);
    return task;
  };
  for (let ν = firstOfLevel(deepest + 1) - 1; ν >= firstOfLevel(first); ν--) {
    if (data.share?.held[ν] === 0) continue;
    const below = ν < roots ? [...(last[leftChild(ν)] ?? []), ...(last[rightChild(ν)] ?? [])] : [];
    if (split && plan.splitBegin[ν] >= 0) last[ν] = splitTasks(plan, ν, below, add);
    else last[ν] = [add(WHOLE, ν, 0, 0, below)];
  }
  return { graph: taskGraph(places.length, edges, places), tasks: toShared(Int32Array.from(tasks)) };
}

/** Adds the tasks of a split node; returns those after which it is done. */
function splitTasks(
  plan: UlvPlan,
  ν: number,
  below: readonly number[],
  add: (step: number, ν: number, part: number, columns: number, after: readonly number[]) => number,
): readonly number[] {
  const r = plan.begin[ν + 1] - plan.begin[ν];
  const k = plan.rank[ν];
  const each = (count: number, act: (part: number) => number): number[] =>
    Array.from({ length: Math.ceil(count / BLOCK) }, (_, part) => act(part));
  const assembled = add(ASSEMBLE, ν, 0, 0, below);
  const uncoupled = k === 0 ? [assembled] : each(r, (part) => add(UNCOUPLE, ν, part, 0, [assembled]));
  const ready = k === 0 ? [assembled] : each(r, (part) => add(CONGRUENCE, ν, part, 0, uncoupled));
  const panels = Math.ceil(r / PANEL);
  /** What a panel's columns wait for: the last change of them. */
  let changed: (readonly number[])[] = Array.from({ length: panels }, () => ready);
  let factored: readonly number[] = ready;
  for (let panel = 0; panel < panels; panel++) {
    const done = add(FACTOR, ν, panel, 0, changed[panel]);
    changed = changed.map((after, columns) =>
      columns <= panel ? after : [add(UPDATE, ν, panel, columns, [done, ...(panel > 0 ? after : [])])],
    );
    factored = [done];
  }
  if (k === 0) return factored;
  const eliminated = each(k, (part) => add(ELIMINATE, ν, part, 0, factored));
  return each(k, (part) => add(COMPLEMENT, ν, part, 0, eliminated));
}

/** Flops of a step of a split node that eliminates r variables at rank k; copies count as nothing. */
export function splitFlops(
  step: number,
  r: number,
  k: number,
  { part, columns }: { readonly part: number; readonly columns: number },
): number {
  const size = (count: number, at: number, most: number): number => Math.min(most, count - at * most);
  const rows = r - part * BLOCK;
  if (step === UNCOUPLE) return 2 * size(r, part, BLOCK) * k * k;
  if (step === CONGRUENCE) return 4 * rows * size(r, part, BLOCK) * k;
  if (step === FACTOR) {
    const c = size(r, part, PANEL);
    return c ** 3 / 3 + (r - part * PANEL - c) * c * c;
  }
  if (step === UPDATE) return 2 * (r - columns * PANEL) * size(r, columns, PANEL) * PANEL;
  if (step === ELIMINATE) return r * r * size(k, part, BLOCK);
  if (step === COMPLEMENT) return 2 * (k - part * BLOCK) * size(k, part, BLOCK) * r;
  return 0;
}

/** Runs the tasks of split nodes on one thread. */
export class SplitElimination {
  readonly #state: UlvFactorState;
  readonly #blas: Blas;
  readonly #inverse: FloatArray;

  /** `inverse`: scratch of `substituteLeft`. */
  constructor(state: UlvFactorState, blas: Blas, inverse: FloatArray) {
    this.#state = state;
    this.#blas = blas;
    this.#inverse = inverse;
  }

  run(step: number, ν: number, part: number, columns: number): void {
    const { status, logs } = this.#state;
    if (step === ASSEMBLE) {
      logs[ν] = 0;
      status[ν] = status[leftChild(ν)] !== 0 || status[rightChild(ν)] !== 0 ? SKIPPED : 0;
    }
    if (status[ν] !== 0) return;
    const { data, plan, schur, shift, factors, basis, basisBegin } = this.#state;
    const k = plan.rank[ν];
    const r = plan.begin[ν + 1] - plan.begin[ν];
    const ss = view(schur, plan.splitBegin[ν], k, k);
    const z = view(schur, plan.splitBegin[ν] + k * k, r, k);
    const h = view(factors, plan.factorBegin[ν], r, r);
    const v = view(factors, plan.factorBegin[ν] + r * r, r, k);
    const t = view(basis, basisBegin[ν], r, k);
    if (step === ASSEMBLE) assembleLocal(this.#state, shift[0], ν, { ss, rs: v, rr: h });
    else if (step === UNCOUPLE)
      this.#uncouple(rowsOf(t, part, BLOCK), ss, rowsOf(v, part, BLOCK), rowsOf(z, part, BLOCK));
    else if (step === CONGRUENCE) this.#congruence(part, z, t, h);
    else if (step === FACTOR) this.#factor(ν, part, h);
    else if (step === UPDATE) this.#update(part, columns, h);
    else if (step === ELIMINATE) substituteLeft(this.#blas, h, columnsOf(v, part, BLOCK), this.#inverse);
    else this.#complement(part, v, ss, plan.slotBegin[leftmostLeaf(data.tree, ν)]);
  }

  /** v: D_RS → G, z ← D_RS − Y/2; of some rows. */
  #uncouple(t: Matrix, ss: Matrix, v: Matrix, z: Matrix): void {
    this.#blas.symm('R', 'L', 1, ss, t, 0, z);
    for (let j = 0; j < v.cols; j++) {
      for (let i = 0, at = v.offset + j * v.ld, y = z.offset + j * z.ld; i < v.rows; i++, at++, y++) {
        const half = v.data[at] - 0.5 * z.data[y];
        v.data[at] -= z.data[y];
        z.data[y] = half;
      }
    }
  }

  #congruence(part: number, z: Matrix, t: Matrix, h: Matrix): void {
    const first = part * BLOCK;
    const out = below(h, first, BLOCK);
    const rows = ({ cols, ...a }: Matrix): Matrix => block({ cols, ...a }, first, 0, h.rows - first, cols);
    this.#blas.gemm('N', 'T', -1, rows(z), rowsOf(t, part, BLOCK), 1, out);
    this.#blas.gemm('N', 'T', -1, rows(t), rowsOf(z, part, BLOCK), 1, out);
  }

  #factor(ν: number, panel: number, h: Matrix): void {
    const { status, logs } = this.#state;
    const first = panel * PANEL;
    const l = below(h, first, PANEL);
    const corner = block(l, 0, 0, l.cols, l.cols);
    const info = this.#blas.potrf('L', corner);
    if (info !== 0) {
      status[ν] = first + info;
      return;
    }
    let log = 0;
    for (let i = 0; i < l.cols; i++) log += Math.log(corner.data[corner.offset + i * (corner.ld + 1)]);
    // A pivot that overflowed the precision gives NaN, not info.
    if (!Number.isFinite(log)) {
      status[ν] = h.rows;
      return;
    }
    logs[ν] += 2 * log;
    if (l.rows > l.cols) substituteRight(this.#blas, 'T', corner, block(l, l.cols, 0, l.rows - l.cols, l.cols));
  }

  #update(panel: number, columns: number, h: Matrix): void {
    const first = columns * PANEL;
    const out = below(h, first, PANEL);
    const l = block(h, first, panel * PANEL, h.rows - first, PANEL);
    this.#blas.gemm('N', 'T', -1, l, block(l, 0, 0, out.cols, PANEL), 1, out);
  }

  #complement(part: number, v: Matrix, ss: Matrix, slot: number): void {
    const first = part * BLOCK;
    const out = below(ss, first, BLOCK);
    const rest = block(v, 0, first, v.rows, v.cols - first);
    this.#blas.gemm('T', 'N', -1, rest, columnsOf(v, part, BLOCK), 1, out);
    const k = ss.cols;
    for (let j = first; j < first + out.cols; j++)
      copyRun(ss.data, slot + j * (k + 1), ss.data, ss.offset + j * (k + 1), k - j);
  }
}

const rowsOf = (a: Matrix, part: number, size: number): Matrix =>
  block(a, part * size, 0, Math.min(size, a.rows - part * size), a.cols);

const columnsOf = (a: Matrix, part: number, size: number): Matrix =>
  block(a, 0, part * size, a.rows, Math.min(size, a.cols - part * size));

/** Columns first … of a square matrix, from their diagonal on down. */
const below = (a: Matrix, first: number, size: number): Matrix =>
  block(a, first, first, a.rows - first, Math.min(size, a.rows - first));
