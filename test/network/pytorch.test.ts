/** θ as PyTorch's tensors: the definition, the way there and back, and what is refused. */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { predict } from '#hmatrix/network/predict.js';
import { fromPyTorch, toPyTorch } from '#hmatrix/network/pytorch.js';
import { smallModel } from './models.js';

describe('tensors of PyTorch', () => {
  it('are_weights_by_rows_and_biases', () => {
    // Unit 0: weights 1, 2, bias 3; unit 1: 4, 5, 6; unit 2: 7, 8, 9; then the last layer without a bias.
    const network = defineNetwork({ widths: [2, 3, 1], bias: [true, false] });
    const parameters = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    expect(toPyTorch(network, parameters)).toEqual([
      {
        weight: { shape: [3, 2], data: Float64Array.of(1, 2, 4, 5, 7, 8) },
        bias: { shape: [3], data: Float64Array.of(3, 6, 9) },
      },
      { weight: { shape: [1, 3], data: Float64Array.of(10, 11, 12) }, bias: undefined },
    ]);
    const record = { '0.weight': [1, 2, 4, 5, 7, 8], '0.bias': [3, 6, 9], '2.weight': [10, 11, 12] };
    expect(fromPyTorch(network, record)).toEqual(Float64Array.from(parameters));
    expect(
      fromPyTorch(network, [
        { weight: record['0.weight'], bias: [3, 6, 9] },
        { weight: [10, 11, 12], bias: null },
      ]),
    ).toEqual(Float64Array.from(parameters));
  });

  it.each(['f64', 'f32'] as const)('come_back_to_the_bit: %s', (precision) => {
    for (const bias of [true, false]) {
      const { network, parameters } = smallModel({ widths: [4, 7, 5, 3], precision, bias });
      const layers = toPyTorch(network, parameters);
      expect(fromPyTorch(network, layers)).toEqual(parameters);
      const record = Object.fromEntries(
        layers.flatMap(({ weight, bias: b }, ℓ) => [
          [`net.${2 * ℓ}.weight`, weight] as const,
          ...(b === undefined ? [] : [[`net.${2 * ℓ}.bias`, b] as const]),
        ]),
      );
      expect(fromPyTorch(network, record)).toEqual(parameters);
      // Copies.
      (layers[0].weight.data as Float64Array)[0] += 1;
      expect(toPyTorch(network, parameters)[0].weight.data[0]).toBe(parameters[0]);
    }
  });

  it('compute_what_the_network_does', () => {
    const { network, parameters } = smallModel({ widths: [4, 3] });
    const [{ weight, bias }] = toPyTorch(network, parameters);
    const x = [0.1, -0.2, 0.3, 0.4];
    const f = predict({ network, parameters }, x);
    for (let p = 0; p < 3; p++) {
      const sum = x.reduce((total, value, q) => total + weight.data[p * 4 + q] * value, bias!.data[p]);
      expect(Math.abs(f.data[p] - sum)).toBeLessThan(1e-15);
    }
  });

  it('of_wrong_shapes_are_refused_by_name', () => {
    const network = defineNetwork({ widths: [2, 3, 1], bias: [true, false] });
    const good = { 'a.weight': new Array(6).fill(1), 'a.bias': [3, 6, 9], 'b.weight': [10, 11, 12] };
    const refused = (tensors: unknown, message: RegExp, type: new (...args: never[]) => Error = ShapeError): void => {
      expect(() => fromPyTorch(network, tensors as never)).toThrow(type);
      expect(() => fromPyTorch(network, tensors as never)).toThrow(message);
    };
    const turned = { shape: [2, 3], data: good['a.weight'] };
    refused({ ...good, 'a.weight': turned }, /"a\.weight" has shape \(2, 3\); layer 0 .*takes \(3, 2\)\..*transpose/);
    refused({ ...good, 'b.weight': { shape: [3], data: [1, 2, 3] } }, /"b\.weight" has shape \(3,\)/);
    refused({ ...good, 'a.bias': [1, 2] }, /"a\.bias" holds 2 numbers; layer 0 .*takes \(3,\), 3 numbers/);
    refused({ ...good, 'a.weight': { shape: [3, 2], data: [1] } }, /"a\.weight" holds 1 numbers/);
    refused({ ...good, 'b.bias': [1] }, /"b\.bias" is given, and layer 1 of the network has no bias/);
    refused({ 'a.weight': good['a.weight'], 'b.weight': [1, 2, 3] }, /"a\.bias" is missing/);
    refused({ 'a.bias': [3, 6, 9], 'b.weight': [1, 2, 3] }, /"a\.weight" is missing/);
    refused({ ...good, 'a.gamma': [1] }, /"a\.gamma" is neither the weight nor the bias/);
    refused({ ...good, 'c.weight': [1] }, /Tensors of 3 layers are given; the network has 2/);
    refused([1, 2], /tensors\[0\] must be \{ weight, bias \}/);
    refused(null, /a list of \{ weight, bias \}, or a record/);
    refused({ ...good, 'b.weight': [1, Number.NaN, 2] }, /"b\.weight"\[0, 1\] is NaN/, NonFiniteError);
    expect(() => toPyTorch(network, [1, 2])).toThrow(ShapeError);
    expect(() => toPyTorch({} as never, [1, 2])).toThrow(OptionError);
    expect(() => fromPyTorch({} as never, [])).toThrow(OptionError);
  });
});
