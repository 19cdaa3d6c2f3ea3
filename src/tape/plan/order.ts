/**
 * Which nodes are computed in which phase, in which order, and when each is used last.
 */
import { ancestorsOf } from '../differentiate.js';
import type { Node } from '../node.js';
import { primitiveOf } from '../primitives/table.js';
import type { PlanRequest } from './request.js';

/** Nodes in time. */
export interface Order {
  /** Nodes that are computed, phase by phase; of those that are computed together the first one. */
  readonly phases: readonly (readonly Node[])[];
  /** When a node is computed: the place of its step among all. Leaves: −1. */
  readonly time: ReadonlyMap<Node, number>;
  readonly phase: ReadonlyMap<Node, number>;
  /** Which nodes read a node, each as often as it does. */
  readonly readers: ReadonlyMap<Node, readonly Node[]>;
  /** Nodes that are computed by the step of another. */
  readonly together: ReadonlyMap<Node, readonly Node[]>;
  readonly outputs: ReadonlySet<Node>;
}

/** The order of a request. */
export function orderOf({ phases: outputs, phaseOf }: PlanRequest): Order {
  const nodes = ancestorsOf(outputs.flatMap((phase) => phase.map(({ node }) => node)));
  const phase = new Map<Node, number>();
  for (const node of nodes) {
    const own = node.op === 'leaf' ? phaseOf(node) : 0;
    phase.set(node, Math.max(own, ...node.inputs.map((input) => phase.get(input)!)));
  }
  const readers = new Map<Node, Node[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const input of node.inputs) readers.get(input)!.push(node);
  const together = new Map<Node, Node[]>();
  const leaders = new Map<string, Node>();
  const phases: Node[][] = outputs.map(() => []);
  const time = new Map<Node, number>();
  const leaderOf = new Map<Node, Node>();
  for (const node of nodes) {
    if (node.op === 'leaf') continue;
    const { together: keyOf } = primitiveOf(node);
    if (keyOf !== undefined) {
      const again = String(node.attributes['again'] ?? '');
      const key = `${node.op} ${again} ${node.inputs.map(({ id }) => id).join(' ')} ${keyOf(node)}`;
      const leader = leaders.get(key);
      if (leader !== undefined) {
        together.set(leader, [...(together.get(leader) ?? []), node]);
        leaderOf.set(node, leader);
        continue;
      }
      leaders.set(key, node);
    }
    phases[phase.get(node)!].push(node);
  }
  let step = 0;
  for (const node of phases.flat()) time.set(node, step++);
  for (const node of nodes)
    if (!time.has(node)) time.set(node, node.op === 'leaf' ? -1 : time.get(leaderOf.get(node)!)!);
  return {
    phases,
    time,
    phase,
    readers,
    together,
    outputs: new Set(outputs.flatMap((own) => own.map(({ node }) => node))),
  };
}
