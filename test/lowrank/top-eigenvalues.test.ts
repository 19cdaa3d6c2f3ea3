/** The outermost eigenvalues against known spectra, dense decompositions and networks' Gauss–Newton matrices. */
import { beforeAll, describe, expect, it } from 'vitest';
import { topEigenvalues } from '#hmatrix/approximation/top-eigenvalues.js';
import { AbortedError, MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { product } from '#hmatrix/operator/product.js';
import { sum } from '#hmatrix/operator/sum.js';
import { toDense } from '#hmatrix/operator/to-dense.js';
import { LowRankOperator } from '#hmatrix/lowrank/low-rank-operator.js';
import type { SpectrumEnd, TopEigenvalues } from '#hmatrix/lowrank/top-eigenvalues.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomModel } from '../curvature/brute-force.js';
import { sharedTeam } from '../teams.js';

const blas = openBlas();
let team: Team;
let two: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
  two = await sharedTeam(2);
});

const ENDS: Readonly<Record<SpectrumEnd, (a: number, b: number) => number>> = {
  largest: (a, b) => b - a,
  smallest: (a, b) => a - b,
  magnitude: (a, b) => Math.abs(b) - Math.abs(a),
};

/** Q diag(d) Q for a reflection Q: d's eigenvalues, with dense eigenvectors. */
function reflected(d: Float64Array, seed: number): LinearOperator {
  const n = d.length;
  const v = zeros(n, 1);
  new RandomStream(seed).fillNormal(v.data as Float64Array);
  const length = Math.hypot(...v.data);
  for (let i = 0; i < n; i++) v.data[i] /= length;
  const q = sum(identityOperator(n), new LowRankOperator(v, [-2], blas));
  return product(q, diagonalOperator(d), q);
}

/** Orthonormal vectors, and residuals that are true. */
function expectTrue(operator: LinearOperator, { values, residuals, vectors }: TopEigenvalues): void {
  const { rows, cols } = vectors;
  const image = zeros(rows, cols);
  operator.applyUnchecked(image, vectors, 1, 0);
  for (let a = 0; a < cols; a++) {
    let square = 0;
    for (let i = 0; i < rows; i++) square += (image.data[a * rows + i] - values[a] * vectors.data[a * rows + i]) ** 2;
    expect(Math.abs(Math.sqrt(square) - residuals[a])).toBeLessThan(1e-12 * Math.abs(values[0]) + 1e-15);
    for (let b = 0; b <= a; b++) {
      let dot = 0;
      for (let i = 0; i < rows; i++) dot += vectors.data[a * rows + i] * vectors.data[b * rows + i];
      expect(Math.abs(dot - (a === b ? 1 : 0))).toBeLessThan(1e-10);
    }
  }
}

describe('the outermost eigenvalues', () => {
  const spectra: Readonly<Record<string, (n: number) => Float64Array>> = {
    falling: (n) => Float64Array.from({ length: n }, (_, i) => 0.9 ** i - 0.3 * 0.8 ** (n - 1 - i)),
    'of multiplicity three': (n) => Float64Array.from({ length: n }, (_, i) => 5 / (1 + Math.floor(i / 3)) - 1),
    'of both signs': (n) => Float64Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1.3) / (1 + i)),
  };
  for (const [name, spectrum] of Object.entries(spectra)) {
    it.each(Object.keys(ENDS) as SpectrumEnd[])(`are_those_of_a_spectrum_${name}: %s`, async (which) => {
      for (const [n, k] of [
        [40, 3],
        [600, 1],
        [600, 7],
        [2000, 20],
      ]) {
        const d = spectrum(n);
        const operator = reflected(d, 3);
        const found = await topEigenvalues(operator, k, { which, tolerance: 1e-8 }, { team });
        const expected = d.slice().sort(ENDS[which]).slice(0, k);
        // What lies in a cluster narrower than the tolerance may be told apart or not.
        if (found.outcome === 'converged')
          found.values.forEach((value, j) => {
            expect(Math.abs(value - expected[j])).toBeLessThan(1e-7 * Math.max(...d.map(Math.abs)));
          });
        else expect([which === 'largest', found.outcome]).toEqual([false, 'maxProducts']);
        expect(found.method).toBe(n === 40 ? 'dense' : 'krylov');
        expectTrue(operator, found);
      }
    });
  }

  it('are_the_same_bits_for_any_team', async () => {
    const operator = reflected(spectra['falling'](3000), 5);
    const [one, other] = [
      await topEigenvalues(operator, 5, {}, { team }),
      await topEigenvalues(operator, 5, {}, { team: two }),
    ];
    expect(one.outcome).toBe('converged');
    expect(other).toEqual(one);
    expect(one.products).toBeLessThan(300);
  });

  it('need_no_more_than_the_space_that_is_there', async () => {
    for (const operator of [identityOperator(2000), diagonalOperator(new Float64Array(2000))]) {
      const { values, outcome, products } = await topEigenvalues(operator, 3, {}, { team });
      expect(outcome).toBe('converged');
      expect(Math.max(...values) - Math.min(...values)).toBeLessThan(1e-14);
      expect(products).toBeLessThan(20);
    }
  });

  it('say_what_was_not_reached', async () => {
    // A dense cluster at the end.
    const d = Float64Array.from({ length: 4000 }, (_, i) => 1 - (i / 4000) ** 4);
    const found = await topEigenvalues(reflected(d, 1), 4, { tolerance: 1e-13, maxProducts: 60 }, { team });
    expect(found.outcome).toBe('maxProducts');
    expect(found.products).toBeLessThanOrEqual(60 + 4);
    for (const residual of found.residuals) expect(residual).toBeGreaterThan(1e-13);
    const wrong: LinearOperator = { ...reflected(d, 1), applyUnchecked: (out) => out.data.fill(Number.NaN) };
    const nan = await topEigenvalues(wrong, 2, {}, { team });
    expect([nan.outcome, nan.values.every(Number.isNaN)]).toEqual(['nonFinite', true]);
  });
});

describe('of a network', () => {
  const model = randomModel({
    widths: [20, 16, 5],
    activation: 'relu',
    loss: 'cross-entropy',
    bias: true,
    samples: 30,
  });
  const eigenvalues = (a: Matrix): Float64Array => {
    const copy = zeros(a.rows, a.rows);
    copyInto(copy, a);
    const values = new Float64Array(a.rows);
    blas.syevd(false, 'L', copy, values);
    return values;
  };

  it('come_through_the_dual_form_where_that_is_small', async () => {
    const operator = gaussNewton(model, { blas });
    const found = await topEigenvalues(operator, 5, {}, { team });
    expect([found.method, found.outcome]).toEqual(['dual', 'converged']);
    const expected = eigenvalues(toDense(operator)).reverse();
    found.values.forEach((value, j) => {
      expect(Math.abs(value - expected[j])).toBeLessThan(1e-12 * expected[0]);
    });
    expectTrue(operator, found);
  });

  it('come_from_products_where_an_eigenvalue_is_zero_or_the_matrix_is_another', async () => {
    // Softmax: n·r = 150, of which 30 are zero.
    const operator = gaussNewton(model, { blas });
    const all = await topEigenvalues(operator, 130, {}, { team });
    expect([all.method, all.outcome]).toEqual(['dense', 'converged']);
    const indefinite = hessian(model, { blas });
    const expected = eigenvalues(toDense(indefinite));
    const found = await topEigenvalues(indefinite, 5, { tolerance: 1e-9 }, { team });
    expect([found.method, found.outcome]).toEqual(['krylov', 'converged']);
    found.values.forEach((value, j) => {
      expect(Math.abs(value - expected[expected.length - 1 - j])).toBeLessThan(1e-8 * expected[expected.length - 1]);
    });
  });
});

describe('bad input', () => {
  it('is_refused_by_name', async () => {
    const operator = identityOperator(300);
    const rectangular = denseOperator(zeros(3, 4), false);
    await expect(topEigenvalues(rectangular, 1)).rejects.toBeInstanceOf(ShapeError);
    await expect(topEigenvalues(denseOperator(zeros(3, 3), false), 1)).rejects.toThrow(/symmetric/);
    for (const k of [0, 301, 1.5]) await expect(topEigenvalues(operator, k)).rejects.toThrow(/k, the number/);
    await expect(topEigenvalues(operator, 2, { which: 'middle' as never })).rejects.toThrow(/largest, smallest/);
    for (const tolerance of [0, 1, Number.NaN])
      await expect(topEigenvalues(operator, 2, { tolerance })).rejects.toBeInstanceOf(OptionError);
    await expect(topEigenvalues(operator, 2, { memoryLimit: 1000 })).rejects.toBeInstanceOf(MemoryError);
    const signal = AbortSignal.abort();
    await expect(topEigenvalues(identityOperator(3000), 2, {}, { signal })).rejects.toBeInstanceOf(AbortedError);
  });
});

describe('toDense', () => {
  it('is_the_matrix_of_any_shape', () => {
    const a = view(
      Float64Array.from({ length: 12 }, (_, i) => i + 1),
      0,
      3,
      4,
    );
    expect(toDense(denseOperator(a, false)).data).toEqual(a.data);
    const identity = toDense(identityOperator(300));
    expect(identity.data).toEqual(Float64Array.from({ length: 300 * 300 }, (_, p) => (p % 301 === 0 ? 1 : 0)));
  });

  it('refuses_what_does_not_fit_into_memory', () => {
    expect(() => toDense(identityOperator(2 ** 24))).toThrow(MemoryError);
  });
});
