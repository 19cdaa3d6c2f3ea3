/**
 * M = (diag((1/n) Σ g_i g_iᵀ) + λI)^{3/4} with the gradients g_i of the batch's samples (J. Martens, ICML 2010, §4.7).
 */
import type { FloatArray } from '../../../core/floats.js';
import { vectorNumbers } from '../../objective/workspace.js';
import { ready } from '../steps.js';
import type { PreconditionerPlan } from './preconditioner.js';

const POWER = 0.75;

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
        // Below this, a diagonal without damping would divide by zero.
        const floor = damping > 0 ? damping : 1e-12;
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
