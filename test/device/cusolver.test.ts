/** cuSOLVER on the device cuda, on what stands for it: what it is handed, what it gives, what is refused. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DeviceError, DeviceLostError, MemoryError, NotPositiveDefiniteError } from '#hmatrix/core/errors.js';
import { floats, PRECISIONS, ROUNDOFF, type FloatArray, type Precision } from '#hmatrix/core/floats.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { findCusolver } from '#hmatrix/device/cuda/cusolver.js';
import { CudaDevice, type CudaOptions } from '#hmatrix/device/cuda/device.js';
import { chooseFactors, FACTOR_LEAST } from '#hmatrix/device/cuda/factors.js';
import { findCard } from '#hmatrix/device/cuda/open.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { Choleskys } from '#hmatrix/device/work/triangles.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';
import * as standIn from './cuda-stand-in/stand-in.js';
import { products, targetAt } from './gemm-targets.js';
import { runWork } from './run-work.js';

const { callsSince, failAt, forgetCalls, hasStandIn, NO_COMPILER, setCard, variantOf } = standIn;
/** Triangles of more than 32 columns, alone: four launches. */
const SOME = 4;
const open = (options: Partial<CudaOptions> = {}): CudaDevice =>
  new CudaDevice(findCard(), { memoryLimit: undefined, factors: SOME, ...options });
const own = (): CudaDevice => open({ factors: Infinity });
const solverCalls = (): string[] => callsSince().filter((line) => line.startsWith('cusolver'));
const factorings = (): string[] => solverCalls().filter((line) => /^cusolverDnXpotrf /.test(line));

/** Positive definite triangles of those orders in one array, with room between columns, and what stands above them. */
function example(orders: readonly number[], precision: Precision) {
  let next = 5;
  const triangles = orders.map((order, status) => {
    const [offset, ld] = [next, order + 3];
    next += ld * order + 2;
    return { offset, ld, order, status: orders.length - 1 - status };
  });
  const values = floats(next, precision).map((_, k) => 7 + (k % 5)) as FloatArray;
  for (const { offset, ld, order } of triangles)
    for (let j = 0; j < order; j++) for (let i = j; i < order; i++) values[offset + i + j * ld] = entry(i, j);
  const work: Choleskys = { kind: 'cholesky', triangles };
  return { work, values, status: floats(orders.length, precision).fill(NaN) };
}
const entry = (i: number, j: number): number => (i === j ? 9 : 0) + Math.cos(i * j) / (1 + i - j);

/** The largest |LLᵀ − A| over what rounding allows. */
function excess({ triangles }: Choleskys, l: FloatArray, precision: Precision): number {
  let worst = 0;
  for (const { offset, ld, order } of triangles)
    for (let j = 0; j < order; j++)
      for (let i = j; i < order; i++) {
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += l[offset + i + k * ld] * l[offset + j + k * ld];
        worst = Math.max(worst, Math.abs(sum - entry(i, j)) / (40 * order * ROUNDOFF[precision]));
      }
  return worst;
}

standIn.useStandIn();
if (!hasStandIn) it.skip(NO_COMPILER, () => undefined);

describe('which_triangles_are_its', () => {
  const launches = (order: number): number => 3 * Math.ceil(order / 32) - 2;
  it.each([
    [[993], [993]],
    [[992], []],
    [[1024, 1000], []],
    [[1024, 33], []],
    [[1088, 33], [1088]],
    [[4096, 700, 700, 9], [4096]],
    [[2048, 2048, 2048], []],
    [
      [2048, 2048],
      [2048, 2048],
    ],
    [Array.from({ length: 8 }, () => 8192), Array.from({ length: 8 }, () => 8192)],
    [[], []],
  ])('are_those_that_save_launches: %j', (orders, large) => {
    let opened = 0;
    const work: Choleskys = {
      kind: 'cholesky',
      triangles: orders.map((order, status) => ({ offset: 0, ld: order, order, status })),
    };
    const chosen = chooseFactors(work, launches, { least: FACTOR_LEAST, open: () => ++opened > 0 });
    expect(chosen.large.map(({ order }) => order)).toEqual(large);
    expect([...chosen.large, ...chosen.rest.triangles].sort((a, b) => a.status - b.status)).toEqual(work.triangles);
    expect(opened).toBe(large.length > 0 ? 1 : 0);
    const none = chooseFactors(work, launches, { least: FACTOR_LEAST, open: () => false });
    expect(none).toEqual({ large: [], rest: work });
  });
});

describe.skipIf(!hasStandIn)('cuSOLVER', () => {
  const folder = temporaryFolder();
  const source = join(import.meta.dirname, 'cuda-stand-in/cusolver.cpp');
  beforeAll(() => {
    const found = findCard().findCusolver();
    expect('library' in found && [found.library.version, found.library.hasModes]).toEqual(['11.7.3', true]);
  });
  afterEach(() => {
    delete process.env['HMATRIX_CUSOLVER'];
    setCard('memory', 2 ** 32);
    forgetCalls();
  });

  it.each(PRECISIONS)('factors_large_triangles_beside_small_ones: %s', async (precision) => {
    const { work, values, status } = example([9, 190, 40, 131, 33], precision);
    const device = open({ factors: 3 });
    forgetCalls();
    const { values: l, status: told } = await runWork(device, work, { values, status });
    const letter = precision === 'f64' ? 'D' : 'S';
    // Of the two largest each call saves more than three launches, and of the next one less.
    expect(factorings()).toEqual([`cusolverDnXpotrf ${letter} 190 193`, `cusolverDnXpotrf ${letter} 131 134`]);
    expect(Array.from(told)).toEqual([0, 0, 0, 0, 0]);
    expect(excess(work, l, precision)).toBeLessThan(1);
    // What stands above and between is as it was, the same bits come again.
    const other = own();
    const expected = await runWork(other, work, { values, status });
    await other.close();
    expect(excess(work, expected.values, precision)).toBeLessThan(1);
    for (const { offset, ld, order } of work.triangles)
      for (let j = 0; j < order; j++)
        for (let i = 0; i < j && order > 100; i++) expect(l[offset + i + j * ld]).toBe(values[offset + i + j * ld]);
    expect((await runWork(device, work, { values, status })).values).toEqual(l);
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
    expect(standIn.liveSolvers()).toBe(0);
  });

  it.each(PRECISIONS)('tells_the_first_pivot_that_fails_as_our_own_kernels_do: %s', async (precision) => {
    const [device, other] = [open(), own()];
    const order = 150;
    const fail = async (change: (values: FloatArray, place: (i: number, j: number) => number) => void) => {
      const { work, values, status } = example([order], precision);
      const [{ offset, ld }] = work.triangles;
      change(values, (i, j) => offset + i + j * ld);
      forgetCalls();
      const [ours, theirs] = [
        await runWork(other, work, { values, status }),
        await runWork(device, work, { values, status }),
      ];
      expect(factorings()).toHaveLength(1);
      expect(Array.from(theirs.status)).toEqual(Array.from(ours.status));
      return theirs.status[0];
    };
    expect(await fail((a, at) => (a[at(0, 0)] = -1))).toBe(1);
    expect(await fail((a, at) => (a[at(77, 77)] = 0.5))).toBe(0);
    expect(await fail((a, at) => (a[at(77, 77)] = -0.5))).toBe(78);
    expect(await fail((a, at) => (a[at(149, 149)] = 0))).toBe(150);
    // What is not a number, or infinite, is no pivot; cuSOLVER need not say so.
    expect(await fail((a, at) => (a[at(99, 99)] = NaN))).toBe(100);
    expect(await fail((a, at) => (a[at(120, 60)] = NaN))).toBe(121);
    expect(await fail((a, at) => (a[at(99, 99)] = Infinity))).toBe(100);
    expect(await fail((a, at) => ((a[at(60, 60)] = NaN), (a[at(30, 30)] = -1)))).toBe(31);
    // That it was handed something wrong is told of the first pivot.
    const { work, values, status } = example([order], precision);
    failAt('outcome', 0, -6);
    expect((await runWork(device, work, { values, status })).status[0]).toBe(1);
    for (const one of [device, other]) await one.close();
  });

  it('a_matrix_that_is_not_definite_is_refused_as_without_it', async () => {
    const team = await sharedTeam(2);
    const dense = zeros(200, 200);
    for (let j = 0; j < 200; j++)
      for (let i = 0; i < 200; i++) dense.data[i + 200 * j] = i === j ? 1 : -0.2 / (1 + Math.abs(i - j) / 4);
    for (const format of ['hss', 'hodlr'] as const) {
      const options = { tolerance: 1e-6, format, leafSize: 50, maxRank: 40 };
      const matrix = await compress(denseSource(dense), options, { team });
      // Every triangle.
      const device = open({ factors: 0 });
      const onDevice = await matrix.to(device);
      const before = device.memory;
      forgetCalls();
      const theirs = await factor(matrix, { suggestShift: false }, { team }).catch((error: unknown) => error);
      const ours = await onDevice.factor().catch((error: unknown) => error);
      expect(ours).toBeInstanceOf(NotPositiveDefiniteError);
      expect((ours as NotPositiveDefiniteError).data).toEqual((theirs as NotPositiveDefiniteError).data);
      expect(factorings().length).toBeGreaterThan(0);
      expect(device.memory).toEqual(before);
      const there = await onDevice.factor({ shift: 9 });
      const here = await factor(matrix, { shift: 9 }, { team });
      expect(Math.abs(there.logdet - here.logdet)).toBeLessThan(1e-9);
      const { bytes } = device.memory;
      expect(bytes).toBe(onDevice.memory().bytes + there.memory().bytes);
      await there.refactor(12);
      expect(device.memory.bytes).toBe(bytes);
      there.release();
      onDevice.release();
      expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
      await device.close();
      expect([standIn.liveObjects(), standIn.liveSolvers()]).toEqual([0, 0]);
    }
  });

  it('is_opened_by_the_first_triangle_that_is_large_and_counts_what_it_works_in', async () => {
    const device = open();
    const [small, large] = [example([32], 'f64'), example([100], 'f64')];
    forgetCalls();
    const planned = await device.plan(small.work);
    expect(solverCalls()).toEqual([]);
    const other = await device.plan(large.work);
    const asked = ['cusolverDnXpotrf_bufferSize 100', 'cusolverDnXpotrf_bufferSize 100'];
    expect(solverCalls()).toEqual(['cusolverDnCreate', 'cusolverDnSetStream', 'cusolverDnCreateParams', ...asked]);
    // 40 rows of it in float64, and 256 bytes before.
    expect(other.bytes).toBeGreaterThanOrEqual(40 * 100 * 8 + 256);
    expect(other.bytes).toBeLessThan(40 * 100 * 8 + 512);
    expect(device.memory.bytes).toBe(planned.bytes + other.bytes);
    expect([planned.cost().launches, other.cost()]).toEqual([
      1,
      { launches: 2, flops: 100 ** 3 / 3, padded: 100 ** 3 / 3 },
    ]);
    const [values, status] = await Promise.all([large.values, large.status].map((numbers) => device.upload(numbers)));
    const { bytes } = device.memory;
    device.launch(other, { values, status });
    expect(device.memory.bytes).toBe(bytes);
    // On other operands, of another precision perhaps.
    const rounded = await Promise.all(
      [large.values, large.status].map((numbers) => device.upload(Float32Array.from(numbers))),
    );
    const more = device.memory.bytes;
    device.launch(other, { values: rounded[0], status: rounded[1] });
    expect(device.memory.bytes).toBe(more);
    const told = floats(1, 'f32');
    await device.read(rounded[1], told);
    expect(told[0]).toBe(0);
    for (const one of [planned, other, values, status, ...rounded]) one.destroy();
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
    expect([standIn.liveObjects(), standIn.liveSolvers()]).toEqual([0, 0]);
    // Where the limit leaves room for neither library, for cuBLAS alone, for both.
    for (const [memoryLimit, apart, left] of [
      [2 ** 28 - 1, 0, ' for cuBLAS and cuSOLVER'],
      [2 ** 28, 2 ** 26, ' for cuSOLVER'],
      [3 * 2 ** 27 - 1, 2 ** 26, ' for cuSOLVER'],
      [3 * 2 ** 27, 3 * 2 ** 25, ''],
    ] as const) {
      const narrow = open({ memoryLimit });
      expect(narrow.memory.limit).toBe(memoryLimit - apart);
      expect(/ leaves no room(.*): our own kernels/.exec(narrow.description)?.[1] ?? '').toBe(left);
      forgetCalls();
      (await narrow.plan(large.work)).destroy();
      expect(solverCalls().length > 0).toBe(left === '');
      await narrow.close();
    }
  });

  it('is_called_between_graphs_never_in_one', async () => {
    const device = open();
    const { work, values, status } = example([100], 'f64');
    const planned = await device.plan(work);
    const product = await device.plan(products([targetAt([0, 0, 0], 8, 8, 8)]));
    const [a, s] = [await device.upload(values), await device.upload(status)];
    const [x, y, z] = await Promise.all([64, 64, 64].map((length) => device.allocate(length, 'f64')));
    const results: FloatArray[] = [];
    for (let time = 0; time < 3; time++) {
      device.write(a, values);
      forgetCalls();
      for (let k = 0; k < 4; k++) device.launch(product, { a: x, b: y, c: z });
      device.launch(planned, { values: a, status: s });
      for (let k = 0; k < 4; k++) device.launch(product, { a: x, b: y, c: z });
      const l = floats(values.length, 'f64');
      await device.read(a, l);
      results.push(l);
      expect(factorings()).toHaveLength(1);
      const order = callsSince().filter((line) => /^(cuGraphLaunch|cusolverDnXpotrf )/.test(line));
      if (time > 0) expect(order).toEqual(['cuGraphLaunch', factorings()[0], 'cuGraphLaunch']);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    await device.close();
    expect([standIn.liveObjects(), standIn.liveSolvers()]).toEqual([0, 0]);
  });

  it('is_done_without_where_there_is_none_which_the_description_says', async () => {
    const { work, values, status } = example([100], 'f64');
    const old = variantOf(folder, 'libcusolver.so.11', '/dev/null', '-xc++');
    const none = join(folder, 'empty');
    mkdirSync(none);
    for (const [chosen, said] of [
      ['none', /cuBLAS 12\.8, no cuSOLVER: HMATRIX_CUSOLVER is "none"\)$/],
      [none, /, no cuSOLVER: there is none of CUDA 12 or 11\)$/],
      [old, /none of CUDA 12 or 11 \(".*\/libcusolver\.so\.11" has no symbol "cusolverGet.*": it is too old\)\)$/],
    ] as const) {
      process.env['HMATRIX_CUSOLVER'] = chosen;
      const named = await openDevice('cuda');
      expect(named.description).toMatch(said);
      await named.close();
      const device = open();
      forgetCalls();
      const { values: l, status: told } = await runWork(device, work, { values, status });
      expect([told[0], excess(work, l, 'f64') < 1]).toEqual([0, true]);
      expect(solverCalls()).toEqual([]);
      await device.close();
    }
    // It gives the same bits by default where it cannot be told to.
    process.env['HMATRIX_CUSOLVER'] = variantOf(folder, 'libcusolver.so.11', source, '-DWITHOUT_MODES');
    const device = open();
    forgetCalls();
    const { values: l } = await runWork(device, work, { values, status });
    expect(excess(work, l, 'f64')).toBeLessThan(1);
    expect(factorings()).toHaveLength(1);
    await device.close();
  });

  it('folders_are_named_with_and_without_a_slash_at_the_end', () => {
    for (const end of ['', '/', '//']) {
      process.env['HMATRIX_CUSOLVER'] = standIn.STAND_IN + end;
      expect(findCard().findCusolver()).toHaveProperty('library');
    }
  });

  it.each([
    [90, [11, 4, 1], 11, undefined],
    [89, [11, 4, 0], 11, 'has nothing for architecture 89'],
    [90, [11, 4, 2], 12, undefined],
    [100, [11, 7, 1], 12, 'has nothing for architecture 100'],
    [100, [11, 7, 2], 12, undefined],
    [70, [12, 0, 4], 13, 'has nothing for architecture 70'],
    [90, [11, 4, 1], 12, 'of CUDA 11'],
  ] as const)('is_taken_where_it_fits: %d, version %j, CUDA %d', (architecture, version, cuda, why) => {
    const [major, minor, patch] = version;
    standIn.setCusolver(major, minor, patch);
    // Versions that nobody knows are passed over: of each there is one search. Both 11 and 12 call it 11.
    const own = 1000 * Number(version.join('')) + cuda;
    const found = findCusolver({ majors: [own, Math.min(cuda, 12), cuda], architecture });
    if ('library' in found) expect([why, found.library.version]).toEqual([undefined, version.join('.')]);
    else {
      expect(found.reason).toContain(`is cuSOLVER ${version.join('.')}, `);
      expect(found.reason).toContain(why);
    }
    standIn.setCusolver(11, 7, 3);
  });

  it('is_that_of_the_version_that_is_preferred_wherever_it_lies_and_no_other_stays_open', () => {
    const [old, other] = ['11,4,1', '11,7,3'].map((version) =>
      variantOf(folder, 'libcusolver.so.11', source, `-DVERSION=${version}`),
    );
    const found = (majors: readonly number[]): string | undefined => {
      const search = findCusolver({ majors, architecture: 90 });
      return 'library' in search ? search.library.version : search.reason;
    };
    const isOpen = (one: string): boolean => readFileSync('/proc/self/maps', 'utf8').includes(one);
    try {
      // CUDA_HOME is looked in first, but for what the system finds.
      vi.stubEnv('HMATRIX_CUDA', undefined);
      vi.stubEnv('CUDA_HOME', old);
      vi.stubEnv('CUDA_PATH', other);
      expect(found([12, 11])).toMatch(/^11\.[5-9]\./);
      expect(isOpen(old)).toBe(false);
      expect(found([11, 12])).toMatch(/^11\.[0-4]\./);
      expect(isOpen(other)).toBe(true);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('that_refuses_a_call_names_it_and_its_status', async () => {
    const { work, values, status } = example([100], 'f64');
    const device = open();
    for (const name of ['cusolverDnCreate', 'cusolverDnSetStream', 'cusolverDnCreateParams']) {
      failAt(name, 0, 4);
      const refused = device.plan(work);
      await expect(refused).rejects.toThrow(DeviceError);
      await expect(refused).rejects.toThrow(
        `${name} ends with CUSOLVER_STATUS_ARCH_MISMATCH (4). Does it fit the driver and the card? HMATRIX_CUSOLVER`,
      );
    }
    failAt('cusolverDnCreate', 0, 2);
    const full = device.plan(work);
    await expect(full).rejects.toThrow(MemoryError);
    await expect(full).rejects.toThrow(/cuSOLVER has no memory on the device cuda: .*ALLOC_FAILED \(2\)\. Release /);
    expect(standIn.liveSolvers()).toBe(0);
    failAt('cusolverDnXpotrf_bufferSize', 0, 3);
    const size = /cusolverDnXpotrf_bufferSize ends with CUSOLVER_STATUS_INVALID_VALUE \(3\)/;
    await expect(device.plan(work)).rejects.toThrow(size);
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    const planned = await device.plan(work);
    const [a, s] = [await device.upload(values), await device.upload(status)];
    failAt('cusolverDnXpotrf_bufferSize', 0, 3);
    expect(() => {
      device.launch(planned, { values: a, status: s });
    }).toThrow(size);
    device.launch(planned, { values: a, status: s });
    failAt('cusolverDnXpotrf', 0, 99);
    await expect(device.finish()).rejects.toThrow(/cusolverDnXpotrf ends with an unknown status \(99\)/);
    device.launch(planned, { values: a, status: s });
    failAt('cusolverDnXpotrf', 0, 719);
    await expect(device.finish()).rejects.toThrow(DeviceLostError);
    await device.close();
  });

  it('memory_that_it_works_in_is_refused_before_it_is_taken', async () => {
    const { work, values, status } = example([100], 'f64');
    const device = open({ memoryLimit: 2 ** 29 });
    const { bytes } = await device.plan(work);
    const [a, s] = [await device.upload(values), await device.upload(status)];
    // All but eight bytes of what it needs once more.
    const free = device.memory.limit - device.memory.bytes - bytes;
    const filler = await device.allocate(free / 8 + 1, 'f64');
    forgetCalls();
    await expect(device.plan(work)).rejects.toThrow(/^What a factorization works in takes, on the device cuda/);
    expect(callsSince().filter((line) => line.startsWith('cuMemAlloc'))).toEqual([]);
    filler.destroy();
    await device.allocate(free / 8, 'f64');
    const planned = await device.plan(work);
    expect(device.memory.bytes).toBe(device.memory.limit);
    device.launch(planned, { values: a, status: s });
    const told = floats(1, 'f64');
    await device.read(s, told.fill(NaN));
    expect(told[0]).toBe(0);
    await device.close();
  });

  it('a_launch_that_it_refuses_leaves_those_before_as_they_were', async () => {
    const [rounded, exact] = [example([100], 'f32'), example([100], 'f64')];
    const device = open();
    const planned = await device.plan(exact.work);
    const [a, s] = await Promise.all([exact.values, exact.status].map((numbers) => device.upload(numbers)));
    const [b, t] = await Promise.all([rounded.values, rounded.status].map((numbers) => device.upload(numbers)));
    for (let time = 0; time < 2; time++) {
      device.write(b, rounded.values);
      device.launch(planned, { values: b, status: t });
      const [told, l] = [floats(1, 'f32').fill(NaN), floats(rounded.values.length, 'f32')];
      await device.read(t, told);
      await device.read(b, l);
      expect([told[0], excess(rounded.work, l, 'f32') < 1]).toEqual([0, true]);
      failAt('cusolverDnXpotrf_bufferSize', 0, 3);
      expect(() => {
        device.launch(planned, { values: a, status: s });
      }).toThrow(DeviceError);
    }
    await device.close();
    expect(standIn.liveObjects()).toBe(0);
  });

  it('waits_before_it_works_here_in_what_the_call_before_works_in', async () => {
    const device = open();
    const { work, values, status } = example([100, 100], 'f64');
    const planned = await device.plan(work);
    const operands = { values: await device.upload(values), status: await device.upload(status) };
    forgetCalls();
    for (let time = 0; time < 2; time++) {
      device.write(operands.values, values);
      device.launch(planned, operands);
      await device.read(operands.status, status);
      expect(Array.from(status)).toEqual([0, 0]);
    }
    const order = callsSince().filter((line) => /^(cuStreamSynchronize|cusolverDnXpotrf )/.test(line));
    const call = 'cusolverDnXpotrf D 100 103';
    // Each has numbers of its own here.
    expect(order.slice(0, 2)).toEqual([call, call]);
    expect(order.slice(-4)).toEqual(['cuStreamSynchronize', call, 'cuStreamSynchronize', call]);
    await device.close();
  });
});
