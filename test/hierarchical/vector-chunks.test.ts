/**
 * Vectors a product or solve takes at a time, and the copies workers see.
 */
import { describe, expect, it } from 'vitest';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { VectorChunks, vectorsAtATime } from '#hmatrix/hierarchical/matrix/vector-chunks.js';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { availableMemory, totalMemory } from '#hmatrix/io/machine.js';

const ROWS = 5;

/** Row i of column j holds 10j + i + 1. */
function counted(columns: number, ld: number, data = new Float64Array(ld * columns)): Matrix {
  const matrix = view(data, 0, ROWS, columns, ld);
  for (let j = 0; j < columns; j++) for (let i = 0; i < ROWS; i++) data[j * ld + i] = 10 * j + i + 1;
  return matrix;
}

describe('vectorsAtATime', () => {
  it('is_a_power_of_two_from_1_to_256_and_falls_as_vectors_grow', () => {
    const found = Array.from({ length: 50 }, (_, e) => vectorsAtATime(2 ** e));
    expect(found[0]).toBe(256);
    expect(found[49]).toBe(1);
    for (const [e, width] of found.entries()) {
      expect(Number.isInteger(Math.log2(width))).toBe(true);
      expect(width).toBeLessThanOrEqual(e === 0 ? 256 : found[e - 1]);
    }
  });

  it('takes_a_sixteenth_of_all_memory_and_a_quarter_of_what_is_left_at_most', () => {
    for (const bytes of [2 ** 20, 2 ** 24, 2 ** 27]) {
      const width = vectorsAtATime(bytes);
      expect(width * bytes).toBeLessThanOrEqual(Math.max(totalMemory() / 16, 16 * bytes));
      // What is left changes while this runs.
      expect(width * bytes).toBeLessThanOrEqual(0.3 * availableMemory());
    }
  });
});

describe('VectorChunks', () => {
  it('asks_for_no_more_room_than_the_next_power_of_two', () => {
    const chunks = new VectorChunks(ROWS, 8, selfCommunicator());
    expect([1, 2, 3, 64, 65, 256, 1000].map((vectors) => chunks.width(vectors))).toEqual([1, 2, 4, 64, 128, 256, 256]);
    expect(new VectorChunks(ROWS, 2 ** 50, selfCommunicator()).width(1000)).toBe(1);
  });

  it.each([
    ['plain', false],
    ['shared', true],
  ])('gives_every_column_once_and_in_order_%s', (_, shared) => {
    const make = (length: number): Float64Array => (shared ? sharedFloat64(length) : new Float64Array(length));
    const x = counted(7, 6, make(42) as Float64Array<ArrayBuffer>);
    const out = view(make(56), 0, ROWS, 7, 8);
    out.data.fill(0.5);
    const widths: number[] = [];
    new VectorChunks(ROWS, 8, selfCommunicator()).run(out, x, 3, true, (to, from) => {
      widths.push(from.cols);
      expect(to.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(from.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      if (shared) expect(to.data).toBe(out.data);
      for (let j = 0; j < from.cols; j++)
        for (let i = 0; i < ROWS; i++) to.data[to.offset + j * to.ld + i] += from.data[from.offset + j * from.ld + i];
    });
    expect(widths).toEqual([3, 3, 1]);
    for (let j = 0; j < 7; j++) {
      expect(Array.from(out.data.subarray(8 * j, 8 * j + ROWS))).toEqual([1, 2, 3, 4, 5].map((i) => 10 * j + i + 0.5));
      expect(Array.from(out.data.subarray(8 * j + ROWS, 8 * j + 8))).toEqual([0.5, 0.5, 0.5]);
    }
  });

  it('nothing_is_run_for_no_columns', () => {
    new VectorChunks(ROWS, 8, selfCommunicator()).run(zeros(ROWS, 0), zeros(ROWS, 0), 1, false, () => {
      throw new Error('no columns');
    });
  });
});
