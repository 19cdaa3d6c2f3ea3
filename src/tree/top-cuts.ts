/**
 * The cuts near the root of a tree, each at the exact median of a value per member, by all workers of all ranks.
 *
 * A rank has the members at its own positions, those of some subtrees of level `top`, and nothing else. A cut finds a
 * bracket about the median from a sample (R. Floyd, R. Rivest, CACM 18(3), 1975), counts the members below it, and
 * selects among those in it; then members go to either side in the order in which they stand, those of nodes that
 * several ranks have to the ranks whose positions they come to. Ties go to the smaller index. The same order for any
 * number of workers and of ranks. Cost: of N members on P ranks N/P numbers a level, and of log₂P levels as many sent.
 */
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { sharedFloat64, sharedInt32, toShared } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { portionOf, type Portion } from '../core/portion.js';
import { awaitTogether } from '../distributed/together.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { TaskDefinition } from '../parallel/task.js';
import type { Shared, Team } from '../parallel/team.js';
import { nodesAbove, positionsOfRanks, type PositionRange, type Ranges } from './split.js';
import {
  bracketMedian,
  countLeft,
  countMembers,
  findMedian,
  leftOf,
  moveMembers,
  sampleOf,
  samplePlace,
  type CutLevel,
  type CutNodes,
  type CutState,
  type SharedPairs,
} from './top-cut-tasks.js';

/** A node of the level in work, numbered within it, and the chunks of it that a rank has. */
interface Piece extends Portion {
  readonly node: number;
}

/** A bracket that is missed is made so many times as wide. */
const WIDER = 4;

/** What a state of cuts begins with. */
export interface CutBegin {
  /** The members, in their first order (shared); default: to be filled. */
  readonly order?: Int32Array | undefined;
  /** Whether a number goes with each member. Default false. */
  readonly carries?: boolean | undefined;
}

/** The state of cuts of one tree. */
export function cutState(ranges: Ranges, top: number, { order, carries = false }: CutBegin = {}): CutState {
  const { depth, begin, end } = ranges;
  const size = end[0];
  const chunks = 2 ** top;
  const members = (): Int32Array => inLargePages(sharedInt32(size));
  const none = sharedInt32(0);
  const ofChunks = (): Int32Array => sharedInt32(chunks);
  const ofNodes = (): Float64Array => sharedFloat64(2 * chunks);
  const other = members();
  // What stands before the tree stays there.
  if (order !== undefined) other.set(order.subarray(0, begin[0]));
  return {
    ranges: { depth, begin, end },
    top,
    orders: [order ?? members(), other],
    carried: carries ? [members(), members()] : [none, none],
    values: inLargePages(sharedFloat64(size)),
    within: members(),
    below: ofChunks(),
    inside: ofChunks(),
    left: ofChunks(),
    leftAt: ofChunks(),
    rightAt: ofChunks(),
    low: ofNodes(),
    high: ofNodes(),
    median: ofNodes(),
  };
}

/** What of a bracket several ranks know: members below it and in it, of each rank and shared node. */
interface CountsOfRanks {
  /** 2·(rank · nodes + slot) and the next one. */
  readonly counts: Int32Array;
  readonly nodes: number;
}

/** What a bracket holds of this rank's nodes. */
interface Bracketed {
  /** Of each node: members in the bracket, and how many of them are smaller than the median. */
  readonly inside: Int32Array;
  readonly ranks: Int32Array;
  readonly ofRanks: CountsOfRanks;
}

/** Members that one rank has, in the order of their new positions, and that another one comes to have. */
interface Segment {
  /** Where they stand among the members of the one, sorted to sides, and where they go. */
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** Cuts the levels above `top`, one after the other. */
export class TopCuts {
  /** This rank's chunks, and the positions of each rank. */
  readonly own: Portion;
  readonly positions: readonly PositionRange[];
  readonly #team: Team;
  readonly #phase: string;
  readonly #shared: Shared<CutState>;
  readonly #communicator: Communicator;
  readonly #portions: readonly Portion[];
  readonly #chunks: TaskGraph;
  #turn: 0 | 1 = 0;

  /** Phases have the name under which progress is reported; the team holds the state. */
  constructor(team: Team, phase: string, shared: Shared<CutState>) {
    const { ranges, top } = shared.state;
    const { communicator } = team;
    this.#team = team;
    this.#phase = phase;
    this.#shared = shared;
    this.#communicator = communicator;
    this.#portions = Array.from({ length: communicator.size }, (_, r) => portionOf(communicator, r, 2 ** top));
    this.own = this.#portions[communicator.rank];
    this.positions = positionsOfRanks(ranges, top, communicator);
    this.#chunks = independentTasks(this.own.end - this.own.first);
  }

  /** Which of the state's orders has the members now. */
  get turn(): 0 | 1 {
    return this.#turn;
  }

  /** The index at each of this rank's positions; others' places hold anything. */
  get order(): Int32Array {
    return this.#shared.state.orders[this.#turn];
  }

  /** The indices at this rank's positions. */
  get members(): Int32Array {
    const { begin, end } = this.positions[this.#communicator.rank];
    return this.order.subarray(begin, end);
  }

  /** What goes with each of these indices. */
  get carried(): Int32Array {
    return this.#shared.state.carried[this.#turn];
  }

  /** One task for each of this rank's chunks. */
  get chunkTasks(): TaskGraph {
    return this.#chunks;
  }

  /** Nodes of a level, numbered within it, that this rank has members of, and which shared one each is, −1 for none. */
  ownNodes(level: number): Pick<CutNodes, 'nodes' | 'slots'> {
    const shared = this.sharedNodes(level);
    const nodes = Int32Array.from(this.#piecesOf(level), ({ node }) => node);
    return { nodes, slots: nodes.map((node) => shared.indexOf(node)) };
  }

  /** Nodes of a level, numbered within it, that several ranks have members of: the same on all ranks. */
  sharedNodes(level: number): number[] {
    const below = this.#shared.state.top - level;
    const nodes = this.#portions.flatMap(({ end }) => (end % 2 ** below === 0 ? [] : [end >> below]));
    return [...new Set(nodes)];
  }

  /**
   * Collective: runs `act` for each level above `top`. In those without shared nodes, which are the last ones, nothing
   * is communicated: what fails there on one rank fails on all in the end. `settled` runs before these, on all ranks,
   * which have the same members from then on.
   */
  async eachLevel(act: (level: number) => Promise<void>, settled?: () => Promise<void>): Promise<void> {
    const { top } = this.#shared.state;
    let level = 0;
    for (; level < top && this.sharedNodes(level).length > 0; level++) await act(level);
    await settled?.();
    await awaitTogether(this.#communicator, async () => {
      for (; level < top; level++) await act(level);
    });
  }

  /**
   * Runs what can fail on one rank: of a level with shared nodes it then fails on all. Nothing is communicated within.
   */
  async together(level: number, act: () => Promise<void>): Promise<void> {
    await (this.sharedNodes(level).length > 0 ? awaitTogether(this.#communicator, act) : act());
  }

  /**
   * Collective: of shared nodes the members at some positions, one node after the other as `sharedNodes` lists them.
   * One allreduce, none where there are no shared nodes.
   */
  membersAt(level: number, placesOf: (ν: NodeId) => Int32Array): Int32Array {
    const { begin, end } = this.positions[this.#communicator.rank];
    const { order } = this;
    const members = this.sharedNodes(level).flatMap((node) =>
      Array.from(placesOf(firstOfLevel(level) + node), (p) => (p >= begin && p < end ? order[p] : 0)),
    );
    const all = toShared(Int32Array.from(members));
    if (all.length > 0) this.#communicator.allreduce(all, 'sum');
    return all;
  }

  /**
   * Collective: cuts the nodes of a level at the medians of the state's `values`, which this rank has at its own
   * positions, all finite.
   */
  async cut(level: number): Promise<void> {
    const pieces = this.#piecesOf(level);
    const shared = this.sharedNodes(level);
    const at: CutLevel = { level, turn: this.#turn, firstChunk: this.own.first };
    const own = { ...at, ...this.ownNodes(level) };
    const graph = independentTasks(pieces.length);
    const { inside, ranks, ofRanks } = await this.#bracket(own, graph, pieces, shared);
    const found = this.#exchangeInside(own, pieces, shared, ofRanks);
    await this.#run(findMedian, graph, { ...own, found, ranks, counts: inside });
    await this.#run(countLeft, this.#chunks, at);
    this.#place(pieces);
    await this.#run(moveMembers, this.#chunks, at);
    this.#turn = this.#turn === 0 ? 1 : 0;
    if (shared.length > 0) this.#send(own, shared, found, ofRanks);
  }

  async #run<A>(definition: TaskDefinition<CutState, A>, graph: TaskGraph, args: A): Promise<void> {
    if (graph.count > 0) await this.#team.run(this.#phase, definition, this.#shared, graph, args);
  }

  /** The chunks that a rank has of a node. */
  #chunksOf(r: number, level: number, node: number): Portion {
    const { first, end } = this.#portions[r];
    const below = this.#shared.state.top - level;
    return { first: Math.max(first, node << below), end: Math.min(end, (node + 1) << below) };
  }

  #piecesOf(level: number): Piece[] {
    const { rank } = this.#communicator;
    const { first, end } = nodesAbove(this.own, level, this.#shared.state.top);
    return Array.from({ length: end - first }, (_, k) => ({
      node: first + k,
      ...this.#chunksOf(rank, level, first + k),
    }));
  }

  /** Brackets that hold the medians: what is missed by one is looked for by a wider one. */
  async #bracket(own: CutNodes, graph: TaskGraph, pieces: readonly Piece[], shared: number[]): Promise<Bracketed> {
    const { ranges, below, inside } = this.#shared.state;
    const { level, slots } = own;
    const count = pieces.length;
    const wider = new Float64Array(count).fill(1);
    const sampled = this.#sample(level, shared);
    const within = new Int32Array(count);
    const ranks = new Int32Array(count);
    const sumOf = (counts: Int32Array, { first, end }: Portion): number => {
      let sum = 0;
      for (let chunk = first; chunk < end; chunk++) sum += counts[chunk];
      return sum;
    };
    /** Whether the bracket of a node holds its median; notes where, of own nodes. */
    const holds = (node: number, under: number, some: number, k: number): boolean => {
      const rank = leftOf(ranges, firstOfLevel(level) + node) - 1 - under;
      if (k >= 0) {
        within[k] = some;
        ranks[k] = rank;
        if (rank < 0 || rank >= some) wider[k] *= WIDER;
      }
      return rank >= 0 && rank < some;
    };
    for (;;) {
      await this.#run(bracketMedian, graph, { ...own, sampled, wider });
      await this.#run(countMembers, this.#chunks, own);
      const isLocal = (k: number): boolean => slots[k] < 0;
      const local = pieces.filter(
        (piece, k) => isLocal(k) && !holds(piece.node, sumOf(below, piece), sumOf(inside, piece), k),
      );
      if (local.length > 0) continue;
      const ofRanks = this.#countsOfRanks(shared, (node) => {
        const piece = pieces.find((one) => one.node === node);
        return piece === undefined ? [0, 0] : [sumOf(below, piece), sumOf(inside, piece)];
      });
      const missed = shared.filter((node, s) => {
        let [under, some] = [0, 0];
        for (let r = 0; r < this.#communicator.size; r++) {
          under += ofRanks.counts[2 * (r * ofRanks.nodes + s)];
          some += ofRanks.counts[2 * (r * ofRanks.nodes + s) + 1];
        }
        const k = pieces.findIndex((one) => one.node === node);
        return !holds(node, under, some, k);
      });
      if (missed.length === 0) return { inside: within, ranks, ofRanks };
    }
  }

  /** Collective: samples of shared nodes, of which each rank has what stands at its positions. */
  #sample(level: number, shared: readonly number[]): SharedPairs {
    const { ranges, values } = this.#shared.state;
    const { order } = this;
    const own = this.positions[this.#communicator.rank];
    const counts = shared.map((node) => sampleOf(sizeOf(ranges, firstOfLevel(level) + node)));
    const begin = beginsOf(counts);
    const pairs = sharedFloat64(2 * begin[shared.length]);
    shared.forEach((node, s) => {
      const ν = firstOfLevel(level) + node;
      for (let k = 0; k < counts[s]; k++) {
        const p = samplePlace(ranges.begin[ν], sizeOf(ranges, ν), counts[s], k);
        if (p < own.begin || p >= own.end) continue;
        pairs[2 * (begin[s] + k)] = values[p];
        pairs[2 * (begin[s] + k) + 1] = order[p];
      }
    });
    if (pairs.length > 0) this.#communicator.allreduce(pairs, 'sum');
    return { begin, pairs };
  }

  /** Collective: every rank's two counts of each shared node. */
  #countsOfRanks(shared: readonly number[], countsOf: (node: number) => readonly [number, number]): CountsOfRanks {
    const { rank, size } = this.#communicator;
    const nodes = shared.length;
    const counts = new Int32Array(2 * nodes * size);
    shared.forEach((node, s) => {
      counts.set(countsOf(node), 2 * (rank * nodes + s));
    });
    if (nodes > 0) this.#communicator.allgather(undefined, counts, new Array<number>(size).fill(2 * nodes));
    return { counts, nodes };
  }

  /** Shared nodes that this rank has, and rank r as well. */
  #common(r: number, level: number, shared: readonly number[]): number[] {
    const { rank } = this.#communicator;
    const has = (who: number, node: number): boolean => {
      const { first, end } = this.#chunksOf(who, level, node);
      return first < end;
    };
    return shared.flatMap((node, s) => (has(rank, node) && has(r, node) ? [s] : []));
  }

  /** Collective: of this rank's shared nodes all members in the bracket, those of one rank after those of another. */
  #exchangeInside(
    { level }: CutLevel,
    pieces: readonly Piece[],
    shared: readonly number[],
    { counts, nodes }: CountsOfRanks,
  ): SharedPairs {
    const { rank, size } = this.#communicator;
    if (nodes === 0) return { begin: beginsOf([]), pairs: sharedFloat64(0) };
    const { ranges, top, values, within, inside } = this.#shared.state;
    const { order } = this;
    const insideOf = (r: number, s: number): number => counts[2 * (r * nodes + s) + 1];
    const ofRank = Array.from({ length: size }, (_, r) => this.#common(r, level, shared));
    const mine = new Map<number, Float64Array>();
    for (const s of ofRank[rank]) {
      const pairs = new Float64Array(2 * insideOf(rank, s));
      const { first, end } = pieces.find(({ node }) => node === shared[s])!;
      let next = 0;
      for (let chunk = first; chunk < end; chunk++) {
        const from = ranges.begin[firstOfLevel(top) + chunk];
        for (let k = from; k < from + inside[chunk]; k++) {
          pairs[next++] = values[within[k]];
          pairs[next++] = order[within[k]];
        }
      }
      mine.set(s, pairs);
    }
    const numbers = (r: number, whose: number): number => ofRank[r].reduce((sum, s) => sum + 2 * insideOf(whose, s), 0);
    const sent = Array.from({ length: size }, (_, r) => numbers(r, rank));
    const received = Array.from({ length: size }, (_, r) => numbers(r, r));
    const send = new Float64Array(sent.reduce((sum, count) => sum + count, 0));
    let at = 0;
    for (const common of ofRank)
      for (const s of common) {
        send.set(mine.get(s)!, at);
        at += mine.get(s)!.length;
      }
    const receive = new Float64Array(received.reduce((sum, count) => sum + count, 0));
    this.#communicator.alltoall(send, sent, receive, received);
    const totals = shared.map((_, s) =>
      ofRank.reduce((sum, common, r) => sum + (common.includes(s) ? insideOf(r, s) : 0), 0),
    );
    const begin = beginsOf(totals);
    const pairs = sharedFloat64(2 * begin[nodes]);
    const next = Array.from(begin, (first) => 2 * first);
    at = 0;
    ofRank.forEach((common, r) => {
      for (const s of common) {
        const length = 2 * insideOf(r, s);
        pairs.set(receive.subarray(at, at + length), next[s]);
        next[s] += length;
        at += length;
      }
    });
    return { begin, pairs };
  }

  /** Where the members of each chunk go: of a piece first the left ones, then the right ones. */
  #place(pieces: readonly Piece[]): void {
    const { ranges, top, left, leftAt, rightAt } = this.#shared.state;
    for (const { first, end } of pieces) {
      let at = ranges.begin[firstOfLevel(top) + first];
      for (let chunk = first; chunk < end; chunk++) {
        leftAt[chunk] = at;
        at += left[chunk];
      }
      for (let chunk = first; chunk < end; chunk++) {
        rightAt[chunk] = at;
        at += sizeOf(ranges, firstOfLevel(top) + chunk) - left[chunk];
      }
    }
  }

  /** Collective: members of shared nodes, sorted to sides, go to the ranks whose positions they come to. */
  #send(own: CutNodes, shared: readonly number[], found: SharedPairs, ofRanks: CountsOfRanks): void {
    const { rank, size } = this.#communicator;
    const { level } = own;
    const common = Array.from({ length: size }, (_, r) => this.#common(r, level, shared));
    const runs = new Map(common[rank].map((s) => [s, this.#runsOf(level, shared[s], s, found, ofRanks)]));
    /** What goes from rank r to rank q, one of which is this one. */
    const segments = (r: number, q: number): Segment[] =>
      common[r === rank ? q : r].flatMap((s) =>
        runs.get(s)![r].flatMap(({ from, to, length }) => {
          const begin = Math.max(to, this.positions[q].begin);
          const end = Math.min(to + length, this.positions[q].end);
          return begin < end ? [{ from: from + begin - to, to: begin, length: end - begin }] : [];
        }),
      );
    const lengthOf = (some: readonly Segment[]): number => some.reduce((sum, { length }) => sum + length, 0);
    const going = Array.from({ length: size }, (_, q) => segments(rank, q));
    const coming = Array.from({ length: size }, (_, r) => segments(r, rank));
    const [sent, received] = [going.map(lengthOf), coming.map(lengthOf)];
    const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
    const send = new Int32Array(total(sent));
    const receive = new Int32Array(total(received));
    for (const members of [this.order, this.carried]) {
      if (members.length === 0) continue;
      let at = 0;
      for (const { from, length } of going.flat()) {
        send.set(members.subarray(from, from + length), at);
        at += length;
      }
      this.#communicator.alltoall(send, sent, receive, received);
      at = 0;
      for (const { to, length } of coming.flat()) {
        members.set(receive.subarray(at, at + length), to);
        at += length;
      }
    }
  }

  /** Of each rank with a piece of a shared node: its members of either side, and where they go. */
  #runsOf(level: number, node: number, s: number, found: SharedPairs, { counts, nodes }: CountsOfRanks): Segment[][] {
    const { ranges, top, median } = this.#shared.state;
    const ν = firstOfLevel(level) + node;
    const [value, index] = [median[2 * node], median[2 * node + 1]];
    let toLeft = ranges.begin[ν];
    let toRight = toLeft + leftOf(ranges, ν);
    let at = found.begin[s];
    return this.#portions.map((_, r) => {
      const { first, end } = this.#chunksOf(r, level, node);
      if (first >= end) return [];
      const from = ranges.begin[firstOfLevel(top) + first];
      const size = ranges.end[firstOfLevel(top) + end - 1] - from;
      let left = counts[2 * (r * nodes + s)];
      for (const last = at + counts[2 * (r * nodes + s) + 1]; at < last; at++) {
        const own = found.pairs[2 * at];
        if (own < value || (own === value && found.pairs[2 * at + 1] <= index)) left++;
      }
      const sides = [
        { from, to: toLeft, length: left },
        { from: from + left, to: toRight, length: size - left },
      ];
      toLeft += left;
      toRight += size - left;
      return sides;
    });
  }
}

const sizeOf = ({ begin, end }: Ranges, ν: NodeId): number => end[ν] - begin[ν];

/** Where each of some groups begins, one after the other, and where the last one ends. */
function beginsOf(counts: readonly number[]): Int32Array {
  const begin = new Int32Array(counts.length + 1);
  counts.forEach((count, k) => {
    begin[k + 1] = begin[k] + count;
  });
  return begin;
}
