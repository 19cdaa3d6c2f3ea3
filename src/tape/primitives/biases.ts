/**
 * The biases of a layer, the last row of its weights, and its place for their adjoint.
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { numbersEach, rowsOf } from '../shape.js';

/** The last row of a shared matrix as a vector. */
export const lastRow = (graph: Graph, w: Node): Node =>
  graph.add('lastRow', [w], {}, { perSample: false, dims: [w.shape.dims[1]] });

const intoLastRow = (graph: Graph, x: Node, w: Node): Node => graph.add('intoLastRow', [x], {}, w.shape);

/** The primitive. */
export const LAST_ROW: Primitive = {
  pushforward: (graph, _, [tangent]) => tangent && lastRow(graph, tangent),
  pullback: (graph, { inputs: [w] }, cotangent) => intoLastRow(graph, cotangent, w),
  run: (machine, node) => {
    const [w] = node.inputs;
    const rows = rowsOf(w.shape);
    const from = machine.array(w);
    const to = machine.array(node);
    for (let j = 0, at = rows - 1; j < rowsOf(node.shape); j++, at += rows) to[j] = from[at];
  },
};

/** The adjoint: zero but for the last row. */
export const INTO_LAST_ROW: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && intoLastRow(graph, tangent, node),
  pullback: (graph, _, cotangent) => lastRow(graph, cotangent),
  accumulates: true,
  run: (machine, node, beta) => {
    const [x] = node.inputs;
    const rows = rowsOf(node.shape);
    const from = machine.array(x);
    const to = machine.array(node);
    if (beta === 0) to.fill(0, 0, numbersEach(node.shape));
    for (let j = 0, at = rows - 1; j < rowsOf(x.shape); j++, at += rows) to[at] += from[j];
  },
};
