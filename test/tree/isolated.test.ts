/**
 * Indices whose rows are zero stand in front of the tree, and trees cut at borders.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { isolatedOf } from '#hmatrix/tree/cluster-tree.js';
import { cutTree } from '#hmatrix/tree/cut-tree.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** diag(d). */
function diagonalSource(d: Float64Array): EntrySource {
  return {
    size: d.length,
    diagonal: (out) => {
      out.set(d);
    },
    entries: (rows, cols, out) => {
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++)
          out.data[out.offset + a + b * out.ld] = rows[a] === cols[b] ? d[rows[a]] : 0;
    },
  };
}

describe('isolated indices', () => {
  it.each(['angle', 'gram', 'lexicographic', 'random'] as const)(
    'are_those_with_zeros_on_the_diagonal_by_%s',
    async (distance) => {
      const d = Float64Array.from({ length: 90 }, (_, i) => (i % 3 === 1 ? 0 : 1 + i));
      const tree = await buildClusterTree(diagonalSource(d), distance, { leafSize: 8 }, { team });
      expect(isolatedOf(tree)).toBe(30);
      for (let p = 0; p < 90; p++) expect(d[tree.order[p]] === 0).toBe(p < 30);
      expect(Array.from(tree.order).sort((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i));
      expect(tree.end[0]).toBe(90);
    },
  );

  it('are_none_where_all_are_zero', async () => {
    expect(
      isolatedOf(await buildClusterTree(diagonalSource(new Float64Array(20)), 'angle', { leafSize: 4 }, { team })),
    ).toBe(0);
  });
});

describe('a tree cut at borders', () => {
  it('cuts_at_the_strongest_border_near_the_middle_and_leaves_no_leaf_empty', () => {
    const random = new RandomStream(1);
    for (let trial = 0; trial < 50; trial++) {
      const size = 40 + random.integer(60);
      const isolated = random.integer(5);
      const depth = random.integer(6);
      const borders = Uint8Array.from({ length: size }, () => (random.integer(4) === 0 ? 1 + random.integer(2) : 0));
      const tree = cutTree(
        Int32Array.from({ length: size }, (_, i) => i),
        isolated,
        depth,
        borders,
      );
      expect(tree.begin[0]).toBe(isolated);
      expect(tree.end[0]).toBe(size);
      for (let ν = 0; ν < tree.begin.length; ν++) {
        expect(tree.end[ν]).toBeGreaterThan(tree.begin[ν]);
        if (ν >= 2 ** depth - 1) continue;
        const cut = tree.end[2 * ν + 1];
        expect([tree.begin[2 * ν + 1], tree.begin[2 * ν + 2], tree.end[2 * ν + 2]]).toEqual([
          tree.begin[ν],
          cut,
          tree.end[ν],
        ]);
      }
    }
    const borders = new Uint8Array(30);
    borders[12] = 1;
    borders[19] = 2;
    borders[29] = 3;
    // Of the middle third (10 … 20) the strongest: 19; 29 is too far out.
    expect(cutTree(new Int32Array(30), 0, 1, borders).end[1]).toBe(19);
  });
});
