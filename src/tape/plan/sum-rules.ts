/**
 * How sums are added up: which terms write into their sum, and which term's memory a sum takes over. Both change the
 * order of additions, and so the last bits: a plan of the same nodes that are used otherwise follows the rules of the
 * plan as it was.
 */
import type { Node } from '../node.js';

/** The rules that one plan chose. */
export interface SumChoices {
  /** Terms that write into their sum: the sum of each. */
  readonly into: ReadonlyMap<Node, Node>;
  /** The term whose memory a sum takes over. */
  readonly base: ReadonlyMap<Node, Node>;
}

/** The rules that another plan is to follow. */
export interface SumRules extends SumChoices {
  /** The node of that plan that stands for a node of this one. */
  readonly originOf: (node: Node) => Node;
}
