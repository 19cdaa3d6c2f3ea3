/**
 * K-FAC and EKFAC as preconditioners: their damped inverses.
 *
 *   M = (blockdiag(A_{ℓ−1} ⊗ Γ_ℓ) + λI)⁻¹, with EKFAC's eigenvalues for 'ekfac'
 */
import { ekfac as ekfacOf, type EigenvalueCorrected } from '../../curvature/kronecker/ekfac.js';
import { kfac as kfacOf, type KroneckerFactored } from '../../curvature/kronecker/kfac.js';
import { evenly } from '../steps.js';
import { networkOf, type Invertible, type PreconditionerKind } from './kind.js';

/**
 * Eigenvalues of K-FAC are those of G to such a factor, about (networks of digits: its iterations are those of factors
 * between 3 and 40, so that what is predicted is no more than a bound).
 */
const KFAC_FACTOR = 4;
/** Eigenvalues and vectors of a symmetric matrix of order d: about so many d³ flops. */
const EIGEN = 9;

const invertible = (factored: KroneckerFactored | EigenvalueCorrected): Invertible => ({
  details: { layers: factored.layers.length },
  invert: (damping) => {
    const inverse = factored.solver({ damping });
    return { operator: inverse, bytes: inverse.bytes };
  },
});

/**
 * Throws OptionError without a network; NotPositiveDefiniteError where λ is too small for a singular block; what `kfac`
 * throws.
 */
export const kfac: PreconditionerKind = {
  ofNetworks: true,
  make: (subject, _, __, { team }) => invertible(kfacOf(networkOf(subject, 'kfac'), { team })),
  predict: ({ model }, { product, steps, shift, vectors }, { most }) => {
    if (model === undefined || !(shift > 0)) return [];
    const { layers } = model.network;
    const n = model.data.samples;
    const sum = (of: (width: number, outputs: number) => number): number =>
      layers.reduce((total, { width, outputs }) => total + of(width, outputs), 0);
    const setup = sum((width, outputs) => n * width ** 2 + 2 * n * outputs ** 2 + EIGEN * (width ** 3 + outputs ** 3));
    const step = product(vectors) + vectors * sum((width, outputs) => 4 * width * outputs * (width + outputs));
    const iterations = steps(
      (value, _, level) => 1 / ((value - shift) * KFAC_FACTOR ** (2 * evenly(level) - 1) + shift),
      (most - setup) / step,
    );
    return [{ setup, step, iterations, atLeast: true, details: `assuming eigenvalues to a factor of ${KFAC_FACTOR}` }];
  },
};

/** As `kfac`; throws what `ekfac` throws. */
export const ekfac: PreconditionerKind = {
  ofNetworks: true,
  make: (subject, _, __, { team }) => invertible(ekfacOf(networkOf(subject, 'ekfac'), { team })),
};
