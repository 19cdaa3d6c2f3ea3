/**
 * Vectors laid out like θ in Kronecker eigenbases, layer by layer: X = U_AᵀFU_Γ, what is done there, and back,
 * T = U_A X U_Γᵀ, as tasks of three stages on the blocks of θ. A side that is not turned costs nothing. And the
 * eigenbases themselves, one task a side, in double precision.
 *
 *   stage 1   L(block) = U_Aᵀ F(block)
 *   stage 2   X(block) = L·U_Γ(:, block), what is done between, R(block) = U_A X(block)
 *   stage 3   T(block) = R·U_Γ(block, :)ᵀ, and θ(block) by T
 *
 * Stage 2 of a layer waits for all its stage 1, stage 3 for all its stage 2. 4(width + outputs) flops a parameter, less
 * where F was formed in the bases, from samples that were turned before.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, zeros, type Matrix } from '../../dense/matrix.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { SliceViews } from './slice-views.js';
import type { Block } from './slices.js';
import { decayBlock, updateBlock, type Blockwise, type Rule, type Update } from './update.js';
import type { Span, SpanArrays } from './workspace.js';

/** U_A (width × width) and U_Γ (outputs × outputs) of a layer; null: the identity. */
export interface LayerBasis {
  readonly input: Span | null;
  readonly output: Span | null;
}

/**
 * Sides by which a gradient is turned while it is formed: G̃ = (1/n)(U_AᵀĀ)(U_ΓᵀD)ᵀ. A side of `size` units costs
 * 2n·size² flops so, and 2N_ℓ·size of a layer's N_ℓ parameters afterwards.
 */
export interface SampleTurns {
  readonly layers: readonly LayerBasis[];
  /** U_AᵀĀ and U_ΓᵀD of a layer: in its parts of two vectors laid out like θ, where n samples must fit. */
  readonly inputs: Span;
  readonly errors: Span;
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
  /** With m and v in the eigenbases X becomes m̂/(√v̂ + ε). */
  Extract<Rule, { readonly kind: 'adam' }> | { readonly kind: 'divide'; readonly layers: readonly (Divisors | null)[] };

/** A turn of a vector. L and T may be one vector, F may be T where it isn't entered; else all differ. */
export interface TurnWork {
  readonly kind: 'turn';
  /** null: the layer isn't turned, and by an `update` it goes by that update's own rule. */
  readonly bases: readonly (LayerBasis | null)[];
  /** F, L, and by which sides F is turned already; null where X is there. */
  readonly enter: { readonly from: Span; readonly left: Span; readonly turned: SampleTurns | null } | null;
  /** X. */
  readonly rotated: Span;
  readonly between: Between | null;
  /** R and T; null where X is what is asked for. With an `update` T itself is not made. */
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

/** The sides of a layer by which a vector is still to be turned. */
function remaining(basis: LayerBasis, turned: SampleTurns | null, layer: number): LayerBasis {
  const done = turned?.layers[layer];
  return {
    input: done?.input ? null : basis.input,
    output: done?.output ? null : basis.output,
  };
}

/**
 * The eigenbasis of a symmetric matrix whose numbers are finite, in double precision, as a task of `BasisTask` leaves
 * it. About 9·size³ flops.
 */
export function eigenbasis(
  blas: Blas,
  size: number,
  factor: FloatArray,
  { vectors, values }: { readonly vectors: FloatArray; readonly values: FloatArray },
): void {
  const exact = zeros(size, size);
  exact.data.set(factor);
  const w = new Float64Array(size);
  if (blas.syevd(true, 'L', exact, w) !== 0 || !Number.isFinite(w[0] + w[size - 1])) {
    values[0] = Number.NaN;
    return;
  }
  vectors.set(exact.data);
  const noise = size * Number.EPSILON * Math.max(0, w[size - 1]);
  for (let k = 0; k < size; k++) values[k] = w[k] <= noise ? 0 : w[k];
}

/** One worker's side of turns and bases. */
export class Turns {
  readonly #workspace: Blockwise['workspace'];
  readonly #kernels: VectorKernels;
  readonly #blockwise: Blockwise;
  readonly #blas: Blas;
  readonly #arrays: SpanArrays;
  readonly #blocks: readonly Block[];

  constructor(blockwise: Blockwise, blas: Blas, arrays: SpanArrays, blocks: readonly Block[]) {
    this.#blockwise = blockwise;
    this.#workspace = blockwise.workspace;
    this.#kernels = blockwise.kernels;
    this.#blas = blas;
    this.#arrays = arrays;
    this.#blocks = blocks;
  }

  /** U_AᵀĀ and U_ΓᵀD of a slice's samples. */
  turnSamples({ first, count, layers }: SliceViews, { layers: bases, inputs, errors }: SampleTurns): void {
    layers.forEach(({ layer, inputs: a, errors: d }, ℓ) => {
      for (const [u, x, to] of [
        [bases[ℓ].input, a, inputs],
        [bases[ℓ].output, d.matrix, errors],
      ] as const) {
        if (u === null) continue;
        const out = view(this.#arrays.of(to), layer.offset + first * x.rows, x.rows, count);
        this.#blas.gemm('T', 'N', 1, this.#square(u), x, 0, out);
      }
    });
  }

  /** Runs a task of `turnGraph`. */
  turn(task: number, work: TurnWork): void {
    const n = this.#blocks.length;
    const stage = Math.floor(task / n);
    const own = this.#blocks[task - stage * n];
    if (work.update !== null && work.update.layers[own.layer] === null) return;
    const basis = work.bases[own.layer];
    if (basis === null) {
      // Such a layer goes by its own rule.
      if (stage === 1 && work.update !== null) updateBlock(this.#blockwise, own, work.update);
    } else if (stage === 0) {
      if (work.enter === null) return;
      const { input, output } = remaining(basis, work.enter.turned, own.layer);
      if (output !== null && input !== null) this.#left(own, input, work.enter.from, work.enter.left);
    } else if (stage === 1) this.#between(own, basis, work);
    else if (work.leave !== null) this.#leave(own, basis, work);
  }

  /** to(block) ← Uᵀ from(block). */
  #left(own: Block, u: Span, from: Span, to: Span): void {
    this.#blas.gemm('T', 'N', 1, this.#square(u), this.#columns(from, own), 0, this.#columns(to, own));
  }

  #between(own: Block, basis: LayerBasis, { enter, rotated, between, leave, update }: TurnWork): void {
    const x = this.#part(rotated, own);
    let from = x;
    if (enter !== null) {
      const { input, output } = remaining(basis, enter.turned, own.layer);
      if (output !== null) {
        const l = this.#layer(input === null ? enter.from : enter.left, own);
        const { outputs } = this.#workspace.network.layers[own.layer];
        const u = block(this.#square(output), 0, own.first, outputs, own.count);
        this.#blas.gemm('N', 'N', 1, l, u, 0, this.#columns(rotated, own));
      } else if (input !== null) this.#left(own, input, enter.from, rotated);
      else from = this.#part(enter.from, own);
    }
    this.#do(own, between, from, x);
    if (leave === null) return;
    const { input, output } = basis;
    const r = this.#columns(rotated, own);
    if (output !== null) {
      if (input !== null) this.#blas.gemm('N', 'N', 1, this.#square(input), r, 0, this.#columns(leave.right, own));
    } else if (input !== null) this.#put('N', this.#square(input), r, own, { leave, update });
    else if (update === null) this.#copy(x, this.#part(leave.to, own));
    else this.#kernels.combine(own.length, -this.#decayed(own, update), x, 1, this.#θ(own));
  }

  #leave(own: Block, { input, output }: LayerBasis, { rotated, leave, update }: TurnWork): void {
    if (output === null) return;
    const { outputs } = this.#workspace.network.layers[own.layer];
    const r = this.#layer(input === null ? rotated : leave!.right, own);
    this.#put('T', r, block(this.#square(output), own.first, 0, own.count, outputs), own, { leave: leave!, update });
  }

  /** T(block) ← A·op(B), or θ(block) by that product. */
  #put(
    transB: 'N' | 'T',
    a: Matrix,
    b: Matrix,
    own: Block,
    { leave, update }: { readonly leave: { readonly to: Span }; readonly update: Update | null },
  ): void {
    if (update === null) this.#blas.gemm('N', transB, 1, a, b, 0, this.#columns(leave.to, own));
    else {
      const rate = this.#decayed(own, update);
      this.#blas.gemm('N', transB, -rate, a, b, 1, this.#columns(this.#workspace.parameters, own));
    }
  }

  /** θ(block) ← (1 − decay)θ(block); returns the layer's rate. */
  #decayed(own: Block, { layers }: Update): number {
    const layer = layers[own.layer]!;
    decayBlock(this.#kernels, layer, this.#workspace.network.layers[own.layer], own, this.#θ(own));
    return layer.rate;
  }

  #θ(own: Block): FloatArray {
    return this.#part(this.#workspace.parameters, own);
  }

  /** x ← what is done with `from`, which may be x. */
  #do(own: Block, between: Between | null, from: FloatArray, x: FloatArray): void {
    if (between?.kind === 'adam') {
      const [m, v] = between.moments;
      this.#kernels.adamDirection(own.length, between, from, this.#part(m, own), this.#part(v, own), x);
      return;
    }
    this.#copy(from, x);
    if (between === null) return;
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

  #copy(from: FloatArray, to: FloatArray): void {
    if (from.byteOffset !== to.byteOffset) this.#kernels.combine(from.length, 1, from, 0, to);
  }

  #part(vector: Span, own: Block): FloatArray {
    return this.#blockwise.part(vector, own);
  }

  /** The eigenbasis of one side. About 9·size³ flops. */
  basis({ size, factor, vectors, values }: BasisTask): void {
    const from = this.#arrays.of(factor);
    const to = { vectors: this.#arrays.of(vectors), values: this.#arrays.of(values) };
    if (this.#kernels.finite(size * size, from)) eigenbasis(this.#blas, size, from, to);
    else to.values[0] = Number.NaN;
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
