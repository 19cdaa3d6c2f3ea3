/**
 * Loss and gradient of a model over all its data, streamed in batches.
 */
import { describe } from '../core/kind.js';
import { throwIfAborted, type AbortSignalLike } from '../core/context.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type BlasOption } from '../dense/default-blas.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { accumulateGradient, backpropagate } from './backward.js';
import { batchOf } from './data-set.js';
import { forward, type ForwardPass } from './forward.js';
import { lossGradient, lossSum } from './losses/evaluate.js';
import { checkTargets } from './losses/targets.js';
import { lossOf } from './losses/table.js';
import { checkModel, type Model, asModel, type GivenModel } from './model.js';
import type { Network } from './network.js';

/** How data is streamed; abort. */
export interface BatchOptions {
  /** Samples taken at a time; bounds the memory. Default 1024. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
}
/** The keys of {@link BatchOptions}. */
export const BATCH_KEYS: KeysOf<BatchOptions> = { batchSize: 'number', signal: true };

/** `size` as the number of samples taken at a time. Throws OptionError. */
export function requireBatchSize(size: number): number {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new OptionError(`batchSize is ${describe(size)}: it is a whole number of at least 1.`, { batchSize: size });
  return size;
}

/**
 * Calls `visit` with each batch's forward pass, targets and number of the first sample; it returns the batch's loss (or
 * another sum over its samples). The result is the mean over all samples. Throws NonFiniteError for a sum that is not
 * finite, and as `meanLoss`.
 */
export function overBatches(
  model: Model,
  blas: Blas,
  { batchSize = 1024, signal }: BatchOptions,
  visit: (pass: ForwardPass, targets: Matrix, first: number) => number,
): number {
  checkModel(model);
  requireBatchSize(batchSize);
  const { network, parameters, data, loss } = model;
  const restricted = lossOf(loss).targets !== null;
  let pass: ForwardPass | undefined;
  let sum = 0;
  for (let first = 0; first < data.samples; first += batchSize) {
    throwIfAborted(signal);
    const count = Math.min(batchSize, data.samples - first);
    const { inputs, targets } = batchOf(data, first, count);
    if (restricted) checkTargets(loss, targets, first);
    pass = forward(network, parameters, inputs, blas, { reuse: pass?.count === count ? pass : undefined });
    const batchLoss = visit(pass, targets, first);
    if (!Number.isFinite(batchLoss)) {
      checkTargets(loss, targets, first);
      throw new NonFiniteError(
        `The loss of samples ${first} to ${first + count - 1} overflows: targets or outputs are too large for ` +
          'its square.',
        { first, count },
      );
    }
    sum += batchLoss;
  }
  return sum / data.samples;
}

/** Options of `meanLoss` and `lossAndGradient`. */
export type LossOptions = BatchOptions & BlasOption;
/** The keys of {@link LossOptions}. */
export const LOSS_KEYS: KeysOf<LossOptions> = { ...BATCH_KEYS, blas: true };

/** The mean loss f(θ) = (1/n) Σ_i loss_i. 2nN flops. Throws ShapeError, OptionError, NonFiniteError, AbortedError. */
export function meanLoss(given: GivenModel, options: LossOptions = {}): number {
  const model = asModel(given, 'meanLoss');
  const { blas } = withBlas(options, LOSS_KEYS, 'meanLoss');
  return overBatches(model, blas, options, (pass, targets) => lossSum(model.loss, pass.output, targets));
}

/** f(θ) and ∇f(θ) = (1/n) Σ_i J_iᵀ ∇loss_i, laid out like θ and of its precision. 6nN flops. Throws as `meanLoss`. */
export function lossAndGradient(given: GivenModel, options: LossOptions = {}): { loss: number; gradient: FloatArray } {
  const model = asModel(given, 'lossAndGradient');
  const { blas } = withBlas(options, LOSS_KEYS, 'lossAndGradient');
  const { network, parameters, data } = model;
  const gradient =
    parameters instanceof Float32Array ? new Float32Array(network.parameters) : new Float64Array(network.parameters);
  let errors: Matrix[] | undefined;
  const loss = overBatches(model, blas, options, (pass, targets) => {
    // The output is not needed again: its gradient takes its place.
    const sum = lossGradient(model.loss, pass.output, targets, pass.output);
    const reuse = errors?.[0].cols === pass.count ? errors : undefined;
    errors = backpropagate(network, parameters, pass, pass.output, { blas, reuse });
    accumulateGradient(network, pass, errors, gradient, { blas, alpha: 1 / data.samples });
    return sum;
  });
  return { loss, gradient };
}

/**
 * ‖∇loss_i‖² for each sample, without forming the gradients: Σ_ℓ ‖ā_{ℓ−1,i}‖²·‖d_{ℓ,i}‖² (I. Goodfellow, arXiv
 * 1510.01799). 4nN flops. Throws as `meanLoss`.
 */
export function squaredGradientNorms(model: Model, blas: Blas, options: BatchOptions = {}): Float64Array {
  const { network, parameters, data } = model;
  const norms = new Float64Array(data.samples);
  overBatches(model, blas, options, (pass, targets, first) => {
    const sum = lossGradient(model.loss, pass.output, targets, pass.output);
    const errors = backpropagate(network, parameters, pass, pass.output, { blas });
    for (let ℓ = 0; ℓ < network.layers.length; ℓ++) {
      for (let i = 0; i < pass.count; i++)
        norms[first + i] += columnSquare(pass.inputs[ℓ], i) * columnSquare(errors[ℓ], i);
    }
    return sum;
  });
  return norms;
}

/**
 * Column i of out (N × count) ← the gradient of sample i of the batch, laid out like θ, from its pass and errors. Meant
 * for few samples: it holds N·count numbers. Throws ShapeError.
 */
export function perSampleGradients(network: Network, pass: ForwardPass, errors: readonly Matrix[], out: Matrix): void {
  if (out.rows !== network.parameters || out.cols !== pass.count) {
    throw new ShapeError(
      `Gradients of ${pass.count} samples are ${network.parameters} × ${pass.count}; out is ${out.rows} × ${out.cols}.`,
      { expected: [network.parameters, pass.count], out: [out.rows, out.cols] },
    );
  }
  for (let i = 0; i < pass.count; i++) {
    network.layers.forEach(({ width, outputs, offset }, ℓ) => {
      const a = pass.inputs[ℓ];
      const d = errors[ℓ];
      let to = out.offset + i * out.ld + offset;
      for (let p = 0; p < outputs; p++) {
        const error = d.data[d.offset + p + i * d.ld];
        const from = a.offset + i * a.ld;
        for (let q = from; q < from + width; q++) out.data[to++] = error * a.data[q];
      }
    });
  }
}

function columnSquare(a: Matrix, column: number): number {
  const at = a.offset + column * a.ld;
  let sum = 0;
  for (let k = at; k < at + a.rows; k++) sum += a.data[k] * a.data[k];
  return sum;
}
