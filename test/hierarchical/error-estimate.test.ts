/**
 * The measured error: the same for a matrix of any scale, never a certain zero from a sample, and what it says of a
 * tolerance.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { operatorError } from '#hmatrix/approximation/operator-error.js';
import { statusOf } from '#hmatrix/cli/compress.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { frobeniusNorm, norm } from '#hmatrix/dense/norm.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { compressOperator } from '#hmatrix/hierarchical/from-products/compress.js';
import { estimateError } from '#hmatrix/hierarchical/measure/error-estimate.js';
import { decide, exactError, sampledError } from '#hmatrix/hierarchical/measure/error-interval.js';
import { estimateTreeErrors } from '#hmatrix/hierarchical/measure/tree-error.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { denseOf, gaussianSource, normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const N = 300;
const OPTIONS = { leafSize: 32, maxRank: 24, tolerance: 1e-3, distance: 'angle' } as const;

function multiple(of: Matrix, factor: number): Matrix {
  const out = view(sharedFloat64(of.rows * of.cols), 0, of.rows, of.cols);
  for (let i = 0; i < of.data.length; i++) out.data[i] = factor * of.data[i];
  return out;
}

describe('errors of a multiple of a matrix', () => {
  it.each(['hss', 'hodlr', 'fmm'] as const)('are_those_of_the_matrix_in_format_%s', async (format) => {
    const k = denseOf(gaussianSource(N, 2, 0.6, team.blas));
    const measured = async (factor: number): Promise<object> => {
      const dense = multiple(k, factor);
      const source = denseSource(dense, { blas: team.blas });
      const matrix = await compress(
        source,
        { ...OPTIONS, format, ...(format === 'fmm' ? { budget: 0.1 } : {}) },
        { team },
      );
      const byProducts = denseOperator(dense, true, { blas: team.blas });
      const result = {
        ranks: matrix.ranks(),
        norm: matrix.report.norm / factor,
        missed: matrix.report.missed,
        errors: [
          await matrix.estimateError(source),
          await matrix.estimateError(source, { columns: 64 }),
          await operatorError(byProducts, matrix, {}, { team }),
          await operatorError(byProducts, matrix, { columns: 32 }, { team }),
        ],
      };
      matrix.release();
      return result;
    };
    const plain = (await measured(1)) as { errors: { relative: number; high: number }[]; norm: number };
    // A tolerance of 1e-3 that the ranks nearly allow: neither zero nor everything.
    expect(plain.errors[0].relative).toBeGreaterThan(1e-7);
    expect(plain.errors[0].relative).toBeLessThan(1e-1);
    // Powers of two round nothing.
    for (const factor of [2 ** -600, 2 ** 500]) expect(await measured(factor)).toEqual(plain);
    for (const factor of [1e-200, 1e160]) {
      const { errors, norm: length } = (await measured(factor)) as typeof plain;
      expect(Math.abs(length / plain.norm - 1)).toBeLessThan(1e-10);
      // Entries rounded by eps may change the error by N·eps.
      errors.forEach(({ relative, high }, i) => {
        expect(Math.abs(relative - plain.errors[i].relative)).toBeLessThan(1e-9);
        expect(high).toBeGreaterThanOrEqual(relative);
      });
    }
  });

  it.each(['hss', 'hodlr'] as const)('from_products_are_those_of_the_operator_in_format_%s', async (format) => {
    const k = denseOf(gaussianSource(N, 2, 0.6, team.blas));
    const tree = await buildClusterTree(denseSource(k), 'angle', { leafSize: 32 }, { team });
    const measured = async (
      factor: number,
    ): Promise<{ error: { relative: number }; met: boolean; norm: number; full: number }> => {
      const dense = multiple(k, factor);
      const matrix = await compressOperator(
        denseOperator(dense, true, { blas: team.blas }),
        tree,
        { format, maxRank: 20, tolerance: 1e-2, seed: 0 },
        { team },
      );
      const full = (await matrix.estimateError(denseSource(dense))).relative;
      matrix.release();
      const { error, met } = matrix.report.products!;
      return { error, met, norm: matrix.report.norm / factor, full };
    };
    const plain = await measured(1);
    expect(plain.full).toBeGreaterThan(1e-9);
    for (const factor of [2 ** -600, 2 ** 500]) expect(await measured(factor)).toEqual(plain);
    // Entries rounded by eps; least squares over the random samples magnify that.
    for (const factor of [1e-200, 1e160]) {
      expect(Math.abs((await measured(factor)).full / plain.full - 1)).toBeLessThan(1e-2);
    }
  });

  it('and_of_its_trees_are_the_same', async () => {
    const k = denseOf(gaussianSource(N, 2, 0.6, team.blas));
    const tree = await buildClusterTree(denseSource(k), 'angle', { leafSize: 32 }, { team });
    const of = (factor: number): Promise<number[]> => {
      const dense = multiple(k, factor);
      return estimateTreeErrors(
        denseSource(dense),
        denseOperator(dense, true, { blas: team.blas }),
        [tree],
        { rank: 4 },
        { team },
      );
    };
    const [plain] = await of(1);
    expect(plain).toBeGreaterThan(0);
    expect(await of(2 ** -600)).toEqual([plain]);
    expect(await of(2 ** 500)).toEqual([plain]);
    expect(Math.abs((await of(1e-200))[0] / plain - 1)).toBeLessThan(1e-6);
  });

  it('norms_keep_to_the_range', () => {
    for (const factor of [2 ** -700, 1, 2 ** 700])
      expect(norm(view(Float64Array.from([3 * factor, -4 * factor]), 0, 2, 1))).toBe(5 * factor);
    expect(norm(view(Float64Array.from([5e-324]), 0, 1, 1))).toBe(5e-324);
    expect(norm(view(Float64Array.from([1, Number.NaN]), 0, 2, 1))).toBeNaN();
    expect(frobeniusNorm(view(new Float64Array(4).fill(1e200), 0, 2, 2))).toBe(2e200);
    expect(norm(zeros(3, 1))).toBe(0);
  });
});

/** I but for one pair of entries, 0.9: no sample of columns is likely to see it. */
function heavyPair(size: number): EntrySource {
  const [a, b] = [17, size - 5];
  return {
    size,
    entries: (rows, cols, out) => {
      for (let j = 0; j < cols.length; j++) {
        for (let i = 0; i < rows.length; i++) {
          const pair = (rows[i] === a && cols[j] === b) || (rows[i] === b && cols[j] === a);
          out.data[out.offset + i + j * out.ld] = rows[i] === cols[j] ? 1 : pair ? 0.9 : 0;
        }
      }
    },
    diagonal: (out) => {
      out.fill(1);
    },
  };
}

describe('a sample that saw no error', () => {
  const size = 6000;
  const truth = Math.sqrt((2 * 0.9 ** 2) / (size + 2 * 0.9 ** 2));

  it('states_an_upper_end_that_is_not_zero_and_holds_the_truth', async () => {
    const { relative, low, high, exact } = await estimateError(
      heavyPair(size),
      identityOperator(size),
      { columns: 128 },
      { team },
    );
    expect({ relative, low, exact }).toEqual({ relative: 0, low: 0, exact: false });
    expect(high).toBeGreaterThan(truth);
    expect(decide({ low, high }, 1e-3)).toBe('undecided');
  });

  it.each([0, 1, 2])('is_enlarged_up_to_all_columns_until_a_tolerance_is_decided: seed %i', async (seed) => {
    const estimate = await estimateError(heavyPair(size), identityOperator(size), { tolerance: 1e-3, seed }, { team });
    expect(decide(estimate, 1e-3)).toBe('missed');
    expect(estimate.low).toBeLessThanOrEqual(truth * (1 + 1e-12));
    expect(estimate.high).toBeGreaterThanOrEqual(truth * (1 - 1e-12));
  });

  it('of_vectors_leaves_room_for_rounding_alone', async () => {
    const { relative, high } = await operatorError(
      identityOperator(400),
      identityOperator(400),
      { columns: 30 },
      { team },
    );
    expect(relative).toBe(0);
    expect(high).toBe(400 * Number.EPSILON);
  });
});

describe('a tolerance', () => {
  it('is_met_by_the_upper_end_missed_by_the_lower_end_and_undecided_between', () => {
    expect(decide({ low: 1, high: 2 }, 2)).toBe('met');
    expect(decide({ low: 1, high: 2 }, 1)).toBe('undecided');
    expect(decide({ low: 1, high: 2 }, 0.9)).toBe('missed');
    expect(decide({ low: Number.NaN, high: Number.NaN }, 1)).toBe('missed');
  });

  it('takes_more_columns_only_while_it_lies_within_the_interval', async () => {
    const source = kernelSource(normalPoints(9000, 2, 3), gaussian(0.3), { blas: team.blas });
    const matrix = await compress(source, { leafSize: 64, maxRank: 24, tolerance: 1e-3 }, { team });
    const first = await matrix.estimateError(source, { columns: 1024 });
    const far = await matrix.estimateError(source, { tolerance: first.high * 3 });
    expect(far.columns).toBe(1024);
    expect(decide(far, first.high * 3)).toBe('met');
    const near = await matrix.estimateError(source, { tolerance: first.relative });
    expect(near.columns).toBeGreaterThan(1024);
    expect(near.columns).toBeLessThanOrEqual(4096);
    matrix.release();
  });

  it('left_undecided_or_missed_ends_the_command_with_status_3_and_the_word', () => {
    const said: string[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    const error = { relative: 1e-3, low: 8e-4, high: 1.3e-3, exact: false, columns: 512 };
    const status = (tolerance: number): number => {
      const decision = decide(error, tolerance);
      const options = { format: 'hss', leafSize: 64, maxRank: 64, budget: 0, distance: 'gram', dtype: 'f64' };
      const input = { kind: 'points', name: 'points', size: 5000 };
      return statusOf({
        error: { ...error, tolerance, met: decision === 'met', decision },
        options,
        input,
        limits: [],
      } as never);
    };
    expect([status(1e-2), status(1e-3), status(1e-4)]).toEqual([0, 3, 3]);
    write.mockRestore();
    expect(said.length).toBe(2);
    expect(said[0]).toContain('undecided');
    expect(said[1]).toContain('missed');
  });
});

describe('an interval from vectors', () => {
  it('is_infinite_for_too_few_and_the_value_itself_where_nothing_varies', () => {
    expect(sampledError(Float64Array.of(1, 1), Float64Array.of(2, 2), 1.96)).toMatchObject({
      relative: 0.5,
      low: 0,
      high: Infinity,
    });
    const even = sampledError(new Float64Array(9).fill(1), new Float64Array(9).fill(2), 1.96);
    expect(even).toMatchObject({ relative: 0.5, low: 0.5, high: 0.5 });
  });

  it('of_nothing_is_zero_or_infinite_and_of_NaN_is_NaN', () => {
    expect(exactError(new Float64Array(3), new Float64Array(3)).relative).toBe(0);
    expect(exactError(Float64Array.of(0, 1), new Float64Array(2)).relative).toBe(Infinity);
    expect(exactError(Float64Array.of(0, Number.NaN), Float64Array.of(1, 1)).relative).toBeNaN();
  });

  it('is_the_same_on_a_team_of_any_size', async () => {
    const source = gaussianSource(700, 3, 1, team.blas);
    const matrix = await compress(source, { leafSize: 32, maxRank: 16, tolerance: 1e-3 }, { team });
    const alone = await sharedTeam(1);
    const columns = 200;
    expect(await estimateError(source, matrix, { columns, seed: 3 }, { team: alone })).toEqual(
      await matrix.estimateError(source, { columns, seed: 3 }),
    );
    matrix.release();
  });
});
