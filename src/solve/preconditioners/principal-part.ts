/**
 * M = (G̃ + λI)⁻¹ of a network's Gauss–Newton matrix by its principal part in the Kronecker eigenbasis
 * (curvature/eigenbasis/principal-choice.ts), which is positive definite by construction.
 */
import { factorKronecker, type KroneckerFactorization } from '../../curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '../../curvature/eigenbasis/compress.js';
import type { Model } from '../../network/model.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Inverse, Invertible, PreconditionerOptions } from './kind.js';

/** The principal part, factored for each λ. */
export interface PrincipalPart extends Invertible {
  /** What G̃ takes of the dense matrix's memory; its factors take twice that. */
  readonly share: number;
  readonly invert: (shift: number) => Promise<Inverse & { readonly operator: KroneckerFactorization; release(): void }>;
}

/** Needs λ > 0. Throws what `kroneckerHierarchical` and `factorKronecker` throw. */
export async function principalPart(
  model: Model,
  { share, leafSize, memoryLimit }: PreconditionerOptions,
  control: TeamControl,
): Promise<PrincipalPart> {
  const matrix = await kroneckerHierarchical(
    model,
    { preserve: 'positive-definite', share, leafSize, memoryLimit },
    control,
  );
  return {
    share: matrix.share,
    details: {
      basis: 'Kronecker',
      principal: matrix.report.principal?.size ?? 0,
      share: Number(matrix.share.toPrecision(3)),
    },
    invert: async (λ) => {
      const factorization = await factorKronecker(matrix, { shift: λ, memoryLimit }, control);
      return {
        operator: factorization,
        bytes: factorization.bytes,
        release: () => {
          factorization.release();
        },
      };
    },
  };
}
