/**
 * The order of sums whose bits do not depend on who made them. Leaves 0 … n − 1 are added in pairs, pairs in pairs, and
 * so on: a node has 2ᵏ leaves, the first at a multiple of 2ᵏ, and is the sum of its halves; what is left at the end is
 * added from the smallest node to the largest. (0 + 1) + (2 + 3), then + 4 of five leaves.
 *
 * Whoever has the leaves begin … end − 1 sums them to the largest nodes within (`nodesWithin`), at most 2 log₂ n of
 * them; the nodes of all are then added on (`additions`), and the sum is the one that a single one makes.
 */

/** Leaves first … first + count − 1; count is a power of two, first a multiple of it. */
export interface SumNode {
  readonly first: number;
  readonly count: number;
}

/** The largest nodes that the leaves begin … end − 1 are made of, in order. */
export function nodesWithin(begin: number, end: number): SumNode[] {
  const nodes: SumNode[] = [];
  for (let first = begin; first < end;) {
    let count = 1;
    while (first % (2 * count) === 0 && first + 2 * count <= end) count *= 2;
    nodes.push({ first, count });
    first += count;
  }
  return nodes;
}

/** Whether two nodes that follow each other are the halves of one. */
const areHalves = (left: SumNode, right: SumNode): boolean =>
  left.count === right.count && left.first % (2 * left.count) === 0;

/** What happens as nodes are added, one after the other. */
export interface NodeSums {
  /** Place `place` ← number k of the nodes. */
  readonly take: (k: number, place: number) => void;
  /** Place `to` ← place `to` + place `to + 1`. */
  readonly add: (to: number) => void;
}

/** Adds nodes that stand side by side from `nodes[0]` on, which begins a node of all of them: the sum is at place 0. */
export function sumNodes(nodes: readonly SumNode[], { take, add }: NodeSums): void {
  const open: SumNode[] = [];
  const join = (): void => {
    const { count } = open.pop()!;
    const left = open.pop()!;
    add(open.length);
    open.push({ first: left.first, count: left.count + count });
  };
  nodes.forEach((node, k) => {
    take(k, open.length);
    open.push(node);
    while (open.length > 1 && areHalves(open[open.length - 2], open[open.length - 1])) join();
  });
  while (open.length > 1) join();
}

/** The leaves of a node, as nodes. */
export const leavesOf = ({ first, count }: SumNode): SumNode[] =>
  Array.from({ length: count }, (_, k) => ({ first: first + k, count: 1 }));

/** Most places that a sum of `nodes` nodes uses. */
export const sumPlaces = (nodes: number): number => (nodes <= 1 ? 1 : Math.floor(Math.log2(nodes - 1)) + 2);

/**
 * The additions of nodes as `sumNodes` has them, in order, of nodes that stay where they are: number `to` ← number
 * `to` + number `from`. The sum is at number 0.
 */
export function additions(nodes: readonly SumNode[]): { readonly to: number; readonly from: number }[] {
  const made: { to: number; from: number }[] = [];
  const at: number[] = [];
  sumNodes(nodes, {
    take: (k, place) => (at[place] = k),
    add: (to) => made.push({ to: at[to], from: at[to + 1] }),
  });
  return made;
}

/** First leaf of a rank; that of the next one ends its leaves. Where ranks are more than leaves, some have none. */
export const rankFirst = (leaves: number, ranks: number, rank: number): number => Math.ceil((rank * leaves) / ranks);

/** Which of several ranks one is. */
export interface RankPlace {
  readonly rank: number;
  readonly ranks: number;
}

/** The largest nodes of a rank's leaves: of a single rank all of them as one, where their number is a power of two. */
export const nodesOfRank = (leaves: number, { rank, ranks }: RankPlace): SumNode[] =>
  nodesWithin(rankFirst(leaves, ranks, rank), rankFirst(leaves, ranks, rank + 1));

/** Most groups of a sum: more do not pay, as every one of them is added. */
export const MOST_GROUPS = 16;

/** Groups of `count` things, at least `least` in each: a power of two. */
export function groupsOf(count: number, least: number): number {
  let groups = 1;
  while (2 * groups <= MOST_GROUPS && count >= 2 * groups * least) groups *= 2;
  return groups;
}

/** A leaf within a node: where it is summed, and the additions that follow, place `to` ← it + the next. */
export interface LeafStep {
  readonly leaf: number;
  readonly place: number;
  readonly adds: readonly number[];
}

/** The leaves of a node, in order. */
export function leafSteps(node: SumNode): readonly LeafStep[] {
  const steps: { leaf: number; place: number; adds: number[] }[] = [];
  sumNodes(leavesOf(node), {
    take: (k, place) => steps.push({ leaf: node.first + k, place, adds: [] }),
    add: (to) => steps.at(-1)!.adds.push(to),
  });
  return steps;
}
