/** The device cuda, on what stands for its libraries: what is opened and refused, launches, losses, and kernels. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, DeviceLostError, LibraryError, MemoryError } from '#hmatrix/core/errors.js';
import { PRECISIONS, type FloatArray } from '#hmatrix/core/floats.js';
import { ARITHMETICS } from '#hmatrix/device/device.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { CudaDevice } from '#hmatrix/device/cuda/device.js';
import { CudaContext } from '#hmatrix/device/cuda/context.js';
import { chooseGemms } from '#hmatrix/device/cuda/gemms.js';
import { rowsKernel } from '#hmatrix/device/cuda/kernels/rows.js';
import type { KernelSource } from '#hmatrix/device/cuda/kernels/source.js';
import { stepsOf } from '#hmatrix/device/cuda/kernels/steps.js';
import { findCard } from '#hmatrix/device/cuda/open.js';
import { describeDevices, openDevice } from '#hmatrix/device/open.js';
import { TILE_HEIGHTS, TILE_WIDTHS } from '#hmatrix/device/tiles.js';
import { placesOfBlock } from '#hmatrix/device/work/gathers.js';
import type { BlockProducts } from '#hmatrix/device/work/products.js';
import type { Choleskys, SubstitutionTarget } from '#hmatrix/device/work/triangles.js';
import type { Work } from '#hmatrix/device/work/work.js';
import { arrayAddress } from '#hmatrix/native/koffi.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';
import { exampleOf, excess, numbersOf, plain } from './block-rows.js';
import * as standIn from './cuda-stand-in/stand-in.js';
import { hasNvcc } from './nvcc.js';

const { failAt, callsSince, forgetCalls, hasStandIn, NO_COMPILER, setCard, setCompiler } = standIn;
const open = (): Promise<CudaDevice> => openDevice('cuda') as Promise<CudaDevice>;
const called = (name: string): number => callsSince().filter((line) => line.split(' ', 1)[0] === name).length;

standIn.useStandIn();
if (!hasStandIn) it.skip(NO_COMPILER, () => undefined);

describe.skipIf(!hasStandIn)('cuda', () => {
  const folder = temporaryFolder();
  beforeAll(() => {
    // Its library is open from here on.
    findCard();
  });
  afterEach(() => {
    setCard('version', 12080);
    setCard('architecture', 90);
    setCard('cards', 1);
    setCard('memory', 2 ** 32);
    setCard('looks', 1);
    setCompiler(12, 8, 52);
    forgetCalls();
  });

  it('is_what_auto_takes_first_and_says_what_it_is', async () => {
    const device = await openDevice('auto');
    expect([device.name, device.precisions]).toEqual(['cuda', PRECISIONS]);
    const card = 'Stand-in (compute capability 9.0, 4 multiprocessors, 4.0 GiB; ';
    const what = `${card}driver of CUDA 12.8, NVRTC 12.8, cuBLAS 12.8, cuSOLVER 11.7.3)`;
    expect(device.description).toBe(`cuda: ${what}`);
    // But for what cuBLAS and cuSOLVER take.
    const limit = 2 ** 32 - 3 * 2 ** 25;
    expect(device.memory).toEqual({ buffers: 0, bytes: 0, limit, bufferLimit: limit });
    await device.close();
    expect((await describeDevices())[0]).toEqual({ device: 'cuda', usable: true, description: what, software: false });
    expect(standIn.liveObjects()).toBe(0);
  });

  it('is_refused_with_the_reason', async () => {
    setCard('cards', 0);
    await expect(open()).rejects.toThrow(DeviceError);
    await expect(open()).rejects.toThrow(/no card that it can use: cuInit ends with CUDA_ERROR_NO_DEVICE \(100: /);
    const device = await openDevice('auto', {}, { team: await sharedTeam(2) });
    expect(device.description).toMatch(
      /taken because cuda cannot be used: CUDA finds no card that it can use.*; webgpu/,
    );
    await device.close();
    setCard('cards', 1);
    setCard('version', 11080);
    await expect(open()).rejects.toThrow(LibraryError);
    await expect(open()).rejects.toThrow(
      /needs NVRTC, .* is NVRTC 12\.8, and the driver is too old for it \(CUDA 11\)\. Install the compiler/,
    );
    setCard('version', 12000);
    setCard('architecture', 61);
    setCompiler(12, 9, 75);
    await expect(open()).rejects.toThrow(/compiles for no architecture below 75, and the card's is 61\. Install/);
    process.env['HMATRIX_CUDA'] = 'none';
    await expect(open()).rejects.toThrow(/HMATRIX_CUDA is "none": no card is looked for/);
    process.env['HMATRIX_CUDA'] = standIn.STAND_IN;
  });

  it('is_refused_where_the_driver_lacks_a_function', async () => {
    const old = join(folder, 'old');
    mkdirSync(old);
    const source = join(import.meta.dirname, 'cuda-stand-in/driver.cpp');
    const options = ['-O0', '-std=c++17', '-shared', '-fPIC', '-DcuGraphLaunch=cuGraphLaunchOfOld'];
    execFileSync('g++', [...options, '-o', join(old, 'libcuda.so.1'), source, '-ldl']);
    process.env['HMATRIX_CUDA'] = old;
    await expect(open()).rejects.toThrow(LibraryError);
    await expect(open()).rejects.toThrow(/old\/libcuda\.so\.1" has no symbol "cuGraphLaunch": it is too old\. Install/);
    process.env['HMATRIX_CUDA'] = standIn.STAND_IN;
  });

  it('compiles_each_kernel_once_for_the_card_or_the_nearest_before_it', async () => {
    setCard('architecture', 121);
    const example = exampleOf([{ count: 5, terms: [[3, false]] }], false, 1);
    forgetCalls();
    for (let time = 0; time < 2; time++) {
      const device = await open();
      const [rows, values] = [await device.prepare(example.rows), await device.allocate(example.values, 'f64')];
      const vectors = await device.allocate(2 * example.height, 'f64');
      for (const width of [1, 2, 1]) device.multiply(rows, { values, vectors }, width);
      await device.finish();
      await device.close();
    }
    // Code that the driver translates: NVRTC knows no card beyond 10.0.
    const loads = callsSince().filter((line) => line.startsWith('cuModuleLoadData'));
    expect(loads).toEqual(Array.from({ length: 4 }, () => 'cuModuleLoadData ptx'));
    expect(called('cuModuleGetFunction')).toBe(4);
  });

  it('hands_over_launches_that_come_again_as_one', async () => {
    const device = await open();
    const example = exampleOf(
      [
        { count: 70, starts: true, terms: [[40, true]] },
        { count: 9, terms: [[33, false]] },
      ],
      true,
      2,
    );
    const rows = await device.prepare(example.rows);
    const values = await device.upload(numbersOf(example.values, 'f32', 1));
    const start = numbersOf(example.height, 'f32', 2);
    const vectors = await device.upload(start);
    const product = async (): Promise<unknown> => {
      forgetCalls();
      device.write(vectors, start);
      for (let k = 0; k < 6; k++) device.multiply(rows, { values, vectors }, 1);
      const got = start.slice();
      await device.read(vectors, got);
      return got;
    };
    const first = await product();
    const launches = 6 * rows.cost(1).launches;
    expect(called('cuLaunchKernel')).toBe(launches);
    expect(await product()).toEqual(first);
    expect([called('cuStreamBeginCapture_v2'), called('cuGraphLaunch')]).toEqual([1, 1]);
    for (let time = 0; time < 3; time++) {
      expect(await product()).toEqual(first);
      expect([called('cuLaunchKernel'), called('cuGraphLaunch')]).toEqual([0, 1]);
    }
    const live = standIn.liveObjects();
    values.destroy();
    // The graph goes with the memory that it reads.
    expect(standIn.liveObjects()).toBe(live - 2);
    await device.close();
    expect(standIn.liveObjects()).toBe(0);
  });

  it('sends_and_fetches_more_than_its_slots_hold_in_the_order_of_calls', async () => {
    setCard('looks', 3);
    const device = await open();
    const numbers = new Float64Array(3e6);
    new RandomStream(1).fillNormal(numbers);
    const buffer = await device.upload(numbers);
    const whole = new Float64Array(numbers.length);
    await device.read(buffer, whole);
    expect(whole).toEqual(numbers);
    // Of several at a time there are slots for two; a write that comes after them is not seen.
    const parts = [0, 1000, 2000].map((at) => [at, new Float64Array(1000)] as const);
    const reading = parts.map(([at, part]) => device.read(buffer, part, at));
    device.write(buffer, new Float64Array(3000));
    await Promise.all(reading);
    for (const [at, part] of parts) expect(part).toEqual(numbers.subarray(at, at + 1000));
    await device.read(buffer, parts[0][1], 100);
    expect(parts[0][1].every((value) => value === 0)).toBe(true);
    await device.close();
    await expect(device.finish()).rejects.toThrow(/cuda is closed: open it again/);
  });

  it.each(ARITHMETICS)('multiplies_rounded_numbers_by_instructions_for_small_matrices: %s', async (arithmetic) => {
    const device = await open();
    const shapes = [
      { count: 70, starts: true, terms: [[40, true], [5, false], [300, false]] as const }, // prettier-ignore
      { count: 9, terms: [[33, false], [17, true]] as const }, // prettier-ignore
      { count: 200, terms: [[64, true]] as const },
    ];
    const example = exampleOf(shapes, true, 2);
    const rows = await device.prepare(example.rows);
    const multiply = async (numbers: FloatArray, before: FloatArray, width: number): Promise<FloatArray> => {
      const [values, vectors] = [await device.upload(numbers), await device.upload(before)];
      device.multiply(rows, { values, vectors, arithmetic }, width);
      const got = before.slice();
      await device.read(vectors, got);
      for (const one of [values, vectors]) one.destroy();
      return got;
    };
    // Small whole numbers are the same in every arithmetic.
    const whole = (length: number, seed: number): FloatArray =>
      numbersOf(length, 'f32', seed).map((v) => Math.round(9 * v));
    for (const width of [1, 16, 17, 64, 70]) {
      const [numbers, before] = [whole(example.values, 1), whole(example.height * width, 2)];
      const got = await multiply(numbers, before, width);
      expect(got, `width ${width}`).toEqual(Float32Array.from(plain(example, numbers, before, width).result));
    }
    // Others are rounded, both factors, and more than float32 rounds them.
    const [numbers, before] = [numbersOf(example.values, 'f32', 3), numbersOf(example.height * 64, 'f32', 4)];
    const got = await multiply(numbers, before, 64);
    const { result, bound } = plain(example, numbers, before, 64);
    const unit = arithmetic === 'tf32' ? 2 ** -11 : 2 ** -8;
    let worst = 0;
    got.forEach((value, i) => {
      // `bound` is the sum of magnitudes times its length, of which rounding factors needs twice the unit alone.
      if (bound[i] > 0) worst = Math.max(worst, Math.abs(value - result[i]) / (2 * unit * bound[i]));
    });
    expect(worst).toBeLessThan(1);
    expect(excess(got, { result, bound }, 'f32')).toBeGreaterThan(1);
    const [values, vectors] = [
      await device.allocate(example.values, 'f64'),
      await device.allocate(example.height, 'f64'),
    ];
    expect(() => device.multiply(rows, { values, vectors, arithmetic }, 1)).toThrow(
      /cuda has no arithmetic .* for products in f64: it has tf32 and bf16, for f32/,
    );
    await device.close();
    setCard('architecture', 75);
    const old = await open();
    expect(old.arithmetics).toEqual([]);
    await old.close();
  });

  it('copies_through_memory_that_is_not_pinned_where_the_system_pins_none_and_warns', async () => {
    const warnings: unknown[] = [];
    const listen = (warning: Error & { code?: string }): unknown => warnings.push(warning.code);
    process.on('warning', listen);
    const device = await open();
    failAt('cuMemHostRegister_v2', 0, 1);
    const buffer = await device.upload(Float32Array.of(1, 2, 3));
    const got = new Float32Array(3);
    await device.read(buffer, got);
    expect([...got]).toEqual([1, 2, 3]);
    await device.close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual(['cuda-not-pinned']);
    expect(standIn.liveObjects()).toBe(0);
  });

  it('that_is_out_of_memory_says_so_and_goes_on', async () => {
    const device = await open();
    setCard('memory', 2 ** 20);
    const refusal = device.allocate(2 ** 18, 'f64');
    await expect(refusal).rejects.toThrow(MemoryError);
    await expect(refusal).rejects.toThrow(/cuda is out of memory: it would not give 2097152 bytes beside the 0 in use/);
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    const buffer = await device.upload(Float64Array.of(1, 2));
    failAt('cuEventRecord', 0, 2);
    await expect(device.read(buffer, new Float64Array(2))).rejects.toThrow(
      /out of memory: cuEventRecord ends with CUDA_ERROR_OUT_OF_MEMORY \(2: /,
    );
    const got = new Float64Array(2);
    await device.read(buffer, got);
    expect([...got]).toEqual([1, 2]);
    await device.close();
  });

  it('that_refuses_a_call_names_it_and_its_status', async () => {
    const device = await open();
    const example = exampleOf([{ count: 2, terms: [[3, false]] }], false, 1);
    const [rows, values] = [await device.prepare(example.rows), await device.allocate(example.values, 'f64')];
    const vectors = await device.allocate(example.height, 'f64');
    failAt('cuModuleLoadData', 0, 200);
    expect(() => device.multiply(rows, { values, vectors }, 1)).toThrow(DeviceError);
    device.multiply(rows, { values, vectors }, 1);
    failAt('cuLaunchKernel', 0, 1);
    await expect(device.finish()).rejects.toThrow(/cuLaunchKernel ends with CUDA_ERROR_INVALID_VALUE \(1: /);
    await device.finish();
    const { compiler, architecture } = findCard();
    expect(() => compiler.compile(() => 'extern "C" __global__ void bad(', 'bad', architecture)).toThrow(
      /a kernel, bad, that NVRTC 12\.\d does not compile for architecture 90:\n.*error/,
    );
    await device.close();
  });

  it.each([
    ['cuLaunchKernel', 719],
    ['cuEventQuery', 700],
    ['cuMemcpyHtoDAsync_v2', 214],
  ] as const)('that_is_lost_in_%s_says_so_and_can_be_opened_again', async (name, status) => {
    const device = await open();
    const example = exampleOf([{ count: 2, terms: [[3, false]] }], false, 1);
    const [rows, values] = [await device.prepare(example.rows), await device.allocate(example.values, 'f64')];
    const numbers = numbersOf(example.height, 'f64', 1);
    const copy = numbers.slice();
    const vectors = await device.upload(numbers);
    failAt(name, 0, status);
    const work = async (): Promise<void> => {
      device.write(vectors, numbers);
      device.multiply(rows, { values, vectors }, 1);
      await device.read(vectors, new Float64Array(example.height));
    };
    await expect(work()).rejects.toThrow(DeviceLostError);
    await expect(work()).rejects.toThrow(
      new RegExp(`was lost: ${name} ends with CUDA_ERROR.* \\(${status}: .*open it`),
    );
    await expect(device.allocate(1, 'f64')).rejects.toThrow(DeviceLostError);
    expect(numbers).toEqual(copy);
    vectors.destroy();
    await device.close();
    const again = await open();
    const got = new Float64Array(example.height);
    await again.read(await again.upload(numbers), got);
    expect(got).toEqual(numbers);
    await again.close();
    expect(standIn.liveObjects()).toBe(0);
  });

  it('a_launch_that_is_refused_leaves_none_that_reads_what_it_freed', async () => {
    const device = await open();
    const work = await device.plan({ kind: 'innerProducts', products: [{ x: 0, y: 0, count: 5000, to: 0 }] });
    const [x, out] = [await device.upload(new Float64Array(10_000).fill(1)), await device.allocate(2, 'f64')];
    const sums = new Float64Array(2);
    const launch = (width: number): void => {
      device.launch(work, { x, y: x, out }, width);
    };
    for (let time = 0; time < 2; time++) {
      device.write(out, sums.fill(0));
      launch(1);
      await device.read(out, sums);
      expect(Array.from(sums)).toEqual([5000, 0]);
      // What sums of parts stand in is freed before more is asked for.
      standIn.failAt('cuMemAlloc_v2', 0, 2);
      expect(() => {
        launch(2);
      }).toThrow(MemoryError);
    }
    await device.close();
    expect(standIn.liveObjects()).toBe(0);
  });

  it('is_lost_by_an_address_that_is_none', () => {
    const { driver, compiler, device, architecture } = findCard();
    const context = new CudaContext(driver, device);
    const source = `struct Parameters { double* to; };
      extern "C" __global__ void wild(const Parameters p) { p.to[1000] = 1; }`;
    const image = compiler.compile(() => source, 'wild', architecture);
    const handle = context.made('cuModuleLoadData', arrayAddress(image));
    const kernel = context.made('cuModuleGetFunction', handle, arrayAddress(new TextEncoder().encode('wild\0')));
    const parameters = BigInt64Array.of(BigInt(context.allocate(8)!));
    const size = BigInt64Array.of(8n);
    const extra = BigInt64Array.of(1n, BigInt(arrayAddress(parameters)), 2n, BigInt(arrayAddress(size)), 0n);
    context.call('cuLaunchKernel', kernel, 1, 1, 1, 1, 1, 1, 0, context.stream, 0, arrayAddress(extra));
    expect(() => {
      context.call('cuStreamSynchronize', context.stream);
    }).toThrow(/was lost: cuStreamSynchronize ends with CUDA_ERROR_ILLEGAL_ADDRESS/);
    expect(() => {
      context.enter();
    }).toThrow(DeviceLostError);
    context.close();
  });
});

const nvcc = hasNvcc();

/** Every kernel there is: those of block rows, and of work of each kind, large and small. */
function allKernels(): Map<string, KernelSource> {
  const block = { offset: 0, ld: 1024 };
  // Of so many rows and columns that tiles of 16, 32 and 64 cost least.
  const product = (size: number): Work => ({
    kind: 'products',
    alpha: 1,
    beta: 0,
    targets: [{ c: block, rows: size, columns: size, terms: [{ a: block, b: block, depth: 1 }] }],
  });
  const triangle = { ...block, order: 40 };
  const solve = (transposed: boolean, x: SubstitutionTarget): Work => ({
    kind: 'substitutions',
    transposed,
    systems: [{ triangle, x }],
  });
  const combine = (numerator: number | undefined, diagonal: boolean, constant: number): Work => {
    const beta = { constant, numerator };
    return { kind: 'combination', x: 0, y: 0, count: 1, alpha: { constant: 1 }, beta, diagonal };
  };
  const piece = placesOfBlock(0, 1, 1, 1);
  const place = { a: { offset: 0, ld: 9 } };
  const works: Work[] = [
    ...[16, 512, 1024].map(product),
    { kind: 'gathers', alpha: 1, keep: true, pieces: [{ from: piece, to: piece }] },
    { kind: 'cholesky', triangles: [{ ...triangle, status: 0 }] },
    ...[false, true].flatMap((transposed) => [
      solve(transposed, { first: 0 }),
      solve(transposed, { block, columns: 1 }),
    ]),
    ...[false, true].flatMap((diagonal) => [
      combine(undefined, diagonal, 0),
      combine(undefined, diagonal, 1),
      combine(0, diagonal, 1),
    ]),
    { kind: 'innerProducts', products: [{ x: 0, y: 0, count: 2000, to: 0 }] },
    { kind: 'qr', blocks: [{ ...place, r: { offset: 0, ld: 2 }, rows: 9, columns: 2 }] },
    {
      kind: 'interpolations',
      blocks: [{ ...place, rows: 9, columns: 2, threshold: 0, maxRank: 2, order: 0, t: place.a, outcome: 0 }],
    },
  ];
  // Of several shapes, which cuBLAS finds by addresses.
  const several = product(16) as BlockProducts;
  const other = { ...several.targets[0], rows: 9 };
  const all = { extent: 1, depth: 1, flops: 600 };
  const listed = stepsOf({ ...several, targets: [...several.targets, other] }, (work) =>
    chooseGemms(work, all, () => ({ hasGroups: true })),
  );
  const single: Choleskys = { kind: 'cholesky', triangles: [{ offset: 0, ld: 32, order: 32, status: 0 }] };
  const [factored] = stepsOf(single, undefined, (work) => ({
    large: work.triangles,
    rest: { ...work, triangles: [] },
  })).steps;
  const kernels = PRECISIONS.flatMap((precision) => [
    ...TILE_HEIGHTS.flatMap((height) => TILE_WIDTHS.map((width) => rowsKernel({ precision, height, width }))),
    ...works
      .flatMap((work) => stepsOf(work).steps)
      .concat(listed.steps.flatMap((step) => ('gemm' in step ? [step.addresses!] : [])))
      .concat('triangle' in factored ? [factored.outcome] : [])
      .flatMap((step) => ('kernel' in step ? [1, 64].map((width) => step.kernel(precision, width)) : [])),
  ]);
  return new Map(kernels.map((kernel) => [kernel.name, kernel]));
}

describe('kernels', () => {
  const folder = temporaryFolder();
  const architectures = [75, 90];

  it.skipIf(!nvcc)(
    `are_compiled_for_cards_without_spilled_registers${nvcc ? '' : ' (skipped: there is no nvcc)'}`,
    () => {
      const sources = [...allKernels().values()];
      const file = join(folder, 'kernels.cu');
      writeFileSync(file, sources.map(({ name, source }) => `namespace of_${name} {${source()}}\n`).join(''));
      const log = join(folder, 'log');
      const targets = architectures.map((one) => `-gencode=arch=compute_${one},code=sm_${one}`);
      execFileSync('sh', [
        '-c',
        `nvcc -fatbin -std=c++14 -Xptxas -v ${targets.join(' ')} -o ${file}.bin ${file} 2>${log}`,
      ]);
      let told = readFileSync(log, 'utf8');
      // What multiplies small matrices is for compute capability 8.0 and later.
      const rounding = ARITHMETICS.flatMap((arithmetic) =>
        TILE_HEIGHTS.map((height) => rowsKernel({ precision: 'f32', height, width: 64, arithmetic })),
      );
      writeFileSync(file, rounding.map(({ name, source }) => `namespace of_${name} {${source()}}\n`).join(''));
      execFileSync('sh', ['-c', `nvcc -cubin -std=c++14 -Xptxas -v -arch=sm_80 -o ${file}.bin ${file} 2>${log}`]);
      told += readFileSync(log, 'utf8');
      const spills = [...told.matchAll(/(\d+) bytes spill stores, (\d+) bytes spill loads/g)];
      expect(sources).toHaveLength(2 * 31);
      expect(spills).toHaveLength(sources.length * architectures.length + rounding.length);
      expect(spills.filter(([, stores, loads]) => stores !== '0' || loads !== '0').map(([text]) => text)).toEqual([]);
      expect(told.split('\n').filter((line) => line.includes('warning'))).toEqual([]);
    },
  );
});
