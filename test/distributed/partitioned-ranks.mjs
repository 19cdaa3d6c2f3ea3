/** Sources of which ranks that are threads have some points each, for test/distributed/partitioned.test.ts. */
import { RandomStream } from '#hmatrix/core/random.js';
import { placeOf } from '#hmatrix/core/index-places.js';
import { toShared } from '#hmatrix/core/shared-array.js';
import { portionOf } from '#hmatrix/core/portion.js';
import { stretches, sumInOrder } from '#hmatrix/distributed/row-parts.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { Team } from '#hmatrix/parallel/team.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { HeldRows } from '#hmatrix/source/held-rows.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { kernelFromDefinition } from '#hmatrix/source/kernels/table.js';
import { sumKernels } from '#hmatrix/source/kernels/compose.js';
import { partitionedBandwidth } from '#hmatrix/source/partitioned-bandwidth.js';
import { partitionedKernelSource } from '#hmatrix/source/partitioned-kernel.js';
import { medianBandwidth } from '#hmatrix/source/points.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { findNeighbors } from '#hmatrix/tree/neighbors.js';

/** Uniform points, moved by `from`. */
function pointsOf(size, dimension, from = 0) {
  const random = new RandomStream(size, dimension);
  const coordinates = Float64Array.from({ length: size * dimension }, () => from + random.uniform());
  return { dimension, count: size, coordinates };
}

const KERNELS = {
  matern32: () => kernelFromDefinition({ family: 'matern32', bandwidth: 0.3 }),
  gaussian: () => kernelFromDefinition({ family: 'gaussian', bandwidth: 2 }),
  polynomial: () => kernelFromDefinition({ family: 'polynomial', bandwidth: 1, degree: 2 }),
  cosine: () => kernelFromDefinition({ family: 'cosine' }),
  periodic: () => kernelFromDefinition({ family: 'periodic', bandwidth: 1, period: 0.7 }),
  sum: () => sumKernels(KERNELS.matern32(), KERNELS.polynomial()),
  /** One that no worker can build. */
  own: () => ({ ...KERNELS.matern32(), definition: undefined }),
};

/** A rank's stretch of points: equal ones, or growing ones of which the first ranks have none. */
function stretchOf({ rank, size }, count, uneven) {
  if (uneven !== true) return portionOf({ size }, rank, count);
  const at = (r) => Math.floor(count * (Math.max(0, r - 1) / Math.max(1, size - 1)) ** 2);
  return { first: rank === 0 ? 0 : at(rank), end: rank === size - 1 ? count : at(rank + 1) };
}

/** The largest number of points that the team was given of a source or of a distance, by the names of other arrays. */
function observePoints(team, dimension) {
  const held = {};
  let most = 0;
  const note = (some, depth) => {
    for (const [name, value] of Object.entries(some ?? {}))
      if (name === 'coordinates') most = Math.max(most, value.length / dimension);
      else if (typeof value === 'object' && !ArrayBuffer.isView(value) && depth < 8) note(value, depth + 1);
  };
  const share = team.share.bind(team);
  team.share = (state, sharing) => {
    most = 0;
    note(state, 0);
    for (const name of Object.keys(state)) held[name] = Math.max(held[name] ?? 0, most);
    return share(state, sharing);
  };
  return held;
}

/** A matrix of all points by one process, or of the parts of several: what it multiplies to, and its errors. */
export async function compressed(communicator, { size, dimension, from, kernel, uneven, noise, ...options }) {
  const team = await Team.open({ workers: kernel === 'sum' ? 2 : 1, communicator });
  const all = pointsOf(size, dimension, from);
  const nugget = noise === true ? Float64Array.from({ length: size }, (_, i) => 0.1 + (i % 7) / 10) : undefined;
  const { first, end } = stretchOf(communicator, size, uneven);
  const { coordinates } = all;
  const own = { dimension, count: end - first, coordinates: coordinates.slice(first * dimension, end * dimension) };
  const isAlone = communicator.size === 1;
  const source = isAlone
    ? kernelSource(all, KERNELS[kernel](), { nugget, ridge: 0.01, blas: team.blas })
    : await partitionedKernelSource(
        own,
        KERNELS[kernel](),
        { nugget: nugget?.slice(first, end), ridge: 0.01, blas: team.blas },
        { team },
      );
  const bandwidth =
    size < 2 ? 0 : isAlone ? medianBandwidth(all, 3, 500) : await partitionedBandwidth(own, 3, 500, { team });
  const held = observePoints(team, dimension);
  const matrix = await compress(source, { tolerance: 1e-3, ...options }, { team });
  const x = Float64Array.from({ length: size }, (_, k) => Math.sin(1.7 * k));
  const y = Array.from(matrix.apply(x).data);
  const { relative } = await matrix.estimateError(source, { columns: 40 }, { team });
  const { seen, recall, workers, distance } = matrix.report;
  await team.close();
  const { lowerBound } = source;
  return { held, found: { y, relative, seen, recall, workers, distance, bandwidth, lowerBound } };
}

/** Rows of random stretches that are brought again and again, kept or not, and sums over them in order. */
export async function brought(communicator, { seed, least = 0 }) {
  const { rank, size } = communicator;
  const random = new RandomStream(seed, 1);
  const counts = Array.from({ length: size }, () =>
    least > 0 ? least : random.integer(3) === 0 ? 0 : random.integer(40),
  );
  const first = counts.slice(0, rank).reduce((sum, count) => sum + count, 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const begin = stretches(communicator, counts[rank]);
  const value = (i, k) => Math.sqrt(i * 3 + k + 0.1);
  const rowsOf = (width) =>
    Float64Array.from({ length: width * counts[rank] }, (_, p) => value(first + Math.floor(p / width), p % width));
  const arrays = [
    { values: toShared(rowsOf(3)), width: 3 },
    { values: new Float64Array(0), width: 0 },
    { values: toShared(rowsOf(1)), width: 1 },
  ];
  const held = new HeldRows({ communicator, begin, arrays });
  const team = await Team.open({ workers: 2, communicator });
  let wrong = 0;
  const had = new Set();
  for (let time = 0; time < 5; time++) {
    const own = new RandomStream(seed, 2 + rank, time);
    const named = Int32Array.from({ length: all === 0 ? 0 : own.integer(30) }, () => own.integer(all));
    // By the team as well: many numbers.
    const many = toShared(Int32Array.from({ length: time === 3 ? 10_000 : 0 }, (_, k) => (all === 0 ? -1 : k % all)));
    const keeps = time % 3 !== 0;
    if (!keeps) had.clear();
    for (const i of [...named, ...many]) if (i >= 0) had.add(i);
    await (keeps ? held.add : held.hold).call(held, () => [named, Int32Array.of(-1), many], { team });
    const { places, count, arrays: rows } = held;
    if (count !== had.size || rows[1].length !== 0) wrong++;
    for (let i = 0; i < all; i++) {
      const at = placeOf(places, i);
      if (at >= 0 !== had.has(i)) wrong++;
      if (at < 0) continue;
      for (let k = 0; k < 3; k++) if (rows[0][3 * at + k] !== value(i, k)) wrong++;
      if (rows[2][at] !== value(i, 0)) wrong++;
    }
  }
  await team.close();
  const sums = new Float64Array(1);
  sumInOrder(communicator, sums, () => {
    for (let i = first; i < first + counts[rank]; i++) sums[0] += value(i, 0);
  });
  let expected = 0;
  for (let i = 0; i < all; i++) expected += value(i, 0);
  return { wrong, all: begin[size] === all, sum: sums[0] === expected };
}

/** What each misuse throws, on this rank. */
export async function misused(communicator, { misuse }) {
  const team = await Team.open({ workers: 1, communicator });
  const { rank } = communicator;
  const own = (dimension = 2) => pointsOf(10 + rank, dimension);
  const made = (points = own(), options = {}) => partitionedKernelSource(points, KERNELS.matern32(), options, { team });
  const acts = {
    'a point that is no number': () => {
      const points = own();
      if (rank === 1) points.coordinates[5] = NaN;
      return made(points);
    },
    'another dimension': () => made(own(rank === 1 ? 3 : 2)),
    'a short nugget': () => made(own(), { nugget: new Float64Array(rank === 1 ? 3 : 10 + rank) }),
    'a nugget on one rank': () => made(own(), rank === 1 ? { nugget: new Float64Array(11) } : {}),
    'entries of it': async () => (await made()).entries(Int32Array.of(0), Int32Array.of(0)),
    'products with it': async () => (await entryOperator(await made(), {}, { team })).apply(new Float64Array(21)),
    'distances of entries': async () => compress(await made(), { distance: 'angle' }, { team }),
    'entries that are held no more': async () => {
      const source = await made();
      const held = await source.parts.holding(() => [Int32Array.of(1, 2)], false);
      await source.parts.holding(() => [Int32Array.of(3)], false);
      held.entries(Int32Array.of(1), Int32Array.of(2), {
        data: new Float64Array(1),
        offset: 0,
        rows: 1,
        cols: 1,
        ld: 1,
      });
    },
    'entries that are not held': async () => {
      const held = await (await made()).parts.holding(() => [Int32Array.of(1, 2)], false);
      held.entries(Int32Array.of(1), Int32Array.of(3), {
        data: new Float64Array(1),
        offset: 0,
        rows: 1,
        cols: 1,
        ld: 1,
      });
    },
  };
  try {
    await acts[misuse]();
    return 'nothing';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  } finally {
    await team.close();
  }
}

/** Neighbors and tree of points in parts, as the public functions give them: whole. */
export async function ordered(communicator, { size, dimension, neighbors }) {
  const team = await Team.open({ workers: 1, communicator });
  const all = pointsOf(size, dimension);
  const { first, end } = stretchOf(communicator, size, true);
  const own = { dimension, count: end - first, coordinates: all.coordinates.slice(first * dimension, end * dimension) };
  const source =
    communicator.size === 1
      ? kernelSource(all, KERNELS.matern32(), { blas: team.blas })
      : await partitionedKernelSource(own, KERNELS.matern32(), { blas: team.blas }, { team });
  const lists = await findNeighbors(source, 'geometric', { neighbors, seed: 2 }, { team });
  const tree = await buildClusterTree(source, 'geometric', { leafSize: 50, seed: 2 }, { team });
  await team.close();
  return { indices: Array.from(lists.indices), distances: Array.from(lists.distances), order: Array.from(tree.order) };
}
