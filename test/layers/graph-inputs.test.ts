/** Inputs of networks of layers that no function made: what is wrong with them is said. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { dense } from '#hmatrix/layers/affine.js';
import { relu } from '#hmatrix/layers/compose.js';
import { graphNetwork, initialParameters, vectorInput } from '#hmatrix/layers/graph-network.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { train } from '#hmatrix/training/train.js';
import { randomMatrix } from '../support.js';

const shape = { perSample: true, dims: [3] };

describe('inputs made by hand', () => {
  it.each([
    [[], /one or a list of them, not an array of 0/],
    [3, /are what vectorInput, imageInput and tokenInput give, .* not 3/],
    [{ shape: 3 }, /Input 0 .* no shape of every sample's own: perSample is undefined/],
    [{ shape: null }, /perSample is undefined/],
    [{ shape: { perSample: true } }, /dimensions undefined/],
    [{ shape: { perSample: true, dims: [] } }, /dimensions \[\]: a list of whole numbers of at least 1/],
    [{ shape: { perSample: true, dims: [2, 0] } }, /dimensions \[2, 0\]/],
    [{ shape: { perSample: true, dims: 'x' } }, /dimensions the text "x"/],
    [{ shape, planar: 1, vocabulary: null }, /planar is 1/],
    [{ shape, planar: false, vocabulary: -2 }, /has the vocabulary -2/],
    [[vectorInput(3), { shape: { perSample: false, dims: [3] } }], /Input 1 .* perSample is the boolean false/],
  ])('are refused: %j', (inputs, message) => {
    const make = (): unknown => graphNetwork({ inputs: inputs as never, layers: dense(2), loss: 'mse' });
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });

  it('are taken where they are as the functions make them', () => {
    const inputs = { shape, planar: false, vocabulary: null };
    expect(graphNetwork({ inputs, layers: dense(2), loss: 'mse' }).parameters).toBe(8);
  });
});

it('a network without parameters is told that it has none, and not that they are frozen', async () => {
  const network = graphNetwork({ inputs: vectorInput(3), layers: relu, loss: 'mse' });
  const x = randomMatrix(3, 4, 1);
  const model = { network, parameters: initialParameters(network), data: memoryDataSet(x, x) };
  await expect(train(model, { epochs: 1 })).rejects.toThrow(/has no parameters that are trained/);
});
