/**
 * Approximations of curvature by the layers of its network: K-FAC, EKFAC, the diagonal, blocks on the diagonal.
 * Their memory follows from the network; a budget that is exceeded is said in a note.
 */
import { blockDiagonal, blockDiagonalBytes } from '../../source/block-diagonal.js';
import { diagonalInBases, ekfac } from '../../curvature/kronecker/ekfac.js';
import { kfac } from '../../curvature/kronecker/kfac.js';
import { kroneckerBasis } from '../../curvature/kronecker/basis.js';
import type { Blas } from '../../dense/blas.js';
import type { Model } from '../../network/model.js';
import { diagonalOperator } from '../../operator/diagonal-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { Approximated, Budget, EigenvalueEstimate, SquaredError } from '../approximation.js';
import { bytesOfBudget } from '../budget.js';
import { unitRanges, layerRanges } from '../../network/ranges.js';

/** Draws of labels for each sample of the Monte Carlo variant. */
const DRAWS = 1;

/** K-FAC by exact errors of all outputs, or by those of one label a sample drawn from the model. */
export function approximateKfac(
  model: Model,
  variant: 'exact' | 'monte-carlo',
  seed: number,
  blas: Blas,
): Approximated {
  const operator = kfac(model, { variant, samples: DRAWS, seed, blas });
  const bases = operator.layers.map((layer) => kroneckerBasis(layer, blas));
  return {
    operator,
    bytes: operator.bytes,
    details: variant === 'exact' ? { variant } : { variant, draws: DRAWS },
    smallestEigenvalue: leastOf(
      bases.map(({ input, output }) => leastNumber(input.values) * leastNumber(output.values)),
    ),
    squaredError: async (norm) => {
      const diagonals = diagonalInBases(model, bases, blas);
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
export function approximateEkfac(model: Model, blas: Blas): Approximated {
  const operator = ekfac(model, { blas });
  return {
    operator,
    bytes: operator.bytes,
    smallestEigenvalue: leastOf(operator.layers.map(({ eigenvalues }) => leastNumber(eigenvalues.data))),
    squaredError: withoutPart(operator.layers.map(({ eigenvalues }) => eigenvalues.data)),
  };
}

/** diag A; λ_min is its smallest number. */
export function approximateDiagonal(source: Pick<EntrySource, 'size' | 'diagonal'>): Approximated {
  const values = new Float64Array(source.size);
  source.diagonal(values);
  return {
    operator: diagonalOperator(values),
    bytes: values.byteLength,
    smallestEigenvalue: leastOf([leastNumber(values)]),
    squaredError: withoutPart([values]),
  };
}

/**
 * The blocks of layers where they fit the budget, else those of the single units: all weights of a unit against each
 * other.
 */
export async function approximateBlockDiagonal(
  model: Model,
  source: EntrySource,
  budget: Budget,
  control: TeamControl,
): Promise<Approximated> {
  const layers = layerRanges(model.network);
  const whole = blockDiagonalBytes(layers) <= bytesOfBudget(budget, source.size);
  const operator = await blockDiagonal(source, whole ? layers : unitRanges(model.network), {}, control);
  return {
    operator,
    bytes: operator.bytes,
    details: { blocks: whole ? 'layers' : 'units' },
    squaredError: withoutPart([operator.values]),
    release: () => {
      operator.release();
    },
  };
}

/**
 * Of parts of A that are kept as they are in some orthonormal basis of the matrices, ⟨A, Ã⟩_F = ‖Ã‖_F², which is the
 * sum of their squares: 1 − ‖Ã‖_F²/‖A‖_F².
 */
export const withoutPart =
  (parts: readonly ArrayLike<number>[]): SquaredError =>
  async (norm) => {
    let square = 1;
    for (const part of parts) for (let i = 0; i < part.length; i++) square -= (part[i] / norm) ** 2;
    return square;
  };

function leastNumber(values: ArrayLike<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) least = Math.min(least, values[i]);
  return least;
}

const leastOf = (values: readonly number[]): EigenvalueEstimate => ({ value: Math.min(...values), bound: 0 });
