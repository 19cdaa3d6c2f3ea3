/** Outputs, probabilities, accuracy and Jacobians of trained networks, against plain formulas and differences. */
import { describe, expect, it } from 'vitest';
import { AbortedError, MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { get, matrixOver, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { transpose } from '#hmatrix/dense/transpose.js';
import { labelTargets, memoryDataSet } from '#hmatrix/network/data-set.js';
import { forward } from '#hmatrix/network/forward.js';
import { jacobian } from '#hmatrix/network/jacobian.js';
import { accuracy, predict } from '#hmatrix/network/predict.js';
import { derivative, DIFFERENCE_TOLERANCE, normalMatrix, smallModel } from './models.js';

const blas = openBlas();

describe('predict', () => {
  it.each(['f64', 'f32'] as const)('gives_the_outputs_whatever_the_batches: %s', (precision) => {
    const { network, parameters } = smallModel({ precision, activation: 'gelu', outputActivation: 'softplus' });
    const inputs = normalMatrix(4, 11, 3, precision);
    const { output } = forward(network, parameters, inputs, blas);
    const all = predict({ network, parameters }, inputs);
    expect([all.rows, all.cols, all.data.constructor]).toEqual([3, 11, parameters.constructor]);
    expect(all.data).toEqual(output.data);
    const eps = precision === 'f64' ? 2 ** -52 : 2 ** -23;
    const batched = predict({ network, parameters }, inputs, { batchSize: 3 });
    for (let i = 0; i < 33; i++)
      expect(Math.abs(batched.data[i] - all.data[i])).toBeLessThan(50 * eps * (1 + Math.abs(all.data[i])));
  });

  it('takes_one_sample_as_an_array_and_none_at_all', () => {
    const { network, parameters } = smallModel();
    const one = predict({ network, parameters: Array.from(parameters) }, [0.1, 0.2, -0.3, 0.4]);
    expect([one.rows, one.cols]).toEqual([3, 1]);
    const none = predict({ network, parameters }, zeros(4, 0));
    expect([none.rows, none.cols]).toEqual([3, 0]);
  });

  it('gives_probabilities_of_classifiers', () => {
    const inputs = normalMatrix(4, 9, 3);
    for (const loss of ['cross-entropy', 'bce'] as const) {
      const { network, parameters } = smallModel({ loss });
      const f = predict({ network, parameters }, inputs);
      const p = predict({ network, parameters, loss }, inputs, { probabilities: true, batchSize: 4 });
      for (let i = 0; i < 9; i++) {
        const e = [0, 1, 2].map((k) => Math.exp(get(f, k, i)));
        for (let k = 0; k < 3; k++) {
          const expected = loss === 'bce' ? e[k] / (1 + e[k]) : e[k] / (e[0] + e[1] + e[2]);
          expect(Math.abs(get(p, k, i) - expected)).toBeLessThan(1e-14);
        }
      }
    }
  });

  it('refuses_bad_input_by_name', () => {
    const { network, parameters, loss, data } = smallModel();
    const inputs = normalMatrix(4, 9, 3);
    const given = { network, parameters };
    expect(() => predict(given, transpose(inputs))).toThrow(/takes 4 inputs, these have 9 rows.*transpose/);
    expect(() => predict(given, normalMatrix(5, 9, 3))).toThrow(ShapeError);
    expect(() => predict({ network, parameters: parameters.slice(1) }, inputs)).toThrow(ShapeError);
    expect(() => predict(network as never, inputs)).toThrow(/predict takes a model/);
    expect(() => predict(null as never, inputs)).toThrow(/predict takes a model/);
    expect(() => predict(given, inputs, { probabilities: true })).toThrow(/needs the loss.*cross-entropy and bce/);
    expect(() => predict({ network, parameters, loss, data } as never, inputs, { probabilities: true })).toThrow(
      /no meaning for the loss "mse"/,
    );
    expect(() => predict(given, inputs, { probabilities: 1 as never })).toThrow(OptionError);
    expect(() => predict(given, inputs, { batchSize: 0 })).toThrow(OptionError);
    expect(() => predict(given, inputs, { signal: AbortSignal.abort() })).toThrow(AbortedError);
    expect(() => predict(given, [1, 2, Number.NaN, 3])).toThrow(NonFiniteError);
  });
});

describe('accuracy', () => {
  it('counts_the_samples_whose_class_is_found', () => {
    const model = smallModel({ loss: 'cross-entropy', samples: 20 });
    const f = predict(model, model.data.batch(0, 20).inputs);
    const found = Array.from({ length: 20 }, (_, i) => {
      const column = [0, 1, 2].map((k) => get(f, k, i));
      return column.indexOf(Math.max(...column));
    });
    const labels = found.map((label, i) => (i < 6 ? (label + 1) % 3 : label));
    const data = memoryDataSet(model.data.batch(0, 20).inputs, labelTargets(labels, 3));
    expect(accuracy({ ...model, data })).toBe(14 / 20);
    expect(accuracy({ ...model, data }, { batchSize: 3 })).toBe(14 / 20);
  });

  it('takes_bce_at_the_threshold_0_all_outputs_of_a_sample', () => {
    for (const widths of [
      [4, 5, 1],
      [4, 5, 3],
    ]) {
      const model = smallModel({ loss: 'bce', samples: 20, widths });
      const r = widths[2];
      const { inputs } = model.data.batch(0, 20);
      const f = predict(model, inputs);
      const targets = matrixOver(
        f.data.map((value) => (value > 0 ? 1 : 0)),
        r,
        20,
      );
      expect(accuracy({ ...model, data: memoryDataSet(inputs, targets) })).toBe(1);
      // One output of each of five samples.
      for (let i = 0; i < 5; i++) targets.data[i * r + (i % r)] = 1 - targets.data[i * r + (i % r)];
      expect(accuracy({ ...model, data: memoryDataSet(inputs, targets) })).toBe(15 / 20);
    }
  });

  it('names_targets_of_which_it_has_no_meaning_and_takes_smoothed_ones', () => {
    const model = smallModel({ loss: 'bce' });
    const { inputs, targets } = model.data.batch(0, model.data.samples);
    const classes = { ...targets, data: targets.data.map((y) => (y > 0.5 ? 1 : 0)) };
    const smoothed = { ...targets, data: classes.data.map((y) => 0.1 + 0.8 * y) };
    const share = accuracy({ ...model, data: memoryDataSet(inputs, classes) });
    expect(accuracy({ ...model, data: memoryDataSet(inputs, smoothed) })).toBe(share);
    smoothed.data[smoothed.data.length - 1] = 0.5;
    expect(() => accuracy({ ...model, data: memoryDataSet(inputs, smoothed) })).toThrow(/some of these lie between 0/);
  });

  it('names_a_loss_for_which_it_has_no_meaning', () => {
    for (const loss of ['mse', 'squared-error', 'mean-squared'] as const)
      expect(() => accuracy(smallModel({ loss }))).toThrow(new RegExp(`no meaning for the loss "${loss}"`));
  });
});

describe('jacobian', () => {
  const row = (j: Matrix, i: number): number[] => Array.from({ length: j.cols }, (_, q) => get(j, i, q));

  it.each(['tanh', 'softplus', 'gelu'] as const)('is_the_derivative_of_every_output: %s', (outputActivation) => {
    const { network, parameters } = smallModel({ outputActivation });
    const inputs = normalMatrix(4, 5, 3);
    const j = jacobian({ network, parameters }, inputs);
    expect([j.rows, j.cols]).toEqual([15, network.parameters]);
    for (let q = 0; q < network.parameters; q++)
      for (let p = 0; p < 15; p++) {
        const slope = derivative((value) => {
          const moved = parameters.slice();
          moved[q] = value;
          return predict({ network, parameters: moved }, inputs).data[p];
        }, parameters[q]);
        expect(Math.abs(get(j, p, q) - slope)).toBeLessThan(DIFFERENCE_TOLERANCE * 10);
      }
  });

  it('at_many_samples_has_the_rows_of_each', () => {
    // More samples than a batch holds.
    const { network, parameters } = smallModel({ widths: [40, 300, 40], precision: 'f32' });
    const inputs = normalMatrix(40, 10, 3, 'f32');
    const j = jacobian({ network, parameters }, inputs);
    expect(j.data).toBeInstanceOf(Float32Array);
    for (const i of [0, 8, 9]) {
      const one = jacobian({ network, parameters }, inputs.data.subarray(i * 40, i * 40 + 40));
      expect([one.rows, one.cols]).toEqual([40, network.parameters]);
      for (const k of [0, 39]) {
        const [a, b] = [row(j, i * 40 + k), row(one, k)];
        const largest = Math.max(...b.map(Math.abs));
        expect(Math.max(...a.map((value, q) => Math.abs(value - b[q])))).toBeLessThan(1e-5 * largest);
      }
    }
    expect(jacobian({ network, parameters }, zeros(40, 0)).rows).toBe(0);
  });

  it('refuses_bad_input_by_name', () => {
    const { network, parameters } = smallModel();
    const inputs = normalMatrix(4, 9, 3);
    const given = { network, parameters };
    expect(() => jacobian(given, inputs, { memoryLimit: 1000 })).toThrow(MemoryError);
    expect(() => jacobian(given, inputs, { memoryLimit: 1000 })).toThrow(
      /Jacobian of 3 outputs at 9 samples.*1000 bytes are available: take fewer/,
    );
    expect(() => jacobian(given, inputs, { memoryLimit: -1 })).toThrow(OptionError);
    expect(() => jacobian(given, transpose(inputs))).toThrow(/transpose/);
    expect(() => jacobian(given, inputs, { signal: AbortSignal.abort() })).toThrow(AbortedError);
  });
});
