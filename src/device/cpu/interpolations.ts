/**
 * Interpolative decompositions on the team (dense/interpolative.ts), in float64: a task is a block.
 */
import { ROUNDOFF, precisionOf } from '../../core/floats.js';
import { InterpolativeDecomposition } from '../../dense/interpolative.js';
import { copyInto, squaredNorm, view } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import { INTERPOLATION_WORDS, NOISE } from '../work/interpolations.js';
import type { KernelArguments, KernelState } from './kernel-state.js';

/** Task t: block t. */
export const interpolateBlocks = defineTask<KernelState<undefined>, KernelArguments>(
  import.meta.url,
  'interpolateBlocks',
  ({ lists, operands: { values, order, interpolations, outcomes } }, { blas }) =>
    (task) => {
      const words = lists['blocks'].subarray(INTERPOLATION_WORDS * task, INTERPOLATION_WORDS * (task + 1));
      const [offset, ld, rows, columns, maxRank, to, t, step, outcome] = words;
      const a = view(new Float64Array(rows * columns), 0, rows, columns);
      copyInto(a, view(values, offset, rows, columns, ld));
      const noise = NOISE * ROUNDOFF[precisionOf(values)] * Math.sqrt(squaredNorm(a));
      const found = new InterpolativeDecomposition(blas, columns, maxRank);
      // What is no number has no pivots.
      if (Number.isFinite(noise))
        found.decompose(a, { threshold: Math.max(lists['thresholds'][task], noise), maxRank });
      else found.columns.forEach((_, j, all) => (all[j] = j));
      const { rank } = found;
      order.set(found.columns, to);
      for (let q = 0; q < rank; q++)
        for (let j = 0; j < columns - rank; j++)
          interpolations[t + q + j * step] = found.interpolation.data[j + q * (columns - rank)];
      outcomes[outcome] = rank;
      outcomes[outcome + 1] = Number.isFinite(noise) ? found.residual : Number.NaN;
    },
);
