/**
 * What a compression is expected to need: at once, and from the ranks of a few subtrees.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { forecastRanks, leastBytes } from '#hmatrix/hierarchical/from-entries/memory-estimate.js';
import { resolveOptions, type CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { NodeSample } from '#hmatrix/hierarchical/from-entries/node-sample.js';
import { pilotLeaves, pilotSubtrees } from '#hmatrix/hierarchical/from-entries/pilot.js';
import { RowSampler } from '#hmatrix/hierarchical/from-entries/row-sampler.js';
import { usualRows } from '#hmatrix/hierarchical/from-entries/skeletonize.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { firstLeaf, type ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

const { open } = RowSampler.prototype;
const { begin } = NodeSample.prototype;

let team: Team;
let tree: ClusterTree;

beforeAll(async () => {
  team = await sharedTeam(2);
  // Depth 6: leaves of 32, a root of 2,048.
  tree = await buildClusterTree(gaussianSource(2048, 2, 1, team.blas), 'auto', { leafSize: 32, seed: 0 }, { team });
});

/** Ranks of one node of each of the deepest levels, the leaves' level first. */
function found(byLevel: readonly number[]): { ranks: Int32Array; done: Int32Array; needed: Int32Array } {
  const ranks = new Int32Array(127);
  const done = new Int32Array(127);
  byLevel.forEach((rank, up) => {
    const ν = 2 ** (6 - up) - 1;
    ranks[ν] = rank;
    done[ν] = 1;
  });
  return { ranks, done, needed: new Int32Array(127).fill(1) };
}

const failureOf = (source: EntrySource, options: CompressOptions): Promise<MemoryError> =>
  compress(source, options, { team }).then(
    () => {
      throw new Error('not refused');
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(MemoryError);
      return error as MemoryError;
    },
  );

describe('forecastRanks', () => {
  it('goes_on_as_the_levels_that_are_known_and_never_beyond_the_limit', () => {
    const forecast = forecastRanks(tree, found([8, 12, 18, 27]), 50);
    expect(Array.from(forecast.subarray(3))).toEqual([27, 18, 12, 8]);
    // Less from level to level, and no more below the root.
    expect(forecast[2]).toBeCloseTo(27 * 1.425, 10);
    expect(forecast[1]).toBe(forecast[2]);
    expect(Array.from(forecastRanks(tree, found([8, 12, 18, 27]), 30).subarray(0, 3))).toEqual([0, 30, 30]);
  });

  it('lets_ranks_fall_and_never_more_than_double', () => {
    const falling = forecastRanks(tree, found([20, 10]), 100);
    expect(falling[4]).toBe(5);
    expect(falling[3]).toBe(2.5);
    const exploding = forecastRanks(tree, found([2, 20]), 100);
    expect(exploding[4]).toBe(37);
    expect(exploding[3]).toBeCloseTo(37 * 1.7225, 10);
  });

  it('takes_a_growth_that_is_usual_where_leaves_alone_are_known', () => {
    const forecast = forecastRanks(tree, found([10]), 1000);
    expect(forecast[5]).toBeCloseTo(13.4, 10);
    expect(forecast[4]).toBeCloseTo(13.4 * 1.289, 10);
  });
});

describe('usualRows', () => {
  it.each([
    [2, 128, 128, 1e-5],
    [3, 64, 64, 1e-3],
    [3, 256, 512, 1e-4],
  ])(
    'are_those_that_nodes_sample_and_try: %d dimensions, leaves of %d',
    async (dimension, leafSize, maxRank, tolerance) => {
      const alone = await sharedTeam(1);
      const sampled: { columns: number; sampler: RowSampler; rows: number }[] = [];
      const opens = vi.spyOn(RowSampler.prototype, 'open').mockImplementation(function (this: RowSampler, ...given) {
        // What it took for the node before.
        if (sampled.length > 0) sampled[sampled.length - 1].rows = this.count;
        sampled.push({ columns: 0, sampler: this, rows: 0 });
        open.apply(this, given);
      });
      const begins = vi.spyOn(NodeSample.prototype, 'begin').mockImplementation(function (this: NodeSample, ...given) {
        sampled[sampled.length - 1].columns = given[0].length;
        begin.apply(this, given);
      });
      try {
        const source = gaussianSource(4096, dimension, 1, alone.blas);
        (await compress(source, { leafSize, maxRank, tolerance, format: 'hss' }, { team: alone })).release();
      } finally {
        opens.mockRestore();
        begins.mockRestore();
      }
      sampled[sampled.length - 1].rows = sampled[sampled.length - 1].sampler.count;
      const shares = sampled.map(({ columns, rows }) => rows / usualRows(columns));
      expect(shares.length).toBeGreaterThan(20);
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      expect(mean).toBeGreaterThan(0.6);
      expect(mean).toBeLessThan(1.5);
    },
  );
});

describe('pilotSubtrees', () => {
  it('are_whole_and_their_children_come_before_parents', () => {
    const { nodes, graph } = pilotSubtrees(tree);
    expect(nodes.length).toBe(4 * 15);
    expect(new Set(nodes).size).toBe(nodes.length);
    expect(graph.count).toBe(nodes.length);
    nodes.forEach((ν, task) => {
      const left = nodes.indexOf(2 * ν + 1);
      const right = nodes.indexOf(2 * ν + 2);
      if (ν >= firstLeaf(tree)) expect([left, right, graph.predecessors[task]]).toEqual([-1, -1, 0]);
      else {
        expect(left).toBeGreaterThanOrEqual(0);
        expect(right).toBeGreaterThanOrEqual(0);
        expect(Math.max(left, right)).toBeLessThan(task);
        expect(graph.predecessors[task]).toBe(2);
      }
    });
    expect(Array.from(pilotLeaves(tree)).every((ν) => ν >= firstLeaf(tree))).toBe(true);
  });

  it('are_none_in_a_small_tree', async () => {
    const small = await buildClusterTree(
      gaussianSource(100, 2, 1, team.blas),
      'auto',
      { leafSize: 32, seed: 0 },
      { team },
    );
    expect(pilotSubtrees(small).nodes.length).toBe(0);
  });
});

describe('a compression', () => {
  it('that_no_ranks_would_fit_is_refused_before_neighbors_are_searched', async () => {
    const inner = gaussianSource(20_000, 2, 1, team.blas);
    let asked = 0;
    const counting: EntrySource = {
      size: inner.size,
      diagonal: (out) => {
        inner.diagonal(out);
      },
      entries: (rows, cols, out) => {
        asked += rows.length * cols.length;
        inner.entries(rows, cols, out);
      },
    };
    const failure = await failureOf(counting, { memoryLimit: 1e6 });
    expect(failure.data['bytes']).toBe(leastBytes(20_000, 20_000, { ...resolveOptions({}), leafSize: 64 }, 12, 1));
    // Validation alone.
    expect(asked).toBeLessThan(20_000);
  });

  it('that_stores_nearly_nothing_is_not_refused_for_indices_that_stand_in_no_leaf', () => {
    const options = { ...resolveOptions({ neighbors: 1 }), leafSize: 256 };
    expect(leastBytes(1e6, 1000, options, 12, 1)).toBe(12e6);
    expect(leastBytes(1e6, 1e6, options, 12, 1)).toBeGreaterThan(9e8);
  });

  it('is_expected_to_take_more_than_it_stores_and_not_many_times_as_much', async () => {
    for (const options of [{}, { format: 'hodlr' }, { format: 'fmm' }, { dtype: 'f32' }] as const) {
      const source = gaussianSource(8192, 2, 1, team.blas);
      const how = { leafSize: 64, maxRank: 64, tolerance: 1e-4, ...options };
      const matrix = await compress(source, how, { team });
      const { bytes: stored } = matrix.memory();
      matrix.release();
      const least = leastBytes(8192, 8192, { ...resolveOptions(how), leafSize: 64 }, 4, 1);
      const failure = await failureOf(source, { ...how, memoryLimit: least });
      const bytes = failure.data['bytes'] as number;
      expect(bytes).toBeGreaterThan(Math.max(least, stored));
      // Threads take 44 MB whatever the matrix.
      expect(bytes).toBeLessThan(4 * stored + 6e7);
    }
  });
});
