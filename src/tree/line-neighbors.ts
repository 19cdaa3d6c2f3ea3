/**
 * Neighbors of indices that stand on a line: the lexicographic and the random distance need no search.
 */

/**
 * The κ indices whose places are nearest to each index's own, nearest first, ties to the smaller index; lists as in
 * `Neighbors`.
 */
export function neighborsOnLine(place: Int32Array, count: number, indices: Int32Array, distances: Float64Array): void {
  const size = place.length;
  const at = new Int32Array(size);
  for (let i = 0; i < size; i++) at[place[i]] = i;
  for (let i = 0; i < size; i++) {
    let below = place[i] - 1;
    let above = place[i] + 1;
    for (let p = i * count; p < (i + 1) * count; p++) {
      const down = below >= 0 ? place[i] - below : Number.POSITIVE_INFINITY;
      const up = above < size ? above - place[i] : Number.POSITIVE_INFINITY;
      const takeBelow = down < up || (down === up && at[below] < at[above]);
      indices[p] = takeBelow ? at[below--] : at[above++];
      distances[p] = Math.min(down, up);
    }
  }
}
