/**
 * Regression by a Gaussian process on 1,500 points: the kernel matrix is compressed, factored once, and gives the
 * log-likelihood, means and predictive variances at new points, all of which are compared with those of a dense
 * Cholesky factorization. Run: npm run build && node examples/gaussian-process.mjs
 */
import { compress, factor, kernelSource } from 'hmatrix';
import { matrixOver, openBlas, zeros } from 'hmatrix/dense';
import { kernelBlock, matern52 } from 'hmatrix/kernels';
import { apply, entryOperator, toDense } from 'hmatrix/operators';
import { RandomStream } from 'hmatrix/random';

// y = sin(3x₁)·cos(2x₂) + noise of standard deviation 0.1, at points of the unit square.
const [count, fresh, noise] = [1500, 100, 0.1];
const random = new RandomStream(0);
const truth = (/** @type {number} */ u, /** @type {number} */ v) => Math.sin(3 * u) * Math.cos(2 * v);
const uniform = (/** @type {number} */ n) => ({
  dimension: 2,
  count: n,
  coordinates: Float64Array.from({ length: 2 * n }, () => random.uniform()),
});
const [points, places] = [uniform(count), uniform(fresh)];
const { coordinates: x } = points;
const y = Float64Array.from({ length: count }, (_, i) => truth(x[2 * i], x[2 * i + 1]) + noise * random.normal());

// K + σ²I: the noise is the ridge of the source, and no shift is added when it is factored.
const kernel = matern52(0.5);
const source = kernelSource(points, kernel, { ridge: noise ** 2 });
const matrix = await compress(source, { tolerance: 1e-8, maxRank: 256 });
const { relative } = await matrix.estimateError(source);
console.log(matrix.report.met, relative < 1e-8); // → true true

// α = (K + σ²I)⁻¹ y, and log p(y) = −½ yᵀα − ½ log det(K + σ²I) − ½ N log 2π.
const factors = await factor(matrix);
const alpha = factors.solve(y);
const dot = (/** @type {ArrayLike<number>} */ a, /** @type {ArrayLike<number>} */ b) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
const evidence = (/** @type {number} */ fit, /** @type {number} */ logdet) =>
  -0.5 * (fit + logdet + count * Math.log(2 * Math.PI));
const logLikelihood = evidence(dot(y, alpha.data), factors.logdet);

// At new points: means K(X*, X)·α, and variances k(x*, x*) − K(x*, X)(K + σ²I)⁻¹K(X, x*) of f, with σ² those of y.
const block = await kernelBlock(kernel, places, points);
const means = apply(block, alpha);
const across = toDense(block.transpose());
const solved = factors.solve(across);
const prior = new Float64Array(fresh);
kernelSource(places, kernel).diagonal(prior);
const column = (/** @type {import('hmatrix').Matrix} */ a, /** @type {number} */ j) =>
  a.data.subarray(a.offset + j * a.ld, a.offset + j * a.ld + a.rows);
const variances = prior.map((k, j) => k - dot(column(across, j), column(solved, j)));
const predictive = variances.map((value) => value + noise ** 2);

// What 95 % of new measurements are within: mean ± 1.96·√variance.
const inside = Array.from(predictive).filter((variance, j) => {
  const [u, v] = places.coordinates.subarray(2 * j, 2 * j + 2);
  return Math.abs(truth(u, v) + noise * random.normal() - means.data[j]) < 1.96 * Math.sqrt(variance);
}).length;
console.log(
  inside >= 85,
  variances.every((value) => value > 0 && value < noise ** 2),
); // → true true

// The same from the dense matrix: K + σ²I = L·Lᵀ, log det = 2 Σ log L_ii, and L⁻¹K(X, X*).
const blas = openBlas();
const l = toDense(await entryOperator(source));
blas.potrf('L', l);
let logdet = 0;
for (let i = 0; i < count; i++) logdet += 2 * Math.log(l.data[i * (count + 1)]);
const white = matrixOver(y.slice(), count, 1);
blas.trsm('L', 'L', 'N', 'N', 1, l, white);
const whitened = zeros(count, fresh);
whitened.data.set(across.data);
blas.trsm('L', 'L', 'N', 'N', 1, l, whitened);
const exact = evidence(dot(white.data, white.data), logdet);
console.log(Math.abs(logLikelihood - exact) < 0.01); // → true
const worst = (/** @type {(j: number) => number} */ difference) =>
  Math.max(...Array.from({ length: fresh }, (_, j) => Math.abs(difference(j))));
console.log(worst((j) => means.data[j] - dot(column(whitened, j), white.data)) < 1e-5); // → true
console.log(worst((j) => variances[j] - prior[j] + dot(column(whitened, j), column(whitened, j))) < 1e-6); // → true
