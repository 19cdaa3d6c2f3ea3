/** What networks of layers draw for their Kronecker factors: errors of all terms, inputs of what the loss sees. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { activation, flatten, sequential } from '#hmatrix/layers/compose.js';
import { gaussianCode } from '#hmatrix/layers/gaussian-code.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { embedding } from '#hmatrix/layers/tokens.js';
import { memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { hasFactors } from '#hmatrix/network/parameter-layout.js';
import { GraphObjective } from '#hmatrix/training/graph/graph-objective.js';
import type { Point } from '#hmatrix/training/newton/point.js';
import { kfacPreconditioner } from '#hmatrix/training/newton/preconditioners/kfac.js';
import { now } from '#hmatrix/training/newton/steps.js';
import { language, windows } from '../curvature/graphs/models.js';
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

async function opened(
  network: GraphNetwork,
  data: DataSet,
  { spare = 200, parameters = initialParameters(network, { seed: 3, precision: 'f64' }) } = {},
): Promise<GraphObjective> {
  const objective = await GraphObjective.open({
    network,
    precision: 'f64',
    batchSize: data.samples,
    curvature: 'gauss-newton',
    spare,
    blas: openBlas(),
  });
  objective.parameters.set(parameters);
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

  it.each([1, 2])('takes_inputs_of_windows_of_one_pixel_from_all_of_the_image: %s groups', async (groups) => {
    const [channels, pixels] = [4, 6];
    const layers = sequential(conv2d(2, 1, { groups }), flatten, dense(2));
    const network = graphNetwork({ inputs: imageInput({ channels, height: 2, width: 3 }), layers, loss: 'mse' });
    const inputs = randomMatrix(channels * pixels, SAMPLES, 1);
    const objective = await opened(network, memoryDataSet(inputs, randomMatrix(2, SAMPLES, 2), { samples: 'columns' }));
    objective.evaluate();
    objective.draw(0);
    const { width } = network.layers[0];
    const out = objective.take(width ** 2);
    objective.moments([{ layer: 0, of: 'inputs', diagonal: false, out }], 0);
    const expected = new Float64Array(width * width);
    const own = channels / groups;
    for (let b = 0; b < SAMPLES; b++)
      for (let p = 0; p < pixels; p++)
        for (let g = 0; g < groups; g++) {
          const a = Array.from({ length: own }, (_, c) => inputs.data[p + pixels * (g * own + c) + inputs.rows * b]);
          a.push(1);
          a.forEach((x, i) => {
            a.forEach((y, j) => (expected[i + width * j] += (x * y) / (SAMPLES * pixels * groups)));
          });
        }
    out.forEach((value, k) => expect(value).toBeCloseTo(expected[k], 12));
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

  // Scales, shifts, embeddings, kernels of channels have diagonals.
  it.each([
    ['tokens', language],
    ['windows', windows],
  ] as const)('make_the_preconditioner_of_every_layer: %s', async (_, make) => {
    const { network, data, parameters } = make(SAMPLES);
    const spare = kfacPreconditioner.spare(network, SAMPLES) + 20 * network.parameters + 1000;
    const objective = await opened(network, data, { spare, parameters: parameters as Float64Array });
    objective.evaluate();
    const layers = network.layers.map(() => ({ factor: 1, decay: 0, decayBias: false }));
    const plan = { step: 2, factor: 1, layers, clip: null };
    const λ = 0.3;
    const own = kfacPreconditioner.begin(objective, {})!;
    now(own.prepare({ plan } as unknown as Point, SAMPLES, λ));
    const [r, z] = [objective.vector(), objective.vector()];
    new RandomStream(4).fillNormal(r as Float64Array);
    own.apply(r, z);
    objective.draw(2);
    for (const [layer, { offset, width, outputs, ...rest }] of network.layers.entries()) {
      const diagonal = !hasFactors({ offset, width, outputs, ...rest });
      const side = (of: 'inputs' | 'errors', size: number): ((i: number, j: number) => number) => {
        const out = objective.take(diagonal ? size : size * size);
        objective.moments([{ layer, of, diagonal, out }], 0);
        return (i, j) => (diagonal ? (i === j ? out[i] : 0) : out[i + size * j]);
      };
      const [a, g] = [side('inputs', width), side('errors', outputs)];
      const mean = (of: typeof a, size: number): number => {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += of(k, k) / size;
        return sum;
      };
      const π = Math.sqrt(mean(a, width) / mean(g, outputs));
      // (A + π√λ)Z(Γ + √λ/π) = R.
      for (let p = 0; p < outputs; p++)
        for (let i = 0; i < width; i++) {
          let sum = 0;
          for (let q = 0; q < outputs; q++)
            for (let j = 0; j < width; j++) {
              const left = a(i, j) + (i === j ? π * Math.sqrt(λ) : 0);
              const right = g(q, p) + (q === p ? Math.sqrt(λ) / π : 0);
              sum += left * z[offset + j + width * q] * right;
            }
          expect(sum).toBeCloseTo(r[offset + i + width * p], 10);
        }
    }
  });
});
