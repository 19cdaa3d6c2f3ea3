/** Indices, maxima of windows and copies of chunks over the linear memory, against plain loops. */
import { describe, expect, it } from 'vitest';
import { MemoryError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { VectorMemory, type PoolShape } from '#hmatrix/dense/vector-memory.js';
import { bits, close, epsilonOf, memory, normal, place, PRECISIONS } from './vector-support.js';

/** `n` indices below `below`, the last of which and 0 are among them where there is room. */
function indicesBelow(n: number, below: number, seed: number): Int32Array {
  const random = new RandomStream(seed);
  const indices = memory.takeIndices(n);
  for (let i = 0; i < n; i++) indices[i] = Math.floor(below * random.uniform());
  if (n > 1) [indices[0], indices[n - 1]] = [below - 1, 0];
  return indices;
}

describe('arrays of indices', () => {
  it('are_taken_and_seen_as_arrays_of_float32_are', () => {
    const small = VectorMemory.open(256);
    const indices = small.takeIndices(3);
    indices.set([1, -2, 3]);
    expect([...small.indicesAt(indices.byteOffset + 4, 2)]).toEqual([-2, 3]);
    expect(small.take(1, 'f64').byteOffset - indices.byteOffset).toBe(VectorMemory.bytesOf(3, 'f32'));
    expect(() => small.indicesAt(indices.byteOffset + 2, 1)).toThrow(ShapeError);
    expect(() => small.indicesAt(0, 1)).toThrow(ShapeError);
    expect(() => small.takeIndices(2 ** 20)).toThrow(MemoryError);
  });
});

describe.each(PRECISIONS)('kernels that move numbers, in %s', (precision) => {
  const k = memory.tensorKernels(precision);

  it('gather_takes_columns_by_index_and_scatterAdd_is_its_transpose', () => {
    for (const rows of [1, 2, 3, 4, 5, 16, 21]) {
      for (const [cols, columns] of [
        [0, 3],
        [1, 1],
        [7, 4],
        [50, 90],
      ]) {
        const indices = indicesBelow(cols, columns, rows);
        const x = normal(rows * columns, precision, 1).subarray(0, rows * columns);
        const whole = normal(rows * cols + 1, precision, 2);
        const y = whole.subarray(0, rows * cols);
        const before = whole.slice();
        const taken = Float64Array.from(y, (_, q) => x[(q % rows) + rows * indices[Math.floor(q / rows)]]);
        k.gather(rows, cols, indices, x, -0.5, y);
        y.forEach((value, q) => {
          close(precision, value, taken[q] - 0.5 * before[q], Math.abs(taken[q]) + Math.abs(before[q]), 2, `${q}`);
        });
        k.gather(rows, cols, indices, x, 0, y.fill(NaN));
        expect([...y]).toEqual([...taken]);
        expect(whole[rows * cols]).toBe(before[rows * cols]);

        // The sums in their order, in the precision.
        const sums = normal(rows * columns, precision, 3);
        const expected = sums.slice();
        const g = normal(rows * cols, precision, 4);
        for (let q = 0; q < rows * cols; q++) expected[(q % rows) + rows * indices[Math.floor(q / rows)]] += g[q];
        k.scatterAdd(rows, cols, indices, g, sums);
        expect(bits(sums)).toEqual(bits(expected));
      }
    }
  });

  it('indices_outside_their_array_are_refused_before_anything_is_written', () => {
    const x = normal(12, precision, 1);
    const y = normal(12, precision, 2);
    const before = y.slice();
    for (const bad of [-1, 4, 2 ** 31 - 1, -(2 ** 31)]) {
      for (let at = 0; at < 4; at++) {
        const indices = memory.takeIndices(4);
        indices[at] = bad;
        const message = new RegExp(`Index ${bad} at ${at}: . has 4 columns of 3`);
        expect(() => k.gather(3, 4, indices, x, 0, y)).toThrow(message);
        expect(() => k.scatterAdd(3, 4, indices, x, y)).toThrow(message);
        k.gather(3, at, indices, x, 1, place(y, precision));
      }
    }
    expect(y).toEqual(before);
    expect(() => k.gather(3, 4, new Int32Array(4), x, 0, y)).toThrow(/over another memory/);
    expect(() => k.gather(3, 4, x as never, x, 0, y)).toThrow(/indices must be a Int32Array/);
    expect(() => k.gather(3, 4, memory.takeIndices(3), x, 0, y)).toThrow(ShapeError);
    expect(() => k.gather(3, 4, memory.takeIndices(4), x.slice(), 0, y)).toThrow(ShapeError);
    expect(() => k.scatterAdd(3, 5, memory.takeIndices(5), x, y)).toThrow(/x must be .* 15 numbers/);
  });

  it('maxIndices_finds_the_first_maximum_of_each_column_or_its_first_NaN', () => {
    for (const rows of [1, 2, 3, 4, 5, 8, 31, 32, 33, 70]) {
      const cols = 40;
      const random = new RandomStream(rows);
      // Few values: many ties. Some columns are −∞ throughout, some have NaN.
      const x = memory.take(rows * cols, precision);
      for (let q = 0; q < rows * cols; q++) x[q] = Math.floor(4 * random.uniform()) - 2;
      x.fill(-Infinity, 0, rows);
      for (let j = 1; j < 8; j++) x[j * rows + ((3 * j) % rows)] = x[j * rows + ((5 * j) % rows)] = NaN;
      const indices = memory.takeIndices(cols + 1).fill(-7);
      k.maxIndices(rows, cols, x, indices);
      for (let j = 0; j < cols; j++) {
        const column = [...x.subarray(j * rows, (j + 1) * rows)];
        const firstNaN = column.findIndex(Number.isNaN);
        expect(indices[j], `${column}`).toBe(firstNaN < 0 ? column.indexOf(Math.max(...column)) : firstNaN);
      }
      expect(indices[cols]).toBe(-7);
    }
    k.maxIndices(0, 0, memory.take(0, precision), memory.takeIndices(0));
    expect(() => k.maxIndices(0, 2, memory.take(0, precision), memory.takeIndices(2))).toThrow(/maximum/);
  });

  const pools: readonly PoolShape[] = [
    { depth: 1, width: 4, height: 4, window: [2, 2], stride: [2, 2], padding: [0, 0], out: [2, 2] },
    { depth: 7, width: 5, height: 3, window: [3, 3], stride: [2, 2], padding: [1, 1], out: [3, 2] },
    { depth: 4, width: 6, height: 5, window: [2, 3], stride: [1, 2], padding: [1, 0], out: [7, 2] },
    { depth: 18, width: 3, height: 2, window: [5, 4], stride: [1, 3], padding: [4, 3], out: [7, 2] },
    { depth: 3, width: 1, height: 9, window: [1, 2], stride: [3, 4], padding: [0, 0], out: [1, 3] },
    { depth: 5, width: 2, height: 2, window: [2 ** 30, 2], stride: [1, 2], padding: [0, 0], out: [2, 1] },
    { depth: 5, width: 2, height: 2, window: [2, 2], stride: [2, 2], padding: [0, 0], out: [0, 1] },
  ];
  it.each(pools)('maxPool_is_the_first_maximum_of_each_window %j', (shape) => {
    const { depth, width, height, window, stride, padding, out } = shape;
    const random = new RandomStream(5);
    const x = memory.take(depth * width * height, precision);
    for (let q = 0; q < x.length; q++) {
      const draw = random.uniform();
      x[q] = draw < 0.05 ? NaN : draw < 0.2 ? -Infinity : Math.floor(5 * random.uniform());
    }
    const n = depth * out[0] * out[1];
    const y = memory.take(n + 1, precision);
    const indices = memory.takeIndices(n + 1).fill(-7);
    k.maxPool(shape, x, y, indices);
    for (let q = 0; q < n; q++) {
      const c = q % depth;
      const i = Math.floor(q / depth) % out[0];
      const j = Math.floor(q / depth / out[0]);
      let most = -1;
      for (let v = Math.max(0, j * stride[1] - padding[1]); v < j * stride[1] - padding[1] + window[1]; v++) {
        for (let u = Math.max(0, i * stride[0] - padding[0]); u < i * stride[0] - padding[0] + window[0]; u++) {
          if (u >= width || v >= height) break;
          const at = c + depth * (u + width * v);
          if (most < 0 || x[at] > x[most] || (Number.isNaN(x[at]) && !Number.isNaN(x[most]))) most = at;
        }
      }
      expect([indices[q], y[q]], `${c} at ${i}, ${j}`).toEqual([most, x[most]]);
    }
    expect([y[n], indices[n]]).toEqual([0, -7]);
    // What it takes out is what gather takes out.
    const gathered = memory.take(n, precision);
    k.gather(1, n, indices, x, 0, gathered);
    expect(gathered).toEqual(y.subarray(0, n));
  });

  it('maxPool_refuses_windows_that_see_nothing_and_arrays_that_are_too_short', () => {
    const shape = pools[0];
    const [x, y, indices] = [normal(16, precision, 1), normal(4, precision, 1), memory.takeIndices(4)];
    const refused = (change: Partial<PoolShape>, message: RegExp): void => {
      expect(() => k.maxPool({ ...shape, ...change }, x, y, indices)).toThrow(ShapeError);
      expect(() => k.maxPool({ ...shape, ...change }, x, y, indices)).toThrow(message);
    };
    refused({ padding: [2, 0] }, /width of 4: the first has no position/);
    refused({ out: [2, 3] }, /height of 4: the last has no position/);
    refused({ width: 0 }, /width of 0/);
    refused({ stride: [0, 1] }, /stride along the width must be a whole number from 1/);
    refused({ window: [2, 0.5] }, /window along the height/);
    refused({ depth: -1 }, /depth/);
    refused({ depth: 2 }, /x must be .* 32 numbers/);
    refused({ window: [2 ** 31 - 1, 2], stride: [2, 2] }, /end along the width/);
    expect(() => k.maxPool(shape, x, y.subarray(1), indices)).toThrow(/y must be/);
    expect(() => k.maxPool(shape, x, y, indices.subarray(1))).toThrow(/indices must be/);
  });

  it('copyChunks_copies_and_adds_grids_of_chunks_and_touches_nothing_else', () => {
    const random = new RandomStream(3);
    const whole = (most: number): number => Math.floor(most * random.uniform());
    for (let turn = 0; turn < 120; turn++) {
      const chunk = [1, 1, 2, 3, 4, 5, 16, 37][turn % 8];
      const inner = { count: whole(6), from: whole(50), to: chunk + whole(9) };
      const outer = { count: whole(5), from: whole(60), to: inner.count * inner.to + whole(9) };
      const axes = turn % 3 === 0 ? [inner] : [inner, outer];
      const x = normal(700, precision, turn);
      const y = normal(700, precision, turn + 1);
      for (const beta of [0, 1, -0.5]) {
        const expected = y.slice();
        for (let j = 0; j < (axes.length > 1 ? outer.count : 1); j++) {
          for (let i = 0; i < inner.count; i++) {
            for (let q = 0; q < chunk; q++) {
              const to = q + i * inner.to + j * outer.to;
              expected[to] = x[q + i * inner.from + j * outer.from] + (beta === 0 ? 0 : beta * y[to]);
            }
          }
        }
        k.copyChunks(chunk, axes, x, beta, y);
        for (let q = 0; q < y.length; q++) {
          // Of the factors 0 and 1 nothing but the sum is rounded.
          const scale = beta === -0.5 ? 8 * (1 + Math.abs(expected[q])) * epsilonOf(precision) : 0;
          if (!(Math.abs(y[q] - expected[q]) <= scale)) expect.fail(`${q} in turn ${turn}: ${y[q]}, ${expected[q]}`);
        }
      }
    }
  });

  it('copyChunks_reaches_the_last_number_of_its_arrays_and_not_beyond', () => {
    const x = normal(20, precision, 1);
    const y = memory.take(20, precision);
    // Columns of a matrix 4 × 5 as rows of its transpose.
    k.copyChunks(
      1,
      [
        { count: 4, from: 1, to: 5 },
        { count: 5, from: 4, to: 1 },
      ],
      x,
      0,
      y,
    );
    for (let q = 0; q < 20; q++) expect(y[Math.floor(q / 4) + 5 * (q % 4)]).toBe(x[q]);
    // Within one array, where nothing that is read is written.
    k.copyChunks(2, [{ count: 5, from: 4, to: 4 }], x, 0, x.subarray(2));
    for (let q = 0; q < 20; q += 4) expect(x[q + 2]).toBe(x[q]);
    const axis = { count: 5, from: 4, to: 4 };
    k.copyChunks(4, [axis], x, 0, y);
    expect(y).toEqual(x);
    // Chunks that follow each other, in runs that do not.
    const [run, runs] = [
      { count: 2, from: 3, to: 3 },
      { count: 2, from: 10, to: 7 },
    ];
    k.copyChunks(3, [run, runs], x, 0, y.fill(0));
    expect([...y]).toEqual([...x.subarray(0, 6), 0, ...x.subarray(10, 16), ...Array<number>(7).fill(0)]);
    expect(() => k.copyChunks(5, [axis], x, 0, y)).toThrow(/x must be .* 21 numbers/);
    expect(() => k.copyChunks(4, [{ ...axis, to: 5 }], x, 0, y)).toThrow(/y must be .* 24 numbers/);
    expect(() => k.copyChunks(4, [{ ...axis, from: -4 }], x, 0, y)).toThrow(/distance of chunks in x/);
    expect(() => k.copyChunks(4, [], x, 0, y)).toThrow(/one axis or two, not 0/);
    expect(() => k.copyChunks(4, [axis, axis, axis], x, 0, y)).toThrow(ShapeError);
    expect(() => k.copyChunks(-1, [axis], x, 0, y)).toThrow(/chunk must be/);
    k.copyChunks(9, [{ ...axis, count: 0 }], x.subarray(20), 0, y.subarray(20));
  });
});
