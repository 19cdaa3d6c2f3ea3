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
import { nystrom } from '../../lowrank/nystrom.js';
import { identityOperator } from '../../operator/identity-operator.js';
import { sum } from '../../operator/sum.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Preconditioner, PreconditionerOptions, Subject } from './preconditioner.js';
import { preconditionerAt } from './kind.js';

const RANK = 256;
/** Share of N that the rank may be. */
const MOST = 1 / 4;

/** The rank that is taken where `rank` is asked for: at most a quarter of N. */
export const nystromRank = (size: number, rank = RANK): number => Math.max(1, Math.min(rank, Math.floor(MOST * size)));

/**
 * See above; r + 10 products. Throws NotPositiveDefiniteError where A is indefinite, or A + λI zero to rounding; what
 * `nystrom` throws.
 */
export async function nystromPreconditioner(
  { operator }: Subject,
  shift: number,
  { rank, seed = 0, memoryLimit }: PreconditionerOptions,
  control: TeamControl,
): Promise<Preconditioner> {
  const { team } = control;
  const began = performance.now();
  const { operator: approximation } = await nystrom(
    operator,
    {
      blas: team.blas,
      rank: nystromRank(operator.rows, rank),
      seed,
      memoryLimit,
    },
    control,
  );
  const compress = (performance.now() - began) / 1000;
  const { vectors, values } = approximation;
  const floor = Math.sqrt(operator.rows) * Number.EPSILON * values[0];
  return preconditionerAt(
    {
      name: 'nystrom',
      details: { rank: values.length },
      compress,
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
    },
    shift,
  );
}
