/**
 * Vectors laid out like θ in Kronecker eigenbases, layer by layer: X = U_AᵀFU_Γ, what is done there, and back,
 * T = U_A X U_Γᵀ, as tasks of three stages on the blocks of θ. A side that is not turned costs nothing. And the
 * eigenbases themselves, one task a side, in double precision.
 *
 *   stage 1   L(block) = U_Aᵀ F(block)
 *   stage 2   X(block) = L·U_Γ(:, block), what is done between, R(block) = U_A X(block)
 *   stage 3   T(block) = R·U_Γ(block, :)ᵀ, and θ(block) by T
 *
 * Stage 2 of a layer waits for all its stage 1, stage 3 for all its stage 2. 4(width + outputs) flops a parameter.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, zeros, type Matrix } from '../../dense/matrix.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { Block } from './slices.js';
import { decayBlock, updateBlock, type Update } from './update.js';
import type { Span, SpanArrays, Workspace } from './workspace.js';

/** U_A (width × width) and U_Γ (outputs × outputs) of a layer; null: the identity. */
export interface LayerBasis {
  readonly input: Span | null;
  readonly output: Span | null;
}

/** x_ij ← x_ij/((a_i + inputShift)(c_j + outputShift) + shift) on a layer. */
export interface Divisors {
  readonly inputs: Span;
  readonly outputs: Span;
  readonly inputShift: number;
  readonly outputShift: number;
  readonly shift: number;
}

/** What is done in the eigenbases. */
export type Between =
  | {
      readonly kind: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly correction1: number;
      readonly correction2: number;
      /** m and v in the eigenbases; X becomes m̂/(√v̂ + ε). */
      readonly moments: readonly [Span, Span];
    }
  | { readonly kind: 'divide'; readonly layers: readonly (Divisors | null)[] };

/** A turn of a vector. L and T may be one vector, F may be T where it isn't entered; else all differ. */
export interface TurnWork {
  readonly kind: 'turn';
  /** null: the layer isn't turned, and by an `update` it goes by that update's own rule. */
  readonly bases: readonly (LayerBasis | null)[];
  /** F and L; null where X is there already. */
  readonly enter: { readonly from: Span; readonly left: Span } | null;
  /** X. */
  readonly rotated: Span;
  readonly between: Between | null;
  /** R and T; null where X is what is asked for. */
  readonly leave: { readonly right: Span; readonly to: Span } | null;
  /** θ ← (1 − decay)θ − rate·T; null: θ stays. */
  readonly update: Update | null;
}

/** A symmetric factor and where its eigenvectors and eigenvalues go; values[0] is NaN where they were not found. */
export interface BasisTask {
  readonly size: number;
  /** Its lower triangle is read. */
  readonly factor: Span;
  readonly vectors: Span;
  /** Ascending; none below zero, what is within rounding of it is zero. */
  readonly values: Span;
}

/** Eigenbases, a task each. */
export interface BasesWork {
  readonly kind: 'bases';
  readonly sides: readonly BasisTask[];
}

/** Stages of all blocks, stage after stage. */
export function turnGraph(blocks: readonly Block[]): TaskGraph {
  const n = blocks.length;
  const edges: number[] = [];
  for (const stage of [0, n])
    blocks.forEach((from, b) => {
      blocks.forEach((to, c) => {
        if (from.layer === to.layer) edges.push(stage + b, stage + n + c);
      });
    });
  return taskGraph(3 * n, edges);
}

/** One worker's side of turns and bases. */
export class Turns {
  readonly #workspace: Workspace;
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #arrays: SpanArrays;
  readonly #blocks: readonly Block[];
  readonly #parts: (vector: Span) => readonly FloatArray[];

  // eslint-disable-next-line max-params -- what a worker lends
  constructor(
    workspace: Workspace,
    kernels: VectorKernels,
    blas: Blas,
    arrays: SpanArrays,
    blocks: readonly Block[],
    parts: (vector: Span) => readonly FloatArray[],
  ) {
    this.#workspace = workspace;
    this.#kernels = kernels;
    this.#blas = blas;
    this.#arrays = arrays;
    this.#blocks = blocks;
    this.#parts = parts;
  }

  /** Runs a task of `turnGraph`. */
  turn(task: number, work: TurnWork): void {
    const n = this.#blocks.length;
    const stage = Math.floor(task / n);
    const index = task - stage * n;
    const own = this.#blocks[index];
    if (work.update !== null && work.update.layers[own.layer] === null) return;
    const basis = work.bases[own.layer];
    if (basis === null) {
      if (stage === 1 && work.update !== null) this.#plain(index, work.update);
    } else if (stage === 0) {
      if (work.enter !== null && basis.output !== null && basis.input !== null)
        this.#left(own, basis.input, work.enter.from, work.enter.left);
    } else if (stage === 1) this.#between(index, basis, work);
    else if (work.leave !== null) this.#leave(index, basis, work);
  }

  /** The update of a layer that is not turned, by its own rule. */
  #plain(index: number, update: Update): void {
    const { network, gradient, parameters } = this.#workspace;
    const own = this.#blocks[index];
    const spans = 'moments' in update.rule ? update.rule.moments : [];
    updateBlock(
      this.#kernels,
      update,
      { layer: network.layers[own.layer], block: own },
      {
        g: this.#parts(gradient)[index],
        θ: this.#parts(parameters)[index],
        moments: spans.map((span) => this.#parts(span)[index]),
      },
    );
  }

  /** to(block) ← Uᵀ from(block). */
  #left(own: Block, u: Span, from: Span, to: Span): void {
    this.#blas.gemm('T', 'N', 1, this.#square(u), this.#columns(from, own), 0, this.#columns(to, own));
  }

  #between(index: number, { input, output }: LayerBasis, { enter, rotated, between, leave }: TurnWork): void {
    const own = this.#blocks[index];
    const x = this.#columns(rotated, own);
    const blas = this.#blas;
    if (enter !== null) {
      const { from, left } = enter;
      if (output !== null) {
        const l = this.#layer(input === null ? from : left, own);
        const { outputs } = this.#workspace.network.layers[own.layer];
        blas.gemm('N', 'N', 1, l, block(this.#square(output), 0, own.first, outputs, own.count), 0, x);
      } else if (input !== null) this.#left(own, input, from, rotated);
      else this.#copy(index, from, rotated);
    }
    if (between !== null) this.#do(index, between, this.#parts(rotated)[index]);
    if (leave === null) return;
    const result = output === null ? leave.to : leave.right;
    if (input !== null) blas.gemm('N', 'N', 1, this.#square(input), x, 0, this.#columns(result, own));
    else if (output === null) this.#copy(index, rotated, result);
  }

  #leave(index: number, { input, output }: LayerBasis, { rotated, leave, update }: TurnWork): void {
    const own = this.#blocks[index];
    const { right, to } = leave!;
    if (output !== null) {
      const { outputs } = this.#workspace.network.layers[own.layer];
      const r = this.#layer(input === null ? rotated : right, own);
      const v = block(this.#square(output), own.first, 0, own.count, outputs);
      this.#blas.gemm('N', 'T', 1, r, v, 0, this.#columns(to, own));
    }
    if (update === null) return;
    const layer = update.layers[own.layer]!;
    const θ = this.#parts(this.#workspace.parameters)[index];
    decayBlock(this.#kernels, layer, this.#workspace.network.layers[own.layer], own, θ);
    this.#kernels.combine(own.length, -layer.rate, this.#parts(to)[index], 1, θ);
  }

  #do(index: number, between: Between, x: FloatArray): void {
    const own = this.#blocks[index];
    if (between.kind === 'adam') {
      const [m, v] = between.moments;
      this.#kernels.adamDirection(own.length, between, x, this.#parts(m)[index], this.#parts(v)[index], x);
      return;
    }
    const divisors = between.layers[own.layer];
    if (divisors === null) return;
    const { inputShift, outputShift, shift } = divisors;
    const a = this.#arrays.of(divisors.inputs);
    const c = this.#arrays.of(divisors.outputs);
    const { width } = this.#workspace.network.layers[own.layer];
    for (let j = 0, at = 0; j < own.count; j++) {
      const factor = c[own.first + j] + outputShift;
      for (let i = 0; i < width; i++, at++) x[at] /= (a[i] + inputShift) * factor + shift;
    }
  }

  #copy(index: number, from: Span, to: Span): void {
    if (from.at === to.at) return;
    this.#kernels.combine(this.#blocks[index].length, 1, this.#parts(from)[index], 0, this.#parts(to)[index]);
  }

  /** The eigenbasis of one side. About 9·size³ flops. */
  basis({ size, factor, vectors, values }: BasisTask): void {
    const from = this.#arrays.of(factor);
    const to = this.#arrays.of(vectors);
    const λ = this.#arrays.of(values);
    const exact = zeros(size, size);
    exact.data.set(from);
    const w = new Float64Array(size);
    const found = this.#kernels.finite(size * size, from) && this.#blas.syevd(true, 'L', exact, w) === 0;
    if (!found || !Number.isFinite(w[0] + w[size - 1])) {
      λ[0] = Number.NaN;
      return;
    }
    to.set(exact.data);
    const noise = size * Number.EPSILON * Math.max(0, w[size - 1]);
    for (let k = 0; k < size; k++) λ[k] = w[k] <= noise ? 0 : w[k];
  }

  /** Columns of a block in a vector laid out like θ. */
  #columns(span: Span, own: Block): Matrix {
    return view(this.#arrays.of(span), own.offset, this.#workspace.network.layers[own.layer].width, own.count);
  }

  /** The whole of a block's layer. */
  #layer(span: Span, own: Block): Matrix {
    const { width, outputs, offset } = this.#workspace.network.layers[own.layer];
    return view(this.#arrays.of(span), offset, width, outputs);
  }

  #square(span: Span): Matrix {
    const size = Math.round(Math.sqrt(span.length));
    return view(this.#arrays.of(span), 0, size, size);
  }
}
