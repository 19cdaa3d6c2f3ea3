/**
 * The backward pass over a batch, one GEMM a layer: D_L = φ′(Z_L)∘E, D_{ℓ−1} = (W_ℓᵀ D_ℓ)∘φ′(Z_{ℓ−1}).
 * The gradient of sample i in layer ℓ is the rank-one matrix ā_{ℓ−1,i} d_{ℓ,i}ᵀ, so sums over samples are GEMMs over
 * the batch.
 */
import { ShapeError } from '../core/errors.js';
import type { Blas } from '../dense/blas.js';
import { block, view, type FloatArray, type Matrix } from '../dense/matrix.js';
import type { ForwardPass } from './forward.js';
import { checkParameters, layerWeights, type Network } from './network.js';

/** out ← a∘slope, the slopes repeating every slope.cols columns; out may be a. Both out and slope are contiguous. */
export function multiplySlopes(a: Matrix, slope: Matrix, out: Matrix): void {
  const x = a.data;
  const s = slope.data;
  const y = out.data;
  const { rows } = a;
  for (let first = 0; first < a.cols; first += slope.cols) {
    let p = slope.offset;
    let q = out.offset + first * rows;
    for (let j = first; j < first + slope.cols; j++) {
      const at = a.offset + j * a.ld;
      for (let i = at; i < at + rows; i++) y[q++] = x[i] * s[p++];
    }
  }
}

/** Arrays like `data`, of the precision of the pass. */
const arrayLike = (data: FloatArray, length: number): FloatArray =>
  data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);

/** What a backward pass computes with, and into. */
export interface BackwardOptions {
  readonly blas: Blas;
  /** The result of an earlier call of the same shape, which is overwritten and returned. */
  readonly reuse?: readonly Matrix[] | undefined;
}

/**
 * Errors at z_ℓ for every layer, outputs × (count·k), contiguous: outputErrors holds k blocks of `count` columns (k =
 * 1: one error a sample; k = r with E = the columns of S: rows of the Jacobian), with respect to a_L. The last layer's
 * errors are `outputErrors` itself where that layer is linear. `reuse`, the result of an earlier call of the same
 * shape, is overwritten and returned. 2nN·k flops, less the first layer's. Throws ShapeError.
 */
export function backpropagate(
  network: Network,
  parameters: FloatArray,
  pass: ForwardPass,
  outputErrors: Matrix,
  { blas, reuse }: BackwardOptions,
): Matrix[] {
  checkParameters(network, parameters);
  const { rows, cols } = outputErrors;
  if (rows !== network.outputs || cols === 0 || cols % pass.count !== 0) {
    throw new ShapeError(
      `The errors are ${rows} × ${cols}; the pass has outputs of ${network.outputs} × ${pass.count} (or blocks ` +
        'of that shape side by side).',
      { errors: [rows, cols], outputs: [network.outputs, pass.count] },
    );
  }
  const errors: Matrix[] = [];
  for (let ℓ = network.layers.length - 1; ℓ >= 0; ℓ--) {
    const { outputs } = network.layers[ℓ];
    const slope = pass.slopes[ℓ];
    const last = ℓ === network.layers.length - 1;
    if (last && slope === null) {
      errors[ℓ] = outputErrors;
      continue;
    }
    const d = reuse?.[ℓ] ?? view(arrayLike(parameters, outputs * cols), 0, outputs, cols);
    if (d.rows !== outputs || d.cols !== cols)
      throw new ShapeError(
        `The errors to reuse are ${d.rows} × ${d.cols} in layer ${ℓ + 1}; ${outputs} × ${cols} are needed.`,
        { layer: ℓ + 1 },
      );
    if (last) {
      multiplySlopes(outputErrors, slope!, d);
    } else {
      const above = network.layers[ℓ + 1];
      blas.gemm(
        'N',
        'N',
        1,
        block(layerWeights(above, parameters), 0, 0, above.inputs, above.outputs),
        errors[ℓ + 1],
        0,
        d,
      );
      if (slope !== null) multiplySlopes(d, slope, d);
    }
    errors[ℓ] = d;
  }
  return errors;
}

/**
 * out ← out + α·Σ_i (gradient of sample i): layer ℓ's part is Ā_{ℓ−1} D_ℓᵀ, width × outputs, one GEMM; out is laid out
 * like θ. 2nN flops. Throws ShapeError.
 */
export function accumulateGradient(
  network: Network,
  { inputs }: ForwardPass,
  errors: readonly Matrix[],
  out: FloatArray,
  { blas, alpha }: { readonly blas: Blas; readonly alpha: number },
): void {
  checkParameters(network, out);
  network.layers.forEach((layer, ℓ) => blas.gemm('N', 'T', alpha, inputs[ℓ], errors[ℓ], 1, layerWeights(layer, out)));
}
