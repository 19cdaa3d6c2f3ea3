/**
 * Products with curvature at the point of the last evaluation, slice by slice: J·v alone, JᵀQJ·v (Gauss–Newton) and
 * ∇²f·v (Pearlmutter). Formulas as in curvature/products/r-operator.ts, for one vector, from the passes that the
 * gradient left:
 *
 *   RZ_ℓ = W_ℓ RA_{ℓ−1} + V_ℓ Ā_{ℓ−1},  RA_ℓ = φ′∘RZ_ℓ
 *   D_L  = φ′∘(Q RA_L)                     [+ φ″∘∇loss∘RZ_L]
 *   D_{ℓ−1} = φ′∘(W_ℓᵀD_ℓ [+ V_ℓᵀδ_ℓ])     [+ φ″∘(W_ℓᵀδ_ℓ)∘RZ_{ℓ−1}]
 *
 * The brackets make the Hessian; a code (code.ts) has its Gauss–Newton part alone. The sums over samples are taken by
 * blocks.ts.
 */
import { RandomStream } from '../../core/random.js';
import type { Blas } from '../../dense/blas.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import { codeCurvature, codeDraw, codeTangent } from './code.js';
import { kernelLoss, type KernelLoss } from './passes.js';
import type { Part, SliceViews, WeightViews } from './slice-views.js';
import type { Workspace } from './workspace.js';

/** R-passes over slices of one worker. */
export class RPasses {
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #loss: KernelLoss;
  readonly #last: number;

  constructor(workspace: Workspace, kernels: VectorKernels, blas: Blas) {
    this.#kernels = kernels;
    this.#blas = blas;
    // An objective with curvature has a loss that the kernels know; others make no such passes.
    this.#loss = kernelLoss(workspace.loss, workspace.network.outputs) ?? { kind: 'squared', scale: 1 };
    this.#last = workspace.network.layers.length - 1;
  }

  /** Tangents of layer L ← RA_L = J·v of the slice's samples. */
  tangent(slice: SliceViews, θ: readonly WeightViews[], v: readonly WeightViews[], hessian = false): void {
    const { layers, code } = slice;
    layers.forEach(({ inputs, tangents, slopes, kept }, ℓ) => {
      const z = hessian ? kept!.z : tangents!;
      this.#blas.gemm('T', 'N', 1, v[ℓ].full, inputs, 0, z.matrix);
      if (ℓ > 0) {
        const last = layers[ℓ - 1];
        const before = last.between ?? (hessian ? last.kept!.a : last.tangents!);
        this.#blas.gemm('T', 'N', 1, θ[ℓ].weights, before.matrix, 1, z.matrix);
      }
      const a = hessian ? kept!.a : z;
      if (a !== z) this.#kernels.combine(a.array.length, 1, z.array, 0, a.array);
      if (slopes !== null) this.#kernels.multiply(slopes.array.length, slopes.array, a.array);
      if (ℓ === code?.layer) codeTangent(code, a.array);
    });
  }

  /** u ← Q·u by sample, with the outputs' means of this point. */
  applyLossHessian(slice: SliceViews, u: Part): void {
    const kernels = this.#kernels;
    const { kind, scale } = this.#loss;
    const { rows, cols } = u.matrix;
    if (kind === 'squared') {
      if (scale !== 1) kernels.combine(u.array.length, scale, u.array, 0, u.array);
    } else if (kind === 'bce') kernels.bceHessian(u.array.length, slice.means!.array, u.array);
    else kernels.softmaxHessian(rows, cols, slice.means!.array, cols, u.array);
  }

  /** The means of this point, before the first product. */
  prepare({ count, output, means }: SliceViews): void {
    if (means !== null && this.#loss.kind !== 'squared')
      this.#kernels.mean(this.#loss.kind, output.matrix.rows, count, output.array, means.array);
  }

  /** Errors of J_iᵀQ_iJ_i·v, or of ∇²loss_i·v, into every layer's tangents. */
  product(slice: SliceViews, θ: readonly WeightViews[], v: readonly WeightViews[], hessian: boolean): void {
    const kernels = this.#kernels;
    const { layers, code } = slice;
    this.tangent(slice, θ, v, hessian);
    const top = layers[this.#last];
    const d = top.tangents!;
    if (hessian) kernels.combine(d.array.length, 1, top.kept!.a.array, 0, d.array);
    this.applyLossHessian(slice, d);
    if (top.slopes !== null) kernels.multiply(d.array.length, top.slopes.array, d.array);
    if (hessian && top.second !== null)
      kernels.multiplyAdd(d.array.length, 1, top.kept!.z.array, top.second.array, d.array);
    for (let ℓ = this.#last; ℓ > 0; ℓ--) {
      const { tangents, slopes, second, kept, between } = layers[ℓ - 1];
      const to = between ?? tangents!;
      this.#blas.gemm('N', 'N', 1, θ[ℓ].weights, layers[ℓ].tangents!.matrix, 0, to.matrix);
      if (between !== null) codeCurvature(code!, tangents!.array);
      if (hessian) this.#blas.gemm('N', 'N', 1, v[ℓ].weights, layers[ℓ].errors.matrix, 1, tangents!.matrix);
      if (slopes !== null) kernels.multiply(slopes.array.length, slopes.array, tangents!.array);
      if (hessian && second !== null)
        kernels.multiplyAdd(second.array.length, 1, kept!.z.array, second.array, tangents!.array);
    }
  }

  /**
   * Errors of a draw δ_i = Q_i^{1/2}ξ_i of signs ξ into every layer's tangents: E δδᵀ = Q exactly, with the least
   * variance of all ξ of unit second moments. The signs depend on seed, step and sample alone.
   */
  draw(slice: SliceViews, θ: readonly WeightViews[], seed: number, step: number): void {
    drawSigns(this.#loss, slice, slice.layers[this.#last].tangents!, seed, step);
    this.#back(slice, θ, step);
  }

  /** Errors of J_iᵀL_ie_a into every layer's tangents, Q_i = L_iL_iᵀ: L is √q·I, diag √(p(1 − p)), diag √p − p√pᵀ. */
  column(slice: SliceViews, θ: readonly WeightViews[], output: number): void {
    const { array, matrix } = slice.layers[this.#last].tangents!;
    const p = slice.means?.array;
    array.fill(0);
    for (let i = 0; i < matrix.cols; i++) {
      const first = i * matrix.rows;
      const at = first + output;
      if (this.#loss.kind === 'squared') array[at] = Math.sqrt(this.#loss.scale);
      else if (this.#loss.kind === 'bce') array[at] = Math.sqrt(p![at] * (1 - p![at]));
      else {
        const root = Math.sqrt(p![at]);
        for (let k = first; k < first + matrix.rows; k++) array[k] = -p![k] * root;
        array[at] += root;
      }
    }
    this.#back(slice, θ);
  }

  /** From the outputs' tangents, which are ∂/∂a_L, to the errors of every layer; `step` tells the code's own draw. */
  #back({ layers, code }: SliceViews, θ: readonly WeightViews[], step = 0): void {
    const top = layers[this.#last];
    if (top.slopes !== null) this.#kernels.multiply(top.slopes.array.length, top.slopes.array, top.tangents!.array);
    for (let ℓ = this.#last; ℓ > 0; ℓ--) {
      const { tangents, slopes, between } = layers[ℓ - 1];
      const to = between ?? tangents!;
      this.#blas.gemm('N', 'N', 1, θ[ℓ].weights, layers[ℓ].tangents!.matrix, 0, to.matrix);
      if (between !== null) codeDraw(code!, tangents!.array, step);
      if (slopes !== null) this.#kernels.multiply(slopes.array.length, slopes.array, tangents!.array);
    }
  }
}

/** Keeps the signs' streams apart from others of the same seed. */
const SIGNS = 0x7369676e;

/** Signs of a sample, one after the other, 32 of each random number. */
export function sampleSigns(seed: number, step: number, sample: number): () => number {
  const random = new RandomStream(seed, SIGNS, step, sample);
  let bits = 0;
  let left = 0;
  return () => {
    if (left === 0) {
      bits = random.uint32();
      left = 32;
    }
    const sign = (bits & 1) * 2 - 1;
    bits >>>= 1;
    left--;
    return sign;
  };
}

/** out ← Q^{1/2}ξ: √q·ξ, √(p(1 − p))∘ξ, or (diag √p − p√pᵀ)ξ. */
function drawSigns({ kind, scale }: KernelLoss, slice: SliceViews, out: Part, seed: number, step: number): void {
  const { rows, cols } = out.matrix;
  const x = out.array;
  const p = slice.means?.array;
  const root = Math.sqrt(scale);
  for (let i = 0; i < cols; i++) {
    const signs = sampleSigns(seed, step, slice.first + i);
    let along = 0;
    for (let k = 0; k < rows; k++) {
      const sign = signs();
      const at = i * rows + k;
      if (kind === 'squared') x[at] = root * sign;
      else if (kind === 'bce') x[at] = Math.sqrt(p![at] * (1 - p![at])) * sign;
      else {
        x[at] = Math.sqrt(p![at]) * sign;
        along += x[at];
      }
    }
    if (kind === 'softmax') for (let at = i * rows; at < (i + 1) * rows; at++) x[at] -= p![at] * along;
  }
}
