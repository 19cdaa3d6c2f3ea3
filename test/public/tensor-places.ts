/**
 * Places of the index that take numbers of networks as tensors, and give them.
 */
import * as hmatrix from '#hmatrix/index.js';
import { fractions, network } from './fixtures.js';
import type { Place } from './data-number-places.js';

const parameters = (): Float64Array => fractions(network.parameters, 6);
const {
  dense,
  fromStateDict,
  graphNetwork,
  languageModel,
  sequenceScorer,
  startParameters,
  tokenInput,
  tokenLoss,
  toStateDict,
  trainedPart,
  transformer,
  vectorInput,
} = hmatrix.layers;
const graph = graphNetwork({ inputs: vectorInput(3), layers: dense(2), loss: 'mse' });
const shape = { features: 2, heads: 1, layers: 1 };
const writer = graphNetwork({
  inputs: tokenInput(2, 4),
  layers: languageModel({ words: 4, ...shape }),
  loss: tokenLoss(),
});
const translator = graphNetwork({
  inputs: [tokenInput(3, 4), tokenInput(2, 4)],
  layers: transformer({ sourceWords: 4, targetWords: 4, ...shape }),
  loss: tokenLoss(),
});
const scoresOf = (given: Parameters<typeof sequenceScorer>[0]) =>
  sequenceScorer(given)([Int32Array.of(1)], Int32Array.of(0));

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
  sequenceScorer: [
    {
      name: /parameters/,
      numbers: () => fractions(writer.parameters, 3),
      result: (numbers) => scoresOf({ network: writer, parameters: numbers }),
    },
    {
      name: /sources/,
      numbers: () => Int32Array.of(2, 3, 0),
      result: (sources) =>
        scoresOf({ network: translator, parameters: startParameters(translator, { precision: 'f64' }), sources }),
    },
  ],
  toStateDict: [
    {
      name: /parameters/,
      numbers: () => fractions(graph.parameters, 1),
      result: (numbers) => Object.values(toStateDict(graph, numbers)).flatMap(({ data }) => [...data]),
    },
  ],
  trainedPart: [
    {
      name: /parameters/,
      numbers: () => fractions(graph.parameters, 1),
      result: (parameters) => trainedPart({ network: graph, parameters }, () => true).parameters,
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
