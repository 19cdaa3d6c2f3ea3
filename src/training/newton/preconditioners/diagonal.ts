/**
 * M = (diag((1/n) Σ g_i g_iᵀ) + λI)^{3/4} with the gradients g_i of the batch's samples (J. Martens, ICML 2010, §4.7).
 */
import type { FloatArray } from '../../../core/floats.js';
import { vectorNumbers } from '../../objective/workspace.js';
import { ready } from '../steps.js';
import type { PreconditionerPlan } from './preconditioner.js';

const POWER = 0.75;

/** What is added to the diagonal: without damping it would divide by zero. */
export const floorOf = (damping: number): number => (damping > 0 ? damping : 1e-12);

/** The diagonal preconditioner: one vector, a gradient's worth of flops a point. */
export const diagonalPreconditioner: PreconditionerPlan = {
  spare: ({ parameters }) => vectorNumbers(parameters),
  begin(objective) {
    const inverse = objective.vector();
    const { kernels } = objective;
    const n = inverse.length;
    return {
      arrays: {},
      prepare(_point, _samples, damping) {
        objective.gradientSquares(inverse);
        const floor = floorOf(damping);
        for (let k = 0; k < n; k++) inverse[k] = (inverse[k] + floor) ** -POWER;
        return ready(undefined);
      },
      apply(r: FloatArray, z: FloatArray) {
        kernels.combine(n, 1, r, 0, z);
        kernels.multiply(n, inverse, z);
      },
    };
  },
};
