/**
 * Messages and bytes of a plan, phase by phase: of the rank that has most, what it sends and what it gets, but for
 * points (held-points.ts).
 */
import { LEAVES as PILOT_LEAVES } from '../../hierarchical/from-entries/pilot.js';
import { PARTNERS } from '../../hierarchical/from-entries/skeleton-state.js';
import { LONERS, lonerLevel } from '../../hierarchical/from-entries/loners.js';
import { NEAREST } from '../../hierarchical/from-entries/voters.js';
import { comparisonBatches, MOST_WORST } from '../../hierarchical/measure/columns-error.js';
import { NORM_COLUMNS } from '../../hierarchical/measure/norm-estimate.js';
import { PANEL } from '../../hierarchical/measure/sampled-columns.js';
import { RUN_NUMBERS } from '../../source/diagonal-sums.js';
import { runsOf } from '../../source/diagonal.js';
import { CANDIDATES } from '../../tree/neighbor-search.js';
import { SAMPLE as RECALL_ROWS } from '../../tree/projection-trees.js';
import { subtreeLevelFor } from '../../tree/split.js';
import { bracketOf, sampleOf } from '../../tree/top-cut-tasks.js';
import { SPLIT_SAMPLE } from '../../tree/two-centroids.js';
import { plannedClusters } from './clusters.js';
import type { PlannedTree } from './levels.js';
import { NO_TRAFFIC, PlannedOperations, times, totalTraffic, type PlannedTraffic } from './operations.js';
import type { PlanSetup } from './options.js';
import { cutSides, plannedSearch } from './searches.js';

/** What one rank communicates at one level. */
export interface LevelTraffic extends PlannedTraffic {
  readonly level: number;
}

/** Of so many nearest of points that stand evenly, about 1 a unit of volume, the radius of their ball to its power. */
const SPREAD = 0.6;
/** The same of their mean distance along an axis, and of the length of a cut that is not straight. */
const MEAN_SPREAD = 0.32;

/** Of the lists that would stay by chance, one in P, those that do, as counted. */
const STAYING = 1 / 3;
/** Of own indices, where not all neighbors are found, those that others have for one and nobody that is known. */
const ONE_SIDED = 1 / 200;

/** Rows around a node of n indices that these have for neighbors: those of a cube of points, so far as there are. */
export function rowsAround({ size, dimension, neighbors }: PlanSetup, n: number): number {
  const width = SPREAD * (neighbors / n) ** (1 / dimension);
  return Math.min(size - n, n * ((1 + 2 * width) ** dimension - 1) * cutSides(size / n, dimension));
}

/** Things that ranks compare before they compress: options, size, diagonal, points, a given tree. */
const COMPARED = 5;
/** Phases from the lists to the blocks, after each of which ranks hear whether one has failed. */
const PHASES = 26;

/** Messages and bytes of each operation, for P ranks. */
export class TrafficPlan extends PlannedOperations {
  readonly #setup: PlanSetup;
  readonly #tree: PlannedTree;

  constructor(setup: PlanSetup, tree: PlannedTree) {
    super(setup.ranks);
    this.#setup = setup;
    this.#tree = tree;
  }

  /**
   * Numbers of one node of each level, to and from holders of its sibling: one message each way and level of equal
   * shares. `bytesOf` a node of rank k; a node without any sends nothing.
   */
  siblings(bytesOf: (rank: number) => number): LevelTraffic[] {
    return this.#tree.levels.flatMap(({ level, sends, receives, rank }) => {
      const bytes = bytesOf(rank);
      if (sends + receives === 0 || bytes === 0) return [];
      return [{ level, messages: sends, sentBytes: sends * bytes, receivedBytes: receives * bytes }];
    });
  }

  /** Numbers by position of all leaves, to all ranks; shares are those of the leaves. */
  positions(bytes: number): PlannedTraffic {
    const { least, shareLevel } = this.#tree;
    const lacking = this.#setup.ranks === 1 ? 0 : bytes * (1 - least / 2 ** shareLevel);
    return this.allgather(bytes, lacking);
  }

  /** Skeleton weights of a product, or right-hand sides of a solve: k·p numbers of each sibling, chunk by chunk. */
  interface(vectors: number, atATime: number): LevelTraffic[] {
    const chunks = Math.ceil(vectors / atATime);
    return this.siblings((rank) => rank * vectors * this.#setup.width).map((one) => ({
      ...one,
      messages: chunks * one.messages,
    }));
  }

  /** N·p numbers of the result, to all ranks, chunk by chunk. */
  result(vectors: number, atATime: number): PlannedTraffic {
    const { size, width } = this.#setup;
    const chunks = Math.ceil(vectors / atATime);
    const all = this.positions(size * vectors * width);
    return { ...all, messages: chunks * all.messages };
  }

  /**
   * Levels of a tree above `top` whose nodes several ranks have (tree/top-cuts.ts), G of them each: what is `drawn` of
   * each node, samples, counts, members in brackets, to all G, and N/P members, each 4 bytes for each of `columns`, to
   * four ranks at most.
   */
  #cuts(top: number, columns: number, drawn: (nodes: number) => PlannedTraffic): PlannedTraffic {
    const { size, ranks } = this.#setup;
    const parts: PlannedTraffic[] = [];
    const own = Math.ceil(size / Math.min(ranks, 2 ** top));
    for (let level = 0; level < Math.min(top, this.#tree.rounds); level++) {
      const nodes = 2 ** level;
      const members = Math.min(ranks, 2 ** top) / nodes;
      const inside = bracketOf(size / nodes);
      parts.push(
        drawn(nodes),
        this.agreed(),
        this.allreduce(16 * sampleOf(Math.floor(size / nodes)) * nodes),
        this.allgather(8 * nodes * ranks),
        this.alltoall(members - 1, (16 * inside * (members - 1)) / members),
        times(columns, this.alltoall(Math.min(4, members - 1), 4 * own * (1 - 1 / members))),
      );
    }
    return totalTraffic(parts);
  }

  /**
   * Cuts of the boxes by which neighbors are found, and the order of points near those of others; or above 4
   * dimensions, of each tree its cuts, and lists with their distances from where they were to where they are searched
   * next. Lists stay where they are.
   */
  neighbors(): PlannedTraffic {
    const { size, ranks, dimension, neighbors, parts } = this.#setup;
    if (neighbors === 0) return NO_TRAFFIC;
    const { boxed, top, trees, searching } = plannedSearch(this.#setup);
    if (boxed) {
      const cuts = this.#cuts(top, 1, (nodes) => this.allreduce(16 * dimension * nodes));
      const corners = times(2, this.portions(8 * dimension * 2 ** top, 2 ** top));
      return totalTraffic([cuts, times(8, this.agreed()), corners, ...this.#near()]);
    }
    const cuts = this.#cuts(top, 2, (nodes) => this.allreduce(4 * CANDIDATES * nodes));
    const moving = (size * (1 - 1 / searching)) / searching;
    const moved = totalTraffic([
      times(2, this.agreed()),
      this.alltoall(ranks - 1, 4 * (ranks - 1)),
      this.alltoall(searching - 1, 4 * moving),
      this.alltoall(searching - 1, 4 * neighbors * moving),
      this.alltoall(searching - 1, 8 * neighbors * moving),
    ]);
    // Of points in parts each rank has lists of its own, which all have from all.
    const recalled = neighbors * Math.min(size, RECALL_ROWS) * (parts ? ranks : 1);
    return totalTraffic([
      times(trees, totalTraffic([cuts, times(2, this.agreed()), this.allreduce(8)])),
      times(trees - 1, moved),
      times(parts ? 7 : 6, this.agreed()),
      this.allgather(4 * recalled),
      this.allgather(8 * recalled),
    ]);
  }

  /**
   * Subtrees of boxes around those of a rank: their numbers to the ranks that have them, and 4 bytes a point back.
   */
  #near(): PlannedTraffic[] {
    const { size, ranks, dimension } = this.#setup;
    const { top, searching, near } = plannedSearch(this.#setup);
    const peers = Math.min(searching - 1, 3 ** dimension - 1);
    return [
      this.alltoall(ranks - 1, 4 * (ranks - 1)),
      this.alltoall(peers, 4 * near),
      this.alltoall(peers, (4 * size * near) / 2 ** top),
    ];
  }

  /** Its cuts, and the leaf of each index, 8 bytes, to the rank that others ask for it. */
  tree(): PlannedTraffic {
    const { size, depth, ranks } = this.#setup;
    const top = subtreeLevelFor(size, depth);
    const cuts = this.#cuts(top, 1, (nodes) => this.allreduce(4 * SPLIT_SAMPLE * nodes));
    const told = ((8 * size) / ranks) * (1 - 1 / ranks);
    return totalTraffic([
      cuts,
      times(6, this.agreed()),
      this.#movedOrder(2 ** top),
      ...this.parts({ sent: told, received: told }),
    ]);
  }

  /** The order of so many subtrees, from the ranks that cut them to those that have them, where these are others. */
  #movedOrder(subtrees: number): PlannedTraffic {
    const { size, ranks } = this.#setup;
    const cutting = Math.min(ranks, subtrees);
    if (cutting === ranks && Number.isInteger(Math.log2(ranks))) return NO_TRAFFIC;
    const sent = (4 * size) / cutting - (4 * size) / ranks;
    const parts = { messages: Math.ceil(ranks / cutting) - 1, sentBytes: sent, receivedBytes: (4 * size) / ranks };
    // Shares of ranks that are no power of two are somewhat other ones.
    const part = this.alltoall(2, (4 * size) / 2 ** this.#tree.shareLevel);
    return totalTraffic([this.agreed(), cutting === ranks ? part : parts]);
  }

  /** Options, memory and machines that ranks agree upon; norms of panels of the columns of the estimate of ‖K‖_F. */
  norm(): PlannedTraffic {
    const { size, ranks } = this.#setup;
    const columns = Math.min(NORM_COLUMNS, size);
    return totalTraffic([
      times(2, this.agreed()),
      this.allreduce(2 * 8 * COMPARED),
      this.allgather(16 * ranks),
      this.allreduce(8),
      this.allgather(8 * columns * Math.ceil(size / PANEL)),
    ]);
  }

  /**
   * Skeletons of siblings with their amplifications and nearest neighbors: 1 + 10·s numbers, s the rank limit; and for
   * each level above, votes for the rows around the sibling, 12 bytes each, and how many these are.
   */
  skeletons(): LevelTraffic[] {
    const { neighbors, rankOfLevel } = this.#setup;
    const most = Math.ceil(Math.max(...rankOfLevel));
    const told = 8 * (1 + (2 + Math.min(PARTNERS, neighbors)) * most);
    return this.#tree.levels.flatMap(({ level, sends, receives, size }) => {
      if (sends + receives === 0) return [];
      const above = level - 1;
      const bytes = told + above * (8 + 12 * rowsAround(this.#setup, size));
      return [{ level, messages: (1 + 2 * above) * sends, sentBytes: sends * bytes, receivedBytes: receives * bytes }];
    });
  }

  /** Indices of the rank that has most. */
  #own(): number {
    return (this.#setup.size * this.#tree.most) / 2 ** this.#tree.shareLevel;
  }

  /** Of a rank's own indices and their nearest neighbors, so many of each, the pairs that two ranks share. */
  #crossing(nearest: number): number {
    const { ranks, dimension } = this.#setup;
    const own = this.#own();
    const share = MEAN_SPREAD * dimension * (nearest / own) ** (1 / dimension) * cutSides(ranks, dimension);
    return own * nearest * Math.min(1 - 1 / ranks, share);
  }

  /**
   * What runs of the diagonal tell. Lists of κ neighbors to the ranks that have their indices in the tree, 4κ + 4 bytes
   * each; of neighbors that others have, 4 bytes each, and 8 for each of the NEAREST; lonely indices of each node;
   * errors, attempts and ranks of all nodes, 24 bytes each; counts of elements; whether phases failed. Leaves of
   * others' indices that stand in lists are asked for, and the orders of clusters around own ones.
   */
  structure(): PlannedTraffic {
    const { size, ranks, neighbors, depth } = this.#setup;
    const around = rowsAround(this.#setup, this.#own());
    const { searching, moving } = this.#searched();
    const { boxed } = plannedSearch(this.#setup);
    const nodes = 2 ** (depth + 1) - 1;
    const { shareLevel } = this.#tree;
    const top = lonerLevel(depth, shareLevel);
    const loners = [this.positions(4 * LONERS * 2 ** top)];
    for (let level = top; level <= depth; level++) loners.push(this.positions(4 * LONERS * 2 ** level));
    const [known, asked] = [4 * this.#crossing(neighbors), 8 * this.#crossing(Math.min(NEAREST, neighbors))];
    return totalTraffic([
      this.positions(8 * RUN_NUMBERS * runsOf(size)),
      ...loners,
      times(PHASES + shareLevel, this.agreed()),
      ...this.#moved(),
      ...this.parts({ sent: known, received: known }),
      ...this.parts({ sent: asked, received: asked }),
      this.#leaves((moving * size) / searching, searching),
      this.#leaves(around, ranks),
      // Who has an index for a neighbor, and is none of its own, is mostly one of another index's.
      boxed ? this.#leaves(0, 0) : this.#leaves(ONE_SIDED * this.#own(), ranks),
      ...this.#clusters(),
      this.allreduce(4 * Math.min(PILOT_LEAVES, 2 ** depth)),
      this.allreduce(8 * nodes),
      this.allreduce(8 * nodes),
      this.allreduce(4 * nodes),
      this.allreduce(4 * nodes),
      this.allreduce(40),
    ]);
  }

  /** Leaves of so many indices, which so many ranks ask for, 4 bytes to and fro, from the ranks that know them. */
  #leaves(indices: number, asking: number): PlannedTraffic {
    const { ranks } = this.#setup;
    const sent = 4 * indices * (1 - 1 / ranks);
    const received = (sent * asking) / ranks;
    const told = { messages: Math.max(0, asking - 1), sentBytes: received, receivedBytes: sent };
    const [counts, asked] = this.parts({ sent, received });
    return totalTraffic([times(4, this.agreed()), counts, indices === 0 ? NO_TRAFFIC : asked, told]);
  }

  /** Clusters around own nodes, and around those above: their numbers, and 4 bytes a row. */
  #clusters(): PlannedTraffic[] {
    const { ranks } = this.#setup;
    return plannedClusters(this.#setup, this.#tree).map(({ clusters, rows }) => {
      const peers = clusters === 0 ? 0 : ranks - 1;
      return totalTraffic([
        times(3, this.agreed()),
        this.alltoall(ranks - 1, 4 * (ranks - 1)),
        this.alltoall(peers, 4 * clusters),
        this.alltoall(peers, 4 * rows),
      ]);
    });
  }

  /** Ranks that search for neighbors, and the share of lists that are not where their indices are in the tree. */
  #searched(): { readonly searching: number; readonly moving: number } {
    const { ranks } = this.#setup;
    return { searching: plannedSearch(this.#setup).searching, moving: ranks === 1 ? 0 : 1 - STAYING / ranks };
  }

  /** Lists from those who found them, which may be few, to those who have their indices in the tree: most move. */
  #moved(): PlannedTraffic[] {
    const { size, ranks, neighbors } = this.#setup;
    if (ranks === 1) return [];
    const { searching, moving } = this.#searched();
    const [sent, received] = [(moving * size) / searching, moving * this.#own()];
    const lists = { messages: ranks - 1, sentBytes: 4 * neighbors * sent, receivedBytes: 4 * neighbors * received };
    return [...this.parts({ sent: 4 * sent, received: 4 * received }), lists];
  }

  /**
   * Products with own rows of the columns that a compression is judged by; of each batch whether something failed, and
   * sums; of each comparison the indices of its columns, and the rows that err most, a few of each rank.
   */
  check(): { readonly levels: readonly LevelTraffic[]; readonly rest: PlannedTraffic } {
    const { size, width, ranks } = this.#setup;
    const comparisons = comparisonBatches(size);
    const batches = comparisons.flat();
    const columns = batches.reduce((sum, count) => sum + count, 0);
    const compared = comparisons.map((some) => some.reduce((sum, count) => sum + count, 0));
    return {
      levels: this.siblings((rank) => rank * columns * width).map((one) => ({
        ...one,
        messages: batches.length * one.messages,
      })),
      rest: totalTraffic([
        this.allreduce(8),
        ...batches.flatMap((count) => [this.agreed(), this.allreduce(8 * (2 * count * ranks + 1))]),
        ...[...compared, MOST_WORST].map((count) => this.allreduce(4 * count)),
        ...[...compared.slice(1), MOST_WORST].map((most) => this.allgather(16 * most * ranks)),
      ]),
    };
  }

  /** Status and lower triangle of Schur complements: 1 + k(k + 1)/2 numbers. */
  schur(): LevelTraffic[] {
    return this.siblings((rank) => this.#setup.width * (1 + (rank * (rank + 1)) / 2));
  }

  /** Logarithms of all nodes, 8 bytes each, and where an elimination broke down, if it did. */
  factored(): PlannedTraffic {
    const { depth, ranks } = this.#setup;
    return totalTraffic([this.allreduce(8 * (2 ** (depth + 1) - 1)), this.allgather(32 * ranks)]);
  }
}
