/**
 * EKFAC: K-FAC's eigenbasis with the eigenvalues that fit the Gauss–Newton Hessian best in it.
 * T. George, C. Laurent, X. Bouthillier, N. Ballas, P. Vincent, "Fast approximate natural gradient descent in a
 * Kronecker-factored eigenbasis", NeurIPS 2018, arXiv 1806.03884; here with the exact errors of all outputs in place of
 * sampled gradients, unless these are asked for.
 */
import { precisionOf } from '../../core/floats.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import { view, type Matrix, type Precision } from '../../dense/matrix.js';
import { sumSamples, type SampleRange } from '../../distributed/sample-groups.js';
import { isGivenGraph, isGraphNetwork, type GivenGraphModel, type GraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel, type Model } from '../../network/model.js';
import { layerWeights } from '../../network/network.js';
import type { Team } from '../../parallel/team.js';
import { columnsOf, diagonalSquares, projectSquares } from './layer-grams.js';
import { walkErrorGrams } from './layer-gram-walk.js';
import {
  checkDamping,
  dampedReciprocals,
  eigenBlock,
  eigenOperator,
  kroneckerBasis,
  type EigenOperator,
  type KroneckerBasis,
} from './basis.js';
import { eachPass, openWalk, sumKroneckerFactors, type CurvatureWalk, KRONECKER_KEYS } from './factors.js';
import { graphEigenvalues, sumGraphFactors } from './graph-factors.js';
import { openGraphWalk, type GraphKroneckerOptions } from './graph-walk.js';
import type { LayerBlock } from './layer-blocks.js';
import { eigenInverse, type DampedInverse, type DampingOptions } from './damped-inverse.js';

/** The EKFAC matrix as an operator, and its damped inverses. */
export interface EigenvalueCorrected extends EigenOperator {
  readonly precision: Precision;
  /**
   * (K + λI)⁻¹ as an operator. Throws OptionError, and NotPositiveDefiniteError where λ is too small for a singular
   * block.
   */
  solver(options: Pick<DampingOptions, 'damping'>): DampedInverse;
}
const INVERSE_KEYS: KeysOf<Pick<DampingOptions, 'damping'>> = { damping: 'number' };

/**
 * EKFAC of the model's Gauss–Newton Hessian: in each layer U_A ⊗ U_Γ from K-FAC's factors and the eigenvalues
 *   s*_qp = (1/n) Σ_i (U_Aᵀ ā_i)_q² · (U_Γᵀ Δ_iᵀΔ_i U_Γ)_pp,
 * the diagonal of the layer's own block of G in that basis, hence the nearest such matrix to it in the Frobenius norm.
 * Positive semi-definite. Two passes over the data, the second with 2·d_ℓ²·c flops a layer and sample more, c ≤ d_ℓ or
 * the draws; with 'monte-carlo' both see the same draws. bytes: width² + outputs² + width·outputs numbers a layer,
 * without outputs² where Γ is diagonal. Throws as `kfac` does, and FactorizationError.
 *
 * Of a network of layers as `kfac` has it: s* is the diagonal of G's own blocks in the bases, with everything that the
 * positions of a sample share, whatever `sharing` gave the bases. Twice its backward passes, and of each
 * 2·width·outputs·(width + outputs) flops a block.
 */
export function ekfac(given: GivenModel | GivenGraphModel, options: GraphKroneckerOptions = {}): EigenvalueCorrected {
  if (isGivenGraph(given)) {
    const { walk, sharing } = openGraphWalk(given, options, 'ekfac');
    const { factors } = sumGraphFactors(walk, sharing);
    const bases = factors.map((own) => kroneckerBasis(own, walk.blas));
    const eigenvalues = graphEigenvalues(walk, factors, bases);
    return corrected({ blocks: factors, bases, eigenvalues }, precisionOf(walk.model.parameters), walk.blas);
  }
  const model = asModel(given, 'ekfac');
  const backed = withBlas(options, KRONECKER_KEYS, 'ekfac');
  const { blas } = backed;
  const walk = openWalk(model, backed);
  const bases = sumKroneckerFactors(walk).map((factors) => kroneckerBasis(factors, blas));
  const eigenvalues = sumEigenvalues(walk, bases);
  return corrected({ blocks: model.network.layers, bases, eigenvalues }, precisionOf(model.parameters), blas);
}

/** Blocks, their bases and eigenvalues in these. */
interface Corrections {
  readonly blocks: readonly LayerBlock[];
  readonly bases: readonly KroneckerBasis[];
  readonly eigenvalues: readonly Matrix[];
}

function corrected({ blocks, bases, eigenvalues }: Corrections, precision: Precision, blas: Blas): EigenvalueCorrected {
  const layers = blocks.map((layer, ℓ) => eigenBlock(layer, bases[ℓ], eigenvalues[ℓ], precision));
  return {
    ...eigenOperator(layers, precision, blas),
    precision,
    solver(asked) {
      requireKnownOptions(asked, INVERSE_KEYS, 'solver', 'solver({ damping: 1e-3 }), damping λ ≥ 0 is needed');
      const { damping } = asked;
      checkDamping(damping);
      const inverse = layers.map((layer, ℓ) => ({
        ...layer,
        eigenvalues: dampedReciprocals(layer.eigenvalues, damping, precision, ℓ),
      }));
      return eigenInverse(inverse, damping, precision, blas);
    },
  };
}

/**
 * The diagonal of G's layer blocks, by exact errors, in the eigenbases of a K-FAC of the same model: D_ℓ, width ×
 * outputs. Then ⟨G, U_A diag(s_A) U_Aᵀ ⊗ U_Γ diag(s_Γ) U_Γᵀ⟩ = Σ_qp s_A(q) s_Γ(p) D_ℓ(q, p). One pass over the data.
 * Throws as `kfac` does. Collective over the team's ranks.
 */
export const diagonalInBases = (
  model: Model | GraphModel,
  layers: readonly LayerBlock[],
  bases: readonly KroneckerBasis[],
  team: Team,
): Matrix[] =>
  isGraphModel(model)
    ? graphEigenvalues({ model, sampling: null, blas: team.blas, team }, layers, bases)
    : sumEigenvalues(openWalk(model, { blas: team.blas, team }), bases);

const isGraphModel = (model: Model | GraphModel): model is GraphModel => isGraphNetwork(model.network);

/** s* of each layer, width × outputs. */
function sumEigenvalues(walk: CurvatureWalk, bases: readonly KroneckerBasis[]): Matrix[] {
  const {
    model: { network },
    grams,
    blas,
    scratch,
  } = walk;
  const work = { blas, scratch };
  const add = (range: SampleRange, values: Float64Array): void =>
    eachPass(walk, range, (pass, first) => {
      const inputs = pass.inputs.map((input, ℓ) => {
        const projected = scratch.matrix(`input ${ℓ}`, input.rows, pass.count);
        blas.gemm('T', 'N', 1, bases[ℓ].input.vectors!, input, 0, projected);
        const { data } = projected;
        for (let i = 0; i < input.rows * pass.count; i++) data[i] *= data[i];
        return projected;
      });
      walkErrorGrams(
        grams,
        pass,
        first,
        (ℓ, errors, from, count) => {
          const { outputs } = network.layers[ℓ];
          const { vectors } = bases[ℓ].output;
          let squares = scratch.matrix('squares', outputs, count);
          if (errors.form === 'uniform' || errors.form === 'diagonal') {
            diagonalSquares(errors, squares);
            if (errors.form === 'diagonal' && vectors !== null) {
              // The basis of drawn errors, and errors that are known exactly: diag(Uᵀ M_i U) = (U ∘ U)ᵀ diag M_i.
              const weights = scratch.matrix('weights', outputs, outputs);
              for (let i = 0; i < outputs * outputs; i++) weights.data[i] = vectors.data[vectors.offset + i] ** 2;
              const projected = scratch.matrix('projected', outputs, count);
              blas.gemm('T', 'N', 1, weights, squares, 0, projected);
              squares = projected;
            }
          } else projectSquares(errors, vectors!, squares, work);
          blas.gemm(
            'N',
            'T',
            walk.outputWeight,
            columnsOf(inputs[ℓ], from, count),
            squares,
            1,
            layerWeights(network.layers[ℓ], values),
          );
        },
        work,
      );
    });
  const { communicator, model } = walk;
  const sums = sumSamples({ samples: model.data.samples, numbers: network.parameters, communicator, add });
  return network.layers.map(({ offset, width, outputs }) =>
    view(sums.slice(offset, offset + width * outputs), 0, width, outputs),
  );
}
