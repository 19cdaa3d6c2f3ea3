import { describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, view, zeros, type FloatArray, type Matrix } from '#hmatrix/dense/matrix.js';
import { createPortableBlas } from '#hmatrix/dense/portable/portable-blas.js';
import { activate } from '#hmatrix/network/activations/activate.js';
import { ACTIVATIONS, type ActivationName } from '#hmatrix/network/activations/table.js';
import { accumulateGradient, backpropagate } from '#hmatrix/network/backward.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { forward } from '#hmatrix/network/forward.js';
import { lossAndGradient, meanLoss, perSampleGradients, squaredGradientNorms } from '#hmatrix/network/gradient.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { lossGradient } from '#hmatrix/network/losses/evaluate.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork, type Network } from '#hmatrix/network/network.js';
import { derivative, DIFFERENCE_TOLERANCE, largestDifference, norm, normalMatrix, smallModel, STEP } from './models.js';

const blas = openBlas();
const EPS = 2 ** -52;

const at = (model: Model, parameters: FloatArray): Model => ({ ...model, parameters });
const moved = (model: Model, k: number, value: number): Model => {
  const parameters = model.parameters.slice();
  parameters[k] = value;
  return at(model, parameters);
};
/** min |z| over the ReLU units: how far the model is from a kink. */
function distanceToKink(model: Model): number {
  let least = Infinity;
  const { network } = model;
  network.layers.forEach((layer, ℓ) => {
    if (layer.activation !== 'relu') return;
    // The layer's arguments: the outputs of the network cut there, with a linear last layer.
    const layers = network.layers
      .slice(0, ℓ + 1)
      .map((l, k) => (k === ℓ ? { ...l, activation: 'linear' as const } : l));
    const parameters = layer.offset + layer.width * layer.outputs;
    const cut: Network = { layers, inputs: network.inputs, outputs: layer.outputs, parameters };
    const { output } = forward(
      cut,
      model.parameters.slice(0, parameters),
      model.data.batch(0, model.data.samples).inputs,
      blas,
    );
    for (const z of output.data) least = Math.min(least, Math.abs(z));
  });
  return least;
}

describe('gradient', () => {
  const cases = ACTIVATIONS.flatMap((activation) =>
    LOSSES.flatMap((loss) => [true, false].map((bias) => ({ activation, loss, bias }))),
  );

  it.each(cases)(
    '$activation, $loss, bias $bias: the derivative of the loss by every parameter',
    ({ activation, loss, bias }) => {
      // A seed whose ReLU units stay on their side of the kink under the steps of the difference (inputs of size 3).
      let seed = 1;
      let model = smallModel({ activation, loss, bias, seed });
      while (distanceToKink(model) < 12 * STEP) model = smallModel({ activation, loss, bias, seed: ++seed });
      const { loss: value, gradient } = lossAndGradient(model, { blas });
      expect(value).toBe(meanLoss(model, { blas }));
      for (let k = 0; k < gradient.length; k++) {
        const slope = derivative((t) => meanLoss(moved(model, k, t), { blas }), model.parameters[k]);
        expect(Math.abs(slope - gradient[k])).toBeLessThan(DIFFERENCE_TOLERANCE * (1 + value));
      }
    },
  );

  it.each(['tanh', 'sigmoid', 'softplus', 'gelu'] as const)('%s in the last layer too', (outputActivation) => {
    const model = smallModel({ outputActivation, loss: 'squared-error', widths: [3, 4, 4, 2] });
    const { gradient, loss } = lossAndGradient(model, { blas });
    for (let k = 0; k < gradient.length; k++) {
      expect(
        Math.abs(derivative((t) => meanLoss(moved(model, k, t), { blas }), model.parameters[k]) - gradient[k]),
      ).toBeLessThan(DIFFERENCE_TOLERANCE * (1 + loss));
    }
  });

  it('does not depend on the batches it is summed over', () => {
    const model = smallModel({ samples: 50, loss: 'cross-entropy', widths: [6, 8, 4] });
    const whole = lossAndGradient(model, { blas });
    for (const batchSize of [1, 7, 25, 49]) {
      const parts = lossAndGradient(model, { blas, batchSize });
      expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(50 * EPS * whole.loss);
      expect(largestDifference(parts.gradient, whole.gradient)).toBeLessThan(50 * 8 * EPS * (1 + norm(whole.gradient)));
    }
  });

  it('asks the data for one batch at a time, whose views may be reused', () => {
    const model = smallModel({ samples: 20 });
    const inputs = zeros(4, 6);
    const targets = zeros(3, 6);
    const streamed = {
      ...model.data,
      batch: (first: number, count: number) => {
        expect(count).toBeLessThanOrEqual(6);
        const from = model.data.batch(first, count);
        // What an earlier batch left is overwritten.
        inputs.data.fill(Number.NaN);
        targets.data.fill(Number.NaN);
        inputs.data.set(from.inputs.data.subarray(from.inputs.offset, from.inputs.offset + 4 * count));
        targets.data.set(from.targets.data.subarray(from.targets.offset, from.targets.offset + 3 * count));
        return { inputs: block(inputs, 0, 0, 4, count), targets: block(targets, 0, 0, 3, count) };
      },
    };
    expect(lossAndGradient({ ...model, data: streamed }, { blas, batchSize: 6 })).toEqual(
      lossAndGradient(model, { blas, batchSize: 6 }),
    );
  });

  it('is the mean of the per-sample gradients, whose norms are found without them', () => {
    for (const bias of [true, false]) {
      const model = smallModel({ loss: 'bce', bias, activation: 'gelu' });
      const { network, parameters, data } = model;
      const { inputs, targets } = data.batch(0, 7);
      const pass = forward(network, parameters, inputs, blas);
      const e = zeros(3, 7);
      lossGradient('bce', pass.output, targets, e);
      const errors = backpropagate(network, parameters, pass, e, { blas });
      const each = zeros(network.parameters, 7);
      perSampleGradients(network, pass, errors, each);
      const norms = squaredGradientNorms(model, blas, { batchSize: 3 });
      const mean = new Float64Array(network.parameters);
      for (let i = 0; i < 7; i++) {
        const g = each.data.subarray(i * network.parameters, (i + 1) * network.parameters);
        expect(Math.abs(norms[i] / norm(g) ** 2 - 1)).toBeLessThan(64 * EPS);
        g.forEach((v, k) => {
          mean[k] += v / 7;
        });
        const alone = lossAndGradient(
          { ...model, data: memoryDataSet(block(inputs, 0, i, 4, 1), block(targets, 0, i, 3, 1)) },
          { blas },
        );
        expect(largestDifference(alone.gradient, g)).toBeLessThan(64 * EPS * (1 + norm(g)));
      }
      expect(largestDifference(lossAndGradient(model, { blas }).gradient, mean)).toBeLessThan(
        64 * EPS * (1 + norm(mean)),
      );
    }
  });

  it('single precision agrees with double precision, for every activation', () => {
    for (const activation of ACTIVATIONS) {
      const model = smallModel({
        activation,
        precision: 'f32',
        widths: [20, 16, 12, 5],
        samples: 30,
        loss: 'cross-entropy',
        seed: 5,
      });
      const single = lossAndGradient(model, { blas });
      const double = lossAndGradient(at(model, Float64Array.from(model.parameters)), { blas });
      expect(single.gradient).toBeInstanceOf(Float32Array);
      expect(double.gradient).toBeInstanceOf(Float64Array);
      // Three layers of sums of at most 21 products of size 1.
      const bound = 3 * 21 * 2 ** -24 * 4;
      expect(Math.abs(single.loss - double.loss)).toBeLessThan(bound * (1 + double.loss));
      expect(largestDifference(single.gradient, double.gradient)).toBeLessThan(bound * (1 + norm(double.gradient)));
    }
  });

  it('the portable backend agrees', () => {
    const portable = createPortableBlas();
    for (const precision of ['f64', 'f32'] as const) {
      const model = smallModel({ precision, samples: 40, widths: [17, 9, 6] });
      const a = lossAndGradient(model, { blas });
      const b = lossAndGradient(model, { blas: portable });
      const eps = precision === 'f64' ? EPS : 2 ** -23;
      expect(largestDifference(a.gradient, b.gradient)).toBeLessThan(40 * 17 * eps * (1 + norm(a.gradient)));
    }
  });

  it('can be aborted, and refuses what does not fit', () => {
    const model = smallModel();
    expect(() => lossAndGradient(model, { blas, signal: AbortSignal.abort() })).toThrow(AbortedError);
    expect(() => lossAndGradient(model, { blas, batchSize: 0 })).toThrow(OptionError);
    expect(() => lossAndGradient(at(model, new Float64Array(3)), { blas })).toThrow(ShapeError);
    expect(() => meanLoss({ ...model, data: memoryDataSet(zeros(4, 2), zeros(2, 2)) }, { blas })).toThrow(
      /3 outputs, the targets 2/,
    );
  });
});

describe('forward pass', () => {
  const widths = [5, 7, 6, 3];
  const activation: ActivationName[] = ['gelu', 'relu', 'tanh'];

  /** The same by the definition, unit by unit. */
  function naive(
    network: Network,
    parameters: FloatArray,
    x: Matrix,
    i: number,
  ): { z: Float64Array[]; a: Float64Array[] } {
    let a = Float64Array.from({ length: x.rows }, (_, k) => x.data[x.offset + k + i * x.ld]);
    const all = { z: [] as Float64Array[], a: [a] };
    for (const layer of network.layers) {
      const z = Float64Array.from({ length: layer.outputs }, (_, p) => {
        let sum = layer.bias ? parameters[layer.offset + p * layer.width + layer.inputs] : 0;
        for (let q = 0; q < layer.inputs; q++) sum += parameters[layer.offset + p * layer.width + q] * a[q];
        return sum;
      });
      a = new Float64Array(layer.outputs);
      activate(layer.activation, z, a, null, null);
      all.z.push(z);
      all.a.push(a);
    }
    return all;
  }

  it.each([true, false])('holds inputs, slopes, curvatures and outputs of every layer (bias %s)', (bias) => {
    const network = defineNetwork({ widths, activation, bias });
    const parameters = normalMatrix(network.parameters, 1, 3).data;
    const wide = normalMatrix(8, 4, 4);
    const x = block(wide, 2, 0, 5, 4);
    const pass = forward(network, parameters, x, blas, { curvatures: true });
    expect(pass.count).toBe(4);
    for (let i = 0; i < 4; i++) {
      const { z, a } = naive(network, parameters, x, i);
      network.layers.forEach((layer, ℓ) => {
        const ā = pass.inputs[ℓ];
        expect([ā.rows, ā.cols]).toEqual([layer.width, 4]);
        expect(largestDifference(ā.data.subarray(i * layer.width, i * layer.width + layer.inputs), a[ℓ])).toBeLessThan(
          1e3 * EPS,
        );
        if (bias) expect(ā.data[(i + 1) * layer.width - 1]).toBe(1);
        const s = new Float64Array(layer.outputs);
        const c = new Float64Array(layer.outputs);
        activate(layer.activation, z[ℓ], s.slice(), s, c);
        const kept = pass.slopes[ℓ]!;
        expect(kept.ld).toBe(kept.rows);
        expect(largestDifference(kept.data.subarray(i * layer.outputs, (i + 1) * layer.outputs), s)).toBeLessThan(
          1e3 * EPS,
        );
        const curved = pass.curvatures![ℓ];
        if (layer.activation === 'relu') expect(curved).toBeNull();
        else
          expect(largestDifference(curved!.data.subarray(i * layer.outputs, (i + 1) * layer.outputs), c)).toBeLessThan(
            1e3 * EPS,
          );
      });
      expect(largestDifference(pass.output.data.subarray(i * 3, i * 3 + 3), a[3])).toBeLessThan(1e3 * EPS);
    }
  });

  it('linear layers keep neither slopes nor curvatures; the data is copied', () => {
    const network = defineNetwork({ widths: [2, 2, 2], activation: 'tanh', bias: false });
    const x = normalMatrix(2, 3, 1);
    const pass = forward(network, initialParameters(network, 1), x, blas);
    expect(pass.slopes[1]).toBeNull();
    expect(pass.curvatures).toBeNull();
    expect(pass.inputs[0].data.buffer).not.toBe(x.data.buffer);
    expect(pass.inputs[0].data).toEqual(x.data);
  });

  it('shared arrays and reused ones hold the same bits', () => {
    const { network, parameters, data } = smallModel();
    const { inputs } = data.batch(0, 7);
    const pass = forward(network, parameters, inputs, blas, { curvatures: true });
    const shared = forward(network, parameters, inputs, blas, { curvatures: true, shared: true });
    for (const m of [...shared.inputs, shared.output, shared.slopes[0]!, shared.curvatures![0]!])
      expect(m.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(Array.from(shared.output.data)).toEqual(Array.from(pass.output.data));
    const other = forward(network, parameters, normalMatrix(4, 7, 77), blas, { curvatures: true });
    const reused = forward(network, parameters, inputs, blas, { reuse: other });
    expect(reused).toBe(other);
    expect(reused).toEqual(pass);
    expect(() => forward(network, parameters, block(inputs, 0, 0, 4, 3), blas, { reuse: other })).toThrow(ShapeError);
  });

  it('names layer, unit and sample of what is not finite', () => {
    const { network, parameters } = smallModel({ activation: 'relu' });
    const x = normalMatrix(4, 3, 5);
    const bad = x.data.slice();
    bad[2 + 4] = Number.NaN;
    expect(() => forward(network, parameters, view(bad, 0, 4, 3), blas)).toThrow(/Input 2 of sample 1 .* NaN/);
    bad[2 + 4] = -Infinity;
    expect(() => forward(network, parameters, view(bad, 0, 4, 3), blas)).toThrow(NonFiniteError);
    const θ = parameters.slice();
    // The bias of unit 3 in layer 1: every sample, the first one is named. A ReLU would have hidden a NaN as 0.
    θ[network.layers[0].width * 4 - 1] = Number.NaN;
    try {
      forward(network, θ, x, blas);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(NonFiniteError);
      expect((error as NonFiniteError).data).toMatchObject({ layer: 1, unit: 3, sample: 0 });
      expect((error as NonFiniteError).message).toMatch(/Layer 1, unit 3, sample 0/);
    }
    // Finite parameters that overflow in layer 2.
    const huge = parameters.map(() => 1e200);
    expect(() => forward(network, huge, view(new Float64Array(12).fill(1), 0, 4, 3), blas)).toThrow(
      /Layer 2, unit 0, sample 0/,
    );
  });

  it('finite numbers whose sum overflows pass', () => {
    const network = defineNetwork({ widths: [3, 1], bias: false });
    const x = view(new Float64Array(3).fill(1e308), 0, 3, 1);
    expect(forward(network, Float64Array.of(1, 0, 0), x, blas).output.data[0]).toBe(1e308);
  });

  it('refuses what does not fit', () => {
    const { network, parameters } = smallModel();
    expect(() => forward(network, parameters, zeros(3, 2), blas)).toThrow(/takes 4 inputs, the batch has 3/);
    expect(() => forward(network, parameters, zeros(4, 0), blas)).toThrow(ShapeError);
    expect(() => forward(network, parameters.slice(1), zeros(4, 2), blas)).toThrow(ShapeError);
    expect(() => defineNetwork({ widths: [3, 0, 2] })).toThrow(/Layer 1 of the network has 0 units/);
    expect(() => defineNetwork({ widths: [3] })).toThrow(OptionError);
    expect(() => defineNetwork({ widths: [3, 2, 2], activation: 'swish' as ActivationName })).toThrow(OptionError);
    expect(() => memoryDataSet(zeros(3, 0), zeros(2, 0))).toThrow(ShapeError);
  });
});

describe('backward pass', () => {
  it('blocks of unit errors give the rows of the Jacobian', () => {
    for (const outputActivation of ['linear', 'sigmoid'] as const) {
      const { network, parameters, data } = smallModel({
        outputActivation,
        widths: [3, 4, 2],
        samples: 3,
        loss: 'bce',
      });
      const { inputs } = data.batch(0, 3);
      const pass = forward(network, parameters, inputs, blas);
      const units = zeros(2, 6);
      for (let k = 0; k < 2; k++) for (let i = 0; i < 3; i++) units.data[k + (k * 3 + i) * 2] = 1;
      const errors = backpropagate(network, parameters, pass, units, { blas });
      const rows = zeros(network.parameters, 3);
      for (let k = 0; k < 2; k++) {
        perSampleGradients(
          network,
          pass,
          errors.map((d) => block(d, 0, 3 * k, d.rows, 3)),
          rows,
        );
        for (let j = 0; j < network.parameters; j++) {
          for (let i = 0; i < 3; i++) {
            const f = (t: number): number => {
              const θ = parameters.slice();
              θ[j] = t;
              return forward(network, θ, inputs, blas).output.data[k + 2 * i];
            };
            expect(Math.abs(derivative(f, parameters[j]) - rows.data[j + i * network.parameters])).toBeLessThan(
              DIFFERENCE_TOLERANCE,
            );
          }
        }
      }
    }
  });

  it('accumulates: out + α times the sum', () => {
    const model = smallModel();
    const { network, parameters, data } = model;
    const { inputs, targets } = data.batch(0, 7);
    const pass = forward(network, parameters, inputs, blas);
    const e = zeros(3, 7);
    lossGradient('mse', pass.output, targets, e);
    const errors = backpropagate(network, parameters, pass, e, { blas });
    const out = new Float64Array(network.parameters).fill(2);
    accumulateGradient(network, pass, errors, out, { blas, alpha: -7 });
    accumulateGradient(network, pass, errors, out, { blas, alpha: 14 });
    const { gradient } = lossAndGradient(model, { blas });
    expect(
      largestDifference(
        out,
        gradient.map((g) => 2 + 49 * g),
      ),
    ).toBeLessThan(1e3 * EPS * (1 + norm(gradient)));
  });

  it('reused arrays hold the same bits; errors that do not fit are refused', () => {
    const { network, parameters, data } = smallModel({ widths: [4, 5, 6, 3] });
    const pass = forward(network, parameters, data.batch(0, 7).inputs, blas);
    const first = backpropagate(network, parameters, pass, normalMatrix(3, 7, 1), { blas });
    const e = normalMatrix(3, 7, 2);
    const again = backpropagate(network, parameters, pass, e, { blas, reuse: first });
    expect(again[0]).toBe(first[0]);
    expect(again).toEqual(backpropagate(network, parameters, pass, e, { blas }));
    expect(again[2]).toBe(e);
    expect(() => backpropagate(network, parameters, pass, zeros(3, 8), { blas })).toThrow(ShapeError);
    expect(() => backpropagate(network, parameters, pass, zeros(2, 7), { blas })).toThrow(ShapeError);
    expect(() => accumulateGradient(network, pass, first, new Float64Array(2), { blas, alpha: 1 })).toThrow(ShapeError);
  });
});

describe('initial parameters', () => {
  const network = defineNetwork({ widths: [300, 200, 100], activation: 'relu' });
  const weights = (θ: FloatArray, ℓ: number): number[] => {
    const { offset, width, inputs, outputs } = network.layers[ℓ];
    return Array.from({ length: outputs }, (_, p) =>
      Array.from(θ.subarray(offset + p * width, offset + p * width + inputs)),
    ).flat();
  };

  it('have the variance of their scheme, zero mean, zero biases', () => {
    for (const [scheme, variance] of [
      ['glorot', 2 / 500],
      ['he', 2 / 300],
      ['lecun', 1 / 300],
    ] as const) {
      const θ = initialParameters(network, 4, { scheme });
      const w = weights(θ, 0);
      const mean = w.reduce((s, v) => s + v, 0) / w.length;
      const square = w.reduce((s, v) => s + v * v, 0) / w.length;
      // 60,000 draws: the mean within 5 standard errors, the variance within 5·√(2/60,000).
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / w.length));
      expect(Math.abs(square / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / w.length));
      for (const layer of network.layers)
        for (let p = 1; p <= layer.outputs; p++) expect(θ[layer.offset + p * layer.width - 1]).toBe(0);
    }
  });

  it('follow from the seed; by default he for ReLU layers, glorot for linear ones', () => {
    const θ = initialParameters(network, 4);
    expect(initialParameters(network, 4)).toEqual(θ);
    expect(initialParameters(network, 5)).not.toEqual(θ);
    expect(weights(θ, 0)).toEqual(weights(initialParameters(network, 4, { scheme: 'he' }), 0));
    expect(weights(θ, 1)).toEqual(weights(initialParameters(network, 4, { scheme: 'glorot' }), 1));
    expect(initialParameters(network, 4, { precision: 'f32' })).toEqual(Float32Array.from(θ));
    expect(() => initialParameters(network, 0.5)).toThrow(OptionError);
    expect(() => initialParameters(network, 1, { scheme: 'zero' as 'he' })).toThrow(OptionError);
  });
});
