/**
 * Neighbors of indices that stand on a line: the lexicographic and the random distance, and points in one dimension,
 * need no search.
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

/**
 * The κ points on an axis that are nearest to each, nearest first, ties to the smaller index; lists as in `Neighbors`.
 * Projection trees cut an axis at the same places always, and points to both sides of a cut would never meet.
 */
export function neighborsOnAxis(
  coordinates: Float64Array,
  count: number,
  indices: Int32Array,
  distances: Float64Array,
): void {
  const size = coordinates.length;
  const at = Int32Array.from({ length: size }, (_, i) => i).sort((a, b) => coordinates[a] - coordinates[b] || a - b);
  for (let q = 0; q < size; q++) {
    const i = at[q];
    const x = coordinates[i];
    let below = q - 1;
    let above = q + 1;
    for (let p = i * count; p < (i + 1) * count; p++) {
      const down = below >= 0 ? x - coordinates[at[below]] : Number.POSITIVE_INFINITY;
      const up = above < size ? coordinates[at[above]] - x : Number.POSITIVE_INFINITY;
      const takeBelow = down < up || (down === up && above < size && at[below] < at[above]);
      const j = takeBelow ? at[below--] : at[above++];
      const distance = Math.min(down, up);
      // Equal distances by index: points that coincide come down in the reverse order.
      let to = p;
      for (; to > i * count && distances[to - 1] === distance && indices[to - 1] > j; to--)
        indices[to] = indices[to - 1];
      indices[to] = j;
      distances[p] = distance;
    }
  }
}
