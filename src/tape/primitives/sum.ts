/**
 * y = Σ_k c_k·x_k. Where a term has no other use and its primitive can add to its output, the plan lets it write into
 * the sum at once (plan/); what is left of the node then is what stands here.
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { numbersOf } from '../shape.js';

/** Σ_k coefficients_k·nodes_k, all of one shape; coefficients default to ones. Throws ShapeError. */
export function sum(graph: Graph, nodes: readonly Node[], coefficients = nodes.map(() => 1)): Node {
  if (nodes.length === 1 && coefficients[0] === 1) return nodes[0];
  graph.requireSame('sum', nodes);
  return graph.add('sum', nodes, { coefficients }, nodes[0].shape);
}

/** The sum of those that there are; null where there is none. */
export function sumOf(graph: Graph, nodes: readonly (Node | null)[], coefficients = nodes.map(() => 1)): Node | null {
  const kept = nodes.flatMap((node, k) => (node === null ? [] : [{ node, coefficient: coefficients[k] }]));
  if (kept.length === 0) return null;
  return sum(
    graph,
    kept.map(({ node }) => node),
    kept.map(({ coefficient }) => coefficient),
  );
}

/** α·x. */
export const scaled = (graph: Graph, alpha: number, x: Node): Node => sum(graph, [x], [alpha]);

/** The coefficients of a sum. */
export const coefficientsOf = ({ attributes }: Node): readonly number[] => attributes['coefficients'] as number[];

/** The primitive. */
export const SUM: Primitive = {
  pushforward: (graph, node, tangents) => sumOf(graph, tangents, [...coefficientsOf(node)]),
  pullback: (graph, node, cotangent, k) => scaled(graph, coefficientsOf(node)[k], cotangent),
  accumulates: true,
  run: (machine, node, beta) => {
    const n = numbersOf(node.shape, machine.count);
    const y = machine.array(node);
    coefficientsOf(node).forEach((c, k) => {
      machine.vectors.combine(n, c, machine.array(node.inputs[k]), k === 0 ? beta : 1, y);
    });
  },
};
