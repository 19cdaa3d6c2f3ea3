/** Every device computes what the contract says, to the rounding of its precision; memory, order and errors alike. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { sharedFloats } from '#hmatrix/core/floats.js';
import type { Device, DeviceName } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { sharedTeam } from '../teams.js';
import { exampleOf, excess, numbersOf, plain, type TargetShape } from './block-rows.js';
import { useStandIn } from './cuda-stand-in/stand-in.js';
import { DEVICES, whatIsMissing } from './devices.js';

const open = async (name: DeviceName, memoryLimit?: number): Promise<Device> =>
  openDevice(name, { memoryLimit }, { team: await sharedTeam(2) });

/** Sizes beside those of tiles (1, 4, 16, 64), one, and none. */
const SHAPES: Readonly<Record<string, readonly TargetShape[]>> = {
  'equal shapes': Array.from({ length: 9 }, (_, b) => ({ count: 16, terms: [[16, b % 2 === 1]] })),
  'odd shapes': [
    { count: 1, terms: [[1, false]] },
    {
      count: 3,
      starts: true,
      terms: [
        [17, true],
        [5, false],
      ],
    },
    {
      count: 65,
      terms: [
        [33, false],
        [1, true],
        [64, true],
      ],
    },
    { count: 130, starts: true, terms: [[7, true]] },
    {
      count: 15,
      terms: [
        [500, false],
        [0, false],
      ],
    },
    { count: 47, terms: [[129, true]] },
    { count: 49, terms: [[16, true]] },
  ],
  'copies alone': [
    { count: 5, starts: true, terms: [] },
    { count: 70, starts: true, terms: [] },
    { count: 2, terms: [] },
  ],
  'a wide one': [
    {
      count: 500,
      terms: [
        [500, true],
        [33, false],
      ],
    },
  ],
  none: [],
};

useStandIn();

describe.each(DEVICES)('%s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const skipped = missing !== undefined;
  const test = skipped ? it.skip : it;
  if (skipped) it.skip(missing, () => undefined);
  let device: Device;
  beforeAll(async () => {
    if (!skipped) device = await open(name);
  });
  afterAll(async () => {
    if (!skipped) await device.close();
  });

  test.each(Object.entries(SHAPES))('block_rows_are_sums_of_products_to_rounding: %s', async (_what, shapes) => {
    for (const keep of [false, true]) {
      const example = exampleOf(shapes, keep, 3, keep ? -0.75 : undefined);
      const numbers = numbersOf(example.values, precision, 5);
      const rows = await device.prepare(example.rows);
      const values = await device.upload(numbers);
      for (const width of [1, 3, 16, 66]) {
        const before = numbersOf(example.height * width, precision, width);
        const vectors = await device.upload(before);
        device.multiply(rows, { values, vectors }, width);
        const got = before.slice();
        await device.read(vectors, got);
        const expected = plain(example, numbers, before, width);
        expect(excess(got, expected, precision), `width ${width}`).toBeLessThanOrEqual(1);
        // 'none' has nothing to write, and every other example writes.
        expect(got.some((value, i) => value !== before[i])).toBe(shapes.length > 0);
        vectors.destroy();
      }
      values.destroy();
      rows.destroy();
    }
  });

  test('500_vectors_are_multiplied_side_by_side', async () => {
    const example = exampleOf([{ count: 33, starts: true, terms: [[20, false]] }], true, 8);
    const numbers = numbersOf(example.values, precision, 5);
    const before = numbersOf(example.height * 500, precision, 1);
    const [rows, values, vectors] = [
      await device.prepare(example.rows),
      await device.upload(numbers),
      await device.upload(before),
    ];
    device.multiply(rows, { values, vectors }, 500);
    const got = before.slice();
    await device.read(vectors, got);
    expect(excess(got, plain(example, numbers, before, 500), precision)).toBeLessThanOrEqual(1);
    for (const one of [rows, values, vectors]) one.destroy();
  });

  test('launches_and_copies_run_in_the_order_they_are_handed_over', async () => {
    // V(1) ← V(1) + V(0), again and again: powers of two, exact in each precision.
    const doubled = exampleOf([{ count: 1, starts: true, terms: [] }], true, 1);
    const rows = await device.prepare({ ...doubled.rows, first: Int32Array.of(1), starts: Int32Array.of(0) });
    const values = await device.allocate(1, precision);
    const kind = precision === 'f64' ? Float64Array : Float32Array;
    const vectors = await device.upload(kind.of(1, 0));
    const got = new kind(2);
    for (let k = 1; k <= 5; k++) device.multiply(rows, { values, vectors }, 1);
    const five = device.read(vectors, got);
    device.write(vectors, kind.of(7), 1);
    device.multiply(rows, { values, vectors }, 1);
    await five;
    expect([...got]).toEqual([1, 5]);
    await device.read(vectors, got);
    expect([...got]).toEqual([1, 8]);
    await device.finish();
    for (const one of [rows, values, vectors]) one.destroy();
  });

  test('parts_are_written_and_read_and_new_memory_is_zero', async () => {
    const kind = precision === 'f64' ? Float64Array : Float32Array;
    const buffer = await device.allocate(7, precision);
    expect([buffer.length, buffer.precision, buffer.bytes]).toEqual([7, precision, precision === 'f64' ? 56 : 28]);
    device.write(buffer, kind.of(1, 2, 3), 2);
    device.write(buffer, new kind(0), 7);
    const got = new kind(4);
    await device.read(buffer, got, 1);
    expect([...got]).toEqual([0, 1, 2, 3]);
    const shared = sharedFloats(2, precision).fill(5);
    device.write(buffer, shared, 2);
    await device.read(buffer, got, 1);
    expect([...got]).toEqual([0, 5, 5, 3]);
    await device.read(buffer, new kind(0), 0);
    buffer.destroy();
  });

  test('counters_tell_what_was_sent_fetched_and_computed', async () => {
    const example = exampleOf(SHAPES['odd shapes'], false, 2);
    const rows = await device.prepare(example.rows);
    const values = await device.allocate(example.values, precision);
    const vectors = await device.allocate(example.height * 3, precision);
    device.multiply(rows, { values, vectors }, 3);
    const before = device.counters;
    device.multiply(rows, { values, vectors }, 3);
    await device.finish();
    const after = device.counters;
    const cost = rows.cost(3);
    const flops = example.rows.first.reduce((sum, _, b) => {
      for (let t = example.rows.termBegin[b]; t < example.rows.termBegin[b + 1]; t++)
        sum += 6 * example.rows.count[b] * example.rows.terms[t];
      return sum;
    }, 0);
    expect(after).toEqual({ ...before, launches: before.launches + cost.launches, flops: before.flops + flops });
    expect(cost.flops).toBe(flops);
    expect(cost.padded).toBeGreaterThanOrEqual(flops);
    // Operations of TensorFlow.js: two for each of seven shapes, and eight that put their sums together.
    expect(cost.launches).toBeLessThanOrEqual(name === 'tfjs' ? 22 : 2);
    for (const one of [rows, values, vectors]) one.destroy();
  });

  test('1000_cycles_leave_nothing_behind', async () => {
    const start = device.memory;
    const example = exampleOf([{ count: 2, terms: [[3, false]] }], false, 1);
    const before = process.memoryUsage.rss();
    for (let cycle = 0; cycle < 1000; cycle++) {
      const buffer = await device.allocate(2 ** 18, precision);
      if (cycle % 50 === 0) (await device.prepare(example.rows)).destroy();
      buffer.destroy();
      buffer.destroy();
    }
    await device.finish();
    expect(device.memory).toEqual(start);
    // A tenth of what the buffers together would take, were they kept.
    if (name === 'webgpu') expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });

  test('what_does_not_fit_is_refused_by_name', async () => {
    const kind = precision === 'f64' ? Float64Array : Float32Array;
    const other = precision === 'f64' ? Float32Array : Float64Array;
    const example = exampleOf([{ count: 2, terms: [[3, false]] }], false, 1);
    const rows = await device.prepare(example.rows);
    const values = await device.allocate(example.values, precision);
    const vectors = await device.allocate(example.height, precision);
    const operands = { values, vectors };
    expect(() => device.write(values, kind.of(1), example.values)).toThrow(ShapeError);
    expect(() => device.write(values, kind.of(1), -1)).toThrow(/1 numbers from place -1 on reach past/);
    expect(() => device.write(values, other.of(1))).toThrow(/the buffer's are f/);
    await expect(device.read(values, new kind(example.values + 1))).rejects.toThrow(ShapeError);
    await expect(device.upload([1] as never)).rejects.toThrow(/Float64Array or a Float32Array, not an array of 1/);
    expect(() => device.multiply(rows, operands, 0)).toThrow(/1 vector or more, not 0/);
    expect(() => device.multiply(rows, operands, 2)).toThrow(/rows of 2: the buffers hold/);
    expect(() => device.multiply(rows, { values, vectors: values }, 1)).toThrow(/buffers of their own/);
    await expect(device.allocate(-1, precision)).rejects.toThrow(ShapeError);
    await expect(device.allocate(2 ** 50, precision)).rejects.toThrow(MemoryError);
    await expect(device.allocate(1, 'f16' as never)).rejects.toThrow(OptionError);
    const second = await open(name, 1000);
    await expect(second.allocate(2000, precision)).rejects.toThrow(/and 1000 bytes are available/);
    const foreign = await second.allocate(1, precision);
    expect(second.memory).toMatchObject({ buffers: 1, bytes: foreign.bytes, limit: 1000 });
    expect(() => device.multiply(rows, { values: foreign, vectors }, 1)).toThrow(/no buffer of this device/);
    expect(() => second.multiply(rows, operands, 1)).toThrow(/not prepared on this device/);
    await second.close();
    await second.close();
    await expect(second.allocate(1, precision)).rejects.toThrow(/closed: open it again/);
    values.destroy();
    expect(() => device.multiply(rows, operands, 1)).toThrow(DeviceError);
    await expect(device.read(values, new kind(1))).rejects.toThrow(/The buffer was destroyed/);
    rows.destroy();
    expect(() => device.multiply(rows, operands, 1)).toThrow(/block rows were destroyed/);
    vectors.destroy();
  });
});

describe('the team', () => {
  it('gives_the_same_bits_whatever_its_size', async () => {
    const example = exampleOf(SHAPES['odd shapes'], true, 4);
    const results = await Promise.all(
      [1, 2].map(async (workers) => {
        const device = await openDevice('cpu', {}, { team: await sharedTeam(workers) });
        const values = await device.upload(numbersOf(example.values, 'f64', 5));
        const got = numbersOf(example.height * 7, 'f64', 6);
        const vectors = await device.upload(got);
        device.multiply(await device.prepare(example.rows), { values, vectors }, 7);
        await device.read(vectors, got);
        await device.close();
        return got;
      }),
    );
    expect(results[1]).toEqual(results[0]);
  });
});
