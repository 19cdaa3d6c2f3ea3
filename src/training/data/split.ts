/**
 * Training and validation samples of one data set.
 */
import { OptionError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import { precisionOf } from '../../core/floats.js';
import { block, copyInto, zeros } from '../../dense/matrix.js';
import { batchOf, type Batch, type DataSet } from '../../network/data-set.js';

/** Keeps this stream apart from others of the same seed. */
const PURPOSE = 0x73706c69;
/** Samples that are read at a time, to take some of them. */
const CHUNK = 1024;

/**
 * A seeded choice of ⌊share·n⌉ of n samples, at least one, and the others: their numbers, which ascend. Throws
 * OptionError where no sample is left to train on.
 */
export function splitNumbers(
  n: number,
  share: number,
  seed: number,
): { readonly training: Int32Array; readonly validation: Int32Array } {
  const kept = Math.max(1, Math.round(share * n));
  if (kept >= n)
    throw new OptionError(`A share of ${share} of ${n} samples for validation leaves none to train on.`, {
      validation: share,
      samples: n,
    });
  const order = Int32Array.from({ length: n }, (_, i) => i);
  new RandomStream(seed, PURPOSE).shuffle(order);
  return { training: order.slice(kept).sort(), validation: order.slice(0, kept).sort() };
}

/** The samples of `splitNumbers`, both in the order of the data. Throws OptionError. */
export function splitData(data: DataSet, share: number, seed: number): { training: DataSet; validation: DataSet } {
  const { training, validation } = splitNumbers(data.samples, share, seed);
  return { training: subset(data, training), validation: subset(data, validation) };
}

/** The samples of those numbers, which ascend. A batch is copied, into memory that the next one reuses. */
export function subset(data: DataSet, numbers: Int32Array): DataSet {
  let inputs: Matrix | undefined;
  let targets: Matrix | undefined;
  return {
    samples: numbers.length,
    inputs: data.inputs,
    outputs: data.outputs,
    batch: (first, count) => {
      for (let taken = 0; taken < count;) {
        const from = numbers[first + taken];
        let end = taken + 1;
        while (end < count && numbers[first + end] < from + CHUNK) end++;
        const read = batchOf(data, from, numbers[first + end - 1] - from + 1);
        inputs = roomFor(inputs, data.inputs, count, read.inputs.data);
        targets = roomFor(targets, data.outputs, count, read.targets.data);
        for (; taken < end; taken++) {
          const column = numbers[first + taken] - from;
          copyInto(block(inputs, 0, taken, data.inputs, 1), block(read.inputs, 0, column, data.inputs, 1));
          copyInto(block(targets, 0, taken, data.outputs, 1), block(read.targets, 0, column, data.outputs, 1));
        }
      }
      return firstOf({ inputs: inputs!, targets: targets! }, count);
    },
  };
}

const roomFor = (room: Matrix | undefined, rows: number, cols: number, like: FloatArray): Matrix =>
  room !== undefined && room.cols >= cols ? room : zeros(rows, cols, precisionOf(like));

const firstOf = ({ inputs, targets }: Batch, count: number): Batch => ({
  inputs: block(inputs, 0, 0, inputs.rows, count),
  targets: block(targets, 0, 0, targets.rows, count),
});
