import { beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  FactorizationError,
  MemoryError,
  NonFiniteError,
  NotPositiveDefiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor, type FactorOptions } from '#hmatrix/hierarchical/factor/factor.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { laplace } from '#hmatrix/source/kernels/named.js';
import { gaussianSource, normalPoints, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import { norm, reference, residual } from './factored.js';
import type { HierarchicalFormat } from '#hmatrix/hierarchical/matrix/format.js';

const FORMATS: readonly HierarchicalFormat[] = ['hss', 'hodlr'];
const small: CompressOptions = { leafSize: 32, maxRank: 8, tolerance: 1e-6, neighbors: 32, seed: 3 };
const EPS = Number.EPSILON;

const failureOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('factorization of what is not positive definite', () => {
  let team: Team;
  /** Too few ranks: indefinite. */
  let crude: Readonly<Record<string, HierarchicalMatrix>>;
  beforeAll(async () => {
    team = await sharedTeam(2);
    crude = Object.fromEntries(
      await Promise.all(
        FORMATS.map(
          async (format) =>
            [format, await compress(gaussianSource(600, 4, 1, team.blas), { ...small, format }, { team })] as const,
        ),
      ),
    );
  });

  it.each(FORMATS)('names_where_and_the_smallest_shift_that_works: %s', async (format) => {
    const matrix = crude[format];
    const { eigenvalues } = reference(matrix, 0, team.blas);
    const needed = -eigenvalues[0];
    expect(needed).toBeGreaterThan(0);
    const error = await failureOf(factor(matrix, { shift: needed / 2 }, { team }));
    expect(error).toBeInstanceOf(NotPositiveDefiniteError);
    const { node, level, pivot, index, shift, suggestedShift } = (error as NotPositiveDefiniteError).data as Record<
      string,
      number
    >;
    expect(level).toBe(Math.floor(Math.log2(node + 1)));
    expect(pivot).toBeGreaterThan(0);
    const members = matrix.data.tree.order.subarray(matrix.data.tree.begin[node], matrix.data.tree.end[node]);
    expect(members).toContain(index);
    expect(shift).toBe(needed / 2);
    expect(suggestedShift).toBeGreaterThan(needed * (1 - 1e-10));
    expect(suggestedShift).toBeLessThan(needed * 1.06);
    expect((await factor(matrix, { shift: suggestedShift }, { team })).inertia.negative).toBe(0);
    expect(
      await failureOf(factor(matrix, { shift: suggestedShift * 0.9, suggestShift: false }, { team })),
    ).toBeInstanceOf(NotPositiveDefiniteError);
  });

  it.each(FORMATS)('the_same_breakdown_is_named_by_every_team: %s', async (format) => {
    const errors: unknown[] = [];
    for (const workers of [1, 3]) {
      const other = await sharedTeam(workers);
      const matrix = await compress(gaussianSource(600, 4, 1, other.blas), { ...small, format }, { team: other });
      errors.push(((await failureOf(factor(matrix, {}, { team: other }))) as NotPositiveDefiniteError).data);
    }
    expect(errors[1]).toEqual(errors[0]);
  });

  it.each(FORMATS)('singular_matrices_are_refused_without_a_shift_and_isolated_rows_say_so: %s', async (format) => {
    const zero = await compress(denseSource(new Float64Array(50 * 50)), { ...small, format, leafSize: 8 }, { team });
    const error = (await failureOf(factor(zero, {}, { team }))) as NotPositiveDefiniteError;
    expect(error).toBeInstanceOf(NotPositiveDefiniteError);
    expect(error.data['suggestedShift']).toBeGreaterThan(0);
    const values = new Float64Array(60 * 60);
    for (let i = 10; i < 60; i++) values[i * 61] = 1;
    const matrix = await compress(denseSource(values), { ...small, format, leafSize: 8 }, { team });
    const isolated = (await failureOf(factor(matrix, {}, { team }))) as NotPositiveDefiniteError;
    expect(isolated).toBeInstanceOf(NotPositiveDefiniteError);
    expect(isolated.message).toMatch(/10 isolated indices have rows of zeros/);
    const f = await factor(matrix, { shift: 0.5 }, { team });
    const x = f.solve({ ...zeros(60, 1), data: new Float64Array(60).fill(1) });
    for (let i = 0; i < 60; i++) expect(x.data[i]).toBeCloseTo(i < 10 ? 2 : 1 / 1.5, 14);
    expect((await f.diagonalOfInverse())[3]).toBe(2);
  });

  it.each(FORMATS)('a_failed_refactor_leaves_nothing_to_solve_with_until_one_succeeds: %s', async (format) => {
    const needed = -reference(crude[format], 0, team.blas).eigenvalues[0];
    const f = await factor(crude[format], { shift: 2 * needed }, { team });
    expect(await failureOf(f.refactor(0, { suggestShift: false }))).toBeInstanceOf(NotPositiveDefiniteError);
    expect(() => f.solve(zeros(600, 1))).toThrow(OptionError);
    expect(() => f.logdet).toThrow(OptionError);
    await f.refactor(2 * needed);
    const b = randomMatrix(600, 1, 1);
    const { a, condition } = reference(crude[format], 2 * needed, team.blas);
    expect(residual(a, f.solve(b), b, team.blas)).toBeLessThan(600 * EPS * condition);
  });

  it('indefinite_factorization_solves_and_counts_eigenvalues', async () => {
    const matrix = crude['hss'];
    for (const shift of [0, 0.05, -0.3, -20]) {
      const { a, inverse, condition, eigenvalues, logdet } = reference(matrix, shift, team.blas);
      const f = await factor(matrix, { shift, indefinite: true }, { team });
      const negative = eigenvalues.filter((w) => w < 0).length;
      expect(f.inertia).toEqual({ positive: 600 - negative, negative });
      // Nothing is pivoted between nodes: growth is possible, and small here.
      const rounding = 1e4 * EPS * condition;
      const b = randomMatrix(600, 4, 1);
      const x = f.solve(b);
      expect(residual(a, x, b, team.blas)).toBeLessThan(rounding);
      expect(
        residual(a, f.solve({ ...b, cols: 1 }), { ...b, cols: 1, data: b.data.subarray(0, 600) }, team.blas),
      ).toBeLessThan(rounding);
      expect(Math.abs(f.logdet - logdet)).toBeLessThan(rounding * Math.abs(logdet));
      const diagonal = await f.diagonalOfInverse();
      const scale = norm(inverse.data);
      for (let i = 0; i < 600; i++)
        expect(Math.abs(diagonal[i] - inverse.data[i * 601])).toBeLessThan(rounding * scale);
      expect(() => f.sample()).toThrow(OptionError);
    }
  });

  it('indefinite_factorization_of_a_singular_matrix_is_refused', async () => {
    const matrix = await compress(
      denseSource(new Float64Array(50 * 50).fill(1)),
      { ...small, format: 'hss', leafSize: 8 },
      { team },
    );
    const error = await failureOf(factor(matrix, { indefinite: true }, { team }));
    expect(error).toBeInstanceOf(FactorizationError);
    expect((error as FactorizationError).data['node']).toBeGreaterThanOrEqual(0);
  });

  describe('bad input', () => {
    let matrix: HierarchicalMatrix;
    beforeAll(async () => {
      matrix = await compress(
        kernelSource(normalPoints(100, 2, 1), laplace(1), { blas: team.blas }),
        { ...small, maxRank: 32, leafSize: 16 },
        { team },
      );
    });

    it('options_out_of_their_domain', async () => {
      const wrong: FactorOptions[] = [
        { shift: -1 },
        { shift: Number.NaN },
        { shift: Number.POSITIVE_INFINITY },
        { precision: 'f16' as never },
      ];
      for (const options of wrong)
        await expect(factor(matrix, options, { team }), JSON.stringify(options)).rejects.toBeInstanceOf(OptionError);
      const f = await factor(matrix, {}, { team });
      await expect(f.refactor(-1)).rejects.toBeInstanceOf(OptionError);
      // A shift that was refused changed nothing.
      expect(f.solve(zeros(100, 1)).data[0]).toBe(0);
      expect(() => f.sample({ count: -1 })).toThrow(OptionError);
      expect(() => f.sample({ of: 'other' as never })).toThrow(OptionError);
      await expect(factor(crude['hodlr'], { indefinite: true }, { team })).rejects.toBeInstanceOf(OptionError);
    });

    it('vectors_of_the_wrong_size_or_not_finite', async () => {
      const f = await factor(matrix, {}, { team });
      expect(() => f.solve(zeros(99, 1))).toThrow(ShapeError);
      expect(() => f.solve(zeros(100, 2), zeros(100, 1))).toThrow(ShapeError);
      const b = zeros(100, 3);
      b.data[205] = Number.NaN;
      expect(() => f.solve(b)).toThrow(NonFiniteError);
      expect(() => f.solve(b)).toThrow(/row 5, column 2/);
    });

    it('near_blocks_are_refused_with_advice', async () => {
      const corrected = await compress(
        gaussianSource(400, 4, 0.8, team.blas),
        { ...small, format: 'fmm', budget: 0.3 },
        { team },
      );
      const error = await failureOf(factor(corrected, { shift: 1 }, { team }));
      expect(error).toBeInstanceOf(OptionError);
      expect((error as OptionError).message).toMatch(/hss.*preconditioned/);
    });

    it('too_little_memory_is_refused', async () => {
      await expect(factor(matrix, { memoryLimit: 1000 }, { team })).rejects.toBeInstanceOf(MemoryError);
    });

    it('aborts_and_releases', async () => {
      const aborted = new AbortController();
      aborted.abort();
      await expect(factor(matrix, {}, { team, signal: aborted.signal })).rejects.toBeInstanceOf(AbortedError);
      const f = await factor(matrix, {}, { team });
      f.solve(zeros(100, 1));
      f.release();
      expect(() => f.solve(zeros(100, 1))).toThrow(OptionError);
      await expect(f.refactor(1)).rejects.toBeInstanceOf(OptionError);
      expect(matrix.apply(zeros(100, 1)).rows).toBe(100);
    });
  });
});
