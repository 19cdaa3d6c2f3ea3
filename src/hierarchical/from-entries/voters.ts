/**
 * What the neighbor lists tell about rows: which indices know each other one-sidedly, how far the neighbors of each
 * reach, and which are lonely, that is neighbors of few: those at the rim of a cloud, or between clusters. An
 * interpolation errs most in such rows, and a draw of a few hundred rows passes them by.
 */
import { placeOf } from '../../core/index-places.js';
import { sharedInt32, toShared } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import type { Communicator } from '../../distributed/communicator.js';
import { exchangeParts, partsOf } from '../../distributed/exchange-parts.js';
import { awaitTogether, together } from '../../distributed/together.js';
import { independentTasks } from '../../parallel/task-graph.js';
import { defineTask, type TaskDefinition } from '../../parallel/task.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type ClusterTree, nodesOf } from '../../tree/cluster-tree.js';
import type { DealtOrder } from '../../tree/dealt-order.js';
import { knownIndices, type KnownIndices } from '../../tree/known-indices.js';
import type { NeighborRows } from '../../tree/neighbors.js';
import { rankOfLeaves } from '../../tree/own-lists.js';
import { ownPositions, rangesOf, type HeldNodes } from '../ranks/share.js';
import {
  findLoners,
  gatherLoners,
  isLonely,
  lonerLevel,
  LONERS,
  subtreesOf,
  type FirstSubtree,
  type LonersState,
} from './loners.js';

/** So many of an index's neighbors, the nearest ones, know it in turn. */
export const NEAREST = 4;

/** Which indices vote for rows beside their neighbors, how far the votes of each reach, and which rows are lonely. */
export interface Voters {
  /**
   * Of which indices the one of row r is among the nearest neighbors, and they not among its own:
   * nearestOf[nearestBegin[r] … nearestBegin[r + 1]). Rows are those of the lists of neighbors.
   */
  readonly nearestBegin: Int32Array;
  readonly nearestOf: Int32Array;
  /** By position from `first` on: the level of the smallest node that holds the index and all that it votes for. */
  readonly reach: Int32Array;
  readonly first: number;
  /** `LonersState.loners` */
  readonly loners: Int32Array;
}

/** Of one of several ranks its nodes, and where the parts of the tree's order are. */
export interface OnRank {
  readonly share?: HeldNodes | undefined;
  readonly dealt?: DealtOrder | undefined;
}

/** Positions of the tree's order that a task looks at. */
const VOTE_CHUNK = 4096;
/** Neighbors whose marks stand in one number. */
const MARKS = 32;
/** Up to so many numbers are sorted by insertion. */
const FEW = 32;

/** What is looked at, and found. Rows are those of the lists: of several ranks, of the indices whose lists are here. */
export interface VotersState extends Voters, KnownIndices, LonersState {
  /** `count` neighbors in each row. */
  readonly neighbors: Int32Array;
  /**
   * Bit q mod 32 of number ⌊q/32⌋ of the `words` of a row: its index votes for its q-th neighbor from the other side,
   * or where that one's list is elsewhere, asks whether it does.
   */
  readonly marks: Int32Array;
  readonly words: number;
  /**
   * At first of each own position how many lists of its neighbors are elsewhere; then of each row how many its index is
   * among the nearest of, and where the next one goes.
   */
  readonly next: Int32Array;
  /** Of each chunk of rows the same: how many, then where they begin. */
  readonly chunkBegin: Int32Array;
}

/**
 * Finds of which indices each index is among the NEAREST nearest neighbors, or among all of them where those indices
 * are lonely, and where it is not theirs anyway. The same for any team; cost O(κN), shared by workers and ranks. Of
 * several ranks each finds it for the indices of its own positions, whose lists it has: it tells others of 4 bytes for
 * each neighbor that these have, and asks them by 8 for each of the nearest. All gather 128 bytes a leaf. Returns also
 * what is known then: voters of other ranks, too.
 */
export async function findVoters(
  tree: ClusterTree,
  known: KnownIndices,
  lists: Pick<NeighborRows, 'indices' | 'rowOf' | 'members' | 'count'>,
  { share, dealt }: OnRank,
  control: TeamControl,
): Promise<Voters & KnownIndices> {
  const { team, signal } = control;
  const { indices: neighbors, count } = lists;
  const { communicator } = team;
  const { begin: first, end } = ownPositions(tree, share);
  const rows = end - first;
  const words = Math.ceil(count / MARKS);
  const chunks = Math.ceil(rows / VOTE_CHUNK);
  const top = lonerLevel(tree.depth, share?.level ?? 0);
  const indices = (length: number): Int32Array => inLargePages(sharedInt32(length));
  const state = together(communicator, (): VotersState => ({
    tree,
    ...known,
    neighbors,
    count,
    known: indices(rows),
    marks: indices(words * rows),
    words,
    nearestBegin: indices(rows + 1),
    nearestOf: sharedInt32(0),
    next: indices(rows),
    chunkBegin: sharedInt32(chunks),
    reach: indices(rows),
    first,
    loners: sharedInt32(nodesOf(tree) * LONERS),
    top,
    lonersKnown: sharedInt32(2 ** top * LONERS),
  }));
  const others = share === undefined ? undefined : new OtherVoters(state, share, communicator);
  const own = subtreesOf(share, top);
  /** A task, how many there are, and what follows, in which ranks may exchange something. */
  type Step = readonly [TaskDefinition<VotersState, FirstSubtree>, number, (() => void)?];
  const run = async (state: VotersState, steps: readonly Step[]): Promise<void> => {
    const shared = await team.share(state);
    const args = { firstSubtree: own.first };
    try {
      let before: Step[] = [];
      for (const [k, step] of steps.entries()) {
        before.push(step);
        if (step[2] === undefined && k < steps.length - 1) continue;
        const some = before;
        await awaitTogether(communicator, async () => {
          for (const [task, tasks] of some)
            await team.run('skeletonize', task, shared, independentTasks(tasks), args, { signal });
        });
        step[2]?.();
        before = [];
      }
    } finally {
      team.release(shared);
    }
  };
  const { nearestBegin, chunkBegin, reach, loners } = state;
  await run(state, [
    [countKnown, chunks, () => others?.tellKnown()],
    [markOneSided, chunks, () => others?.ask()],
    [countMarks, chunks, () => others?.countAsked()],
    [countOfChunk, chunks],
  ]);
  let total = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const count = chunkBegin[chunk];
    chunkBegin[chunk] = total;
    total += count;
  }
  const [nearestOf, voters] = together(communicator, () => [indices(total), others?.voters] as const);
  const all =
    voters === undefined ? known : await knownIndices(tree, lists, [voters], control, { before: known, dealt });
  const found = { ...state, ...all, nearestOf };
  await run(found, [
    [placeNearest, chunks],
    [fillNearest, chunks, () => others?.fillAsked(nearestOf)],
    [sortNearest, chunks],
    [findReach, chunks],
    [findLoners, own.end - own.first, () => gatherLoners(found, share, communicator)],
  ]);
  return { nearestBegin, nearestOf, reach, first, loners, ...all };
}

/** What indices of other ranks have to do with a rank's own lists. */
class OtherVoters {
  readonly #state: VotersState;
  readonly #communicator: Communicator;
  readonly #rankOf: Int32Array;
  /** Pairs of the row of an own index and one that votes for it. */
  #asked: Int32Array = new Int32Array(0);

  constructor(state: VotersState, share: HeldNodes, communicator: Communicator) {
    this.#state = state;
    this.#communicator = communicator;
    this.#rankOf = rankOfLeaves(state.tree, rangesOf(state.tree, share));
  }

  /** Collective: of how many other ranks' indices each of the own ones is a neighbor. */
  tellKnown(): void {
    const { tree, first, neighbors, places, leafAt, rowAt, count, known, next } = this.#state;
    const parts = together(this.#communicator, () =>
      partsOf(this.#communicator.size, 1, (put) => {
        for (let at = 0; at < next.length; at++) {
          if (next[at] === 0) continue;
          const from = rowAt[placeOf(places, tree.order[first + at])] * count;
          for (let q = from; q < from + count; q++) {
            const place = placeOf(places, neighbors[q]);
            if (rowAt[place] < 0) put(this.#rankOf[leafAt[place]], neighbors[q]);
          }
        }
      }),
    );
    next.fill(0);
    for (const i of exchangeParts(this.#communicator, parts).numbers) known[rowAt[placeOf(places, i)]]++;
  }

  /** Collective: asks others about marks of their indices, and finds out which of theirs are voters. */
  ask(): void {
    const { neighbors, places, leafAt, rowAt, count } = this.#state;
    const own = { from: 0, to: this.#state.next.length };
    const parts = together(this.#communicator, () =>
      partsOf(this.#communicator.size, 2, (put) => {
        forMarked(this.#state, own, (j, i) => {
          const place = placeOf(places, i);
          if (rowAt[place] < 0) put(this.#rankOf[leafAt[place]], i, j);
        });
      }),
    );
    const { numbers } = exchangeParts(this.#communicator, parts);
    let voters = 0;
    for (let k = 0; k < numbers.length; k += 2) {
      const row = rowAt[placeOf(places, numbers[k])];
      if (neighbors.subarray(row * count, (row + 1) * count).includes(numbers[k + 1])) continue;
      numbers[voters] = row;
      numbers[voters + 1] = numbers[k + 1];
      voters += 2;
    }
    this.#asked = numbers.subarray(0, voters);
  }

  /** The voters among other ranks' indices. */
  get voters(): Int32Array {
    return toShared(this.#asked.filter((_, k) => k % 2 === 1));
  }

  /** Counts them with the own ones. */
  countAsked(): void {
    const { next } = this.#state;
    for (let k = 0; k < this.#asked.length; k += 2) next[this.#asked[k]]++;
  }

  /** And lists them. */
  fillAsked(nearestOf: Int32Array): void {
    const { next } = this.#state;
    for (let k = 0; k < this.#asked.length; k += 2) nearestOf[next[this.#asked[k]]++] = this.#asked[k + 1];
  }
}

/** Own positions, or rows, from … to − 1, and whether a single worker looks at all of them. */
interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly alone: boolean;
}

/** What a task does of its chunk. */
const eachChunk =
  (look: (state: VotersState, chunk: Chunk) => void): TaskDefinition<VotersState, FirstSubtree>['bind'] =>
  (state, { workers }) =>
  (task) => {
    const from = task * VOTE_CHUNK;
    look(state, { from, to: Math.min(state.next.length, from + VOTE_CHUNK), alone: workers === 1 });
  };

/** Counts one more, whoever else does; returns how many there were. Atomic additions take several times as long. */
function countOne(counts: Int32Array, i: number, alone: boolean): number {
  return alone ? counts[i]++ : Atomics.add(counts, i, 1);
}

/**
 * Per chunk, for its indices' neighbors whose lists are here: known to one more; and in which bits the leaves of
 * neighbors differ from an index's own. Positions are those of the tree: lists are near by.
 */
export const countKnown = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'countKnown',
  eachChunk((state, { from, to, alone }) => {
    const { tree, first, places, leafAt, rowAt, neighbors, count, known, next, reach } = state;
    const isolated = 2 ** tree.depth;
    for (let at = from; at < to; at++) {
      const own = placeOf(places, tree.order[first + at]);
      const leaf = leafAt[own];
      let elsewhere = 0;
      let differ = 0;
      for (let q = rowAt[own] * count, end = q + count; q < end; q++) {
        const place = placeOf(places, neighbors[q]);
        const other = leafAt[place];
        if (other !== isolated) differ |= leaf ^ other;
        const row = rowAt[place];
        if (row >= 0) countOne(known, row, alone);
        else elsewhere++;
      }
      next[at] = elsewhere;
      reach[at] = differ;
    }
  }),
);

/** Per chunk: which neighbors of its indices are to learn that they are. */
export const markOneSided = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'markOneSided',
  eachChunk((state, { from, to }) => {
    const {
      tree: { order },
      first,
      places,
      rowAt,
      neighbors,
      count,
      known,
      marks,
      words,
    } = state;
    for (let at = from; at < to; at++) {
      const j = order[first + at];
      const own = rowAt[placeOf(places, j)];
      const nearest = isLonely(known[own], count) ? count : Math.min(NEAREST, count);
      for (let q = 0; q < nearest; q++) {
        const row = rowAt[placeOf(places, neighbors[own * count + q])];
        let p = row * count;
        const end = p + count;
        while (row >= 0 && p < end && neighbors[p] !== j) p++;
        if (row < 0 || p === end) marks[at * words + Math.floor(q / MARKS)] |= 1 << (q % MARKS);
      }
    }
  }),
);

/** Calls `act` with each index of the chunk and every neighbor that it has marked. */
function forMarked(
  { tree: { order }, first, places, rowAt, neighbors, count, marks, words }: VotersState,
  { from, to }: Pick<Chunk, 'from' | 'to'>,
  act: (j: number, neighbor: number) => void,
): void {
  for (let at = from; at < to; at++)
    for (let word = 0; word < words; word++)
      for (let bits = marks[at * words + word]; bits !== 0; bits &= bits - 1) {
        const q = word * MARKS + 31 - Math.clz32(bits & -bits);
        const j = order[first + at];
        act(j, neighbors[rowAt[placeOf(places, j)] * count + q]);
      }
}

/** Per chunk: how many marks each index has whose list is here. */
export const countMarks = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'countMarks',
  eachChunk((state, chunk) => {
    const { next, places, rowAt } = state;
    forMarked(state, chunk, (_, i) => {
      const row = rowAt[placeOf(places, i)];
      if (row >= 0) countOne(next, row, chunk.alone);
    });
  }),
);

/** Per chunk of rows: how many marks their indices have. */
export const countOfChunk = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'countOfChunk',
  eachChunk(({ next, chunkBegin }, { from, to }) => {
    let count = 0;
    for (let i = from; i < to; i++) count += next[i];
    chunkBegin[from / VOTE_CHUNK] = count;
  }),
);

/** Per chunk of rows: where those begin that have marked each. */
export const placeNearest = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'placeNearest',
  eachChunk(({ next, chunkBegin, nearestBegin }, { from, to }) => {
    let at = chunkBegin[from / VOTE_CHUNK];
    for (let i = from; i < to; i++) {
      nearestBegin[i] = at;
      at += next[i];
      next[i] = nearestBegin[i];
    }
    if (to === next.length) nearestBegin[to] = at;
  }),
);

/** Per chunk: who has marked an index, in any order. */
export const fillNearest = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'fillNearest',
  eachChunk((state, chunk) => {
    const { nearestOf, next, places, rowAt } = state;
    forMarked(state, chunk, (j, i) => {
      const row = rowAt[placeOf(places, i)];
      if (row >= 0) nearestOf[countOne(next, row, chunk.alone)] = j;
    });
  }),
);

/** Per chunk of rows: the same in ascending order, whichever worker was first. */
export const sortNearest = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'sortNearest',
  eachChunk(({ nearestBegin, nearestOf }, { from, to }) => {
    for (let i = from; i < to; i++) sortRange(nearestOf, nearestBegin[i], nearestBegin[i + 1]);
  }),
);

/** Numbers from … to − 1 in ascending order. Most are few: by insertion, which takes less time than a view of them. */
function sortRange(numbers: Int32Array, from: number, to: number): void {
  if (to - from > FEW) {
    numbers.subarray(from, to).sort();
    return;
  }
  for (let p = from + 1; p < to; p++) {
    const number = numbers[p];
    let q = p;
    for (; q > from && numbers[q - 1] > number; q--) numbers[q] = numbers[q - 1];
    numbers[q] = number;
  }
}

/** Per chunk: how far votes reach, from the bits in which leaves of the index's own neighbors differ from its. */
export const findReach = defineTask<VotersState, FirstSubtree>(
  import.meta.url,
  'findReach',
  eachChunk((state, { from, to }) => {
    const { tree, first, places, leafAt, rowAt, nearestBegin, nearestOf, reach } = state;
    const isolated = 2 ** tree.depth;
    for (let at = Math.max(from, tree.begin[0] - first); at < to; at++) {
      const place = placeOf(places, tree.order[first + at]);
      const own = leafAt[place];
      const row = rowAt[place];
      let differ = reach[at];
      for (let q = nearestBegin[row]; q < nearestBegin[row + 1]; q++) {
        const leaf = leafAt[placeOf(places, nearestOf[q])];
        if (leaf !== isolated) differ |= own ^ leaf;
      }
      reach[at] = tree.depth - (32 - Math.clz32(differ));
    }
  }),
);
