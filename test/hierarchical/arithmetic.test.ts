/** Sums, products, inverses and updates against the dense matrices, with the error that they state. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AsymmetryError, NotPositiveDefiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { add, inverse, multiply, update, type Computed } from '#hmatrix/hierarchical/arithmetic/arithmetic.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { gaussianSource, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

const N = 300;
const TOLERANCE = 1e-6;
const blas = openBlas();
let team: Team;
let two: Team;
let a: HierarchicalMatrix;
let dense: Matrix;
beforeAll(async () => {
  team = await sharedTeam(1);
  two = await sharedTeam(2);
  const source = gaussianSource(N, 2, 0.7, team.blas);
  a = await compress(source, { leafSize: 32, maxRank: 64, tolerance: TOLERANCE, format: 'hss' }, { team });
  dense = a.toDense();
});

function combined(x: Matrix, y: Matrix, alpha: number, beta: number): Matrix {
  const out = zeros(N, N);
  for (let i = 0; i < N * N; i++) out.data[i] = alpha * x.data[i] + beta * y.data[i];
  return out;
}
function times(x: Matrix, y: Matrix): Matrix {
  const out = zeros(N, N);
  blas.gemm('N', 'N', 1, x, y, 0, out);
  return out;
}

/** The tolerance is met, and the error stated is the true one, as far as it is sampled. */
function expectRight(found: Computed, exact: Matrix, tolerance = TOLERANCE): void {
  const error = relativeError(found.toDense(), exact);
  expect(error).toBeLessThanOrEqual(1.2 * tolerance);
  expect(found.report.met).toBe(true);
  const { relative } = found.report.products.error;
  expect(Math.abs(Math.log2((error + 1e-15) / (relative + 1e-15)))).toBeLessThan(1.5);
}

describe('arithmetic', () => {
  it('adds', async () => {
    const b = diagonalOperator(Float64Array.from({ length: N }, (_, i) => 1 + (i % 7)));
    const exact = combined(dense, dense, 1, 0);
    for (let i = 0; i < N; i++) exact.data[i * (N + 1)] += 1 + (i % 7);
    expectRight(await add(a, b, {}, { team }), exact);
    expectRight(await add(a, a, { alpha: 3, beta: -1, format: 'hodlr' }, { team }), combined(dense, dense, 3, -1));
  });

  it('multiplies_what_commutes_and_refuses_what_does_not', async () => {
    expectRight(await multiply(a, a, {}, { team }), times(dense, dense));
    const cube = await multiply(await multiply(a, a, {}, { team }), a, { tolerance: 1e-5 }, { team });
    expectRight(cube, times(times(dense, dense), dense), 1e-5);
    const steep = diagonalOperator(Float64Array.from({ length: N }, (_, i) => i));
    await expect(multiply(a, steep, {}, { team })).rejects.toThrow(AsymmetryError);
    const half = await multiply(a, steep, { symmetrize: true, maxRank: 200 }, { team });
    const exact = zeros(N, N);
    for (let j = 0; j < N; j++)
      for (let i = 0; i < N; i++) exact.data[i + j * N] = (dense.data[i + j * N] * (i + j)) / 2;
    const { met, products } = half.report;
    const error = relativeError(half.toDense(), exact);
    expect(met).toBe(products.error.relative <= TOLERANCE);
    expect(error).toBeLessThan(3 * products.error.relative);
  });

  it('inverts', async () => {
    const shift = 0.1;
    const found = await inverse(a, { shift }, { team });
    const shifted = combined(dense, dense, 1, 0);
    for (let i = 0; i < N; i++) shifted.data[i * (N + 1)] += shift;
    const identity = zeros(N, N);
    for (let i = 0; i < N; i++) identity.data[i * (N + 1)] = 1;
    const condition = N / shift;
    expect(relativeError(times(shifted, found.toDense()), identity)).toBeLessThan(condition * TOLERANCE);
    expect(found.report.met).toBe(true);
    // And back.
    const back = await inverse(found, { tolerance: 1e-5 }, { team });
    expect(relativeError(back.toDense(), shifted)).toBeLessThan(0.1);
    await expect(inverse(a, {}, { team })).rejects.toBeInstanceOf(NotPositiveDefiniteError);
  });

  it('updates_by_low_rank', async () => {
    const u = randomMatrix(N, 3, 4);
    const weights = [0.5, -0.01, 2];
    const exact = combined(dense, dense, 1, 0);
    for (let j = 0; j < N; j++)
      for (let i = 0; i < N; i++)
        weights.forEach((w, k) => (exact.data[i + j * N] += w * u.data[i + k * N] * u.data[j + k * N]));
    expectRight(await update(a, u, { weights }, { team }), exact);
    const single = { ...u, data: Float32Array.from(u.data) };
    expect((await update(a, single, { weights }, { team })).report.met).toBe(true);
  });

  it('gives_the_same_bits_on_any_team', async () => {
    const source = gaussianSource(N, 2, 0.7, two.blas);
    const other = await compress(source, { leafSize: 32, maxRank: 64, tolerance: TOLERANCE }, { team: two });
    const [x, y] = [await multiply(a, a, {}, { team }), await multiply(other, other, {}, { team: two })];
    expect(y.data.values).toEqual(x.data.values);
  });

  it('refuses_what_does_not_fit', async () => {
    await expect(add(a, identityOperator(3), {}, { team })).rejects.toBeInstanceOf(ShapeError);
    await expect(add(denseOperator(dense, true) as never, a, {}, { team })).rejects.toThrow(/hierarchical matrix/);
    await expect(update(a, randomMatrix(5, 2, 1), {}, { team })).rejects.toThrow(/U has 5 rows/);
    await expect(update(a, randomMatrix(N, 2, 1), { weights: [1] }, { team })).rejects.toBeInstanceOf(OptionError);
    await expect(add(a, a, { format: 'fmm' as never }, { team })).rejects.toThrow(/hss/);
  });
});
