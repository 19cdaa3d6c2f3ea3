/** Products on a device are those of the matrix, to the rounding of its precision; its blocks are sent once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { NUMBER_BYTES, ROUNDOFF, type Precision } from '#hmatrix/core/floats.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { squaredNorm, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { checkBlockRows, flopsOfVector } from '#hmatrix/device/block-rows.js';
import { ARITHMETICS, type Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { DeviceMatrix } from '#hmatrix/hierarchical/device/device-matrix.js';
import { planProduct, type ProductPlan } from '#hmatrix/hierarchical/device/plan.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { DEVICES, whatIsMissing } from '../device/devices.js';
import { gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const small: CompressOptions = { leafSize: 32, maxRank: 24, tolerance: 1e-4, neighbors: 16, seed: 3 };
const gaussian = (n: number): EntrySource => gaussianSource(n, 3, 0.9, team.blas);
const stored = (n: number, entry: (i: number, j: number) => number): EntrySource => {
  const values = sharedFloat64(n * n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) values[i + n * j] = entry(i, j);
  return denseSource(values);
};

/** Odd sizes, one leaf, one index, ranks of zero, near blocks, isolated indices, both precisions. */
const MATRICES: Readonly<Record<string, readonly [source: () => EntrySource, options: CompressOptions]>> = {
  hss: [() => gaussian(301), { ...small, format: 'hss' }],
  fmm: [() => gaussian(187), { ...small, format: 'fmm', budget: 0.3 }],
  hodlr: [() => gaussian(149), { ...small, format: 'hodlr' }],
  'hss in f32': [() => gaussian(131), { ...small, format: 'hss', dtype: 'f32' }],
  'one leaf': [() => gaussian(29), small],
  'one index': [() => stored(1, () => 3), small],
  'ranks of zero': [() => stored(70, (i, j) => (i === j ? i + 1 : 0)), { ...small, format: 'hss' }],
  'isolated indices': [
    () => stored(110, (i, j) => (i < 40 || j < 40 ? 0 : i === j ? 2 : 1 / (1 + Math.abs(i - j)))),
    { ...small, format: 'fmm', budget: 0.5, distance: 'gram', leafSize: 16 },
  ],
};
/** Vectors of products; of the other matrices 1 and 3. */
const WIDTHS: Readonly<Record<string, readonly number[]>> = { hss: [1, 64], fmm: [3, 500] };
const made = new Map<string, Promise<HierarchicalMatrix>>();
function matrixOf(name: string): Promise<HierarchicalMatrix> {
  let matrix = made.get(name);
  if (matrix === undefined) {
    const [source, options] = MATRICES[name];
    made.set(name, (matrix = compress(source(), options, { team })));
  }
  return matrix;
}

/** Additions and roundings on the way of a number through all launches. */
function longestSum({ steps }: ProductPlan): number {
  let sum = 0;
  for (const { rows } of steps) {
    let longest = 0;
    for (let b = 0; b < rows.first.length; b++) {
      let length = 3;
      for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) length += rows.terms[t] + 1;
      longest = Math.max(longest, length);
    }
    sum += longest;
  }
  return sum;
}

/** |K̃|·|X|, every block by the magnitudes of its numbers: what errors of rounding are relative to. */
function magnitudes(matrix: HierarchicalMatrix, x: Matrix): Matrix {
  const { data, elements, report } = matrix;
  const absolute = new HierarchicalMatrix(
    { ...data, values: data.values.map(Math.abs) as never },
    elements,
    report,
    team,
  );
  return absolute.apply(view(x.data.map(Math.abs) as Float64Array, x.offset, x.rows, x.cols, x.ld));
}

function expectProduct(got: Matrix, matrix: HierarchicalMatrix, x: Matrix, precision: Precision): void {
  const expected = matrix.apply(x);
  const size = magnitudes(matrix, x);
  // Both products are rounded: that of the device, and the one it is compared with.
  const bound = longestSum(planProduct(matrix.data)) * (ROUNDOFF[precision] + ROUNDOFF[matrix.precision]);
  let worst = 0;
  for (let j = 0; j < x.cols; j++) {
    for (let i = 0; i < matrix.rows; i++) {
      const difference = Math.abs(
        got.data[got.offset + i + j * got.ld] - expected.data[expected.offset + i + j * expected.ld],
      );
      if (difference > 0) worst = Math.max(worst, difference / (bound * size.data[i + j * size.ld]));
    }
  }
  expect(worst).toBeLessThanOrEqual(1);
}

describe('the plan', () => {
  it.each(Object.keys(MATRICES))('reads_each_block_as_often_as_a_product_needs_it: %s', async (name) => {
    const { data } = await matrixOf(name);
    const plan = planProduct(data);
    const uses = {
      basis: new Uint8Array(plan.elements.basis),
      coupling: new Uint8Array(plan.elements.coupling),
      leaf: new Uint8Array(plan.elements.leaf),
    };
    for (const { part, rows } of plan.steps) {
      const reach = checkBlockRows(rows);
      expect(reach.values).toBeLessThanOrEqual(plan.elements[part]);
      expect(reach.rows).toBeLessThanOrEqual(plan.rows);
      for (let b = 0; b < rows.first.length; b++) {
        for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
          const [height, columns] =
            rows.transposed[t] === 1 ? [rows.terms[t], rows.count[b]] : [rows.count[b], rows.terms[t]];
          for (let c = 0; c < columns; c++)
            for (let r = 0; r < height; r++) uses[part][rows.offset[t] + r + c * rows.ld[t]]++;
        }
      }
    }
    expect(uses.basis.every((count) => count === 2)).toBe(true);
    expect(uses.coupling.every((count) => count === 2)).toBe(true);
    let at = 0;
    for (const { kind, rows, columns } of plan.blocks.leaf) {
      const times = kind === 'dense' ? 2 : 1;
      expect(uses.leaf.subarray(at, (at += rows * columns)).every((count) => count === times)).toBe(true);
    }
    expect(at).toBe(plan.elements.leaf);
  });

  it.each(Object.keys(MATRICES))('takes_few_launches_a_level_and_the_flops_of_the_matrix: %s', async (name) => {
    const matrix = await matrixOf(name);
    const { depth } = matrix.data.tree;
    const { steps } = planProduct(matrix.data);
    expect(steps.length).toBeLessThanOrEqual(2 * depth + 3);
    const flops = steps.reduce((sum, { rows }) => sum + flopsOfVector(rows), 0);
    // Blocks of zeros that share their place are stored once and not multiplied at all.
    expect(flops).toBeLessThanOrEqual(matrix.flops(1));
    expect(flops).toBeGreaterThan(0);
  });
});

useStandIn();

describe.each(DEVICES)('on %s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const skipped = missing !== undefined;
  const test = skipped ? it.skip : it;
  if (skipped) it.skip(missing, () => undefined);
  let device: Device;
  beforeAll(async () => {
    if (!skipped) device = await openDevice(name, {}, { team });
  });
  afterAll(async () => {
    if (!skipped) await device.close();
  });

  test.each(Object.keys(MATRICES))('products_are_those_of_the_matrix: %s', async (which) => {
    const before = device.memory;
    const matrix = await matrixOf(which);
    const onDevice = await matrix.to(device, { precision });
    expect([onDevice.size, onDevice.precision, onDevice.symmetric]).toEqual([matrix.size, precision, true]);
    for (const p of WIDTHS[which] ?? [1, 3]) {
      const x = randomMatrix(matrix.rows, p, p);
      expectProduct(await onDevice.apply(x), matrix, x, precision);
    }
    // Columns of a larger matrix, into those of another one; and none.
    const x = view(randomMatrix(matrix.rows + 7, 4, 1).data, 3, matrix.rows, 2, matrix.rows + 7);
    const out = view(new Float64Array(3 * (matrix.rows + 5)).fill(9), 2, matrix.rows, 2, matrix.rows + 5);
    expect(await onDevice.apply(x, out)).toBe(out);
    expectProduct(out, matrix, x, precision);
    expect([out.data[1], out.data[2 + matrix.rows], out.data[2 * (matrix.rows + 5) + 2]]).toEqual([9, 9, 9]);
    expect((await onDevice.apply(zeros(matrix.rows, 0))).cols).toBe(0);
    onDevice.release();
    onDevice.release();
    expect(device.memory).toEqual(before);
  });

  test('blocks_are_sent_once_and_a_product_moves_its_vectors_alone', async () => {
    const matrix = await matrixOf('fmm');
    const start = device.counters.uploaded;
    const onDevice = await matrix.to(device, { precision });
    const memory = onDevice.memory();
    const bytes = NUMBER_BYTES[precision];
    const plan = planProduct(matrix.data);
    expect(memory).toMatchObject({
      basis: bytes * plan.elements.basis,
      coupling: bytes * plan.elements.coupling,
      leaf: bytes * plan.elements.leaf,
      vectors: 0,
    });
    const blocks = memory.basis + memory.coupling + memory.leaf;
    expect(device.counters.uploaded - start).toBeGreaterThanOrEqual(blocks);
    const x = randomMatrix(matrix.rows, 5, 1);
    const first = await onDevice.apply(x);
    expect(onDevice.memory().vectors).toBe(bytes * plan.rows * 5);
    const before = device.counters;
    const second = await onDevice.apply(x);
    const launches = onDevice.launches(5);
    const sum = (of: 'launches' | 'flops'): number => launches.reduce((total, launch) => total + launch[of], 0);
    expect(device.counters).toEqual({
      launches: before.launches + sum('launches'),
      flops: before.flops + sum('flops'),
      uploaded: before.uploaded + bytes * 5 * matrix.rows,
      downloaded: before.downloaded + bytes * 5 * matrix.rows,
    });
    expect(second.data).toEqual(first.data);
    // Two shapes of tiles for each launch of the plan at most; operations of TensorFlow.js are many.
    const most = name === 'tfjs' ? 40 : 2;
    expect(launches.map(({ step }) => step)).toEqual(plan.steps.map((step) => step.name));
    expect(launches.every((launch) => launch.launches <= most && launch.padded >= launch.flops)).toBe(true);
    onDevice.release();
  });

  test('products_that_are_asked_for_at_once_run_one_after_the_other', async () => {
    const matrix = await matrixOf('hss');
    const onDevice = await matrix.to(device, { precision });
    const vectors = [1, 2, 3].map((seed) => randomMatrix(matrix.rows, seed, seed));
    const products = await Promise.all(vectors.map((x) => onDevice.apply(x)));
    products.forEach((y, k) => {
      expectProduct(y, matrix, vectors[k], precision);
    });
    await expect(onDevice.apply([1, 2])).rejects.toThrow(ShapeError);
    await onDevice.apply(vectors[0]);
    onDevice.release();
    await expect(onDevice.apply(vectors[0])).rejects.toThrow(/released: put it there again/);
    await expect(onDevice.apply(vectors[0])).rejects.toThrow(DeviceError);
  });

  test('vectors_come_in_chunks_where_memory_is_short_and_too_little_is_refused_before_anything_is_sent', async () => {
    const matrix = await matrixOf('fmm');
    const whole = await matrix.to(device, { precision });
    const { bytes } = whole.memory();
    whole.release();
    const vector = NUMBER_BYTES[precision] * planProduct(matrix.data).rows;
    const narrow = await openDevice(name, { memoryLimit: bytes + 3.5 * vector }, { team });
    const onDevice = await matrix.to(narrow, { precision });
    const x = randomMatrix(matrix.rows, 8, 8);
    expectProduct(await onDevice.apply(x), matrix, x, precision);
    expect(onDevice.memory().vectors).toBe(3 * vector);
    await narrow.close();
    await expect(onDevice.apply(x)).rejects.toThrow(/closed/);
    const full = await openDevice(name, { memoryLimit: bytes + vector / 2 }, { team });
    const without = await matrix.to(full, { precision });
    await expect(without.apply(x)).rejects.toThrow(/takes, for one vector,/);
    await full.close();
    const tiny = await openDevice(name, { memoryLimit: 1000 }, { team });
    await expect(matrix.to(tiny, { precision })).rejects.toThrow(MemoryError);
    expect(tiny.counters.uploaded).toBe(0);
    await tiny.close();
  });

  test('the_error_of_an_arithmetic_is_measured_and_devices_without_it_refuse', async () => {
    const matrix = await matrixOf('fmm');
    const before = device.memory;
    for (const arithmetic of ARITHMETICS) {
      const putting = matrix.to(device, { precision, arithmetic });
      if (precision === 'f64' || !device.arithmetics.includes(arithmetic)) {
        await expect(putting).rejects.toThrow(OptionError);
        await expect(putting).rejects.toThrow(/has no arithmetic (tf32|bf16) for products in f\d\d/);
        continue;
      }
      const [rounded, plain] = [await putting, await matrix.to(device, { precision })];
      const unit = arithmetic === 'tf32' ? 2 ** -11 : 2 ** -8;
      expect([rounded.arithmetic, plain.arithmetic, plain.arithmeticError]).toEqual([arithmetic, undefined, 0]);
      expect(rounded.arithmeticError).toBeGreaterThan(unit / 16);
      expect(rounded.arithmeticError).toBeLessThan(2 * unit);
      const x = randomMatrix(matrix.rows, 20, 5);
      const [y, expected] = [await rounded.apply(x), await plain.apply(x)];
      const difference = y.data.map((value, i) => value - expected.data[i]) as Float64Array;
      const error = Math.sqrt(squaredNorm(view(difference, 0, matrix.rows, 20)) / squaredNorm(expected));
      expect(error / rounded.arithmeticError).toBeGreaterThan(0.5);
      expect(error / rounded.arithmeticError).toBeLessThan(2);
      for (const one of [rounded, plain]) one.release();
    }
    expect(device.memory).toEqual(before);
  });

  test('what_cannot_be_put_there_is_refused_by_name', async () => {
    const matrix = await matrixOf('one leaf');
    await expect(matrix.to('cpu' as never)).rejects.toThrow(/matrix.to takes a device .*openDevice\(name\) opens it/);
    await expect(matrix.to(device, { precison: 'f32' } as never)).rejects.toThrow(/did you mean "precision"/);
    await expect(matrix.to(device, { precision: 'f16' as never })).rejects.toThrow(OptionError);
    if (!device.precisions.includes('f64'))
      await expect(matrix.to(device, { precision: 'f64' })).rejects.toThrow(/computes in f32/);
    await expect(
      DeviceMatrix.make({ ...matrix.data, share: {} as never }, device, {}, () => matrix.toDense()),
    ).rejects.toThrow(/several ranks/);
    const before = device.memory;
    const huge = await compress(
      stored(9, (i, j) => (i === j ? 1e300 : 0)),
      small,
      { team },
    );
    const putting = huge.to(device, { precision });
    if (precision === 'f64') (await putting).release();
    else await expect(putting).rejects.toThrow(NonFiniteError);
    expect(device.memory).toEqual(before);
  });
});

it('the_team_gives_the_same_bits_whatever_its_size', async () => {
  const matrix = await matrixOf('fmm');
  const x = randomMatrix(matrix.rows, 3, 3);
  const [one, two] = await Promise.all(
    [1, 2].map(async (workers) => {
      const device = await openDevice('cpu', {}, { team: await sharedTeam(workers) });
      const y = await (await matrix.to(device)).apply(x);
      await device.close();
      return y;
    }),
  );
  expect(two.data).toEqual(one.data);
});
