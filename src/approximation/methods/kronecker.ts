/**
 * K-FAC and EKFAC within a table of methods. Their memory follows from the network; a budget that is exceeded is said
 * in a note.
 */
import { kroneckerBasis } from '../../curvature/kronecker/basis.js';
import { diagonalInBases, ekfac as ekfacOf } from '../../curvature/kronecker/ekfac.js';
import { kfac as kfacOf } from '../../curvature/kronecker/kfac.js';
import type { Team } from '../../parallel/team.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { Model } from '../../network/model.js';
import { leastNumber, leastOf, networkOf, ofCurvature, withoutPart, type Approximated, type Method } from './method.js';

/** Draws of labels for each sample of the Monte Carlo variant. */
const DRAWS = 1;

/** blockdiag(A ⊗ Γ), Γ from the exact errors of all outputs. */
export const kfac: Method = {
  rows: [{ name: 'KFAC-high', share: 'high' }],
  make: (subject, _, { seed = 0 }, { team }) =>
    ofCurvature(subject, approximateKfac(networkOf(subject, 'kfac'), 'exact', seed, team)),
};

/** blockdiag(A ⊗ Γ), Γ from one label a sample drawn from the model. */
export const kfacMonteCarlo: Method = {
  rows: [{ name: 'KFAC-low', share: 'low' }],
  variantOf: 'kfac',
  make: (subject, _, { seed = 0 }, { team }) =>
    ofCurvature(subject, approximateKfac(networkOf(subject, 'kfac-mc'), 'monte-carlo', seed, team)),
};

/** K-FAC's eigenbasis with the eigenvalues that fit best. */
export const ekfac: Method = {
  rows: [{ name: 'EKFAC', share: 'high' }],
  make: (subject, _, __, { team }) => ofCurvature(subject, approximateEkfac(networkOf(subject, 'ekfac'), team)),
};

/** K-FAC by exact errors of all outputs, or by those of one label a sample drawn from the model. */
function approximateKfac(
  model: Model | GraphModel,
  variant: 'exact' | 'monte-carlo',
  seed: number,
  team: Team,
): Approximated {
  const operator = kfacOf(model, { variant, draws: DRAWS, seed, team });
  const bases = operator.layers.map((layer) => kroneckerBasis(layer, team.blas));
  return {
    operator,
    bytes: operator.bytes,
    details: variant === 'exact' ? { variant } : { variant, draws: DRAWS },
    smallestEigenvalue: leastOf(
      bases.map(({ input, output }) => leastNumber(input.values) * leastNumber(output.values)),
    ),
    squaredError: async (norm) => {
      const diagonals = diagonalInBases(model, operator.layers, bases, team);
      // 1 − Σ_ℓ Σ_qp s_A(q) s_Γ(p) (2 D_ℓ(q, p) − s_A(q) s_Γ(p))/‖G‖_F².
      let square = 1;
      bases.forEach(({ input, output }, ℓ) => {
        const { data, rows } = diagonals[ℓ];
        output.values.forEach((valueOut, p) => {
          for (let q = 0; q < rows; q++) {
            const value = (input.values[q] * valueOut) / norm;
            square -= value * ((2 * data[q + p * rows]) / norm - value);
          }
        });
      });
      return square;
    },
  };
}

/** EKFAC of a model; λ_min is its smallest eigenvalue. */
function approximateEkfac(model: Model | GraphModel, team: Team): Approximated {
  const operator = ekfacOf(model, { team });
  return {
    operator,
    bytes: operator.bytes,
    smallestEigenvalue: leastOf(operator.layers.map(({ eigenvalues }) => leastNumber(eigenvalues.data))),
    squaredError: withoutPart(operator.layers.map(({ eigenvalues }) => eigenvalues.data)),
  };
}
