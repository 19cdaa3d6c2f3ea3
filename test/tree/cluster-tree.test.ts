import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { firstOfLevel } from '#hmatrix/core/indices.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import type { DistanceName } from '#hmatrix/tree/distances/table.js';
import { sharedTeam } from '../teams.js';
import { gramSource, hiddenKernel, normalPoints, pointSource } from './sources.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const members = (tree: ClusterTree, node: number): number[] =>
  [...tree.order.subarray(tree.begin[node], tree.end[node])].sort((a, b) => a - b);

/** Even indices in one blob, odd ones in another, far away in the first coordinate. */
function twoBlobs(count: number, dimension: number, gap: number, seed: number): Points {
  const points = normalPoints(count, dimension, seed);
  for (let i = 1; i < count; i += 2) points.coordinates[i * dimension] += gap;
  return points;
}

function isPartition(tree: ClusterTree): void {
  expect([...tree.order].sort((a, b) => a - b)).toEqual(Array.from({ length: tree.size }, (_, i) => i));
  for (let level = 0; level <= tree.depth; level++) {
    const nodes = Array.from({ length: 2 ** level }, (_, n) => firstOfLevel(level) + n);
    const sizes = nodes.map((ν) => tree.end[ν] - tree.begin[ν]);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(tree.begin[nodes[0]]).toBe(0);
    expect(tree.end[nodes[nodes.length - 1]]).toBe(tree.size);
    nodes.slice(1).forEach((ν, k) => expect(tree.begin[ν]).toBe(tree.end[nodes[k]]));
  }
}

describe('the two-centroid split', () => {
  const parts = (tree: ClusterTree): Set<number>[] => [1, 2].map((ν) => new Set(members(tree, ν).map((i) => i % 2)));

  it.each([
    [600, 2],
    [600, 30],
    [9000, 3],
    [9000, 20],
  ])('separates two blobs of %i points in %i dimensions', async (count, dimension) => {
    const tree = await buildClusterTree(
      pointSource(twoBlobs(count, dimension, 40, 1)),
      'geometric',
      { leafSize: count / 2, seed: 1 },
      { team },
    );
    expect(parts(tree)).toEqual([expect.objectContaining({ size: 1 }), expect.objectContaining({ size: 1 })]);
  });

  it.each<[DistanceName, number]>([
    ['gram', 600],
    ['angle', 600],
    ['gram', 5000],
    ['angle', 5000],
  ])('separates them by %s from entries alone, N = %i', async (distance, count) => {
    const source = hiddenKernel(twoBlobs(count, 3, 12, 2), 2, team.blas);
    const tree = await buildClusterTree(source, distance, { leafSize: count / 2, seed: 1 }, { team });
    expect(parts(tree).map((part) => part.size)).toEqual([1, 1]);
  });

  it('cuts points on a line into intervals, whatever their order', async () => {
    const count = 1000;
    const place = Int32Array.from({ length: count }, (_, i) => i);
    new RandomStream(3).shuffle(place);
    const points: Points = { dimension: 1, count, coordinates: Float64Array.from(place) };
    const tree = await buildClusterTree(pointSource(points), 'geometric', { leafSize: 20, seed: 1 }, { team });
    for (let ν = 0; ν < tree.begin.length; ν++) {
      const places = members(tree, ν).map((i) => place[i]);
      expect(Math.max(...places) - Math.min(...places)).toBe(places.length - 1);
    }
  });

  it('makes leaves far smaller than the set: mean squared radius below a quarter', async () => {
    const points = normalPoints(4096, 2, 5);
    const radius = (indices: readonly number[]): number => {
      const mean = [0, 1].map((c) => indices.reduce((s, i) => s + points.coordinates[2 * i + c], 0) / indices.length);
      return (
        indices.reduce(
          (s, i) => s + (points.coordinates[2 * i] - mean[0]) ** 2 + (points.coordinates[2 * i + 1] - mean[1]) ** 2,
          0,
        ) / indices.length
      );
    };
    const tree = await buildClusterTree(pointSource(points), 'geometric', { leafSize: 64, seed: 1 }, { team });
    const leaves = Array.from({ length: 64 }, (_, n) => radius(members(tree, 63 + n)));
    expect(leaves.reduce((s, r) => s + r, 0) / 64).toBeLessThan(0.25 * radius(members(tree, 0)));
  });

  it.each<DistanceName>(['gram', 'angle', 'lexicographic', 'random'])(
    'isolates rows with a zero diagonal in front of the root and halves the others (%s)',
    async (distance) => {
      const size = 640;
      const zero = new Set(Array.from({ length: size }, (_, i) => i).filter((i) => i % 7 < 3));
      const { order, begin, end, depth } = await buildClusterTree(
        gramSource(size, 4, 6, zero),
        distance,
        { leafSize: 40, seed: 1 },
        { team },
      );
      expect(begin[0]).toBe(zero.size);
      expect(new Set(order.subarray(0, zero.size))).toEqual(zero);
      expect(new Set(order).size).toBe(size);
      expect(depth).toBe(Math.ceil(Math.log2((size - zero.size) / 40)));
      const sizes = Array.from(
        end.subarray(firstOfLevel(depth)),
        (last, leaf) => last - begin[firstOfLevel(depth) + leaf],
      );
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(sizes.reduce((sum, n) => sum + n, 0)).toBe(size - zero.size);
    },
  );

  it.each<DistanceName>(['geometric', 'gram', 'angle'])(
    'stays balanced where all distances are equal (%s)',
    async (distance) => {
      const points: Points = { dimension: 2, count: 5001, coordinates: sharedFloat64(10_002) };
      const source: EntrySource = { ...hiddenKernel(points, 1, team.blas), points };
      const tree = await buildClusterTree(source, distance, { leafSize: 10, seed: 1 }, { team });
      isPartition(tree);
    },
  );
});

describe('buildClusterTree', () => {
  it('is a balanced partition of depth ceil(log2(N / leafSize)) for any points and sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 2, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (count, leafSize, dimension, rounded) => {
          const points = normalPoints(count, dimension, count);
          // Many equal coordinates, many equal points.
          if (rounded)
            points.coordinates.forEach((x, k) => {
              points.coordinates[k] = Math.round(x);
            });
          const tree = await buildClusterTree(pointSource(points), 'auto', { leafSize, seed: 1 }, { team });
          expect(tree.depth).toBe(Math.max(0, Math.ceil(Math.log2(count / leafSize))));
          expect(
            Math.max(
              ...tree.end
                .subarray(firstOfLevel(tree.depth))
                .map((end, n) => end - tree.begin[firstOfLevel(tree.depth) + n]),
            ),
          ).toBeLessThanOrEqual(leafSize);
          isPartition(tree);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not depend on how the indices are numbered, where centroids are found on all members', async () => {
    const points = normalPoints(500, 3, 8);
    const renamed = Int32Array.from({ length: 500 }, (_, i) => i);
    new RandomStream(9).shuffle(renamed);
    const coordinates = sharedFloat64(1500);
    renamed.forEach((to, i) => coordinates.set(points.coordinates.subarray(3 * i, 3 * i + 3), 3 * to));
    const a = await buildClusterTree(pointSource(points), 'geometric', { leafSize: 25, seed: 1 }, { team });
    const b = await buildClusterTree(
      pointSource({ ...points, coordinates }),
      'geometric',
      { leafSize: 25, seed: 1 },
      { team },
    );
    for (let ν = 0; ν < a.begin.length; ν++)
      expect(members(b, ν)).toEqual(
        members(a, ν)
          .map((i) => renamed[i])
          .sort((x, y) => x - y),
      );
  });

  it('is the same tree for teams of 1, 2 and 3', async () => {
    const points = normalPoints(9000, 4, 10);
    const wide = normalPoints(5000, 24, 11);
    const trees: ClusterTree[][] = [];
    for (const workers of [1, 2, 3]) {
      const other = await sharedTeam(workers);
      trees.push([
        await buildClusterTree(pointSource(points), 'geometric', { leafSize: 64, seed: 4 }, { team: other }),
        await buildClusterTree(pointSource(wide), 'geometric', { leafSize: 64, seed: 4 }, { team: other }),
        await buildClusterTree(
          hiddenKernel(points, 2, other.blas),
          'angle',
          { leafSize: 64, seed: 4 },
          { team: other },
        ),
        await buildClusterTree(hiddenKernel(wide, 6, other.blas), 'gram', { leafSize: 64, seed: 4 }, { team: other }),
      ]);
    }
    trees[0].forEach((tree, k) => {
      expect(trees[1][k].order).toEqual(tree.order);
      expect(trees[2][k].order).toEqual(tree.order);
    });
  });

  it('orders by index (lexicographic) or by a seeded shuffle (random)', async () => {
    const source = pointSource(normalPoints(100, 2, 12));
    const identity = Int32Array.from({ length: 100 }, (_, i) => i);
    const order = async (distance: DistanceName, seed: number): Promise<Int32Array> =>
      new Int32Array((await buildClusterTree(source, distance, { leafSize: 8, seed }, { team })).order);
    expect(await order('lexicographic', 1)).toEqual(identity);
    const shuffled = await order('random', 1);
    expect(shuffled).not.toEqual(identity);
    expect(shuffled.slice().sort()).toEqual(identity);
    expect(await order('random', 1)).toEqual(shuffled);
    expect(await order('random', 2)).not.toEqual(shuffled);
  });

  it('works on a source that cannot be handed to workers', async () => {
    const source = hiddenKernel(normalPoints(3000, 2, 13), 1, team.blas);
    const { entries, diagonal, size } = source;
    const alone = await buildClusterTree({ size, entries, diagonal }, 'angle', { leafSize: 100, seed: 1 }, { team });
    expect(alone.order).toEqual((await buildClusterTree(source, 'angle', { leafSize: 100, seed: 1 }, { team })).order);
  });

  it('refuses what it cannot do, by name', async () => {
    const source = pointSource(normalPoints(10, 2, 14));
    const { size, entries, diagonal } = source;
    await expect(buildClusterTree(source, 'auto', { leafSize: 1 }, { team })).rejects.toThrow(OptionError);
    await expect(buildClusterTree(source, 'euclidean' as DistanceName, { leafSize: 4 }, { team })).rejects.toThrow(
      /euclidean/,
    );
    await expect(buildClusterTree({ size, entries, diagonal }, 'geometric', { leafSize: 4 }, { team })).rejects.toThrow(
      /points/,
    );
  });

  it('names a distance that is not finite', async () => {
    const size = 300;
    const source: EntrySource = {
      size,
      entries: (rows, cols, out) => {
        cols.forEach((j, b) =>
          rows.forEach((i, a) => {
            out.data[out.offset + a + b * out.ld] = i === 5 && j !== 5 ? Number.NaN : Number(i === j);
          }),
        );
      },
      diagonal: (out) => {
        out.fill(1);
      },
    };
    await expect(buildClusterTree(source, 'angle', { leafSize: 10 }, { team })).rejects.toThrow(NonFiniteError);
    await expect(
      buildClusterTree(
        {
          ...source,
          diagonal: (out) => {
            out.fill(Number.NaN);
          },
        },
        'gram',
        { leafSize: 10 },
        { team },
      ),
    ).rejects.toThrow(/diagonal/);
  });

  it('reports progress and honours the signal', async () => {
    const source = pointSource(normalPoints(20_000, 6, 15));
    const seen: number[] = [];
    await buildClusterTree(
      source,
      'auto',
      { leafSize: 32 },
      {
        team,
        onProgress: ({ phase, done, total }) => {
          expect(phase).toBe('tree');
          seen.push(done / total);
        },
      },
    );
    expect(seen[seen.length - 1]).toBe(1);
    await expect(
      buildClusterTree(source, 'auto', { leafSize: 32 }, { team, signal: AbortSignal.abort() }),
    ).rejects.toThrow(AbortedError);
    const controller = new AbortController();
    await expect(
      buildClusterTree(
        source,
        'auto',
        { leafSize: 32 },
        { team, signal: controller.signal, onProgress: () => controller.abort() },
      ),
    ).rejects.toThrow(AbortedError);
    await expect(buildClusterTree(source, 'auto', { leafSize: 32 }, { team })).resolves.toHaveProperty('depth', 10);
  });
});
