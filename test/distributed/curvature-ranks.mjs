/**
 * Curvature on ranks that are threads: digests of what each rank found, by name, which do not depend on how many they
 * are.
 */
import { createHash } from 'node:crypto';
import { RandomStream } from '#hmatrix/core/random.js';
import { curvatureDiagonal } from '#hmatrix/curvature/kronecker/curvature-diagonal.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compressOperator } from '#hmatrix/hierarchical/from-products/compress.js';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, sequential } from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  initialParameters as initialGraphParameters,
  tokenInput,
  vectorInput,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { embedding } from '#hmatrix/layers/tokens.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { Team } from '#hmatrix/parallel/team.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { errorOf } from './collective-checks.mjs';

/** A digest of the bits of arrays and numbers. */
function digest(...values) {
  const hash = createHash('sha1');
  for (const value of values) {
    const { buffer, byteOffset, byteLength } = typeof value === 'number' ? Float64Array.of(value) : value;
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}

function normal(rows, cols, seed) {
  const matrix = zeros(rows, cols);
  new RandomStream(seed).fillNormal(matrix.data);
  return matrix;
}

/** Columns of three classes in turn. */
function classes(cols) {
  const matrix = zeros(3, cols);
  for (let i = 0; i < cols; i++) matrix.data[3 * i + (i % 3)] = 1;
  return matrix;
}

/** Columns of A·X, with β and into a block of more rows. */
function productsOf(operator, vectors) {
  const out = normal(operator.rows, vectors, 9);
  operator.applyUnchecked(out, normal(operator.rows, vectors, vectors), 0.7, 0.3);
  return out.data;
}

const perceptrons = {
  'a softmax': {
    network: defineNetwork({ widths: [5, 9, 3], activation: 'tanh' }),
    loss: 'cross-entropy',
    targets: classes,
  },
  'an encoder': {
    network: defineNetwork({ widths: [12, 3, 40], activation: ['sigmoid', 'linear'] }),
    loss: 'mse',
    targets: (samples) => normal(40, samples, 3),
  },
};

/** The model of so many samples, its parameters in the precision. */
function perceptron({ network, loss, targets }, samples, array = Float64Array) {
  return {
    network,
    loss,
    parameters: array.from(initialParameters(network, 1)),
    data: memoryDataSet(normal(network.layers[0].inputs, samples, 2), targets(samples)),
  };
}

/** Every operator on perceptrons: whose passes are kept, and those of which each product makes them anew. */
function products(team) {
  const found = {};
  for (const [name, given] of Object.entries(perceptrons))
    for (const samples of [400, 2100]) {
      const model = perceptron(given, samples);
      const kinds = { gaussNewton, hessian, empiricalFisher, monteCarloFisher };
      for (const [kind, make] of Object.entries(kinds))
        for (const memoryLimit of [undefined, 2 ** 18]) {
          const operator = make(model, { team, memoryLimit });
          const key = `${kind} of ${name}, ${samples} samples, ${memoryLimit ?? 'all'} bytes`;
          found[key] = digest(...[1, 40].map((vectors) => productsOf(operator, vectors)));
          operator.release();
        }
    }
  const single = gaussNewton(perceptron(perceptrons['an encoder'], 1100, Float32Array), { team });
  found['a product in float32'] = digest(productsOf(single, 2));
  return found;
}

const graphs = {
  layers: graphNetwork({
    inputs: vectorInput(5),
    layers: sequential(dense(7), batchNorm(), activation('tanh'), dense(3)),
    loss: 'cross-entropy',
  }),
  tokens: graphNetwork({
    inputs: tokenInput(4, 6),
    layers: sequential(embedding(6, 4), activation('tanh'), dense(6)),
    loss: tokenLoss({ padding: 0 }),
  }),
};

/** Columns of words, some of which are padding. */
function words(samples, seed) {
  const random = new RandomStream(seed);
  const data = Float64Array.from({ length: 4 * samples }, () => random.integer(6));
  return { data, offset: 0, rows: 4, cols: samples, ld: 4 };
}

function graphModel(name, samples) {
  const network = graphs[name];
  const data =
    name === 'layers'
      ? memoryDataSet(normal(5, samples, 2), classes(samples))
      : memoryDataSet(words(samples, 1), words(samples, 2));
  return { network, data, parameters: initialGraphParameters(network, { seed: 3 }) };
}

/** Every operator on networks of layers. */
function graphProducts(team) {
  const found = {};
  for (const name of Object.keys(graphs))
    for (const samples of [9, 700]) {
      const model = graphModel(name, samples);
      for (const [kind, make] of Object.entries({ gaussNewton, hessian, empiricalFisher, monteCarloFisher }))
        for (const memoryLimit of [undefined, 2 ** 16]) {
          const operator = make(model, { team, memoryLimit });
          found[`${kind} of ${name}, ${samples} samples, ${memoryLimit ?? 'all'} bytes`] = digest(
            ...[3, 18].map((vectors) => productsOf(operator, vectors)),
          );
          operator.release();
        }
    }
  return found;
}

/** The arrays of Kronecker blocks. */
const factorsOf = ({ layers }) =>
  layers.flatMap(({ input, output }) => [input.data, output.kind === 'dense' ? output.matrix.data : output.values]);
const eigenvaluesOf = ({ layers }) => layers.map(({ eigenvalues }) => eigenvalues.data);

/** Kronecker factors and diagonals. */
function factored(team) {
  const found = {};
  for (const [name, given] of Object.entries(perceptrons)) {
    const model = perceptron(given, 900);
    for (const options of [{}, { variant: 'monte-carlo', draws: 2 }, { batchSize: 70 }]) {
      const key = `of ${name} ${JSON.stringify(options)}`;
      found[`kfac ${key}`] = digest(...factorsOf(kfac(model, { team, ...options })));
      found[`ekfac ${key}`] = digest(...eigenvaluesOf(ekfac(model, { team, ...options })));
    }
    for (const kind of ['gauss-newton', 'hessian'])
      found[`diagonal of ${kind} of ${name}`] = digest(curvatureDiagonal(model, { kind, team }).values);
  }
  for (const name of Object.keys(graphs)) {
    const model = graphModel(name, 400);
    for (const options of [{}, { variant: 'monte-carlo', sharing: 'reduce' }])
      found[`kfac of ${name} ${JSON.stringify(options)}`] = digest(...factorsOf(kfac(model, { team, ...options })));
    found[`ekfac of ${name}`] = digest(...eigenvaluesOf(ekfac(model, { team })));
    for (const make of [gaussNewton, empiricalFisher, monteCarloFisher]) {
      const operator = make(model, { team });
      const out = new Float64Array(operator.rows);
      operator.diagonal(out);
      found[`diagonal of ${make.name} of ${name}`] = digest(out);
    }
  }
  return found;
}

/** What all ranks throw where the last sample, a single rank's, is not finite. */
function failures(team) {
  const of = (model) => {
    model.data.batch(0, model.data.samples).inputs.data.fill(NaN, -3);
    return [gaussNewton, kfac].map((make) => errorOf(() => make(model, { team }))).join('\n');
  };
  return {
    'not finite': of(perceptron(perceptrons['a softmax'], 1100)),
    'not finite, of layers': of(graphModel('layers', 700)),
  };
}

/** A symmetric matrix with entries that fall off from the diagonal, which every rank has whole. */
function denseMatrix(size) {
  const matrix = zeros(size, size);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) matrix.data[i + j * size] = 1 / (1 + 0.05 * Math.abs(i - j) + 0.01 * (i + j));
  return matrix;
}

const identity = (size) => ({
  size,
  entries: (rows, cols, out) => {
    for (let j = 0; j < cols.length; j++)
      for (let i = 0; i < rows.length; i++) out.data[out.offset + i + j * out.ld] = Number(rows[i] === cols[j]);
  },
  diagonal: (out) => out.fill(1),
});

/** An operator that counts the vectors that it multiplies. */
function columnByColumn({ data, rows }) {
  let vectors = 0;
  return {
    rows,
    cols: rows,
    symmetric: true,
    columnwise: true,
    get vectors() {
      return vectors;
    },
    applyUnchecked(out, x, alpha, beta) {
      vectors += x.cols;
      for (let j = 0; j < x.cols; j++)
        for (let i = 0; i < rows; i++) {
          let sum = 0;
          for (let k = 0; k < rows; k++) sum += data[i + k * rows] * x.data[x.offset + k + j * x.ld];
          const at = out.offset + i + j * out.ld;
          out.data[at] = alpha * sum + (beta === 0 ? 0 : beta * out.data[at]);
        }
    },
  };
}

/** Hierarchical matrices from products: their products, errors, solutions and determinants. */
async function compressed(team) {
  const model = perceptron(perceptrons['an encoder'], 700);
  const operators = {
    'a Gauss–Newton matrix': gaussNewton(model, { team }),
    'a dense matrix': denseOperator(denseMatrix(240), true),
    'functions of a vector': columnByColumn(denseMatrix(150)),
  };
  const found = {};
  for (const [name, operator] of Object.entries(operators))
    for (const options of [
      { format: 'hss', maxRank: 20, tolerance: 1e-3 },
      { format: 'hss', maxRank: 8, tolerance: 1e-2, dtype: 'f32' },
      { format: 'hodlr', maxRank: 12, tolerance: 1e-2 },
    ]) {
      const { rows } = operator;
      const tree = await buildClusterTree(identity(rows), 'lexicographic', { leafSize: 24 }, { team });
      const before = operator.vectors;
      const matrix = await compressOperator(operator, tree, { seed: 0, ...options }, { team });
      const { norm, products } = matrix.report;
      // Blocks of vectors do not divide evenly; an operator that is not known is tried with four vectors.
      const share = Math.abs(operator.vectors - before - products.products / team.communicator.size);
      if (options.format === 'hss' && operator.vectors > 0) found[`vectors ${options.maxRank}`] = share < 8;
      const numbers = [norm, products.error.relative, products.products];
      const x = normal(rows, 3, 4);
      const values = [matrix.apply(x).data, matrix.diagonal()];
      if (options.format === 'hss') {
        const factors = await factor(matrix, { shift: 3 }, { team });
        values.push(factors.solve(x).data);
        numbers.push(factors.logdet);
        factors.release();
      }
      found[`${JSON.stringify(options)} of ${name}`] = digest(...values, ...numbers);
      matrix.release();
    }
  operators['a Gauss–Newton matrix'].release();
  return found;
}

export async function curvature({ world, rank, data: { workers } }) {
  const communicator = threadCommunicator(world, rank);
  const team = await Team.open({ workers, communicator });
  const found = {
    ...(await compressed(team)),
    ...products(team),
    ...graphProducts(team),
    ...factored(team),
    ...failures(team),
  };
  await team.close();
  communicator.close();
  return found;
}
