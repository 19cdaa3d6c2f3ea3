/**
 * Arrays of N rows of which each of several ranks has a stretch.
 */
import type { Communicator } from './communicator.js';

/** A rank's rows of an array, one after the other. */
export interface OwnRows {
  readonly values: Float64Array;
  /** Numbers of a row; 0 of an array that is empty on all ranks. */
  readonly width: number;
}

/** Who has which rows, and this rank's own. */
export interface RowParts {
  readonly communicator: Communicator;
  /** Rank r has the rows begin[r] … begin[r + 1] − 1 of every array. */
  readonly begin: Int32Array;
  /** Over shared memory, where a team gathers them. */
  readonly arrays: readonly OwnRows[];
}

const TAG = 0x5a3;

/** Collective: where the stretch of each rank begins, and the last one ends, of so many rows here. */
export function stretches(communicator: Communicator, rows: number): Int32Array {
  const { size } = communicator;
  const counts = new Int32Array(size);
  communicator.allgather(Int32Array.of(rows), counts, new Array<number>(size).fill(1));
  const begin = new Int32Array(size + 1);
  for (let r = 0; r < size; r++) begin[r + 1] = begin[r] + counts[r];
  return begin;
}

/** All rows. */
export const rowsOfAll = ({ begin }: Pick<RowParts, 'begin'>): number => begin[begin.length - 1];

/**
 * Collective: a sum over rows of all ranks, to which each adds its own behind those of the ranks before it: the bits
 * that one process has, which adds all. In place, on all ranks; `add` does not throw. P − 1 messages, one after the
 * other, and a broadcast.
 */
export function sumInOrder(communicator: Communicator, sums: Float64Array, add: (sums: Float64Array) => void): void {
  const { rank, size } = communicator;
  if (rank > 0) communicator.receive(sums, rank - 1, TAG);
  add(sums);
  if (rank < size - 1) communicator.send(sums, rank + 1, TAG);
  if (size > 1) communicator.broadcast(sums, size - 1);
}
