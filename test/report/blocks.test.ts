/** The partition that is drawn: it covers the matrix once, with the ranks, errors and singular values that it has. */
import { afterAll, describe, expect, it } from 'vitest';
import { blockErrors } from '#hmatrix/hierarchical/matrix/block-errors.js';
import { blockStructure, leavesBelow, type BlockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import * as hmatrix from '#hmatrix/index.js';
import { blockPicture } from '#hmatrix/cli/terminal-blocks.js';
import { blocksOf, rankClasses, rankOf } from '#hmatrix/report/charts/blocks.js';
import { drawCharts } from '#hmatrix/report/charts/draw.js';
import { pageOf } from '#hmatrix/report/page/page.js';
import { matrixCharts } from '#hmatrix/report/records/matrix.js';
import type { CurveChart } from '#hmatrix/report/charts/chart.js';
import { sharedTeam } from '../teams.js';

afterAll(() => hmatrix.teams.closeDefaultTeam());

const SIZE = 300;
const coordinates = new Float64Array(2 * SIZE);
new hmatrix.random.RandomStream(5).fillNormal(coordinates);
const source = hmatrix.kernelSource({ dimension: 2, count: SIZE, coordinates }, hmatrix.kernels.gaussian(0.5));

const compressed = async (
  options: hmatrix.CompressOptions,
  of: hmatrix.EntrySource = source,
): Promise<hmatrix.HierarchicalMatrix> =>
  hmatrix.compress(of, { leafSize: 16, tolerance: 1e-3, ...options }, { team: await sharedTeam(1) });

/** Entries (i, j) of two dense matrices in the tree's order, over a block. */
function blockNorms(
  { tree }: { readonly tree: hmatrix.trees.ClusterTree },
  exact: hmatrix.Matrix,
  other: hmatrix.Matrix,
  [r0, r1]: readonly [number, number],
  [c0, c1]: readonly [number, number],
): { readonly exact: number; readonly difference: number; readonly other: number } {
  let [a, d, o] = [0, 0, 0];
  for (let p = r0; p < r1; p++)
    for (let q = c0; q < c1; q++) {
      const at = tree.order[p] + tree.order[q] * exact.rows;
      a += exact.data[at] ** 2;
      o += other.data[at] ** 2;
      d += (exact.data[at] - other.data[at]) ** 2;
    }
  return { exact: Math.sqrt(a), difference: Math.sqrt(d), other: Math.sqrt(o) };
}

const denseOf = (of: hmatrix.EntrySource): hmatrix.Matrix => {
  const all = Int32Array.from({ length: of.size }, (_, i) => i);
  const out = hmatrix.dense.zeros(of.size, of.size);
  of.entries(all, all, out);
  return out;
};

describe('the blocks', () => {
  it.each(['hss', 'hodlr', 'fmm'] as const)('of_%s_cover_every_entry_once', async (format) => {
    const matrix = await compressed(format === 'fmm' ? { format, budget: 0.1 } : { format });
    const covered = new Uint8Array(SIZE * SIZE);
    for (const { kind, rows, cols } of blocksOf(blockStructure(matrix)))
      for (let p = rows[0]; p < rows[1]; p++)
        for (let q = cols[0]; q < cols[1]; q++) {
          covered[p * SIZE + q]++;
          if (kind !== 'diagonal') covered[q * SIZE + p]++;
        }
    expect(covered.every((times) => times === 1)).toBe(true);
  });

  it('have_the_bytes_of_the_matrix', async () => {
    const matrix = await compressed({ format: 'fmm', budget: 0.1, dtype: 'f32' });
    const { coupling, near } = matrix.memory();
    const bytes = (kind: string): number =>
      blocksOf(blockStructure(matrix)).reduce((sum, block) => sum + (block.kind === kind ? block.bytes : 0), 0);
    expect(bytes('near')).toBe(near);
    // Couplings that are zero share one block.
    expect(bytes('far')).toBeLessThanOrEqual(coupling);
    expect(Math.max(...blocksOf(blockStructure(matrix)).map(rankOf))).toBeLessThanOrEqual(
      Math.max(...matrix.ranks().map(({ max }) => max)),
    );
  });

  it('have_the_error_of_their_entries_where_all_columns_are_compared', async () => {
    const matrix = await compressed({ format: 'fmm', budget: 0.05 });
    const errors = await blockErrors(matrix, source, { columns: SIZE });
    const [exact, other] = [denseOf(source), matrix.toDense()];
    const far = blocksOf(blockStructure(matrix)).filter(({ kind }) => kind === 'far');
    expect(far.length).toBe(errors.length);
    far.forEach(({ rows, cols }, k) => {
      const norms = blockNorms(matrix.data, exact, other, rows, cols);
      // Products with unit vectors round as the dense ones do, to eps of ‖K̃‖.
      expect(Math.abs(errors[k]! * norms.exact - norms.difference)).toBeLessThanOrEqual(1e-13 * SIZE);
    });
    const few = await blockErrors(matrix, source, { columns: 1, seed: 7 });
    expect(await blockErrors(matrix, source, { columns: 1, seed: 7 })).toEqual(few);
    expect(await blockErrors(matrix, source, { columns: 1, seed: 8 })).not.toEqual(few);
  });

  it('of_two_clusters_far_apart_are_zero_and_without_error', async () => {
    const apart = Float64Array.from(coordinates, (x, k) => (k % 4 < 2 ? x : x + 1e4));
    const two = hmatrix.kernelSource({ dimension: 2, count: SIZE, coordinates: apart }, hmatrix.kernels.gaussian(0.5));
    const matrix = await compressed({ format: 'hss' }, two);
    const errors = await blockErrors(matrix, two);
    const structure = { ...blockStructure(matrix), errors };
    const top = blocksOf(structure).find(({ kind, level }) => kind === 'far' && level === 1)!;
    expect([rankOf(top), top.bytes, top.error]).toEqual([0, 0, null]);
  });

  it('are_refused_a_source_of_another_size', async () => {
    const matrix = await compressed({});
    await expect(blockErrors(matrix, hmatrix.denseSource([1, 0, 0, 1]))).rejects.toThrow(/The source has 2 rows/);
  });
});

describe('singular values', () => {
  it('have_the_norm_of_their_block_and_number_its_rank', async () => {
    const matrix = await compressed({ format: 'hodlr' });
    const charts = await matrixCharts(matrix, { singularValues: true }, {});
    const { curves } = charts.find(({ id }) => id === 'singular-values') as CurveChart;
    expect(curves.length).toBeGreaterThan(2);
    const dense = matrix.toDense();
    const chosen = new Map<string, ReturnType<typeof blocksOf>[number]>();
    for (const block of blocksOf(blockStructure(matrix))) {
      const before = chosen.get(`level ${block.level}`);
      if (block.kind === 'far' && (before === undefined || rankOf(block) > rankOf(before)))
        chosen.set(`level ${block.level}`, block);
    }
    for (const [name, block] of chosen) {
      const values = curves.find((curve) => curve.name === name)!.points.map(({ y }) => y);
      const norm = blockNorms(matrix.data, dense, dense, block.rows, block.cols).exact;
      expect(values.length).toBe(rankOf(block));
      expect([...values].sort((a, b) => b - a)).toEqual(values);
      // What lies beyond the rank is rounding, of eps of the block for each of its values.
      expect(Math.abs(Math.hypot(...values) - norm)).toBeLessThanOrEqual(1e-13 * SIZE * norm);
    }
  });
});

describe('classes of ranks', () => {
  it.each([
    [1, 1],
    [1, 5],
    [3, 4],
    [13, 27],
    [1, 1000],
    [40, 41],
  ])('from %i to %i hold every rank once, the largest last', (least, most) => {
    const bounds = rankClasses(least, most);
    expect(bounds.at(-1)).toBe(most);
    expect(bounds[0]).toBeGreaterThanOrEqual(least);
    expect(bounds.length).toBeLessThanOrEqual(5);
    bounds.slice(1).forEach((bound, k) => {
      expect(bound).toBeGreaterThan(bounds[k]);
    });
  });
});

/** A partition with `leaves` leaves and near blocks along the diagonal, the others of low rank. */
function synthetic(leaves: number, wide: number): BlockStructure {
  const near: number[] = [];
  const far: number[] = [];
  for (let a = 0; a < leaves; a++)
    for (let b = a + 1; b < leaves; b++)
      if (b - a <= wide) near.push(a, b);
      else far.push(leaves - 1 + a, leaves - 1 + b);
  return {
    size: 64 * leaves,
    numberBytes: 8,
    leafBegin: Array.from({ length: leaves + 1 }, (_, k) => 64 * k),
    ranks: Array.from({ length: 2 * leaves - 1 }, (_, ν) => 1 + (ν % 40)),
    near,
    far,
    zeros: [],
    errors: Array.from({ length: far.length / 2 }, (_, k) => 1e-5 * (1 + (k % 9))),
  };
}

describe('ten thousand blocks', () => {
  it('make_a_page_of_less_than_three_megabytes', async () => {
    const full = synthetic(128, 10);
    const blocks = blocksOf(full).length;
    expect(blocks).toBeGreaterThan(8000);
    const figures = await drawCharts([
      { kind: 'blocks', id: 'blocks', title: 'Blocks', alt: 'Many.', structure: full },
    ]);
    const page = pageOf([{ title: 'Large', figures, facts: [] }]);
    // In proportion to ten thousand, each drawn twice but for the diagonal.
    expect((page.length * 10_000) / blocks).toBeLessThan(3e6);
  });

  it('fit_a_terminal_of_80_columns', async () => {
    for (const structure of [synthetic(128, 10), synthetic(4, 1), blockStructure(await compressed({}))]) {
      const lines = blockPicture(structure).split('\n');
      expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(80);
      // As wide as it is high, two characters a cell, and symmetric.
      const cells = lines.slice(1, -2).map((line) => line.slice(1, -1).match(/../g)!);
      cells.forEach((row, i) => {
        expect(row.length).toBe(cells.length);
        row.forEach((cell, j) => {
          expect(cell).toBe(cells[j][i]);
        });
      });
      cells.forEach((row, i) => {
        expect(row[i]).toBe('██');
      });
    }
  });

  it('nodes_have_the_leaves_of_both_children', () => {
    expect(leavesBelow(0, 8)).toEqual({ first: 0, last: 8 });
    expect(leavesBelow(2, 8)).toEqual({ first: 4, last: 8 });
    expect(leavesBelow(14, 8)).toEqual({ first: 7, last: 8 });
  });
});
