/**
 * The R-forward pass and its way back: sums over samples of J_iᵀQ_iJ_i·v (Gauss–Newton) and of ∇²loss_i·v (Hessian),
 * for g vectors at once.
 *
 *   RZ_ℓ = W_ℓ RA_{ℓ−1} + V_ℓ Ā_{ℓ−1},  RA_ℓ = φ′(Z_ℓ)∘RZ_ℓ,  RA_0 = 0
 *   D_L  = φ′(Z_L)∘(Q RA_L)                                    [+ φ″(Z_L)∘∇loss∘RZ_L]
 *   sum_ℓ += Ā_{ℓ−1} D_ℓᵀ                                       [+ RA_{ℓ−1} δ_ℓᵀ]
 *   D_{ℓ−1} = φ′(Z_{ℓ−1})∘(W_ℓᵀD_ℓ [+ V_ℓᵀδ_ℓ])                 [+ φ″(Z_{ℓ−1})∘(W_ℓᵀδ_ℓ)∘RZ_{ℓ−1}]
 *
 * Without the brackets: the Gauss–Newton product (N. N. Schraudolph, "Fast curvature matrix-vector products for
 * second-order gradient descent", Neural Computation 14(7), 2002), ≈ 8nN flops a vector less the first layer's way in
 * and out. With them: the exact Hessian product (B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural
 * Computation 6(1), 1994). Stacks as in stacks.ts: every line is one GEMM for all vectors, but for those in V_ℓᵀδ_ℓ and
 * RA δᵀ, one a vector.
 */
import { floats } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { addScaledStack, scaleStack } from '../../dense/stacks.js';
import { applyLossHessian } from '../../network/losses/evaluate.js';
import { layerWeights, type Layer } from '../../network/network.js';
import { packedLayer, type SumLayout } from './packed-sums.js';
import type { SampleState } from './sample-state.js';

/** Numbers of workspace for each sample and vector. */
export function recurrenceWorkspace({ network, reduced, sum }: SampleState): number {
  const outputs = network.layers.map((layer) => layer.outputs);
  if (reduced !== null) outputs.pop();
  const widest = Math.max(1, ...outputs);
  return sum.kind === 'hessian' ? 2 * widest + 2 * outputs.reduce((a, b) => a + b, 0) : 2 * widest;
}

/** Samples first … first + count − 1 of the batch, g packed vectors, and the sums that their terms are added to. */
interface Terms {
  readonly first: number;
  readonly count: number;
  readonly packed: FloatArray;
  readonly g: number;
  readonly sums: FloatArray;
}

/** One task's Gauss–Newton or Hessian products, and its scratch. */
export class CurvatureRecurrence {
  readonly #state: SampleState;
  readonly #blas: Blas;
  readonly #layout: SumLayout;
  readonly #full: boolean;
  readonly #last: number;
  /** W_ℓᵀ (inputs × outputs), without biases. */
  readonly #weights: readonly Matrix[];
  /** Two stacks in turn; a Hessian keeps RZ_ℓ (where φ″ does not vanish) and RA_ℓ of every layer beside them. */
  #stacks: [FloatArray, FloatArray];
  #kept: { z: FloatArray; a: FloatArray }[] = [];
  /** Wᵀ_L V_L of the reduced last layer, transposed: width × (inputs·g). */
  #pulled: FloatArray;
  #room = 0;

  constructor(state: SampleState, layout: SumLayout, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#layout = layout;
    this.#full = state.sum.kind === 'hessian';
    this.#last = state.network.layers.length - 1;
    this.#weights = state.network.layers.map((layer) =>
      block(layerWeights(layer, state.parameters), 0, 0, layer.inputs, layer.outputs),
    );
    this.#stacks = [this.#array(0), this.#array(0)];
    this.#pulled = this.#array(0);
  }

  #array(length: number): FloatArray {
    return floats(length, this.#state.precision);
  }

  /**
   * What the samples of a task share: W_LᵀV_L where the last layer is reduced. Call once before `add`, for each packed
   * group.
   */
  begin(packed: FloatArray, g: number): void {
    if (this.#layout.reduced < 0) return;
    const { width, inputs, outputs, offset } = this.#state.network.layers[this.#last];
    if (this.#pulled.length < width * inputs * g) this.#pulled = this.#array(width * inputs * g);
    for (let j = 0; j < g; j++) {
      this.#blas.gemm(
        'N',
        'T',
        this.#state.scale,
        view(packed, offset * g + j * width * outputs, width, outputs),
        this.#weights[this.#last],
        0,
        view(this.#pulled, j * width * inputs, width, inputs),
      );
    }
  }

  /** sums ← sums + the terms of samples first … first + count − 1 of the batch. */
  add(first: number, count: number, packed: FloatArray, g: number, sums: FloatArray): void {
    const { layers } = this.#state.network;
    const terms: Terms = { first, count, packed, g, sums };
    this.#makeRoom(count * g);
    const reduced = this.#state.reduced !== null;
    let incoming: FloatArray | null = null;
    let at = 0;
    for (let ℓ = 0; ℓ <= this.#last; ℓ++) {
      if (ℓ === this.#last && reduced) break;
      const z = this.#full && ℓ < this.#last ? this.#kept[ℓ].z : this.#stacks[at];
      this.#forward(ℓ, incoming, terms, z);
      if (ℓ === this.#last) {
        this.#applyLoss(z, this.#stacks[1 - at], terms);
        break;
      }
      incoming = this.#activate(ℓ, z, terms);
      at = 1 - at;
    }
    let errors: FloatArray | null = reduced ? null : this.#stacks[at];
    for (let ℓ = this.#last; ℓ >= 0; ℓ--) {
      const layer = layers[ℓ];
      if (errors !== null) {
        const d = view(errors, 0, layer.outputs * g, count);
        this.#blas.gemm(
          'N',
          'T',
          1,
          this.#inputs(ℓ, first, count),
          d,
          1,
          packedSum(sums, this.#layout.direct[ℓ], layer, g),
        );
      } else if (ℓ > 0) {
        const a = view(incoming!, 0, layer.inputs * g, count);
        this.#blas.gemm(
          'N',
          'T',
          1,
          this.#inputs(ℓ, first, count),
          a,
          1,
          view(sums, this.#layout.reduced * g, layer.width, layer.inputs * g),
        );
      }
      if (ℓ === 0) break;
      // While the reduced layer is left, `incoming` (RA_{L−1}) may lie in either stack: write to the other one.
      const next: FloatArray = (errors ?? incoming) === this.#stacks[0] ? this.#stacks[1] : this.#stacks[0];
      this.#backward(ℓ, errors, incoming, terms, next);
      if (this.#full) this.#addHessianTerms(ℓ, terms, next);
      this.#throughActivation(ℓ - 1, next, terms);
      errors = next;
    }
  }

  #makeRoom(columns: number): void {
    if (columns <= this.#room) return;
    const { layers } = this.#state.network;
    const widths = layers
      .slice(0, this.#state.reduced === null ? layers.length : this.#last)
      .map((layer) => layer.outputs);
    const widest = Math.max(1, ...widths) * columns;
    this.#stacks = [this.#array(widest), this.#array(widest)];
    if (this.#full)
      this.#kept = layers
        .slice(0, this.#last)
        .map(({ outputs }) => ({ z: this.#array(outputs * columns), a: this.#array(outputs * columns) }));
    this.#room = columns;
  }

  #inputs(ℓ: number, first: number, count: number): Matrix {
    const { width } = this.#state.network.layers[ℓ];
    return view(this.#state.layers[ℓ].inputs, first * width, width, count);
  }

  /** z ← V_ℓ Ā_{ℓ−1} + W_ℓ RA_{ℓ−1}. */
  #forward(ℓ: number, incoming: FloatArray | null, { first, count, packed, g }: Terms, z: FloatArray): void {
    const layer = this.#state.network.layers[ℓ];
    this.#blas.gemm(
      'T',
      'N',
      1,
      packedLayer(packed, layer, g),
      this.#inputs(ℓ, first, count),
      0,
      view(z, 0, layer.outputs * g, count),
    );
    if (incoming !== null)
      this.#blas.gemm(
        'T',
        'N',
        1,
        this.#weights[ℓ],
        view(incoming, 0, layer.inputs, g * count),
        1,
        view(z, 0, layer.outputs, g * count),
      );
  }

  /** RA_ℓ from RZ_ℓ, in place but for a Hessian. */
  #activate(ℓ: number, z: FloatArray, { first, count, g }: Terms): FloatArray {
    const { outputs } = this.#state.network.layers[ℓ];
    const { slope } = this.#state.layers[ℓ];
    const a = this.#full ? this.#kept[ℓ].a : z;
    if (slope !== null) scaleStack(a, z, view(slope, first * outputs, outputs, count), g);
    else if (a !== z) a.set(z.subarray(0, outputs * g * count));
    return a;
  }

  /** D_L from RZ_L, in place; `spare` is a stack nobody needs. */
  #applyLoss(z: FloatArray, spare: FloatArray, { first, count, g }: Terms): void {
    const {
      network: { outputs: r },
      loss,
      weight,
      scale,
      output,
    } = this.#state;
    const length = r * g * count;
    if (output === null) {
      if (weight !== null) scaleStack(z, z, view(weight, first * r, r, count), g);
      else if (scale !== 1) for (let k = 0; k < length; k++) z[k] *= scale;
      return;
    }
    const { slope, curvature } = this.#state.layers[this.#last];
    const u = slope === null ? z : spare;
    if (slope !== null) scaleStack(u, z, view(slope, first * r, r, count), g);
    for (let i = 0; i < count; i++) {
      const columns = view(u, i * r * g, r, g);
      applyLossHessian(loss, view(output, (first + i) * r, r, 1), columns, columns);
    }
    if (slope === null) return;
    scaleStack(u, u, view(slope, first * r, r, count), g);
    if (curvature !== null) addScaledStack(u, z, view(curvature, first * r, r, count), g);
    z.set(u.subarray(0, length));
  }

  /** u ← W_ℓᵀD_ℓ, from RA_{ℓ−1} where the layer is reduced. */
  #backward(
    ℓ: number,
    errors: FloatArray | null,
    incoming: FloatArray | null,
    { first, count, g }: Terms,
    u: FloatArray,
  ): void {
    const { width, inputs, outputs } = this.#state.network.layers[ℓ];
    const out = view(u, 0, inputs, g * count);
    if (errors !== null) {
      this.#blas.gemm('N', 'N', 1, this.#weights[ℓ], view(errors, 0, outputs, g * count), 0, out);
      return;
    }
    const { reduced, scale } = this.#state;
    this.#blas.gemm(
      'N',
      'N',
      scale,
      view(reduced!.gram, 0, inputs, inputs),
      view(incoming!, 0, inputs, g * count),
      0,
      out,
    );
    this.#blas.gemm(
      'T',
      'N',
      1,
      view(this.#pulled, 0, width, inputs * g),
      this.#inputs(ℓ, first, count),
      1,
      view(u, 0, inputs * g, count),
    );
  }

  /** u ← u + V_ℓᵀδ_ℓ and sum_ℓ ← sum_ℓ + RA_{ℓ−1}δ_ℓᵀ. */
  #addHessianTerms(ℓ: number, { first, count, packed, g, sums }: Terms, u: FloatArray): void {
    const { width, inputs, outputs, offset } = this.#state.network.layers[ℓ];
    const δ = view(this.#state.layers[ℓ].error!, first * outputs, outputs, count);
    const { a } = this.#kept[ℓ - 1];
    const size = width * outputs;
    for (let j = 0; j < g; j++) {
      this.#blas.gemm(
        'N',
        'N',
        1,
        view(packed, offset * g + j * size, inputs, outputs, width),
        δ,
        1,
        view(u, j * inputs, inputs, count, inputs * g),
      );
      this.#blas.gemm(
        'N',
        'T',
        1,
        view(a, j * inputs, inputs, count, inputs * g),
        δ,
        1,
        view(sums, this.#layout.direct[ℓ] * g + j * size, inputs, outputs, width),
      );
    }
  }

  /** D_ℓ from the errors at a_ℓ, in place. */
  #throughActivation(ℓ: number, u: FloatArray, { first, count, g }: Terms): void {
    const { outputs } = this.#state.network.layers[ℓ];
    const { slope, curvature } = this.#state.layers[ℓ];
    if (slope !== null) scaleStack(u, u, view(slope, first * outputs, outputs, count), g);
    if (curvature !== null) addScaledStack(u, this.#kept[ℓ].z, view(curvature, first * outputs, outputs, count), g);
  }
}

/** A layer's part of the sums as width × (outputs·g). */
const packedSum = (sums: FloatArray, at: number, { width, outputs }: Layer, g: number): Matrix =>
  view(sums, at * g, width, outputs * g);
