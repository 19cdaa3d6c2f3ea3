/**
 * K-FAC and EKFAC as preconditioners: their damped inverses.
 */
import { ekfac } from '../../curvature/kronecker/ekfac.js';
import { kfac } from '../../curvature/kronecker/kfac.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { modelOf } from './network-subject.js';
import type { Preconditioner, Subject } from './preconditioner.js';
import { preconditionerAt } from './kind.js';

/**
 * M = (blockdiag(A_{ℓ−1} ⊗ Γ_ℓ) + λI)⁻¹, with EKFAC's eigenvalues for 'ekfac'. Throws OptionError without a network;
 * NotPositiveDefiniteError where λ is too small for a singular block; what `kfac` and `ekfac` throw.
 */
export async function kroneckerPreconditioner(
  subject: Subject,
  name: 'kfac' | 'ekfac',
  shift: number,
  { team: { blas } }: TeamControl,
): Promise<Preconditioner> {
  const model = modelOf(subject, name);
  const began = performance.now();
  const factored = name === 'kfac' ? kfac(model, { blas }) : ekfac(model, { blas });
  const compress = (performance.now() - began) / 1000;
  return preconditionerAt(
    {
      name,
      details: { layers: factored.layers.length },
      compress,
      invert: (damping) => {
        const inverse = factored.solver({ damping });
        return { operator: inverse, bytes: inverse.bytes };
      },
    },
    shift,
  );
}
