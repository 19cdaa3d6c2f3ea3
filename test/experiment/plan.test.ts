/** Plans of several ranks: the laws that they obey, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import type { PlanOptions } from '#hmatrix/experiment/plan/options.js';
import { planRanks, type RanksPlan } from '#hmatrix/experiment/plan/plan-ranks.js';
import { comparePublished, PUBLISHED_FIGURES } from '#hmatrix/experiment/plan/published.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { uniformPoints } from '#datasets/points.js';
import { sharedTeam } from '../teams.js';

const phase = ({ phases }: RanksPlan, name: string): RanksPlan['phases'][number] =>
  phases.find((one) => one.phase === name)!;
const LARGE = { size: 2 ** 24, workers: 16, rank: 128, leafSize: 256, vectors: 64 } as const;

describe('a plan', () => {
  it('of_one_rank_says_nothing_to_anybody', () => {
    for (const { messages, sentBytes, receivedBytes } of planRanks({ ranks: 1 }).phases)
      expect([messages, sentBytes, receivedBytes]).toEqual([0, 0, 0]);
  });

  it('counts_the_flops_and_bytes_of_a_matrix_that_is_made', async () => {
    const team = await sharedTeam(2);
    const setup = { size: 4096, leafSize: 64, rank: 24, vectors: 3 } as const;
    const source = kernelSource(uniformPoints(setup.size, 2, 1), matern32(0.05), { blas: team.blas });
    const options = { format: 'hss', leafSize: 64, maxRank: 24, tolerance: 1e-13 } as const;
    const matrix: HierarchicalMatrix = await compress(source, options, { team });
    const plan = planRanks({ ...setup, ranks: 1, dimension: 2 });
    expect(phase(plan, 'product').flops).toBe(matrix.flops(setup.vectors));
    expect(plan.memory.product.find(({ part }) => part === 'blocks')!.bytes).toBe(matrix.data.values.byteLength);
    const factors = await factor(matrix, { shift: setup.size }, { team });
    const kept = plan.memory.factor.find(({ part }) => part === 'factors')!.bytes;
    expect(factors.kept.factors['factors'].byteLength).toBe(kept);
    // Its own ranks, by level, give the same plan.
    expect(planRanks({ ...setup, ranks: 1, dimension: 2, rank: matrix.ranks() }).phases).toEqual(plan.phases);
  });

  it.each([2, 16, 256])('of_%i_ranks_shares_work_and_blocks_evenly_but_for_the_nodes_near_the_root', (ranks) => {
    const [one, several] = [1, ranks].map((count) => planRanks({ ...LARGE, ranks: count }));
    for (const name of ['product', 'factor', 'solve']) {
      const whole = phase(one, name);
      const nodes = 2 ** (one.setup.depth + 1) - 1;
      const each = phase(several, name).flops;
      expect(each).toBeGreaterThanOrEqual(whole.flops / ranks);
      // Nodes above a rank's own: fewer than log₂P, none larger than a leaf's, of which a rank has N/(mP).
      expect(each).toBeLessThanOrEqual(
        (whole.flops / ranks) * (1 + (2 * ranks * Math.log2(ranks)) / nodes) + whole.flops / nodes,
      );
    }
  });

  it('has_log2_p_messages_one_after_the_other_and_bytes_of_the_interface_no_more_than_the_weights', () => {
    for (let level = 1; level <= 12; level++) {
      const ranks = 2 ** level;
      const plan = planRanks({ ...LARGE, ranks, vectors: 1 });
      const bytes = 8 * LARGE.rank * level;
      expect(phase(plan, 'product')).toMatchObject({ messages: level, sentBytes: bytes, receivedBytes: bytes });
      expect(plan.interfaceBytes).toBe(bytes);
      expect(phase(plan, 'solve')).toMatchObject({ messages: level, receivedBytes: bytes });
      expect(phase(plan, 'gather product').receivedBytes).toBe(8 * LARGE.size * (1 - 1 / ranks));
    }
  });

  it('of_whole_points_scales_weakly_above_80_percent_at_64_ranks_but_for_gathering_results', () => {
    const { scaling } = planRanks({ ...LARGE, ranks: 64, wholePoints: true });
    const last = scaling.at(-1)!;
    expect(last.ranks).toBe(64);
    for (const stage of ['product', 'factor', 'solve'] as const) expect(last.ownEfficiency[stage]).toBeGreaterThan(0.8);
    // What every rank has whole grows with all of them.
    expect(last.efficiency.product).toBeLessThan(0.5);
    expect(last.efficiency.compress).toBeGreaterThan(0.8);
  });

  it('of_points_in_parts_has_the_fewer_on_each_rank_the_more_ranks_there_are_and_brings_the_others', () => {
    const bytesOf = ({ memory }: RanksPlan, stage: 'compress' | 'solve'): number =>
      memory[stage].reduce((sum, { part, bytes }) => sum + (part.includes('points') ? bytes : 0), 0);
    const at = (ranks: number, wholePoints: boolean, dimension = 2): RanksPlan =>
      planRanks({ ...LARGE, ranks, wholePoints, dimension });
    for (const ranks of [64, 256, 1024]) {
      const [whole, parts] = [at(ranks, true), at(ranks, false)];
      expect(bytesOf(whole, 'compress')).toBe(16 * LARGE.size);
      expect(bytesOf(parts, 'solve')).toBe((16 * LARGE.size) / ranks);
      expect(bytesOf(parts, 'compress')).toBeLessThan(bytesOf(at(ranks / 4, false), 'compress'));
      expect(bytesOf(parts, 'compress')).toBeLessThan(bytesOf(whole, 'compress') / 4);
      for (const name of ['neighbors', 'tree', 'norm', 'skeletonization', 'blocks', 'check'])
        expect(phase(parts, name).receivedBytes).toBeGreaterThan(phase(whole, name).receivedBytes);
      // Rows of every node's points at least once, whatever else is held.
      expect(phase(parts, 'check').receivedBytes).toBeGreaterThan((3 * 16 * LARGE.size * (1 - 1 / ranks)) / ranks);
      expect(phase(parts, 'product')).toEqual(phase(whole, 'product'));
    }
    // One rank has all: it says so, and brings nothing.
    expect(at(1, false)).toEqual(at(1, true));
    // Beyond 16 dimensions norms are held, and summed about.
    expect(bytesOf(at(64, false, 17), 'solve')).toBe((8 * 18 * LARGE.size) / 64);
  });

  it('takes_longer_with_every_rate_that_is_worse', () => {
    const asked = { ...LARGE, ranks: 8 };
    const { seconds } = planRanks(asked);
    const worse: PlanOptions['speeds'][] = [{ latency: 1e-3 }, { bandwidth: 1e8 }, { gemm: 1e9 }];
    for (const speeds of worse) {
      const slower = planRanks({ ...asked, speeds }).seconds;
      for (const stage of ['compress', 'product', 'factor', 'solve'] as const)
        expect(slower[stage]).toBeGreaterThan(seconds[stage]);
    }
    const one = { ...asked, vectors: 1 };
    expect(planRanks({ ...one, speeds: { memory: 1e8 } }).own.product).toBeGreaterThan(planRanks(one).own.product);
  });

  it('takes_ranks_by_level_upward_from_the_leaves_and_lets_them_grow_above', () => {
    const known = [30, 40, 20, 10].map((mean, k) => ({ level: k + 1, mean }));
    const { rankOfLevel, depth } = planRanks({ size: 2 ** 14, leafSize: 256, ranks: 4, rank: known }).setup;
    expect(depth).toBe(6);
    // Level 1 of the smaller one has the rim of the whole: level 2 is the last that tells growth.
    expect(rankOfLevel).toEqual([0, 320, 160, 80, 40, 20, 10]);
  });

  it.each<[string, PlanOptions, RegExp]>([
    ['a size', { size: 0 }, /size must be a whole number from 1 to 2147483647, not 0/],
    ['ranks', { ranks: 1.5 }, /ranks must be a whole number from 1 to 16384, not 1.5/],
    ['a rank', { rank: 0 }, /rank must be a whole number from 1 to 16384, not 0/],
    ['levels', { rank: [{ level: 2, mean: 3 }] }, /rank must be .*: number 0 is of level 2/],
    ['a mean', { rank: [{ level: 1, mean: Number.NaN }] }, /the mean of level 1 is NaN/],
    ['no levels', { rank: [] }, /is neither/],
    ['a rate', { speeds: { latency: 0 } }, /latency must be a positive number, not 0/],
    ['a name', { leafsize: 3 } as PlanOptions, /leafSize/],
    ['a name of a rate', { speeds: { gem: 3 } as never }, /gemm/],
  ])('refuses_%s_that_makes_no_sense', (_, options, wanted) => {
    expect(() => planRanks(options)).toThrow(OptionError);
    expect(() => planRanks(options)).toThrow(wanted);
  });
});

describe('published figures', () => {
  it('stand_beside_plans_of_their_size_and_cores_alone', () => {
    const asked = { size: 67e6, ranks: 128, workers: 48, rank: 256, leafSize: 512 };
    const found = comparePublished(asked, planRanks(asked).setup);
    expect(found.map(({ figure }) => figure)).toEqual(PUBLISHED_FIGURES);
    for (const { planned, own } of found) expect(own).toBeLessThanOrEqual(planned);
    const other = { ...asked, ranks: 64 };
    expect(comparePublished(other, planRanks(other).setup)).toEqual([]);
  });
});
