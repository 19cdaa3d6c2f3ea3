import { beforeAll, describe, expect, it } from 'vitest';
import {
  NonFiniteError,
  AsymmetryError,
  NotPositiveDefiniteError,
  MemoryError,
  OptionError,
  ShapeError,
  AbortedError,
} from '#hmatrix/core/errors.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, laplace } from '#hmatrix/source/kernels/named.js';
import { denseOf, gaussianSource, hidden, normalPoints, randomMatrix, relativeError } from '../support.js';
import type { HierarchicalFormat } from '#hmatrix/hierarchical/matrix/format.js';
import { sharedTeam } from '../teams.js';

const FORMATS: readonly HierarchicalFormat[] = ['hodlr', 'hss', 'fmm'];
const small: CompressOptions = { leafSize: 48, maxRank: 48, tolerance: 1e-4, neighbors: 32, seed: 3 };

describe('hierarchical matrix', () => {
  let team: Team;
  beforeAll(async () => {
    team = await sharedTeam(2);
  });

  const exactError = async (matrix: HierarchicalMatrix, source: EntrySource): Promise<number> => {
    const error = await matrix.estimateError(source);
    expect(error.exact).toBe(true);
    return error.relative;
  };

  it.each(FORMATS)('full_rank_reconstruction_is_exact: %s', async (format) => {
    // Rank 20 in exact arithmetic: the polynomial kernel (x·y/h² + 1)³ of points in ℝ³.
    const points = normalPoints(500, 3, 1);
    const gram = zeros(500, 500);
    team.blas.gemm('T', 'N', 1, view(points.coordinates, 0, 3, 500), view(points.coordinates, 0, 3, 500), 0, gram);
    for (let i = 0; i < gram.data.length; i++) gram.data[i] = (gram.data[i] + 1) ** 3;
    const source = denseSource(gram);
    const matrix = await compress(source, { ...small, format, tolerance: 0 }, { team });
    expect(Math.max(...matrix.ranks().map((r) => r.max))).toBe(20);
    expect(await exactError(matrix, source)).toBeLessThan(1e-12);
  });

  it.each(FORMATS)('error_is_within_three_tolerances_where_the_rank_suffices: %s', async (format) => {
    for (const h of [1.5, 3, 6]) {
      for (const tolerance of [1e-2, 1e-4]) {
        const source = gaussianSource(1000, 2, h / 4, team.blas);
        const matrix = await compress(source, { ...small, format, tolerance, leafSize: 64, maxRank: 128 }, { team });
        expect(await exactError(matrix, source)).toBeLessThanOrEqual(3 * tolerance);
      }
    }
  });

  it('non_smooth_kernel_meets_its_tolerance', async () => {
    const source = kernelSource(normalPoints(900, 2, 4), laplace(1), { blas: team.blas });
    const matrix = await compress(source, { ...small, tolerance: 1e-2, leafSize: 64, maxRank: 256 }, { team });
    expect(await exactError(matrix, source)).toBeLessThanOrEqual(3e-2);
  });

  it('geometry_oblivious_order_beats_lexicographic_order_by_a_factor_of_ten', async () => {
    const source = hidden(normalPoints(1024, 2, 9), team.blas, 0.5, 11);
    const errorBy = async (distance: 'gram' | 'angle' | 'lexicographic'): Promise<number> =>
      exactError(await compress(source, { ...small, distance }, { team }), source);
    const lexicographic = await errorBy('lexicographic');
    expect(10 * (await errorBy('angle'))).toBeLessThan(lexicographic);
    expect(10 * (await errorBy('gram'))).toBeLessThan(lexicographic);
  });

  it('the_tolerance_is_met_however_the_indices_are_numbered', async () => {
    const points = normalPoints(800, 2, 5);
    for (const seed of [21, 22, 23]) {
      const shuffled = hidden(points, team.blas, 0.7, seed);
      expect(await exactError(await compress(shuffled, { ...small, maxRank: 96 }, { team }), shuffled)).toBeLessThan(
        3e-4,
      );
    }
  });

  it.each(FORMATS)('degenerate_matrices_are_exact: %s', async (format) => {
    const n = 300;
    const matrices: Readonly<Record<string, (i: number, j: number) => number>> = {
      zero: () => 0,
      identity: (i, j) => (i === j ? 1 : 0),
      'rank one': () => 1,
      'zero rows': (i, j) => (i < 150 || j < 150 ? 0 : i === j ? 2 : 1),
      'Brownian motion': (i, j) => Math.min(i, j) + 1,
    };
    for (const [name, entry] of Object.entries(matrices)) {
      const values = sharedFloat64(n * n);
      for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) values[i + n * j] = entry(i, j);
      const source = denseSource(values);
      for (const distance of ['angle', 'gram'] as const) {
        const matrix = await compress(
          source,
          { leafSize: 16, maxRank: 16, tolerance: 1e-10, format, distance, budget: format === 'fmm' ? 1 : 0 },
          { team },
        );
        expect(await exactError(matrix, source), `${name}, ${distance}`).toBeLessThan(1e-9);
      }
    }
  });

  it.each(FORMATS)('apply_is_symmetric_and_agrees_with_the_dense_copy: %s', async (format) => {
    const source = gaussianSource(700, 4, 1.5, team.blas);
    const matrix = await compress(source, { ...small, format, budget: format === 'fmm' ? 0.2 : 0 }, { team });
    const dense = matrix.toDense();
    const transposed = zeros(700, 700);
    for (let j = 0; j < 700; j++) for (let i = 0; i < 700; i++) transposed.data[i + 700 * j] = dense.data[j + 700 * i];
    expect(relativeError(dense, transposed)).toBeLessThan(1e-14);
    for (const p of [1, 3, 70, 300]) {
      const x = randomMatrix(700, p, p);
      const expected = zeros(700, p);
      team.blas.gemm('N', 'N', 1, dense, x, 0, expected);
      expect(relativeError(matrix.apply(x), expected)).toBeLessThan(1e-13);
    }
    const diagonal = new Float64Array(700);
    source.diagonal(diagonal);
    expect(matrix.diagonal()).toEqual(diagonal);
  });

  it('apply_unchecked_adds_and_scales_in_place_and_takes_views', async () => {
    const source = gaussianSource(300, 3, 1, team.blas);
    const matrix = await compress(source, small, { team });
    const x = view(randomMatrix(310, 5, 1).data, 7, 300, 4, 310);
    const y = view(randomMatrix(305, 6, 2).data, 3, 300, 4, 305);
    const expected = zeros(300, 4);
    const product = matrix.apply(x);
    for (let j = 0; j < 4; j++)
      for (let i = 0; i < 300; i++)
        expected.data[i + 300 * j] = 2 * product.data[i + 300 * j] - 0.5 * y.data[3 + i + 305 * j];
    const before = y.data.slice();
    matrix.applyUnchecked(y, x, 2, -0.5);
    expect(relativeError(y, expected)).toBeLessThan(1e-14);
    // Nothing outside the view was touched.
    for (let p = 0; p < 3; p++) expect(y.data[p]).toBe(before[p]);
    expect(y.data[303]).toBe(before[303]);
  });

  it('near_blocks_of_fmm_reduce_the_error_within_their_budget', async () => {
    const source = gaussianSource(1024, 4, 0.8, team.blas);
    const options: CompressOptions = { ...small, leafSize: 32, maxRank: 24 };
    const without = await compress(source, { ...options, format: 'fmm', budget: 0 }, { team });
    const hss = await compress(source, { ...options, format: 'hss' }, { team });
    const budget = 0.25;
    const corrected = await compress(source, { ...options, format: 'fmm', budget }, { team });
    expect(await exactError(without, source)).toBe(await exactError(hss, source));
    expect(corrected.report.budgetUsed).toBeGreaterThan(0);
    expect(corrected.report.budgetUsed).toBeLessThanOrEqual(budget);
    expect(await exactError(corrected, source)).toBeLessThan(0.8 * (await exactError(hss, source)));
  });

  it('float32_blocks_keep_single_precision', async () => {
    const source = gaussianSource(600, 3, 2, team.blas);
    const double = await compress(source, { ...small, tolerance: 1e-6, maxRank: 100 }, { team });
    const single = await compress(source, { ...small, tolerance: 1e-6, maxRank: 100, dtype: 'f32' }, { team });
    expect(single.data.values).toBeInstanceOf(Float32Array);
    expect(single.memory().basis * 2).toBe(double.memory().basis);
    const x = randomMatrix(600, 8, 3);
    expect(relativeError(single.apply(x), double.apply(x))).toBeLessThan(600 * 2 ** -24);
  });

  it('one_leaf_and_tiny_matrices_are_exact', async () => {
    for (const n of [1, 2, 3, 47, 48, 49]) {
      const source = gaussianSource(n, 2, 1, team.blas);
      const matrix = await compress(source, { ...small, maxRank: 48, tolerance: 0 }, { team });
      expect(relativeError(matrix.toDense(), denseOf(source))).toBeLessThan(1e-12);
    }
  });

  it('memory_counts_the_bytes_of_its_arrays', async () => {
    const source = gaussianSource(800, 3, 1, team.blas);
    for (const format of FORMATS) {
      const matrix = await compress(source, { ...small, format }, { team });
      const { data } = matrix;
      const arrays = [
        data.tree.order,
        data.tree.begin,
        data.tree.end,
        data.lists.nearBegin,
        data.lists.near,
        data.lists.far,
        ...Object.values(data.skeletons),
        ...Object.values(data.offsets),
        data.values,
      ];
      const memory = matrix.memory();
      expect(memory.bytes).toBe(arrays.reduce((sum, a) => sum + (a as Float64Array).byteLength, 0));
      expect(memory.share).toBeCloseTo(memory.bytes / (8 * 800 * 800), 12);
      expect(memory.basis + memory.coupling + memory.near + memory.diagonal + memory.structure).toBe(memory.bytes);
    }
  });

  it('estimated_error_covers_the_exact_one', async () => {
    const source = gaussianSource(1500, 4, 1, team.blas);
    const matrix = await compress(source, small, { team });
    const exact = await matrix.estimateError(source);
    const estimate = await matrix.estimateError(source, { columns: 200, seed: 5 });
    expect(exact.exact).toBe(true);
    expect(relativeError(matrix.toDense(), denseOf(source))).toBeCloseTo(exact.relative, 12);
    expect(estimate.exact).toBe(false);
    expect(estimate.low).toBeLessThanOrEqual(exact.relative);
    expect(estimate.high).toBeGreaterThanOrEqual(exact.relative);
  });

  it('source_without_descriptor_is_compressed_by_the_calling_thread_alike', async () => {
    const source = gaussianSource(600, 3, 1, team.blas);
    const plain: EntrySource = {
      size: source.size,
      points: source.points!,
      entries: (i, j, out) => source.entries(i, j, out),
      diagonal: (out) => source.diagonal(out),
    };
    const a = await compress(source, small, { team });
    const b = await compress(plain, small, { team });
    expect(b.report.workers).toBe(1);
    expect(b.data.values).toEqual(a.data.values);
  });

  it.each(FORMATS)('same_bits_for_every_team_size: %s', async (format) => {
    const reference: { values?: ArrayLike<number>; product?: Matrix } = {};
    for (const workers of [1, 2, 3, 5]) {
      const other = await sharedTeam(workers);
      const source = gaussianSource(600, 4, 1, other.blas);
      const matrix = await compress(source, { ...small, format, budget: format === 'fmm' ? 0.15 : 0 }, { team: other });
      const product = matrix.apply(randomMatrix(600, 66, 1));
      reference.values ??= matrix.data.values;
      reference.product ??= product;
      expect(matrix.data.values).toEqual(reference.values);
      expect(product.data).toEqual(reference.product.data);
    }
  });

  describe('bad input', () => {
    const dense = (change: (a: Float64Array) => void): Float64Array => {
      const a = sharedFloat64(100 * 100);
      for (let i = 0; i < 100; i++) a[i + 100 * i] = 1;
      change(a);
      return a;
    };
    const rejects = async (
      make: () => EntrySource,
      error: new (message: string) => Error,
      pattern: RegExp,
    ): Promise<void> => {
      const failure = await (async () => compress(make(), { ...small, leafSize: 16 }, { team }))().then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(failure).toBeInstanceOf(error);
      expect((failure as Error).message).toMatch(pattern);
    };

    it('names_non_finite_entries', () =>
      rejects(
        () =>
          denseSource(
            dense((a) => {
              a[5 + 100 * 7] = Number.NaN;
              a[7 + 100 * 5] = Number.NaN;
            }),
          ),
        NonFiniteError,
        /NaN/,
      ));
    it('names_asymmetric_entries', () =>
      rejects(
        () =>
          denseSource(
            dense((a) => {
              for (let i = 0; i < 100; i++) for (let j = 0; j < i; j++) a[i + 100 * j] = 0.01;
            }),
          ),
        AsymmetryError,
        /symmetric/i,
      ));
    it('names_negative_diagonal_entries', () =>
      rejects(
        () =>
          denseSource(
            dense((a) => {
              a[3 + 300] = -2;
            }),
          ),
        NotPositiveDefiniteError,
        /-2/,
      ));
    it('wrong_sizes', () => rejects(() => denseSource(new Float64Array(101)), ShapeError, /101/));

    it('options_out_of_their_domain', async () => {
      const source = gaussianSource(50, 2, 1, team.blas);
      const wrong: CompressOptions[] = [
        { leafSize: 0 },
        { leafSize: 2.5 },
        { maxRank: 0 },
        { tolerance: -1 },
        { tolerance: Number.NaN },
        { neighbors: 0 },
        { budget: -0.1 },
        { budget: 0.1, format: 'hss' },
        { seed: -1 },
        { format: 'h2' as never },
        { dtype: 'f16' as never },
        { distance: 'euclid' as never },
        { memoryLimit: 0 },
      ];
      for (const options of wrong)
        await expect(compress(source, options, { team }), JSON.stringify(options)).rejects.toBeInstanceOf(OptionError);
    });

    it('geometric_distance_without_points', async () => {
      await expect(
        compress(hidden(normalPoints(200, 2, 1), team.blas, 1, 1), { ...small, distance: 'geometric' }, { team }),
      ).rejects.toThrow(/points/);
    });

    it('too_little_memory_is_refused_before_allocating', async () => {
      const failure = await compress(
        gaussianSource(2000, 2, 1, team.blas),
        { ...small, memoryLimit: 1e6 },
        { team },
      ).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(failure).toBeInstanceOf(MemoryError);
      expect((failure as MemoryError).data['bytes']).toBeGreaterThan(1e6);
    });

    it('vectors_of_the_wrong_size', async () => {
      const matrix = await compress(gaussianSource(100, 2, 1, team.blas), small, { team });
      expect(() => matrix.apply(zeros(99, 1))).toThrow(ShapeError);
      expect(() => matrix.apply(zeros(100, 2), zeros(100, 1))).toThrow(ShapeError);
      await expect(matrix.estimateError(gaussianSource(99, 2, 1, team.blas))).rejects.toBeInstanceOf(ShapeError);
      matrix.release();
      expect(() => matrix.apply(zeros(100, 1))).toThrow(OptionError);
    });

    it('an_entry_that_turns_non_finite_late_is_not_stored', async () => {
      const source = kernelSource(normalPoints(300, 2, 1), gaussian(1), { blas: team.blas });
      let calls = 0;
      const failing: EntrySource = {
        size: 300,
        diagonal: (out) => source.diagonal(out),
        entries: (i, j, out) => {
          source.entries(i, j, out);
          if (calls++ > 20) out.data[out.offset] = Number.POSITIVE_INFINITY;
        },
      };
      await expect(compress(failing, { ...small, distance: 'lexicographic' }, { team })).rejects.toBeInstanceOf(
        NonFiniteError,
      );
    });
  });

  it('reports_progress_and_honours_an_abort', async () => {
    const phases = new Set<string>();
    const source = gaussianSource(3000, 5, 1, team.blas);
    await compress(
      source,
      { leafSize: 64, maxRank: 64 },
      {
        team,
        onProgress: ({ phase, done, total }) => {
          phases.add(phase);
          expect(done).toBeLessThanOrEqual(total);
        },
      },
    );
    expect(phases.has('skeletonize')).toBe(true);
    expect(phases.has('evaluate blocks')).toBe(true);
    const controller = new AbortController();
    const aborted = compress(
      source,
      { leafSize: 64, maxRank: 64 },
      {
        team,
        signal: controller.signal,
        onProgress: ({ phase }) => {
          if (phase === 'skeletonize') controller.abort();
        },
      },
    );
    await expect(aborted).rejects.toBeInstanceOf(AbortedError);
    // The team survives.
    const matrix = await compress(gaussianSource(200, 2, 1, team.blas), small, { team });
    expect(matrix.size).toBe(200);
  });
});
