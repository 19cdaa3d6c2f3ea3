/**
 * Lists of the κ nearest so far, one per row: heaps over two flat shared arrays, farthest on top.
 * A candidate that is not nearer than the top costs its caller one comparison.
 */
import { NonFiniteError } from '../core/errors.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';

/** The arrays of the lists, shared by workers. */
export interface NearestState {
  /** κ. */
  readonly capacity: number;
  /** Row r's list is [r·capacity, (r + 1)·capacity). */
  readonly indices: Int32Array;
  readonly distances: Float64Array;
}

/** The error for a list of κ neighbors that was not filled. */
export const incompleteList = (index: number, capacity: number): NonFiniteError =>
  new NonFiniteError(`Index ${index} is at no finite distance from ${capacity} others: check the source's entries.`, {
    index,
  });

/** Offers candidates to the lists and sorts them in the end. */
export class NearestLists {
  readonly capacity: number;
  readonly indices: Int32Array;
  readonly distances: Float64Array;

  constructor({ capacity, indices, distances }: NearestState) {
    this.capacity = capacity;
    this.indices = indices;
    this.distances = distances;
  }

  /** Empties rows [from, to): entries no candidate is farther than. */
  clear(from: number, to: number): void {
    this.indices.fill(-1, from * this.capacity, to * this.capacity);
    this.distances.fill(Number.POSITIVE_INFINITY, from * this.capacity, to * this.capacity);
  }

  /** The distance that a candidate for the row must not exceed. */
  farthest(row: number): number {
    return this.distances[row * this.capacity];
  }

  /**
   * Takes a candidate that is not listed yet, if it is nearer than the row's farthest (ties: smaller index); returns
   * the row's new farthest distance.
   */
  offer(row: number, index: number, distance: number): number {
    const { capacity, indices, distances } = this;
    const top = row * capacity;
    const end = top + capacity;
    if (!(distance < distances[top] || (distance === distances[top] && index < indices[top]))) return distances[top];
    this.#sink(top, end, 0, index, distance);
    return distances[top];
  }

  /** Turns the row's heap into a list, nearest first. */
  sort(row: number): void {
    const { capacity, indices, distances } = this;
    const top = row * capacity;
    for (let last = capacity - 1; last > 0; last--) {
      const index = indices[top + last];
      const distance = distances[top + last];
      indices[top + last] = indices[top];
      distances[top + last] = distances[top];
      this.#sink(top, top + last, 0, index, distance);
    }
  }

  /** Puts (index, distance) into the heap over [top, end) at slot `hole` or below. */
  #sink(top: number, end: number, hole: number, index: number, distance: number): void {
    const { indices, distances } = this;
    const count = end - top;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= count) break;
      if (
        child + 1 < count &&
        after(distances[top + child + 1], indices[top + child + 1], distances[top + child], indices[top + child])
      )
        child++;
      if (!after(distances[top + child], indices[top + child], distance, index)) break;
      distances[top + hole] = distances[top + child];
      indices[top + hole] = indices[top + child];
      hole = child;
    }
    distances[top + hole] = distance;
    indices[top + hole] = index;
  }
}

const after = (d: number, i: number, e: number, j: number): boolean => d > e || (d === e && i > j);

/** Room for lists of so many rows, to be cleared. */
export const roomForLists = (capacity: number, rows: number): NearestState => ({
  capacity,
  indices: inLargePages(sharedInt32(capacity * rows)),
  distances: inLargePages(sharedFloat64(capacity * rows)),
});

/** Lists of so many rows, without entries. */
export function emptyLists(capacity: number, rows: number): NearestState {
  const state = roomForLists(capacity, rows);
  new NearestLists(state).clear(0, rows);
  return state;
}
