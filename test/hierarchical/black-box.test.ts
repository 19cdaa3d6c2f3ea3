/**
 * Compression from products alone: exact where the ranks suffice, within its tolerance where they do not, and honest
 * about it.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  AsymmetryError,
  MemoryError,
  NonFiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { compressProducts } from '#hmatrix/hierarchical/from-products/compress.js';
import {
  compressionCost,
  MEASURED_VECTORS,
  type ProductsFormat,
  type ProductsOptions,
} from '#hmatrix/hierarchical/from-products/cost.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, laplace } from '#hmatrix/source/kernels/named.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import type { ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { denseOf, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { lowRankPlusDiagonal, randomHss, randomSizes, treeOfLeaves } from './trees.js';

const FORMATS: readonly ProductsFormat[] = ['hss', 'hodlr'];
const folder = temporaryFolder();

describe('compression from products', () => {
  let team: Team;
  let single: Team;
  beforeAll(async () => {
    team = await sharedTeam(2);
    single = await sharedTeam(1);
  });

  const make = (
    a: Matrix,
    tree: ClusterTree,
    options: Partial<ProductsOptions> = {},
    on = team,
  ): Promise<HierarchicalMatrix> =>
    compressProducts(
      denseOperator(a, true, { blas: on.blas }),
      tree,
      { format: 'hss', maxRank: 24, tolerance: 0, seed: 1, ...options },
      { team: on },
    );
  const error = (matrix: HierarchicalMatrix, a: Matrix): number => relativeError(matrix.toDense(), a);
  const mostRank = (matrix: HierarchicalMatrix): number => Math.max(0, ...matrix.ranks().map(({ max }) => max));

  describe('is_exact_where_the_ranks_suffice', () => {
    // Errors are rounding, times the condition of Ω's blocks (tens) and of nested random bases (up to hundreds).
    const rounding = 1e-10;
    const shapes: readonly (readonly [string, readonly number[]])[] = [
      ['equal leaves', new Array<number>(16).fill(40)],
      ['a size that is no power of two', randomSizes(16, 36, 41, 3)],
      ['leaves of 1 to 60 indices', randomSizes(16, 1, 60, 4)],
      ['one large leaf among small ones', [90, ...randomSizes(31, 3, 20, 5)]],
      ['two leaves', [260, 300]],
    ];
    it.each(FORMATS.flatMap((format) => shapes.map(([name, sizes]) => [format, name, sizes] as const)))(
      'random HSS matrices: %s, %s',
      async (format, _name, sizes) => {
        const tree = treeOfLeaves(sizes, 8);
        const a = randomHss(tree, 5, 100, team.blas);
        const matrix = await make(a, tree, { format, maxRank: 8, oversampling: 16 });
        expect(error(matrix, a)).toBeLessThan(rounding);
        // Rounding errors are not taken for rank.
        expect(mostRank(matrix)).toBeLessThanOrEqual(5);
        expect(matrix.report.products!.error.relative).toBeLessThan(rounding);
      },
    );

    it.each(FORMATS)('low rank plus diagonal: %s', async (format) => {
      const tree = treeOfLeaves(randomSizes(16, 30, 60, 5), 2);
      const a = lowRankPlusDiagonal(randomMatrix(tree.size, 7, 3), (i) => 1 + 100 * (i % 5), team.blas);
      const matrix = await make(a, tree, { format, maxRank: 10 });
      expect(error(matrix, a)).toBeLessThan(1e-12);
      expect(mostRank(matrix)).toBe(7);
    });

    it.each(FORMATS)('at_ranks_as_large_as_the_leaves: %s', async (format) => {
      // Rank 20 everywhere, leaves of 6 to 16: every leaf is its own skeleton.
      const tree = treeOfLeaves(randomSizes(32, 6, 16, 5), 2);
      const a = lowRankPlusDiagonal(randomMatrix(tree.size, 20, 3), () => 1, team.blas);
      const matrix = await make(a, tree, { format, maxRank: 20, oversampling: 4 });
      expect(error(matrix, a)).toBeLessThan(1e-10);
    });

    it.each(FORMATS)('blocks without anything in them have rank zero: %s', async (format) => {
      const tree = treeOfLeaves(randomSizes(16, 20, 50, 5), 2);
      const n = tree.size;
      const diagonal = lowRankPlusDiagonal(zeros(n, 1), (i) => i - 7, team.blas);
      const matrices: Readonly<Record<string, Matrix>> = { zero: zeros(n, n), diagonal };
      for (const [name, a] of Object.entries(matrices)) {
        const matrix = await make(a, tree, { format, maxRank: 10 });
        expect(mostRank(matrix), name).toBe(0);
        for (let i = 0; i < n; i++) expect(Math.abs(matrix.diagonal()[i] - a.data[i + i * n])).toBeLessThan(1e-12 * n);
        expect(matrix.report.products!.error.relative).toBeLessThan(1e-13);
      }
      // Left of the root all rows are zero.
      const v = randomMatrix(n, 3, 4);
      for (let p = tree.begin[1]; p < tree.end[1]; p++) for (let j = 0; j < 3; j++) v.data[tree.order[p] + j * n] = 0;
      const a = lowRankPlusDiagonal(v, () => 0, team.blas);
      const matrix = await make(a, tree, { format, maxRank: 10 });
      expect(error(matrix, a)).toBeLessThan(1e-12);
      const { begin } = matrix.data.skeletons;
      expect([begin[2] - begin[1], begin[3] - begin[2]]).toEqual([0, 0]);
      expect(mostRank(matrix)).toBe(3);
    });

    it.each(FORMATS)('isolated indices stand outside the tree: %s', async (format) => {
      const tree = treeOfLeaves(randomSizes(8, 30, 60, 5), 2, 37);
      const n = tree.size;
      const v = randomMatrix(n, 4, 4);
      for (let p = 0; p < 37; p++) for (let j = 0; j < 4; j++) v.data[tree.order[p] + j * n] = 0;
      const isolated = new Set(tree.order.subarray(0, 37));
      const a = lowRankPlusDiagonal(v, (i) => (isolated.has(i) ? 0 : 2), team.blas);
      expect(error(await make(a, tree, { format, maxRank: 6, oversampling: 6 }), a)).toBeLessThan(1e-12);
    });

    it.each(FORMATS)('a tree of one leaf: %s', async (format) => {
      const tree = treeOfLeaves([50], 2);
      const a = randomHss(tree, 5, 100, team.blas);
      const matrix = await make(a, tree, { format });
      expect(matrix.report.products).toMatchObject({ complete: true, products: 50 });
      expect(error(matrix, a)).toBeLessThan(1e-14);
    });
  });

  describe('on kernel matrices', () => {
    const size = 1500;
    const kernels = [
      ['gaussian', gaussian(0.5)],
      ['laplace', laplace(1)],
    ] as const;
    const problem = async (
      kernel: (typeof kernels)[number][1],
    ): Promise<{ source: ReturnType<typeof kernelSource>; a: Matrix; tree: ClusterTree }> => {
      const source = kernelSource(normalPoints(size, 2, 5), kernel, { blas: team.blas });
      return {
        source,
        a: denseOf(source),
        tree: await buildClusterTree(source, 'geometric', { leafSize: 64, seed: 1 }, { team }),
      };
    };

    it.each(kernels)('the_tolerance_is_met_where_the_rank_suffices: %s', async (_name, kernel) => {
      const { a, tree } = await problem(kernel);
      for (const format of FORMATS) {
        for (const tolerance of [1e-2, 1e-3]) {
          const matrix = await make(a, tree, { format, maxRank: 64, tolerance });
          const { error: measured, met, beyondRank } = matrix.report.products!;
          expect(met).toBe(true);
          expect(beyondRank).toBeLessThan(tolerance);
          const exact = error(matrix, a);
          // 24 vectors tell the error to some 15 % (two deviations and more are allowed for).
          expect(Math.abs(measured.relative / exact - 1)).toBeLessThan(0.4);
          expect(exact).toBeLessThan(1.4 * tolerance);
          // The tolerance is used, not undercut by an order of magnitude.
          expect(exact).toBeGreaterThan(tolerance / 10);
        }
      }
    });

    it.each(kernels)('at_equal_ranks_it_is_as_good_as_compression_from_entries: %s', async (_name, kernel) => {
      const { source, a, tree } = await problem(kernel);
      for (const format of FORMATS) {
        const options = { format, maxRank: 24, tolerance: 0, seed: 1 };
        const entries = await compress(source, { ...options, leafSize: 64, tree, distance: 'geometric' }, { team });
        const matrix = await make(a, tree, options);
        expect(matrix.memory().bytes).toBeLessThanOrEqual(1.01 * entries.memory().bytes);
        expect(error(matrix, a)).toBeLessThan(1.5 * error(entries, a));
        // It knows that the ranks, not the tolerance, limit it.
        expect(matrix.report.products!.met).toBe(false);
        expect(matrix.report.products!.beyondRank).toBeGreaterThan(0.2 * error(matrix, a));
      }
    });

    it('products_in_float32_lose_no_more_than_their_rounding', async () => {
      const { a, tree } = await problem(gaussian(0.5));
      const single32 = zeros(size, size, 'f32');
      single32.data.set(a.data);
      for (const format of FORMATS) {
        const matrix = await compressProducts(
          denseOperator(single32, true, { blas: team.blas }),
          tree,
          { format, maxRank: 64, tolerance: 1e-3, seed: 1, productPrecision: 'f32', dtype: 'f32' },
          { team },
        );
        expect(matrix.data.dtype).toBe('f32');
        expect(matrix.report.products!.met).toBe(true);
        expect(error(matrix, a)).toBeLessThan(1.4e-3);
      }
      // Noise of the products is not taken for rank: rank 7 stays rank 7.
      const v = randomMatrix(size, 7, 3);
      single32.data.set(lowRankPlusDiagonal(v, () => 1, team.blas).data);
      for (const format of FORMATS) {
        const matrix = await compressProducts(
          denseOperator(single32, true, { blas: team.blas }),
          tree,
          { format, maxRank: 16, tolerance: 1e-5, seed: 1, productPrecision: 'f32' },
          { team },
        );
        expect(mostRank(matrix)).toBe(7);
        expect(matrix.report.products!.error.relative).toBeLessThan(1e-5);
      }
    });

    it('all_columns_are_computed_where_that_costs_no_more', async () => {
      const { a, tree } = await problem(gaussian(0.5));
      for (const format of FORMATS) {
        const options = { format, maxRank: format === 'hss' ? 400 : 160, tolerance: 1e-4, seed: 1 };
        expect(compressionCost(tree, options)).toMatchObject({ complete: true, products: size });
        const matrix = await make(a, tree, options);
        const { products, complete, met, error: measured } = matrix.report.products!;
        expect({ products, complete, met, exact: measured.exact }).toEqual({
          products: size,
          complete: true,
          met: true,
          exact: true,
        });
        expect(Math.abs(error(matrix, a) / measured.relative - 1)).toBeLessThan(1e-6);
      }
    });
  });

  describe('the matrix', () => {
    const tree = treeOfLeaves(randomSizes(16, 10, 60, 6), 7);
    const n = tree.size;
    const options = (format: ProductsFormat): Partial<ProductsOptions> => ({
      format,
      maxRank: 6,
      oversampling: 8,
      tolerance: 1e-3,
    });
    const structured = (): Matrix => {
      const a = randomHss(tree, 9, 50, team.blas);
      for (let i = 0; i < n; i++) a.data[i + i * n] += 3;
      return a;
    };

    it.each(FORMATS)('is_symmetric: %s', async (format) => {
      const dense = (await make(structured(), tree, options(format))).toDense();
      let difference = 0;
      let largest = 0;
      for (let j = 0; j < n; j++) {
        for (let i = 0; i < n; i++) {
          difference = Math.max(difference, Math.abs(dense.data[i + j * n] - dense.data[j + i * n]));
          largest = Math.max(largest, Math.abs(dense.data[i + j * n]));
        }
      }
      // Only the order of sums differs.
      expect(difference).toBeLessThan(100 * Number.EPSILON * largest);
    });

    it.each(FORMATS)('has_the_same_bits_for_any_number_of_workers: %s', async (format) => {
      const a = structured();
      const two = await make(a, tree, options(format));
      const one = await make(a, tree, options(format), single);
      const bytes = (matrix: HierarchicalMatrix): Buffer => Buffer.from(matrix.data.values.buffer as ArrayBuffer);
      expect(bytes(one).equals(bytes(two))).toBe(true);
      expect(one.report.products!.error).toEqual(two.report.products!.error);
      const other = await make(a, tree, { ...options(format), seed: 2 });
      expect(bytes(other).equals(bytes(two))).toBe(false);
    });

    it.each(FORMATS)('multiplies_as_its_dense_form: %s', async (format) => {
      const matrix = await make(structured(), tree, options(format));
      const dense = matrix.toDense();
      const x = zeros(n, 5);
      new RandomStream(3).fillNormal(x.data);
      const expected = zeros(n, 5);
      team.blas.gemm('N', 'N', 1, dense, x, 0, expected);
      expect(relativeError(matrix.apply(x), expected)).toBeLessThan(n * Number.EPSILON);
    });

    it.each(FORMATS)('is_read_back_from_its_file: %s', async (format) => {
      const path = join(folder, `${format}.hm`);
      const matrix = await make(structured(), tree, options(format));
      await save(path, matrix);
      const loaded = await load(path, { kind: 'hierarchical matrix', team: single });
      expect(loaded.report).toEqual(matrix.report);
      const x = randomMatrix(n, 3, 1);
      expect(loaded.apply(x).data).toEqual(matrix.apply(x).data);
    });

    it.each(FORMATS)('costs_what_was_predicted: %s', async (format) => {
      const a = structured();
      const dense = denseOperator(a, true, { blas: team.blas });
      let vectors = 0;
      const counting: LinearOperator = {
        ...dense,
        applyUnchecked: (out, x, alpha, beta) => {
          vectors += x.cols;
          dense.applyUnchecked(out, x, alpha, beta);
        },
      };
      const asked: ProductsOptions = {
        format,
        maxRank: 4,
        oversampling: format === 'hss' ? 8 : 2,
        tolerance: 0,
        seed: 1,
      };
      const cost = compressionCost(tree, asked);
      const matrix = await compressProducts(counting, tree, asked, { team });
      expect(cost.complete).toBe(false);
      expect(vectors).toBe(cost.products);
      expect(matrix.report.products).toMatchObject({ products: cost.products, samples: cost.samples });
      const leaf = matrix.report.leafSize;
      if (format === 'hss') expect(cost.products).toBe(Math.max(leaf, 8) + 4 + 8 + MEASURED_VECTORS);
      else expect(cost.products).toBe(2 * tree.depth * 6 + leaf + MEASURED_VECTORS);
      expect(cost.bytes).toBeGreaterThan(8 * matrix.elements.total);
      expect(cost.flops).toBeGreaterThan(0);
    });
  });

  describe('what it refuses', () => {
    const tree = treeOfLeaves(randomSizes(8, 30, 60, 6), 7);
    const n = tree.size;
    const asked: ProductsOptions = { format: 'hss', maxRank: 8, tolerance: 1e-3, seed: 1 };
    const identity: LinearOperator = {
      rows: n,
      cols: n,
      symmetric: true,
      applyUnchecked: (out, x) => {
        for (let j = 0; j < x.cols; j++)
          for (let i = 0; i < n; i++) out.data[out.offset + i + j * out.ld] = x.data[x.offset + i + j * x.ld];
      },
    };
    const failure = (operator: LinearOperator, options: ProductsOptions = asked, over = tree): Promise<unknown> =>
      compressProducts(operator, over, options, { team }).then(
        () => undefined,
        (e: unknown) => e,
      );

    it('operators_that_are_not_symmetric', async () => {
      const said = await failure({ ...identity, symmetric: false });
      expect(said).toBeInstanceOf(OptionError);
      expect((said as Error).message).toMatch(/symmetric/);
      const shift: LinearOperator = {
        ...identity,
        applyUnchecked: (out, x) => {
          for (let j = 0; j < x.cols; j++)
            for (let i = 0; i < n; i++)
              out.data[out.offset + i + j * out.ld] = i * x.data[x.offset + ((i + 1) % n) + j * x.ld];
        },
      };
      expect(await failure(shift)).toBeInstanceOf(AsymmetryError);
      // Where all columns are computed, the entries are named.
      const shown = await failure(shift, { ...asked, maxRank: 400 });
      expect(shown).toBeInstanceOf(AsymmetryError);
      expect((shown as Error).message).toMatch(/entry \(\d+, \d+\)/);
    });

    it('products_that_are_not_finite', async () => {
      for (const format of FORMATS) {
        let calls = 0;
        const failing: LinearOperator = {
          ...identity,
          applyUnchecked: (out, x, alpha, beta) => {
            identity.applyUnchecked(out, x, alpha, beta);
            if (calls++ > 0) out.data[out.offset + 17] = Number.NaN;
          },
        };
        const found = await failure(failing, { ...asked, format, oversampling: 2 });
        expect(found).toBeInstanceOf(NonFiniteError);
        expect((found as NonFiniteError).data['row']).toBe(17);
      }
    });

    it('values_beyond_the_range_of_float32', async () => {
      const large: LinearOperator = {
        ...identity,
        applyUnchecked: (out, x) => {
          for (let j = 0; j < x.cols; j++)
            for (let i = 0; i < n; i++) out.data[out.offset + i + j * out.ld] = 1e40 * x.data[x.offset + i + j * x.ld];
        },
      };
      expect(await failure(large, { ...asked, dtype: 'f32' })).toBeInstanceOf(NonFiniteError);
      expect(await failure(large)).toBeUndefined();
    });

    it('trees_of_another_size', async () => {
      expect(await failure(identity, asked, treeOfLeaves(randomSizes(8, 30, 60, 7), 7))).toBeInstanceOf(ShapeError);
      expect(await failure({ ...identity, cols: n + 1 })).toBeInstanceOf(ShapeError);
      const torn = { ...tree, end: tree.end.map((e, ν) => (ν === 9 ? e + 1 : e)) };
      expect(await failure(identity, asked, torn)).toBeInstanceOf(ShapeError);
    });

    it('options_out_of_their_domain', async () => {
      const wrong: Partial<ProductsOptions>[] = [
        { format: 'fmm' as never },
        { maxRank: 0 },
        { maxRank: 2.5 },
        { tolerance: -1 },
        { tolerance: Number.NaN },
        { oversampling: 1 },
        { seed: -1 },
        { dtype: 'f16' as never },
        { productPrecision: 'f16' as never },
        { memoryLimit: 0 },
      ];
      for (const options of wrong)
        expect(await failure(identity, { ...asked, ...options }), JSON.stringify(options)).toBeInstanceOf(OptionError);
    });

    it('too_little_memory_before_anything_is_multiplied', async () => {
      let calls = 0;
      const counting: LinearOperator = {
        ...identity,
        applyUnchecked: () => {
          calls++;
        },
      };
      expect(await failure(counting, { ...asked, memoryLimit: 1e5 })).toBeInstanceOf(MemoryError);
      expect(calls).toBe(0);
    });

    it('reports_progress_and_honours_an_abort', async () => {
      for (const format of FORMATS) {
        const phases = new Set<string>();
        await compressProducts(
          identity,
          tree,
          { ...asked, format, oversampling: 2 },
          {
            team,
            onProgress: ({ phase, done, total }) => {
              phases.add(phase);
              expect(done).toBeLessThanOrEqual(total);
            },
          },
        );
        for (const phase of ['products', 'find skeletons', 'store blocks']) expect(phases).toContain(phase);
        const controller = new AbortController();
        const aborted = compressProducts(
          identity,
          tree,
          { ...asked, format, oversampling: 2 },
          {
            team,
            signal: controller.signal,
            onProgress: ({ phase }) => {
              if (phase === 'products') controller.abort();
            },
          },
        );
        await expect(aborted).rejects.toBeInstanceOf(AbortedError);
      }
    });
  });

  it('a_matrix_with_entries_and_products_is_the_same_matrix', async () => {
    const tree = treeOfLeaves(randomSizes(16, 30, 50, 6), 7);
    const v = randomMatrix(tree.size, 4, 9);
    const a = lowRankPlusDiagonal(v, () => 5, team.blas);
    const entries = await compress(
      denseSource(a),
      { format: 'hss', maxRank: 8, tolerance: 1e-10, tree, seed: 1 },
      { team },
    );
    const products = await make(a, tree, { maxRank: 8, tolerance: 1e-10 });
    expect(relativeError(products.toDense(), entries.toDense())).toBeLessThan(1e-9);
    expect(products.report.products).toBeDefined();
    expect(entries.report.products).toBeUndefined();
  });
});
