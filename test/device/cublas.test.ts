/** cuBLAS on the device cuda, on what stands for it: what it is handed, what it gives, what is refused. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, DeviceLostError, MemoryError } from '#hmatrix/core/errors.js';
import { floats, PRECISIONS, ROUNDOFF, type FloatArray, type Precision } from '#hmatrix/core/floats.js';
import { findCublas } from '#hmatrix/device/cuda/cublas.js';
import { CudaDevice, type CudaOptions } from '#hmatrix/device/cuda/device.js';
import type { GemmLeast } from '#hmatrix/device/cuda/gemms.js';
import { findCard } from '#hmatrix/device/cuda/open.js';
import { ARITHMETICS } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { BlockProducts, ProductTarget } from '#hmatrix/device/work/products.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { exampleOf, excess as excessOfRows, numbersOf, plain } from './block-rows.js';
import * as standIn from './cuda-stand-in/stand-in.js';
import { block, products, targetAt } from './gemm-targets.js';
import { at, Room, runWork } from './run-work.js';

const { callsSince, failAt, forgetCalls, hasStandIn, NO_COMPILER, setCard, variantOf } = standIn;
/** All products. */
const ALL: GemmLeast = { extent: 1, depth: 1, flops: 1 };
const open = (options: Partial<CudaOptions> = {}): CudaDevice =>
  new CudaDevice(findCard(), { memoryLimit: undefined, ...options });
const gemmCalls = (): string[] => callsSince().filter((line) => /^cublas[DS]gemm/.test(line));

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

  const SHAPES = [
    { count: 70, terms: [[40, true], [5, false]] }, // prettier-ignore
    { count: 70, terms: [[40, true], [5, false]] }, // prettier-ignore
    { count: 9, terms: [[33, false]] },
    { count: 12, starts: true, terms: [[17, true]] },
    { count: 20, terms: [] },
    { count: 70, terms: [[40, true], [7, true], [3, false]] }, // prettier-ignore
  ] as const;
  /** Of these none alone takes half a million flops with 64 vectors. */
  const MIXED = [...[70, 71, 9, 72].map((count) => ({ count, terms: [[40, true]] as const })), SHAPES[3]];

  it.each(PRECISIONS.flatMap((precision) => [true, false].map((keep) => [precision, keep] as const)))(
    'multiplies_large_block_rows_that_start_from_nothing: %s, keep %s',
    async (precision, keep) => {
      for (const flops of [1, 500_000]) {
        const { rows, values, height } = exampleOf(flops === 1 ? SHAPES : MIXED, keep, 3, -0.75);
        const device = open({ gemms: { extent: 8, depth: 1, flops } });
        const prepared = await device.prepare(rows);
        const blocks = await device.upload(numbersOf(values, precision, 1));
        // Of more widths than are remembered, the first comes again.
        for (const width of [64, 7, 10, 11, 12, 13, 64]) {
          const before = numbersOf(height * width, precision, width);
          const vectors = await device.upload(before);
          forgetCalls();
          device.multiply(prepared, { values: blocks, vectors }, width);
          const got = floats(before.length, precision);
          await device.read(vectors, got);
          const expected = plain({ rows, values, height }, numbersOf(values, precision, 1), before, width);
          expect(excessOfRows(got, expected, precision), `width ${width}`).toBeLessThanOrEqual(1);
          // Questions of cost let go of nothing that a launch reads.
          const { bytes } = device.memory;
          for (const other of [20, 21, 22, 23, 24]) expect(prepared.cost(other).launches).toBeGreaterThan(0);
          expect(device.memory.bytes).toBe(bytes);
          device.write(vectors, before);
          forgetCalls();
          device.multiply(prepared, { values: blocks, vectors }, width);
          const again = floats(before.length, precision);
          await device.read(vectors, again);
          expect(again).toEqual(got);
          const [all, own] = [/^(cuLaunchKernel|cublas[DS]gemm)/, /^cuLaunchKernel rows/].map(
            (which) => callsSince().filter((line) => which.test(line)).length,
          );
          expect(all).toBe(prepared.cost(width).launches);
          // Rows that start from others, and those without terms, are our own kernels', of either height at most.
          expect(own).toBeLessThanOrEqual(2);
          expect(gemmCalls().length > 0).toBe(width >= (flops === 1 ? 8 : 64));
          expect(gemmCalls().some((line) => line.includes('Grouped'))).toBe(flops > 1 && width === 64);
          vectors.destroy();
        }
        for (const one of [prepared, blocks]) one.destroy();
        expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
        await device.close();
        expect([standIn.liveObjects(), standIn.liveHandles()]).toEqual([0, 0]);
      }
    },
  );

  it.each(ARITHMETICS)('rounds_factors_of_block_rows_as_it_is_asked: %s', async (arithmetic) => {
    const { rows, values, height } = exampleOf(SHAPES, true, 3);
    const device = open({ gemms: { extent: 8, depth: 1, flops: 1 } });
    const prepared = await device.prepare(rows);
    const multiply = async (numbers: FloatArray, before: FloatArray): Promise<FloatArray> => {
      const operands = { values: await device.upload(numbers), vectors: await device.upload(before), arithmetic };
      forgetCalls();
      device.multiply(prepared, operands, 64);
      const got = floats(before.length, 'f32');
      await device.read(operands.vectors, got);
      const names = new Set(callsSince().flatMap((line) => /^cublasGemm\S*/.exec(line) ?? []));
      expect(names.size > 1 && gemmCalls().length === 0).toBe(true);
      return got;
    };
    // Small whole numbers are the same in every arithmetic.
    const [whole, others] = [9, 1].map((scale) =>
      [values, 64 * height].map((length, i) =>
        numbersOf(length, 'f32', i).map((value) => (scale > 1 ? Math.round(scale * value) : value)),
      ),
    );
    const exact = plain({ rows, values, height }, whole[0], whole[1], 64);
    // Zeros have a sign.
    const same = (await multiply(whole[0], whole[1])).map((value) => value + 0);
    expect(same).toEqual(Float32Array.from(exact.result, (value) => value + 0));
    const { result, bound } = plain({ rows, values, height }, others[0], others[1], 64);
    const unit = arithmetic === 'tf32' ? 2 ** -11 : 2 ** -8;
    const got = await multiply(others[0], others[1]);
    let worst = 0;
    got.forEach((value, i) => {
      if (bound[i] > 0) worst = Math.max(worst, Math.abs(value - result[i]) / (2 * unit * bound[i]));
    });
    expect(worst).toBeLessThan(1);
    expect(excessOfRows(got, { result, bound }, 'f32')).toBeGreaterThan(1);
    await device.close();
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
    const device = open({ gemms: { extent: 64, depth: 64, flops: 2 ** 20 }, factors: Infinity });
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
    const limit = 2 ** 32 - 3 * 2 ** 25;
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
    expect(narrow.description).toMatch(
      /cuBLAS 12\.8, cuSOLVER 11\.7\.3\); the memory limit leaves no room for cuBLAS and cuSOLVER: our own kernels/,
    );
    forgetCalls();
    (await narrow.plan(work)).destroy();
    expect(callsSince().filter((line) => line.startsWith('cublas'))).toEqual([]);
    await narrow.close();
  });

  it('is_done_without_where_there_is_none_which_the_description_says', async () => {
    const work = products([targetAt([0, 0, 0], 512, 512, 256)]);
    const old = variantOf(folder, 'libcublas.so.12', '/dev/null', '-xc++');
    const none = join(folder, 'empty');
    mkdirSync(none);
    for (const [chosen, said] of [
      ['none', /NVRTC 12\.8, no cuBLAS: HMATRIX_CUBLAS is "none", cuSOLVER 11\.7\.3\)$/],
      [none, /, no cuBLAS: there is none of CUDA 12 or 11, cuSOLVER /],
      [
        old,
        /none of CUDA 12 or 11 \(".*\/libcublas\.so\.12" has no symbol "cublasGetProperty": it is too old\), cuSOLVER /,
      ],
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
    process.env['HMATRIX_CUBLAS'] = variantOf(
      folder,
      'libcublas.so.12',
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

  it.each([
    [90, [12, 0], true],
    [100, [12, 6], false],
    [100, [12, 8], true],
    [90, [11, 10], false],
    [89, [11, 11], true],
    [70, [13, 0], false],
  ] as const)('is_taken_where_it_has_the_architecture: %d, version %j', (architecture, [major, minor], fits) => {
    standIn.setCublas(major, minor);
    // Versions that nobody knows are passed over: of each there is one search.
    const found = findCublas({ majors: [100 * major + minor, 12, major], architecture });
    if ('library' in found) expect([fits, found.library.version]).toEqual([true, `${major}.${minor}`]);
    else {
      const why = `is cuBLAS ${major}.${minor}, which has nothing for architecture ${architecture})`;
      expect([fits, found.reason]).toEqual([false, expect.stringContaining(why)]);
    }
    standIn.setCublas(12, 8);
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
    device.launch(planned, { a, b, c });
    failAt('cublasDgemm_v2', 0, 719);
    await expect(device.finish()).rejects.toThrow(DeviceLostError);
    await device.close();
  });

  // A status of 900 makes void what was recorded, too: the end of the recording fails then.
  it.each([
    ['cublasDgemm_v2', 13, /cublasDgemm_v2 ends with CUBLAS_STATUS_EXECUTION_FAILED \(13\)/],
    ['cublasDgemm_v2', 900, /cublasDgemm_v2 ends with an unknown status \(900\)/],
    ['cuLaunchKernel', 900, /cuLaunchKernel ends with CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED \(900: /],
    ['cuStreamEndCapture', 901, /cuStreamEndCapture ends with CUDA_ERROR_STREAM_CAPTURE_INVALIDATED \(901: /],
  ] as const)('that_refuses_a_call_which_is_recorded_names_it_and_goes_on: %s, %d', async (name, status, named) => {
    // Of a card that was lost the handle is left alone.
    const handles = standIn.liveHandles();
    const device = open();
    const planned = await device.plan(products([targetAt([0, 0, 0], 512, 512, 256)]));
    const [a, b, c] = await Promise.all([2 ** 17, 2 ** 17, 2 ** 18].map((length) => device.allocate(length, 'f64')));
    const many = (): void => {
      for (let k = 0; k < 4; k++) device.launch(small, { a, b, c });
    };
    const small = await device.plan(products([targetAt([0, 0, 0], 8, 8, 8)]));
    for (let time = 0; time < 2; time++) {
      device.launch(planned, { a, b, c });
      many();
      if (time === 1) failAt(name, 0, status);
      const done = device.finish();
      if (time === 0) await done;
      else await expect(done).rejects.toThrow(named);
    }
    device.launch(planned, { a, b, c });
    await device.finish();
    await device.close();
    expect([standIn.liveObjects(), standIn.liveHandles()]).toEqual([0, handles]);
  });
});
