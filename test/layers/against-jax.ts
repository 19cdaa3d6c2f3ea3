/** What a network computes, beside what jax-js makes of the same layers. */
import type { numpy as np } from '@jax-js/jax';
import { expect } from 'vitest';
import type { GraphNetwork } from '#hmatrix/layers/graph-network.js';
import { fromStateDict, toStateDict } from '#hmatrix/layers/state-dict.js';
import { computeByJax, crossEntropy, jaxArray, type Forward } from './jax.js';
import {
  compute,
  randomDirection,
  randomParameters,
  randomSamples,
  relativeDifference,
  type Samples,
} from './networks.js';

/** Samples of every case. */
export const COUNT = 3;

/** A network with the cross-entropy, and its layers in jax-js. */
export interface JaxCase {
  readonly network: GraphNetwork;
  readonly mode?: 'training' | 'evaluation';
  readonly forward: Forward;
}

/** Inputs and shares of classes as jax-js takes them. */
function jaxSamples(
  { inputKinds, training, loss }: GraphNetwork,
  { inputs, targets }: Samples,
): [np.Array[], np.Array] {
  const arrays = inputs.map((numbers, k) => {
    const { dims } = inputKinds[k].shape;
    const shape = inputKinds[k].vocabulary === null ? [dims[0], ...dims.slice(1).reverse()] : dims.slice(1);
    return jaxArray(numbers, [COUNT, ...shape]);
  });
  const [classes, ...positions] = training.output.shape.dims;
  const shares =
    typeof loss === 'string'
      ? targets
      : Array.from(targets).flatMap((id) => Array.from({ length: classes }, (_, k) => Number(k === id)));
  return [arrays, jaxArray(shares, [COUNT, ...positions, classes])];
}

/** Expects loss, output, gradient and, with `product`, Hessian product to differ by a share `tolerance` at most. */
export function expectLikeJax(
  { network, forward, mode = 'evaluation' }: JaxCase,
  { tolerance, product = true }: { readonly tolerance: number; readonly product?: boolean },
): void {
  const samples = randomSamples(network, COUNT, 1);
  // A query that sees no key at all has no slope here, and one of rounding there.
  for (const numbers of samples.inputs)
    for (let at = 0; at < numbers.length; at += numbers.length / COUNT) if (numbers[at] === 0) numbers[at] = 1;
  const [θ, direction] = [randomParameters(network, 2), randomDirection(network, 3)];
  const own = compute(network, θ, samples, { mode, direction });
  const [inputs, targets] = jaxSamples(network, samples);
  const state = toStateDict(network, θ);
  const model = { forward, lossOf: crossEntropy(targets, COUNT) };
  const given = computeByJax(model, inputs, state, product ? toStateDict(network, direction) : null);
  const ofJax = (tensors: Readonly<Record<string, Float32Array>>): Float64Array =>
    Float64Array.from(
      fromStateDict(
        network,
        Object.fromEntries(Object.entries(tensors).map(([key, data]) => [key, { shape: state[key].shape, data }])),
      ),
    ).fill(0, network.trained);
  expect(Math.abs(own.loss - given.loss)).toBeLessThanOrEqual(tolerance * given.loss);
  expect(relativeDifference(own.output, given.output)).toBeLessThanOrEqual(tolerance);
  expect(relativeDifference(own.gradient, ofJax(given.gradient))).toBeLessThanOrEqual(tolerance);
  if (product) expect(relativeDifference(own.product, ofJax(given.product))).toBeLessThanOrEqual(tolerance);
}
