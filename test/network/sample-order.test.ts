import { describe, expect, it } from 'vitest';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { SampleOrder } from '#hmatrix/network/sample-order.js';

/** Samples numbered in their one input and one target. */
function numbered(samples: number, onRead: (first: number, count: number) => void = () => undefined): DataSet {
  const x = view(
    Float64Array.from({ length: samples }, (_, i) => i),
    0,
    1,
    samples,
  );
  const data = memoryDataSet(x, x);
  return {
    ...data,
    batch: (first, count) => {
      onRead(first, count);
      return data.batch(first, count);
    },
  };
}
const epochOf = (order: SampleOrder, epoch: number): number[][] =>
  Array.from(order.epoch(epoch), ({ inputs }) => Array.from(inputs.data.subarray(0, inputs.cols)));

describe('order of the samples', () => {
  it('every sample once an epoch, in an order that epoch and seed decide', () => {
    const make = (seed: number): SampleOrder =>
      new SampleOrder(numbered(103), 'mse', { batchSize: 10, seed, shuffleBytes: 1e9 });
    const order = make(1);
    expect(order.batches).toBe(11);
    const first = epochOf(order, 0);
    expect(first.map((batch) => batch.length)).toEqual([...Array<number>(10).fill(10), 3]);
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
    expect(epochOf(order, 1).flat()).not.toEqual(first.flat());
    expect(epochOf(make(1), 0)).toEqual(first);
    expect(epochOf(make(2), 0)).not.toEqual(first);
  });

  it('data within the bound is read once', () => {
    let reads = 0;
    const order = new SampleOrder(
      numbered(50, () => {
        reads++;
      }),
      'mse',
      { batchSize: 8, seed: 1, shuffleBytes: 16 * 50 },
    );
    for (let epoch = 0; epoch < 3; epoch++) epochOf(order, epoch);
    expect(reads).toBe(1);
  });

  it(
    'larger data comes by chunks within the bound, each sample still once, ' +
      'only the last chunk with a smaller batch',
    () => {
      const bound = 16 * 35;
      const reads: number[] = [];
      const order = new SampleOrder(
        numbered(103, (first, count) => {
          expect(16 * count).toBeLessThanOrEqual(bound);
          reads.push(first);
        }),
        'mse',
        { batchSize: 10, seed: 5, shuffleBytes: bound },
      );
      const batches = epochOf(order, 0);
      expect(batches).toHaveLength(order.batches);
      expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
      expect(batches.filter((batch) => batch.length < 10).map((batch) => batch.length)).toEqual([3]);
      expect([...reads].sort((a, b) => a - b)).toEqual([0, 30, 60, 90]);
      // Over a few epochs the chunks do not always come in their own order.
      for (let epoch = 1; epoch < 6; epoch++) epochOf(order, epoch);
      expect(reads).not.toEqual([...reads].sort((a, b) => a - b));
    },
  );

  it('inputs and targets of a sample stay together', () => {
    const x = view(
      Float64Array.from({ length: 40 * 33 }, (_, k) => Math.floor(k / 33)),
      0,
      33,
      40,
    );
    const y = zeros(2, 40);
    for (let i = 0; i < 40; i++) y.data.fill(i, 2 * i, 2 * i + 2);
    for (const { inputs, targets } of new SampleOrder(memoryDataSet(x, y), 'mse', {
      batchSize: 7,
      seed: 1,
      shuffleBytes: 1e9,
    }).epoch(0)) {
      for (let j = 0; j < inputs.cols; j++)
        for (const v of [inputs.data[33 * j], inputs.data[33 * j + 32], targets.data[2 * j], targets.data[2 * j + 1]])
          expect(v).toBe(inputs.data[33 * j + 5]);
    }
  });

  it('an epoch can begin at any batch, and the samples come in their own order, too', () => {
    for (const shuffleBytes of [1e9, 16 * 35]) {
      const order = new SampleOrder(numbered(103), 'mse', { batchSize: 10, seed: 5, shuffleBytes });
      const whole = epochOf(order, 2);
      for (const from of [0, 1, 3, 10, 11])
        expect(Array.from(order.epoch(2, from), ({ inputs: x }) => Array.from(x.data.subarray(0, x.cols)))).toEqual(
          whole.slice(from),
        );
      const seen = Array.from(order.inOrder(16), ({ inputs: x }) =>
        Array.from({ length: x.cols }, (_, i) => x.data[x.offset + i * x.ld]),
      );
      expect(seen.flat()).toEqual(Array.from({ length: 103 }, (_, i) => i));
      expect(Math.max(...seen.map((batch) => batch.length))).toBe(16);
    }
  });
});
