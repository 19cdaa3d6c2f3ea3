/**
 * Regression by a Gaussian process on 4,000 points: the kernel matrix is compressed, factored once, and gives the mean
 * at new points and the log-likelihood. Run: npm run build && node examples/gaussian-process.mjs
 */
import { compress, factor, kernelSource } from 'hmatrix';
import { matrixOver, zeros } from 'hmatrix/dense';
import { matern52 } from 'hmatrix/kernels';
import { RandomStream } from 'hmatrix/random';

// y = sin(3x₁)·cos(2x₂) + noise of standard deviation 0.1, at points of the unit square.
const count = 4000;
const random = new RandomStream(0);
const truth = (/** @type {number} */ u, /** @type {number} */ v) => Math.sin(3 * u) * Math.cos(2 * v);
const points = { dimension: 2, count, coordinates: Float64Array.from({ length: 2 * count }, () => random.uniform()) };
const noise = 0.1;
const y = zeros(count, 1);
for (let i = 0; i < count; i++)
  y.data[i] = truth(points.coordinates[2 * i], points.coordinates[2 * i + 1]) + noise * random.normal();

const kernel = matern52(0.5);
const source = kernelSource(points, kernel);
const matrix = await compress(source, { tolerance: 1e-6 });
const { relative } = await matrix.estimateError(source);
console.log(relative < 1e-6); // → true

// α = (K + σ²I)⁻¹ y, and log p(y) = −½ yᵀα − ½ log det(K + σ²I) − ½ N log 2π.
const factorization = await factor(matrix, { shift: noise ** 2 });
const alpha = factorization.solve(y);
let fit = 0;
for (let i = 0; i < count; i++) fit += y.data[i] * alpha.data[i];
const logLikelihood = -0.5 * (fit + factorization.logdet + count * Math.log(2 * Math.PI));
// Near that of the noise alone, −N·(½ log 2πσ² + ½) = 3,534.
console.log(logLikelihood > 3400 && logLikelihood < 3600); // → true

// The mean at 100 new points: k(x*, X)·α, whose entries are those of a kernel over old and new points together.
const fresh = 100;
const all = new Float64Array(2 * (count + fresh));
all.set(points.coordinates);
for (let i = 2 * count; i < all.length; i++) all[i] = random.uniform();
const joint = kernelSource({ dimension: 2, count: count + fresh, coordinates: all }, kernel);
const cross = zeros(fresh, count);
const range = (/** @type {number} */ from, /** @type {number} */ length) =>
  Int32Array.from({ length }, (_, i) => from + i);
joint.entries(range(count, fresh), range(0, count), cross);
let squares = 0;
for (let i = 0; i < fresh; i++) {
  let mean = 0;
  for (let j = 0; j < count; j++) mean += cross.data[i + j * fresh] * alpha.data[j];
  squares += (mean - truth(all[2 * (count + i)], all[2 * (count + i) + 1])) ** 2;
}
console.log(Math.sqrt(squares / fresh) < 0.03); // → true

// The product K̃·1, for comparison with a sum of columns: one vector, column-major.
const ones = matrix.apply(matrixOver(new Float64Array(count).fill(1), count, 1));
console.log(ones.rows, ones.cols); // → 4000 1
