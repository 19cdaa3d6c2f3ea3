/**
 * Derivatives of a graph as further nodes of it, by the rules of its primitives: forward along a direction, and back
 * from cotangents. A gradient is again a graph of the same primitives, so that its derivative along a direction,
 * Pearlmutter's product with the Hessian, needs no further rule (B. A. Pearlmutter, *Fast exact multiplication by the
 * Hessian*, Neural Computation 6, 1994).
 */
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import { primitiveOf } from './primitives/table.js';
import { sumOf } from './primitives/sum.js';

/** What the outputs depend on, and they themselves, in an order in which they can be computed. */
export function ancestorsOf(outputs: readonly Node[], stop: ReadonlySet<Node> = new Set()): Node[] {
  const found = new Set<Node>();
  const waiting = [...outputs];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    if (!stop.has(node)) waiting.push(...node.inputs);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** Changes of the outputs where the nodes of `tangents` change by theirs; null where an output does not. */
export function pushforward(
  graph: Graph,
  outputs: readonly Node[],
  tangents: ReadonlyMap<Node, Node>,
): (Node | null)[] {
  const known = new Map<Node, Node | null>(tangents);
  for (const node of ancestorsOf(outputs, new Set(tangents.keys()))) {
    if (known.has(node)) continue;
    const own = node.inputs.map((input) => known.get(input) ?? null);
    const none = own.every((tangent) => tangent === null);
    known.set(node, none ? null : graph.within(`${node.name}′`, () => primitiveOf(node).pushforward(graph, node, own)));
  }
  return outputs.map((output) => known.get(output) ?? null);
}

/**
 * Σ over outputs of (∂output/∂x)ᵀ·cotangent for each x of `along`; null where no output depends on it. Throws
 * ShapeError where a primitive on the way has no adjoint.
 */
export function pullback(graph: Graph, cotangents: ReadonlyMap<Node, Node>, along: readonly Node[]): (Node | null)[] {
  const stop = new Set(along);
  const order = ancestorsOf([...cotangents.keys()]);
  const depends = new Set<Node>();
  for (const node of order) if (stop.has(node) || node.inputs.some((input) => depends.has(input))) depends.add(node);
  const parts = new Map<Node, Node[]>([...cotangents].map(([node, cotangent]) => [node, [cotangent]]));
  const totals = new Map<Node, Node | null>();
  for (const node of order.reverse()) {
    if (!depends.has(node)) continue;
    const total = graph.within(`${node.name}*`, () => sumOf(graph, parts.get(node) ?? []));
    totals.set(node, total);
    if (total === null) continue;
    node.inputs.forEach((input, k) => {
      if (!depends.has(input)) return;
      const part = graph.within(`${node.name}*`, () => adjoint(graph, node, total, k));
      if (part === null) return;
      const known = parts.get(input);
      if (known === undefined) parts.set(input, [part]);
      else known.push(part);
    });
  }
  return along.map((node) => totals.get(node) ?? null);
}

function adjoint(graph: Graph, node: Node, cotangent: Node, k: number): Node | null {
  const rule = primitiveOf(node).pullback;
  if (rule === undefined) graph.fail(node.op, 'it has no derivative.');
  return rule(graph, node, cotangent, k);
}
