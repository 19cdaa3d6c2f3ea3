/**
 * Forward passes that are made again in parts while gradients go back, so that less is kept: of a graph whose nodes
 * are `forward` and what reads them, the forward nodes are cut into segments. What one segment hands to a later one is
 * kept, and so is what is small; everything else is over with its segment, and made again, from what was kept, when
 * the first reader on the way back asks for a node of it (T. Chen, B. Xu, C. Zhang, C. Guestrin, *Training deep nets
 * with sublinear memory cost*, arXiv 1604.06174). With √n segments of n layers memory grows as √n; the forward pass is
 * made once more.
 *
 * What is made again is a copy of the node: the same primitive on the same numbers. That sums come to the same bits,
 * they are added up as in the graph as it was (plan/sum-rules.ts).
 */
import { ancestorsOf } from './differentiate.js';
import type { Node } from './node.js';
import type { SumChoices } from './plan/sum-rules.js';
import { numbersOf } from './shape.js';

/** What is made again. */
export interface RecomputeRequest {
  /** What is computed on the way there. */
  readonly forward: readonly Node[];
  /** What is computed on the way back. */
  readonly backward: readonly Node[];
  /** How sums of the graph as it was are added up. */
  readonly sums: SumChoices;
  /** About how many segments. */
  readonly segments: number;
  /** Samples of a batch. */
  readonly capacity: number;
}

/** The way back with its copies; null where there is no place to cut. */
export interface Recomputed {
  /** In the place of `backward`. */
  readonly backward: readonly Node[];
  /** What a copy is of. */
  readonly originOf: (node: Node) => Node;
}

/** Segments end within this share of their even length, where least is handed over. */
const SLACK = 0.3;
/** Nodes of this share of the largest are kept: copies of them would save little. */
const SMALL = 1 / 64;
/** Segments of which copies are held at a time: a reader at the end of one may read the next one, too. */
const HELD = 2;

/** Cuts the forward nodes, and makes the copies. Nothing of the graph is changed. */
export function recomputed(request: RecomputeRequest): Recomputed | null {
  const segments = segmentsOf(request);
  return segments === null ? null : new Copies(request, segments).make();
}

/** Forward nodes with the numbers of their segments. */
interface Segments {
  readonly of: ReadonlyMap<Node, number>;
  /**
   * What stays from its first writing to its last reading, and what is read then: the node, or, where a sum takes its
   * memory over, a copy of it.
   */
  readonly kept: ReadonlyMap<Node, Node>;
  readonly last: number;
}

const isComputed = ({ op }: Node): boolean => op !== 'leaf';

/** Cuts where least is handed over; null where there is none. */
function segmentsOf({ forward, sums, segments, capacity }: RecomputeRequest): Segments | null {
  const taken = new Set(sums.base.values());
  const nodes = ancestorsOf(forward).filter(isComputed);
  const size = (node: Node): number => numbersOf(node.shape, capacity);
  const last = new Map<Node, number>();
  nodes.forEach((node, k) => {
    for (const input of node.inputs) last.set(input, k);
  });
  const cuts = cutsOf(nodes, { last, size, mayBeHanded: (node) => !sums.into.has(node), segments });
  if (cuts.length === 0) return null;
  const of = new Map<Node, number>();
  let segment = 0;
  nodes.forEach((node, k) => {
    of.set(node, segment);
    if (k === cuts[segment]) segment++;
  });
  const least = SMALL * nodes.reduce((most, node) => Math.max(most, size(node)), 0);
  const isKept = (node: Node): boolean => {
    const reader = last.get(node);
    const isHanded = reader !== undefined && of.get(nodes[reader])! > of.get(node)!;
    return isHanded || (size(node) <= least && !sums.into.has(node) && !taken.has(node));
  };
  const kept = nodes.filter(isKept).map((node) => [node, taken.has(node) ? duplicateOf(node) : node] as const);
  return { of, kept: new Map(kept), last: segment };
}

/** The same numbers in other memory, written right after the node. */
const duplicateOf = (node: Node): Node => ({
  ...node,
  id: node.id + 0.5,
  op: 'sum',
  inputs: [node],
  attributes: { coefficients: [1] },
});

/** Behind which nodes segments end. */
function cutsOf(
  nodes: readonly Node[],
  {
    last,
    size,
    mayBeHanded,
    segments,
  }: {
    readonly last: ReadonlyMap<Node, number>;
    readonly size: (node: Node) => number;
    readonly mayBeHanded: (node: Node) => boolean;
    readonly segments: number;
  },
): number[] {
  const share = nodes.reduce((total, node) => total + size(node), 0) / segments;
  const cuts: number[] = [];
  let open: Node[] = [];
  let length = 0;
  let best: { readonly at: number; readonly handed: number; readonly length: number } | null = null;
  nodes.forEach((node, k) => {
    length += size(node);
    open = [...open, node].filter((one) => (last.get(one) ?? -1) > k);
    if (length >= (1 - SLACK) * share && open.length > 0 && open.every(mayBeHanded)) {
      const handed = open.reduce((total, one) => total + size(one), 0);
      if (best === null || handed < best.handed) best = { at: k, handed, length };
    }
    if (best === null || length < (1 + SLACK) * share) return;
    cuts.push(best.at);
    length -= best.length;
    best = null;
  });
  return cuts;
}

/** Makes copies of segments as the way back asks for them. */
class Copies {
  readonly #request: RecomputeRequest;
  readonly #segments: Segments;
  readonly #origin = new Map<Node, Node>();
  /** Copies of the segments that are held, the one that was asked for last behind. */
  readonly #held = new Map<number, ReadonlyMap<Node, Node>>();
  readonly #needed: ReadonlyMap<number, readonly Node[]>;
  readonly #order: readonly Node[];
  #id: number;
  #copies = 0;

  constructor(request: RecomputeRequest, segments: Segments) {
    this.#request = request;
    this.#segments = segments;
    for (const [node, read] of segments.kept) if (read !== node) this.#origin.set(read, node);
    const all = ancestorsOf([...request.forward, ...request.backward]);
    this.#id = all[all.length - 1].id + 1;
    this.#order = ancestorsOf(request.backward).filter((node) => isComputed(node) && !segments.of.has(node));
    this.#needed = this.#closure();
  }

  make(): Recomputed {
    const { last, of } = this.#segments;
    this.#held.set(last, new Map([...of].flatMap(([node, own]) => (own === last ? [[node, node] as const] : []))));
    const made = new Map<Node, Node>();
    for (const node of this.#order) {
      const inputs = node.inputs.map((input) => made.get(input) ?? this.#forward(input));
      made.set(node, this.#copy(node, inputs));
    }
    return {
      backward: this.#request.backward.map((node) => made.get(node) ?? node),
      originOf: (node) => this.#origin.get(node) ?? node,
    };
  }

  /** Of each segment what the way back needs, and what that is made of. */
  #closure(): Map<number, Node[]> {
    const { of, kept } = this.#segments;
    const found = new Set<Node>();
    const waiting = this.#order.flatMap(({ inputs }) => inputs);
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (!of.has(node) || kept.has(node) || found.has(node)) continue;
      found.add(node);
      waiting.push(...node.inputs);
    }
    const needed = new Map<number, Node[]>();
    for (const node of [...found].sort((a, b) => a.id - b.id)) {
      const segment = of.get(node)!;
      needed.set(segment, [...(needed.get(segment) ?? []), node]);
    }
    return needed;
  }

  /** A node of the way there, as the way back reads it. */
  #forward(node: Node): Node {
    const { of, kept } = this.#segments;
    const segment = of.get(node);
    if (segment === undefined) return node;
    const stored = kept.get(node);
    if (stored !== undefined) return stored;
    const held = this.#held.get(segment) ?? this.#again(segment);
    this.#held.delete(segment);
    this.#held.set(segment, held);
    for (const oldest of [...this.#held.keys()].slice(0, -HELD)) this.#held.delete(oldest);
    return held.get(node)!;
  }

  #again(segment: number): ReadonlyMap<Node, Node> {
    const copies = new Map(this.#segments.kept);
    this.#copies++;
    for (const node of this.#needed.get(segment) ?? [])
      copies.set(
        node,
        this.#copy(
          node,
          node.inputs.map((input) => copies.get(input) ?? input),
        ),
      );
    return copies;
  }

  #copy(node: Node, inputs: readonly Node[]): Node {
    const attributes = { ...node.attributes, again: this.#copies };
    const copy: Node = { ...node, id: this.#id++, inputs, attributes };
    this.#origin.set(copy, node);
    return copy;
  }
}
