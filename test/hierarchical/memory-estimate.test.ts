/**
 * What a compression is expected to take, from the ranks of a few subtrees.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { forecastRanks, leastBytes } from '#hmatrix/hierarchical/from-entries/cost.js';
import { resolveOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
let tree: ClusterTree;

beforeAll(async () => {
  team = await sharedTeam(2);
  // Depth 5: leaves of 32, a root of 1,024.
  tree = await buildClusterTree(gaussianSource(1024, 2, 1, team.blas), 'auto', { leafSize: 32, seed: 0 }, { team });
});

/** Ranks at all nodes of the deepest `known` levels of one subtree, by level from the leaves. */
function known(byLevel: readonly number[]): { ranks: Int32Array; done: Int32Array } {
  const ranks = new Int32Array(63);
  const done = new Int32Array(63);
  byLevel.forEach((rank, up) => {
    const ν = 2 ** (5 - up) - 1;
    ranks[ν] = rank;
    done[ν] = 1;
  });
  return { ranks, done };
}

describe('forecastRanks', () => {
  it('goes_on_as_the_last_two_levels_did_and_never_beyond_the_limit', () => {
    expect(tree.depth).toBe(5);
    const { ranks, done } = known([8, 10, 15]);
    const forecast = forecastRanks(tree, ranks, done, 30);
    // The root has no basis; levels 5, 4, 3 are known, 2 is 1.5 times as much, 1 would be 33.75.
    expect(Array.from(forecast)).toEqual([0, 30, 22.5, 15, 10, 8]);
  });

  it('never_shrinks_and_never_more_than_doubles', () => {
    const shrinking = known([20, 10]);
    expect(Array.from(forecastRanks(tree, shrinking.ranks, shrinking.done, 100)).slice(1)).toEqual([
      10, 10, 10, 10, 20,
    ]);
    const exploding = known([2, 20]);
    expect(Array.from(forecastRanks(tree, exploding.ranks, exploding.done, 100)).slice(1)).toEqual([
      100, 80, 40, 20, 2,
    ]);
  });

  it('takes_a_growth_that_is_usual_where_leaves_alone_are_known', () => {
    const { ranks, done } = known([10]);
    const forecast = forecastRanks(tree, ranks, done, 1000);
    expect(forecast[4]).toBeCloseTo(14, 10);
    expect(forecast[1]).toBeGreaterThan(2 * forecast[4]);
  });
});

describe('a compression', () => {
  it('that_cannot_fit_is_refused_before_neighbors_are_searched', async () => {
    const inner = gaussianSource(20_000, 2, 1, team.blas);
    let asked = 0;
    const counting = {
      size: inner.size,
      points: inner.points,
      diagonal: (out: Float64Array) => {
        inner.diagonal(out);
      },
      entries: (...args: Parameters<typeof inner.entries>) => {
        asked += args[0].length * args[1].length;
        inner.entries(...args);
      },
    };
    const failure: unknown = await compress(counting, { memoryLimit: 1e6 }, { team }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MemoryError);
    const { bytes } = (failure as MemoryError).data as { bytes: number };
    expect(bytes).toBe(leastBytes(20_000, resolveOptions({})));
    // Validation alone.
    expect(asked).toBeLessThan(20_000);
  });

  it('is_expected_to_take_more_than_what_it_stores_and_not_many_times_as_much', async () => {
    for (const options of [{}, { format: 'hodlr' }, { format: 'fmm' }, { dtype: 'f32' }] as const) {
      const source = gaussianSource(8192, 2, 1, team.blas);
      const how = { leafSize: 64, tolerance: 1e-4, ...options };
      const matrix = await compress(source, how, { team });
      const { bytes: stored } = matrix.memory();
      matrix.release();
      let expected = leastBytes(8192, resolveOptions(how));
      const failure: unknown = await compress(source, { ...how, memoryLimit: expected }, { team }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(MemoryError);
      expected = (failure as MemoryError).data['bytes'] as number;
      expect(expected).toBeGreaterThan(stored);
      // Threads and samples take 0.1 GB whatever the matrix.
      expect(expected).toBeLessThan(4 * stored + 1.5e8);
    }
  });
});
