/**
 * Neighbors of indices that stand on a line: the lexicographic and the random distance need no search.
 */
import type { NearestState } from './nearest-lists.js';

/**
 * The κ indices whose places are nearest to each index's own, nearest first, ties to the smaller index; lists as in
 * `Neighbors`, of so many indices from `first` on as there is room for.
 */
export function neighborsOnLine(
  place: Int32Array,
  { capacity: count, indices, distances }: NearestState,
  first: number,
): void {
  const size = place.length;
  const at = new Int32Array(size);
  for (let i = 0; i < size; i++) at[place[i]] = i;
  for (let i = first, p = 0; p < indices.length; i++) {
    let below = place[i] - 1;
    let above = place[i] + 1;
    for (const end = p + count; p < end; p++) {
      const down = below >= 0 ? place[i] - below : Number.POSITIVE_INFINITY;
      const up = above < size ? above - place[i] : Number.POSITIVE_INFINITY;
      const takeBelow = down < up || (down === up && at[below] < at[above]);
      indices[p] = takeBelow ? at[below--] : at[above++];
      distances[p] = Math.min(down, up);
    }
  }
}
