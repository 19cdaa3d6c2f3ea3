/**
 * A pass up and down a tree that several ranks hold: each one's subtrees on its team, the nodes above them on the
 * calling thread of every rank that holds them, with what siblings send.
 */
import type { FloatArray } from '../../core/floats.js';
import { parentOf } from '../../core/indices.js';
import { toShared } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import { independentTasks, middleOfNode, taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { PANEL } from '../matrix/transposed-vectors.js';
import { SiblingExchange } from './exchange.js';
import { exchangeHalo } from './halo.js';
import { gatherPositions } from './whole.js';
import { heldNodes, type Share } from './share.js';

/** A rank's own nodes down to a level, task by task, and their order upward and downward. */
export interface OwnNodes {
  /** Node of each task; parents first. */
  readonly nodes: Int32Array;
  readonly up: TaskGraph;
  readonly down: TaskGraph;
}

/** The nodes of a share from its own level down to `deepest`, or those of its own level alone. */
export function ownNodes(share: Share, deepest: number): OwnNodes {
  const last = Math.max(share.level, deepest);
  const nodes: number[] = [];
  const taskOf = new Map<number, number>();
  const up: number[] = [];
  for (let level = share.level; level <= last; level++)
    for (const ν of heldNodes(share, level)) {
      const task = nodes.push(ν) - 1;
      taskOf.set(ν, task);
      const above = taskOf.get(parentOf(ν));
      if (above !== undefined) up.push(task, above);
    }
  const places = nodes.map((ν) => placeAmong(share, ν));
  const down = up.map((_, e) => up[e ^ 1]);
  return {
    nodes: toShared(Int32Array.from(nodes)),
    up: taskGraph(nodes.length, up, places),
    down: taskGraph(nodes.length, down, places),
  };
}

/** Where a node lies in its rank's part of the tree, in [0, 1). */
function placeAmong({ bounds, rank, level }: Share, ν: number): number {
  const [first, end] = [bounds[rank] / 2 ** level, bounds[rank + 1] / 2 ** level];
  return Math.min(1 - Number.EPSILON, Math.max(0, (middleOfNode(ν) - first) / (end - first)));
}

/** What a pass does. */
export interface RankPass {
  /** On the team: the rank's own nodes, children first. */
  up(): void;
  /** On the team: the rank's own nodes, parents first. */
  down(): void;
  /** At the nodes of a level above them, on the calling thread, with what siblings of the level below send. */
  levelUp(level: number, nodes: Int32Array, siblings: SiblingExchange): void;
  levelDown(level: number, nodes: Int32Array, siblings: SiblingExchange): void;
  /** What of node ν goes to its far partners; absent where they need nothing. */
  readonly halo?: ((ν: number) => FloatArray) | undefined;
}

/** Passes over a share. */
export class RankPasses {
  readonly #share: Share;
  readonly #tree: ClusterTree;
  readonly #communicator: Communicator;
  readonly #siblings: SiblingExchange;
  readonly #above: readonly Int32Array[];
  readonly #out = new Map<number, TaskGraph>();

  constructor(tree: ClusterTree, share: Share, communicator: Communicator) {
    this.#share = share;
    this.#tree = tree;
    this.#communicator = communicator;
    this.#siblings = new SiblingExchange(communicator, share);
    this.#above = Array.from({ length: share.level }, (_, level) => heldNodes(share, level));
  }

  /**
   * Runs a pass: at most ⌈log₂P⌉ messages one after the other, in each of them one node's numbers, and one to each
   * other rank with far partners. Then this rank's positions of `values` hold the result; with `gathers` all positions,
   * `width` numbers each, are on every rank (one gathering).
   */
  run(pass: RankPass, values: FloatArray, width: number, gathers: boolean): void {
    const above = this.#above;
    pass.up();
    for (let level = above.length - 1; level >= 0; level--) pass.levelUp(level, above[level], this.#siblings);
    if (pass.halo !== undefined) exchangeHalo(this.#communicator, this.#share.halo.peers, pass.halo);
    above.forEach((nodes, level) => pass.levelDown(level, nodes, this.#siblings));
    pass.down();
    if (gathers)
      gatherPositions(values, width, { tree: this.#tree, share: this.#share, communicator: this.#communicator });
  }

  /** Tasks that write results of so many rows; made once, for a team keeps what it knows of a graph that it has run. */
  outTasks(rows: number): TaskGraph {
    let graph = this.#out.get(rows);
    if (graph === undefined) this.#out.set(rows, (graph = independentTasks(Math.ceil(rows / PANEL))));
    return graph;
  }
}
