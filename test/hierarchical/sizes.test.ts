/**
 * Sizes of N = 16 million: orders are of 32 bits, what counts or places numbers is not. Large arrays are sparse: the
 * system commits the few pages that are touched.
 */
import { describe, expect, it, type TestContext } from 'vitest';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, view } from '#hmatrix/dense/matrix.js';
import { planHodlr } from '#hmatrix/hierarchical/factor/hodlr/plan.js';
import { planUlv } from '#hmatrix/hierarchical/factor/ulv/plan.js';
import { layOut } from '#hmatrix/hierarchical/matrix/layout.js';
import { type ClusterTree, firstLeaf, leavesOf, nodesOf } from '#hmatrix/tree/cluster-tree.js';
import { interactionLists } from '#hmatrix/tree/lists.js';
import { NearestLists } from '#hmatrix/tree/nearest-lists.js';
import { halvedRanges } from '#hmatrix/tree/split.js';
import { randomMatrix } from '../support.js';

const SIZE = 16_000_000;
const DEPTH = 16;
const RANK = 48;
const FAR = 2 ** 31 + 64;

/** Addresses for `bytes`; skips the test where the system lends none. */
function sparse(bytes: number, context: TestContext): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch {
    return context.skip(`the system lends no ${bytes / 2 ** 30} GiB of addresses in one piece`);
  }
}

function largeTree(): ClusterTree {
  const { depth, begin, end } = halvedRanges(SIZE, DEPTH);
  const order = sharedInt32(SIZE);
  for (let i = 0; i < SIZE; i++) order[i] = i;
  return { size: SIZE, depth, order, begin, end };
}

/** Every node but the root of rank RANK, skeletons being the first candidates. */
function firstCandidates(tree: ClusterTree): Parameters<typeof layOut>[2] {
  const nodes = nodesOf(tree);
  const choice = sharedInt32(nodes * RANK);
  const skeletons = sharedInt32(nodes * RANK);
  for (let ν = 0; ν < nodes; ν++) {
    for (let j = 0; j < RANK; j++) {
      choice[ν * RANK + j] = j;
      skeletons[ν * RANK + j] = tree.begin[ν] + j;
    }
  }
  return { ranks: sharedInt32(nodes).fill(RANK, 1), choice, skeletons, maxRank: RANK } as Parameters<typeof layOut>[2];
}

describe('plans for 16 million indices', () => {
  it('place more than 2³¹ numbers', () => {
    const tree = largeTree();
    const nodes = nodesOf(tree);
    const leaves = leavesOf(tree);
    const lists = interactionLists(tree, { count: 0, indices: new Int32Array(0) }, { budget: 0 });
    const found = firstCandidates(tree);
    for (const nested of [true, false]) {
      const layout = layOut(tree, lists, found, nested);
      const { offsets, skeletons, elements } = layout;
      const inner = nodes - leaves - 1;
      const basis = RANK * (SIZE - leaves * RANK) + (nested ? inner * RANK * RANK : RANK * SIZE * (DEPTH - 1));
      expect(elements.basis).toBe(basis);
      expect(elements.coupling).toBe(((nodes - 1) / 2) * RANK * RANK);
      expect(elements.total).toBeGreaterThan(2 ** 31);
      expect(elements.total).toBe(elements.basis + elements.coupling + elements.near + elements.diagonal);
      const [first, last] = Object.values(offsets as unknown as Record<string, Float64Array>)
        .filter(({ length }) => length > 0)
        .reduce(
          ([least, most], begin) => [
            Math.min(
              least,
              begin.reduce((a, b) => Math.min(a, b)),
            ),
            Math.max(
              most,
              begin.reduce((a, b) => Math.max(a, b)),
            ),
          ],
          [Infinity, 0],
        );
      expect(first).toBe(0);
      expect(last).toBeGreaterThan(2 ** 31);
      expect(last).toBeLessThan(elements.total);

      const data = {
        format: nested ? ('hss' as const) : ('hodlr' as const),
        dtype: 'f64' as const,
        tree: layout.tree,
        lists,
        skeletons,
        offsets,
        values: new Float64Array(0),
      };
      if (nested) {
        const plan = planUlv(data, 'f64');
        expect(plan.begin[nodes]).toBe(SIZE);
        // Of a leaf of n indices (n − k)·n numbers, of an inner node k·2k, of the root (2k)².
        const squares = Array.from({ length: leaves }, (_, q) => {
          const n = tree.end[firstLeaf(tree) + q] - tree.begin[firstLeaf(tree) + q];
          return (n - RANK) * n;
        }).reduce((sum, length) => sum + length, 0);
        expect(plan.factorLength).toBe(squares + inner * RANK * 2 * RANK + (2 * RANK) ** 2);
        expect(plan.factorLength).toBeGreaterThan(2 ** 31);
      } else {
        const plan = planHodlr(data, 'f64');
        expect(plan.basisLength).toBe(RANK * SIZE * DEPTH);
        expect(plan.basisBegin[nodes - 1]).toBeGreaterThan(2 ** 31);
        expect(plan.basisBegin[nodes - 1]).toBe(
          plan.basisLength - RANK * (tree.end[nodes - 1] - tree.begin[nodes - 1]),
        );
      }
    }
  }, 120_000);
});

describe('numbers beyond the 2³¹st of an array', () => {
  for (const choice of ['portable', undefined])
    it(`are multiplied and factored: ${choice ?? 'the first backend that is found'}`, (context) => {
      const blas = openBlas(choice);
      const data = new Float64Array(sparse(8 * (FAR + 3000), context));
      const a = randomMatrix(30, 30, 1);
      const far = [0, 1000, 2000].map((at) => view(data, FAR + at, 30, 30, 32));
      const near = [0, 1, 2].map(() => view(new Float64Array(1000), 0, 30, 30, 32));
      for (const [x, c, y] of [near, far]) {
        copyInto(a, x);
        blas.syrk('L', 'N', 1, x, 0, c);
        for (let i = 0; i < 30; i++) c.data[c.offset + i * 33] += 1;
        expect(blas.potrf('L', c)).toBe(0);
        blas.gemm('N', 'T', 1, x, c, 0, y);
      }
      for (const [k, { offset }] of far.entries())
        expect(data.slice(offset, offset + 958)).toEqual((near[k].data as Float64Array).slice(0, 958));
    });
});

describe('neighbors whose lists end beyond 2³¹', () => {
  it('are offered, kept and sorted', (context) => {
    const capacity = 32;
    const rows = FAR / capacity;
    const indices = new Int32Array(sparse(4 * FAR, context));
    const distances = new Float64Array(sparse(8 * FAR, context));
    const lists = new NearestLists({ capacity, indices, distances });
    for (const row of [0, rows - 1]) {
      lists.clear(row, row + 1);
      for (let k = 0; k < 100; k++) lists.offer(row, k, (k * 37) % 101);
      lists.sort(row);
    }
    const first = distances.slice(0, capacity);
    expect([...first]).toEqual([...first].sort((a, b) => a - b));
    expect(distances.slice(FAR - capacity)).toEqual(first);
    expect(indices.slice(FAR - capacity)).toEqual(indices.slice(0, capacity));
  });
});
