import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { RowSampler, type RowSamplerState } from '#hmatrix/hierarchical/from-entries/row-sampler.js';
import { type ClusterTree, firstLeaf, leavesOf } from '#hmatrix/tree/cluster-tree.js';
import { randomSizes, treeOfLeaves } from './trees.js';

const ISOLATED = 13;

/** A sampler's state over leaves of random sizes; neighbors(i) are i's, `near` the leaves near a leaf. */
function stateOf(
  tree: ClusterTree,
  neighbors: readonly number[][] = [],
  near: (leaf: number) => number[] = (leaf) => [leaf],
): RowSamplerState {
  const leaves = leavesOf(tree);
  const leafOf = sharedInt32(tree.size).fill(leaves);
  for (let leaf = 0; leaf < leaves; leaf++) {
    const ν = firstLeaf(tree) + leaf;
    for (let p = tree.begin[ν]; p < tree.end[ν]; p++) leafOf[tree.order[p]] = leaf;
  }
  const lists = Array.from({ length: leaves }, (_, leaf) => near(leaf));
  const nearBegin = sharedInt32(leaves + 1);
  lists.forEach((list, leaf) => {
    nearBegin[leaf + 1] = nearBegin[leaf] + list.length;
  });
  const neighborCount = neighbors[0]?.length ?? 0;
  return {
    tree,
    leafOf,
    neighbors: Int32Array.from(neighbors.flat()),
    neighborCount,
    nearBegin,
    near: Int32Array.from(lists.flat()),
  };
}

const rowsOf = (sampler: RowSampler): number[] => [...sampler.rows.subarray(0, sampler.count)];

describe('sampled rows of a node', () => {
  const tree = treeOfLeaves(randomSizes(16, 5, 40, 3), 4, ISOLATED);
  const place = new Int32Array(tree.size);
  tree.order.forEach((i, p) => {
    place[i] = p;
  });
  const outside = (ν: number): number => tree.size - ISOLATED - (tree.end[ν] - tree.begin[ν]);

  it('are_distinct_and_lie_outside_the_node_and_its_near_leaves', () => {
    const near = (leaf: number): number[] => [leaf - 3, leaf, leaf + 3].filter((other) => other >= 0 && other < 16);
    const state = stateOf(tree, [], near);
    const sampler = new RowSampler(state, tree.size);
    for (const ν of [1, 2, 5, 9, 15, 22, 30]) {
      for (const wanted of [10, 60, 200]) {
        sampler.draw(ν, wanted, new RandomStream(ν, wanted));
        const rows = rowsOf(sampler);
        expect(new Set(rows).size).toBe(rows.length);
        expect(rows.length).toBe(Math.min(wanted, sampler.population));
        const inside = new Set<number>();
        for (let leaf = 0; leaf < 16; leaf++) {
          const first = tree.begin[firstLeaf(tree) + leaf];
          if (first >= tree.begin[ν] && first < tree.end[ν]) near(leaf).forEach((other) => inside.add(other));
        }
        for (const i of rows) expect(place[i] >= ISOLATED && !inside.has(state.leafOf[i])).toBe(true);
      }
    }
  });

  it('are_all_rows_outside_where_as_many_are_wanted', () => {
    const sampler = new RowSampler(stateOf(tree), tree.size);
    sampler.draw(4, outside(4), new RandomStream(1));
    expect([sampler.count, sampler.certain, sampler.uniformWeight]).toEqual([outside(4), outside(4), 1]);
    sampler.draw(4, outside(4) - 1, new RandomStream(1));
    expect([sampler.count, sampler.certain]).toEqual([outside(4) - 1, 0]);
  });

  it('come_from_every_cluster_in_proportion_to_its_size', () => {
    const sampler = new RowSampler(stateOf(tree), tree.size);
    const wanted = 64;
    for (const ν of [3, 8, 20]) {
      for (let seed = 0; seed < 20; seed++) {
        sampler.draw(ν, wanted, new RandomStream(seed));
        // Stretches that lie within a cluster of n rows: at least n/stretch − 2, and no more than n/stretch + 2 touch
        // it.
        const stretch = sampler.population / wanted;
        for (let μ = 1; μ < tree.begin.length; μ++) {
          if (tree.begin[μ] < tree.end[ν] && tree.begin[ν] < tree.end[μ]) continue;
          const found = rowsOf(sampler).filter((i) => place[i] >= tree.begin[μ] && place[i] < tree.end[μ]).length;
          expect(Math.abs(found - (tree.end[μ] - tree.begin[μ]) / stretch)).toBeLessThanOrEqual(2);
        }
      }
    }
  });

  it('estimate_every_sum_over_the_rows_outside_without_bias', () => {
    // 4,000 draws of 20 rows: each row is drawn 4,000·20/population times, a binomial number; 5.5 standard deviations
    // for some 300 rows.
    const sampler = new RowSampler(stateOf(tree), tree.size);
    const draws = 4000;
    const wanted = 20;
    const times = new Int32Array(tree.size);
    for (let seed = 0; seed < draws; seed++) {
      sampler.draw(6, wanted, new RandomStream(seed, 7));
      for (const i of rowsOf(sampler)) times[i]++;
    }
    const probability = wanted / outside(6);
    for (let p = ISOLATED; p < tree.size; p++) {
      const expected = p >= tree.begin[6] && p < tree.end[6] ? 0 : draws * probability;
      expect(Math.abs(times[tree.order[p]] - expected)).toBeLessThanOrEqual(5.5 * Math.sqrt(expected));
    }
    expect(sampler.uniformWeight ** 2).toBeCloseTo(1 / probability, 10);
  });

  it('begin_with_the_neighbors_that_have_most_votes', () => {
    // All have the same four neighbors, of which two lie outside node 1.
    const right = [...tree.order.subarray(tree.begin[2], tree.begin[2] + 2)];
    const left = [...tree.order.subarray(tree.begin[1], tree.begin[1] + 2)];
    const sampler = new RowSampler(
      stateOf(
        tree,
        Array.from({ length: tree.size }, () => [left[0], right[0], left[1], right[1]]),
      ),
      tree.size,
    );
    sampler.draw(1, 40, new RandomStream(2));
    expect(sampler.certain).toBe(2);
    expect(new Set(rowsOf(sampler).slice(0, 2))).toEqual(new Set(right));
    const rows = rowsOf(sampler);
    expect(new Set(rows).size).toBe(rows.length);
    expect(sampler.uniformWeight ** 2).toBeCloseTo((sampler.population - 2) / (rows.length - 2), 10);
  });
});
