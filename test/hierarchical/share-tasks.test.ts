/** How a tree that several ranks share is cut into tasks: on every rank for all its workers. */
import { describe, expect, it } from 'vitest';
import { splitLevel, subtreeRootLevel } from '#hmatrix/hierarchical/factor/tree.js';
import { levelTransfers } from '#hmatrix/hierarchical/ranks/exchange.js';
import { dealing } from '#hmatrix/hierarchical/ranks/share.js';

describe('tasks of a factorization that ranks share', () => {
  it.each([2, 3, 8, 64, 100, 512])('each_of_%i_ranks_has_as_many_as_one_alone_where_the_tree_is_deep', (ranks) => {
    const depth = 24;
    const alone = 2 ** subtreeRootLevel({ tree: { depth } });
    const share = dealing(depth, ranks);
    const roots = subtreeRootLevel({ tree: { depth }, share });
    for (let r = 0; r < ranks; r++) {
      const nodes = (share.bounds[r + 1] - share.bounds[r]) * 2 ** (roots - share.level);
      expect(nodes).toBeGreaterThanOrEqual(alone);
    }
    expect(subtreeRootLevel({ tree: { depth: 3 }, share: dealing(3, ranks) })).toBe(3);
  });

  it('which_nodes_may_be_split_does_not_depend_on_who_shares_them', () => {
    const alone = subtreeRootLevel({ tree: { depth: 20 } });
    expect(splitLevel({ depth: 20 })).toBe(alone);
    for (const ranks of [2, 64, 300])
      expect(subtreeRootLevel({ tree: { depth: 20 }, share: dealing(20, ranks) })).toBeGreaterThanOrEqual(alone);
  });
});

describe('what ranks tell each other of a level', () => {
  it.each([2, 4, 16, 64])('is_one_node_each_way_for_each_of_%i_ranks', (ranks) => {
    const dealt = dealing(20, ranks);
    for (let level = 1; level <= dealt.level; level++) {
      const transfers = levelTransfers(dealt, level);
      for (const side of ['from', 'to'] as const)
        expect(transfers.map((one) => one[side]).sort((a, b) => a - b)).toEqual(
          Array.from({ length: ranks }, (_, r) => r),
        );
    }
  });
});
