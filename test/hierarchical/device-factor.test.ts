/** Factorizations on a device solve as the team's do, to the rounding of its precision, in a few launches a level. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DeviceError,
  DeviceLostError,
  MemoryError,
  NotPositiveDefiniteError,
  OptionError,
} from '#hmatrix/core/errors.js';
import { NUMBER_BYTES, ROUNDOFF } from '#hmatrix/core/floats.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { squaredNorm, view, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { WebgpuDevice } from '#hmatrix/device/webgpu/device.js';
import { findAdapter } from '#hmatrix/device/webgpu/library.js';
import { planProduct } from '#hmatrix/hierarchical/device/plan.js';
import { planHodlrSolve } from '#hmatrix/hierarchical/factor/device/hodlr.js';
import * as ofHodlr from '#hmatrix/hierarchical/factor/device/hodlr-elimination.js';
import { MOST_LEVEL_LAUNCHES, planElimination } from '#hmatrix/hierarchical/factor/device/ulv-elimination.js';
import { planUlvSolve } from '#hmatrix/hierarchical/factor/device/ulv-solve.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { planHodlr } from '#hmatrix/hierarchical/factor/hodlr/plan.js';
import { planUlv } from '#hmatrix/hierarchical/factor/ulv/plan.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { hasAdapter } from '../device/adapter.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { FEW_DEVICES, whatIsMissing } from '../device/devices.js';
import { gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const small: CompressOptions = { leafSize: 32, maxRank: 24, tolerance: 1e-4, neighbors: 16, seed: 3, format: 'hss' };
const gaussian = (n: number): EntrySource => gaussianSource(n, 3, 0.9, team.blas);
const stored = (n: number, entry: (i: number, j: number) => number): EntrySource => {
  const values = sharedFloat64(n * n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) values[i + n * j] = entry(i, j);
  return denseSource(values);
};

/** Odd sizes, one leaf, one index, ranks of zero, isolated indices. */
const MATRICES: Readonly<Record<string, readonly [source: () => EntrySource, options: CompressOptions]>> = {
  hss: [() => gaussian(301), small],
  'hss in f32': [() => gaussian(131), { ...small, dtype: 'f32' }],
  'one leaf': [() => gaussian(29), small],
  'one index': [() => stored(1, () => 3), small],
  'ranks of zero': [() => stored(70, (i, j) => (i === j ? i + 1 : 0)), small],
  'isolated indices': [
    () => stored(110, (i, j) => (i < 40 || j < 40 ? 0 : i === j ? 2 : 1 / (1 + Math.abs(i - j)))),
    { ...small, distance: 'gram', leafSize: 16 },
  ],
  hodlr: [() => gaussian(149), { ...small, format: 'hodlr' }],
  'hodlr in blocks': [
    () => gaussianSource(4100, 1, 1, team.blas),
    { ...small, format: 'hodlr', maxRank: 8, leafSize: 128 },
  ],
  'hodlr with isolated indices': [
    () => stored(110, (i, j) => (i < 40 || j < 40 ? 0 : i === j ? 2 : 1 / (1 + Math.abs(i - j)))),
    { ...small, format: 'hodlr', distance: 'gram', leafSize: 16 },
  ],
};
/** Rows are cut into blocks whose triangles are factored in two stages. */
const BLOCKS = 'hodlr in blocks';
const HSS = Object.keys(MATRICES).filter((name) => !name.startsWith('hodlr'));
const HODLR = Object.keys(MATRICES).filter((name) => name.startsWith('hodlr'));
const SMALL = Object.keys(MATRICES).filter((name) => name !== BLOCKS);
const made = new Map<string, Promise<HierarchicalMatrix>>();
function matrixOf(name: string): Promise<HierarchicalMatrix> {
  let matrix = made.get(name);
  if (matrix === undefined) {
    const [source, options] = MATRICES[name];
    made.set(name, (matrix = compress(source(), options, { team })));
  }
  return matrix;
}
const SHIFT = 0.5;

/** ‖(K̃ + λI)·X − B‖ over ‖(K̃ + λI)‖_F·‖X‖ + ‖B‖: some ε where a solve is backward stable. */
function backwardError(matrix: HierarchicalMatrix, x: Matrix, b: Matrix): number {
  const dense = matrix.toDense();
  const n = matrix.size;
  for (let i = 0; i < n; i++) dense.data[i * (n + 1)] += SHIFT;
  const rest = view(Float64Array.from({ length: n * b.cols }), 0, n, b.cols);
  for (let j = 0; j < b.cols; j++)
    for (let i = 0; i < n; i++) {
      let sum = -b.data[b.offset + i + j * b.ld];
      for (let k = 0; k < n; k++) sum += dense.data[i + k * n] * x.data[x.offset + k + j * x.ld];
      rest.data[i + j * n] = sum;
    }
  const norm = (a: Matrix): number => Math.sqrt(squaredNorm(a));
  return norm(rest) / (norm(dense) * norm(x) + norm(b));
}

describe('the plan of an elimination', () => {
  it.each(HSS)(
    'takes_few_launches_a_level_and_writes_each_number_of_the_factors_once_before_it_is_used: %s',
    async (name) => {
      const { data } = await matrixOf(name);
      const plan = planUlv(data, 'f64');
      const { steps, workLength } = planElimination(data, plan, planProduct(data).places);
      expect(steps.length).toBeLessThanOrEqual(MOST_LEVEL_LAUNCHES * (data.tree.depth + 1) + 1);
      const levels = new Map<string, number>();
      for (const step of steps) {
        const level = /level \d+/.exec(step.name)?.[0] ?? 'end';
        levels.set(level, (levels.get(level) ?? 0) + 1);
      }
      expect(Math.max(...levels.values())).toBeLessThanOrEqual(MOST_LEVEL_LAUNCHES);
      // Assembled: lower triangles of H at least, all of G. Factored: each H once, and each V solved for once.
      const assembled = new Uint8Array(plan.factorLength);
      const factored = new Uint8Array(plan.factorLength);
      let reach = 0;
      for (const { work, operands } of steps) {
        if (work.kind === 'gathers' && !work.keep) {
          const to = (operands as { readonly to: string }).to;
          for (const { to: places } of work.pieces)
            for (const column of places.columns)
              for (const row of places.rows) {
                if (to === 'factors') assembled[places.offset + row + column]++;
                if (to === 'work') reach = Math.max(reach, places.offset + row + column + 1);
              }
        }
        if (work.kind === 'cholesky')
          for (const { offset, ld, order } of work.triangles)
            for (let j = 0; j < order; j++) for (let i = j; i < order; i++) factored[offset + i + j * ld]++;
        if (work.kind === 'substitutions')
          for (const { triangle, x } of work.systems)
            if (x.block !== undefined)
              for (let e = 0; e < triangle.order * x.columns; e++) factored[x.block.offset + e]++;
      }
      expect(reach).toBeLessThanOrEqual(workLength);
      for (let ν = 0; ν < plan.rank.length; ν++) {
        const r = plan.begin[ν + 1] - plan.begin[ν];
        for (let j = 0; j < r + plan.rank[ν]; j++)
          for (let i = j < r ? j : 0; i < r; i++) {
            const place = plan.factorBegin[ν] + i + j * r;
            expect([assembled[place], factored[place]]).toEqual([1, 1]);
          }
      }
      expect(assembled.every((count) => count <= 1)).toBe(true);
    },
  );
});

describe('the plan of an elimination of hodlr', () => {
  it.each(HODLR)('takes_few_launches_a_level_and_factors_each_triangle_once: %s', async (name) => {
    const { data } = await matrixOf(name);
    const { tree } = data;
    const plan = planHodlr(data, 'f64');
    const { steps, workLength, diagonals } = ofHodlr.planHodlrElimination(data, plan, planProduct(data).places);
    const launches = new Map<string, number>();
    for (const step of steps) {
      const group = step.name.replace(/:.*/, '');
      launches.set(group, (launches.get(group) ?? 0) + 1);
    }
    for (const [group, count] of launches) {
      const level = Number(/\d+$/.exec(group)?.[0]);
      const stages = Math.ceil(Math.max(0, tree.depth - level) / ofHodlr.FAN);
      expect(count).toBeLessThanOrEqual(group.startsWith('QR') ? 1 + 3 * stages : ofHodlr.MOST_LEVEL_LAUNCHES);
    }
    // Every basis becomes orthonormal once all its rows are there, and every pivot is counted once.
    const factored = new Uint8Array(plan.factorLength);
    const orthonormal = new Uint8Array(plan.basisLength);
    let reach = 0;
    for (const { work, operands } of steps) {
      if (work.kind === 'cholesky')
        for (const { offset, ld, order } of work.triangles)
          for (let i = 0; i < order; i++) factored[offset + i * (ld + 1)]++;
      if (work.kind !== 'qr') continue;
      for (const { a, r, rows, columns } of work.blocks) {
        reach = Math.max(reach, r.offset + (columns - 1) * r.ld + columns);
        if ('values' in operands && operands.values === 'bases')
          for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) orthonormal[a.offset + i + j * a.ld]++;
      }
    }
    expect(reach).toBeLessThanOrEqual(workLength);
    expect(orthonormal.every((count) => count === 1)).toBe(true);
    expect(factored.reduce((sum, count) => sum + count, 0)).toBe(diagonals - tree.begin[0]);
  });
});

/** How often the launches of a solve read each number of a buffer. */
function usesOf(
  steps: ReturnType<typeof planUlvSolve>['steps'] | ReturnType<typeof planHodlrSolve>['steps'],
  part: string,
  length: number,
): Uint8Array {
  const uses = new Uint8Array(length);
  for (const step of steps) {
    if (step.part !== part) continue;
    const { rows, work } = step;
    if (rows !== undefined) {
      for (let b = 0; b < rows.first.length; b++)
        for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
          const turned = rows.transposed[t] === 1;
          const [height, width] = turned ? [rows.terms[t], rows.count[b]] : [rows.count[b], rows.terms[t]];
          for (let j = 0; j < width; j++) for (let i = 0; i < height; i++) uses[rows.offset[t] + i + j * rows.ld[t]]++;
        }
    } else if (work.kind === 'substitutions')
      for (const { triangle } of work.systems)
        for (let j = 0; j < triangle.order; j++)
          for (let i = j; i < triangle.order; i++) uses[triangle.offset + i + j * triangle.ld]++;
  }
  return uses;
}

describe('the plan of a solve', () => {
  it.each(HSS)('reads_each_block_twice_in_at_most_eight_launches_a_level: %s', async (name) => {
    const { data } = await matrixOf(name);
    const plan = planUlv(data, 'f64');
    const { places, elements } = planProduct(data);
    const { steps } = planUlvSolve(data, plan, places.basis);
    expect(steps.length).toBeLessThanOrEqual(8 * (data.tree.depth + 1));
    const factors = usesOf(steps, 'factors', plan.factorLength);
    for (let ν = 0; ν < plan.rank.length; ν++) {
      const r = plan.begin[ν + 1] - plan.begin[ν];
      for (let j = 0; j < r + plan.rank[ν]; j++)
        for (let i = 0; i < r; i++) expect(factors[plan.factorBegin[ν] + i + j * r]).toBe(i < j && j < r ? 0 : 2);
    }
    expect(usesOf(steps, 'basis', elements.basis).every((count) => count === 2)).toBe(true);
  });

  it('of_hodlr_reads_bases_of_right_children_four_times_and_of_left_ones_twice', async () => {
    const { data } = await matrixOf('hodlr');
    const plan = planHodlr(data, 'f64');
    const { steps } = planHodlrSolve(data, plan);
    expect(steps.length).toBeLessThanOrEqual(11 * data.tree.depth + 2);
    const bases = usesOf(steps, 'bases', plan.basisLength);
    for (let ν = 1; ν < plan.basisBegin.length; ν++) {
      const length = (plan.begin[ν + 1] - plan.begin[ν]) * (data.tree.end[ν] - data.tree.begin[ν]);
      for (let e = 0; e < length; e++) expect(bases[plan.basisBegin[ν] + e]).toBe(ν % 2 === 0 ? 4 : 2);
    }
  });
});

useStandIn();

describe.each(FEW_DEVICES)('on %s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const skipped = missing !== undefined;
  const test = skipped ? it.skip : it;
  if (skipped) it.skip(missing, () => undefined);
  const ε = ROUNDOFF[precision];
  // A software adapter takes its time.
  const slow = name === 'webgpu';
  let device: Device;
  beforeAll(async () => {
    if (!skipped) device = await openDevice(name, {}, { team });
  });
  afterAll(async () => {
    if (skipped) return;
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });

  test.each(SMALL.filter((which) => !slow || which !== 'hodlr'))(
    'a_matrix_is_factored_there_and_solves_stably: %s',
    async (which) => {
      const matrix = await matrixOf(which);
      const onDevice = await matrix.to(device, { precision });
      const factorization = await onDevice.factor({ shift: SHIFT });
      expect([factorization.size, factorization.precision, factorization.shift]).toEqual([
        matrix.size,
        precision,
        SHIFT,
      ]);
      const host = await factor(matrix, { shift: SHIFT }, { team });
      expect(Math.abs(factorization.logdet - host.logdet)).toBeLessThan(1000 * ε * matrix.size);
      expect(factorization.residual).toBeLessThan(1e4 * ε);
      for (const p of [1, 5]) {
        const b = randomMatrix(matrix.rows, p, p);
        expect(backwardError(matrix, await factorization.solve(b), b)).toBeLessThan(
          20 * (ε + ROUNDOFF[matrix.precision]),
        );
      }
      // Another λ in place, and the first one again: the same bits.
      const b = randomMatrix(matrix.rows, 2, 9);
      const first = await factorization.solve(b);
      await factorization.refactor(2 * SHIFT);
      expect(factorization.shift).toBe(2 * SHIFT);
      const second = await factorization.solve(b);
      expect(second.data).not.toEqual(first.data);
      await factorization.refactor(SHIFT);
      expect((await factorization.solve(b)).data).toEqual(first.data);
      // The blocks stay until both are released.
      onDevice.release();
      expect((await factorization.solve(b)).data).toEqual(first.data);
      factorization.release();
      factorization.release();
      await expect(factorization.solve(b)).rejects.toThrow(/released: factor the matrix there again/);
      host.release();
    },
  );

  (slow ? it.skip : test)('rows_are_cut_into_blocks_and_come_together_again', async () => {
    const matrix = await matrixOf(BLOCKS);
    const onDevice = await matrix.to(device, { precision });
    const factorization = await onDevice.factor({ shift: SHIFT });
    const host = await factor(matrix, { shift: SHIFT }, { team });
    expect(Math.abs(factorization.logdet / host.logdet - 1)).toBeLessThan(1000 * ε);
    expect(factorization.residual).toBeLessThan(1e4 * ε);
    for (const one of [factorization, onDevice, host]) one.release();
  });

  test.each(SMALL)('factors_of_the_team_are_sent_once_and_solve_there: %s', async (which) => {
    const matrix = await matrixOf(which);
    const host = await factor(matrix, { shift: SHIFT }, { team });
    const factorization = await host.to(device, { precision });
    expect(factorization.logdet).toBe(host.logdet);
    const b = randomMatrix(matrix.rows, 3, 4);
    const x = await factorization.solve(b);
    expect(backwardError(matrix, x, b)).toBeLessThan(20 * (ε + ROUNDOFF[matrix.precision]));
    const before = device.counters;
    const again = await factorization.solve(b);
    expect(again.data).toEqual(x.data);
    const bytes = 3 * NUMBER_BYTES[precision] * matrix.size;
    const { uploaded, downloaded, launches } = device.counters;
    expect([uploaded - before.uploaded, downloaded - before.downloaded]).toEqual([bytes, bytes]);
    const planned = factorization.launches(3).reduce((sum, one) => sum + one.launches, 0);
    // Isolated indices take two more, which are three operations of TensorFlow.js.
    const more = name === 'tfjs' ? 3 : 2;
    expect(launches - before.launches).toBe(planned + (which.includes('isolated') ? more : 0));
    const memory = factorization.memory();
    expect(memory.bytes).toBe(memory.factors + memory.lists + memory.vectors);
    expect(device.memory.bytes).toBe(memory.bytes);
    await expect(factorization.refactor(1)).rejects.toThrow(/refactor its factorization there/);
    factorization.release();
    host.release();
  });

  test.each(slow ? (['hss'] as const) : (['hss', 'hodlr'] as const))(
    'what_is_not_definite_is_refused_where_the_team_does: %s',
    async (format) => {
      const matrix = await compress(
        stored(200, (i, j) => (i === j ? 1 : -0.2 / (1 + Math.abs(i - j) / 4))),
        { ...small, format, leafSize: 16, maxRank: 12 },
        { team },
      );
      const onDevice = await matrix.to(device, { precision });
      const before = device.memory;
      const theirs = await factor(matrix, { suggestShift: false }, { team }).catch((error: unknown) => error);
      const ours = await onDevice.factor().catch((error: unknown) => error);
      expect(ours).toBeInstanceOf(NotPositiveDefiniteError);
      expect((ours as NotPositiveDefiniteError).data).toEqual((theirs as NotPositiveDefiniteError).data);
      expect((ours as Error).message).toBe((theirs as Error).message);
      expect(device.memory).toEqual(before);
      const factorization = await onDevice.factor({ shift: 9 });
      await expect(factorization.refactor(0)).rejects.toThrow(NotPositiveDefiniteError);
      await expect(factorization.solve(randomMatrix(200, 1, 1))).rejects.toThrow(/failed: refactor it/);
      await factorization.refactor(9);
      await factorization.solve(randomMatrix(200, 1, 1));
      factorization.release();
      onDevice.release();
    },
  );

  test('what_cannot_be_factored_there_is_refused_by_name', async () => {
    const fmm = await compress(gaussian(187), { ...small, format: 'fmm', budget: 0.3 }, { team });
    const onDevice = await fmm.to(device, { precision });
    const theirs = await factor(fmm, {}, { team }).catch((error: unknown) => error);
    await expect(onDevice.factor()).rejects.toThrow((theirs as Error).message);
    await expect(onDevice.factor({ shifts: 1 } as never)).rejects.toThrow(/did you mean "shift"/);
    onDevice.release();
    await expect(onDevice.factor()).rejects.toThrow(DeviceError);
    const hss = await matrixOf('hss');
    const there = await hss.to(device, { precision });
    await expect(there.factor({ shift: -1 })).rejects.toThrow(OptionError);
    await expect(there.factor({ shift: NaN })).rejects.toThrow(OptionError);
    there.release();
    const indefinite = await factor(hss, { indefinite: true, shift: 1 }, { team });
    await expect(indefinite.to(device, { precision })).rejects.toThrow(/positive definite factorizations/);
    const isolated = await (await matrixOf('isolated indices')).to(device, { precision });
    await expect(isolated.factor()).rejects.toThrow(/isolated indices have rows of zeros/);
    isolated.release();
  });

  test('too_little_memory_is_refused_before_anything_is_computed', async () => {
    const matrix = await matrixOf('hss');
    const whole = await matrix.to(device, { precision });
    const { bytes } = whole.memory();
    whole.release();
    const narrow = await openDevice(name, { memoryLimit: bytes + 1000 }, { team });
    const onDevice = await matrix.to(narrow, { precision });
    const before = narrow.counters;
    await expect(onDevice.factor({ shift: SHIFT })).rejects.toThrow(MemoryError);
    expect(narrow.counters).toEqual(before);
    expect(narrow.memory.bytes).toBe(onDevice.memory().bytes);
    const host = await factor(matrix, { shift: SHIFT }, { team });
    await expect(host.to(narrow, { precision })).rejects.toThrow(/The factorization takes, on the device/);
    await narrow.close();
  });

  test('a_thousand_cycles_leave_nothing_behind', async () => {
    const matrix = await matrixOf('one leaf');
    const onDevice = await matrix.to(device, { precision });
    // The product that measures a solve keeps its vectors.
    (await onDevice.factor({ shift: 1 })).release();
    const before = device.memory;
    const start = process.memoryUsage.rss();
    // A software adapter takes its time.
    const cycles = name === 'cpu' ? 1000 : 200;
    for (let cycle = 0; cycle < cycles; cycle++) (await onDevice.factor({ shift: 1 + cycle })).release();
    expect(device.memory).toEqual(before);
    // Each takes some kilobytes here and there.
    expect(process.memoryUsage.rss() - start).toBeLessThan(200 * 2 ** 20);
    onDevice.release();
  });
});

it.each(['hss', 'hodlr'])('the_team_gives_the_same_bits_whatever_its_size: %s', async (name) => {
  const matrix = await matrixOf(name);
  const b = randomMatrix(matrix.rows, 3, 3);
  const [one, two] = await Promise.all(
    [1, 2].map(async (workers) => {
      const device = await openDevice('cpu', {}, { team: await sharedTeam(workers) });
      const factorization = await (await matrix.to(device)).factor({ shift: SHIFT });
      const x = await factorization.solve(b);
      await device.close();
      return x;
    }),
  );
  expect(two.data).toEqual(one.data);
});

it.skipIf(!hasAdapter)('a_device_that_is_lost_says_so_and_the_factorization_of_the_team_still_solves', async () => {
  const gpu = await (await findAdapter()).adapter.requestDevice({ requiredLimits: {} });
  const device = new WebgpuDevice(gpu, 'a card', { memoryLimit: Infinity });
  const matrix = await matrixOf('hss');
  const host = await factor(matrix, { shift: SHIFT }, { team });
  const factorization = await host.to(device);
  gpu.destroy();
  const b = randomMatrix(matrix.rows, 1, 1);
  await expect(factorization.solve(b)).rejects.toThrow(DeviceLostError);
  expect(backwardError(matrix, host.solve(b), b)).toBeLessThan(1e-14);
  factorization.release();
  await device.close();
});
