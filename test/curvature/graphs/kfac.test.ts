/**
 * Kronecker factors of networks of layers: against those of perceptrons, and against dense blocks of G.
 */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac, type GraphKroneckerFactored } from '#hmatrix/curvature/kronecker/kfac.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { activation, flatten, sequential, stack } from '#hmatrix/layers/compose.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { graphNetwork, imageInput, initialParameters, tokenInput, vectorInput } from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { gaussianCode } from '#hmatrix/layers/gaussian-code.js';
import { embedding, learnedPositions } from '#hmatrix/layers/tokens.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import { randomMatrix, relativeError } from '../../support.js';
import { randomModel } from '../brute-force.js';
import { denseInverse, denseOperator } from '../operators.js';
import { convolutional, language, smallGraphs, variational } from './models.js';

const blas = openBlas();
const eps = 2 ** -52;
const SHARINGS = ['expand', 'reduce'] as const;

const copied = (a: Matrix): Matrix => {
  const out = zeros(a.rows, a.cols);
  copyInto(out, a);
  return out;
};

/** G's own block of a layer. */
const ownBlock = (g: Matrix, { offset, numbers }: { offset: number; numbers: number }): Matrix =>
  copied(block(g, offset, offset, numbers, numbers));

const gammaOf = ({ layers }: GraphKroneckerFactored, k: number): Matrix => {
  const { output } = layers[k];
  if (output.kind !== 'dense') throw new Error('Γ is diagonal.');
  return output.matrix;
};

describe('kfac_of_graphs', () => {
  it('of_dense_layers_and_of_convolutions_of_one_pixel_is_the_perceptrons', () => {
    for (const loss of LOSSES) {
      const model = randomModel({ widths: [3, 4, 2], activation: 'tanh', loss, bias: true, samples: 6, seed: 5 });
      const expected = kfac(model, { blas });
      const corrected = ekfac(model, { blas });
      const perceptron = stack({ a: dense(4), t: activation('tanh'), b: dense(2) });
      const pixels = sequential(conv2d(4, 1), activation('tanh'), conv2d(2, 1), flatten);
      for (const [inputs, layers] of [
        [vectorInput(3), perceptron],
        [imageInput({ channels: 3, height: 1, width: 1 }), pixels],
      ] as const) {
        const network = graphNetwork({ inputs, layers, loss });
        const graph = { network, parameters: model.parameters, data: model.data };
        for (const sharing of SHARINGS) {
          expect(relativeError(denseOperator(kfac(graph, { sharing })), denseOperator(expected))).toBeLessThan(
            100 * eps,
          );
          expect(relativeError(denseOperator(ekfac(graph, { sharing })), denseOperator(corrected))).toBeLessThan(
            1000 * eps,
          );
        }
      }
    }
  });

  it('inputs_of_a_convolution_are_its_patches', () => {
    const model = convolutional(6);
    const { inputs } = model.data.batch(0, 6);
    const [channels, width, height] = [2, 5, 4];
    for (const sharing of SHARINGS) {
      const expected = zeros(18, 18);
      for (let i = 0; i < 6; i++) {
        const mean = new Float64Array(18);
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const patch = new Float64Array(18);
            for (let ky = 0; ky < 3; ky++)
              for (let kx = 0; kx < 3; kx++)
                for (let c = 0; c < channels; c++) {
                  const [px, py] = [x + kx - 1, y + ky - 1];
                  if (px < 0 || py < 0 || px >= width || py >= height) continue;
                  patch[c + channels * (kx + 3 * ky)] = inputs.data[i * 40 + c * 20 + py * width + px];
                }
            for (let a = 0; a < 18; a++) {
              mean[a] += patch[a] / 20;
              if (sharing === 'expand')
                for (let b = 0; b < 18; b++) expected.data[a + 18 * b] += (patch[a] * patch[b]) / 120;
            }
          }
        if (sharing === 'reduce')
          for (let a = 0; a < 18; a++)
            for (let b = 0; b < 18; b++) expected.data[a + 18 * b] += (mean[a] * mean[b]) / 6;
      }
      const { layers, rules } = kfac(model, { sharing });
      expect(relativeError(layers[0].input, expected)).toBeLessThan(50 * eps);
      expect(rules.map(({ name, rule }) => `${name} ${rule}`)).toEqual([
        'conv1.weight kronecker',
        'bn1.weight diagonal',
        'bn1.bias diagonal',
        'conv2.weight kronecker',
        'fc.weight kronecker',
      ]);
    }
  });

  it('reduced_errors_are_the_block_of_the_biases', () => {
    // The derivative along a bias is the sum of the errors over all positions.
    for (const model of [convolutional(5), language(5), variational(5)]) {
      const g = denseOperator(gaussNewton(model));
      const factored = kfac(model, { sharing: 'reduce' });
      let compared = 0;
      factored.layers.forEach(({ offset, width, outputs }, k) => {
        const own = model.network.layers.find((layer) => layer.offset === offset)!;
        if (!own.bias || factored.rules[k].rule !== 'kronecker') return;
        compared++;
        const at = (p: number): number => offset + p * width + own.inputs;
        const biases = zeros(outputs, outputs);
        for (let p = 0; p < outputs; p++)
          for (let q = 0; q < outputs; q++) biases.data[p + q * outputs] = g.data[at(p) + at(q) * g.rows];
        const scale = Math.max(...g.data.map(Math.abs));
        gammaOf(factored, k).data.forEach((value, i) => {
          expect(Math.abs(value - biases.data[i])).toBeLessThan(100 * eps * scale);
        });
      });
      expect(compared).toBeGreaterThanOrEqual(2);
    }
  });

  it('expanded_errors_are_the_blocks_of_a_vector_for_each_position', () => {
    const network = graphNetwork({
      inputs: tokenInput(3, 4),
      layers: stack({
        embedding: embedding(4, 3),
        mix: dense(2),
        positions: learnedPositions(),
        tanh: activation('tanh'),
        out: dense(4),
      }),
      loss: tokenLoss({ padding: 0 }),
    });
    const ids = view(Float64Array.of(1, 2, 3, 3, 1, 0, 2, 2, 1), 0, 3, 3);
    const data = {
      ...language(3).data,
      inputs: 3,
      outputs: 3,
      batch: (first: number, count: number) => ({
        inputs: block(ids, 0, first, 3, count),
        targets: block(ids, 0, first, 3, count),
      }),
    };
    const model: GraphModel = {
      network,
      parameters: initialParameters(network, { seed: 1, precision: 'f64' }),
      loss: network.loss,
      data,
    };
    const g = denseOperator(gaussNewton(model));
    const { offset } = network.layers.find(({ name }) => name.startsWith('positions'))!;
    const expected = zeros(2, 2);
    for (let p = 0; p < 3; p++)
      for (let a = 0; a < 2; a++)
        for (let b = 0; b < 2; b++)
          expected.data[a + 2 * b] += g.data[offset + 2 * p + a + (offset + 2 * p + b) * g.rows];
    const factored = kfac(model);
    const mix = factored.rules.findIndex(({ name }) => name.startsWith('mix'));
    expect(relativeError(gammaOf(factored, mix), expected)).toBeLessThan(100 * eps);
  });

  it('ekfac_is_the_diagonal_of_the_blocks_in_the_bases', () => {
    for (const { model } of [...smallGraphs(5), { model: variational(5) }])
      for (const sharing of SHARINGS) {
        const g = denseOperator(gaussNewton(model));
        const corrected = ekfac(model, { sharing });
        for (const { offset, width, outputs, inputVectors, outputVectors, eigenvalues } of corrected.layers) {
          const numbers = width * outputs;
          const own = ownBlock(g, { offset, numbers });
          // U = U_Γ ⊗ U_A, entry by entry.
          const u = zeros(numbers, numbers);
          for (let p = 0; p < outputs; p++)
            for (let q = 0; q < width; q++)
              for (let s = 0; s < outputs; s++)
                for (let t = 0; t < width; t++)
                  u.data[q + p * width + (t + s * width) * numbers] =
                    inputVectors.data[q + t * width] *
                    (outputVectors === null ? Number(p === s) : outputVectors.data[p + s * outputs]);
          const gu = zeros(numbers, numbers);
          blas.gemm('N', 'N', 1, own, u, 0, gu);
          const scale = Math.max(...own.data.map(Math.abs));
          for (let k = 0; k < numbers; k++) {
            let form = 0;
            for (let i = 0; i < numbers; i++) form += u.data[i + k * numbers] * gu.data[i + k * numbers];
            expect(Math.abs(eigenvalues.data[k] - form)).toBeLessThan(2000 * eps * scale);
          }
        }
        // The nearest of all matrices that are diagonal in the bases, K-FAC among them.
        const error = relativeError(denseOperator(corrected), g);
        expect(error).toBeLessThan(relativeError(denseOperator(kfac(model, { sharing })), g) * (1 + 1e-9));
      }
  });

  it('drawn_factors_have_the_exact_ones_as_their_mean', () => {
    for (const model of [convolutional(3), variational(3)]) {
      const exact = kfac(model);
      const draws = 2000;
      const drawn = kfac(model, { variant: 'monte-carlo', draws, seed: 4 });
      exact.layers.forEach((_, k) => {
        if (exact.rules[k].rule !== 'kronecker') return;
        const [a, b] = [gammaOf(exact, k), gammaOf(drawn, k)];
        let trace = 0;
        let difference = 0;
        for (let p = 0; p < a.rows; p++) trace += a.data[p * (a.rows + 1)];
        a.data.forEach((value, i) => (difference += (value - b.data[i]) ** 2));
        // E‖δ‖⁴ ≤ 3(tr M)² of forms of signs, five deviations.
        expect(Math.sqrt(difference)).toBeLessThan(5 * Math.sqrt(3 / draws) * trace);
      });
      expect(denseOperator(kfac(model, { variant: 'monte-carlo', draws: 2, seed: 4 })).data).toEqual(
        denseOperator(kfac(model, { variant: 'monte-carlo', draws: 2, seed: 4, batchSize: 2 })).data,
      );
    }
  });

  it('factors_of_one_layer_between_linear_terms_are_exact', () => {
    // Features that are linear, both terms' Hessians the same for all samples: the block of the one layer is A ⊗ Γ.
    const network = graphNetwork({
      inputs: vectorInput(3),
      layers: sequential(dense(4, { bias: false }), gaussianCode(2)),
      loss: 'mse',
    });
    const parameters = new Float64Array(12);
    // Variances stay one: their features are zero.
    parameters.set([1, -2, 0.5, 0.3, 1, 2]);
    const data = memoryDataSet(randomMatrix(3, 6, 1), randomMatrix(2, 6, 2));
    const model = { network, parameters, data };
    const g = denseOperator(gaussNewton(model));
    for (const make of [kfac, ekfac] as const)
      for (const sharing of SHARINGS)
        expect(relativeError(denseOperator(make(model, { sharing })), g)).toBeLessThan(1000 * eps);
  });

  it('positions_that_the_loss_does_not_see_do_not_count', () => {
    const model = language(9);
    const { inputs, targets } = model.data.batch(0, 9);
    // A sample of padding alone, and words whose targets are padding behind the others: causal, nothing reaches them.
    const longer = (x: Matrix): Matrix => {
      const more = zeros(x.rows, 10);
      more.data.set(x.data.subarray(0, 9 * x.rows));
      return more;
    };
    const more = longer(inputs);
    for (let k = 0; k < targets.data.length; k++) if (targets.data[k] === 0) more.data[k] = 1 + (k % 5);
    more.data.fill(2, 36, 40);
    const padded = { ...model, data: memoryDataSet(more, longer(targets)) };
    for (const sharing of SHARINGS) {
      const [own, other] = [kfac(model, { sharing }), kfac(padded, { sharing })];
      own.layers.forEach((layer, k) => {
        if (own.rules[k].rule !== 'kronecker') return;
        expect(relativeError(other.layers[k].input, layer.input)).toBeLessThan(100 * eps);
        expect(relativeError(gammaOf(other, k), gammaOf(own, k))).toBeLessThan(500 * eps);
      });
    }
  });

  it('scores_of_words_that_are_linear_have_their_block_though_some_are_padding', () => {
    // Every word is the same vector, so that a aᵀ and ΔᵀΔ are the same wherever there is no padding.
    const network = graphNetwork({
      inputs: tokenInput(3, 4),
      layers: sequential(embedding(4, 2), dense(4)),
      loss: tokenLoss({ padding: 0 }),
    });
    const parameters = initialParameters(network, { seed: 1, precision: 'f64' });
    for (let word = 1; word < 4; word++) parameters.set([0.7, -0.4], 2 * word);
    parameters.set([5, 3], 0);
    const ids = view(Float64Array.of(1, 2, 3, 3, 0, 0, 2, 0, 0), 0, 3, 3);
    const model = { network, parameters, data: memoryDataSet(ids, ids, { samples: 'columns' }) };
    const g = denseOperator(gaussNewton(model));
    const { layers, rules } = kfac(model);
    const { offset, width, outputs, input } = layers[rules.findIndex(({ rule }) => rule === 'kronecker')];
    const Γ = gammaOf(
      kfac(model),
      rules.findIndex(({ rule }) => rule === 'kronecker'),
    );
    const numbers = width * outputs;
    const product = zeros(numbers, numbers);
    for (let a = 0; a < numbers; a++)
      for (let b = 0; b < numbers; b++)
        product.data[a + b * numbers] =
          input.data[(a % width) + width * (b % width)] *
          Γ.data[Math.floor(a / width) + outputs * Math.floor(b / width)];
    // Positions are apart here: no word's score depends on another.
    expect(relativeError(product, ownBlock(g, { offset, numbers }))).toBeLessThan(100 * eps);
  });

  it('damped_inverses_are_inverse', () => {
    for (const model of [convolutional(5), language(4)])
      for (const make of [kfac, ekfac] as const) {
        const k = make(model);
        const expected = denseInverse(denseOperator(k), 0.1, blas);
        expect(relativeError(denseOperator(k.solver({ damping: 0.1 })), expected)).toBeLessThan(1e-12);
      }
  });

  it('refuses_what_is_wrong', () => {
    const model = convolutional(2);
    expect(() => kfac(model, { sharing: 'both' as 'expand' })).toThrow(OptionError);
    expect(() => kfac(model, { draws: 0, variant: 'monte-carlo' })).toThrow(OptionError);
    expect(() => ekfac(model, { batchSize: 0 })).toThrow(OptionError);
    const perceptron = randomModel({ widths: [3, 2], activation: 'tanh', loss: 'mse', bias: true, samples: 4 });
    expect(() => kfac(perceptron, { sharing: 'expand' } as object)).toThrow(OptionError);
  });
});
