/** What networks of layers draw for their Kronecker factors: errors of all terms, inputs of what the loss sees. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, sequential } from '#hmatrix/layers/compose.js';
import { gaussianCode } from '#hmatrix/layers/gaussian-code.js';
import {
  graphNetwork,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { embedding } from '#hmatrix/layers/tokens.js';
import { memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { GraphObjective } from '#hmatrix/training/graph/graph-objective.js';
import { randomMatrix } from '../support.js';

const SAMPLES = 37;
const WORDS = 6;
const words = graphNetwork({
  inputs: tokenInput(5, WORDS),
  layers: sequential(embedding(WORDS, 4), activation('tanh'), dense(WORDS)),
  loss: tokenLoss({ padding: 0 }),
});

function tokens(seed: number): Matrix {
  const random = new RandomStream(seed);
  const ids = zeros(5, SAMPLES);
  ids.data.forEach((_, k) => (ids.data[k] = random.integer(WORDS)));
  return ids;
}

async function opened(network: GraphNetwork, data: DataSet): Promise<GraphObjective> {
  const objective = await GraphObjective.open({
    network,
    precision: 'f64',
    batchSize: data.samples,
    curvature: 'gauss-newton',
    spare: 200,
    blas: openBlas(),
  });
  objective.parameters.set(initialParameters(network, { seed: 3, precision: 'f64' }));
  objective.load(data.batch(0, data.samples));
  return objective;
}

describe('moments_of_graph_objectives', () => {
  it('takes_inputs_of_tokens_that_count_for_the_other_factor', async () => {
    const [inputs, targets] = [tokens(1), tokens(2)];
    const objective = await opened(words, memoryDataSet(inputs, targets));
    objective.evaluate();
    objective.draw(0);
    const { layers } = words;
    const [full, diagonal] = [objective.take(layers[1].width ** 2), objective.take(layers[1].width)];
    for (const out of [full, diagonal])
      objective.moments([{ layer: 1, of: 'inputs', diagonal: out === diagonal, out }], 0);
    const { width } = layers[1];
    const expected = new Float64Array(width * width);
    for (let k = 0; k < targets.data.length; k++) {
      if (targets.data[k] === 0) continue;
      const from = layers[0].offset + 4 * inputs.data[k];
      const a = [...objective.parameters.subarray(from, from + 4)].map(Math.tanh).concat(1);
      for (let i = 0; i < width; i++)
        for (let j = 0; j < width; j++) expected[i + width * j] += (a[i] * a[j]) / objective.weight;
    }
    full.forEach((value, k) => expect(value).toBeCloseTo(expected[k], 13));
    for (let i = 0; i < width; i++) expect(diagonal[i]).toBeCloseTo(expected[i * (width + 1)], 13);
  });

  it('draws_errors_of_all_terms_of_the_loss', async () => {
    // Means of the code: the squared errors' Hessian and the divergence's are both the identity there.
    const layers = sequential(dense(4), gaussianCode(2));
    const network = graphNetwork({ inputs: vectorInput(3), layers, loss: 'mse' });
    const objective = await opened(network, memoryDataSet(randomMatrix(3, 200, 1), randomMatrix(2, 200, 2)));
    objective.evaluate({ step: 0 });
    const DRAWS = 20;
    const γ = objective.take(4);
    const mean = new Float64Array(4);
    for (let draw = 0; draw < DRAWS; draw++) {
      objective.draw(draw);
      objective.moments([{ layer: 0, of: 'errors', diagonal: true, out: γ }], 0);
      for (let k = 0; k < 4; k++) mean[k] += γ[k] / DRAWS;
    }
    // (ξ + ξ′)² is 0 or 4: its deviation is 2, of which five are allowed.
    for (const value of mean.subarray(0, 2)) expect(Math.abs(value - 2)).toBeLessThan(10 / Math.sqrt(200 * DRAWS));
  });
});
