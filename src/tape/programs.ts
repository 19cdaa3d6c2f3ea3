/**
 * What is computed of a loss: its gradient, and products with its curvature, as nodes of one graph.
 *
 *   gradient        ∇f = s·Σ ∂ℓ/∂θ
 *   Gauss–Newton    G·v = Jᵀ·H·(J·v),  H·u the derivative of ∂ℓ/∂outputs along u
 *   Hessian         ∇²f·v, the derivative of the gradient along v
 *   gradients       s·Σ_i g_i·(g_iᵀv) of samples' gradients g_i: at their targets, or of drawn errors e, g_i = J_iᵀe
 *
 * s is the number by which losses of samples are multiplied (1/n of a batch's mean).
 */
import { OptionError } from '../core/errors.js';
import { pullback, pushforward } from './differentiate.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import { multiply } from './primitives/elementwise.js';
import { columnDots, scaleColumns } from './primitives/softmax.js';
import { scaled, sum, sumOf } from './primitives/sum.js';
import { gather, sourceShape, spread } from './primitives/spread.js';
import { positionsOf, type Shape } from './shape.js';

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
  /**
   * Of a term that is a sum over its output's numbers: r of the output's shape, diag(r²) its Hessian in the output.
   * Absent: of the network's own loss, or of one that does not tell.
   */
  readonly root?: Node | undefined;
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
    const known = images.get(output);
    if (image !== null) images.set(output, known === undefined ? image : sum(graph, [known, image]));
  }
  return images;
}

/** Leaves for what is drawn at the outputs, one a term, and the cotangents that they make. */
export interface DrawnErrors {
  /**
   * Of the first term, the network's own loss, the errors themselves; of a term with a root the vector ξ that the root
   * multiplies; null of a term that does not tell its root: it has no errors.
   */
  readonly leaves: readonly (Node | null)[];
  readonly cotangents: ReadonlyMap<Node, Node>;
}

/** Errors that a caller draws: as seeds of a phase of their own, or once a batch, `draw` telling sets of them apart. */
export function drawnErrors({ graph, terms }: LossGraph, kind: 'seed' | 'error', draw = 0): DrawnErrors {
  const cotangents = new Map<Node, Node>();
  const leaves = terms.map(({ output, root }, k) => {
    if (k > 0 && root === undefined) return null;
    const leaf = graph.leaf(kind, draw * terms.length + k, output.shape);
    const own = root === undefined ? leaf : multiply(graph, root, leaf);
    const known = cotangents.get(output);
    cotangents.set(output, known === undefined ? own : sum(graph, [known, own]));
    return leaf;
  });
  return { leaves, cotangents };
}

/** s·Σ_i g_i·(g_iᵀv) with g_i the gradient of sample i's loss at its targets. */
export function gradientProductNodes(of: LossGraph): Node[] {
  const { graph, loss, parameters } = of;
  const [slope] = pushforward(graph, [loss], directionNodes(of, 'product'));
  const seeds = new Map<Node, Node>();
  if (slope !== null) seeds.set(loss, overPositions(graph, weighed(graph, perSample(graph, slope)), loss.shape));
  return usedGradients(of, pullback(graph, seeds, parameters));
}

/** (s/m)·Σ_i Σ_t g_it·(g_itᵀv) with g_it = J_iᵀe_it of `draws` m errors e_it a sample. */
export function drawnProductNodes(of: LossGraph, draws: readonly DrawnErrors[]): Node[] {
  const { graph, parameters } = of;
  const tangents = outputTangents(of, 'product');
  const parts = new Map<Node, Node[]>();
  for (const { cotangents } of draws) {
    const slopes = [...cotangents].map(([output, error]) => {
      const tangent = tangents.get(output);
      return tangent === undefined ? null : perSample(graph, columnDots(graph, error, tangent));
    });
    const slope = sumOf(
      graph,
      slopes,
      slopes.map(() => 1 / draws.length),
    );
    if (slope === null) continue;
    const weight = weighed(graph, slope);
    for (const [output, error] of cotangents) {
      const part = scaleColumns(graph, overPositions(graph, weight, sourceShape(error.shape, 'rows')), error);
      parts.set(output, [...(parts.get(output) ?? []), part]);
    }
  }
  const seeds = new Map([...parts].map(([output, own]) => [output, sum(graph, own)]));
  return usedGradients(of, pullback(graph, seeds, parameters));
}

/** Numbers of every position, added up. */
const perSample = (graph: Graph, x: Node): Node => (positionsOf(x.shape) === 1 ? x : gather(graph, x, 'positions'));

/** A number of every sample at all positions of `shape`. */
const overPositions = (graph: Graph, x: Node, shape: Shape): Node =>
  positionsOf(shape) === 1 ? x : spread(graph, x, 'positions', shape);

/** s·x. */
const weighed = (graph: Graph, x: Node): Node => multiply(graph, lossSeed(graph, x), x);

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
