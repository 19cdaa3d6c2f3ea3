/**
 * The forward pass over a batch: Z_ℓ = W̄_ℓ Ā_{ℓ−1} by one GEMM a layer, A_ℓ = φ_ℓ(Z_ℓ) in place, with the slopes that
 * products with J and Jᵀ need. Z_ℓ is formed where Ā_ℓ will stand, so a pass holds each activation once.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, checkView, copyInto, view, zeros, type FloatArray, type Matrix } from '../dense/matrix.js';
import { activateInPlace } from './activations/activate.js';
import { hasUnitSlope, hasZeroCurvature } from './activations/table.js';
import { checkParameters, layerWeights, type Network } from './network.js';

/** What a forward pass leaves, layer by layer. */
export interface ForwardPass {
  /** Samples of the batch. */
  readonly count: number;
  /**
   * Ā_{ℓ−1}, layer.width × count: the layer's inputs, with a last row of ones where it has a bias. inputs[0] is a copy
   * of the data.
   */
  readonly inputs: readonly Matrix[];
  /** φ′(Z_ℓ), outputs × count, contiguous; null where the activation is linear (all ones). */
  readonly slopes: readonly (Matrix | null)[];
  /** φ″(Z_ℓ) where asked; null entries where it vanishes (linear, relu). */
  readonly curvatures: readonly (Matrix | null)[] | null;
  /** a_L, r × count, contiguous. */
  readonly output: Matrix;
}

/** What a forward pass keeps, and where. */
export interface ForwardOptions {
  /** Also keep φ″(Z_ℓ). Default false. */
  readonly curvatures?: boolean | undefined;
  /** Arrays over SharedArrayBuffer, for a team of workers. Default false. */
  readonly shared?: boolean | undefined;
  /** A pass of the same network, count, precision and options whose arrays are overwritten and returned. */
  readonly reuse?: ForwardPass | undefined;
}

/** The arrays of a pass over `count` samples, not yet filled (rows of ones are set). */
function allocate(
  network: Network,
  count: number,
  single: boolean,
  { curvatures = false, shared = false }: ForwardOptions,
): ForwardPass {
  const array = (length: number): FloatArray =>
    single
      ? shared
        ? sharedFloat32(length)
        : new Float32Array(length)
      : shared
        ? sharedFloat64(length)
        : new Float64Array(length);
  const matrix = (rows: number): Matrix => view(array(rows * count), 0, rows, count);
  const inputs = network.layers.map((layer) => {
    const a = matrix(layer.width);
    if (layer.bias) for (let i = 1; i <= count; i++) a.data[i * layer.width - 1] = 1;
    return a;
  });
  return {
    count,
    inputs,
    slopes: network.layers.map(({ activation, outputs }) => (hasUnitSlope(activation) ? null : matrix(outputs))),
    curvatures: curvatures
      ? network.layers.map(({ activation, outputs }) => (hasZeroCurvature(activation) ? null : matrix(outputs)))
      : null,
    output: matrix(network.outputs),
  };
}

/**
 * Throws NonFiniteError for the first entry of Z_ℓ (ℓ = 0: the data) that is NaN or infinite. Every φ is finite where z
 * is. Column sums by BLAS show it: terms that are not finite make a sum that is not.
 */
function checkFinite(z: Matrix, layer: number, ones: Matrix, sums: Matrix, blas: Blas): void {
  const { data, rows, cols, offset, ld } = z;
  blas.gemv('T', 1, z, block(ones, 0, 0, rows, 1), 0, sums);
  for (let sample = 0; sample < cols; sample++) {
    if (Number.isFinite(sums.data[sample])) continue;
    for (let unit = 0; unit < rows; unit++) {
      const value = data[offset + unit + sample * ld];
      if (Number.isFinite(value)) continue;
      const what =
        layer === 0
          ? `Input ${unit} of sample ${sample} of the batch is ${value}: inputs are finite numbers.`
          : `Layer ${layer}, unit ${unit}, sample ${sample} of the batch: the activation is not finite (its ` +
            `argument is ${value}). The parameters are not finite, or have grown too large.`;
      throw new NonFiniteError(what, { layer, unit, sample, value });
    }
  }
}

/**
 * The pass of `inputs` (network.inputs × count, one sample a column) through the network; the precision is that of the
 * parameters, data of the other is converted. 2nN flops. Throws ShapeError, and NonFiniteError naming layer (0: the
 * inputs, else 1 … L), unit and sample.
 */
export function forward(
  network: Network,
  parameters: FloatArray,
  inputs: Matrix,
  blas: Blas,
  options: ForwardOptions = {},
): ForwardPass {
  checkParameters(network, parameters);
  checkView(inputs, 'inputs');
  if (inputs.rows !== network.inputs)
    throw new ShapeError(`The network takes ${network.inputs} inputs, the batch has ${inputs.rows}.`, {
      network: network.inputs,
      batch: inputs.rows,
    });
  if (inputs.cols === 0) throw new ShapeError('The batch is empty.', {});
  const pass = options.reuse ?? allocate(network, inputs.cols, parameters instanceof Float32Array, options);
  if (pass.count !== inputs.cols)
    throw new ShapeError(`The pass to reuse holds ${pass.count} samples, the batch ${inputs.cols}.`, {
      pass: pass.count,
      batch: inputs.cols,
    });
  const data = block(pass.inputs[0], 0, 0, network.inputs, pass.count);
  copyInto(data, inputs);
  const single = parameters instanceof Float32Array;
  const ones = zeros(
    Math.max(network.inputs, ...network.layers.map(({ outputs }) => outputs)),
    1,
    single ? 'f32' : 'f64',
  );
  ones.data.fill(1);
  const sums = zeros(pass.count, 1, single ? 'f32' : 'f64');
  checkFinite(data, 0, ones, sums, blas);
  network.layers.forEach((layer, ℓ) => {
    const next = pass.inputs[ℓ + 1];
    const z = next === undefined ? pass.output : block(next, 0, 0, layer.outputs, pass.count);
    blas.gemm('T', 'N', 1, layerWeights(layer, parameters), pass.inputs[ℓ], 0, z);
    checkFinite(z, ℓ + 1, ones, sums, blas);
    activateInPlace(layer.activation, z, pass.slopes[ℓ]?.data ?? null, pass.curvatures?.[ℓ]?.data ?? null);
  });
  return pass;
}
