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

/** Those of θ ← (1 − momentum)·old + momentum·(those of the batch, a mean over slices by their samples). */
export function followStatistics(
  θ: FloatArray,
  { layers }: ParameterLayout,
  { updates, numbers: from, each, count, slice }: SliceStatistics,
): void {
  let at = 0;
  for (const { mean, epsilon, momentum, blocks } of updates) {
    const size = rowsOf(mean.shape);
    const [means, variances] = blocks.map((block) => layers[block].offset);
    for (let i = 0; i < size; i++) {
      let newMean = 0;
      let newVariance = 0;
      for (let s = 0; s < graphSlices(count, slice); s++) {
        const share = (graphSliceFirst(count, slice, s + 1) - graphSliceFirst(count, slice, s)) / count;
        const own = s * each + at + i;
        newMean += share * from[own];
        // Rounding of 1/√(v + ε) takes a variance that is zero below it.
        newVariance += share * Math.max(0, 1 / from[own + size] ** 2 - epsilon);
      }
      θ[means + i] += momentum * (newMean - θ[means + i]);
      θ[variances + i] += momentum * (newVariance - θ[variances + i]);
    }
    at += 2 * size;
  }
}
