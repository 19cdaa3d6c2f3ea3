/**
 * Functions of single numbers, with two derivatives: the activations, exp, and 1/√(x + ε).
 */
import type { ActivationKind } from '../../dense/vector-memory.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Machine, Primitive } from '../primitive.js';
import { numbersOf } from '../shape.js';
import { bilinear } from './bilinear.js';

/** Functions that the kernels do not have: f, f′ and f″ at x. */
const OTHERS: Readonly<Record<string, (x: number, order: number, epsilon: number) => number>> = {
  exp: (x) => Math.exp(x),
  reciprocalRoot: (x, order, epsilon) => {
    const root = 1 / Math.sqrt(x + epsilon);
    return order === 0 ? root : order === 1 ? -0.5 * root ** 3 : 0.75 * root ** 5;
  },
};

/** Functions by name. */
export type ElementwiseName = ActivationKind | 'exp' | 'reciprocalRoot';

/** f⁽ᵒʳᵈᵉʳ⁾(x) number by number. */
export function elementwise(
  graph: Graph,
  name: ElementwiseName,
  x: Node,
  { order = 0, epsilon = 0 }: { readonly order?: number; readonly epsilon?: number } = {},
): Node {
  if (name === 'linear' && order === 0) return x;
  return graph.add('elementwise', [x], { function: name, order, epsilon }, x.shape);
}

/** a∘b. Throws ShapeError unless both have one shape. */
export function multiply(graph: Graph, a: Node, b: Node): Node {
  graph.requireSame('multiply', [a, b]);
  return bilinear(graph, 'elementwise', { mode: 2 }, [a, b], a.shape);
}

/** Slopes that vanish or are one are not multiplied by. */
const STRAIGHT: ReadonlySet<string> = new Set(['relu', 'leakyRelu', 'linear']);

function alongSlope(graph: Graph, node: Node, x: Node): Node | null {
  const {
    function: name,
    order,
    epsilon,
  } = node.attributes as unknown as {
    readonly function: ElementwiseName;
    readonly order: number;
    readonly epsilon: number;
  };
  if (order >= 1 && STRAIGHT.has(name)) return null;
  if (order === 2) graph.fail('elementwise', `a third derivative of ${name} is asked for, and two are known.`);
  return multiply(graph, elementwise(graph, name, node.inputs[0], { order: order + 1, epsilon }), x);
}

/** The primitive. All orders of one function and input are computed at once. */
export const ELEMENTWISE_FUNCTION: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && alongSlope(graph, node, tangent),
  pullback: (graph, node, cotangent) => alongSlope(graph, node, cotangent),
  together: ({ attributes }) => `${String(attributes['function'])} ${String(attributes['epsilon'])}`,
  run: (machine, node, _, together) => {
    const { function: name, epsilon } = node.attributes as unknown as { function: string; epsilon: number };
    const nodes = [node, ...together];
    const of = (order: number): ReturnType<Machine['array']> | null => {
      const own = nodes.find(({ attributes }) => attributes['order'] === order);
      return own === undefined ? null : machine.array(own);
    };
    const n = numbersOf(node.shape, machine.count);
    const x = machine.array(node.inputs[0]);
    const other = OTHERS[name];
    if (other === undefined) {
      machine.vectors.activateTo(name as ActivationKind, n, x, of(0), of(1), of(2));
      return;
    }
    // The value last: it may stand where x does.
    for (const order of [2, 1, 0]) {
      const out = of(order);
      if (out !== null) for (let i = 0; i < n; i++) out[i] = other(x[i], order, epsilon);
    }
  },
};
