/**
 * K-FAC: the Gauss–Newton Hessian as a block diagonal of Kronecker products, one for each layer.
 * J. Martens, R. Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", ICML 2015, arXiv
 * 1503.05671. It drops the blocks between layers and takes inputs and errors for independent; the last layer's block is
 * exact where Q_i is the same for all samples and the output is linear (the squared losses), and so is a network of
 * that one layer.
 */
import { precisionOf } from '../../core/floats.js';
import { requireKnownOptions } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import type { Precision } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { kroneckerBasis, type KroneckerBasis } from './basis.js';
import {
  openWalk,
  sumKroneckerFactors,
  type KroneckerFactors,
  type KroneckerOptions,
  type SymmetricFactor,
  KRONECKER_KEYS,
} from './factors.js';
import { sumGraphFactors, type BlockRule, type WeightSharing } from './graph-factors.js';
import { openGraphWalk, type GraphKroneckerOptions } from './graph-walk.js';
import {
  DAMPING_KEYS,
  exactDampedInverse,
  factoredDampedInverse,
  type DampedInverse,
  type DampingOptions,
} from './damped-inverse.js';
import {
  bytesOfArrays,
  inPrecision,
  layerBlockOperator,
  multiplyRight,
  scaleColumnsRight,
  type LayerBlock,
} from './layer-blocks.js';

export { KRONECKER_KEYS, type KroneckerOptions, type SymmetricFactor } from './factors.js';
export type { DampedInverse, DampingOptions } from './damped-inverse.js';

/** A layer's block A ⊗ Γ: on W̄ᵀ-shaped V (width × outputs) the map A·V·Γ. */
export interface KroneckerBlock extends LayerBlock {
  /** A_{ℓ−1} = (1/n) Σ ā āᵀ, width × width, both triangles. */
  readonly input: KroneckerFactors['input'];
  /** Γ_ℓ = (1/n) Σ ΔᵀΔ, outputs × outputs. */
  readonly output: SymmetricFactor;
}

/** The K-FAC matrix as an operator, and its damped inverses. */
export interface KroneckerFactored extends LinearOperator {
  readonly precision: Precision;
  readonly layers: readonly KroneckerBlock[];
  /** Bytes of the factors' arrays: width² + outputs² numbers a layer, width² + outputs where Γ is diagonal. */
  readonly bytes: number;
  /**
   * (K + λI)⁻¹ as an operator. 'exact' (default) divides in the eigenbases, found on the first call and kept;
   * 'factored-tikhonov' is (A + πγI)⁻¹ ⊗ (Γ + (γ/π)I)⁻¹ with γ = √λ and π = √[(tr A/dim A)/(tr Γ/dim Γ)] (arXiv
   * 1503.05671, §6.3), a different matrix. Throws OptionError, and NotPositiveDefiniteError where λ is too small for a
   * singular block.
   */
  solver(options: DampingOptions): DampedInverse;
}

/** K-FAC of a network of layers. */
export interface GraphKroneckerFactored extends KroneckerFactored {
  readonly sharing: WeightSharing;
  /** Of every block of `layers`, whether it has two factors or its diagonal alone. */
  readonly rules: readonly BlockRule[];
}

/**
 * K-FAC of the model's Gauss–Newton Hessian G = (1/n) Σ J_iᵀ Q_i J_i: K = blockdiag(A_{ℓ−1} ⊗ Γ_ℓ), symmetric positive
 * semi-definite, N × N in the order of the parameters. Data is streamed in batches; sums are in double precision, and
 * the factors rounded to the precision of the parameters. The draws of 'monte-carlo' estimate Γ without bias: with m
 * draws, E‖Γ̂ − Γ‖_F² = (1/(m n²)) Σ_i (E‖δ_i‖⁴ − ‖M_i‖_F²) for errors δ_i of second moment M_i, (tr M_i)² + ‖M_i‖_F²
 * in the bracket for the squared losses. Cost: n Σ width² flops for A; for Γ see `layer-gram-plan.ts`. Ranks of a
 * `team` share the samples and get the factors of one rank, to the bit; they call it together. Throws ShapeError,
 * OptionError and NonFiniteError.
 *
 * Of a network of layers, over what is trained of θ: weights of dense layers and convolutions have a block A ⊗ Γ each,
 * shared over positions as `sharing` says (graph-factors.ts), every other block its own diagonal of G (`rules`). The
 * network is that of evaluation. One sample at a time, each with a backward pass for every output, of tokens for every
 * class at every position; with 'monte-carlo' one for every draw, of signs.
 */
export function kfac(model: GivenGraphModel, options?: GraphKroneckerOptions): GraphKroneckerFactored;
/** As before; what is known of a network of layers alone is left out where it may be either. */
export function kfac(model: GivenModel | GivenGraphModel, options?: KroneckerOptions): KroneckerFactored;
export function kfac(
  given: GivenModel | GivenGraphModel,
  options: GraphKroneckerOptions = {},
): KroneckerFactored | GraphKroneckerFactored {
  if (isGivenGraph(given)) {
    const { walk, sharing } = openGraphWalk(given, options, 'kfac');
    const { factors, rules } = sumGraphFactors(walk, sharing);
    return { ...kroneckerFactored(factors, precisionOf(walk.model.parameters), walk.blas), sharing, rules };
  }
  const model = asModel(given, 'kfac');
  const backed = withBlas(options, KRONECKER_KEYS, 'kfac');
  const factors = sumKroneckerFactors(openWalk(model, backed));
  const blocks = model.network.layers.map(({ offset, width, outputs }, ℓ) => ({
    offset,
    width,
    outputs,
    ...factors[ℓ],
  }));
  return kroneckerFactored(blocks, precisionOf(model.parameters), backed.blas);
}

function kroneckerFactored(
  factors: readonly (LayerBlock & KroneckerFactors)[],
  precision: Precision,
  blas: Blas,
): KroneckerFactored {
  const layers = factors.map(({ offset, width, outputs, input, output }): KroneckerBlock => ({
    offset,
    width,
    outputs,
    input: inPrecision(input, precision),
    output: roundFactor(output, precision),
  }));
  const operator = layerBlockOperator(layers, precision, ({ input, output }, v, spare) => {
    blas.gemm('N', 'N', 1, input, v, 0, spare);
    if (output.kind === 'dense') {
      multiplyRight(spare, 'N', output.matrix, v, blas);
      return v;
    }
    scaleColumnsRight(spare, output.values);
    return spare;
  });
  let bases: KroneckerBasis[] | undefined;
  return {
    ...operator,
    precision,
    layers,
    bytes: bytesOfArrays(
      layers.flatMap(({ input, output }) => [input.data, output.kind === 'dense' ? output.matrix.data : output.values]),
    ),
    solver: (damping) => {
      requireKnownOptions(damping, DAMPING_KEYS, 'solver', 'solver({ damping: 1e-3 }), damping λ ≥ 0 is needed');
      return damping.kind === 'factored-tikhonov'
        ? factoredDampedInverse(layers, damping, precision, blas)
        : exactDampedInverse(
            layers,
            (bases ??= layers.map((layer) => kroneckerBasis(layer, blas))),
            damping,
            precision,
            blas,
          );
    },
  };
}

function roundFactor(factor: SymmetricFactor, precision: Precision): SymmetricFactor {
  if (factor.kind === 'dense') return { kind: 'dense', matrix: inPrecision(factor.matrix, precision) };
  return precision === 'f64' ? factor : { kind: 'diagonal', values: Float32Array.from(factor.values) };
}
