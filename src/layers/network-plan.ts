/**
 * The plan of a network's graph: the passes that are asked for as phases, and where parameters, directions and results
 * stand in vectors laid out like θ.
 */
import type { Node } from '../tape/node.js';
import { makePlan, type Output, type Place, type Plan } from '../tape/plan/plan.js';
import {
  directionNodes,
  directionOf,
  gaussNewtonNodes,
  gradientNodes,
  hessianNodes,
  outputCurvature,
  outputTangents,
  ownNodes,
  type DirectionUse,
} from '../tape/programs.js';
import { numbersEach } from '../tape/shape.js';
import type { NetworkGraph } from './graph-network.js';
import type { ParameterBlock } from './parameter-block.js';

/** Passes behind the first one, each with directions of its own. */
export type Pass = 'gauss-newton' | 'hessian' | 'tangent';

/** What a plan is to compute. */
export interface NetworkPlanOptions {
  /** Whether the first phase gives the gradient, or the loss and outputs alone. */
  readonly gradient: boolean;
  readonly passes: readonly Pass[];
  readonly capacity: number;
}

/** A plan with what its phases give. */
export interface NetworkPlan {
  readonly plan: Plan;
  /** The phase of each pass. */
  readonly phases: ReadonlyMap<Pass, number>;
  readonly graph: NetworkGraph;
  /** J·v and H·J·v at each output, of the pass 'tangent'. */
  readonly tangents: readonly { readonly tangent: Node; readonly image: Node }[];
  /** Numbers of the region of constants. */
  readonly constants: readonly { readonly at: number; readonly values: ArrayLike<number> }[];
}

const USE: Readonly<Record<Pass, DirectionUse>> = { 'gauss-newton': 'product', hessian: 'product', tangent: 'tangent' };

/** The plan. At most one of the passes 'gauss-newton' and 'hessian' may be asked for. */
export function planNetwork(
  graph: NetworkGraph,
  blocks: readonly ParameterBlock[],
  { gradient, passes, capacity }: NetworkPlanOptions,
): NetworkPlan {
  const placeOf = (leaf: Node): number => blocks[leaf.attributes['index'] as number].offset;
  const results = (nodes: readonly Node[], region: Place['region']): Output[] =>
    ownNodes(graph.graph, nodes).map((node, k) => ({
      node,
      place: { region, at: placeOf(graph.parameters[k]) },
    }));
  const read = (nodes: readonly Node[]): Output[] => nodes.map((node) => ({ node, place: null }));
  const updates = graph.updates.flatMap(({ mean, reciprocalDeviation }) => [mean, reciprocalDeviation]);
  const first = [...read([graph.loss, graph.output, ...(gradient ? updates : [])])];
  if (gradient) first.push(...results(gradientNodes(graph), 'gradient'));
  const phases: Output[][] = [first];
  const phaseOf = new Map<Pass, number>();
  const tangents: { tangent: Node; image: Node }[] = [];
  for (const pass of passes) {
    phaseOf.set(pass, phases.length);
    if (pass === 'tangent') {
      const along = outputTangents(graph, 'tangent');
      const images = outputCurvature(graph, along);
      for (const [output, tangent] of along) {
        const image = images.get(output);
        if (image !== undefined) tangents.push({ tangent, image });
      }
      phases.push(read(tangents.flatMap(({ tangent, image }) => [tangent, image])));
    } else phases.push(results(pass === 'hessian' ? hessianNodes(graph) : gaussNewtonNodes(graph), 'result'));
  }
  const constants: { at: number; values: ArrayLike<number> }[] = [];
  let at = 0;
  for (const { node, values } of graph.constants) {
    constants.push({ at, values });
    at += numbersEach(node.shape);
  }
  for (const pass of passes) directionNodes(graph, USE[pass]);
  const plan = makePlan({
    phases,
    capacity,
    phaseOf: (leaf) => {
      if (leaf.attributes['kind'] !== 'direction') return 0;
      const { use } = directionOf(graph, leaf);
      return phaseOf.get(passes.find((pass) => USE[pass] === use)!)!;
    },
    leafPlace: (leaf) => {
      const index = leaf.attributes['index'] as number;
      switch (leaf.attributes['kind']) {
        case 'parameter':
          return { region: 'parameters', at: placeOf(leaf) };
        case 'direction':
          return { region: 'direction', at: placeOf(graph.parameters[directionOf(graph, leaf).parameter]) };
        case 'constant':
          return { region: 'constants', at: constants[index].at };
        default:
          return null;
      }
    },
  });
  return { plan, phases: phaseOf, graph, tangents, constants };
}

/** Numbers of the region of constants. */
export const constantNumbers = ({ constants }: NetworkPlan): number =>
  constants.reduce((total, { values }) => total + values.length, 0);
