/**
 * Kronecker factors by plain loops over the definition, and dense matrices of operators.
 */
import { apply } from '#hmatrix/operator/apply.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { activate } from '#hmatrix/network/activations/activate.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Layer } from '#hmatrix/network/network.js';
import { bruteForceJacobian, bruteForceLossHessians, bruteForceOutputs } from './brute-force.js';

/** ā_{ℓ−1} of each layer (from 0) for sample i. */
export function bruteForceInputs({ network, parameters, data }: Model, i: number): Float64Array[] {
  const { inputs } = data.batch(i, 1);
  let a = Float64Array.from(inputs.data.subarray(inputs.offset, inputs.offset + inputs.rows));
  return network.layers.map(({ width, outputs, offset, bias, activation }) => {
    const extended = new Float64Array(width);
    extended.set(a);
    if (bias) extended[width - 1] = 1;
    const z = new Float64Array(outputs);
    for (let p = 0; p < outputs; p++)
      for (let q = 0; q < width; q++) z[p] += parameters[offset + p * width + q] * extended[q];
    a = new Float64Array(outputs);
    activate(activation, z, a, null, null);
    return extended;
  });
}

/**
 * M_i = (∂a_L/∂z_ℓ)ᵀ Q_i (∂a_L/∂z_ℓ) for each layer ℓ (from 0) and sample i: grams[ℓ][i]. The Jacobian of a layer is
 * ∂a_L/∂z_ℓ ⊗ ā_{ℓ−1}.
 */
export function bruteForceGrams(model: Model): Matrix[][] {
  const jacobians = bruteForceJacobian(model);
  const hessians = bruteForceLossHessians(model, bruteForceOutputs(model));
  const r = model.network.outputs;
  return model.network.layers.map(({ offset, width, outputs }, ℓ) =>
    jacobians.map((jacobian, i) => {
      const input = bruteForceInputs(model, i)[ℓ];
      const norm = input.reduce((sum, x) => sum + x * x, 0);
      const errors = zeros(r, outputs);
      for (let p = 0; p < outputs; p++) {
        for (let k = 0; k < r; k++)
          for (let q = 0; q < width; q++)
            errors.data[k + p * r] += (jacobian.data[k + (offset + p * width + q) * r] * input[q]) / norm;
      }
      const gram = zeros(outputs, outputs);
      for (let p = 0; p < outputs; p++) {
        for (let s = 0; s < outputs; s++) {
          for (let k = 0; k < r; k++)
            for (let l = 0; l < r; l++)
              gram.data[p + s * outputs] +=
                errors.data[k + p * r] * hessians[i].data[k + l * r] * errors.data[l + s * r];
        }
      }
      return gram;
    }),
  );
}

export interface ReferenceFactors {
  readonly input: Matrix;
  readonly output: Matrix;
}

export function bruteForceFactors(model: Model): ReferenceFactors[] {
  const grams = bruteForceGrams(model);
  const n = model.data.samples;
  return model.network.layers.map(({ width, outputs }, ℓ) => {
    const input = zeros(width, width);
    const output = zeros(outputs, outputs);
    for (let i = 0; i < n; i++) {
      const a = bruteForceInputs(model, i)[ℓ];
      for (let q = 0; q < width; q++) for (let s = 0; s < width; s++) input.data[q + s * width] += (a[q] * a[s]) / n;
      for (let p = 0; p < outputs * outputs; p++) output.data[p] += grams[ℓ][i].data[p] / n;
    }
    return { input, output };
  });
}

/**
 * The block-diagonal matrix whose blocks have entries ((p, q), (s, t)) = input(q, t)·output(p, s) in the order of the
 * parameters.
 */
export function kroneckerDense(layers: readonly Layer[], size: number, factors: readonly ReferenceFactors[]): Matrix {
  const dense = zeros(size, size);
  layers.forEach(({ offset, width, outputs }, ℓ) => {
    const { input, output } = factors[ℓ];
    for (let p = 0; p < outputs; p++)
      for (let q = 0; q < width; q++) {
        for (let s = 0; s < outputs; s++)
          for (let t = 0; t < width; t++) {
            dense.data[offset + p * width + q + (offset + s * width + t) * size] =
              input.data[q + t * width] * output.data[p + s * outputs];
          }
      }
  });
  return dense;
}

/** The operator applied to unit vectors. */
export function denseOperator(operator: LinearOperator, precision: Precision = 'f64'): Matrix {
  const identity = zeros(operator.cols, operator.cols, precision);
  for (let j = 0; j < operator.cols; j++) identity.data[j * (operator.cols + 1)] = 1;
  return apply(operator, identity);
}

/** The part of an N × N matrix that couples the weights of one layer. */
export function layerBlock(
  dense: Matrix,
  { offset, width, outputs }: Pick<Layer, 'offset' | 'width' | 'outputs'>,
): Matrix {
  const size = width * outputs;
  const part = zeros(size, size);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++)
      part.data[i + j * size] = dense.data[dense.offset + offset + i + (offset + j) * dense.ld];
  return part;
}

export function frobenius(a: Matrix, b?: Matrix): number {
  let sum = 0;
  for (let j = 0; j < a.cols; j++)
    for (let i = 0; i < a.rows; i++)
      sum += (a.data[a.offset + i + j * a.ld] - (b === undefined ? 0 : b.data[b.offset + i + j * b.ld])) ** 2;
  return Math.sqrt(sum);
}

/** What rounding may do to sums of products through the layers of a small model, relative to the norm of the result. */
export const roundingOf = ({ network, data }: Model): number =>
  32 * Number.EPSILON * (data.samples + network.layers.reduce((sum, { width, outputs }) => sum + width + outputs, 0));
