/**
 * Bilinear primitives: the derivative of a trilinear form along one operand (forms/form.ts). Products, their
 * derivatives, and the derivatives of those are all of this kind.
 */
import { CONVOLUTION } from '../forms/convolution.js';
import { DENSE } from '../forms/dense.js';
import { DEPTHWISE } from '../forms/depthwise.js';
import { formAttributes, type Form, type FormUse, type Mode, type Operands } from '../forms/form.js';
import { HEADS } from '../forms/heads.js';
import { COLUMNS, ELEMENTWISE, ROWS } from '../forms/products.js';
import type { Graph } from '../graph.js';
import type { Attributes, Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import type { Shape } from '../shape.js';
import { sumOf } from './sum.js';

const FORMS = {
  dense: DENSE,
  convolution: CONVOLUTION,
  depthwise: DEPTHWISE,
  heads: HEADS,
  elementwise: ELEMENTWISE,
  rows: ROWS,
  columns: COLUMNS,
} as const satisfies Record<string, Form>;

/** Names of the forms. */
export type FormName = keyof typeof FORMS;

/** ∂T/∂operand[mode], from the other operands in their order. */
export function bilinear(
  graph: Graph,
  form: FormName,
  { mode, settings = {} }: { readonly mode: Mode; readonly settings?: Attributes },
  [a, b]: readonly [Node, Node],
  shape: Shape,
): Node {
  return graph.add('bilinear', [a, b], formAttributes(form, mode, settings), shape);
}

/** The form of a node. */
export const formOf = ({ attributes }: Node): FormName => attributes['form'] as FormName;

/** Which operand a node gives. */
export const modeOf = ({ attributes }: Node): Mode => attributes['mode'] as Mode;

/** The form's operands, the node itself as the one that it gives. */
export function operandsOf(node: Node): Operands {
  const [a, b] = node.inputs;
  const mode = modeOf(node);
  return mode === 0 ? [node, a, b] : mode === 1 ? [a, node, b] : [a, b, node];
}

const useOf = (node: Node): FormUse => ({ node, operands: operandsOf(node), mode: modeOf(node) });

/** Places of the inputs among the operands. */
const PLACES: Readonly<Record<Mode, readonly [Mode, Mode]>> = { 0: [1, 2], 1: [0, 2], 2: [0, 1] };

/** The node's form with another operand given. */
function again(graph: Graph, node: Node, mode: Mode, operands: Operands): Node {
  const inputs = operands.filter((_, k) => k !== mode) as unknown as readonly [Node, Node];
  return graph.add('bilinear', inputs, { ...node.attributes, mode }, operands[mode].shape);
}

/** The primitive. */
export const BILINEAR: Primitive = {
  pushforward: (graph, node, tangents) => {
    const [a, b] = node.inputs;
    const part = (x: Node | null, y: Node | null): Node | null =>
      x === null || y === null ? null : graph.add('bilinear', [x, y], node.attributes, node.shape);
    return sumOf(graph, [part(tangents[0], b), part(a, tangents[1])]);
  },
  pullback: (graph, node, cotangent, k) => {
    const mode = PLACES[modeOf(node)][k];
    const operands = operandsOf(node).map((operand) => (operand === node ? cotangent : operand));
    return again(graph, node, mode, operands as unknown as Operands);
  },
  accumulates: true,
  run: (machine, node, beta) => {
    FORMS[formOf(node)].run(machine, useOf(node), beta);
  },
  scratch: (node, samples) => {
    const form: Form = FORMS[formOf(node)];
    return form.scratch?.(useOf(node), samples) ?? 0;
  },
  flops: (node, samples) => FORMS[formOf(node)].flops(useOf(node), samples),
};
