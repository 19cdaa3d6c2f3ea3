/**
 * A network of which a part is trained: the other blocks stay as they are. Its curvature is the block of the whole
 * network's that belongs to the part, and passes stop where no trained block is left behind.
 */
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import { OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';
import { requireCount, type GivenGraph } from './graph-model.js';
import { requireGraphNetwork, type GraphNetwork, type NetworkGraph } from './graph-network.js';
import type { ParameterBlock } from './parameter-block.js';

/** Whether a block is trained, by its name: "layer3.2.conv2.weight". */
export type ChooseBlock = (name: string) => boolean;

/** A network of which a part is trained, with its θ. */
export interface TrainedPart {
  readonly network: GraphNetwork;
  readonly parameters: FloatArray;
}

/** Whether the block of that name is chosen. Throws OptionError for an answer that is neither true nor false. */
function isChosen(isTrained: ChooseBlock, name: string): boolean {
  const answer: unknown = isTrained(name);
  if (typeof answer === 'boolean') return answer;
  throw new OptionError(
    `isTrained of trainedPart says true or false of a block, not ${describe(answer)} of ${JSON.stringify(name)}.`,
    { option: 'isTrained' },
  );
}

/**
 * The network with θ of which the blocks that `isTrained` chooses are trained, in their order at the beginning of θ;
 * all others stand behind them, as statistics do. Whatever takes networks of layers takes it: `gaussNewton` is of those
 * blocks alone, `train` changes no others (batch norm's statistics but for frozen ones). A part is made of those that
 * the network trains: of a part a smaller one. Throws OptionError where none of them is chosen, ShapeError.
 *
 * ```js
 * const last = trainedPart({ network, parameters }, (name) => /^(layer3\.2|linear)\./.test(name));
 * const hessian = gaussNewton({ ...last, data });
 * ```
 */
export function trainedPart({ network, parameters: given }: GivenGraph, isTrained: ChooseBlock): TrainedPart {
  requireGraphNetwork(network, 'trainedPart', 'layers of perceptrons are frozen by the groups of train');
  requireRole(isTrained, 'function', 'isTrained of trainedPart');
  const θ = requireCount(network, asFloats(given, 'parameters'));
  const chosen = network.layers.map(({ name, offset }) => offset < network.trained && isChosen(isTrained, name));
  if (!chosen.includes(true)) {
    const names = network.layers.filter(({ offset }) => offset < network.trained).map(({ name }) => name);
    throw new OptionError(
      `None of the blocks that the network trains was chosen: their names are ${names.join(', ')}.`,
      { option: 'isTrained' },
    );
  }
  const parameters = floats(θ.length, precisionOf(θ));
  const layers: ParameterBlock[] = [];
  let offset = 0;
  const inOrder = network.layers.map((block, k) => ({ block, k })).sort((a, b) => a.block.offset - b.block.offset);
  for (const first of [true, false])
    for (const { block, k } of inOrder) {
      if (chosen[k] !== first) continue;
      const numbers = block.width * block.outputs;
      parameters.set(θ.subarray(block.offset, block.offset + numbers), offset);
      layers[k] = { ...block, offset };
      offset += numbers;
    }
  const part = (graph: NetworkGraph): NetworkGraph => ({
    ...graph,
    parameters: graph.parameters.filter(({ attributes }) => chosen[attributes['index'] as number]),
  });
  const own: GraphNetwork = {
    ...network,
    layers,
    trained: layers.reduce((total, { width, outputs }, k) => total + (chosen[k] ? width * outputs : 0), 0),
    training: part(network.training),
    evaluation: part(network.evaluation),
  };
  return { network: own, parameters };
}
