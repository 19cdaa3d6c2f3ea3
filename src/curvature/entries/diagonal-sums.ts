/**
 * Diagonals: G((ℓ,p,q), (ℓ,p,q)) = (1/n) Σ_i ā_i(q)² ‖Δ_{ℓ,i}(:, p)‖², one GEMM a layer; and the block A of a last
 * layer under squared errors.
 */
import type { Blas } from '../../dense/blas.js';
import { view } from '../../dense/matrix.js';
import type { GramArrays } from './unit-gram-arrays.js';
import { GramVectors } from './unit-gram-vectors.js';

const CHUNK = 1024;

/**
 * ‖Δ_{ℓ,i}(:, p)‖² of samples at … at + size for all units of a layer: out is size × d_ℓ. Rounding below zero is cut
 * off.
 */
export function squaredUnitNorms(vectors: GramVectors, ℓ: number, at: number, size: number, out: Float64Array): void {
  const { outputs: d } = vectors.arrays.network.layers[ℓ];
  for (let p = 0, to = 0; p < d; p++) {
    vectors.select(ℓ, p, ℓ, p);
    const nonzero = vectors.load(at, size);
    const { data, offset } = vectors;
    for (let i = 0; i < size; i++, to++) out[to] = nonzero && data[offset + i] > 0 ? data[offset + i] : 0;
  }
}

/** out ← out + scale·Σ_i ā_i(q)²‖Δ_{ℓ,i}(:, p)‖² for all N weights, over the arrays' samples. About 2nN flops. */
export function addDiagonal(arrays: GramArrays, blas: Blas, scale: number, out: Float64Array): void {
  const { network, count: n } = arrays;
  const vectors = new GramVectors(arrays);
  network.layers.forEach(({ width, outputs, offset }, ℓ) => {
    const inputs = arrays.inputs[ℓ];
    const squares = new Float64Array(width * Math.min(n, CHUNK));
    const norms = new Float64Array(outputs * Math.min(n, CHUNK));
    for (let at = 0; at < n; at += CHUNK) {
      const size = Math.min(CHUNK, n - at);
      for (let q = 0, to = 0; q < width; q++)
        for (let i = q * n + at; i < q * n + at + size; i++) squares[to++] = inputs[i] * inputs[i];
      squaredUnitNorms(vectors, ℓ, at, size, norms);
      blas.gemm(
        'T',
        'N',
        scale,
        view(squares, 0, size, width),
        view(norms, 0, size, outputs),
        1,
        view(out, offset, width, outputs),
      );
    }
  });
}

/** out ← out + scale·Σ_i āᵢāᵢᵀ of the last layer's inputs, width × width. */
export function addLastInputGram(
  { network, count, inputs }: GramArrays,
  blas: Blas,
  scale: number,
  out: Float64Array,
): void {
  const last = network.layers.length - 1;
  const { width } = network.layers[last];
  const a = view(inputs[last], 0, count, width);
  blas.gemm('T', 'N', scale, a, a, 1, view(out, 0, width, width));
}
