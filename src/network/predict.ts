/**
 * What a trained network says of inputs: its outputs, probabilities, and how often it is right.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import { describe } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import { withBlas, type BlasOption } from '../dense/default-blas.js';
import { block, copyInto, zeros, type Matrix, type Vectors } from '../dense/matrix.js';
import { forward, type ForwardPass } from './forward.js';
import {
  BATCH_KEYS,
  LOSS_KEYS,
  overBatches,
  requireBatchSize,
  type BatchOptions,
  type LossOptions,
} from './gradient.js';
import { asInputs } from './inputs.js';
import { countRight } from './losses/decision.js';
import { meanOf } from './losses/mean.js';
import { LOSSES, lossOf, type LossName } from './losses/table.js';
import { asModel, asNetwork, type GivenModel, type GivenNetwork } from './model.js';

/** Options of {@link predict}. */
export interface PredictOptions extends BatchOptions, BlasOption {
  /**
   * Probabilities instead of outputs: softmax of each column for the cross-entropy, the logistic function of each
   * output for bce. Default false.
   */
  readonly probabilities?: boolean | undefined;
}
/** The keys of {@link PredictOptions}. */
export const PREDICT_KEYS: KeysOf<PredictOptions> = { ...BATCH_KEYS, blas: true, probabilities: 'boolean' };

/** How outputs tell classes under that loss. Throws OptionError, naming the loss, where they tell none. */
export function decisionOf(loss: LossName | undefined, what: string): 'largest' | 'sign' {
  const those = LOSSES.filter((name) => lossOf(name).decision !== null).join(' and ');
  if (loss === undefined)
    throw new OptionError(`${what} needs the loss that the network was trained with (${those}): add it to the model.`, {
      loss,
    });
  const { decision } = lossOf(loss);
  if (decision === null)
    throw new OptionError(
      `${what} has no meaning for the loss "${loss}": its targets are no classes, as of ${those}.`,
      {
        loss,
      },
    );
  return decision;
}

/**
 * The network's outputs a_L(x_i; θ) for the columns x_i of `inputs` (d × n, or one sample as an array of d numbers):
 * r × n, one sample a column, in the precision of the parameters. A model's data is not looked at; of its loss only
 * `probabilities` needs to know. 2nN flops, in batches, so that beside the result memory is bounded. Throws ShapeError,
 * OptionError (probabilities of a loss that has none), NonFiniteError, AbortedError.
 */
export function predict(model: GivenNetwork, inputs: Vectors, options: PredictOptions = {}): Matrix {
  const { network, parameters, loss } = asNetwork(model, 'predict');
  const { blas, batchSize = 1024, signal, probabilities = false } = withBlas(options, PREDICT_KEYS, 'predict');
  requireBatchSize(batchSize);
  if (typeof probabilities !== 'boolean')
    throw new OptionError(`probabilities must be true or false, not ${describe(probabilities)}.`, {
      option: 'probabilities',
    });
  if (probabilities) decisionOf(loss, 'probabilities: true');
  const x = asInputs(network, inputs);
  const out = zeros(network.outputs, x.cols, precisionOf(parameters));
  let pass: ForwardPass | undefined;
  for (let first = 0; first < x.cols; first += batchSize) {
    throwIfAborted(signal);
    const count = Math.min(batchSize, x.cols - first);
    const reuse = pass?.count === count ? pass : undefined;
    pass = forward(network, parameters, block(x, 0, first, x.rows, count), blas, { reuse });
    const { output } = pass;
    copyInto(block(out, 0, first, out.rows, count), probabilities ? meanOf(lossOf(loss!), output) : output);
  }
  return out;
}

/**
 * The share of samples that the network has right, from 0 to 1. Cross-entropy: the class of the largest output is that
 * of the largest target (of equal ones the first). bce: f_k > 0 exactly where the target is above ½, for all outputs k
 * of the sample. 2nN flops. Throws OptionError, naming the loss, where targets are no classes (the squared losses), and
 * as `meanLoss`.
 */
export function accuracy(given: GivenModel, options: LossOptions = {}): number {
  const model = asModel(given, 'accuracy');
  const { blas } = withBlas(options, LOSS_KEYS, 'accuracy');
  const decision = decisionOf(model.loss, 'accuracy');
  return overBatches(model, blas, options, ({ output }, targets) => {
    const right = countRight(decision, output, targets);
    if (Number.isNaN(right))
      throw new OptionError(
        `accuracy needs targets that are classes, and some of these lie between 0 and 1: of the loss "${model.loss}" ` +
          'they are 0 or 1, or nearly so.',
        { loss: model.loss },
      );
    return right;
  });
}
