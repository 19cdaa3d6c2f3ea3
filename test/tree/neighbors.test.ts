import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import type { DistanceName } from '#hmatrix/tree/distances/table.js';
import { findNeighbors, type Neighbors } from '#hmatrix/tree/neighbors.js';
import { sharedTeam } from '../teams.js';
import {
  angleDistance,
  geometricDistance,
  gramDistance,
  gramSource,
  hiddenKernel,
  nearestByBruteForce,
  normalPoints,
  pointSource,
  type PairDistance,
} from './sources.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const listOf = ({ count, indices }: Neighbors, i: number): number[] => [
  ...indices.subarray(i * count, (i + 1) * count),
];

/**
 * Every list ascending by (distance, index), without the index itself, without repetitions, with the distances it
 * states.
 */
function isWellFormed(found: Neighbors, size: number, distance: PairDistance, tolerance: number): void {
  const { count, indices, distances } = found;
  expect(indices.length).toBe(size * count);
  for (let i = 0; i < size; i += Math.ceil(size / 400)) {
    const list = listOf(found, i);
    expect(new Set([...list, i]).size).toBe(count + 1);
    const wrong = list.filter((j, k) => {
      const at = i * count + k;
      const before = distances[at - 1];
      const follows = k === 0 || distances[at] > before || (distances[at] === before && j > indices[at - 1]);
      // Squares are what has an absolute error.
      const isStated = Math.abs(distances[at] ** 2 - distance(i, j) ** 2) <= tolerance;
      return !(j >= 0 && j < size && follows && isStated);
    });
    expect({ i, wrong }).toEqual({ i, wrong: [] });
  }
}

/** Share of true neighbors among the found ones, over `rows` rows; one as near as the last true one counts. */
function recallOf(found: Neighbors, size: number, distance: PairDistance, rows: number): number {
  let hits = 0;
  for (let r = 0; r < rows; r++) {
    const i = Math.floor((r * size) / rows);
    const truth = nearestByBruteForce(size, distance, i, found.count);
    const limit = truth[truth.length - 1].distance * (1 + 1e-9);
    hits += listOf(found, i).filter((j) => distance(i, j) <= limit).length;
  }
  return hits / (rows * found.count);
}

describe('findNeighbors, exhaustively', () => {
  const size = 700;
  const exact = (found: Neighbors, distance: PairDistance, tolerance: number): void => {
    expect([found.recall, found.iterations]).toEqual([1, 0]);
    isWellFormed(found, size, distance, tolerance);
    expect(recallOf(found, size, distance, 50)).toBe(1);
  };

  const exactly = (found: Neighbors, count: number, distance: PairDistance): void => {
    expect([found.recall, found.iterations]).toEqual([1, 0]);
    isWellFormed(found, count, distance, 1e-14);
    expect(recallOf(found, count, distance, 50)).toBe(1);
  };

  it.each([1, 3, 16, 40])('finds the true neighbors of points in %i dimensions', async (dimension) => {
    const points = normalPoints(size, dimension, 1);
    exact(
      await findNeighbors(pointSource(points), 'geometric', { neighbors: 12 }, { team }),
      geometricDistance(points),
      1e-14 * dimension * dimension * 100,
    );
  });

  it('finds those of many points in one dimension, some of which coincide', async () => {
    const points = normalPoints(9000, 1, 3);
    for (let i = 0; i < 500; i++) points.coordinates[8000 + (i >> 3)] = points.coordinates[i];
    const found = await findNeighbors(pointSource(points), 'geometric', { neighbors: 12 }, { team });
    exactly(found, 9000, geometricDistance(points));
  });

  it.each([2, 3, 4])(
    'finds those of many points in %i dimensions, with outliers, and some that coincide',
    async (d) => {
      const points = normalPoints(5000, d, 3);
      points.coordinates.forEach((x, k) => {
        points.coordinates[k] = x ** 3;
      });
      for (let i = 0; i < 60 * d; i++) points.coordinates[1000 * d + i] = points.coordinates[(i % d) + d * 7];
      const found = await findNeighbors(pointSource(points), 'geometric', { neighbors: 12 }, { team });
      const distance = geometricDistance(points);
      exactly(found, 5000, distance);
      // Of the points farthest out, too.
      const out = Array.from({ length: 5000 }, (_, i) => i).sort((a, b) => distance(b, 0) - distance(a, 0));
      for (const i of out.slice(0, 50))
        expect(listOf(found, i)).toEqual(nearestByBruteForce(5000, distance, i, 12).map(({ index }) => index));
    },
  );

  it('gives the smaller index where points of a grid are equally near, on any team', async () => {
    const points: Points = { dimension: 2, count: 70 * 70, coordinates: sharedFloat64(2 * 70 * 70) };
    for (let i = 0; i < points.count; i++) {
      points.coordinates[2 * i] = i % 70;
      points.coordinates[2 * i + 1] = Math.floor(i / 70);
    }
    const lists = [];
    for (const workers of [1, 2, 3]) {
      const found = await findNeighbors(
        pointSource(points),
        'geometric',
        { neighbors: 9 },
        { team: await sharedTeam(workers) },
      );
      lists.push([...found.indices]);
      for (let i = 0; i < points.count; i += 131)
        expect(listOf(found, i)).toEqual(
          nearestByBruteForce(points.count, geometricDistance(points), i, 9).map(({ index }) => index),
        );
    }
    expect(lists[1]).toEqual(lists[0]);
    expect(lists[2]).toEqual(lists[0]);
  });

  it('refuses points so far apart that squares overflow', async () => {
    const points = normalPoints(3000, 2, 4);
    points.coordinates[100] = 1e300;
    await expect(findNeighbors(pointSource(points), 'geometric', { neighbors: 8 }, { team })).rejects.toThrow(
      NonFiniteError,
    );
  });

  it('does so far from the origin, where products would cancel', async () => {
    const points = normalPoints(size, 20, 2);
    points.coordinates.forEach((x, k) => {
      points.coordinates[k] = x + 1e6;
    });
    exact(
      await findNeighbors(pointSource(points), 'geometric', { neighbors: 12 }, { team }),
      geometricDistance(points),
      1e-8,
    );
  });

  it('finds them by gram and by angle, from entries alone', async () => {
    const source = gramSource(size, 30, 3);
    exact(await findNeighbors(source, 'gram', { neighbors: 12 }, { team }), gramDistance(source), 1e-11);
    exact(await findNeighbors(source, 'auto', { neighbors: 12 }, { team }), angleDistance(source), 1e-13);
  });

  it('takes the gram distance of a linear kernel for the geometric one', async () => {
    const points = normalPoints(300, 5, 4);
    const source = gramSource(300, 5, 4);
    const byEntries = await findNeighbors(source, 'gram', { neighbors: 8 }, { team });
    const byPoints = await findNeighbors(pointSource(points), 'geometric', { neighbors: 8 }, { team });
    expect(byEntries.indices).toEqual(byPoints.indices);
  });

  it('sets rows with a zero diagonal apart by angle: they are each other’s neighbors and nobody else’s', async () => {
    const zero = new Set(Array.from({ length: 60 }, (_, k) => 10 * k + 3));
    const source = gramSource(size, 6, 5, zero);
    const found = await findNeighbors(source, 'angle', { neighbors: 12 }, { team });
    isWellFormed(found, size, angleDistance(source), 1e-13);
    for (let i = 0; i < size; i++) for (const j of listOf(found, i)) expect(zero.has(j)).toBe(zero.has(i));
  });

  it('finds the same sets however the indices are numbered', async () => {
    const points = normalPoints(size, 4, 6);
    const renamed = Int32Array.from({ length: size }, (_, i) => i);
    new RandomStream(7).shuffle(renamed);
    const coordinates = sharedFloat64(4 * size);
    renamed.forEach((to, i) => coordinates.set(points.coordinates.subarray(4 * i, 4 * i + 4), 4 * to));
    const a = await findNeighbors(pointSource(points), 'geometric', { neighbors: 9 }, { team });
    const b = await findNeighbors(pointSource({ ...points, coordinates }), 'geometric', { neighbors: 9 }, { team });
    for (let i = 0; i < size; i++) expect(listOf(b, renamed[i])).toEqual(listOf(a, i).map((j) => renamed[j]));
  });

  it('gives at most N − 1 neighbors, and none where none are asked for', async () => {
    const few = await findNeighbors(pointSource(normalPoints(5, 2, 8)), 'geometric', { neighbors: 32 }, { team });
    expect(few.count).toBe(4);
    for (let i = 0; i < 5; i++) expect(listOf(few, i).sort()).toEqual([0, 1, 2, 3, 4].filter((j) => j !== i));
    expect(
      await findNeighbors(pointSource(normalPoints(1, 2, 8)), 'geometric', { neighbors: 3 }, { team }),
    ).toMatchObject({ count: 0, recall: 1 });
    expect(
      await findNeighbors(pointSource(normalPoints(9, 2, 8)), 'geometric', { neighbors: 0 }, { team }),
    ).toMatchObject({ count: 0, recall: 1 });
  });

  it('reads the neighbors of the lexicographic and the random distance off', async () => {
    const source = pointSource(normalPoints(50, 2, 9));
    const line = await findNeighbors(source, 'lexicographic', { neighbors: 6 }, { team });
    isWellFormed(line, 50, (i, j) => Math.abs(i - j), 0);
    expect(recallOf(line, 50, (i, j) => Math.abs(i - j), 50)).toBe(1);
    expect(listOf(line, 0)).toEqual([1, 2, 3, 4, 5, 6]);
    const random = await findNeighbors(source, 'random', { neighbors: 6, seed: 2 }, { team });
    expect(
      [...random.distances.subarray(0, 6)].every((d, k, all) => Number.isInteger(d) && (k === 0 || d >= all[k - 1])),
    ).toBe(true);
    expect(random.indices).not.toEqual(line.indices);
  });
});

describe('findNeighbors, of points in few dimensions', () => {
  const exact = async (points: Points, neighbors: number): Promise<Neighbors> => {
    const found = await findNeighbors(pointSource(points), 'geometric', { neighbors }, { team });
    expect([found.recall, found.iterations]).toEqual([1, 0]);
    isWellFormed(found, points.count, geometricDistance(points), 0);
    return found;
  };

  it.each([1, 2, 3, 4])('finds exactly the true ones in %i dimensions', async (dimension) => {
    const points = normalPoints(5003, dimension, 20 + dimension);
    const found = await exact(points, 17);
    for (let i = 0; i < 5003; i += 50) {
      const truth = nearestByBruteForce(5003, geometricDistance(points), i, 17);
      expect(listOf(found, i)).toEqual(truth.map(({ index }) => index));
    }
  });

  it('finds them for many neighbors, and where points lie on lattices, on lines or in heaps', async () => {
    const many = normalPoints(9000, 2, 31);
    expect(recallOf(await exact(many, 300), 9000, geometricDistance(many), 20)).toBe(1);
    const lattice: Points = { dimension: 2, count: 4096, coordinates: sharedFloat64(8192) };
    for (let i = 0; i < 4096; i++) lattice.coordinates.set([i & 63, i >> 6], 2 * i);
    expect(recallOf(await exact(lattice, 8), 4096, geometricDistance(lattice), 61)).toBe(1);
    const grid: Points = { dimension: 3, count: 3375, coordinates: sharedFloat64(10_125) };
    for (let i = 0; i < 3375; i++) grid.coordinates.set([i % 15, Math.floor(i / 15) % 15, Math.floor(i / 225)], 3 * i);
    expect(recallOf(await exact(grid, 8), 3375, geometricDistance(grid), 53)).toBe(1);
    const { coordinates } = normalPoints(4000, 2, 32);
    const byHeight = Array.from({ length: 4000 }, (_, i) => [3 * coordinates[2 * i], coordinates[2 * i + 1]]);
    const sorted = { dimension: 2, count: 4000, coordinates: sharedFloat64(8000) };
    sorted.coordinates.set(byHeight.sort((a, b) => a[1] - b[1]).flat());
    expect(recallOf(await exact(sorted, 8), 4000, geometricDistance(sorted), 97)).toBe(1);
    const heaps: Points = { dimension: 3, count: 4000, coordinates: sharedFloat64(12_000) };
    for (let i = 0; i < 4000; i++) heaps.coordinates.fill(1e8 + (i % 7), 3 * i, 3 * i + 3);
    expect(recallOf(await exact(heaps, 24), 4000, geometricDistance(heaps), 20)).toBe(1);
    const line: Points = { dimension: 4, count: 3000, coordinates: sharedFloat64(12_000) };
    for (let i = 0; i < 3000; i++) line.coordinates.fill(Math.sqrt(i), 4 * i, 4 * i + 2);
    expect(recallOf(await exact(line, 12), 3000, geometricDistance(line), 50)).toBe(1);
  });

  it('gives the same lists for teams of 1, 2 and 3, whatever the seed', async () => {
    const points = normalPoints(20_000, 3, 33);
    const found: Neighbors[] = [];
    for (const workers of [1, 2, 3])
      found.push(
        await findNeighbors(
          pointSource(points),
          'geometric',
          { neighbors: 16, seed: workers },
          { team: await sharedTeam(workers) },
        ),
      );
    for (const other of found.slice(1)) {
      expect(other.indices).toEqual(found[0].indices);
      expect(other.distances).toEqual(found[0].distances);
    }
  });

  it('names a point whose distances are not finite', async () => {
    const points = normalPoints(3000, 2, 34);
    points.coordinates[20] = 1e200;
    await expect(findNeighbors(pointSource(points), 'geometric', { neighbors: 4 }, { team })).rejects.toThrow(
      /Index 10 is at no finite distance/,
    );
  });
});

describe('findNeighbors, by projection trees', () => {
  const tree = async (
    source: EntrySource,
    name: DistanceName,
    distance: PairDistance,
    tolerance: number,
  ): Promise<void> => {
    const found = await findNeighbors(source, name, { neighbors: 16, seed: 1 }, { team });
    expect(found.iterations).toBeGreaterThan(0);
    isWellFormed(found, source.size, distance, tolerance);
    expect(found.recall).toBeGreaterThanOrEqual(0.9);
    // Two samples of about 100 rows: each has a standard error of about 0.01.
    expect(Math.abs(recallOf(found, source.size, distance, 100) - found.recall)).toBeLessThan(0.05);
  };

  it('reaches the recall it states for points in 6 and in 20 dimensions', async () => {
    const points = normalPoints(5000, 6, 1);
    await tree(pointSource(points), 'geometric', geometricDistance(points), 1e-12);
    // In 20 dimensions on a curved surface of 3: trees find their way there too.
    const base = normalPoints(5000, 3, 2).coordinates;
    const coordinates = sharedFloat64(100_000).map((_, k) =>
      Math.sin((1 + (k % 20) / 10) * base[3 * Math.floor(k / 20) + (k % 3)]),
    );
    const surface: Points = { dimension: 20, count: 5000, coordinates };
    await tree(pointSource(surface), 'geometric', geometricDistance(surface), 1e-12);
  });

  it('reaches it by gram and angle from the entries of a kernel', async () => {
    const source = hiddenKernel(normalPoints(2500, 3, 3), 1, team.blas);
    await tree(source, 'gram', gramDistance(source), 1e-13);
    await tree(source, 'angle', angleDistance(source), 1e-13);
  });

  it('finds copies of a point first, and lists nothing twice', async () => {
    const points = normalPoints(4500, 4, 4);
    points.coordinates.copyWithin(6000, 0, 6000);
    points.coordinates.copyWithin(12_000, 0, 6000);
    const found = await findNeighbors(pointSource(points), 'geometric', { neighbors: 8, seed: 1 }, { team });
    isWellFormed(found, 4500, geometricDistance(points), 1e-13);
    const complete = Array.from({ length: 4500 }, (_, i) => i).filter((i) =>
      listOf(found, i)
        .slice(0, 2)
        .every((j) => (j - i) % 1500 === 0),
    );
    // Copies fall on the same side of every cut, but where they straddle the median.
    expect(complete.length / 4500).toBeGreaterThan(0.99);
  });

  it('copes with all points equal', async () => {
    const points: Points = { dimension: 3, count: 3000, coordinates: sharedFloat64(9000).fill(2) };
    const found = await findNeighbors(pointSource(points), 'geometric', { neighbors: 8, seed: 1 }, { team });
    isWellFormed(found, 3000, () => 0, 0);
    expect(found.recall).toBe(1);
  });

  it('turns to the exhaustive search where trees lead nowhere', async () => {
    const points = normalPoints(2200, 60, 5);
    const found = await findNeighbors(
      pointSource(points),
      'geometric',
      { neighbors: 16, seed: 1, targetRecall: 0.99 },
      { team },
    );
    expect(found.recall).toBe(1);
    expect(found.iterations).toBeGreaterThan(1);
    expect(recallOf(found, 2200, geometricDistance(points), 50)).toBe(1);
  });

  it('stops at maxIterations and says what it reached', async () => {
    const points = normalPoints(4000, 12, 6);
    const found = await findNeighbors(
      pointSource(points),
      'geometric',
      { neighbors: 16, seed: 1, maxIterations: 1 },
      { team },
    );
    expect(found.iterations).toBe(1);
    expect(found.recall).toBeLessThan(0.9);
    expect(Math.abs(recallOf(found, 4000, geometricDistance(points), 100) - found.recall)).toBeLessThan(0.08);
  });

  it('gives the same lists for teams of 1, 2 and 3, other ones for another seed', async () => {
    const points = normalPoints(6000, 5, 7);
    const wide = normalPoints(3000, 24, 8);
    const found: Neighbors[][] = [];
    for (const workers of [1, 2, 3]) {
      const other = await sharedTeam(workers);
      found.push([
        await findNeighbors(pointSource(points), 'geometric', { neighbors: 16, seed: 1 }, { team: other }),
        await findNeighbors(
          pointSource(wide),
          'geometric',
          { neighbors: 16, seed: 1, targetRecall: 1 },
          { team: other },
        ),
        await findNeighbors(
          hiddenKernel(wide, 5, other.blas),
          'angle',
          { neighbors: 16, seed: 1, maxIterations: 3 },
          { team: other },
        ),
      ]);
    }
    found[0].forEach((lists, k) => {
      for (const others of [found[1][k], found[2][k]]) {
        expect(others.indices).toEqual(lists.indices);
        expect(others.distances).toEqual(lists.distances);
        expect(others.recall).toBe(lists.recall);
      }
    });
    expect(
      (await findNeighbors(pointSource(points), 'geometric', { neighbors: 16, seed: 2 }, { team })).indices,
    ).not.toEqual(found[0][0].indices);
  });
});

describe('findNeighbors and its caller', () => {
  it('works on a source that cannot be handed to workers', async () => {
    const { size, entries, diagonal } = hiddenKernel(normalPoints(2500, 2, 10), 1, team.blas);
    const found = await findNeighbors({ size, entries, diagonal }, 'auto', { neighbors: 8 }, { team });
    expect(found.recall).toBeGreaterThanOrEqual(0.9);
  });

  it('refuses options outside their domain, by name', async () => {
    const source = pointSource(normalPoints(10, 2, 11));
    for (const options of [
      { neighbors: -1 },
      { neighbors: 1.5 },
      { neighbors: 2, targetRecall: 0 },
      { neighbors: 2, targetRecall: 1.1 },
      { neighbors: 2, maxIterations: 0 },
    ]) {
      await expect(findNeighbors(source, 'auto', options, { team })).rejects.toThrow(OptionError);
    }
  });

  it('names an index whose distances are not finite', async () => {
    for (const size of [100, 2500]) {
      const source: EntrySource = {
        size,
        entries: (rows, cols, out) => {
          cols.forEach((j, b) =>
            rows.forEach((i, a) => {
              out.data[out.offset + a + b * out.ld] = i === j ? 1 : i === 5 || j === 5 ? Number.NaN : 0;
            }),
          );
        },
        diagonal: (out) => {
          out.fill(1);
        },
      };
      await expect(findNeighbors(source, 'angle', { neighbors: 4 }, { team })).rejects.toThrow(NonFiniteError);
    }
  });

  it('reports progress and honours the signal', async () => {
    const source = pointSource(normalPoints(20_000, 6, 12));
    const seen: number[] = [];
    await findNeighbors(
      source,
      'auto',
      { neighbors: 16 },
      {
        team,
        onProgress: ({ phase, done, total }) => {
          expect(phase).toBe('neighbors');
          seen.push(done / total);
        },
      },
    );
    expect(seen[seen.length - 1]).toBe(1);
    const controller = new AbortController();
    await expect(
      findNeighbors(
        source,
        'auto',
        { neighbors: 16 },
        { team, signal: controller.signal, onProgress: () => controller.abort() },
      ),
    ).rejects.toThrow(AbortedError);
    await expect(
      findNeighbors(source, 'auto', { neighbors: 16 }, { team, signal: AbortSignal.abort() }),
    ).rejects.toThrow(AbortedError);
  });
});
