/**
 * The ranks of a level from the singular values of its nodes: what may be dropped is dropped where it saves most.
 *
 * A node's squared singular value v_j is what its j-th basis vector adds to the approximation. One threshold for all
 * nodes of a level, the largest with
 *   Σ_{v_j < threshold} weight·v_j ≤ budget,
 * keeps fewest basis vectors for the same error; shares by size would spend rank on nodes that hold next to nothing.
 */

/** Singular values of a level's nodes, and what an error at each node weighs. */
export interface LevelSpectra {
  /** Singular values of node i: sigma[begin[i] … begin[i + 1]), descending. */
  readonly sigma: Float64Array;
  readonly begin: Int32Array;
  /**
   * For node i: v = scale[i]·σ²; an error of v in the basis is one of weight[i]·v in the matrix; values σ ≤ floor[i]
   * are rounding errors.
   */
  readonly scale: Float64Array;
  readonly weight: Float64Array;
  readonly floor: Float64Array;
  /** Most basis vectors of node i. */
  readonly cap: Int32Array;
}

/** The error that a choice of ranks leaves. */
export interface RankChoice {
  /** What was dropped within the budget, and what the caps cut off beyond it: weighted, squared. */
  readonly dropped: number;
  readonly beyond: number;
}

/** Fills `ranks`. Cost O(n log n) for n singular values. */
export function chooseRanks(
  { sigma, begin, scale, weight, floor, cap }: LevelSpectra,
  budget: number,
  ranks: Int32Array,
): RankChoice {
  const nodes = ranks.length;
  const values = new Float64Array(sigma.length);
  const weighted = new Float64Array(sigma.length);
  let count = 0;
  let beyond = 0;
  for (let i = 0; i < nodes; i++) {
    for (let j = begin[i]; j < begin[i + 1]; j++) {
      if (!(sigma[j] > floor[i])) break;
      const v = scale[i] * sigma[j] * sigma[j];
      if (j - begin[i] >= cap[i]) {
        beyond += weight[i] * v;
      } else {
        values[count] = v;
        weighted[count++] = weight[i] * v;
      }
    }
  }
  const found = values.subarray(0, count);
  const droppedBelow = (threshold: number): number => {
    let sum = 0;
    for (let k = 0; k < count; k++) if (found[k] < threshold) sum += weighted[k];
    return sum;
  };
  const sorted = found.slice().sort();
  let threshold = Number.POSITIVE_INFINITY;
  if (droppedBelow(threshold) > budget) {
    // The largest of the values themselves: `low` always is within the budget.
    let low = 0;
    let high = count;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (droppedBelow(sorted[middle]) <= budget) low = middle;
      else high = middle;
    }
    threshold = sorted[low];
  }
  for (let i = 0; i < nodes; i++) {
    const last = begin[i] + Math.min(cap[i], begin[i + 1] - begin[i]);
    let j = begin[i];
    while (j < last && sigma[j] > floor[i] && scale[i] * sigma[j] * sigma[j] >= threshold) j++;
    ranks[i] = j - begin[i];
  }
  return { dropped: droppedBelow(threshold), beyond };
}
