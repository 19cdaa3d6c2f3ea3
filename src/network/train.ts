/**
 * Training by Adam (D. Kingma, J. Ba, ICLR 2015, algorithm 1), so that Hessians can be taken at trained parameters.
 * The samples' order comes from seeded streams, one per epoch: equal seeds, data and options give equal bits.
 */
import { throwIfAborted, type RunControl, checkedControl } from '../core/context.js';
import { NonFiniteError, OptionError } from '../core/errors.js';
import { type KeysOf, type Resolved, requireKnownOptions } from '../core/known-options.js';
import { defaultBlas, type BlasOption } from '../dense/default-blas.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { accumulateGradient, backpropagate } from './backward.js';
import { forward, type ForwardPass } from './forward.js';
import { lossGradient } from './losses/evaluate.js';
import { checkModel, asModel, type GivenModel } from './model.js';
import { SampleOrder } from './sample-order.js';

/** Options of {@link trainAdam}. */
export interface AdamOptions {
  readonly epochs: number;
  /** Samples of a step. */
  readonly batchSize: number;
  /** α of the first epoch. */
  readonly learningRate: number;
  /** Seeds the samples' order. */
  readonly seed: number;
  /** The learning rate of epoch e (from 0) is learningRate·decayᵉ, 0 < decay ≤ 1. Default 1. */
  readonly decay?: number | undefined;
  /** Default 0.9. */
  readonly beta1?: number | undefined;
  /** Default 0.999. */
  readonly beta2?: number | undefined;
  /** Default 1e-8. */
  readonly epsilon?: number | undefined;
  /**
   * Data up to this many bytes is shuffled whole; beyond it, by chunks of at most this size (see SampleOrder). Default
   * 2 GiB.
   */
  readonly shuffleBytes?: number | undefined;
}
/** The keys of {@link AdamOptions}. */
const ADAM_KEYS: KeysOf<AdamOptions> = {
  epochs: true,
  batchSize: true,
  learningRate: true,
  seed: true,
  decay: true,
  beta1: true,
  beta2: true,
  epsilon: true,
  shuffleBytes: true,
};

/** Trained parameters, and how the loss fell. */
export interface Training {
  /** A new vector, of the precision of the initial one. */
  readonly parameters: FloatArray;
  /** The mean loss of each epoch, as its batches saw it, before the step each of them led to. */
  readonly losses: number[];
}

function checkOptions(options: AdamOptions): Resolved<AdamOptions> {
  const { decay = 1, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, shuffleBytes = 2 ** 31 } = options;
  const all = { ...options, decay, beta1, beta2, epsilon, shuffleBytes };
  const refuse = (name: keyof AdamOptions, domain: string): never => {
    throw new OptionError(`${name} is ${all[name]}: it is ${domain}.`, { [name]: all[name] });
  };
  if (!Number.isSafeInteger(all.epochs) || all.epochs < 0) refuse('epochs', 'a whole number of at least 0');
  if (!Number.isSafeInteger(all.batchSize) || all.batchSize < 1) refuse('batchSize', 'a whole number of at least 1');
  if (!(all.learningRate > 0 && all.learningRate < Infinity)) refuse('learningRate', 'a positive number');
  if (!Number.isSafeInteger(all.seed)) refuse('seed', 'a whole number');
  if (!(all.decay > 0 && all.decay <= 1)) refuse('decay', 'above 0 and at most 1');
  if (!(all.beta1 >= 0 && all.beta1 < 1)) refuse('beta1', 'at least 0 and below 1');
  if (!(all.beta2 >= 0 && all.beta2 < 1)) refuse('beta2', 'at least 0 and below 1');
  if (!(all.epsilon > 0 && all.epsilon < Infinity)) refuse('epsilon', 'a positive number');
  if (!(all.shuffleBytes > 0)) refuse('shuffleBytes', 'a positive number');
  return all;
}

/**
 * One step of Adam's moments and parameters, biases of the moments corrected; the correction is folded into step and
 * epsilon.
 */
function adamStep(
  θ: FloatArray,
  g: FloatArray,
  { m, v }: { readonly m: FloatArray; readonly v: FloatArray },
  { beta1, beta2, step, epsilon }: Readonly<Record<'beta1' | 'beta2' | 'step' | 'epsilon', number>>,
): void {
  for (let i = 0; i < θ.length; i++) {
    const d = g[i];
    const first = beta1 * m[i] + (1 - beta1) * d;
    const second = beta2 * v[i] + (1 - beta2) * d * d;
    m[i] = first;
    v[i] = second;
    θ[i] -= (step * first) / (Math.sqrt(second) + epsilon);
  }
}

const finite = (θ: FloatArray): boolean => {
  let sum = 0;
  for (let i = 0; i < θ.length; i++) sum += θ[i] * 0;
  return sum === 0;
};

/** Milliseconds between two returns to the event loop, where an abort can arrive. */
const BREATH = 25;

/**
 * Minimises the mean loss from `model.parameters`, which stay as they are. Progress: phase 'train', one unit per step.
 * 6nN flops an epoch. Throws OptionError, ShapeError, AbortedError; NonFiniteError for data that is not finite, and,
 * naming epoch and step, where the loss diverges.
 */
export async function trainAdam(
  given: GivenModel,
  options: AdamOptions,
  control: RunControl & BlasOption = {},
): Promise<Training> {
  const model = asModel(given, 'trainAdam');
  const { signal, onProgress } = checkedControl(control, 'trainAdam', { blas: true });
  const { blas = defaultBlas() } = control;
  checkModel(model);
  const { epochs, batchSize, learningRate, seed, decay, beta1, beta2, epsilon, shuffleBytes } = checkOptions(
    requireKnownOptions(
      options,
      ADAM_KEYS,
      'trainAdam',
      'trainAdam(model, { epochs: 10, batchSize: 32, learningRate: 1e-3, seed: 0 })',
    ),
  );
  const { network, loss, data } = model;
  const order = new SampleOrder(data, loss, { batchSize, seed, shuffleBytes });
  const θ = model.parameters.slice();
  const like = (): FloatArray => (θ instanceof Float32Array ? new Float32Array(θ.length) : new Float64Array(θ.length));
  const g = like();
  const m = like();
  const v = like();
  const losses: number[] = [];
  const total = epochs * order.batches;
  let pass: ForwardPass | undefined;
  let errors: Matrix[] | undefined;
  let steps = 0;
  let breathed = performance.now();
  const diverged = (epoch: number, step: number, cause?: NonFiniteError): NonFiniteError => {
    const error = new NonFiniteError(
      `Training diverged in epoch ${epoch + 1}, step ${step + 1} (${steps + 1} in all): ` +
        `${cause?.message ?? 'the loss is not finite.'} Lower the learning rate (${learningRate}).`,
      { ...cause?.data, epoch, step },
    );
    if (cause !== undefined) error.cause = cause;
    return error;
  };

  throwIfAborted(signal);
  onProgress?.({ phase: 'train', done: 0, total });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = learningRate * decay ** epoch;
    let sum = 0;
    let step = 0;
    for (const { inputs, targets } of order.epoch(epoch)) {
      const same: boolean = pass?.count === inputs.cols;
      try {
        pass = forward(network, θ, inputs, blas, { reuse: same ? pass : undefined });
      } catch (error) {
        // What is not finite beyond the data (layer 0) is the parameters' doing.
        throw error instanceof NonFiniteError && error.data['layer'] !== 0 ? diverged(epoch, step, error) : error;
      }
      const batchLoss = lossGradient(loss, pass.output, targets, pass.output);
      if (!Number.isFinite(batchLoss)) throw diverged(epoch, step);
      sum += batchLoss;
      errors = backpropagate(network, θ, pass, pass.output, { blas, reuse: same ? errors : undefined });
      g.fill(0);
      accumulateGradient(network, pass, errors, g, { blas, alpha: 1 / pass.count });
      steps++;
      const correction = Math.sqrt(1 - beta2 ** steps);
      adamStep(
        θ,
        g,
        { m, v },
        {
          beta1,
          beta2,
          step: (rate * correction) / (1 - beta1 ** steps),
          epsilon: epsilon * correction,
        },
      );
      step++;
      if (performance.now() - breathed > BREATH) {
        onProgress?.({ phase: 'train', done: steps, total });
        await new Promise(setImmediate);
        throwIfAborted(signal);
        breathed = performance.now();
      }
    }
    if (!finite(θ)) throw diverged(epoch, step - 1, new NonFiniteError('a parameter is not finite.', {}));
    losses.push(sum / data.samples);
  }
  onProgress?.({ phase: 'train', done: total, total });
  return { parameters: θ, losses };
}
