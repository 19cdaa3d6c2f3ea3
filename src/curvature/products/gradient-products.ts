/**
 * Sums over samples of g_i (g_iᵀv) for g vectors at once, the gradients g_i never formed.
 * Layer ℓ's part of g_i is ā_i δ_iᵀ, so c_i = g_iᵀv = Σ_ℓ δ_iᵀ V_ℓ ā_i and the sum's part is Ā diag(c) Δᵀ: two GEMMs a
 * layer, 4nN flops a vector, and small ones a sample.
 */
import { floats } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { packedLayer, type SumLayout } from './packed-sums.js';
import { drawsOf, type SampleState } from './sample-state.js';

/** Numbers of workspace for each sample and vector. */
export function gradientWorkspace({ network, sum }: SampleState): number {
  return Math.max(...network.layers.map((layer) => layer.outputs)) + drawsOf(sum);
}

/** One task's products with outer products of gradients, and its scratch. */
export class GradientProducts {
  readonly #state: SampleState;
  readonly #blas: Blas;
  readonly #layout: SumLayout;
  readonly #draws: number;
  #stack: FloatArray;
  /** c: draws × g for each sample. */
  #inner: FloatArray;
  #room = 0;

  constructor(state: SampleState, layout: SumLayout, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#layout = layout;
    this.#draws = drawsOf(state.sum);
    this.#stack = this.#array(0);
    this.#inner = this.#array(0);
  }

  #array(length: number): FloatArray {
    return floats(length, this.#state.precision);
  }

  /** Nothing is shared by the samples of a task. */
  begin(): void {
    /* see Recurrence.begin */
  }

  /** sums ← sums + the terms of samples first … first + count − 1 of the batch. */
  add(first: number, count: number, packed: FloatArray, g: number, sums: FloatArray): void {
    const {
      network: { layers },
      layers: stored,
    } = this.#state;
    if (count * g > this.#room) {
      this.#room = count * g;
      this.#stack = this.#array(Math.max(...layers.map((layer) => layer.outputs)) * this.#room);
      this.#inner = this.#array(this.#draws * this.#room);
    }
    const blas = this.#blas;
    const stack = this.#stack;
    const each = this.#draws * g;
    layers.forEach((layer, ℓ) => {
      const { width, outputs } = layer;
      blas.gemm(
        'T',
        'N',
        1,
        packedLayer(packed, layer, g),
        view(stored[ℓ].inputs, first * width, width, count),
        0,
        view(stack, 0, outputs * g, count),
      );
      for (let i = 0; i < count; i++)
        blas.gemm(
          'T',
          'N',
          1,
          this.#errors(ℓ, first + i),
          view(stack, i * outputs * g, outputs, g),
          ℓ === 0 ? 0 : 1,
          view(this.#inner, i * each, this.#draws, g),
        );
    });
    layers.forEach((layer, ℓ) => {
      const { width, outputs } = layer;
      for (let i = 0; i < count; i++)
        blas.gemm(
          'N',
          'N',
          1,
          this.#errors(ℓ, first + i),
          view(this.#inner, i * each, this.#draws, g),
          0,
          view(stack, i * outputs * g, outputs, g),
        );
      blas.gemm(
        'N',
        'T',
        1,
        view(stored[ℓ].inputs, first * width, width, count),
        view(stack, 0, outputs * g, count),
        1,
        view(sums, this.#layout.direct[ℓ] * g, width, outputs * g),
      );
    });
  }

  /** δ_ℓ of one sample, outputs × draws. */
  #errors(ℓ: number, sample: number): Matrix {
    const { outputs } = this.#state.network.layers[ℓ];
    return view(this.#state.layers[ℓ].error!, sample * outputs, outputs, this.#draws, outputs * this.#state.capacity);
  }
}
