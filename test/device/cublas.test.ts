/** cuBLAS on the device cuda, on what stands for it: what it is handed, what it gives, what is refused. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, MemoryError } from '#hmatrix/core/errors.js';
import { floats, PRECISIONS, ROUNDOFF, type FloatArray, type Precision } from '#hmatrix/core/floats.js';
import { CudaDevice, type CudaOptions } from '#hmatrix/device/cuda/device.js';
import { chooseGemms, GEMM_LEAST, type GemmCall, type GemmLeast } from '#hmatrix/device/cuda/gemms.js';
import { findCard } from '#hmatrix/device/cuda/open.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { Block } from '#hmatrix/device/work/demand.js';
import type { BlockProducts, ProductTarget } from '#hmatrix/device/work/products.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { numbersOf } from './block-rows.js';
import * as standIn from './cuda-stand-in/stand-in.js';
import { at, Room, runWork } from './run-work.js';

const { callsSince, failAt, forgetCalls, hasStandIn, NO_COMPILER, setCard } = standIn;
/** All products. */
const ALL: GemmLeast = { extent: 1, depth: 1, flops: 1 };
const open = (options: Partial<CudaOptions> = {}): CudaDevice =>
  new CudaDevice(findCard(), { memoryLimit: undefined, ...options });
const gemmCalls = (): string[] => callsSince().filter((line) => /^cublas[DS]gemm/.test(line));

const block = (offset: number, ld: number, transposed = false): Block => ({ offset, ld, transposed });
const products = (targets: readonly ProductTarget[], alpha = 1, beta = 0): BlockProducts => ({
  kind: 'products',
  alpha,
  beta,
  targets,
});
/** A target of one term whose three blocks begin at these places. */
const targetAt = ([a, b, c]: readonly number[], rows: number, columns: number, depth: number): ProductTarget => ({
  c: block(c, rows),
  rows,
  columns,
  terms: [{ a: block(a, rows), b: block(b, depth), depth }],
});
const formsOf = ({ calls }: { readonly calls: readonly GemmCall[] }): string[] => calls.map(({ form }) => form);

describe('chooseGemms', () => {
  const withGroups = () => ({ hasGroups: true });
  const never = () => {
    throw new Error('cuBLAS was opened.');
  };

  it('leaves_small_products_to_our_own_kernels_and_opens_nothing_for_them', () => {
    const few = [0, 1, 2].map((i) => targetAt([i * 10_000, i * 10_000, i * 10_000], 64, 64, 128));
    for (const targets of [few, [targetAt([0, 0, 0], 63, 4096, 4096)], [targetAt([0, 0, 0], 4096, 4096, 127)]]) {
      const work = products(targets);
      expect(chooseGemms(work, GEMM_LEAST, never)).toEqual({ calls: [], rest: work });
    }
    const empty = products([{ ...targetAt([0, 0, 0], 512, 512, 512), terms: [] }]);
    expect(chooseGemms(empty, GEMM_LEAST, never).rest).toBe(empty);
  });

  it('takes_one_product_or_many_of_a_shape_from_so_many_flops_on', () => {
    // 2·512·512·256 flops are 2²⁷.
    expect(formsOf(chooseGemms(products([targetAt([0, 0, 0], 512, 512, 256)]), GEMM_LEAST, withGroups))).toEqual([
      'one',
    ]);
    expect(chooseGemms(products([targetAt([0, 0, 0], 512, 512, 255)]), GEMM_LEAST, never).calls).toEqual([]);
    const many = (places: (i: number) => readonly number[]): ProductTarget[] =>
      Array.from({ length: 128 }, (_, i) => targetAt(places(i), 64, 64, 128));
    const regular = chooseGemms(products(many((i) => [5, 20_000 * i, 7 + 9000 * i])), GEMM_LEAST, withGroups);
    expect(regular.calls).toMatchObject([
      { form: 'strided', counts: [128], strides: [0, 20_000, 9000], flops: 2 ** 27, swapped: false },
    ]);
    expect(regular.rest.targets).toEqual([]);
    const listed = chooseGemms(products(many((i) => [i * i * 10_000, 20_000 * i, 9000 * i])), GEMM_LEAST, withGroups);
    expect(formsOf(listed)).toEqual(['batched']);
    // Backwards is no stride.
    const backwards = chooseGemms(products(many((i) => [0, 20_000 * i, 9000 * (200 - i)])), GEMM_LEAST, withGroups);
    expect(formsOf(backwards)).toEqual(['batched']);
    expect(chooseGemms(products(many(() => [0, 0, 0]).slice(1)), GEMM_LEAST, never).calls).toEqual([]);
  });

  it('groups_large_products_of_many_shapes_where_the_library_can', () => {
    const targets = Array.from({ length: 128 }, (_, i) => targetAt([0, 0, 1e6 * i], 64 + i, 80, 128));
    const small = targetAt([0, 0, 0], 8, 8, 8);
    const grouped = chooseGemms(products([...targets, small]), GEMM_LEAST, withGroups);
    expect(formsOf(grouped)).toEqual(['grouped']);
    expect(grouped.calls[0].counts).toEqual(targets.map(() => 1));
    expect(grouped.rest.targets).toEqual([small]);
    const work = products([...targets, small]);
    expect(chooseGemms(work, GEMM_LEAST, () => ({ hasGroups: false })).rest).toBe(work);
    expect(chooseGemms(work, GEMM_LEAST, () => undefined)).toEqual({ calls: [], rest: work });
  });

  it('goes_through_the_terms_of_a_sum_and_strips_of_a_triangle', () => {
    const target = targetAt([0, 0, 0], 1024, 1024, 128);
    const terms = [0, 1].map((t) => ({ ...target.terms[0], a: block(t * 2 ** 20, 1024) }));
    const sums = chooseGemms(products([{ ...target, terms }], 1, 0.5), GEMM_LEAST, withGroups);
    expect(sums.calls.map(({ goesOn, offsets }) => [goesOn, offsets[0][0]])).toEqual([
      [false, 0],
      [true, 2 ** 20],
    ]);
    const triangle = { ...targetAt([3, 5, 7], 1200, 1100, 1000), lower: true };
    const { calls, rest } = chooseGemms(products([triangle]), GEMM_LEAST, withGroups);
    expect(calls.map(({ shapes: [{ m, n }], offsets }) => [m, n, ...offsets[0]])).toEqual([
      [1200, 512, 3, 5, 7],
      [688, 512, 3 + 512, 5 + 512 * 1000, 7 + 512 + 512 * 1200],
    ]);
    expect(rest.targets).toMatchObject([
      { c: { offset: 7 + 1024 + 1024 * 1200 }, rows: 176, columns: 76, lower: true, terms: [{ depth: 1000 }] },
    ]);
  });
});

standIn.useStandIn();
if (!hasStandIn) it.skip(NO_COMPILER, () => undefined);

/** Shapes of every form: regular, listed and of several shapes, by columns and rows; sums, triangles, an empty sum. */
function example(alpha: number, beta: number): { readonly work: BlockProducts; readonly rooms: readonly Room[] } {
  const rooms = [new Room(1), new Room(2), new Room(3)];
  const [a, b, c] = rooms;
  const target = (
    [rows, columns]: readonly [number, number],
    depths: readonly number[],
    [ta, tb, tc]: readonly (boolean | undefined)[] = [],
  ): ProductTarget => ({
    c: c.block(rows, columns, tc),
    rows,
    columns,
    lower: rows === 30,
    terms: depths.map((depth) => ({ a: a.block(rows, depth, ta), b: b.block(depth, columns, tb), depth })),
  });
  const place = c.length;
  c.length += 4000;
  const sides = [false, true].flatMap((ta) => [false, true].flatMap((tb) => [false, true].map((tc) => [ta, tb, tc])));
  const targets = [
    ...sides.map((side) => target([9, 5], [7], side)),
    // Of one shape each, at places without rule: leading dimensions are those of one array.
    ...[0, 1, 2].map((i) => ({
      c: block(place + 200 * i * (4 - i), 12),
      rows: 11,
      columns: 6,
      terms: [{ a: block(30 * i, 3, true), b: block(50 * i * i, 4), depth: 3 }],
    })),
    ...[0, 1, 2].map((i) => ({
      c: block(place + 2000 + 100 * i, 8, true),
      rows: 6,
      columns: 8,
      terms: [{ a: block(0, 7), b: block(70 * i, 9), depth: 4 }],
    })),
    target([30, 30], [20, 3], [true, undefined, false]),
    target([30, 13], [2, 6], [undefined, true, false]),
    target([4, 4], []),
  ];
  for (const room of [a, b]) room.length += 1000;
  return { work: products(targets, alpha, beta), rooms };
}

/** The largest error of a number of C over what rounding allows; Infinity above that, and where others change. */
function excess(work: BlockProducts, given: readonly FloatArray[], got: FloatArray, precision: Precision): number {
  const [a, b, c] = given;
  const seen = new Set<number>();
  let worst = 0;
  for (const target of work.targets)
    for (let i = 0; i < target.rows; i++)
      for (let j = 0; j < target.columns; j++) {
        const place = at(target.c, i, j);
        seen.add(place);
        if (target.lower === true && j > i) continue;
        let [sum, size, count] = [work.beta === 0 ? 0 : work.beta * c[place], 0, 4];
        size = Math.abs(sum);
        for (const term of target.terms) {
          count += term.depth + 2;
          for (let k = 0; k < term.depth; k++) {
            const part = work.alpha * a[at(term.a, i, k)] * b[at(term.b, k, j)];
            sum += part;
            size += Math.abs(part);
          }
        }
        const error = Math.abs(got[place] - sum);
        const most = ROUNDOFF[precision] * count * size;
        worst = Math.max(worst, error <= most ? error / (most || 1) : Infinity);
      }
  got.forEach((value, place) => {
    if (!seen.has(place) && !Object.is(value, c[place])) worst = Infinity;
  });
  return worst;
}

describe.skipIf(!hasStandIn)('cuBLAS', () => {
  const folder = temporaryFolder();
  /** Another library made of a source, in a folder of its own beside the driver. */
  const variant = (name: string, source: string, ...options: readonly string[]): string => {
    const own = join(folder, name);
    mkdirSync(own);
    symlinkSync(join(standIn.STAND_IN!, 'libcuda.so.1'), join(own, 'libcuda.so.1'));
    const to = ['-o', join(own, 'libcublas.so.12'), source, '-ldl'];
    execFileSync('g++', ['-O0', '-std=c++17', '-shared', '-fPIC', ...options, ...to]);
    return own;
  };
  beforeAll(() => {
    const found = findCard().findCublas();
    expect('library' in found && [found.library.version, found.library.hasGroups]).toEqual(['12.8', true]);
  });
  afterEach(() => {
    delete process.env['HMATRIX_CUBLAS'];
    setCard('memory', 2 ** 32);
    setCard('architecture', 90);
    forgetCalls();
  });

  it.each(PRECISIONS.flatMap((precision) => [[precision, 1, 0] as const, [precision, -0.5, 3] as const]))(
    'multiplies_what_our_own_kernels_do_to_rounding: %s, α = %d, β = %d',
    async (precision, alpha, beta) => {
      const { work, rooms } = example(alpha, beta);
      const given = rooms.map(({ length }, i) => numbersOf(length, precision, i + 1));
      // With β = 0 nothing is read: not a number stays nowhere.
      if (beta === 0) given[2].fill(NaN);
      const device = open({ gemms: ALL });
      const [a, b, c] = given;
      forgetCalls();
      const { c: got } = await runWork(device, work, { a, b, c });
      expect(excess(work, given, got, precision)).toBeLessThanOrEqual(1);
      const letter = precision === 'f64' ? 'D' : 'S';
      const names = new Set(gemmCalls().map((line) => line.split(' ', 1)[0]));
      expect([...names].sort()).toEqual(
        ['gemmBatched', 'gemmStridedBatched', 'gemm_v2'].map((name) => `cublas${letter}${name}`),
      );
      // Those of several shapes together, where no shape alone is large.
      const grouped = open({ gemms: { ...ALL, flops: 8000 } });
      forgetCalls();
      const { c: again } = await runWork(grouped, work, { a, b, c });
      expect(excess(work, given, again, precision)).toBeLessThanOrEqual(1);
      expect(gemmCalls().some((line) => line.startsWith(`cublas${letter}gemmGroupedBatched `))).toBe(true);
      for (const one of [device, grouped]) await one.close();
      expect([standIn.liveObjects(), standIn.liveHandles()]).toEqual([0, 0]);
    },
  );

  it('records_calls_with_launches_and_those_of_several_shapes_beside_them', async () => {
    const { work, rooms } = example(1, 1);
    const given = rooms.map(({ length }, i) => numbersOf(length, 'f64', i + 1));
    for (const flops of [1, 8000]) {
      const device = open({ gemms: { ...ALL, flops } });
      const planned = await device.plan(work);
      const [a, b, c] = await Promise.all(given.map((numbers) => device.upload(numbers)));
      const run = async (): Promise<FloatArray> => {
        forgetCalls();
        device.write(c, given[2]);
        for (let k = 0; k < 3; k++) device.launch(planned, { a, b, c });
        const got = floats(given[2].length, 'f64');
        await device.read(c, got);
        return got;
      };
      const first = await run();
      const direct = callsSince().filter((line) => /^(cuLaunchKernel|cublas.*gemm)/.test(line));
      expect(direct).toHaveLength(3 * planned.cost().launches);
      const grouped = gemmCalls().filter((line) => line.includes('Grouped')).length;
      expect(grouped > 0).toBe(flops > 1);
      expect(await run()).toEqual(first);
      for (let time = 0; time < 2; time++) {
        expect(await run()).toEqual(first);
        expect(gemmCalls()).toHaveLength(grouped);
        expect(callsSince().some((line) => line.startsWith('cuGraphLaunch'))).toBe(grouped === 0);
      }
      await device.close();
    }
  });

  it('reads_addresses_of_the_operands_that_a_launch_is_given', async () => {
    const { work, rooms } = example(1, 0);
    const given = rooms.map(({ length }, i) => numbersOf(length, 'f64', i + 1));
    const device = open({ gemms: ALL });
    const planned = await device.plan(work);
    const [a, b] = await Promise.all(given.slice(0, 2).map((numbers) => device.upload(numbers)));
    const targets = await Promise.all([1, 2, 3].map(() => device.upload(given[2])));
    // All are handed over before any of them is read.
    for (const c of targets) device.launch(planned, { a, b, c });
    for (const c of targets) {
      const got = floats(given[2].length, 'f64');
      await device.read(c, got);
      expect(excess(work, given, got, 'f64')).toBeLessThanOrEqual(1);
    }
    await device.close();
  });

  it('multiplies_what_large_triangles_are_made_of', async () => {
    const order = 1100;
    const device = open({ gemms: { extent: 64, depth: 64, flops: 2 ** 20 } });
    const values = floats(order * order, 'f64');
    for (let j = 0; j < order; j++)
      for (let i = j; i < order; i++) values[i + j * order] = (i === j ? 9 : 0) + Math.cos(i * j) / (1 + i - j);
    const triangle = { offset: 0, ld: order, order, status: 0 };
    forgetCalls();
    const { values: l, status } = await runWork(
      device,
      { kind: 'cholesky', triangles: [triangle] },
      { values, status: floats(1, 'f64') },
    );
    expect(status[0]).toBe(0);
    // The columns from 512 and from 1,024 on, each at once.
    expect(gemmCalls()).toEqual(['cublasDgemm_v2 NT 588x512x512 1', 'cublasDgemm_v2 NT 76x76x1024 1']);
    let worst = 0;
    for (let j = 0; j < order; j += 9)
      for (let i = j; i < order; i += 7) {
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += l[i + k * order] * l[j + k * order];
        worst = Math.max(worst, Math.abs(sum - values[i + j * order]));
      }
    expect(worst).toBeLessThan(1e-12);
    await device.close();
  });

  it('is_opened_by_the_first_product_that_is_large_and_has_its_memory_apart', async () => {
    const device = open();
    const limit = 2 ** 32 - 2 ** 26;
    expect(device.memory).toEqual({ buffers: 0, bytes: 0, limit, bufferLimit: limit });
    forgetCalls();
    const small = await device.plan(products([targetAt([0, 0, 0], 512, 512, 64)]));
    expect(callsSince().filter((line) => line.startsWith('cublas'))).toEqual([]);
    const work = products([targetAt([0, 0, 0], 512, 512, 256)]);
    const large = await device.plan(work);
    const opening = ['cublasCreate_v2 ', `cublasSetWorkspace_v2 ${2 ** 25}`].map((line) => line.trim());
    expect(callsSince().filter((line) => line.startsWith('cublas'))).toEqual(opening);
    expect(large.cost()).toEqual({ launches: 1, flops: 2 ** 27, padded: 2 ** 27 });
    const given = [numbersOf(2 ** 17, 'f32', 1), numbersOf(2 ** 17, 'f32', 2), floats(2 ** 18, 'f32')];
    const [a, b, c] = await Promise.all(given.map((numbers) => device.upload(numbers)));
    device.launch(large, { a, b, c });
    const got = floats(2 ** 18, 'f32');
    await device.read(c, got);
    expect(gemmCalls()).toEqual(['cublasSgemm_v2 NN 512x512x256 1']);
    let sum = 0;
    for (let k = 0; k < 256; k++) sum += given[0][3 + 512 * k] * given[1][k + 256 * 7];
    expect(Math.abs(got[3 + 512 * 7] - sum)).toBeLessThan(1e-4);
    for (const one of [small, large, a, b, c]) one.destroy();
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
    expect([standIn.liveObjects(), standIn.liveHandles()]).toEqual([0, 0]);
    const narrow = open({ memoryLimit: 2 ** 27 });
    expect(narrow.memory.limit).toBe(2 ** 27);
    expect(narrow.description).toMatch(/cuBLAS 12\.8\); the memory limit leaves no room for cuBLAS: our own kernels/);
    forgetCalls();
    (await narrow.plan(work)).destroy();
    expect(callsSince().filter((line) => line.startsWith('cublas'))).toEqual([]);
    await narrow.close();
  });

  it('is_done_without_where_there_is_none_which_the_description_says', async () => {
    const work = products([targetAt([0, 0, 0], 512, 512, 256)]);
    const old = variant('old', '/dev/null', '-xc++');
    const none = join(folder, 'empty');
    mkdirSync(none);
    for (const [chosen, said] of [
      ['none', /NVRTC 12\.8, no cuBLAS: HMATRIX_CUBLAS is "none"\)$/],
      [none, /, no cuBLAS: there is none of CUDA 12\)$/],
      [old, /none of CUDA 12 \(".*old\/libcublas\.so\.12" has no symbol "cublasGetProperty": it is too old\)\)$/],
    ] as const) {
      process.env['HMATRIX_CUBLAS'] = chosen;
      const device = await openDevice('cuda');
      expect(device.description).toMatch(said);
      forgetCalls();
      const planned = await device.plan(work);
      expect(planned.cost().launches).toBe(1);
      expect(callsSince().filter((line) => line.startsWith('cublas'))).toEqual([]);
      await device.close();
    }
    process.env['HMATRIX_CUBLAS'] = variant(
      'ungrouped',
      join(import.meta.dirname, 'cuda-stand-in/cublas.cpp'),
      '-DWITHOUT_GROUPS',
    );
    const device = open({ gemms: { ...ALL, flops: 8000 } });
    const { work: mixed, rooms } = example(1, 0);
    const given = rooms.map(({ length }, i) => numbersOf(length, 'f64', i + 1));
    forgetCalls();
    const [a, b, c] = given;
    const { c: got } = await runWork(device, mixed, { a, b, c });
    expect(excess(mixed, given, got, 'f64')).toBeLessThanOrEqual(1);
    expect(gemmCalls()).toEqual([]);
    await device.close();
  });

  it('that_refuses_a_call_names_it_and_its_status', async () => {
    const work = products([targetAt([0, 0, 0], 512, 512, 256)]);
    const device = open();
    failAt('cublasCreate_v2', 0, 1);
    await expect(device.plan(work)).rejects.toThrow(DeviceError);
    failAt('cublasCreate_v2', 0, 1);
    await expect(device.plan(work)).rejects.toThrow(
      /cublasCreate_v2 ends with CUBLAS_STATUS_NOT_INITIALIZED \(1\)\. .*HMATRIX_CUBLAS=none leaves it alone/,
    );
    failAt('cublasSetWorkspace_v2', 0, 3);
    await expect(device.plan(work)).rejects.toThrow(MemoryError);
    expect(standIn.liveHandles()).toBe(0);
    const planned = await device.plan(work);
    const [a, b, c] = await Promise.all([2 ** 17, 2 ** 17, 2 ** 18].map((length) => device.allocate(length, 'f64')));
    device.launch(planned, { a, b, c });
    failAt('cublasDgemm_v2', 0, 99);
    await expect(device.finish()).rejects.toThrow(/cublasDgemm_v2 ends with an unknown status \(99\)/);
    // While a graph is recorded, too.
    const many = (): void => {
      for (let k = 0; k < 4; k++) device.launch(small, { a, b, c });
    };
    const small = await device.plan(products([targetAt([0, 0, 0], 8, 8, 8)]));
    for (let time = 0; time < 2; time++) {
      device.launch(planned, { a, b, c });
      many();
      if (time === 1) failAt('cublasDgemm_v2', 0, 13);
      const done = device.finish();
      if (time === 0) await done;
      else await expect(done).rejects.toThrow(/cublasDgemm_v2 ends with CUBLAS_STATUS_EXECUTION_FAILED \(13\)/);
    }
    device.launch(planned, { a, b, c });
    await device.finish();
    await device.close();
    expect([standIn.liveObjects(), standIn.liveHandles()]).toEqual([0, 0]);
  });
});
