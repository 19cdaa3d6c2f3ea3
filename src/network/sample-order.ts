/**
 * Samples in a random order, gathered into batches.
 * Data that fits into the memory bound is read once and shuffled whole. Larger data is read in contiguous chunks: the
 * chunks come in random order, and so do the samples within a chunk. The order of an epoch depends on seed and epoch
 * alone.
 */
import { NonFiniteError } from '../core/errors.js';
import { RandomStream } from '../core/random.js';
import { block, view, type FloatArray, type Matrix } from '../dense/matrix.js';
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

const arrayLike = (data: FloatArray, length: number): FloatArray =>
  data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);

/** Samples order[first] … order[first + count − 1] of a chunk of the data: a batch that was not gathered yet. */
export interface Picks {
  readonly inputs: Matrix;
  readonly targets: Matrix;
  readonly order: Int32Array;
  readonly first: number;
  readonly count: number;
}

/** out(:, j) ← a(:, order[first + j]). */
function gather(a: Matrix, order: Int32Array, first: number, out: Matrix): void {
  const { data: x, rows, ld, offset } = a;
  const y = out.data;
  for (let j = 0; j < out.cols; j++) {
    const from = offset + order[first + j] * ld;
    const to = j * rows;
    if (rows >= 32) y.set(x.subarray(from, from + rows), to);
    else for (let i = 0; i < rows; i++) y[to + i] = x[from + i];
  }
}

/** Gives the batches of each epoch in a seeded order. */
export class SampleOrder {
  /** Batches of an epoch. */
  readonly batches: number;
  readonly #data: DataSet;
  readonly #loss: LossName;
  readonly #options: SampleOrderOptions;
  readonly #chunk: number;
  readonly #chunks: number;
  readonly #checked: Uint8Array;
  #held: { readonly number: number; readonly batch: Batch } | undefined;
  #buffers: { readonly inputs: FloatArray; readonly targets: FloatArray } | undefined;
  #order = new Int32Array(0);

  constructor(data: DataSet, loss: LossName, options: SampleOrderOptions) {
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
   * The batches of one epoch, from batch number `from` on; a batch is valid until the next one is taken. Throws
   * NonFiniteError and OptionError for data the loss cannot take.
   */
  *epoch(epoch: number, from = 0): Generator<Batch, void, undefined> {
    const width = Math.min(this.#options.batchSize, this.#chunk);
    for (const { inputs, targets, order, first, count } of this.picks(epoch, from)) {
      const buffers = (this.#buffers ??= {
        inputs: arrayLike(inputs.data, inputs.rows * width),
        targets: arrayLike(targets.data, targets.rows * width),
      });
      const batch = {
        inputs: view(buffers.inputs, 0, inputs.rows, count),
        targets: view(buffers.targets, 0, targets.rows, count),
      };
      gather(inputs, order, first, batch.inputs);
      gather(targets, order, first, batch.targets);
      yield batch;
    }
  }

  /**
   * As `epoch`, where each batch stands instead of the batch. One batch of all samples keeps their own order, the same
   * one in every epoch.
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
        yield { inputs, targets, order, first, count: Math.min(batchSize, size - first) };
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
      checkTargets(this.#loss, batch.targets, first);
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
