/**
 * What is computed of a loss: its gradient, and products with its curvature, as nodes of one graph.
 *
 *   gradient        ∇f = s·Σ ∂ℓ/∂θ
 *   Gauss–Newton    G·v = Jᵀ·H·(J·v),  H·u the derivative of ∂ℓ/∂outputs along u
 *   Hessian         ∇²f·v, the derivative of the gradient along v
 *
 * s is the number by which losses of samples are multiplied (1/n of a batch's mean).
 */
import { OptionError } from '../core/errors.js';
import { pullback, pushforward } from './differentiate.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import { scaled } from './primitives/sum.js';
import { spread } from './primitives/spread.js';
import type { Shape } from './shape.js';

/** A loss of every sample. */
export interface LossGraph {
  readonly graph: Graph;
  readonly parameters: readonly Node[];
  /** What the loss is a sum of. */
  readonly terms: readonly LossTerm[];
  /** Numbers per sample that add up to its loss. */
  readonly loss: Node;
}

/** A part of the loss, and what it is convex in: the Gauss–Newton matrix is JᵀHJ of these outputs. */
export interface LossTerm {
  readonly loss: Node;
  readonly output: Node;
}

/** The factor of all losses, one number. */
export const SCALE: Shape = { perSample: false, dims: [1] };

/** s at every number of a loss. */
export function lossSeed(graph: Graph, loss: Node): Node {
  return spread(graph, graph.leaf('scale', 0, SCALE), 'all', loss.shape);
}

/** The gradient in each of the parameters. Throws OptionError for one that the loss does not depend on. */
export function gradientNodes(of: LossGraph): Node[] {
  return usedGradients(of, pullback(of.graph, new Map([[of.loss, lossSeed(of.graph, of.loss)]]), of.parameters));
}

/** Directions of different uses are leaves of their own, so that each use can be a phase of a plan. */
export type DirectionUse = 'product' | 'tangent';
const USES: readonly DirectionUse[] = ['product', 'tangent'];

/** Vectors laid out like the parameters, one leaf each; their index is that of the parameters and of the use. */
export const directionNodes = ({ graph, parameters }: LossGraph, use: DirectionUse): Map<Node, Node> =>
  new Map(
    parameters.map((node, k) => [
      node,
      graph.leaf('direction', parameters.length * USES.indexOf(use) + k, node.shape, `direction of ${node.name}`),
    ]),
  );

/** Which parameter a direction belongs to, and to which use. */
export function directionOf(
  { parameters }: LossGraph,
  leaf: Node,
): { readonly parameter: number; readonly use: DirectionUse } {
  const index = leaf.attributes['index'] as number;
  return { parameter: index % parameters.length, use: USES[Math.floor(index / parameters.length)] };
}

/** G·v. */
export function gaussNewtonNodes(of: LossGraph): Node[] {
  const { graph, parameters } = of;
  const images = outputCurvature(of, outputTangents(of, 'product'));
  return usedGradients(of, pullback(graph, images, parameters));
}

/** ∇²f·v: one node for each parameter; zero where nothing depends on it. */
export function hessianNodes(of: LossGraph): Node[] {
  const directions = directionNodes(of, 'product');
  const products = pushforward(of.graph, gradientNodes(of), directions);
  // A zero that depends on the direction is computed in the phase of products, as the others are.
  return products.map((node, k) => node ?? scaled(of.graph, 0, directions.get(of.parameters[k])!));
}

/** J·v at each output. */
export function outputTangents({ graph, terms, ...of }: LossGraph, use: DirectionUse): Map<Node, Node> {
  const outputs = terms.map(({ output }) => output);
  const tangents = pushforward(graph, outputs, directionNodes({ graph, terms, ...of }, use));
  return new Map(outputs.flatMap((output, k) => (tangents[k] === null ? [] : [[output, tangents[k]]])));
}

/** H·u at each output, with the factor s: of each term's loss in its own output, whatever that depends on. */
export function outputCurvature({ graph, terms }: LossGraph, tangents: ReadonlyMap<Node, Node>): Map<Node, Node> {
  const images = new Map<Node, Node>();
  for (const { loss, output } of terms) {
    const tangent = tangents.get(output);
    const [slope] = pullback(graph, new Map([[loss, lossSeed(graph, loss)]]), [output]);
    if (tangent === undefined || slope === null) continue;
    const [image] = pushforward(graph, [slope], new Map([[output, tangent]]));
    if (image !== null) images.set(output, image);
  }
  return images;
}

/** Nodes that can be given places of their own: each once, none a leaf. */
export function ownNodes(graph: Graph, nodes: readonly Node[]): Node[] {
  const seen = new Set<Node>();
  return nodes.map((node, k) => {
    const free = node.op !== 'leaf' && node.op !== 'reshape' && !seen.has(node);
    seen.add(node);
    return free
      ? node
      : graph.within(`result ${k}`, () => graph.add('sum', [node], { coefficients: [1], result: k }, node.shape));
  });
}

/** The gradients of all parameters. Throws OptionError for one that the loss does not depend on. */
function usedGradients({ parameters }: LossGraph, gradients: readonly (Node | null)[]): Node[] {
  return gradients.map((node, k) => {
    if (node === null)
      throw new OptionError(
        `The loss does not depend on the parameters "${parameters[k].name}": leave out the layer, or use its output.`,
        { parameter: parameters[k].name },
      );
    return node;
  });
}
