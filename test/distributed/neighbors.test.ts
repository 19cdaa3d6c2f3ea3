/** Neighbors that several ranks search together: the lists of one, each sent to where it is searched next. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Traffic } from '#hmatrix/distributed/recorded.js';
import type { Neighbors } from '#hmatrix/tree/neighbors.js';
import { runInTurn } from './in-turn.js';

type Found = Neighbors & { readonly traffic: Readonly<Record<string, Traffic>> };

const CASES = {
  'by projection trees': { size: 9001, dimension: 6, neighbors: 8, distances: true },
  'by projection trees, without distances': { size: 9001, dimension: 6, neighbors: 8 },
  'by trees that end before their target': {
    size: 9001,
    dimension: 6,
    neighbors: 8,
    targetRecall: 0.999,
    maxIterations: 2,
    distances: true,
  },
  'by fewer subtrees than ranks': { size: 2100, dimension: 6, neighbors: 8, distances: true },
  'exhaustively after trees': { size: 2100, dimension: 40, neighbors: 8, targetRecall: 0.9999, distances: true },
  'exhaustively from the start': { size: 1500, dimension: 6, neighbors: 8, distances: true },
  'by boxes': { size: 5003, dimension: 2, neighbors: 8, distances: true },
  'by boxes of points on a grid': { size: 20_011, dimension: 3, neighbors: 12, stand: 'on a grid', distances: true },
  'by boxes of points in clusters': { size: 30_001, dimension: 2, neighbors: 8, stand: 'in clusters' },
  'by boxes of fewer subtrees than ranks': { size: 2100, dimension: 1, neighbors: 40 },
} as const;

/** By case, then by rank. */
const searchOn = (ranks: number, cases: readonly object[]): Promise<Found[][]> =>
  runInTurn(ranks, { module: new URL('neighbor-ranks.mjs', import.meta.url), name: 'lists' }, cases);
const told = ({ indices, distances, recall, iterations }: Found): object => ({
  indices: Array.from(indices),
  distances: Array.from(distances),
  recall,
  iterations,
});

describe('neighbors that several ranks search', () => {
  let byRanks: readonly Found[][][];
  beforeAll(async () => {
    const cases = Object.values(CASES);
    byRanks = [await searchOn(1, cases), await searchOn(2, cases), await searchOn(5, cases)];
  });

  it.each(Object.keys(CASES))('are_those_of_one_on_every_rank_%s', (name) => {
    const [[one], ...several] = byRanks.map((found) => found[Object.keys(CASES).indexOf(name)]);
    expect(several.map((ranks) => ranks.length)).toEqual([2, 5]);
    for (const found of several.flat()) {
      // No distances were asked for: one process has them anyway.
      const wanted = found.distances.length === 0 ? { ...told(one), distances: [] } : told(one);
      expect(told(found)).toEqual(wanted);
    }
  });

  it('move_with_their_indices_and_are_gathered_once', async () => {
    const data = CASES['by projection trees, without distances'];
    const ranks = 4;
    const [found] = await searchOn(ranks, [data]);
    const lists = 12 * data.neighbors * data.size;
    const [{ iterations }] = found;
    expect(iterations).toBeGreaterThan(1);
    for (const { traffic } of found) {
      // Of a rank's part of the lists, about (P − 1)/P are somewhere else in the next tree. Of each tree's log₂P cuts
      // that ranks share, it gets its indices with their holders, 8 bytes each, and at most half of them in brackets.
      const share = data.size / ranks;
      const cuts = iterations * Math.log2(ranks) * (8 + 16 / 2) * data.size * (1 / ranks);
      const moved = traffic['alltoall'].receivedBytes;
      expect(moved).toBeGreaterThan((0.5 * (iterations - 1) * lists) / ranks);
      expect(moved).toBeLessThan(1.01 * ((iterations - 1) * (lists / ranks + 4 * share) + 2 * cuts));
      // Once the order, and the indices of the lists; counts of brackets.
      const gathered = traffic['allgather'].receivedBytes;
      const sample = 12 * data.neighbors * 128;
      expect(gathered).toBeLessThan((1.02 * (4 * data.size + lists / 3) * (ranks - 1)) / ranks + sample);
    }
  });
});
