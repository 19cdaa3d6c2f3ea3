/**
 * Nyström's preconditioner.
 * Z. Frangella, J. Tropp, M. Udell, *Randomized Nyström preconditioning*, SIAM J. Matrix Anal. Appl. 44(2), 2023,
 * equation (1.3) for P⁻¹:
 *
 *   M x = x + U[((λ_r + λ)/(Λ + λ) − 1) ∘ Uᵀx]
 *
 * which is (λ_r + λ)(A + λI)⁻¹ on the range of U, if A ≈ UΛUᵀ, and leaves the rest alone. With λ = 0 of a matrix of
 * lower rank λ_r would be 0, and M singular: eigenvalues at the level of rounding are left alone too, λ_r is the
 * smallest above it.
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import { block } from '../../dense/matrix.js';
import { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import { sketchedNystrom } from '../../lowrank/nystrom.js';
import { identityOperator } from '../../operator/identity-operator.js';
import { sum } from '../../operator/sum.js';
import { ofStored } from '../cost-model.js';
import { evenly } from '../steps.js';
import { eigenvalueAt } from '../spectrum.js';
import { type PreconditionerKind, type Prediction, totalOf } from './kind.js';

const RANK = 256;
/** Share of N that the rank may be. */
const MOST = 1 / 4;
/** Ranks that are predicted where none is asked for. */
const PREDICTED_RANKS = [256, 128, 64, 32, 16] as const;

/** A random sketch leaves the first r eigenvalues of M(A + λI) spread over λ_r + λ to so many times λ_r + λ. */
const OF_SKETCH = 2;
/** Orthogonalization and small decompositions of N × c: as if N·(40·c² + 2,500·c) flops. */
const PANEL = 40;
const PANEL_COLUMN = 2500;

/** The rank that is taken of a matrix of this order. */
export const rankOf = (size: number, rank = RANK): number => Math.max(1, Math.min(rank, Math.floor(MOST * size)));

/**
 * See above; r + 10 products. Throws NotPositiveDefiniteError where A is indefinite, or A + λI zero to rounding; what
 * `nystrom` throws.
 */
export const nystrom: PreconditionerKind = {
  ranked: true,
  make: async ({ operator }, _, { rank, seed = 0, memoryLimit }, control) => {
    const { team } = control;
    const sketch = { blas: team.blas, rank: rankOf(operator.rows, rank), seed, memoryLimit };
    const { vectors, values } = (await sketchedNystrom(operator, sketch, control)).operator;
    const floor = Math.sqrt(operator.rows) * Number.EPSILON * values[0];
    return {
      details: { rank: values.length },
      invert: (λ) => {
        if (!(values[0] + λ > 0))
          throw new NotPositiveDefiniteError(
            'A + λI is zero on a random space: there is nothing to solve. Take a larger shift.',
            { shift: λ },
          );
        let kept = values.length;
        while (kept > 0 && values[kept - 1] + λ <= floor) kept--;
        const weights = values.slice(0, kept).map((value) => (values[kept - 1] + λ) / (value + λ) - 1);
        const lowRank = new LowRankOperator(block(vectors, 0, 0, vectors.rows, kept), weights, team.blas, team);
        return { operator: sum(identityOperator(vectors.rows), lowRank), bytes: lowRank.bytes };
      },
    };
  },
  // The best of some ranks, or the rank asked for.
  predict: (_, { size, product, spectrum, steps, resolved, shift, vectors, rates }, { rank: asked, most }) => {
    const ranks = [...new Set((asked === undefined ? PREDICTED_RANKS : [asked]).map((rank) => rankOf(size, rank)))];
    let best: Prediction | undefined;
    for (const rank of ranks) {
      const last = eigenvalueAt(spectrum, rank);
      const columns = rank + 10;
      const setup = product(columns) + size * columns * (PANEL * columns + PANEL_COLUMN);
      const step = product(vectors) + ofStored(4 * size * rank, vectors, rates);
      const limit = best === undefined ? most : totalOf(best);
      if (best !== undefined && setup + step > limit) continue;
      const iterations = steps(
        (value, place, level) => (place < rank ? (last * (1 + (OF_SKETCH - 1) * evenly(level)) + shift) / value : 1),
        (limit - setup) / step,
      );
      const atLeast = !resolved || setup + step * iterations > most;
      const one = { iterations, details: `rank ${rank}`, making: { rank }, setup, step, atLeast };
      if (best === undefined || totalOf(one) < totalOf(best)) best = one;
    }
    return best === undefined ? [] : [best];
  },
};
