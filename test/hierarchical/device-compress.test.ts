/** Skeletons are found on a card: as many as the team finds, with the same error, in few launches a level. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, DeviceError, MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { NUMBER_BYTES, ROUNDOFF } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { chooseOptions } from '#hmatrix/hierarchical/from-entries/choose-options.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { cardOf, requireColumns, type CardRequest } from '#hmatrix/hierarchical/from-entries/device/card.js';
import { levelBytes, nodesUnderWay } from '#hmatrix/hierarchical/from-entries/device/skeletonize-levels.js';
import { resolveOptions, type CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { FORMATS } from '#hmatrix/hierarchical/matrix/format.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { ard, productKernels, scaleKernel, sumKernels } from '#hmatrix/source/kernels/compose.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import { kernelFromDefinition, type KernelFamily } from '#hmatrix/source/kernels/table.js';
import { CARDS, useDevice } from '../device/devices.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { denseOf, normalPoints, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const family = (name: KernelFamily, more = {}): Kernel => kernelFromDefinition({ family: name, bandwidth: 2, ...more });
const sourceOf = (count: number, kernel: Kernel, options = {}): EntrySource =>
  kernelSource(normalPoints(count, 3, count), kernel, { blas: team.blas, ...options });
const small: CompressOptions = { leafSize: 16, maxRank: 32, tolerance: 1e-3, neighbors: 12, seed: 3 };
const several = (): Kernel =>
  sumKernels(
    productKernels(family('gaussian'), scaleKernel(family('cosine'), 0.5)),
    ard(family('matern32'), [1, 2, 3]),
  );

/** Formats, leaves of any size, several inputs of a kernel, ranks at their limit, of zero, and no ranks at all. */
const CASES: Readonly<Record<string, readonly [size: number, () => Kernel, CompressOptions, noise?: object]>> = {
  hss: [131, () => family('gaussian'), { ...small, format: 'hss' }, { ridge: 1 }],
  'hodlr of several inputs': [97, several, { ...small, format: 'hodlr', leafSize: 17 }],
  'fmm, stored in f32': [110, () => family('matern52'), { ...small, format: 'fmm', budget: 0.3, dtype: 'f32' }],
  'tried on other rows': [560, () => family('gaussian', { bandwidth: 4 }), { ...small, maxRank: 16, tolerance: 1e-2 }],
  'sampled again': [
    560,
    () => family('gaussian', { bandwidth: 0.1 }),
    { ...small, maxRank: 16, distance: 'lexicographic' },
  ],
  'ranks at the limit': [75, () => family('laplace'), { ...small, maxRank: 5 }],
  'ranks of zero': [90, () => family('gaussian', { bandwidth: 1e-3 }), { ...small, leafSize: 7 }],
  'one leaf': [15, () => family('gaussian'), small],
  'one index': [1, () => family('gaussian'), small],
};

const ranksOf = ({ data: { skeletons } }: HierarchicalMatrix): number => skeletons.indices.length;

describe.each(CARDS)('on %s in %s', (name, precision) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;
  afterAll(() => {
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
  });

  // The adapter is a processor, and its kernels do not depend on formats.
  const cases = Object.entries(CASES).filter(([of]) => name !== 'webgpu' || /several|tried|zero|one leaf/.test(of));
  it.each(cases)('finds_what_the_team_finds: %s', async (of, [size, kernel, options, noise]) => {
    const source = sourceOf(size, kernel(), noise);
    const host = await compress(source, options, { team });
    const made = await compress(source, options, { team, device });
    expect(made.report).toMatchObject({ met: host.report.met, device: device.description });
    const searched = size === 1 ? undefined : options.distance === undefined ? 'few-points' : 'distance';
    expect(made.report.neighborsOn).toBe(searched);
    expect(host.report).toMatchObject({ device: undefined, neighborsOn: undefined });
    if (precision === 'f64') expect(made.report.resampled).toBe(host.report.resampled);
    if (of === 'sampled again') expect(made.report.resampled).toBeGreaterThan(5);
    const [few, many] = [ranksOf(host), ranksOf(made)];
    expect(Math.abs(many - few)).toBeLessThanOrEqual(precision === 'f64' ? 0 : 2 + 0.02 * few);
    const dense = denseOf(source);
    const [ofHost, ofMade] = [host, made].map((matrix) => relativeError(matrix.toDense(), dense));
    // To rounding in float64: interpolations of the same skeletons.
    const slack = precision === 'f64' ? 1e-3 * ofHost + 1e-12 : 0.5 * ofHost + 100 * ROUNDOFF[precision];
    expect(Math.abs(ofMade - ofHost)).toBeLessThan(slack);
    if (host.report.met === true) expect(ofMade).toBeLessThan(2 * options.tolerance!);
  });

  it.skipIf(name === 'webgpu')('finds_it_of_random_shapes_and_in_little_memory', async () => {
    const random = new RandomStream(7);
    const little = await openDevice(name, { memoryLimit: 2 ** 20 });
    for (let k = 0; k < 4; k++) {
      const source = sourceOf(50 + random.integer(60), family(k % 2 === 0 ? 'gaussian' : 'matern32'));
      const options: CompressOptions = {
        leafSize: 2 + random.integer(20),
        maxRank: 8 + random.integer(40),
        tolerance: 10 ** (-1 - 5 * random.uniform()),
        neighbors: 1 + random.integer(12),
        format: FORMATS[random.integer(FORMATS.length)],
        seed: random.integer(1000),
      };
      const host = await compress(source, options, { team });
      const made = await compress(source, options, { team, device });
      expect(made.data.skeletons.indices).toEqual(host.data.skeletons.indices);
      const apart = relativeError(made.toDense(), host.toDense());
      expect(apart).toBeLessThan(1e-3 * options.tolerance! + 1e-11);
      expect(made.report.resampled).toBe(host.report.resampled);
      // Launches are cut, and the numbers are the same.
      const before = [device, little].map(({ counters }) => counters.launches);
      const again = await compress(source, options, { team, device: little });
      expect(again.data.values).toEqual(made.data.values);
      expect(little.counters.launches - before[1]).toBeGreaterThan(0);
    }
    expect(little.memory.bytes).toBe(0);
    await little.close();
    const least = await openDevice(name, { memoryLimit: 2 ** 13 });
    await expect(compress(sourceOf(90, family('gaussian')), small, { team, device: least })).rejects.toThrow(
      MemoryError,
    );
    expect(least.memory.bytes).toBe(0);
    await least.close();
  });

  it('takes_few_launches_a_level_and_sends_points_and_numbers_of_rows_and_gives_the_same_bits_again', async () => {
    const size = name === 'webgpu' ? 90 : 140;
    const source = sourceOf(size, family('gaussian'));
    const before = { ...device.counters };
    const seen: number[] = [];
    const made = await compress(source, small, { team, device, onProgress: ({ done }) => seen.push(done) });
    const { launches, uploaded, downloaded } = device.counters;
    const { depth } = made.data.tree;
    expect(depth).toBeGreaterThan(2);
    // A level of the tree, of a few subtrees before, and some leaves: in each at most two samples, each with six
    // looks at other rows, of three launches.
    expect(launches - before.launches).toBeLessThan((2 * depth + 1) * 2 * 7 * 3);
    expect(launches - before.launches).toBeGreaterThan(3 * depth);
    expect(seen.length).toBeGreaterThan(0);
    // All entries that were evaluated would be more: points go there, and what tells rows, columns and sums apart.
    const entries = made.data.tree.order.length * 200;
    expect(uploaded - before.uploaded).toBeGreaterThan(3 * size * NUMBER_BYTES[precision]);
    expect(uploaded - before.uploaded).toBeLessThan(3 * entries * NUMBER_BYTES[precision]);
    expect(downloaded - before.downloaded).toBeLessThan(entries * NUMBER_BYTES[precision]);
    const again = await compress(source, small, { team, device });
    expect(again.data.values).toEqual(made.data.values);
  });

  it('refuses_what_it_cannot_do_by_name_and_frees_what_lay_there_when_it_is_aborted', async () => {
    const gaussian = sourceOf(90, family('gaussian'));
    const own: Kernel = {
      name: 'mine',
      argument: 'squaredDistance',
      evaluate: (values, first, count) => values.fill(1, first, first + count),
    };
    const on = (source: EntrySource, options: CompressOptions): Promise<unknown> =>
      compress(source, { ...small, ...options }, { team, device });
    await expect(on(denseSource(denseOf(gaussian).data as Float64Array), {})).rejects.toThrow(/must be a kernelSource/);
    await expect(on(sourceOf(90, own), {})).rejects.toThrow(/mine .* is a function of this program.* Leave \{ device/);
    await expect(on(gaussian, { format: 'hss', preserve: 'positive-definite' })).rejects.toThrow(/preserve.*not found/);
    await expect(on(gaussian, { leafSize: 2000 })).rejects.toThrow(/2000 indices are more than the 1024/);
    if (precision === 'f32') await expect(on(gaussian, { tolerance: 1e-6 })).rejects.toThrow(/needs float64, which/);
    const ended = new AbortController();
    const running = compress(gaussian, small, {
      team,
      device,
      signal: ended.signal,
      onProgress: ({ phase }) => {
        if (phase === 'forecast ranks') ended.abort();
      },
    });
    await expect(running).rejects.toThrow(AbortedError);
    expect(device.memory.bytes).toBe(0);
  });
});

describe('a_device_that_is_a_team', () => {
  it('computes_what_teams_compute', async () => {
    const source = sourceOf(100, family('gaussian'));
    const device = await openDevice('cpu', {}, { team });
    const made = await compress(source, small, { device });
    expect(made.data.values).toEqual((await compress(source, small, { team })).data.values);
    expect(made.report.device).toBeUndefined();
    await device.close();
  });

  it('is_asked_for_by_name', async () => {
    const source = sourceOf(50, family('gaussian'));
    await expect(compress(source, small, { team, device: 'cuda' as never })).rejects.toThrow(OptionError);
    await expect(compress(source, small, { team, devise: 3 } as never)).rejects.toThrow(/devise/);
  });
});

describe('a_card', () => {
  useStandIn();
  const card = { name: 'cuda', kernels: {}, precisions: ['f64'], description: 'a card' } as unknown as Device;
  const request = (more: Partial<CardRequest>): CardRequest => ({
    device: card,
    source: sourceOf(9, family('gaussian')),
    options: resolveOptions(small),
    factor: 1,
    ranks: 1,
    largest: 1,
    ...more,
  });

  it('is_refused_by_several_ranks_by_entries_out_of_range_and_where_it_has_no_kernels', () => {
    expect(cardOf(request({}))).toMatchObject({ precision: 'f64', device: card });
    expect(() => cardOf(request({ ranks: 2 }))).toThrow(/One process .* not 2 ranks/);
    expect(() => cardOf(request({ factor: 2 ** 300 }))).toThrow(/scaled by .*: scale the kernel/);
    expect(() => cardOf(request({ device: { ...card, name: 'tfjs', kernels: null } }))).toThrow(DeviceError);
    const single = { ...card, name: 'webgpu', precisions: ['f32'] } as unknown as Device;
    expect(cardOf(request({ device: single, largest: 1e10 }))).toMatchObject({ precision: 'f32' });
    expect(cardOf(request({ device: single, largest: 0 }))).toMatchObject({ precision: 'f32' });
    for (const largest of [1e-13, 1e13])
      expect(() => cardOf(request({ device: single, largest }))).toThrow(/float32 alone, .* scale the kernel/);
    expect(cardOf(request({ largest: 1e13 }))).toMatchObject({ precision: 'f64' });
    const narrow = sourceOf(9, family('gaussian', { bandwidth: 1e-30 }));
    expect(() => cardOf(request({ device: single, source: narrow }))).toThrow(/none of float32, .* scale the points/);
    const away = (scale: number): EntrySource => {
      const points = normalPoints(9, 3, 9);
      return kernelSource({ ...points, coordinates: points.coordinates.map((x) => x * scale) }, family('gaussian'));
    };
    for (const scale of [1e-24, 1e25])
      expect(() => cardOf(request({ device: single, source: away(scale) }))).toThrow(
        /from their mean.*scale the points/,
      );
    expect(cardOf(request({ source: away(1e25) }))).toMatchObject({ precision: 'f64' });
    requireColumns(3, 1024);
    expect(() => {
      requireColumns(3, 1025);
    }).toThrow(/Node 3 has 1025 candidates.*maxRank 512/);
  });

  it('has_few_nodes_under_way_where_trees_are_deep', () => {
    expect([4, 10, 20].map(nodesUnderWay)).toEqual([512, 512, 1]);
    const bytes = (depth: number): number => levelBytes({ depth, size: 256 * 2 ** depth }, 256, 64);
    for (let depth = 1; depth < 22; depth++)
      expect(bytes(depth)).toBeLessThan(512 * (64 * 1200 + 16 * 64 * 192) + Math.max(2 ** 26, 40 * 2 ** depth));
    expect(bytes(20)).toBeGreaterThan(40 * 2 ** 20);
  });

  it('limits_the_leaves_and_ranks_that_are_chosen', () => {
    const depth = 8;
    const ranks = Float64Array.from({ length: depth + 1 }, (_, level) => (level === 0 ? 0 : 900 / 1.2 ** level));
    const of = (mostCandidates?: number): ReturnType<typeof chooseOptions> =>
      chooseOptions(
        { size: 64 * 2 ** depth, depth, mostCandidates },
        { measured: [], ranks },
        resolveOptions({ memoryLimit: 1e12 }),
      );
    expect(of()).toMatchObject({ limitedBy: undefined });
    expect(of().maxRank).toBeGreaterThan(512);
    expect(of(1024)).toMatchObject({ limitedBy: 'device', maxRank: 512 });
    expect(of(256).leafSize).toBeLessThanOrEqual(256);
  });
});
