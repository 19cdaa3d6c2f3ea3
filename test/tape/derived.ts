/** Cases with everything that derives from them: changes along directions, adjoints, and second derivatives. */
import type { RandomStream } from '#hmatrix/core/random.js';
import { pullback, pushforward } from '#hmatrix/tape/differentiate.js';
import type { Node } from '#hmatrix/tape/node.js';
import { scaled } from '#hmatrix/tape/primitives/sum.js';
import { numbersOf } from '#hmatrix/tape/shape.js';
import type { Case } from './cases.js';

/** A case with everything that derives from it, as nodes. */
export interface Derived extends Case {
  /** Along the leaves, and at the node. */
  readonly directions: readonly Node[];
  readonly others: readonly Node[];
  readonly seed: Node;
  readonly push: Node;
  readonly pulls: readonly Node[];
  /** The change of the pulls along `directions`, and along `others`. */
  readonly second: readonly Node[];
  readonly secondAlongOthers: readonly Node[];
}

/** The case's derivatives, at random directions and cotangents. */
export function derive(own: Case, random: RandomStream): Derived {
  const { graph, node, along, values, count } = own;
  const leaf = (like: Node, index: number): Node => {
    const made = graph.leaf('seed', index, like.shape);
    values.set(
      made,
      Float64Array.from({ length: numbersOf(like.shape, count) }, () => random.normal()),
    );
    return made;
  };
  const seed = leaf(node, 0);
  const directions = along.map((x, k) => leaf(x, 1 + 2 * k));
  const others = along.map((x, k) => leaf(x, 2 + 2 * k));
  const tangents = (of: readonly Node[]): Map<Node, Node> => new Map(along.map((x, k) => [x, of[k]]));
  const orZero = (nodes: readonly (Node | null)[], like: readonly Node[]): Node[] =>
    nodes.map((one, k) => one ?? scaled(graph, 0, like[k]));
  const [push] = orZero(pushforward(graph, [node], tangents(directions)), [node]);
  const pulls = orZero(pullback(graph, new Map([[node, seed]]), along), along);
  const second = orZero(pushforward(graph, pulls, tangents(directions)), along);
  const secondAlongOthers = orZero(pushforward(graph, pulls, tangents(others)), along);
  return { ...own, directions, others, seed, push, pulls, second, secondAlongOthers };
}
