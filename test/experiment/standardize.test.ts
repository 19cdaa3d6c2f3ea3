/** Standardized data, and the way back to the raw data. */
import { describe, expect, it } from 'vitest';
import { copiedData, fromRaw, standardizationOf, toRaw, unevenScales } from '#hmatrix/experiment/standardize.js';
import { batchOf, memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { meanLoss } from '#hmatrix/network/gradient.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { predict } from '#hmatrix/network/predict.js';
import { randomMatrix } from '../support.js';

const n = 40;
/** Rows of very different scales, one of them constant. */
function raw(): DataSet {
  const x = randomMatrix(3, n, 1);
  const y = randomMatrix(2, n, 2);
  for (let j = 0; j < n; j++) {
    x.data[3 * j] = 1000 + 5 * x.data[3 * j];
    x.data[3 * j + 1] *= 1e-3;
    x.data[3 * j + 2] = 7;
    y.data[2 * j] = 50 * y.data[2 * j] - 300;
  }
  return memoryDataSet(x, y);
}

const row = (data: Float64Array | Float32Array, i: number, rows: number): number[] =>
  Array.from({ length: n }, (_, j) => data[i + j * rows]);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('standardized data', () => {
  const data = raw();

  it.each([[[3, 2]], [[3, 5, 2]], [[3, 4, 4, 2]]])('is_folded_into_the_network_exactly: %j', (widths) => {
    const network = defineNetwork({ widths });
    const by = standardizationOf(network, 'mse', data);
    const copy = copiedData(data, 'f64', by);
    const { inputs, targets } = batchOf(copy, 0, n);
    for (const [matrix, rows] of [
      [inputs, 3],
      [targets, 2],
    ] as const) {
      for (let i = 0; i < rows; i++) {
        const values = row(matrix.data, i, rows);
        expect(mean(values)).toBeCloseTo(0, 10);
        const constant = rows === 3 && i === 2;
        expect(mean(values.map((value) => value ** 2))).toBeCloseTo(constant ? 0 : 1, 10);
      }
    }
    const θ = initialParameters(network, 3).map((value, k) => value + 0.1 * Math.sin(k));
    const folded = toRaw(network, θ, by);
    const ours = predict({ network, parameters: folded }, batchOf(data, 0, n).inputs);
    const theirs = predict({ network, parameters: θ }, inputs);
    const { mean: m, deviation: s } = by.targets!;
    for (let j = 0; j < n; j++)
      for (let i = 0; i < 2; i++) expect(ours.data[i + 2 * j]).toBeCloseTo(m[i] + s[i] * theirs.data[i + 2 * j], 8);
    const back = fromRaw(network, folded, by);
    back.forEach((value, k) => {
      expect(value).toBeCloseTo(θ[k], 9);
    });
  });

  it('leaves_targets_of_classes_and_of_curved_outputs_alone', () => {
    const labels = copiedData(data, 'f32');
    expect(standardizationOf(defineNetwork({ widths: [3, 4, 2] }), 'cross-entropy', labels).targets).toBeNull();
    const curved = defineNetwork({ widths: [3, 4, 2], outputActivation: 'sigmoid' });
    expect(standardizationOf(curved, 'mse', data).targets).toBeNull();
    expect(batchOf(labels, 0, 1).inputs.data).toBeInstanceOf(Float32Array);
  });

  it('needs_biases_where_it_centers', () => {
    const without = (bias: readonly boolean[]) => defineNetwork({ widths: [3, 4, 2], bias });
    expect(() => standardizationOf(without([false, true]), 'mse', data)).toThrow(/biases in the first and last/);
    expect(() => standardizationOf(without([true, false]), 'mse', data)).toThrow(/biases/);
    expect(standardizationOf(without([true, false]), 'cross-entropy', data).targets).toBeNull();
  });

  it('has_the_loss_of_one_target_in_units_of_its_variance', () => {
    const { inputs, targets } = batchOf(data, 0, n);
    const one = memoryDataSet(inputs, { ...targets, rows: 1 });
    const network = defineNetwork({ widths: [3, 4, 1] });
    const by = standardizationOf(network, 'mse', one);
    const θ = initialParameters(network, 1);
    const standard = meanLoss({ network, parameters: θ, loss: 'mse', data: copiedData(one, 'f64', by) });
    const own = meanLoss({ network, parameters: toRaw(network, θ, by), loss: 'mse', data: one });
    expect(own / standard).toBeCloseTo(by.targets!.deviation[0] ** 2, 6);
  });

  it('is_advised_where_columns_lie_far_apart', () => {
    const names = ['big', 'tiny', 'constant', 'target', 'other'];
    expect(unevenScales(data, names)).toMatch(/^tiny about .* to big about 1000$/);
    expect(unevenScales(memoryDataSet(randomMatrix(2, 30, 1), randomMatrix(1, 30, 2)), names)).toBeNull();
  });
});
