import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { RowSampler, type RowSamplerState } from '#hmatrix/hierarchical/from-entries/row-sampler.js';
import { findVoters } from '#hmatrix/hierarchical/from-entries/voters.js';
import { rowPools } from '#hmatrix/hierarchical/from-entries/row-pools.js';
import { onTeam } from '#hmatrix/parallel/default-team.js';
import { type ClusterTree, firstLeaf, leavesOf } from '#hmatrix/tree/cluster-tree.js';
import { knownIndices } from '#hmatrix/tree/known-indices.js';
import { randomSizes, treeOfLeaves } from './trees.js';

const ISOLATED = 13;
const POOLS = { seed: 3, round: 0 };

/** A sampler's state over leaves of random sizes; neighbors(i) are i's, `near` the leaves near a leaf. */
async function stateOf(
  tree: ClusterTree,
  neighbors: readonly number[][] = [],
  near: (leaf: number) => number[] = (leaf) => [leaf],
): Promise<RowSamplerState> {
  const leaves = leavesOf(tree);
  const lists = Array.from({ length: leaves }, (_, leaf) => near(leaf));
  const nearBegin = sharedInt32(leaves + 1);
  lists.forEach((list, leaf) => {
    nearBegin[leaf + 1] = nearBegin[leaf] + list.length;
  });
  const neighborCount = neighbors[0]?.length ?? 0;
  const flat = Int32Array.from(neighbors.flat());
  const control = await onTeam({}, 'test');
  const listed = { indices: flat, rowOf: Int32Array.from({ length: tree.size }, (_, i) => i), count: neighborCount };
  const known = await knownIndices(tree, listed, [], control);
  return {
    tree,
    neighbors: flat,
    neighborCount,
    ...(await findVoters(tree, known, listed, {}, control)),
    nearBegin,
    near: Int32Array.from(lists.flat()),
    pools: rowPools(tree, 0, POOLS),
    witnesses: new Int32Array(0),
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

  it('have_witnesses_outside_once_among_them_that_weigh_one', async () => {
    const witnesses = Int32Array.from([place.indexOf(0), 3, 7, 11, 3]);
    const state = { ...(await stateOf(tree)), witnesses };
    const sampler = new RowSampler(state);
    for (const ν of [1, 2, 15, 30]) {
      sampler.open(ν);
      const isOutside = (i: number): boolean =>
        place[i] >= tree.begin[0] && place[i] < tree.end[0] && (place[i] < tree.begin[ν] || place[i] >= tree.end[ν]);
      const expected = [...new Set(witnesses)].filter(isOutside);
      expect(sampler.takeWitnesses()).toBe(expected.length);
      expect(sampler.witnessed).toBe(expected.length);
      expect(rowsOf(sampler)).toEqual(expected);
      expect([...sampler.weights.subarray(0, sampler.count)].every((weight) => weight === 1)).toBe(true);
      sampler.takeRest();
      expect(new Set(rowsOf(sampler)).size).toBe(outside(ν));
    }
  });

  it('are_distinct_and_lie_outside_the_node_and_its_near_leaves', async () => {
    const near = (leaf: number): number[] => [leaf - 3, leaf, leaf + 3].filter((other) => other >= 0 && other < 16);
    const state = await stateOf(tree, [], near);
    const sampler = new RowSampler(state);
    for (const ν of [1, 2, 5, 9, 15, 22, 30]) {
      const inside = new Set<number>();
      for (let leaf = 0; leaf < 16; leaf++) {
        const first = tree.begin[firstLeaf(tree) + leaf];
        if (first >= tree.begin[ν] && first < tree.end[ν]) near(leaf).forEach((other) => inside.add(other));
      }
      const members = [...inside].reduce((sum, leaf) => {
        const node = firstLeaf(tree) + leaf;
        return sum + tree.end[node] - tree.begin[node];
      }, 0);
      sampler.open(ν);
      expect(sampler.population).toBe(tree.size - ISOLATED - members);
      const random = new RandomStream(ν);
      for (const wanted of [10, 30, 60]) {
        sampler.takeSpread(wanted, random);
        const rows = rowsOf(sampler);
        expect(new Set(rows).size).toBe(rows.length);
        for (const i of rows) expect(place[i] >= ISOLATED && !inside.has(state.leafAt[i])).toBe(true);
      }
      sampler.takeRest();
      expect(sampler.complete).toBe(true);
      const all = rowsOf(sampler);
      expect(new Set(all).size).toBe(sampler.population);
      expect(all.length).toBe(sampler.population);
    }
  });

  it('come_from_every_cluster_and_more_from_those_next_to_the_node', async () => {
    const sampler = new RowSampler(await stateOf(tree));
    for (const ν of [3, 8, 20]) {
      for (let seed = 0; seed < 20; seed++) {
        sampler.open(ν);
        const count = sampler.takeSpread(64, new RandomStream(seed));
        expect(count).toBeGreaterThanOrEqual(32);
        expect(count).toBeLessThanOrEqual(2 * 64);
        const found = (μ: number): number =>
          rowsOf(sampler).filter((i) => place[i] >= tree.begin[μ] && place[i] < tree.end[μ]).length;
        // Every sibling of the node and of what stands above it is a ring of its own.
        let last = 1;
        for (let μ = ν; μ > 0; μ = (μ - 1) >> 1) {
          const sibling = μ % 2 === 1 ? μ + 1 : μ - 1;
          const share = found(sibling) / (tree.end[sibling] - tree.begin[sibling]);
          expect(found(sibling)).toBeGreaterThan(0);
          expect(share).toBeLessThanOrEqual(1.2 * last);
          last = share;
        }
      }
    }
  });

  it('estimate_every_sum_over_the_rows_outside_without_bias', async () => {
    // The weights of a row, squared, have the mean 1 over draws: within six standard deviations, for some 300 rows.
    const shared = [...tree.order.subarray(tree.begin[1], tree.begin[1] + 3)];
    const sampler = new RowSampler(
      await stateOf(
        tree,
        Array.from({ length: tree.size }, () => [...shared, tree.order[tree.begin[2]]]),
      ),
    );
    const draws = 4000;
    for (const neighbors of [0, 2]) {
      const sum = new Float64Array(tree.size);
      const squares = new Float64Array(tree.size);
      for (let seed = 0; seed < draws; seed++) {
        sampler.open(6);
        expect(sampler.takeNeighbors(neighbors)).toBe(neighbors);
        sampler.takeSpread(20, new RandomStream(seed, 7));
        for (let r = 0; r < sampler.count; r++) {
          sum[sampler.rows[r]] += sampler.weights[r] ** 2;
          squares[sampler.rows[r]] += sampler.weights[r] ** 4;
        }
      }
      for (let p = ISOLATED; p < tree.size; p++) {
        const i = tree.order[p];
        if (p >= tree.begin[6] && p < tree.end[6]) {
          expect(sum[i]).toBe(0);
          continue;
        }
        const mean = sum[i] / draws;
        const deviation = Math.sqrt((squares[i] / draws - mean * mean) / draws);
        expect(Math.abs(mean - 1)).toBeLessThanOrEqual(6 * deviation + 1e-12);
      }
    }
  });

  it('weigh_a_second_batch_so_that_it_stands_for_all_rows_by_itself', async () => {
    const sampler = new RowSampler(await stateOf(tree));
    for (let seed = 0; seed < 50; seed++) {
      const random = new RandomStream(seed);
      sampler.open(5);
      sampler.takeSpread(24, random);
      const first = sampler.count;
      sampler.takeSpread(24, random);
      let total = 0;
      for (let r = first; r < sampler.count; r++) total += sampler.weights[r] ** 2;
      expect(total).toBeCloseTo(outside(5), 6);
    }
  });

  it('hold_lonely_rows_and_single_ones_once_and_the_draw_stands_for_the_rest', async () => {
    // Everyone knows three rows of node 2 and nobody knows the others.
    const known = [...tree.order.subarray(tree.begin[2], tree.begin[2] + 3)];
    const state = await stateOf(
      tree,
      Array.from({ length: tree.size }, () => known),
    );
    const sampler = new RowSampler(state);
    const draws = 3000;
    const sum = new Float64Array(tree.size);
    let rows: number[] = [];
    for (let seed = 0; seed < draws; seed++) {
      sampler.open(3);
      expect(sampler.takeLoners(5)).toBe(5);
      rows = rowsOf(sampler);
      for (const i of [known[0], known[1], known[0], rows[0]]) sampler.takeRow(i, state.leafAt[i]);
      expect(rowsOf(sampler)).toEqual([...rows, known[0], known[1]]);
      sampler.takeSpread(20, new RandomStream(seed, 8));
      expect(new Set(rowsOf(sampler)).size).toBe(sampler.count);
      for (const i of rowsOf(sampler)) {
        const around: number[] = [];
        sampler.around(i, (j, leaf) => around.push(leaf === state.leafAt[i] ? j : -1));
        const ν = firstLeaf(tree) + state.leafAt[i];
        expect(around).toEqual([...tree.order.subarray(tree.begin[ν], tree.end[ν])]);
      }
      for (let r = 0; r < sampler.count; r++) sum[sampler.rows[r]] += sampler.weights[r] ** 2;
    }
    expect(rows.every((i) => !known.includes(i) && (place[i] < tree.begin[3] || place[i] >= tree.end[3]))).toBe(true);
    let total = 0;
    for (const value of sum) total += value / draws;
    expect(Math.abs(total / sampler.population - 1)).toBeLessThan(1e-9);
    for (const i of [...rows, known[0], known[1]]) expect(sum[i]).toBe(draws);
  });

  it('begin_with_the_neighbors_that_have_most_votes', async () => {
    // All have the same four neighbors, of which two lie outside node 1.
    const right = [...tree.order.subarray(tree.begin[2], tree.begin[2] + 2)];
    const left = [...tree.order.subarray(tree.begin[1], tree.begin[1] + 2)];
    const neighbors = Array.from({ length: tree.size }, () => [left[0], right[0], left[1], right[1]]);
    const sampler = new RowSampler(await stateOf(tree, neighbors));
    sampler.open(1);
    expect(sampler.takeNeighbors(2)).toBe(2);
    expect(new Set(rowsOf(sampler))).toEqual(new Set(right));
    expect([...sampler.weights.subarray(0, 2)]).toEqual([1, 1]);
  });

  it('know_an_outlier_by_its_own_neighbors', async () => {
    // Node 1's indices have each other for neighbors; one index elsewhere has them, too.
    const members = [...tree.order.subarray(tree.begin[1], tree.end[1])];
    const others = [...tree.order.subarray(tree.begin[2] + 1, tree.end[2])];
    const outlier = tree.order[tree.begin[2]];
    const own = new Set(members);
    const neighbors = Array.from({ length: tree.size }, (_, i) =>
      (i === outlier || own.has(i) ? members : others).filter((j) => j !== i).slice(0, 4),
    );
    const sampler = new RowSampler(await stateOf(tree, neighbors));
    sampler.open(1);
    expect(sampler.takeNeighbors(10)).toBe(1);
    expect(rowsOf(sampler)).toEqual([outlier]);
  });

  it('come_from_pools_of_clusters_of_many_rows_and_stand_for_all_of_them', async () => {
    const large = treeOfLeaves(randomSizes(128, 350, 650, 5), 6, ISOLATED);
    const sampler = new RowSampler(await stateOf(large));
    const at = new Int32Array(large.size);
    large.order.forEach((i, p) => {
      at[i] = p;
    });
    for (const ν of [1, 2, 9, 100, 254]) {
      const rows = large.end[0] - large.begin[0] - (large.end[ν] - large.begin[ν]);
      const draws = 40;
      let positions = 0;
      for (let seed = 0; seed < draws; seed++) {
        sampler.open(ν);
        expect(sampler.population).toBe(rows);
        expect(sampler.isWhole).toBe(false);
        sampler.takeSpread(300, new RandomStream(seed, ν));
        const drawn = rowsOf(sampler);
        expect(new Set(drawn).size).toBe(drawn.length);
        let total = 0;
        drawn.forEach((i, r) => {
          const square = sampler.weights[r] ** 2;
          total += square;
          expect(at[i] >= large.begin[0] && (at[i] < large.begin[ν] || at[i] >= large.end[ν])).toBe(true);
          positions += (square * at[i]) / draws;
        });
        expect(total).toBeCloseTo(rows, 4);
      }
      let exact = 0;
      for (let p = large.begin[0]; p < large.end[0]; p++) if (p < large.begin[ν] || p >= large.end[ν]) exact += p;
      // Stretches of a hundredth of the rows: a sum over one draw is off by some thousandths.
      expect(Math.abs(positions / exact - 1)).toBeLessThan(0.005);
    }
  });

  it('stand_for_more_rows_where_a_pool_is_a_smaller_part_of_its_cluster', async () => {
    // Around the first leaf, to which the fifth is near, a ring of leaves 2 and 3, and 6 and 7.
    const uneven = treeOfLeaves([2000, 2000, 30_000, 30_000, 2000, 2000, 5000, 5000], 8);
    const sampler = new RowSampler(await stateOf(uneven, [], (leaf) => (leaf % 4 === 0 ? [0, 4] : [leaf])));
    const small = new Set(uneven.order.subarray(uneven.begin[6], uneven.end[6]));
    let sum = 0;
    const draws = 200;
    for (let seed = 0; seed < draws; seed++) {
      sampler.open(7);
      sampler.takeSpread(400, new RandomStream(seed));
      rowsOf(sampler).forEach((i, r) => {
        if (small.has(i)) sum += sampler.weights[r] ** 2 / draws;
      });
    }
    expect(Math.abs(sum / 10_000 - 1)).toBeLessThan(0.01);
  });

  it('stand_for_all_rows_in_any_batch_and_say_when_pools_get_scarce', async () => {
    const large = treeOfLeaves([20_000, 20_000, 20_000, 20_000], 6);
    const state = { ...(await stateOf(large)), pools: { ...rowPools(large, 0, POOLS), least: 8192 } };
    const sampler = new RowSampler(state);
    for (const [ν, wanted] of [
      [1, 700],
      [3, 1500],
      [6, 60],
    ]) {
      sampler.open(ν);
      let batches = 0;
      for (; !sampler.isScarce; batches++) {
        const from = sampler.count;
        sampler.takeSpread(wanted, new RandomStream(batches));
        const total = sampler.weights.subarray(from, sampler.count).reduce((sum, weight) => sum + weight * weight, 0);
        expect(total).toBeCloseTo(sampler.population, 4);
      }
      // What is left of each pool judges a sample that took all before.
      const from = sampler.count;
      sampler.takeSpread(Math.ceil(from / 8), new RandomStream(1000));
      const total = sampler.weights.subarray(from, sampler.count).reduce((sum, weight) => sum + weight * weight, 0);
      expect(total).toBeCloseTo(sampler.population, 4);
      expect(batches).toBeGreaterThan(2);
      expect([sampler.complete, sampler.isWhole]).toEqual([false, false]);
    }
    sampler.open(1);
    sampler.takeSpread(100, new RandomStream(1));
    const leaves = new Set<number>();
    sampler.around(sampler.rows[0], (_, leaf) => leaves.add(leaf));
    expect([...leaves].every((leaf) => leaf === 2 || leaf === 3)).toBe(true);
  });

  it('are_other_ones_of_pools_in_another_round', async () => {
    const large = treeOfLeaves(randomSizes(128, 350, 650, 5), 6);
    const state = await stateOf(large);
    const drawn = [0, 1].map((round) => {
      const sampler = new RowSampler({ ...state, pools: rowPools(large, 0, { seed: 0, round }) });
      sampler.open(1);
      sampler.takeSpread(300, new RandomStream(1));
      return rowsOf(sampler);
    });
    expect(drawn[0]).not.toEqual(drawn[1]);
  });

  it('are_all_that_there_are_where_clusters_are_as_large_as_a_pool', async () => {
    const exact = treeOfLeaves(new Array<number>(64).fill(512), 2);
    const pools = rowPools(exact, 0, POOLS);
    expect(2 * pools.most).toBe(exact.size);
    const sampler = new RowSampler({ ...(await stateOf(exact)), pools });
    sampler.open(1);
    expect(sampler.isWhole).toBe(true);
    expect(sampler.takeRest()).toBe(pools.most);
    expect(sampler.complete).toBe(true);
  });
});
