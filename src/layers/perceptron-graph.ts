/**
 * A perceptron as a network of layers, with the same parameters in the same places.
 */
import type { LossName } from '../network/losses/table.js';
import type { Network } from '../network/network.js';
import { dense } from './affine.js';
import { activation, sequential } from './compose.js';
import { graphNetwork, vectorInput, type GraphNetwork } from './graph-network.js';

/** The network of layers that computes what the perceptron does. */
export function perceptronGraph({ layers, inputs }: Network, loss: LossName): GraphNetwork {
  const parts = layers.flatMap(({ outputs, bias, activation: name }) => [dense(outputs, { bias }), activation(name)]);
  return graphNetwork({ inputs: vectorInput(inputs), layers: sequential(...parts), loss });
}
