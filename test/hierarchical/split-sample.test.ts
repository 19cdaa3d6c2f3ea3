/** Large nodes of a compression, whose samples several workers evaluate and multiply. */
import { beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { NonFiniteError } from '#hmatrix/core/errors.js';
import { sharedFloat64, sharedInt32 } from '#hmatrix/core/shared-array.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import { block, view, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { PRODUCT_SCALARS, PRODUCT_WORDS, SplitProducts } from '#hmatrix/hierarchical/from-entries/split-products.js';
import { SPLIT_COLUMNS, splitMemory } from '#hmatrix/hierarchical/from-entries/split-sample.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { runAlone } from '#hmatrix/parallel/parts.js';
import type { EntriesReport } from '#hmatrix/hierarchical/matrix/report.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { uniformPoints } from '#datasets/points.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { laplace } from '#hmatrix/source/kernels/named.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

describe('products in parts', () => {
  /** Random numbers in memory that is shared, and the products of matrices in it; which parts were done. */
  const open = (size: number): { numbers: Float64Array; products: SplitProducts; parts: number[] } => {
    const numbers = sharedFloat64(size);
    numbers.set(randomMatrix(size, 1, 3).data);
    const parts: number[] = [];
    const board = { words: sharedInt32(PRODUCT_WORDS), scalars: sharedFloat64(PRODUCT_SCALARS), numbers };
    const products = new SplitProducts(board, {
      blas: team.blas,
      worker: 0,
      workers: 1,
      modules: () => ({}),
      runParts: (count, run) => {
        parts.push(count);
        runAlone(count, run);
      },
    });
    return { numbers, products, parts };
  };
  /** What both routines leave in `out`; they begin with the same numbers. */
  const both = (
    numbers: Float64Array,
    out: Matrix,
    whole: () => void,
    split: () => void,
  ): readonly [Matrix, Matrix] => {
    const before = numbers.slice();
    const results = [whole, split].map((act) => {
      numbers.set(before);
      act();
      const copy = view(new Float64Array(out.rows * out.cols), 0, out.rows, out.cols);
      for (let j = 0; j < out.cols; j++)
        for (let i = 0; i < out.rows; i++) copy.data[i + j * out.rows] = out.data[out.offset + i + j * out.ld];
      return copy;
    });
    return [results[0], results[1]];
  };
  const sizes = fc.integer({ min: 260, max: 420 });
  const trans = fc.constantFrom('N' as const, 'T' as const);

  it('are_those_of_BLAS', () => {
    fc.assert(
      fc.property(sizes, sizes, sizes, trans, trans, (m, n, k, transA, transB) => {
        const { numbers, products, parts } = open(3 * 421 ** 2);
        const at = (number: number): number => number * 421 ** 2 + 1;
        const a = transA === 'N' ? view(numbers, at(0), m, k, 421) : view(numbers, at(0), k, m, 421);
        const b = transB === 'N' ? view(numbers, at(1), k, n, 421) : view(numbers, at(1), n, k, 421);
        const c = view(numbers, at(2), m, n, 421);
        const gemm = (blas: Pick<Blas, 'gemm'>) => () => blas.gemm(transA, transB, -0.5, a, b, 2, c);
        expect(relativeError(...both(numbers, c, gemm(team.blas), gemm(products)))).toBeLessThan(1e-14);
        const square = view(numbers, at(2), m, m, 421);
        const syrk = (blas: Pick<Blas, 'syrk'>) => () => blas.syrk('L', transA, -0.5, a, 2, square);
        expect(relativeError(...both(numbers, square, syrk(team.blas), syrk(products)))).toBeLessThan(1e-14);
        const l = block(square, 0, 0, m, m);
        for (let i = 0; i < m; i++) l.data[l.offset + i * (l.ld + 1)] = 40;
        const right = view(numbers, at(1), n, m, 421);
        const trsm = (blas: Pick<Blas, 'trsm'>) => () => blas.trsm('R', 'L', transA, 'N', 1, l, right);
        expect(relativeError(...both(numbers, right, trsm(team.blas), trsm(products)))).toBeLessThan(1e-12);
        expect(parts).toHaveLength(3);
        for (const count of parts) expect(count).toBeGreaterThan(1);
      }),
      { numRuns: 20 },
    );
  });

  it('stay_whole_where_they_are_small_or_lie_elsewhere', () => {
    const { numbers, products, parts } = open(300 ** 2);
    const a = randomMatrix(300, 300, 1);
    const c = randomMatrix(300, 300, 2);
    products.gemm('N', 'N', 1, a, view(numbers, 0, 300, 300), 0, c);
    products.syrk('L', 'T', 1, a, 0, view(numbers, 0, 300, 300));
    products.gemm('N', 'N', 1, view(numbers, 0, 1, 1), view(numbers, 1, 1, 2), 0, view(numbers, 3, 1, 2));
    products.gemv('N', 1, view(numbers, 0, 2, 2), view(numbers, 4, 2, 1), 0, view(numbers, 6, 2, 1));
    expect(parts).toEqual([]);
  });
});

describe('a compression with large nodes', () => {
  const N = 2500;
  const make = (on: Team, tolerance: number): Promise<HierarchicalMatrix> =>
    compress(
      kernelSource(uniformPoints(N, 3, 1), laplace(1), { blas: on.blas }),
      { format: 'hss', leafSize: 400, maxRank: 700, tolerance, seed: 1 },
      { team: on },
    );

  it('has_memory_for_them_alone', () => {
    expect(splitMemory(2, SPLIT_COLUMNS - 1, 100)).toBeUndefined();
    expect(splitMemory(2, 100_000, 50_000)).toBeUndefined();
    expect(splitMemory(2, SPLIT_COLUMNS, 100)?.numbers).toHaveLength(2);
  });

  it.each([1e-6, 1e-9])('has_the_same_bits_for_every_team: %d', async (tolerance) => {
    const results: unknown[] = [];
    for (const workers of [1, 2, 3]) {
      const { data, report: of } = await make(await sharedTeam(workers), tolerance);
      const report = of as EntriesReport;
      results.push([data.values, data.skeletons.indices, report.resampled, report.missed]);
      const { begin } = data.skeletons;
      const ranks = Array.from({ length: begin.length - 1 }, (_, ν) => begin[ν + 1] - begin[ν]);
      expect(Math.max(...ranks)).toBeGreaterThan(SPLIT_COLUMNS / 2);
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('keeps_its_tolerance', async () => {
    const source = kernelSource(uniformPoints(N, 3, 1), laplace(1), { blas: team.blas });
    for (const tolerance of [1e-6, 1e-9]) {
      const { relative } = await (await make(team, tolerance)).estimateError(source);
      expect(relative).toBeLessThan(tolerance);
    }
  });

  it('names_an_entry_that_is_no_number', async () => {
    const source = kernelSource(uniformPoints(N, 3, 1), laplace(1), { blas: team.blas });
    const bad = {
      size: N,
      points: source.points,
      diagonal: (out: Float64Array): void => source.diagonal(out),
      entries: (rows: Int32Array, cols: Int32Array, out: Matrix): void => {
        source.entries(rows, cols, out);
        rows.forEach((i, a) => {
          cols.forEach((j, b) => {
            if (i !== j && (i === 7 || j === 7)) out.data[out.offset + a + b * out.ld] = NaN;
          });
        });
      },
    };
    await expect(compress(bad, { format: 'hss', leafSize: 400, tolerance: 1e-4 }, { team })).rejects.toThrow(
      NonFiniteError,
    );
  });
});
