/**
 * What the neighbor lists tell about rows: which indices know each other one-sidedly, how far the neighbors of each
 * reach, and which are lonely, that is neighbors of few: those at the rim of a cloud, or between clusters. An
 * interpolation errs most in such rows, and a draw of a few hundred rows passes them by.
 */
import { firstOfLevel, leftChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { gatherPortions, ownPortion, type Portion } from '../../distributed/portion.js';
import { awaitTogether } from '../../distributed/together.js';
import { independentTasks } from '../../parallel/task-graph.js';
import { defineTask, type TaskDefinition } from '../../parallel/task.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import type { NeighborRows } from '../../tree/neighbors.js';

/** So many of an index's neighbors, the nearest ones, know it in turn. */
const NEAREST = 4;
/** Lonely indices that are known of each node. */
export const LONERS = 16;
/** Lonely: a neighbor of fewer than this share of as many as it has neighbors itself. */
const LONELY = 1 / 2;
/** Levels of the subtrees whose lonely indices are found by a task each. */
const LONER_LEVELS = 5;

/** Which indices vote for rows beside their neighbors, how far the votes of each reach, and which rows are lonely. */
export interface Voters {
  /**
   * Of which indices i is among the nearest neighbors, and they not among its own: nearestOf[nearestBegin[i] …
   * nearestBegin[i + 1]).
   */
  readonly nearestBegin: Int32Array;
  readonly nearestOf: Int32Array;
  /** By position: the level of the smallest node that holds the index there and all that it votes for. */
  readonly reach: Int32Array;
  /** Of every node, its lonely indices, neighbors of few others, the loneliest first, LONERS at most; −1 for none. */
  readonly loners: Int32Array;
}

/** Positions of the tree's order that a task looks at. */
export const VOTE_CHUNK = 4096;
/** Neighbors whose marks stand in one number. */
const MARKS = 32;
/** Up to so many numbers are sorted by insertion. */
const FEW = 32;

/** What is looked at, and found. */
export interface VotersState extends Voters {
  readonly tree: ClusterTree;
  readonly leafOf: Int32Array;
  /** Neighbors of index i from rowOf[i]·κ on, and κ. */
  readonly neighbors: Int32Array;
  readonly rowOf: Int32Array;
  readonly count: number;
  /** Of how many indices each is a neighbor. */
  readonly known: Int32Array;
  /**
   * Bit q mod 32 of number ⌊q/32⌋ of the `words` at position p: the index there votes for its q-th neighbor from the
   * other side.
   */
  readonly marks: Int32Array;
  readonly words: number;
  /** Of each index how many it is among the nearest of, then where the next one goes. */
  readonly next: Int32Array;
  /** Of each chunk of indices the same: how many, then where they begin. */
  readonly chunkBegin: Int32Array;
}

/** The first of the chunks of positions, or of subtrees, that this rank looks at. */
interface FirstChunk {
  readonly firstChunk: number;
}

/** The level of the subtrees whose lonely indices are found by a task each. */
export const lonerLevel = (depth: number): number => Math.max(0, depth - LONER_LEVELS);

/**
 * Finds of which indices each index is among the NEAREST nearest neighbors, or among all of them where those indices
 * are lonely, and where it is not theirs anyway. The same for any team; cost O(κN), shared by workers, and what looks
 * at lists by ranks: these gather 4(3 + ⌈κ/32⌉) bytes an index and 128 a leaf.
 */
export async function findVoters(
  tree: ClusterTree,
  leafOf: Int32Array,
  { indices: neighbors, rowOf, count }: Pick<NeighborRows, 'indices' | 'rowOf' | 'count'>,
  { team, signal }: TeamControl,
): Promise<Voters> {
  const { size } = tree;
  const { communicator } = team;
  const words = Math.ceil(count / MARKS);
  const chunks = Math.ceil(size / VOTE_CHUNK);
  const all = { first: 0, end: chunks };
  const own = ownPortion(communicator, chunks);
  const top = lonerLevel(tree.depth);
  const indices = (length: number): Int32Array => inLargePages(sharedInt32(length));
  const state: VotersState = {
    tree,
    leafOf,
    neighbors,
    rowOf,
    count,
    known: indices(size),
    marks: indices(words * size),
    words,
    nearestBegin: indices(size + 1),
    nearestOf: sharedInt32(0),
    next: indices(size),
    chunkBegin: sharedInt32(chunks),
    reach: indices(size),
    loners: sharedInt32(nodesOf(tree) * LONERS),
  };
  /** A task, the chunks that it is run for, and how ranks then put together what they found. */
  type Step = readonly [TaskDefinition<VotersState, FirstChunk>, Portion, (() => void)?];
  const run = async (state: VotersState, steps: readonly Step[]): Promise<void> => {
    const shared = await team.share(state);
    try {
      let before: Step[] = [];
      for (const [k, step] of steps.entries()) {
        before.push(step);
        if (step[2] === undefined && k < steps.length - 1) continue;
        const some = before;
        await awaitTogether(communicator, async () => {
          for (const [task, { first, end }] of some)
            await team.run(
              'skeletonize',
              task,
              shared,
              independentTasks(end - first),
              { firstChunk: first },
              { signal },
            );
        });
        step[2]?.();
        before = [];
      }
    } finally {
      team.release(shared);
    }
  };
  const gather = (values: Int32Array, width: number): void => {
    const endOf = (chunk: number): number => width * Math.min(size, (chunk + 1) * VOTE_CHUNK);
    gatherPortions(communicator, values, chunks, { begin: 0, endOf });
  };
  const { known, marks, nearestBegin, chunkBegin, reach, loners } = state;
  const gatherLoners = (): void => {
    for (let level = top; level <= tree.depth; level++) {
      const begin = LONERS * firstOfLevel(level);
      const endOf = (subtree: number): number => begin + LONERS * (subtree + 1) * 2 ** (level - top);
      gatherPortions(communicator, loners, 2 ** top, { begin, endOf });
    }
    for (let ν = firstOfLevel(top) - 1; ν >= 0; ν--) findLonersOf(state, ν);
  };
  await run(state, [
    [countKnown, own, () => communicator.allreduce(known, 'sum')],
    [markOneSided, own, () => gather(marks, words)],
    [countMarks, all],
    [countOfChunk, all],
  ]);
  let total = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const count = chunkBegin[chunk];
    chunkBegin[chunk] = total;
    total += count;
  }
  const nearestOf = indices(total);
  await run({ ...state, nearestOf }, [
    [placeNearest, all],
    [fillNearest, all],
    [sortNearest, all],
    [findReach, own, () => gather(reach, 1)],
    [findLoners, ownPortion(communicator, 2 ** top), gatherLoners],
  ]);
  return { nearestBegin, nearestOf, reach, loners };
}

/** Positions from … to − 1, and whether a single worker looks at all of them. */
interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly alone: boolean;
}

/** What a task does of its chunk. */
const eachChunk =
  (look: (state: VotersState, chunk: Chunk) => void): TaskDefinition<VotersState, FirstChunk>['bind'] =>
  (state, { workers }) =>
  (task, { firstChunk }) => {
    const from = (firstChunk + task) * VOTE_CHUNK;
    look(state, { from, to: Math.min(state.tree.size, from + VOTE_CHUNK), alone: workers === 1 });
  };

/** Counts one more, whoever else does; returns how many there were. Atomic additions take several times as long. */
function countOne(counts: Int32Array, i: number, alone: boolean): number {
  return alone ? counts[i]++ : Atomics.add(counts, i, 1);
}

/** Per chunk, for its indices' neighbors: known to one more. Positions are those of the tree: lists are near by. */
export const countKnown = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'countKnown',
  eachChunk((state, { from, to, alone }) => {
    const {
      tree: { order },
      neighbors,
      rowOf,
      count,
      known,
    } = state;
    for (let p = from; p < to; p++)
      for (let q = rowOf[order[p]] * count, end = q + count; q < end; q++) countOne(known, neighbors[q], alone);
  }),
);

/** Per chunk: which neighbors of its indices are to learn that they are. */
export const markOneSided = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'markOneSided',
  eachChunk((state, { from, to }) => {
    const {
      tree: { order },
      neighbors,
      rowOf,
      count,
      known,
      marks,
      words,
    } = state;
    for (let at = from; at < to; at++) {
      const j = order[at];
      const nearest = isLonely(known, j, count) ? count : Math.min(NEAREST, count);
      const first = rowOf[j] * count;
      for (let q = 0; q < nearest; q++) {
        let p = rowOf[neighbors[first + q]] * count;
        const end = p + count;
        while (p < end && neighbors[p] !== j) p++;
        if (p === end) marks[at * words + Math.floor(q / MARKS)] |= 1 << (q % MARKS);
      }
    }
  }),
);

/** Calls `act` with each index of the chunk and every neighbor that it has marked. */
function forMarked(
  { tree: { order }, neighbors, rowOf, count, marks, words }: VotersState,
  { from, to }: Chunk,
  act: (j: number, neighbor: number) => void,
): void {
  for (let at = from; at < to; at++)
    for (let word = 0; word < words; word++)
      for (let bits = marks[at * words + word]; bits !== 0; bits &= bits - 1) {
        const q = word * MARKS + 31 - Math.clz32(bits & -bits);
        act(order[at], neighbors[rowOf[order[at]] * count + q]);
      }
}

/** Per chunk: how many marks each index has. */
export const countMarks = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'countMarks',
  eachChunk((state, chunk) => {
    forMarked(state, chunk, (_, i) => countOne(state.next, i, chunk.alone));
  }),
);

/** Per chunk of indices: how many marks they have. */
export const countOfChunk = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'countOfChunk',
  eachChunk(({ next, chunkBegin }, { from, to }) => {
    let count = 0;
    for (let i = from; i < to; i++) count += next[i];
    chunkBegin[from / VOTE_CHUNK] = count;
  }),
);

/** Per chunk of indices: where those begin that have marked each. */
export const placeNearest = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'placeNearest',
  eachChunk(({ next, chunkBegin, nearestBegin, tree: { size } }, { from, to }) => {
    let at = chunkBegin[from / VOTE_CHUNK];
    for (let i = from; i < to; i++) {
      nearestBegin[i] = at;
      at += next[i];
      next[i] = nearestBegin[i];
    }
    if (to === size) nearestBegin[size] = at;
  }),
);

/** Per chunk: who has marked an index, in any order. */
export const fillNearest = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'fillNearest',
  eachChunk((state, chunk) => {
    const { nearestOf, next } = state;
    forMarked(state, chunk, (j, i) => {
      nearestOf[countOne(next, i, chunk.alone)] = j;
    });
  }),
);

/** Per chunk of indices: the same in ascending order, whichever worker was first. */
export const sortNearest = defineTask<VotersState, FirstChunk>(
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

/** Per chunk: how far votes reach. */
export const findReach = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'findReach',
  eachChunk((state, { from, to }) => {
    const { tree, leafOf, neighbors, rowOf, count, nearestBegin, nearestOf, reach } = state;
    const isolated = 2 ** tree.depth;
    for (let p = Math.max(from, tree.begin[0]); p < to; p++) {
      const i = tree.order[p];
      const own = leafOf[i];
      // Bits in which the numbers of their leaves differ.
      let differ = 0;
      for (let q = rowOf[i] * count, end = q + count; q < end; q++) {
        const leaf = leafOf[neighbors[q]];
        if (leaf !== isolated) differ |= own ^ leaf;
      }
      for (let q = nearestBegin[i]; q < nearestBegin[i + 1]; q++) {
        const leaf = leafOf[nearestOf[q]];
        if (leaf !== isolated) differ |= own ^ leaf;
      }
      reach[p] = tree.depth - (32 - Math.clz32(differ));
    }
  }),
);

const isLonely = (known: Int32Array, i: number, count: number): boolean => known[i] < LONELY * count;

/** The lonely indices of a node (`Voters.loners`), of an inner one from its children's; none without neighbors. */
function findLonersOf({ tree, known, count, loners }: VotersState, ν: number): void {
  const { order, begin, end } = tree;
  const some: number[] = [];
  if (ν >= firstLeaf(tree)) {
    for (let p = begin[ν]; p < end[ν]; p++) if (isLonely(known, order[p], count)) some.push(order[p]);
  } else {
    const first = leftChild(ν) * LONERS;
    for (let q = first; q < first + 2 * LONERS; q++) if (loners[q] >= 0) some.push(loners[q]);
  }
  some.sort((a, b) => known[a] - known[b] || a - b);
  for (let place = 0; place < LONERS; place++) loners[ν * LONERS + place] = some[place] ?? -1;
}

/** Per subtree: the lonely indices of its nodes. */
export const findLoners = defineTask<VotersState, FirstChunk>(
  import.meta.url,
  'findLoners',
  (state) =>
    (task, { firstChunk }) => {
      const { depth } = state.tree;
      const top = lonerLevel(depth);
      for (let level = depth; level >= top; level--) {
        const nodes = 2 ** (level - top);
        const first = firstOfLevel(level) + (firstChunk + task) * nodes;
        for (let ν = first; ν < first + nodes; ν++) findLonersOf(state, ν);
      }
    },
);
