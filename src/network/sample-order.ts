/**
 * Samples in a random order, batch by batch.
 * Data that fits into the memory bound is read once and shuffled whole. Larger data is read in contiguous chunks: the
 * chunks come in random order, and so do the samples within a chunk. The order of an epoch depends on seed and epoch
 * alone.
 */
import { NonFiniteError } from '../core/errors.js';
import { RandomStream } from '../core/random.js';
import { block, type Matrix } from '../dense/matrix.js';
import { batchOf, type Batch, type DataSet } from './data-set.js';
import type { LossName } from './losses/table.js';
import { checkTargets } from './losses/targets.js';

/** Size of a batch, seed, and how much data is held. */
export interface SampleOrderOptions {
  readonly batchSize: number;
  readonly seed: number;
  /** Bound on the bytes of samples held. */
  readonly shuffleBytes: number;
}

/** Keeps these streams apart from those of other purposes with the same seed. */
const PURPOSE = 0x6f726472;

/** Samples order[first] … order[first + count − 1] of a chunk of the data: a batch. */
export interface Picks {
  readonly inputs: Matrix;
  readonly targets: Matrix;
  readonly order: Int32Array;
  readonly first: number;
  readonly count: number;
  /** The number in the data of the chunk's first sample. */
  readonly start: number;
}

/** Gives the batches of each epoch in a seeded order. */
export class SampleOrder {
  /** Batches of an epoch. */
  readonly batches: number;
  readonly #data: DataSet;
  readonly #loss: LossName | null;
  readonly #options: SampleOrderOptions;
  readonly #chunk: number;
  readonly #chunks: number;
  readonly #checked: Uint8Array;
  #held: { readonly number: number; readonly batch: Batch } | undefined;
  #order = new Int32Array(0);

  /** `loss` tells which targets are refused; null: none. */
  constructor(data: DataSet, loss: LossName | null, options: SampleOrderOptions) {
    const { batchSize, shuffleBytes } = options;
    // Counted in doubles: how the data set stores them is its own matter.
    const bytes = 8 * (data.inputs + data.outputs);
    // Whole batches to a chunk, so that only the last one ends in a smaller batch.
    this.#chunk =
      bytes * data.samples <= shuffleBytes
        ? data.samples
        : Math.min(data.samples, batchSize * Math.max(1, Math.floor(shuffleBytes / (bytes * batchSize))));
    this.#chunks = Math.ceil(data.samples / this.#chunk);
    this.#checked = new Uint8Array(this.#chunks);
    this.#data = data;
    this.#loss = loss;
    this.#options = options;
    this.batches = Math.ceil(data.samples / batchSize);
  }

  /**
   * Where the samples of each batch of one epoch stand, from batch number `from` on; valid until the next one is taken.
   * One batch of all samples keeps their own order, the same one in every epoch. Throws NonFiniteError and OptionError
   * for data the loss cannot take.
   */
  *picks(epoch: number, from = 0): Generator<Picks, void, undefined> {
    const { batchSize, seed } = this.#options;
    const random = new RandomStream(seed, PURPOSE, epoch);
    const chunks = Int32Array.from({ length: this.#chunks }, (_, c) => c);
    random.shuffle(chunks);
    let left = from;
    for (const c of chunks) {
      const size = this.#sizeOf(c);
      if (this.#order.length !== size) this.#order = new Int32Array(size);
      const order = this.#order;
      for (let i = 0; i < size; i++) order[i] = i;
      if (this.batches > 1) random.shuffle(order);
      const skipped = Math.min(left, Math.ceil(size / batchSize));
      left -= skipped;
      if (skipped * batchSize >= size) continue;
      const { inputs, targets } = this.#read(c);
      for (let first = skipped * batchSize; first < size; first += batchSize)
        yield { inputs, targets, order, first, count: Math.min(batchSize, size - first), start: c * this.#chunk };
    }
  }

  /** All samples in their own order, at most `most` at a time; views, valid until the next ones are taken. */
  *inOrder(most: number): Generator<Batch, void, undefined> {
    for (let c = 0; c < this.#chunks; c++) {
      const { inputs, targets } = this.#read(c);
      for (let first = 0; first < inputs.cols; first += most) {
        const count = Math.min(most, inputs.cols - first);
        yield {
          inputs: block(inputs, 0, first, inputs.rows, count),
          targets: block(targets, 0, first, targets.rows, count),
        };
      }
    }
  }

  #sizeOf(c: number): number {
    return Math.min(this.#chunk, this.#data.samples - c * this.#chunk);
  }

  #read(c: number): Batch {
    if (this.#held?.number === c) return this.#held.batch;
    const first = c * this.#chunk;
    const batch = batchOf(this.#data, first, this.#sizeOf(c));
    if (this.#checked[c] === 0) {
      checkInputs(batch.inputs, first);
      if (this.#loss !== null) checkTargets(this.#loss, batch.targets, first);
      this.#checked[c] = 1;
    }
    this.#held = { number: c, batch };
    return batch;
  }
}

/**
 * Throws NonFiniteError for an input that is not a finite number; `first` is the number of the first column's sample.
 */
export function checkInputs({ data, rows, cols, offset, ld }: Matrix, first: number): void {
  for (let j = 0; j < cols; j++) {
    const at = offset + j * ld;
    let sum = 0;
    for (let i = at; i < at + rows; i++) sum += data[i] * 0;
    if (sum === 0) continue;
    for (let i = 0; i < rows; i++) {
      const value = data[at + i];
      if (!Number.isFinite(value))
        throw new NonFiniteError(`Input ${i} of sample ${first + j} is ${value}: inputs are finite numbers.`, {
          layer: 0,
          unit: i,
          sample: first + j,
          value,
        });
    }
  }
}
