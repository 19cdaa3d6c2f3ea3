/**
 * What one task of a product works on: packed vectors, sums over samples, and where each layer stands in them.
 * Vectors are packed layer by layer: layer ℓ's part is width × (outputs·g), vector after vector, the columns of a
 * vector its units' weights. So V_ℓ Ā for all g vectors is one GEMM, and Ā Dᵀ for all of them comes out in the same
 * layout. Sums have the same layout, but where the last layer is reduced, it has inputs instead of outputs columns (Σ
 * RA Āᵀ), and a part of its own for what remains direct.
 */
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import type { Layer } from '../../network/network.js';
import type { SampleState } from './sample-state.js';

/** Numbers per vector of each part of the sums, and where it begins. */
export interface SumLayout {
  /** Direct sums Σ ā dᵀ of each layer, or −1 where there are none. */
  readonly direct: readonly number[];
  /** Σ Ā RAᵀ of the reduced last layer (width × inputs), or −1. */
  readonly reduced: number;
  readonly numbers: number;
}

/** Where each layer's sums stand in a task's memory, vector by vector. */
export function sumLayout({ network, reduced, sum }: SampleState): SumLayout {
  const last = network.layers.length - 1;
  let at = 0;
  const take = (numbers: number): number => {
    at += numbers;
    return at - numbers;
  };
  const direct = network.layers.map(({ width, outputs }, ℓ) => {
    // A reduced last layer's sums are made at the end; in the Hessian it also has the term Σ RA δᵀ.
    const needed = ℓ < last || reduced === null || (sum.kind === 'hessian' && ℓ > 0);
    return needed ? take(width * outputs) : -1;
  });
  const top = network.layers[last];
  const reducedAt = reduced !== null && last > 0 ? take(top.width * top.inputs) : -1;
  return { direct, reduced: reducedAt, numbers: at };
}

/** Layer's part of packed vectors as width × (outputs·g). */
export const packedLayer = (packed: FloatArray, { offset, width, outputs }: Layer, g: number): Matrix =>
  view(packed, offset * g, width, outputs * g);

/** packed ← the columns of x times `scale`, in the precision of `packed`. */
export function packVectors(x: Matrix, layers: readonly Layer[], packed: FloatArray, scale: number): void {
  const g = x.cols;
  for (const { offset, width, outputs } of layers) {
    const size = width * outputs;
    for (let j = 0; j < g; j++) {
      const from = x.offset + j * x.ld + offset;
      const to = offset * g + j * size;
      if (scale === 1) packed.set(x.data.subarray(from, from + size), to);
      else for (let k = 0; k < size; k++) packed[to + k] = scale * x.data[from + k];
    }
  }
}

/** out (n × 1) ← α·sum + β·out, each number rounded once; out is not read where β = 0. */
export function blend(
  { data: out, offset: at, rows: length }: Matrix,
  { data: sum, offset: from }: Matrix,
  alpha: number,
  beta: number,
): void {
  if (beta === 0) for (let k = 0; k < length; k++) out[at + k] = alpha * sum[from + k];
  else for (let k = 0; k < length; k++) out[at + k] = alpha * sum[from + k] + beta * out[at + k];
}
