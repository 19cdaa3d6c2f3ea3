/**
 * The plan of a network's graph: the passes that are asked for as phases, and where parameters, directions and results
 * stand in vectors laid out like θ.
 */
import { pullback } from '../tape/differentiate.js';
import type { Node } from '../tape/node.js';
import { makePlan, planByRules, type Output, type Place, type Plan, type PlanRequest } from '../tape/plan/plan.js';
import {
  directionOf,
  drawnErrors,
  drawnProductNodes,
  gaussNewtonNodes,
  gradientNodes,
  gradientProductNodes,
  hessianNodes,
  outputCurvature,
  outputTangents,
  ownNodes,
  type DirectionUse,
  type DrawnErrors,
} from '../tape/programs.js';
import { recomputed } from '../tape/recompute.js';
import { numbersEach } from '../tape/shape.js';
import type { Mask, StatisticsUpdate } from './builder.js';
import { factorPairs, inputNumbers, type FactorPair } from './factor-pairs.js';
import type { NetworkGraph } from './graph-network.js';
import type { ParameterBlock } from './parameter-block.js';

/** Passes that are products with a curvature matrix. */
export type ProductPass =
  | 'gauss-newton'
  | 'hessian'
  /** Of gradients at the samples' own targets. */
  | 'empirical-fisher'
  /** Of gradients of errors that are drawn. */
  | 'monte-carlo-fisher';

/** Passes behind the first one, each with directions of its own. */
export type Pass =
  | ProductPass
  | 'tangent'
  /** Errors at the outputs taken back to the layers, for their factors. */
  | 'draw'
  /** As 'draw', and what they come to in every parameter, as the result. */
  | 'pullback';

/** What a plan is to compute. */
export interface NetworkPlanOptions {
  /** Whether the first phase gives the gradient, or the loss and outputs alone. */
  readonly gradient: boolean;
  readonly passes: readonly Pass[];
  readonly capacity: number;
  /** Errors of every sample that the pass 'monte-carlo-fisher' takes. Default 1. */
  readonly draws?: number | undefined;
}

/** A plan with what its phases give. It is structured-cloneable: steps come first, each behind its inputs. */
export interface NetworkPlan {
  readonly plan: Plan;
  /** The phase of each pass. */
  readonly phases: ReadonlyMap<Pass, number>;
  readonly inputs: readonly Node[];
  readonly targets: Node;
  readonly output: Node;
  readonly loss: Node;
  readonly masks: readonly Mask[];
  readonly updates: readonly StatisticsUpdate[];
  /** The leaf of the losses' factor, where there is one. */
  readonly scale: Node | null;
  /** J·v and H·J·v at each output, of the pass 'tangent'. */
  readonly tangents: readonly { readonly tangent: Node; readonly image: Node }[];
  /** Of the passes 'draw' and 'pullback': where errors are placed at the outputs, and what they come to. */
  readonly draw: DrawPlan | null;
  /** Of the pass 'monte-carlo-fisher': the leaves of each draw's errors, one a term of the loss. */
  readonly errors: readonly TermLeaves[];
  /** Numbers of the region of constants. */
  readonly constants: readonly { readonly at: number; readonly values: ArrayLike<number> }[];
}

/**
 * A leaf for every term of the loss, the network's own first (`drawnErrors`); null: nothing of the term is drawn, or no
 * parameter depends on it.
 */
export type TermLeaves = readonly (Node | null)[];

/** Errors at the outputs, taken back to the layers. */
export interface DrawPlan {
  /** Where they are placed. */
  readonly seeds: TermLeaves;
  readonly pairs: readonly FactorPair[];
  /** Gradients of blocks without factors. */
  readonly others: readonly { readonly layer: number; readonly gradient: Node }[];
}

/** Which directions a pass goes along. */
const USE: Partial<Record<Pass, DirectionUse>> = {
  'gauss-newton': 'product',
  hessian: 'product',
  'empirical-fisher': 'product',
  'monte-carlo-fisher': 'product',
  tangent: 'tangent',
};

/** The plan. At most one of the passes that are products may be asked for. */
export const planNetwork = (
  graph: NetworkGraph,
  blocks: readonly ParameterBlock[],
  options: NetworkPlanOptions,
): NetworkPlan => layOut(graph, blocks, options, makePlan)!;

/**
 * The plan of the gradient with the forward pass made again on the way back, in about so many segments; null where the
 * network has no places to cut. The bits are those of `planNetwork`.
 */
export const planInSegments = (
  graph: NetworkGraph,
  blocks: readonly ParameterBlock[],
  { capacity, segments }: Pick<NetworkPlanOptions, 'capacity'> & { readonly segments: number },
): NetworkPlan | null =>
  layOut(graph, blocks, { gradient: true, passes: [], capacity }, (request) => {
    const { sums } = planByRules(request)!;
    const [outputs] = request.phases;
    const there = outputs.filter(({ place }) => place === null);
    const back = outputs.filter(({ place }) => place !== null);
    const nodesOf = (some: readonly Output[]): Node[] => some.map(({ node }) => node);
    const made = recomputed({ forward: nodesOf(there), backward: nodesOf(back), sums, segments, capacity });
    if (made === null) return null;
    const { backward, originOf } = made;
    const phases = [[...there, ...back.map(({ place }, k) => ({ node: backward[k], place }))]];
    return planByRules({ ...request, phases, sums: { ...sums, originOf } })?.plan ?? null;
  });

/** The plan as `make` lays it out; null where that does. */
function layOut(
  graph: NetworkGraph,
  blocks: readonly ParameterBlock[],
  { gradient, passes, capacity, draws = 1 }: NetworkPlanOptions,
  make: (request: Omit<PlanRequest, 'sums'>) => Plan | null,
): NetworkPlan | null {
  const placeOf = (leaf: Node): number => blocks[leaf.attributes['index'] as number].offset;
  const results = (nodes: readonly Node[], region: Place['region'], of = graph.parameters): Output[] =>
    ownNodes(graph.graph, nodes).map((node, k) => ({
      node,
      place: { region, at: placeOf(of[k]) },
    }));
  const read = (nodes: readonly Node[]): Output[] => nodes.map((node) => ({ node, place: null }));
  const updates = graph.updates.flatMap(({ mean, reciprocalDeviation }) => [mean, reciprocalDeviation]);
  const first = [...read([graph.loss, graph.output, ...(gradient ? updates : [])])];
  if (gradient) first.push(...results(gradientNodes(graph), 'gradient'));
  const phases: Output[][] = [first];
  const phaseOf = new Map<Pass, number>();
  const tangents: { tangent: Node; image: Node }[] = [];
  let draw: DrawPlan | null = null;
  const sampled = Array.from({ length: passes.includes('monte-carlo-fisher') ? draws : 0 }, (_, k) =>
    drawnErrors(graph, 'error', k),
  );
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
    } else if (pass === 'draw' || pass === 'pullback') {
      const { along, gradients, ...own } = planDraw(graph);
      draw = own;
      const ofPairs = own.pairs.flatMap(({ input, error }) => [input, error]);
      phases.push(
        pass === 'pullback'
          ? [...read(ofPairs), ...results(gradients, 'result', along)]
          : read([...ofPairs, ...own.others.map((one) => one.gradient)]),
      );
    } else phases.push(results(productNodes(graph, pass, sampled), 'result'));
  }
  const constants: { at: number; values: ArrayLike<number> }[] = [];
  let at = 0;
  for (const { node, values } of graph.constants) {
    constants.push({ at, values });
    at += numbersEach(node.shape);
  }
  const needed = (draw?.pairs ?? []).map((pair) => inputNumbers(pair, capacity));
  const made = make({
    phases,
    capacity,
    phaseOf: (leaf) => {
      // Errors are drawn behind the first phase, of its outputs.
      if (leaf.attributes['kind'] === 'error') return phaseOf.get('monte-carlo-fisher')!;
      if (leaf.attributes['kind'] === 'seed') return phaseOf.get('pullback') ?? phaseOf.get('draw')!;
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
  if (made === null) return null;
  const plan = { ...made, scratch: Math.max(made.scratch, ...needed) };
  const { inputs, targets, output, loss, masks, updates: statistics } = graph;
  const planned = (leaves: TermLeaves): TermLeaves =>
    leaves.map((leaf) => (leaf !== null && plan.places.has(leaf.id) ? leaf : null));
  const scale = graph.graph.nodes.find(({ attributes }) => attributes['kind'] === 'scale') ?? null;
  return {
    plan,
    phases: phaseOf,
    inputs,
    targets,
    output,
    loss,
    masks,
    updates: statistics,
    scale: scale !== null && plan.places.has(scale.id) ? scale : null,
    tangents,
    draw: draw && { ...draw, seeds: planned(draw.seeds) },
    errors: sampled.map(({ leaves }) => planned(leaves)),
    constants,
  };
}

function productNodes(graph: NetworkGraph, pass: ProductPass, draws: readonly DrawnErrors[]): Node[] {
  switch (pass) {
    case 'gauss-newton':
      return gaussNewtonNodes(graph);
    case 'hessian':
      return hessianNodes(graph);
    case 'empirical-fisher':
      return gradientProductNodes(graph);
    case 'monte-carlo-fisher':
      return drawnProductNodes(graph, draws);
  }
}

/** Of the parameters that the outputs of the loss's terms depend on: `along`, and their gradients. */
function planDraw(of: NetworkGraph): DrawPlan & {
  readonly along: readonly Node[];
  readonly gradients: readonly Node[];
} {
  const { graph, parameters } = of;
  const { leaves, cotangents } = drawnErrors(of, 'seed');
  const pairs: FactorPair[] = [];
  const others: { layer: number; gradient: Node }[] = [];
  const along: Node[] = [];
  const gradients: Node[] = [];
  pullback(graph, cotangents, parameters).forEach((gradient, k) => {
    if (gradient === null) return;
    along.push(parameters[k]);
    gradients.push(gradient);
    const layer = parameters[k].attributes['index'] as number;
    const own = factorPairs(layer, gradient);
    if (own.length > 0) pairs.push(...own);
    else others.push({ layer, gradient });
  });
  return { seeds: leaves, pairs, others, along, gradients };
}

/** Numbers of the region of constants. */
export const constantNumbers = ({ constants }: NetworkPlan): number =>
  constants.reduce((total, { values }) => total + values.length, 0);
