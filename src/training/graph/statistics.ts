/**
 * Running means and variances of batch norms, which follow those of the slices that a batch is worked on in.
 */
import type { FloatArray } from '../../core/floats.js';
import type { StatisticsUpdate } from '../../layers/builder.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { rowsOf } from '../../tape/shape.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';

/** Statistics of a batch's slices: of each norm means, then reciprocal deviations; `each` numbers a slice. */
export interface SliceStatistics {
  readonly updates: readonly StatisticsUpdate[];
  readonly numbers: FloatArray;
  readonly each: number;
  readonly count: number;
  /** Most samples of a slice. */
  readonly slice: number;
}

/**
 * Those of θ ← (1 − momentum)·old + momentum·(those of the batch, a mean over slices by their samples). Variances that
 * are followed are the unbiased ones, n/(n − 1) times those that n numbers are divided by the root of, as in PyTorch;
 * a single number has none, and leaves the old one as it is.
 */
export function followStatistics(
  θ: FloatArray,
  { layers }: ParameterLayout,
  { updates, numbers: from, each, count, slice }: SliceStatistics,
): void {
  let at = 0;
  for (const { mean, positions, epsilon, momentum, blocks } of updates) {
    const size = rowsOf(mean.shape);
    const [means, variances] = blocks.map((block) => layers[block].offset);
    for (let i = 0; i < size; i++) {
      let newMean = 0;
      let newVariance = 0;
      for (let s = 0; s < graphSlices(count, slice); s++) {
        const samples = graphSliceFirst(count, slice, s + 1) - graphSliceFirst(count, slice, s);
        const share = samples / count;
        const n = samples * positions;
        const own = s * each + at + i;
        newMean += share * from[own];
        // Rounding of 1/√(v + ε) takes a variance that is zero below it.
        const variance = Math.max(0, 1 / from[own + size] ** 2 - epsilon);
        newVariance += share * (n > 1 ? (variance * n) / (n - 1) : θ[variances + i]);
      }
      θ[means + i] += momentum * (newMean - θ[means + i]);
      θ[variances + i] += momentum * (newVariance - θ[variances + i]);
    }
    at += 2 * size;
  }
}
