/**
 * Places of the index that take numbers of networks as tensors, and give them.
 */
import * as hmatrix from '#hmatrix/index.js';
import { fractions, network } from './fixtures.js';
import type { Place } from './data-number-places.js';

const parameters = (): Float64Array => fractions(network.parameters, 6);
const { dense, fromStateDict, graphNetwork, toStateDict, vectorInput } = hmatrix.layers;
const graph = graphNetwork({ inputs: vectorInput(3), layers: dense(2), loss: 'mse' });

/** By the function. */
export const TENSOR_PLACES: Readonly<Record<string, readonly Place[]>> = {
  toPyTorch: [
    {
      name: /parameters/,
      numbers: parameters,
      result: (numbers) => hmatrix.networks.toPyTorch(network, numbers).flatMap(({ weight }) => [...weight.data]),
    },
  ],
  fromPyTorch: [
    {
      name: /tensors\[1\]\.weight/,
      numbers: () => fractions(8, 1),
      result: (weight) => {
        const layers = hmatrix.networks.toPyTorch(network, fractions(network.parameters, 2));
        return hmatrix.networks.fromPyTorch(network, [layers[0], { ...layers[1], weight }]);
      },
    },
    {
      name: /tensors\[0\]\.bias/,
      numbers: () => fractions(4, 1),
      result: (data) => {
        const layers = hmatrix.networks.toPyTorch(network, fractions(network.parameters, 2));
        return hmatrix.networks.fromPyTorch(network, [{ ...layers[0], bias: { shape: [4], data } }, layers[1]]);
      },
    },
  ],
  toStateDict: [
    {
      name: /parameters/,
      numbers: () => fractions(graph.parameters, 1),
      result: (numbers) => Object.values(toStateDict(graph, numbers)).flatMap(({ data }) => [...data]),
    },
  ],
  fromStateDict: [
    {
      name: /bias/,
      numbers: () => fractions(2, 1),
      result: (bias) => fromStateDict(graph, { weight: fractions(6, 2), bias }),
    },
    {
      name: /weight/,
      numbers: () => fractions(6, 1),
      result: (data) => fromStateDict(graph, { weight: { shape: [2, 3], data }, bias: fractions(2, 2) }),
    },
  ],
};
