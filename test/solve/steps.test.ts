/**
 * Steps of conjugate gradients as simulated on a spectrum, beside those of the solvers here on a dense matrix that has
 * it in a random basis; and the spectrum that a submatrix tells.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { blockConjugateGradientSolver } from '#hmatrix/krylov/block-conjugate-gradients.js';
import { conjugateGradientSolver } from '#hmatrix/krylov/conjugate-gradients.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { sampleSpectrum } from '#hmatrix/solve/sampled-spectrum.js';
import { evenly, levelsFor, simulatedSteps, type Levels } from '#hmatrix/solve/steps.js';
import { denseSource } from '#hmatrix/source/dense-source.js';

const TOLERANCE = 1e-8;
const MOST = 3000;

const blas = openBlas();

const normal = (rows: number, cols: number, seed: number): Matrix<Float64Array> => {
  const x = zeros(rows, cols);
  new RandomStream(seed).fillNormal(x.data);
  return x;
};

/** Steps of the solvers here on diag(values), from a random right-hand side. */
function stepsOf(values: Float64Array, inverse?: Float64Array, vectors = 1): number {
  const a = diagonalOperator(values);
  const preconditioner = inverse && diagonalOperator(inverse);
  const [b, x] = [normal(values.length, vectors, 7), zeros(values.length, vectors)];
  const asked = { relativeTolerance: TOLERANCE, maxIterations: MOST };
  const { outcome, iterations } =
    vectors === 1
      ? conjugateGradientSolver(a, { preconditioner }).solve(b, x, asked)
      : blockConjugateGradientSolver(a, { preconditioner, blas }).solve(b, x, asked);
  expect(outcome).toBe('converged');
  return iterations;
}

const simulated = (of: Levels, tolerance: number, most: number, inverse?: Float64Array): number =>
  simulatedSteps(of, tolerance, most, inverse ?? new Float64Array(of.values.length).fill(1));

const levels = (values: Float64Array): Levels => ({ values, counts: new Float64Array(values.length).fill(1) });

/** Power laws, exponential decays, outliers over a cluster, evenly spread ones: λ_max = 1, all above λ. */
const spectra = fc
  .record({
    size: fc.integer({ min: 2, max: 700 }),
    kind: fc.constantFrom('power', 'exponential', 'outliers', 'even'),
    rate: fc.double({ min: 0.5, max: 3, noNaN: true }),
    shift: fc.constantFrom(1e-1, 1e-2, 1e-3, 1e-4),
  })
  .map(({ size, kind, rate, shift }) =>
    Float64Array.from({ length: size }, (_, k) => {
      const of = {
        power: (k + 1) ** -rate,
        exponential: Math.exp((-k * rate) / 10),
        outliers: k < 20 * rate ? 1 - k / (30 * rate) : 0,
        even: 1 - k / size,
      };
      return of[kind] + shift * (1 + 0.1 * evenly(k));
    }).sort((a, b) => b - a),
  );

describe('simulated steps', () => {
  it('are_those_of_conjugate_gradients_on_the_diagonal_matrix', () => {
    fc.assert(
      fc.property(spectra, (values) => {
        const needed = stepsOf(values);
        const predicted = simulated(levelsFor(levels(values), 1), TOLERANCE, MOST);
        expect(predicted).toBeLessThanOrEqual(1.35 * needed + 3);
        expect(predicted).toBeGreaterThanOrEqual(needed / 1.35 - 3);
      }),
      { numRuns: 40, seed: 14 },
    );
  });

  it('are_those_with_a_preconditioner_of_the_same_eigenvectors', () => {
    const values = Float64Array.from({ length: 500 }, (_, k) => (k + 1) ** -2 + 1e-5);
    for (const rank of [0, 10, 60]) {
      const inverse = values.map((value, k) => (k < rank ? values[rank] / value : 1));
      const predicted = simulated(levels(values), TOLERANCE, MOST, inverse);
      const needed = stepsOf(values, inverse);
      expect(Math.abs(predicted - needed)).toBeLessThanOrEqual(0.1 * needed + 2);
    }
  });

  it('are_those_of_block_conjugate_gradients_to_a_quarter', () => {
    for (const [rate, shift] of [
      [1, 1e-3],
      [2, 1e-5],
      [0.5, 1e-2],
    ])
      for (const vectors of [4, 16]) {
        const values = Float64Array.from({ length: 800 }, (_, k) => (k + 1) ** -rate + shift);
        const needed = stepsOf(values, undefined, vectors);
        const predicted = simulated(levelsFor(levels(values), vectors), TOLERANCE, MOST);
        expect(predicted).toBeLessThanOrEqual(1.25 * needed + 2);
        expect(predicted).toBeGreaterThanOrEqual(needed / 1.25 - 2);
      }
  });

  it('end_at_the_most_that_are_asked_for_and_take_one_step_for_one_eigenvalue', () => {
    const hard = Float64Array.from({ length: 300 }, (_, k) => Math.exp(-k / 10));
    expect(simulated(levels(hard), TOLERANCE, 20)).toBe(21);
    expect(simulated(levels(new Float64Array(50).fill(3)), TOLERANCE, 20)).toBe(1);
    expect(simulated(levels(Float64Array.of(5)), TOLERANCE, 20)).toBe(1);
    expect(simulated(levels(Float64Array.of(5, 1)), TOLERANCE, 20)).toBe(2);
  });

  it('are_more_than_the_most_where_nothing_can_be_said', () => {
    expect(simulated(levels(Float64Array.of(Infinity, 1)), TOLERANCE, 20)).toBe(21);
    expect(simulated(levels(Float64Array.of(5, 1)), TOLERANCE, 20, Float64Array.of(0, 0))).toBe(21);
  });
});

describe('levels', () => {
  it('keep_the_number_of_eigenvalues_and_their_order_and_are_few', () => {
    for (const size of [1, 2, 383, 385, 5000, 65_536])
      for (const vectors of [1, 3, 16]) {
        const values = Float64Array.from({ length: size }, (_, k) => (k + 1) ** -1.5 + 1e-7);
        const { values: of, counts } = levelsFor(levels(values), vectors);
        expect(of.length).toBeLessThanOrEqual(384);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(size, 6);
        for (let k = 1; k < of.length; k++) expect(of[k]).toBeLessThanOrEqual(of[k - 1]);
      }
  });

  it('of_equal_eigenvalues_are_few_too', () => {
    const { values } = levelsFor(levels(new Float64Array(1000).fill(2)), 1);
    expect(values.length).toBeLessThanOrEqual(384);
    for (const value of values) expect(value).toBeCloseTo(2, 12);
  });
});

/** Eigenvectors of a random symmetric matrix. */
function randomBasis(n: number): Matrix<Float64Array> {
  const q = normal(n, n, 3);
  if (blas.syevd(true, 'L', q, new Float64Array(n)) !== 0) throw new Error('syevd did not converge');
  return q;
}
const bases = new Map<number, Matrix<Float64Array>>();

/** QΛQᵀ with a random orthogonal Q. */
function inRandomBasis(eigenvalues: Float64Array): Matrix<Float64Array> {
  const n = eigenvalues.length;
  const q = bases.get(n) ?? randomBasis(n);
  bases.set(n, q);
  const scaled = zeros(n, n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) scaled.data[i + j * n] = q.data[i + j * n] * eigenvalues[j];
  const a = zeros(n, n);
  blas.gemm('N', 'T', 1, scaled, q, 0, a);
  for (let j = 0; j < n; j++) for (let i = 0; i < j; i++) a.data[i + j * n] = a.data[j + i * n];
  return a;
}

describe('the spectrum from a submatrix', () => {
  it('is_exact_where_the_submatrix_is_the_matrix', () => {
    const eigenvalues = Float64Array.from({ length: 100 }, (_, k) => 0.9 ** k);
    const { values, counts, seen, smallest } = sampleSpectrum(denseSource(inRandomBasis(eigenvalues)), 0, 0, blas);
    values.forEach((value, k) => {
      expect(value).toBeCloseTo(eigenvalues[k], 12);
    });
    expect([...counts]).toEqual(Array.from({ length: 100 }, () => 1));
    expect(seen).toBe(0);
    expect(smallest).toBeCloseTo(eigenvalues[99], 12);
  });

  it('has_all_eigenvalues_and_about_the_trace', () => {
    for (const rate of [0.5, 1, 2]) {
      const eigenvalues = Float64Array.from({ length: 900 }, (_, k) => (k + 1) ** -rate);
      const found = sampleSpectrum(denseSource(inRandomBasis(eigenvalues)), 0, 0, blas);
      const { values, counts } = found;
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(900, 6);
      const trace = eigenvalues.reduce((sum, value) => sum + value, 0);
      const sum = values.reduce((total, value, k) => total + counts[k] * value, 0);
      expect(sum / trace).toBeGreaterThan(0.6);
      expect(sum / trace).toBeLessThan(1.7);
    }
  });

  it('tells_the_steps_to_a_factor_of_two_where_the_spectrum_decays', () => {
    for (const [rate, shift] of [
      [1, 1e-2],
      [2, 1e-3],
      [2, 1e-5],
      [3, 1e-6],
    ]) {
      const eigenvalues = Float64Array.from({ length: 900 }, (_, k) => (k + 1) ** -rate);
      const { values, counts } = sampleSpectrum(denseSource(inRandomBasis(eigenvalues)), 0, 0, blas);
      const shifted = { values: values.map((value) => value + shift), counts };
      const predicted = simulated(levelsFor(shifted, 1), TOLERANCE, MOST);
      const needed = stepsOf(eigenvalues.map((value) => value + shift));
      expect(predicted / needed).toBeGreaterThan(0.5);
      expect(predicted / needed).toBeLessThan(2);
    }
  });

  it('of_a_diagonal_matrix_is_its_diagonal', () => {
    const diagonal = Float64Array.from({ length: 2000 }, (_, k) => 10 ** ((-4 * k) / 2000));
    const a = zeros(2000, 2000);
    diagonal.forEach((value, k) => (a.data[k * 2001] = value));
    const { values, counts } = sampleSpectrum(denseSource(a), 0, 0, blas);
    let above = 0;
    values.forEach((value, k) => {
      above += counts[k];
      if (above < 1990)
        expect(Math.abs(Math.log10(value / diagonal[Math.round(above - counts[k] / 2)]))).toBeLessThan(0.5);
    });
  });

  it('does_not_count_a_ridge_as_what_grows', () => {
    const eigenvalues = Float64Array.from({ length: 900 }, (_, k) => (k < 5 ? 1 : 0) + 1e-3);
    const { values, counts } = sampleSpectrum(denseSource(inRandomBasis(eigenvalues)), 1e-3, 0, blas);
    const predicted = simulated(levelsFor({ values, counts }, 1), TOLERANCE, MOST);
    expect(predicted).toBeLessThanOrEqual(8);
  });

  it('of_a_matrix_of_low_rank_ends_where_the_rank_does', () => {
    for (const rank of [5, 90]) {
      const eigenvalues = Float64Array.from({ length: 900 }, (_, k) => (k < rank ? 0.98 ** k : 0));
      const { values, counts, seen } = sampleSpectrum(denseSource(inRandomBasis(eigenvalues)), 0, 0, blas);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(900, 6);
      expect(seen).toBeLessThan(1e-12);
      const above = values.reduce((sum, value, k) => sum + (value > 1e-6 ? counts[k] : 0), 0);
      expect(Math.abs(above - rank)).toBeLessThanOrEqual(0.1 * rank);
    }
  });

  it('of_a_zero_matrix_is_zero', () => {
    for (const size of [2, 300]) {
      const { values, largest } = sampleSpectrum(denseSource(zeros(size, size)), 0, 0, blas);
      expect(largest).toBe(0);
      for (const value of values) expect(value).toBe(0);
    }
  });
});
