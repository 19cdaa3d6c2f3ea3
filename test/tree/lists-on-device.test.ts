/** Neighbors that a card finds are those that the team finds. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { cardOf } from '#hmatrix/hierarchical/from-entries/device/card.js';
import { prepare } from '#hmatrix/hierarchical/from-entries/prepare.js';
import { askedEntries } from '#hmatrix/hierarchical/from-entries/scaled-entries.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { kernelFromDefinition } from '#hmatrix/source/kernels/table.js';
import { ListsOnDevice, type PointCard } from '#hmatrix/tree/device/lists-on-device.js';
import { findNeighborRows, type NeighborRows } from '#hmatrix/tree/neighbors.js';
import { emptyLists } from '#hmatrix/tree/nearest-lists.js';
import { halvedRanges } from '#hmatrix/tree/split.js';
import { CARDS, useDevice } from '../device/devices.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

/** Points about some centres, far from the origin, every tenth one twice. */
function clustered(count: number, dimension: number): Points {
  const random = new RandomStream(count, dimension);
  const coordinates = new Float64Array(count * dimension);
  random.fillNormal(coordinates);
  for (let i = 0; i < count; i++) coordinates[i * dimension] += 100 + 5 * (i % 7);
  for (let i = 10; i < count; i += 10) coordinates.copyWithin(i * dimension, (i - 1) * dimension, i * dimension);
  return { dimension, count, coordinates };
}

const sourceOf = (points: Points): EntrySource =>
  kernelSource(points, kernelFromDefinition({ family: 'gaussian', bandwidth: 2 }), { blas: team.blas });

/** Share of the first lists' neighbors that the others have, too. */
function agreement(a: NeighborRows, b: NeighborRows): number {
  const { count } = a;
  let same = 0;
  for (let row = 0; row < a.indices.length / count; row++) {
    const others = new Set(b.indices.subarray(row * count, (row + 1) * count));
    for (let p = row * count; p < (row + 1) * count; p++) if (others.has(a.indices[p])) same++;
  }
  return same / a.indices.length;
}

describe.each(CARDS)('lists on %s in %s', (name, precision) => {
  let device: Device;
  let card: PointCard;
  const opened = useDevice(name, (made) => {
    device = made;
    card = { device, kernels: device.kernels!, precision };
  });
  if (!opened) return;
  afterAll(() => {
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
  });

  it.each([
    [2100, 5, 12],
    [2311, 17, 1],
  ])('of_%i_points_in_%i_dimensions_are_those_of_the_team', async (count, dimension, neighbors) => {
    const source = sourceOf(clustered(count, dimension));
    const options = { neighbors, seed: 1 };
    const host = await findNeighborRows(source, 'geometric', options, { team });
    const { launches } = device.counters;
    const made = await findNeighborRows(source, 'geometric', { ...options, card }, { team });
    // Leaves, and lists of the rows on which the recall is measured, of each tree.
    expect(device.counters.launches - launches).toBe(2 * made.iterations);
    expect(made.iterations).toBeGreaterThan(1);
    expect(made).toMatchObject({ count: neighbors, iterations: host.iterations, searchedOn: 'device' });
    expect(host.searchedOn).toBeUndefined();
    if (precision === 'f64' && dimension === 5) expect(made.indices).toEqual(host.indices);
    // Points that stand twice tie.
    expect(agreement(host, made)).toBeGreaterThan(0.99);
    expect(Math.abs(made.recall - host.recall)).toBeLessThan(0.02);
  });

  it.runIf(precision === 'f32')('whose_points_float32_cannot_tell_apart_say_so_by_their_recall', async () => {
    const points = clustered(2100, 5);
    const near = points.coordinates.map((x, p) => (p % 5 === 0 ? 5 * Math.floor(x / 5) : 1e-9 * x));
    const source = sourceOf({ ...points, coordinates: near });
    const options = { neighbors: 8, seed: 1, card };
    const made = await findNeighborRows(source, 'geometric', options, { team });
    const host = await findNeighborRows(source, 'geometric', { ...options, card: undefined }, { team });
    expect(host.recall).toBeGreaterThan(0.9);
    expect(Math.abs(made.recall - agreement(host, made))).toBeLessThan(0.1);
  });

  it('of_one_leaf_are_all_neighbors_nearest_last_and_none_twice', async () => {
    const [count, dimension, capacity] = [130, 3, 9];
    const points = clustered(count, dimension);
    const lists = (await ListsOnDevice.open(card, points, capacity)) as ListsOnDevice;
    const order = Int32Array.from({ length: count }, (_, i) => i);
    new RandomStream(2).shuffle(order);
    const found = emptyLists(capacity, count);
    // Parts first: what they list is not listed again.
    for (const depth of [3, 1, 0, 0]) await lists.search(order, halvedRanges(count, depth));
    await lists.bring(found);
    const { coordinates: x } = points;
    for (let i = 0; i < count; i++) {
      const apart = (j: number): number => [0, 1, 2].reduce((sum, k) => sum + (x[3 * i + k] - x[3 * j + k]) ** 2, 0);
      const others = Array.from(order)
        .filter((j) => j !== i)
        .sort((a, b) => apart(b) - apart(a) || b - a)
        .slice(-capacity);
      const own = [...found.indices.subarray(i * capacity, (i + 1) * capacity)];
      expect(new Set(own).size).toBe(capacity);
      if (precision === 'f64') expect(own).toEqual(others);
      own.forEach((j, k) => {
        expect(Math.abs(apart(j) - apart(others[k]))).toBeLessThan(1e-4 * (1 + apart(j)));
        expect(Math.abs(found.distances[i * capacity + k] - apart(j))).toBeLessThan(1e-4 * (1 + apart(j)));
      });
    }
    const some = emptyLists(capacity, count);
    await lists.bringSome(Int32Array.of(77, 5), some);
    for (const row of [5, 77]) {
      const range: [number, number] = [row * capacity, (row + 1) * capacity];
      expect(some.indices.subarray(...range)).toEqual(found.indices.subarray(...range));
    }
    expect(some.indices[0]).toBe(-1);
    lists.release();
  });

  it('that_do_not_fit_are_the_team_s', async () => {
    const points = clustered(2100, 5);
    const little = await openDevice(name, { memoryLimit: 2 ** 18 });
    const there = { ...card, device: little, kernels: little.kernels! };
    expect(await ListsOnDevice.open(there, points, 12)).toBe('memory');
    const made = await findNeighborRows(
      sourceOf(points),
      'geometric',
      { neighbors: 12, seed: 1, card: there },
      { team },
    );
    expect(made.indices.length).toBe(2100 * 12);
    expect(made.searchedOn).toBe('memory');
    expect(little.counters.launches).toBe(0);
    await little.close();
    // What was allocated before is free again; a card that has less than it tells leaves lists to the team.
    const lists = (await ListsOnDevice.open(card, points, 12)) as ListsOnDevice;
    const { allocate } = device;
    const { buffers } = device.memory;
    device.allocate = async () => Promise.reject(new MemoryError('No.', {}));
    await expect(lists.bringSome(Int32Array.of(3), emptyLists(12, 2100))).rejects.toThrow(MemoryError);
    expect(await ListsOnDevice.open(card, points, 12)).toBe('memory');
    device.allocate = allocate;
    expect(device.memory.buffers).toBe(buffers);
    lists.release();
    const far = { ...points, coordinates: points.coordinates.map((value) => 1e200 * value) };
    if (precision === 'f32') await expect(ListsOnDevice.open(card, far, 12)).rejects.toThrow(NonFiniteError);
  });

  it.runIf(name === 'cuda')('that_trees_do_not_find_are_the_team_s', async () => {
    const [count, dimension] = [2100, 400];
    const coordinates = new Float64Array(count * dimension);
    new RandomStream(3).fillNormal(coordinates);
    const source = sourceOf({ dimension, count, coordinates });
    const made = await findNeighborRows(source, 'geometric', { neighbors: 12, seed: 1, card }, { team });
    expect(made).toMatchObject({ searchedOn: 'low-recall', recall: 1 });
    expect(made.iterations).toBeGreaterThan(0);
  });

  it.each([
    ['few-dimensions', 2100, 4, 'geometric', 3],
    ['few-points', 300, 5, 'geometric', 3],
    ['distance', 2100, 5, 'gram', 3],
    ['distance', 2100, 5, 'lexicographic', 3],
    [undefined, 2100, 5, 'geometric', 0],
  ] as const)('that_are_the_team_s_say_why: %s', async (why, count, dimension, distance, neighbors) => {
    const source = sourceOf(clustered(count, dimension));
    const { launches } = device.counters;
    const { searchedOn } = await findNeighborRows(source, distance, { neighbors, seed: 1, card }, { team });
    expect(searchedOn).toBe(why);
    expect(device.counters.launches).toBe(launches);
  });

  it('are_found_where_a_compression_is_prepared', async () => {
    const source = sourceOf(clustered(2100, 5));
    const { asked, entries } = await askedEntries(source, { neighbors: 8 }, 'compress', { team });
    const there = cardOf({ device, source, options: asked, factor: 1, ranks: 1, largest: 1 });
    const { launches } = device.counters;
    const host = await prepare(entries, asked, { team });
    expect(device.counters.launches).toBe(launches);
    const made = await prepare({ ...entries, card: there }, asked, { team });
    expect(device.counters.launches - launches).toBe(2 * made.neighbors.iterations);
    expect(made.neighbors.searchedOn).toBe('device');
    expect(Math.abs(made.neighbors.recall - host.neighbors.recall)).toBeLessThan(0.02);
  });
});
