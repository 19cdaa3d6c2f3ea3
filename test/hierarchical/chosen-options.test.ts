/**
 * Leaf size and rank limit where nobody names them: near the best of a grid, the same bits as with their numbers, and
 * honest about matrices that cannot be compressed.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { view } from '#hmatrix/dense/matrix.js';
import { compressEntries } from '#hmatrix/hierarchical/from-entries/compress.js';
import { chooseOptions } from '#hmatrix/hierarchical/from-entries/choose-options.js';
import { resolveOptions, type CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { tune } from '#hmatrix/hierarchical/from-entries/tune.js';
import { chosenSentences } from '#hmatrix/hierarchical/matrix/chosen-options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, laplace, matern32 } from '#hmatrix/source/kernels/named.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { upperLevels } from '#hmatrix/tree/upper-levels.js';
import { denseOf, normalPoints, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
let two: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
  two = await sharedTeam(2);
});

const SOURCES: Readonly<Record<string, () => EntrySource>> = {
  'gaussian 1-D': () => kernelSource(normalPoints(1000, 1, 1), gaussian(0.3)),
  'matern32 2-D': () => kernelSource(normalPoints(1000, 2, 1), matern32(0.3)),
  'laplace 3-D': () => kernelSource(normalPoints(1000, 3, 1), laplace(1)),
  'gaussian 6-D': () => kernelSource(normalPoints(800, 6, 1), gaussian(1.5)),
};

/** 4I and a symmetric random matrix: a spectrum from 2 to 6 in a random basis. */
function flat(n: number): EntrySource {
  const random = new RandomStream(7);
  const g = new Float64Array(n * n);
  random.fillNormal(g);
  const a = new Float64Array(n * n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i <= j; i++) {
      const value = (i === j ? 4 : 0) + g[i + j * n] / Math.sqrt(n);
      a[i + j * n] = value;
      a[j + i * n] = value;
    }
  return denseSource(view(a, 0, n, n));
}

describe('options that nobody names', () => {
  it.each(Object.keys(SOURCES))(
    'keep_the_tolerance_in_little_more_memory_than_the_best_of_a_grid: %s',
    async (name) => {
      const source = SOURCES[name]();
      const exact = denseOf(source);
      for (const tolerance of [1e-2, 1e-6]) {
        const bytes: number[] = [];
        for (const leafSize of [64, 128, 256, 512]) {
          const made = await compressEntries(source, { tolerance, leafSize, maxRank: 500 }, { team });
          bytes.push(made.memory().bytes);
          made.release();
        }
        const matrix = await compressEntries(source, { tolerance }, { team });
        const { report } = matrix;
        expect(relativeError(matrix.toDense(), exact)).toBeLessThanOrEqual(tolerance);
        expect(report.met).toBe(true);
        expect(matrix.memory().bytes).toBeLessThanOrEqual(1.25 * Math.min(...bytes));
        expect(report.chosen).toMatchObject({ leafSize: report.leafSize, objective: 'memory' });
        // Predictions are of blocks alone.
        const { basis, coupling, diagonal } = matrix.memory();
        const predicted = report.chosen!.tried.find(({ leafSize }) => leafSize === report.leafSize)!.bytes;
        expect(predicted / (basis + coupling + diagonal)).toBeGreaterThan(0.7);
        expect(predicted / (basis + coupling + diagonal)).toBeLessThan(1.4);
        matrix.release();
      }
    },
  );

  it.each([
    {},
    { format: 'hodlr', distance: 'gram' },
    { format: 'fmm', budget: 0.1 },
    { distance: 'lexicographic' },
    { distance: 'random', objective: 'product' },
    { leafSize: 50, objective: 'solve' },
    { maxRank: 40 },
    { preserve: 'positive-definite', dtype: 'f32' },
  ] as readonly CompressOptions[])('give_the_bits_that_their_numbers_give_and_on_any_team: %o', async (options) => {
    const source = kernelSource(normalPoints(900, 2, 3), matern32(0.5));
    const given = { ...options, tolerance: 1e-4, seed: 11 };
    const chosen = await compressEntries(source, given, { team });
    const { leafSize, maxRank } = chosen.report;
    for (const [again, on] of [
      [given, two],
      [{ ...given, leafSize, maxRank }, team],
    ] as const) {
      const same = await compressEntries(source, again, { team: on });
      expect(same.report).toMatchObject({ leafSize, maxRank });
      expect(same.data.tree.order).toEqual(chosen.data.tree.order);
      expect(same.data.values).toEqual(chosen.data.values);
      same.release();
    }
    expect(await tune(source, given, { team: two })).toEqual(chosen.report.chosen);
    chosen.release();
  });

  it('are_those_of_the_objective', async () => {
    const source = SOURCES['matern32 2-D']();
    const [memory, product, solve] = await Promise.all(
      (['memory', 'product', 'solve'] as const).map((objective) =>
        tune(source, { objective, tolerance: 1e-4 }, { team }),
      ),
    );
    const at = ({ tried, leafSize }: typeof memory): (typeof memory)['tried'][number] =>
      tried.find((one) => one.leafSize === leafSize)!;
    expect(at(product).product).toBe(Math.min(...product.tried.map((one) => one.product)));
    expect(at(solve).factor).toBe(Math.min(...solve.tried.map((one) => one.factor)));
    expect(at(memory).bytes).toBeLessThanOrEqual(1.2 * Math.min(...memory.tried.map((one) => one.bytes)));
    await expect(tune(source, { objective: 'speed' as never }, { team })).rejects.toThrow(/objective.*memory/);
  });

  it('name_a_matrix_of_flat_spectrum_incompressible_and_keep_the_tolerance_all_the_same', async () => {
    const source = flat(700);
    const matrix = await compressEntries(source, { tolerance: 1e-6 }, { team });
    expect(matrix.report.chosen).toMatchObject({ incompressible: true });
    expect(matrix.report.chosen!.limitedBy).toBeUndefined();
    expect(chosenSentences(matrix.report.chosen!)[0]).toMatch(/^No hierarchical matrix .* 44 of 44, 88 of 88\./);
    // A matrix of one leaf has no nodes of which there were ranks to tell.
    expect(chosenSentences({ ...matrix.report.chosen!, measured: [] })[0]).toBe(
      'No hierarchical matrix that keeps the tolerance is much smaller than the dense one.',
    );
    expect(matrix.report.met).toBe(true);
    expect(relativeError(matrix.toDense(), denseOf(source))).toBeLessThanOrEqual(1e-6);
    matrix.release();
  });

  it('grow_where_a_few_nodes_told_too_little_of_the_ranks', async () => {
    // Two blocks that no pilot looks at are coupled at full rank.
    const [n, m] = [2400, 300];
    const a = new Float64Array(n * n);
    const random = new RandomStream(3);
    for (let i = 0; i < n; i++) a[i * (n + 1)] = 4;
    for (let i = 0; i < m; i++)
      for (let j = n / 2; j < n / 2 + m; j++) {
        const value = random.normal() / Math.sqrt(m);
        a[i + j * n] = value;
        a[j + i * n] = value;
      }
    const source = denseSource(view(a, 0, n, n));
    const given = { distance: 'lexicographic', tolerance: 1e-4 } as const;
    const before = await tune(source, given, { team });
    const matrix = await compressEntries(source, given, { team });
    const { leafSize, maxRank, met, chosen } = matrix.report;
    expect(before.maxRank).toBeLessThan(m);
    expect({ met, maxRank, chosen: chosen?.maxRank }).toEqual({
      met: true,
      maxRank: 2 * before.maxRank,
      chosen: 2 * before.maxRank,
    });
    const same = await compressEntries(source, { ...given, leafSize, maxRank }, { team });
    expect(same.data.values).toEqual(matrix.data.values);
    same.release();
    matrix.release();
  });

  it('limit_ranks_by_memory_or_time_and_say_so', () => {
    const ranks = Float64Array.from({ length: 12 }, (_, level) => (level === 0 ? 0 : 100_000 / 2 ** level));
    const pilot = { measured: [{ level: 11, size: 49, rank: 49 }], ranks };
    const at = { size: 100_000, depth: 11 };
    const options = (more: CompressOptions): Parameters<typeof chooseOptions>[2] =>
      resolveOptions({ memoryLimit: 1e12, ...more });
    expect(chooseOptions(at, pilot, options({}))).toMatchObject({
      incompressible: true,
      limitedBy: 'time',
      leafSize: 256,
      maxRank: 256,
    });
    expect(chooseOptions(at, pilot, options({ memoryLimit: 1e9 }))).toMatchObject({ limitedBy: 'memory' });
    // Ranks of a third of the nodes are no longer called incompressible, and need more than a gigabyte.
    const less = { ...pilot, ranks: ranks.map((rank) => rank / 3) };
    const limited = chooseOptions(at, less, options({ memoryLimit: 2e9 }));
    expect(limited).toMatchObject({ incompressible: false, limitedBy: 'memory' });
    expect(limited.maxRank).toBeGreaterThanOrEqual(256);
    expect(limited.maxRank).toBeLessThan(16_667);
    expect(chosenSentences(limited).join(' ')).toMatch(/Ranks are limited to \d+: .* not fit in memory/);
    // What the caller asks for is taken as it is.
    expect(chooseOptions(at, pilot, options({ maxRank: 300, leafSize: 70 }))).toMatchObject({
      maxRank: 300,
      leafSize: 70,
    });
  });

  it('of_few_indices_zeros_and_identities_are_some_that_work', async () => {
    for (const n of [1, 2, 3, 5, 64, 65, 130]) {
      for (const scale of [0, 1]) {
        const identity = view(new Float64Array(n * n), 0, n, n);
        for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = scale;
        const matrix = await compressEntries(denseSource(identity), {}, { team });
        expect(matrix.toDense().data).toEqual(identity.data);
        matrix.release();
      }
    }
  });
});

describe('the upper levels of a tree', () => {
  it.each(['geometric', 'gram', 'lexicographic', 'random'] as const)(
    'are_the_tree_of_larger_leaves: %s',
    async (distance) => {
      const source = kernelSource(normalPoints(1003, 2, 1), gaussian(1));
      const fine = await buildClusterTree(source, distance, { leafSize: 20 }, { team });
      for (const leafSize of [40, 160, 1003]) {
        const coarse = await buildClusterTree(source, distance, { leafSize }, { team });
        const placed = distance === 'lexicographic' || distance === 'random';
        expect(await upperLevels(fine, { depth: coarse.depth, placed }, { team })).toEqual(coarse);
      }
    },
  );
});
