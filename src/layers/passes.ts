/**
 * Passes of a network of layers over samples on the calling thread, slice by slice on one tape: the network of
 * evaluation, in which samples do not depend on each other.
 */
import { throwIfAborted } from '../core/context.js';
import { NonFiniteError } from '../core/errors.js';
import { precisionOf, type FloatArray } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import type { Batch } from '../network/data-set.js';
import { requireBatchSize, type BatchOptions } from '../network/gradient.js';
import type { GraphModel } from './graph-model.js';
import { sliceSamples, type GraphNetwork } from './graph-network.js';
import { planNetwork, type NetworkPlan, type Pass } from './network-plan.js';
import type { NetworkTape } from './network-tape.js';
import { readSamples, requireFiniteParameters } from './read-samples.js';
import { graphSliceFirst, graphSlices } from './slices.js';
import { openTapeMemory, Tapes } from './tape-memory.js';

/** What passes are opened with. */
export interface PassesOptions {
  readonly network: GraphNetwork;
  readonly parameters: FloatArray;
  /** Most samples of a batch. */
  readonly samples: number;
  /** Whether a forward pass gives the gradient of its samples' losses, too. */
  readonly gradient?: boolean;
  readonly passes?: readonly Pass[];
  /** Errors of every sample that the pass 'monte-carlo-fisher' takes. */
  readonly draws?: number | undefined;
  readonly blas: Blas;
}

/** A slice that was passed forward. */
export interface PassedSlice {
  readonly tape: NetworkTape;
  readonly batch: Batch;
  /** Samples first … first + count − 1 of the batch. */
  readonly first: number;
  readonly count: number;
  /** The sum of its losses. */
  readonly loss: number;
}

/** A tape with its memory. */
export class Passes {
  readonly plan: NetworkPlan;
  /** Of the slice that was passed forward last, laid out like what is trained of θ; where it was asked for. */
  readonly gradient: FloatArray;
  /** What a further pass came to, laid out alike; where one was asked for. */
  readonly result: FloatArray;
  readonly #tape: NetworkTape;

  /** Throws NonFiniteError, MemoryError. */
  constructor({ network, parameters, samples, gradient = false, passes = [], draws, blas }: PassesOptions) {
    requireFiniteParameters(parameters);
    const capacity = Math.min(samples, sliceSamples(network));
    this.plan = planNetwork(network.evaluation, network.layers, { gradient, passes, capacity, draws });
    const sizes = { precision: precisionOf(parameters), slices: 1, workers: 1, vectors: 2 };
    const layout = openTapeMemory({ network, plan: this.plan, ...sizes }, parameters, 'A pass of the network');
    const tapes = new Tapes(layout, blas, 0);
    this.#tape = tapes.tape(0);
    this.gradient = tapes.vector(0);
    this.result = tapes.vector(1);
    this.#tape.bind('gradient', this.gradient);
    this.#tape.bind('result', this.result);
  }

  /** Passes a batch forward, slice by slice. */
  eachSlice(batch: Batch, visit: (slice: PassedSlice) => void): void {
    const { cols } = batch.inputs;
    const tape = this.#tape;
    const most = this.plan.plan.capacity;
    for (let s = 0; s < graphSlices(cols, most); s++) {
      const first = graphSliceFirst(cols, most, s);
      const count = graphSliceFirst(cols, most, s + 1) - first;
      tape.load(batch, { order: null, first, count }, 1);
      visit({ tape, batch, first, count, loss: tape.run() });
    }
  }
}

/**
 * Passes all samples of a model forward; `first` of the visitor's slices counts among all samples of the data. Returns
 * the sum of the losses. Throws NonFiniteError where it is not finite, and as `readSamples`.
 */
export function overSamples(
  passes: Passes,
  model: GraphModel,
  { batchSize = 1024, signal }: BatchOptions,
  visit: (slice: PassedSlice, firstOfBatch: number) => void,
): number {
  requireBatchSize(batchSize);
  const { samples } = model.data;
  let total = 0;
  for (let first = 0; first < samples; first += batchSize) {
    throwIfAborted(signal);
    const count = Math.min(batchSize, samples - first);
    passes.eachSlice(readSamples(model, first, count), (slice) => {
      total += slice.loss;
      visit(slice, first);
    });
    if (!Number.isFinite(total))
      throw new NonFiniteError(
        `The loss of samples ${first} to ${first + count - 1} is not finite: parameters or data are too large.`,
        { first, count },
      );
  }
  return total;
}
