/**
 * Positive definiteness by construction: dense eigenvalues of random compressions, and factorizations that never break
 * down.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress as compressOn } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { denseOf, gaussianSource, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { inCallersOrder, treeOfLeaves } from './trees.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const compress = (source: EntrySource, options: CompressOptions, of = team): Promise<HierarchicalMatrix> =>
  compressOn(source, options, { team: of });

function eigenvalues(a: Matrix): Float64Array {
  const copy = zeros(a.rows, a.cols);
  copyInto(copy, a);
  const values = new Float64Array(a.rows);
  expect(team.blas.syevd(false, 'L', copy, values)).toBe(0);
  return values;
}

/**
 * A random positive semidefinite matrix: a kernel, a Gram matrix of few or many vectors with falling weights, or one
 * with a large nugget.
 */
function randomSource(kind: 'kernel' | 'gram' | 'nugget', size: number, seed: number): EntrySource {
  if (kind === 'kernel') return gaussianSource(size, 2, 0.3 + (seed % 7) / 7, team.blas, seed);
  const rank = kind === 'gram' ? 1 + (seed % size) : size;
  const vectors = randomMatrix(size, rank, seed);
  const decay = 0.5 + (seed % 5) / 10;
  for (let j = 0; j < rank; j++) for (let i = 0; i < size; i++) vectors.data[i + j * size] *= decay ** j;
  const gram = zeros(size, size);
  team.blas.gemm('N', 'T', 1, vectors, vectors, 0, gram);
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < j; i++) gram.data[i + j * size] = gram.data[j + i * size];
    if (kind === 'nugget') gram.data[j * (size + 1)] += 0.1;
  }
  return denseSource(gram);
}

const RUNS = 100;

describe('preserve', () => {
  it('keeps_random_sources_positive_semidefinite_at_loose_tolerances', async () => {
    let indefinite = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('kernel' as const, 'gram' as const, 'nugget' as const),
        fc.integer({ min: 40, max: 160 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 4, max: 24 }),
        fc.integer({ min: 1, max: 12 }),
        fc.double({ min: 0.01, max: 0.8, noNaN: true }),
        async (kind, size, seed, leafSize, maxRank, tolerance) => {
          const source = randomSource(kind, size, seed);
          const options = { format: 'hss', leafSize, maxRank, tolerance, seed } as const;
          const matrix = await compress(source, { ...options, preserve: 'positive-definite' });
          const values = eigenvalues(matrix.toDense());
          const largest = Math.max(values[values.length - 1], matrix.report.norm);
          expect(values[0]).toBeGreaterThanOrEqual(-1e-9 * largest);
          for (const λ of [1e-2 * largest, 1e-6 * largest]) (await factor(matrix, { shift: λ }, { team })).release();
          matrix.release();
          const plain = await compress(source, options);
          if (eigenvalues(plain.toDense())[0] < -1e-6 * largest) indefinite++;
          plain.release();
        },
      ),
      { numRuns: RUNS, seed: 11 },
    );
    // The test is about something: a good part of these compressions is indefinite without it.
    expect(indefinite).toBeGreaterThan(RUNS / 4);
  }, 240_000);

  it('is_exact_where_the_rank_suffices', async () => {
    // Rank 6 is that of the whole matrix: skeletons of 6 rows interpolate everything, whatever they are fitted to.
    const vectors = randomMatrix(200, 6, 3);
    const gram = zeros(200, 200);
    team.blas.gemm('N', 'T', 1, vectors, vectors, 0, gram);
    for (let j = 0; j < 200; j++) for (let i = 0; i < j; i++) gram.data[i + j * 200] = gram.data[j + i * 200];
    const matrix = await compress(denseSource(gram), {
      format: 'hss',
      leafSize: 16,
      tolerance: 1e-12,
      preserve: 'positive-definite',
    });
    expect(matrix.report).toMatchObject({ preserve: 'positive-definite' });
    expect(relativeError(matrix.toDense(), gram)).toBeLessThan(1e-10);
  });

  it('keeps_the_pencil_in_the_stated_interval', async () => {
    const source = gaussianSource(300, 4, 1.5, team.blas);
    const exact = denseOf(source);
    const options = { format: 'hss', leafSize: 16, maxRank: 6, tolerance: 0.3 } as const;
    expect(eigenvalues((await compress(source, options)).toDense())[0]).toBeLessThan(-1e-3);
    const approximation = (await compress(source, { ...options, preserve: 'positive-definite' })).toDense();
    const difference = zeros(300, 300);
    for (let i = 0; i < difference.data.length; i++) difference.data[i] = exact.data[i] - approximation.data[i];
    const extremes = eigenvalues(difference);
    const e = Math.max(-extremes[0], extremes[299]);
    for (const λ of [1, 1e-2, 1e-4]) {
      const pencil = zeros(300, 300);
      copyInto(pencil, exact);
      const l = zeros(300, 300);
      copyInto(l, approximation);
      for (let i = 0; i < 300; i++) {
        pencil.data[i * 301] += λ;
        l.data[i * 301] += λ;
      }
      expect(team.blas.potrf('L', l)).toBe(0);
      team.blas.trsm('L', 'L', 'N', 'N', 1, l, pencil);
      team.blas.trsm('R', 'L', 'T', 'N', 1, l, pencil);
      const values = eigenvalues(pencil);
      const rounding = 1 + (1e-12 * extremes[299]) / λ + 1e-9;
      expect(values[0] * rounding).toBeGreaterThanOrEqual(λ / (λ + e));
      expect(values[299]).toBeLessThanOrEqual((1 + e / λ) * rounding);
    }
  });

  it('works_in_float32', async () => {
    const source = gaussianSource(300, 4, 1.5, team.blas);
    const matrix = await compress(source, {
      format: 'hss',
      leafSize: 16,
      maxRank: 6,
      tolerance: 0.3,
      preserve: 'positive-definite',
      dtype: 'f32',
    });
    expect(eigenvalues(matrix.toDense())[0]).toBeGreaterThanOrEqual(-300 * 2 ** -23 * matrix.report.norm);
    (await factor(matrix, { shift: 1e-3 * matrix.report.norm }, { team })).release();
  });

  it('keeps_float32_positive_semidefinite_where_skeletons_are_nearly_dependent', async () => {
    // Smooth, to a tight tolerance: rows of skeletons that nearly depend on each other.
    const smooth = await compress(gaussianSource(600, 2, 1, team.blas, 3), {
      leafSize: 64,
      tolerance: 1e-6,
      preserve: 'positive-definite',
      dtype: 'f32',
    });
    expect(eigenvalues(smooth.toDense())[0]).toBeGreaterThanOrEqual(-32 * 2 ** -23 * smooth.report.norm);
    // In each of 4 leaves three triples (a, c·a + t·(e + f), e): others see a and f, so both of a pair become
    // skeletons, whose difference is all that e can be interpolated from.
    const [leaves, triples, t, c] = [4, 3, 1e-4, 0.7123];
    const size = 3 * leaves * triples;
    const features = zeros(size, 30);
    const random = new RandomStream(5);
    const put = (row: number, feature: number, value: number): void => {
      features.data[row + feature * size] += value;
    };
    for (let k = 0; k < leaves * triples; k++) {
      for (let q = 0; q < triples; q++) {
        const a = random.normal();
        put(3 * k, q, a);
        put(3 * k + 1, q, c * a);
      }
      put(3 * k + 1, 4 + (k % triples), t);
      put(3 * k + 1, 8 + k, t);
      put(3 * k + 2, 8 + k, 1);
    }
    const gram = zeros(size, size);
    team.blas.gemm('N', 'T', 1, features, features, 0, gram);
    for (let j = 0; j < size; j++) for (let i = 0; i < j; i++) gram.data[i + j * size] = gram.data[j + i * size];
    const tree = treeOfLeaves(
      Array.from({ length: leaves }, () => 3 * triples),
      1,
    );
    const matrix = await compress(denseSource(inCallersOrder(gram, tree)), {
      tree,
      tolerance: 1e-15,
      preserve: 'positive-definite',
      dtype: 'f32',
    });
    expect(eigenvalues(matrix.toDense())[0]).toBeGreaterThanOrEqual(-32 * 2 ** -23 * matrix.report.norm);
  });

  it('has_the_same_bits_for_every_team', async () => {
    const source = gaussianSource(300, 4, 1.5, team.blas);
    const results: (Float64Array | Float32Array)[] = [];
    for (const workers of [1, 3]) {
      const other = await sharedTeam(workers);
      results.push(
        (
          await compress(
            source,
            { format: 'hss', leafSize: 16, maxRank: 6, tolerance: 0.3, preserve: 'positive-definite' },
            other,
          )
        ).data.values,
      );
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('refuses_other_formats_other_properties_and_indefinite_matrices', async () => {
    const source = gaussianSource(200, 2, 1, team.blas);
    await expect(compress(source, { format: 'fmm', budget: 0.1, preserve: 'positive-definite' })).rejects.toThrow(
      OptionError,
    );
    await expect(compress(source, { format: 'hodlr', preserve: 'positive-definite' })).rejects.toThrow(OptionError);
    await expect(compress(source, { preserve: 'symmetric' as 'positive-definite' })).rejects.toThrow(OptionError);
    // Diagonal 1, random signs of 0.9 off it: K_ij² ≤ K_ii·K_jj everywhere, and indefinite in every leaf.
    const signs = zeros(200, 200);
    const random = new RandomStream(3);
    for (let j = 0; j < 200; j++)
      for (let i = 0; i <= j; i++)
        signs.data[i + j * 200] = signs.data[j + i * 200] = i === j ? 1 : 0.9 * Math.sign(random.normal());
    await expect(
      compress(denseSource(signs), { format: 'hss', leafSize: 32, maxRank: 8, preserve: 'positive-definite' }),
    ).rejects.toThrow(NotPositiveDefiniteError);
  });
});
