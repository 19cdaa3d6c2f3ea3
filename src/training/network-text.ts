/**
 * What a network is, in a line: what checkpoints keep of it and compare.
 */
import { crc32 } from '../io/crc32.js';
import { checksumText } from '../io/container-layout.js';
import { isGraphNetwork } from '../layers/graph-model.js';
import type { GraphNetwork } from '../layers/graph-network.js';
import type { Node } from '../tape/node.js';
import type { AnyNetwork } from './prepare.js';

/** The nodes that some are made of, each before those that take it. */
function nodesOf(roots: readonly Node[]): readonly Node[] {
  const found = new Set<Node>();
  const pending = [...roots];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    pending.push(...node.inputs);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * The CRC-32 of what a network of layers computes in training and trains of θ: blocks of one shape may stand for other
 * heads of attention, other shares of dropout, or another part that is trained.
 */
function checksumOf({ layers, training }: GraphNetwork): number {
  const { loss, parameters, masks, updates, constants } = training;
  const nodes = nodesOf([loss, ...updates.flatMap(({ mean, reciprocalDeviation }) => [mean, reciprocalDeviation])]);
  const text = JSON.stringify([
    layers.map(({ name, width, outputs, offset }) => [name, width, outputs, offset]),
    parameters.map(({ id }) => id),
    nodes.map(({ id, op, inputs, attributes, shape }) => [id, op, inputs.map((input) => input.id), attributes, shape]),
    masks.map(({ node, share }) => [node.id, share]),
    updates.map(({ mean, reciprocalDeviation, ...how }) => [mean.id, reciprocalDeviation.id, how]),
    constants.map(({ node, values }) => [node.id, Array.from(values)]),
  ]);
  return crc32(new TextEncoder().encode(text));
}

/**
 * Of a perceptron widths, activations and biases, "784-100-10 tanh linear"; of a network of layers its first and last
 * block, its numbers, and a checksum of what it computes.
 */
export function networkText(network: AnyNetwork): string {
  if (isGraphNetwork(network)) {
    const { layers, parameters } = network;
    const checksum = checksumText(checksumOf(network));
    return `${layers[0].name} … ${layers.at(-1)!.name} of ${parameters} parameters (checksum ${checksum})`;
  }
  const { inputs, layers } = network;
  return (
    `${[inputs, ...layers.map(({ outputs }) => outputs)].join('-')} ` +
    layers.map(({ activation, bias }) => `${activation}${bias ? '' : ' (no bias)'}`).join(' ')
  );
}
