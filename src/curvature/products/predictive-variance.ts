/**
 * Variances of a network's outputs under a Gaussian over its parameters, linearised: the Laplace approximation.
 * D. J. C. MacKay, "A practical Bayesian framework for backpropagation networks", Neural Computation 4(3), 1992; with
 * the Gauss–Newton matrix for a covariance, A. Immer, M. Korzepa, M. Bauer, AISTATS 2021, arXiv 2008.08400.
 */
import { throwIfAborted } from '../../core/context.js';
import { ShapeError } from '../../core/errors.js';
import { precisionOf } from '../../core/floats.js';
import type { KeysOf } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { withBlas, type BlasOption } from '../../dense/default-blas.js';
import { block, zeros, type Matrix, type Vectors } from '../../dense/matrix.js';
import { availableMemory } from '../../io/machine.js';
import { BATCH_KEYS, requireBatchSize, type BatchOptions } from '../../network/gradient.js';
import { asInputs } from '../../network/inputs.js';
import { gradientBatch, outputGradients } from '../../network/jacobian.js';
import { asNetwork, type GivenNetwork } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { requireOperator } from '../../operator/self-check.js';

/** Options of {@link predictiveVariance}. */
export interface VarianceOptions extends BatchOptions, BlasOption {
  /** Samples taken at a time; bounds the memory, 2·r·N numbers a sample. By default what 128 MB hold. */
  readonly batchSize?: number | undefined;
}
const VARIANCE_KEYS: KeysOf<VarianceOptions> = { ...BATCH_KEYS, blas: true };

/**
 * The diagonal of J_i Σ J_iᵀ for each column x_i of `inputs` (d × n, or one sample as an array): r × n in float64,
 * entry (k, i) the variance of output k at x_i (of its logit, with the cross-entropy and bce) where θ ~ N(θ̂, Σ) and
 * the network is linear in θ, J_i = ∂a_L/∂θ (`jacobian`). Σ is an operator over the N parameters, such as the inverse
 * (G + λI)⁻¹ (a factorization; `kfac(model).solver(…)`; `dualForm(model).inverse(λ)`), and multiplies vectors in the
 * precision of the parameters (an operator of another one: `converted`). For the mean loss of n data points the
 * posterior of the squared loss ½‖f − y‖² of unit noise is Σ = (G + λI)⁻¹/n with a prior of precision nλ: `scaled`.
 * r·n products with Σ, and (2 + 5r)·N flops a sample. Throws ShapeError, OptionError, MemoryError, NonFiniteError,
 * AbortedError.
 */
export function predictiveVariance(
  model: GivenNetwork,
  inverse: LinearOperator,
  inputs: Vectors,
  options: VarianceOptions = {},
): Matrix<Float64Array> {
  const { network, parameters } = asNetwork(model, 'predictiveVariance');
  const { blas, batchSize, signal } = withBlas(options, VARIANCE_KEYS, 'predictiveVariance');
  const precision = precisionOf(parameters);
  requireOperator(inverse, 'predictiveVariance', precision);
  const { outputs: r, parameters: size } = network;
  if (inverse.rows !== size || inverse.cols !== size)
    throw new ShapeError(
      `The operator given to predictiveVariance is ${inverse.rows} × ${inverse.cols}; the network has ${size} ` +
        'parameters.',
      { rows: inverse.rows, cols: inverse.cols, parameters: size },
    );
  const x = asInputs(network, inputs);
  const most = batchSize === undefined ? x.cols : Math.min(requireBatchSize(batchSize), x.cols);
  const { count, bytes } = gradientBatch(network, parameters, most, batchSize !== undefined);
  requireMemory(2 * bytes, availableMemory(), {
    what: `Gradients of ${r} outputs at ${count} samples by ${size} parameters need`,
    advice: count > 1 ? 'take fewer samples at a time (batchSize).' : 'the network is too large for this machine.',
  });
  const out = zeros(r, x.cols);
  const gradients = zeros(size, r * Math.min(count, x.cols), precision);
  const products = zeros(size, gradients.cols, precision);
  for (let first = 0; first < x.cols; first += count) {
    throwIfAborted(signal);
    const n = Math.min(count, x.cols - first);
    const own = block(gradients, 0, 0, size, r * n);
    outputGradients({ network, parameters }, block(x, 0, first, x.rows, n), own, blas);
    inverse.applyUnchecked(block(products, 0, 0, size, r * n), own, 1, 0);
    for (let j = 0; j < r * n; j++) {
      let sum = 0;
      for (let p = j * size; p < (j + 1) * size; p++) sum += gradients.data[p] * products.data[p];
      out.data[first * r + j] = sum;
    }
  }
  return out;
}
