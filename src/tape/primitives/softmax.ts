/**
 * Softmax and log-sum-exp of columns.
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { columnsOf, rowsOf } from '../shape.js';
import { bilinear } from './bilinear.js';
import { multiply } from './elementwise.js';
import { sourceShape } from './spread.js';
import { sum } from './sum.js';

/** p with p_ij = e^{x_ij}/Σ_k e^{x_kj}. */
export const softmax = (graph: Graph, x: Node): Node => graph.add('softmax', [x], {}, x.shape);

/** log Σ_k e^{x_kj}: 1 × columns. */
export const logSumExp = (graph: Graph, x: Node): Node => graph.add('logSumExp', [x], {}, sourceShape(x.shape, 'rows'));

/** Σ_i x_ij·y_ij: 1 × columns. */
export const columnDots = (graph: Graph, x: Node, y: Node): Node =>
  bilinear(graph, 'columns', { mode: 0 }, [x, y], sourceShape(x.shape, 'rows'));

/** s_j·x_ij. */
export const scaleColumns = (graph: Graph, s: Node, x: Node): Node =>
  bilinear(graph, 'columns', { mode: 2 }, [s, x], x.shape);

/** p∘v − p(pᵀv) column by column: the derivative of softmax, which is its own adjoint. */
function alongSoftmax(graph: Graph, p: Node, v: Node): Node {
  return sum(graph, [multiply(graph, p, v), scaleColumns(graph, columnDots(graph, p, v), p)], [1, -1]);
}

/** The primitive. */
export const SOFTMAX: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && alongSoftmax(graph, node, tangent),
  pullback: (graph, node, cotangent) => alongSoftmax(graph, node, cotangent),
  inPlace: 0,
  run: (machine, node) => {
    const [x] = node.inputs;
    const [rows, cols] = [rowsOf(node.shape), columnsOf(node.shape, machine.count)];
    machine.tensors.softmax(rows, cols, machine.array(x), machine.array(node));
  },
};

/** The primitive; its derivative is softmax. */
export const LOG_SUM_EXP: Primitive = {
  pushforward: (graph, { inputs: [x] }, [tangent]) => tangent && columnDots(graph, softmax(graph, x), tangent),
  pullback: (graph, { inputs: [x] }, cotangent) => scaleColumns(graph, cotangent, softmax(graph, x)),
  run: (machine, node) => {
    const [x] = node.inputs;
    const [rows, cols] = [rowsOf(x.shape), columnsOf(x.shape, machine.count)];
    machine.tensors.logSumExp(rows, cols, machine.array(x), machine.array(node));
  },
};
