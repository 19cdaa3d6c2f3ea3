/**
 * Into a Kronecker basis and back: x ↦ Qᵀx and z ↦ Q·z + complement, layer by layer and vector by vector on a team.
 * With the part V (width × outputs) of a vector that belongs to a layer: Qᵀv is U_Aᵀ·V·U_Γ, Q·z is U_A·Z·U_Γᵀ, and the
 * complement c·A·V·(I − U_ΓU_Γᵀ). Every (vector, layer) is a task of the same products, so all team sizes give the same
 * bits.
 */
import type { Blas } from '../../dense/blas.js';
import { copyInto, fill, view, type Matrix } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';

/** One layer's part of the basis. */
export interface BasisLayer {
  /** Where the layer's width × outputs weights begin in a vector. */
  readonly offset: number;
  readonly width: number;
  readonly outputs: number;
  /** Where the layer's directions × units begin in a rotated vector. */
  readonly base: number;
  /** U_A, width × directions, and U_Γ, outputs × units (null: the identity). */
  readonly inputVectors: Matrix;
  readonly outputVectors: Matrix | null;
  readonly units: number;
  /** c·A, width × width, where the layer has a complement. */
  readonly complement: Matrix | null;
}

/** The basis and the vectors that a rotation's tasks work on. */
export interface RotationState {
  readonly layers: readonly BasisLayer[];
  /** Numbers in a vector and in a rotated one, and vectors there is room for. */
  readonly size: number;
  readonly rotatedSize: number;
  readonly width: number;
  /** Vectors one after the other: x, Qᵀx, H·Qᵀx and the result. */
  readonly incoming: Float64Array;
  readonly rotated: Float64Array;
  readonly multiplied: Float64Array;
  readonly outgoing: Float64Array;
}

class Rotation {
  readonly #state: RotationState;
  readonly #blas: Blas;
  readonly #half: Float64Array;
  readonly #projected: Float64Array;

  constructor(state: RotationState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    const most = Math.max(...state.layers.map(({ width, units }) => width * units));
    this.#half = new Float64Array(most);
    this.#projected = new Float64Array(most);
  }

  into(vector: number, layer: BasisLayer): void {
    const { directions, units } = { directions: layer.inputVectors.cols, units: layer.units };
    if (directions === 0 || units === 0) return;
    const { incoming, rotated, size, rotatedSize } = this.#state;
    const v = view(incoming, vector * size + layer.offset, layer.width, layer.outputs);
    this.#blas.gemm(
      'T',
      'N',
      1,
      layer.inputVectors,
      this.#timesOutput(v, layer, this.#half),
      0,
      view(rotated, vector * rotatedSize + layer.base, directions, units),
    );
  }

  back(vector: number, layer: BasisLayer): void {
    const { incoming, multiplied, outgoing, size, rotatedSize } = this.#state;
    const { width, outputs, units, inputVectors, outputVectors, complement } = layer;
    const v = view(incoming, vector * size + layer.offset, width, outputs);
    const out = view(outgoing, vector * size + layer.offset, width, outputs);
    const half = outputVectors === null ? out : view(this.#half, 0, width, units);
    if (inputVectors.cols === 0 || units === 0) fill(half, 0);
    else
      this.#blas.gemm(
        'N',
        'N',
        1,
        inputVectors,
        view(multiplied, vector * rotatedSize + layer.base, inputVectors.cols, units),
        0,
        half,
      );
    if (complement !== null && units > 0)
      this.#blas.gemm('N', 'N', -1, complement, this.#timesOutput(v, layer, this.#projected), 1, half);
    if (outputVectors !== null) {
      if (units === 0) fill(out, 0);
      else this.#blas.gemm('N', 'T', 1, half, outputVectors, 0, out);
    }
    if (complement !== null) this.#blas.gemm('N', 'N', 1, complement, v, 1, out);
  }

  /** V·U_Γ. */
  #timesOutput(v: Matrix, { width, units, outputVectors }: BasisLayer, out: Float64Array): Matrix {
    if (outputVectors === null) return v;
    const product = view(out, 0, width, units);
    this.#blas.gemm('N', 'N', 1, v, outputVectors, 0, product);
    return product;
  }
}

/** Task t: vector ⌊t / layers⌋ of `incoming`, layer t mod layers, to `rotated`. */
export const rotateInto = defineTask<RotationState>(import.meta.url, 'rotateInto', (state, { blas }) => {
  const rotation = new Rotation(state, blas);
  return (task) => rotation.into(Math.floor(task / state.layers.length), state.layers[task % state.layers.length]);
});

/** Task t: from `multiplied` to `outgoing`. */
export const rotateBack = defineTask<RotationState>(import.meta.url, 'rotateBack', (state, { blas }) => {
  const rotation = new Rotation(state, blas);
  return (task) => rotation.back(Math.floor(task / state.layers.length), state.layers[task % state.layers.length]);
});

/** Copies a block of vectors into the first columns of `array`, one after the other. */
export function stageVectors(array: Float64Array, x: Matrix): void {
  copyInto(view(array, 0, x.rows, x.cols), x);
}
