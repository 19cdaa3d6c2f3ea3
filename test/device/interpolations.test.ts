/** Interpolative decompositions of many blocks in one launch, on every device that has them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, ShapeError } from '#hmatrix/core/errors.js';
import { floats, ROUNDOFF, type FloatArray } from '#hmatrix/core/floats.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { InterpolationBlock } from '#hmatrix/device/work/interpolations.js';
import { sharedTeam } from '../teams.js';
import { numbersOf } from './block-rows.js';
import { useStandIn } from './cuda-stand-in/stand-in.js';
import { DEVICES, whatIsMissing } from './devices.js';
import { at, Room, runWork } from './run-work.js';

useStandIn();

/** Rows, columns, threshold as a share of ‖A‖_F, most rank; how singular values decay: each is that of the last. */
const CASES: readonly (readonly [number, number, number, number, number])[] = [
  [60, 40, 1e-3, 40, 0.5],
  [25, 70, 1e-2, 8, 0.7],
  [270, 90, 1e-4, 64, 0.6],
  [1, 5, 0, 5, 1],
  [9, 1, 0, 3, 1],
  [12, 12, 0, 12, 1],
  [30, 20, 0, 0, 1],
  [20, 30, 1e-3, 30, 0],
];

/** A of a case: entries that decay along hidden columns of rank min(rows, columns); zero where the decay is. */
function fill(values: FloatArray, { a, rows, columns }: InterpolationBlock, decay: number, random: FloatArray): void {
  const rank = Math.min(rows, columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < rank && decay > 0; k++) sum += decay ** k * random[i + 300 * k] * random[30_000 + j + 90 * k];
      values[at(a, i, j)] = sum;
    }
}

describe.each(DEVICES)('%s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  if (missing !== undefined) {
    it.skip(missing, () => undefined);
    return;
  }
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(name, {}, { team: await sharedTeam(2) });
  });
  afterAll(async () => {
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });
  if (name === 'tfjs') {
    it('has_none_and_says_so', async () => {
      await expect(device.plan({ kind: 'interpolations', blocks: [] })).rejects.toThrow(DeviceError);
    });
    return;
  }

  it('columns_are_interpolated_from_few_of_them_to_the_error_that_is_told', async () => {
    const ε = ROUNDOFF[precision];
    const rooms = { values: new Room(1), order: new Room(2), interpolations: new Room(3), outcomes: new Room(4) };
    const shapes = CASES.map(([rows, columns, , maxRank]) => ({
      rows,
      columns,
      maxRank,
      a: rooms.values.block(rows, columns, false),
      order: rooms.order.block(columns, 1, false).offset,
      t: rooms.interpolations.block(Math.max(1, Math.min(rows, columns, maxRank)), columns, false),
      outcome: rooms.outcomes.block(2, 1, false).offset,
      threshold: 0,
    }));
    const values = floats(rooms.values.length, precision).fill(7);
    const random = numbersOf(120_000, 'f64', 6);
    const blocks = shapes.map((shape, c): InterpolationBlock => {
      fill(values, shape, CASES[c][4], random);
      let square = 0;
      for (let i = 0; i < shape.rows; i++)
        for (let j = 0; j < shape.columns; j++) square += values[at(shape.a, i, j)] ** 2;
      return { ...shape, threshold: CASES[c][2] * Math.sqrt(square) };
    });
    const numbers = {
      values,
      order: numbersOf(rooms.order.length, precision, 1),
      interpolations: numbersOf(rooms.interpolations.length, precision, 2),
      outcomes: numbersOf(rooms.outcomes.length, precision, 3),
    };
    const got = await runWork(device, { kind: 'interpolations', blocks }, numbers);
    blocks.forEach(({ a, rows, columns, threshold, maxRank, order, t, outcome }, c) => {
      const [rank, residual] = got.outcomes.subarray(outcome, outcome + 2);
      const most = Math.min(rows, columns, maxRank);
      const chosen = [...got.order.subarray(order, order + columns)];
      expect(chosen.toSorted((i, j) => i - j)).toEqual(chosen.map((_, j) => j));
      expect(chosen.slice(rank)).toEqual(chosen.slice(rank).toSorted((i, j) => i - j));
      expect(rank).toBeLessThanOrEqual(most);
      let [error, size, largest] = [0, 0, 0];
      for (let j = 0; j < columns; j++)
        for (let i = 0; i < rows; i++) {
          let rest = values[at(a, i, chosen[j])];
          size += rest ** 2;
          for (let q = 0; q < rank && j >= rank; q++) {
            const coefficient = got.interpolations[at(t, q, j - rank)];
            largest = Math.max(largest, Math.abs(coefficient));
            rest -= values[at(a, i, chosen[q])] * coefficient;
          }
          if (j >= rank) error += rest ** 2;
        }
      const noise = 100 * rows * ε * Math.sqrt(size);
      expect(Math.abs(Math.sqrt(error) - residual)).toBeLessThanOrEqual(0.02 * residual + noise);
      if (rank < most) expect(residual).toBeLessThanOrEqual(threshold + noise);
      // All that are independent where nothing is left out, none of zeros; interpolation by pivots is tame.
      const [, , share, , decay] = CASES[c];
      if (decay === 0) expect(rank).toBe(0);
      else if (share === 0) expect(rank).toBe(most);
      else expect(rank).toBeGreaterThan(3);
      expect(largest).toBeLessThan(30);
    });
    // What is between the blocks stays, and T of one column is of that column.
    expect(got.values[0]).toBe(7);
  });

  it('what_is_no_number_is_told_and_what_does_not_fit_is_refused', async () => {
    const block = { a: { offset: 0, ld: 3 }, rows: 3, columns: 2, threshold: 0, maxRank: 2, order: 0 };
    const whole = { ...block, t: { offset: 0, ld: 2 }, outcome: 0 };
    const numbers = { order: 2, interpolations: 4, outcomes: 2 };
    const zeros = Object.entries(numbers).map(([of, length]) => [of, floats(length, precision)] as const);
    const values = floats(6, precision).fill(1);
    const work = { kind: 'interpolations', blocks: [whole] } as const;
    for (const wrong of [NaN, Infinity]) {
      values[4] = wrong;
      const { outcomes } = await runWork(device, work, { values, ...Object.fromEntries(zeros) });
      expect([...outcomes]).toEqual([0, NaN]);
    }
    const refused = (changes: object): Promise<unknown> =>
      device.plan({ kind: 'interpolations', blocks: [{ ...whole, ...changes }] });
    await expect(refused({ columns: 1025 })).rejects.toThrow(/1025 columns to interpolate: at most 1024/);
    await expect(refused({ threshold: NaN })).rejects.toThrow(/threshold NaN: a number ≥ 0/);
    await expect(refused({ t: { offset: 0, ld: 1 } })).rejects.toThrow(ShapeError);
  });
});
