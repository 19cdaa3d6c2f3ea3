import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { firstOfLevel, leftChild, levelOf, rightChild } from '#hmatrix/core/indices.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { farCover } from '#hmatrix/tree/far-cover.js';
import type { InteractionLists } from '#hmatrix/tree/interaction-lists.js';
import { interactionLists } from '#hmatrix/tree/lists.js';
import { findNeighbors, type Neighbors } from '#hmatrix/tree/neighbors.js';
import { halvedRanges } from '#hmatrix/tree/split.js';
import { sharedTeam } from '../teams.js';
import { normalPoints, pointSource } from './sources.js';

type Near = Pick<InteractionLists, 'near' | 'nearBegin'>;

/** Near lists from a set of unordered pairs of leaves; every leaf is near itself. */
function nearOf(leaves: number, pairs: Iterable<readonly [number, number]>): Near {
  const rows = Array.from({ length: leaves }, (_, leaf) => new Set([leaf]));
  for (const [a, b] of pairs) {
    rows[a].add(b);
    rows[b].add(a);
  }
  const nearBegin = new Int32Array(leaves + 1);
  rows.forEach((row, leaf) => {
    nearBegin[leaf + 1] = nearBegin[leaf] + row.size;
  });
  return { nearBegin, near: Int32Array.from(rows.flatMap((row) => [...row].sort((a, b) => a - b))) };
}

function leavesBelow(node: number, depth: number): number[] {
  const span = 2 ** (depth - levelOf(node));
  const first = (node - firstOfLevel(levelOf(node))) * span;
  return Array.from({ length: span }, (_, k) => first + k);
}

/** How often near, far and the transpose of far cover each ordered pair of leaves. */
function coverage(depth: number, { nearBegin, near }: Near, far: Int32Array): Int32Array {
  const leaves = 2 ** depth;
  const times = new Int32Array(leaves * leaves);
  for (let a = 0; a < leaves; a++) for (let k = nearBegin[a]; k < nearBegin[a + 1]; k++) times[a * leaves + near[k]]++;
  for (let f = 0; f < far.length; f += 2) {
    expect(far[f]).toBeLessThan(far[f + 1]);
    const cols = leavesBelow(far[f + 1], depth);
    for (const a of leavesBelow(far[f], depth)) {
      for (const b of cols) {
        times[a * leaves + b]++;
        times[b * leaves + a]++;
      }
    }
  }
  return times;
}

/** Blocks of the cover that always splits both sides. */
function sameLevelBlocks(depth: number, near: Near): number {
  const isNear = new Set<string>();
  for (let a = 0; a < 2 ** depth; a++)
    for (let k = near.nearBegin[a]; k < near.nearBegin[a + 1]; k++) isNear.add(`${a} ${near.near[k]}`);
  const count = (α: number, β: number): number => {
    if (!leavesBelow(α, depth).some((a) => leavesBelow(β, depth).some((b) => isNear.has(`${a} ${b}`)))) return 1;
    if (levelOf(α) === depth) return 0;
    return [leftChild(α), rightChild(α)].reduce((s, a) => s + count(a, leftChild(β)) + count(a, rightChild(β)), 0);
  };
  let blocks = 0;
  for (let ν = 0; ν < firstOfLevel(depth); ν++) blocks += count(leftChild(ν), rightChild(ν));
  return blocks;
}

/** Fewest blocks by trying every way to split. */
function fewestBlocks(depth: number, near: Near): number {
  const rows = Array.from(
    { length: 2 ** depth },
    (_, a) => new Set(near.near.subarray(near.nearBegin[a], near.nearBegin[a + 1])),
  );
  const least = (α: number, β: number): number => {
    if (!leavesBelow(α, depth).some((a) => leavesBelow(β, depth).some((b) => rows[a].has(b)))) return 1;
    const ways: number[] = [];
    if (levelOf(α) < depth) ways.push(least(leftChild(α), β) + least(rightChild(α), β));
    if (levelOf(β) < depth) ways.push(least(α, leftChild(β)) + least(α, rightChild(β)));
    return ways.length === 0 ? 0 : Math.min(...ways);
  };
  let blocks = 0;
  for (let ν = 0; ν < firstOfLevel(depth); ν++) blocks += least(leftChild(ν), rightChild(ν));
  return blocks;
}

/** A tree in index order with random neighbors. */
const identityTree = (size: number, depth: number): ClusterTree => ({
  size,
  ...halvedRanges(size, depth),
  order: Int32Array.from({ length: size }, (_, i) => i),
});

const nearPairs = (depth: number): fc.Arbitrary<[number, number][]> => {
  const leaf = fc.integer({ min: 0, max: 2 ** depth - 1 });
  return fc.array(fc.tuple(leaf, leaf), { maxLength: 3 * 2 ** depth });
};

describe('farCover', () => {
  it('with near covers every ordered pair of leaves exactly once, in no more blocks than same-level splitting', () => {
    const cases = fc.integer({ min: 0, max: 5 }).chain((depth) => nearPairs(depth).map((pairs) => ({ depth, pairs })));
    fc.assert(
      fc.property(cases, ({ depth, pairs }) => {
        const near = nearOf(2 ** depth, pairs);
        const far = farCover(depth, near);
        expect(coverage(depth, near, far).every((times) => times === 1)).toBe(true);
        expect(far.length / 2).toBeLessThanOrEqual(sameLevelBlocks(depth, near));
      }),
    );
  });

  it('is the smallest cover', () => {
    fc.assert(
      fc.property(nearPairs(3), (pairs) => {
        const near = nearOf(8, pairs);
        expect(farCover(3, near).length / 2).toBe(fewestBlocks(3, near));
      }),
    );
  });

  it('joins nodes of different levels where that saves blocks', () => {
    // Leaves 0 and 4 of 8 are near: of the block (1, 2), the rows of leaves 2, 3 need not be split in columns.
    const near = nearOf(8, [[0, 4]]);
    const far = farCover(3, near);
    const levels = Array.from({ length: far.length / 2 }, (_, f) => levelOf(far[2 * f]) - levelOf(far[2 * f + 1]));
    expect(levels.some((difference) => difference !== 0)).toBe(true);
    expect(far.length / 2).toBeLessThan(sameLevelBlocks(3, near));
  });

  it('is the pairs of siblings where nothing is near', () => {
    expect([...farCover(3, nearOf(8, []))]).toEqual(Array.from({ length: 7 }, (_, ν) => [2 * ν + 1, 2 * ν + 2]).flat());
    expect(farCover(0, nearOf(1, [])).length).toBe(0);
  });

  it('covers 4,096 leaves, where it works by parts', () => {
    const depth = 12;
    const leaves = 4096;
    const pairs: [number, number][] = [];
    for (let a = 0; a < leaves; a++) for (const step of [1, 17, 300]) pairs.push([a, (a * 5 + step) % leaves]);
    const near = nearOf(leaves, pairs);
    const far = farCover(depth, near);
    const times = coverage(depth, near, far);
    expect(times.every((count) => count === 1)).toBe(true);
  });
});

describe('interactionLists', () => {
  const size = 2000;
  let team: Team;
  let tree: ClusterTree;
  let neighbors: Neighbors;
  beforeAll(async () => {
    team = await sharedTeam(2);
    const source = pointSource(normalPoints(size, 3, 1));
    tree = await buildClusterTree(source, 'auto', { leafSize: 32, seed: 1 }, { team });
    neighbors = await findNeighbors(source, 'auto', { neighbors: 16, seed: 1 }, { team });
  });

  const rowOf = ({ nearBegin, near }: Near, leaf: number): number[] => [
    ...near.subarray(nearBegin[leaf], nearBegin[leaf + 1]),
  ];

  it.each([0, 1e-9, 1 / 64 - 1e-9])(
    'with a budget of %d, below 1/leaves, is the diagonal and the pairs of siblings',
    (budget) => {
      const lists = interactionLists(tree, neighbors, { budget });
      for (let leaf = 0; leaf < 64; leaf++) expect(rowOf(lists, leaf)).toEqual([leaf]);
      expect(lists.far.length / 2).toBe(63);
      expect(lists.budgetUsed).toBe(0);
    },
  );

  it.each([1 / 64, 0.03, 0.1, 0.5, 1])(
    'holds a budget of %d in every row, symmetric, ascending, everything covered once',
    (budget) => {
      const lists = interactionLists(tree, neighbors, { budget });
      let entries = 0;
      for (let leaf = 0; leaf < 64; leaf++) {
        const row = rowOf(lists, leaf);
        expect(row).toEqual([...new Set(row)].sort((a, b) => a - b));
        expect(row).toContain(leaf);
        expect(row.length - 1).toBeLessThanOrEqual(Math.floor(budget * 64));
        for (const other of row) {
          expect(rowOf(lists, other)).toContain(leaf);
          if (other !== leaf)
            entries += (tree.end[63 + leaf] - tree.begin[63 + leaf]) * (tree.end[63 + other] - tree.begin[63 + other]);
        }
      }
      expect(coverage(6, lists, lists.far).every((times) => times === 1)).toBe(true);
      expect(lists.budgetUsed).toBeCloseTo(entries / size ** 2, 14);
      expect(lists.budgetUsed).toBeGreaterThan(0);
    },
  );

  it('takes the pairs with the most votes', () => {
    // Leaves of 2 indices; votes between leaves 0–1: 3, 0–2: 2, 1–2: 1, 2–3: 1.
    const small = identityTree(8, 2);
    const indices = Int32Array.from([2, 3, 0, 4, 0, 1, 5, 6]);
    const lists = interactionLists(small, { count: 1, indices }, { budget: 0.25 });
    expect([0, 1, 2, 3].map((leaf) => rowOf(lists, leaf))).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
      [2, 3],
    ]);
    const wider = interactionLists(small, { count: 1, indices }, { budget: 0.5 });
    expect([0, 1, 2, 3].map((leaf) => rowOf(wider, leaf))).toEqual([[0, 1, 2], [0, 1, 2], [0, 1, 2], [3]]);
  });

  it('holds its properties for any votes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer(),
        (depth, budget, count, salt) => {
          const n = 3 * 2 ** depth + 1;
          const indices = Int32Array.from(
            { length: n * count },
            (_, k) => Math.abs(Math.imul(k + 1, 2654435761) ^ salt) % n,
          );
          const lists = interactionLists(identityTree(n, depth), { count, indices }, { budget });
          const leaves = 2 ** depth;
          for (let leaf = 0; leaf < leaves; leaf++)
            expect(rowOf(lists, leaf).length - 1).toBeLessThanOrEqual(Math.floor(budget * leaves * (1 + 1e-15)));
          expect(coverage(depth, lists, lists.far).every((times) => times === 1)).toBe(true);
        },
      ),
    );
  });

  it('refuses budgets outside [0, 1] and lists of another matrix', () => {
    for (const budget of [-0.1, 1.1, Number.NaN])
      expect(() => interactionLists(tree, neighbors, { budget })).toThrow(OptionError);
    expect(() => interactionLists(tree, { count: 3, indices: new Int32Array(12) }, { budget: 0.5 })).toThrow(
      ShapeError,
    );
  });
});
