/**
 * A Laplace approximation of a small network: θ ~ N(θ̂, (G + λI)⁻¹/n) around trained parameters θ̂, for the evidence,
 * for error bars of its outputs, and for draws. Run: npm run build && node examples/laplace.mjs
 */
import { factorKronecker, kroneckerHierarchical, predictiveVariance } from 'hmatrix/curvature';
import { matrixOver } from 'hmatrix/dense';
import { defineNetwork, initialParameters, jacobian, meanLoss, memoryDataSet, predict } from 'hmatrix/networks';
import { apply, denseOperator, scaled } from 'hmatrix/operators';
import { RandomStream } from 'hmatrix/random';
import { adam, train } from 'hmatrix/training';

// y = sin(3x) + noise of standard deviation 0.1 at 200 points of [−1, 1], in units of the noise: then the loss ½(f − y)²
// is −log p(y | f), but for a constant.
const [n, noise] = [200, 0.1];
const random = new RandomStream(0);
const x = Float64Array.from({ length: n }, () => 2 * random.uniform() - 1);
const y = x.map((value) => (Math.sin(3 * value) + noise * random.normal()) / noise);
const data = memoryDataSet(matrixOver(x, 1, n), matrixOver(y, 1, n));

const network = defineNetwork({ widths: [1, 20, 1], activation: 'tanh' });
const start = /** @type {const} */ ({ network, parameters: initialParameters(network, 0), loss: 'mse', data });
const { parameters } = await train(start, { optimizer: adam({ learningRate: 2e-2 }), epochs: 200, batchSize: 20 });
const model = { ...start, parameters };

// The prior N(0, I/(nλ)), the matrix n(G + λI) of the posterior, and its inverse.
const lambda = 1e-3;
const matrix = await kroneckerHierarchical(model, { preserve: 'positive-definite', share: 1 });
const factorization = await factorKronecker(matrix, { shift: lambda });
const covariance = scaled(factorization, 1 / n);

// log p(y) ≈ −n·loss − ½nλ‖θ̂‖² + ½ log det(nλI) − ½ log det n(G + λI), less n·½ log 2π.
const norm = Math.hypot(...parameters) ** 2;
const occam = 0.5 * (network.parameters * Math.log(lambda) - factorization.logdet);
const evidence = -n * meanLoss(model) - 0.5 * n * lambda * norm + occam;
console.log(Number.isFinite(evidence), occam < 0); // → true true

// Error bars: inside the data the noise is averaged, outside they grow.
const places = matrixOver([-2, 0, 2], 1, 3);
const [mean, variance] = [predict(model, places), predictiveVariance(model, covariance, places)];
const deviation = variance.data.map(Math.sqrt);
console.log(Math.abs(mean.data[1] * noise) < 0.1, deviation[1] < 0.5); // → true true
console.log(deviation[0] > 3 * deviation[1], deviation[2] > 3 * deviation[1]); // → true true

// Draws of θ − θ̂: J times them, over √n, are draws of the outputs, and spread as the variances say.
const draws = factorization.sample({ count: 2000, of: 'inverse', seed: 1 });
const outputs = apply(denseOperator(jacobian(model, places), false), draws);
const spread = [0, 0, 0];
outputs.data.forEach((value, i) => (spread[i % 3] += value ** 2 / (n * draws.cols)));
console.log(spread.every((square, i) => Math.abs(square / variance.data[i] - 1) < 0.2)); // → true
