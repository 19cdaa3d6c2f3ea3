/**
 * Near leaves by votes of the neighbors, within a budget.
 * A neighbor of an index of leaf α that lies in leaf β is a vote for the pair {α, β}, whichever way round (SC17, arXiv
 * 1707.00164, section 2.2). There the budget limits one side and symmetrising overshoots it; here pairs are taken, most
 * votes first, as long as both rows stay within it.
 */
import { ShapeError } from '../core/errors.js';
import { placeOf } from '../core/index-places.js';
import { firstOfLevel } from '../core/indices.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import type { ClusterTree } from './cluster-tree.js';
import { leavesOfAll, NONE_KNOWN, type KnownIndices } from './known-indices.js';
import type { Neighbors } from './neighbors.js';
import type { PositionRange } from './split.js';

/** Neighbors of index i from number i·count on, or where it is told what is known of indices, where that says. */
export type ListedNeighbors = Pick<Neighbors, 'count' | 'indices'> &
  Partial<KnownIndices> & {
    /** Positions whose lists are here, and the order there; default: all. */
    readonly own?: PositionRange | undefined;
  };

/** Near leaves in CSR form, as in `InteractionLists`. */
export interface NearLeaves {
  readonly nearBegin: Int32Array;
  readonly near: Int32Array;
}

/** Rows of sparse counts: columns[begin[r] … begin[r + 1]) ascending, and their counts. */
interface SparseCounts {
  readonly begin: Int32Array;
  readonly columns: Int32Array;
  readonly counts: Int32Array;
}

/** Near leaves with at most `most` leaves a row, the leaf itself not counted but always listed. */
export function nearLeaves(
  tree: ClusterTree,
  neighbors: ListedNeighbors,
  most: number,
  communicator: Communicator,
): NearLeaves {
  const leaves = 2 ** tree.depth;
  const partners: number[][] = Array.from({ length: leaves }, (_, leaf) => [leaf]);
  if (most > 0) {
    const { pairs, order } = rankedPairs(votesOfAll(countVotes(tree, neighbors), communicator));
    for (const pair of order) {
      const α = pairs[2 * pair];
      const β = pairs[2 * pair + 1];
      // A row lists itself too.
      if (partners[α].length > most || partners[β].length > most) continue;
      partners[α].push(β);
      partners[β].push(α);
    }
  }
  const nearBegin = sharedInt32(leaves + 1);
  for (let leaf = 0; leaf < leaves; leaf++) nearBegin[leaf + 1] = nearBegin[leaf] + partners[leaf].length;
  const near = sharedInt32(nearBegin[leaves]);
  for (let leaf = 0; leaf < leaves; leaf++) near.set(Int32Array.from(partners[leaf]).sort(), nearBegin[leaf]);
  return { nearBegin, near };
}

/** Votes of each leaf's indices for other leaves. */
function countVotes(tree: ClusterTree, { count, indices, places, leafAt, rowAt, own }: ListedNeighbors): SparseCounts {
  const { size, depth, order, begin, end } = tree;
  if (rowAt === undefined && indices.length !== size * count)
    throw new ShapeError(
      `The tree has ${size} indices, the neighbor lists ${indices.length} entries of ${count} a row: they ` +
        'belong to different matrices.',
      { size, count, length: indices.length },
    );
  const leaves = 2 ** depth;
  const first = firstOfLevel(depth);
  const known = { places: places ?? NONE_KNOWN.places, leafAt: leafAt ?? leavesOfAll(tree) };
  const placeAt = (i: number): number => placeOf(known.places, i);
  return collect(leaves, (leaf, add) => {
    // Another rank counts the votes of this leaf.
    if (own !== undefined && (begin[first + leaf] < own.begin || end[first + leaf] > own.end)) return;
    for (let p = begin[first + leaf]; p < end[first + leaf]; p++) {
      const place = placeAt(order[p]);
      const row = rowAt === undefined ? place : rowAt[place];
      for (let k = row * count; k < (row + 1) * count; k++) {
        const other = known.leafAt[placeAt(indices[k])];
        // Isolated indices lie in no leaf.
        if (other !== leaves && other !== leaf) add(other, 1);
      }
    }
  });
}

/** Votes of all leaves, of which each of several ranks has those of its own, which follow each other. Collective. */
function votesOfAll({ begin, columns, counts }: SparseCounts, communicator: Communicator): SparseCounts {
  const { size } = communicator;
  if (size === 1) return { begin, columns, counts };
  const ofLeaf = begin.map((at, leaf) => (leaf === 0 ? 0 : at - begin[leaf - 1]));
  communicator.allreduce(ofLeaf, 'sum');
  for (let leaf = 1; leaf < ofLeaf.length; leaf++) ofLeaf[leaf] += ofLeaf[leaf - 1];
  const parts = new Int32Array(size);
  communicator.allgather(Int32Array.of(columns.length), parts, new Array<number>(size).fill(1));
  const all = (own: Int32Array): Int32Array => {
    const gathered = new Int32Array(ofLeaf[ofLeaf.length - 1]);
    communicator.allgather(own, gathered, parts);
    return gathered;
  };
  return { begin: ofLeaf, columns: all(columns), counts: all(counts) };
}

/**
 * Pairs α < β with votes from either side, in order (α, β), and their ranking: most votes first, ties in that order.
 */
function rankedPairs(votes: SparseCounts): { pairs: Int32Array; order: Int32Array } {
  const leaves = votes.begin.length - 1;
  const back = transposed(votes);
  const both = collect(leaves, (leaf, add) => {
    for (const { begin, columns, counts } of [votes, back]) {
      for (let k = begin[leaf]; k < begin[leaf + 1]; k++) if (columns[k] > leaf) add(columns[k], counts[k]);
    }
  });
  const total = both.columns.length;
  const pairs = new Int32Array(2 * total);
  let most = 0;
  for (let leaf = 0; leaf < leaves; leaf++) {
    for (let k = both.begin[leaf]; k < both.begin[leaf + 1]; k++) {
      pairs[2 * k] = leaf;
      pairs[2 * k + 1] = both.columns[k];
      most = Math.max(most, both.counts[k]);
    }
  }
  // Counting sort, stable.
  const slots = new Int32Array(most + 2);
  for (let k = 0; k < total; k++) slots[most - both.counts[k] + 1]++;
  for (let v = 0; v <= most; v++) slots[v + 1] += slots[v];
  const order = new Int32Array(total);
  for (let k = 0; k < total; k++) order[slots[most - both.counts[k]]++] = k;
  return { pairs, order };
}

/** Sparse rows from a function that adds counts to the columns of a row. */
function collect(
  rows: number,
  addTo: (row: number, add: (column: number, count: number) => void) => void,
): SparseCounts {
  const begin = new Int32Array(rows + 1);
  const columns: number[] = [];
  const counts: number[] = [];
  const counter = new Int32Array(rows);
  let touched: number[] = [];
  const add = (column: number, count: number): void => {
    if (counter[column] === 0) touched.push(column);
    counter[column] += count;
  };
  for (let row = 0; row < rows; row++) {
    touched = [];
    addTo(row, add);
    touched.sort((a, b) => a - b);
    for (const column of touched) {
      columns.push(column);
      counts.push(counter[column]);
      counter[column] = 0;
    }
    begin[row + 1] = columns.length;
  }
  return { begin, columns: Int32Array.from(columns), counts: Int32Array.from(counts) };
}

function transposed({ begin, columns, counts }: SparseCounts): SparseCounts {
  const rows = begin.length - 1;
  const turned: SparseCounts = {
    begin: new Int32Array(rows + 1),
    columns: new Int32Array(columns.length),
    counts: new Int32Array(columns.length),
  };
  for (const column of columns) turned.begin[column + 1]++;
  for (let r = 0; r < rows; r++) turned.begin[r + 1] += turned.begin[r];
  const next = turned.begin.slice(0, rows);
  for (let r = 0; r < rows; r++) {
    for (let k = begin[r]; k < begin[r + 1]; k++) {
      const at = next[columns[k]]++;
      turned.columns[at] = r;
      turned.counts[at] = counts[k];
    }
  }
  return turned;
}
