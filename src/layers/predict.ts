/**
 * What a trained network, a perceptron or one of layers, says of inputs, and how often it is right.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { asFloats } from '../core/numbers.js';
import { precisionOf } from '../core/floats.js';
import { withBlas } from '../dense/default-blas.js';
import { block, view, zeros, type Matrix, type Vectors } from '../dense/matrix.js';
import { requireBatchSize, type LossOptions, LOSS_KEYS } from '../network/gradient.js';
import { asInputs } from '../network/inputs.js';
import { meanOf } from '../network/losses/mean.js';
import { lossOf } from '../network/losses/table.js';
import type { GivenModel, GivenNetwork } from '../network/model.js';
import {
  accuracy as ofPerceptron,
  decisionOf,
  predict as byPerceptron,
  PREDICT_KEYS,
  type PredictOptions,
} from '../network/predict.js';
import { columnsOf, numbersEach, rowsOf } from '../tape/shape.js';
import {
  asGraphModel,
  isGivenGraph,
  requireCount,
  requireWords,
  type GivenGraph,
  type GivenGraphModel,
} from './graph-model.js';
import { overSamples, Passes } from './passes.js';
import { requireFiniteInputs } from './read-samples.js';
import { lossWeight, rightCount, rightShare } from './targets.js';

/**
 * The network's outputs for the columns of `inputs` (d × n, or one sample as an array of d numbers): r × n, one sample
 * a column, in the precision of the parameters. A model's data is not looked at; of its loss only `probabilities` needs
 * to know. A network of layers is that of evaluation; of several positions (tokens) a column has the outputs of one
 * after the other. In batches, so that beside the result memory is bounded. Throws ShapeError, OptionError
 * (probabilities of a loss that has none), NonFiniteError, AbortedError.
 */
export function predict(model: GivenNetwork | GivenGraph, inputs: Vectors, options: PredictOptions = {}): Matrix {
  return isGivenGraph(model) ? byGraph(model, inputs, options) : byPerceptron(model, inputs, options);
}

function byGraph({ network, parameters: given }: GivenGraph, inputs: Vectors, options: PredictOptions): Matrix {
  const { blas, batchSize = 1024, signal, probabilities = false } = withBlas(options, PREDICT_KEYS, 'predict');
  requireBatchSize(batchSize);
  const parameters = requireCount(network, asFloats(given, 'parameters'));
  const { loss } = network;
  const means = typeof loss === 'string' ? loss : 'cross-entropy';
  if (probabilities) decisionOf(means, 'probabilities: true');
  const x = asInputs(network, inputs);
  requireFiniteInputs(x, 0);
  const passes = new Passes({ network, parameters, samples: x.cols, blas });
  const { shape } = passes.plan.output;
  const size = numbersEach(shape);
  const out = zeros(size, x.cols, precisionOf(parameters));
  for (let first = 0; first < x.cols; first += batchSize) {
    throwIfAborted(signal);
    const count = Math.min(batchSize, x.cols - first);
    const batch = { inputs: block(x, 0, first, x.rows, count), targets: zeros(network.outputs, count) };
    requireWords(network, batch);
    passes.eachSlice(batch, (slice) => {
      slice.tape.readOutput(block(out, 0, first + slice.first, size, slice.count));
    });
  }
  if (!probabilities) return out;
  const columns = view(out.data, 0, rowsOf(shape), columnsOf(shape, x.cols));
  return { ...meanOf(lossOf(means), columns), rows: out.rows, cols: out.cols, ld: out.ld };
}

/**
 * The share of samples that the network has right, from 0 to 1. Cross-entropy: the class of the largest output is that
 * of the largest target (of equal ones the first); of tokens the share of those that are no padding. bce: f_k > 0
 * exactly where the target is above ½, for all outputs k of the sample. Throws OptionError, naming the loss, where
 * targets are no classes (the squared losses), and as `meanLoss`.
 */
export function accuracy(given: GivenModel | GivenGraphModel, options: LossOptions = {}): number {
  if (!isGivenGraph(given)) return ofPerceptron(given, options);
  const model = asGraphModel(given, 'accuracy');
  const { blas } = withBlas(options, LOSS_KEYS, 'accuracy');
  const { network, parameters, loss, data } = model;
  if (typeof loss === 'string') decisionOf(loss, 'accuracy');
  const passes = new Passes({ network, parameters, samples: data.samples, blas });
  const size = numbersEach(passes.plan.output.shape);
  let right = 0;
  let weight = 0;
  overSamples(passes, model, options, ({ tape, batch, first, count }) => {
    const outputs = zeros(size, count);
    tape.readOutput(outputs);
    const targets = block(batch.targets, 0, first, network.outputs, count);
    const counted = lossWeight(loss, targets);
    const share = counted === 0 ? 0 : rightShare(loss, rightCount(loss, outputs, targets), targets);
    if (share === null)
      throw new OptionError(
        `accuracy needs targets that are classes, and some of these lie between 0 and 1: of the loss ` +
          `"${String(loss)}" they are 0 or 1, or nearly so.`,
        { loss },
      );
    right += share * counted;
    weight += counted;
  });
  return right / Math.max(1, weight);
}
