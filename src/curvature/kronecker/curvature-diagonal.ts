/**
 * The diagonal of the Gauss–Newton matrix, or of the Hessian, from the data itself, read once, batch by batch.
 * diag(ℓ, p, q) = (1/n) Σ_i ā_{ℓ−1,i}(q)² ‖Δ_{ℓ,i}(:, p)‖² with Δ_ℓ the backpropagated columns of S (Q = S Sᵀ): one
 * GEMM a layer of the squared inputs with the squared norms of the units' errors, which come from layer-gram-walk.ts in
 * the form that is cheapest at each layer. What the Hessian has besides: hessian-diagonal.ts.
 */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import type { Matrix } from '../../dense/matrix.js';
import { sumSamples, type SampleRange } from '../../distributed/sample-groups.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { layerWeights } from '../../network/network.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { diagonalOperator } from '../../operator/diagonal-operator.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { Team } from '../../parallel/team.js';
import { walkErrorGrams } from './layer-gram-walk.js';
import { columnsOf, diagonalSquares, type DenseGrams } from './layer-grams.js';
import { checkCount, eachPass, openWalk } from './factors.js';
import { graphDiagonal } from './graph-diagonal.js';
import { addSecondOrder } from './hessian-diagonal.js';

/** Options of {@link curvatureDiagonal}. */
export interface DiagonalOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Samples read at a time. Default: up to 1024, fewer for wide networks. */
  readonly batchSize?: number | undefined;
  /** Of which matrix: G, or the Hessian H of the mean loss. Default 'gauss-newton'. */
  readonly kind?: 'gauss-newton' | 'hessian' | undefined;
  /** Ranks of its communicator share the samples, all of them together; its backend is the default. */
  readonly team?: Team | undefined;
}
/** The keys of {@link DiagonalOptions}. */
const DIAGONAL_KEYS: KeysOf<DiagonalOptions> = { blas: true, batchSize: 'number', kind: true, team: true };

/** diag G, or diag H, as an operator. */
export interface CurvatureDiagonal extends LinearOperator {
  /** The diagonal, N numbers. */
  readonly values: Float64Array;
  readonly bytes: number;
}

/**
 * diag(G) as an operator, exact up to rounding of about n·eps of each entry: all terms are nonnegative. In double
 * precision whatever the model's; N numbers, and the memory of a batch while it is made: n is not limited. ≈ 2nN flops
 * after the errors' norms, which for squared errors of linear outputs cost little and else up to 2nrN.
 *
 * With { kind: 'hessian' } diag(H), H = ∇²f(θ) of the mean loss (`hessian`): entries of either sign, exact up to
 * rounding of about n·eps of the sums of their terms' sizes. Its entry for the weight from input q to unit p of layer ℓ
 * is (1/n) Σ_i ā_{ℓ−1,i}(q)²·H_{ℓ,i}(p, p), H_ℓ the Hessian with respect to z_ℓ; biases have ā = 1. Twice the cost
 * where there is one hidden layer, or φ″ = 0 (relu, linear: where outputs are linear too, H and G have one diagonal);
 * else 2n·d_ℓ·d_{ℓ+1}·(d_ℓ + d_{ℓ+1}) flops more for each hidden layer ℓ of d_ℓ units but the last, in slabs of
 * samples of some 32 MB. Targets are checked. Throws ShapeError, OptionError, NonFiniteError.
 *
 * Of a network of layers diag(G) over what is trained of θ, all terms of the loss: a backward pass for every output of
 * every sample, of tokens for every class at every position. OptionError for its Hessian, whose diagonal
 * `estimateDiagonal` estimates, or finds by as many products as there are rows.
 */
export function curvatureDiagonal(
  given: GivenModel | GivenGraphModel,
  options: DiagonalOptions = {},
): CurvatureDiagonal {
  const { blas, batchSize, kind = 'gauss-newton', team } = withBlas(options, DIAGONAL_KEYS, 'curvatureDiagonal');
  if (kind !== 'gauss-newton' && kind !== 'hessian')
    throw new OptionError(`kind must be 'gauss-newton' or 'hessian', not ${describe(kind)}.`, { option: 'kind' });
  if (isGivenGraph(given)) {
    if (kind === 'hessian')
      throw new OptionError(
        'The diagonal of the Hessian of a network of layers has no closed form: estimateDiagonal(hessian(model)) ' +
          'estimates it, and is exact with as many products as there are rows.',
        { option: 'kind', kind },
      );
    if (batchSize !== undefined) checkCount(batchSize, 'batchSize: the samples read at a time');
    return asOperator(graphDiagonal(asGraphModel(given, 'curvatureDiagonal'), { kind, blas, batchSize, team }));
  }
  const model = asModel(given, 'curvatureDiagonal');
  const walk = openWalk(model, { blas, batchSize, team });
  const { network } = model;
  const { grams, scratch, inputWeight, communicator } = walk;
  const add = (range: SampleRange, values: Float64Array): void =>
    eachPass(
      walk,
      range,
      (pass, firstSample) => {
        walkErrorGrams(
          grams,
          pass,
          firstSample,
          (ℓ, errors, first, count) => {
            const layer = network.layers[ℓ];
            const { width, outputs } = layer;
            const norms = scratch.matrix('unit norms', outputs, count);
            if (errors.form === 'uniform' || errors.form === 'diagonal') diagonalSquares(errors, norms);
            else denseDiagonals(errors, norms);
            const a = columnsOf(pass.inputs[ℓ], first, count);
            const squares = scratch.matrix('squared inputs', width, count);
            for (let k = 0; k < width * count; k++) squares.data[k] = a.data[a.offset + k] ** 2;
            blas.gemm('N', 'T', inputWeight, squares, norms, 1, layerWeights(layer, values));
          },
          { blas, scratch },
        );
        if (kind === 'hessian') addSecondOrder(walk, pass, firstSample, values);
      },
      kind === 'hessian',
    );
  return asOperator(sumSamples({ samples: model.data.samples, numbers: network.parameters, communicator, add }));
}

const asOperator = (values: Float64Array): CurvatureDiagonal => ({
  ...diagonalOperator(values),
  values,
  bytes: values.byteLength,
});

/** norms (d × count, contiguous from 0) ← diag M_i. */
function denseDiagonals(grams: DenseGrams, norms: Matrix): void {
  const { data: out, rows: d, cols: count } = norms;
  switch (grams.form) {
    case 'softmax': {
      // φ′²p(1 − p): roots = φ′√p.
      const {
        roots,
        softmax: { complements },
      } = grams;
      for (let k = 0; k < d * count; k++)
        out[k] = roots.data[roots.offset + k] ** 2 * complements.data[complements.offset + k];
      return;
    }
    case 'shared': {
      const { gram, slopes } = grams;
      for (let i = 0, k = 0; i < count; i++)
        for (let p = 0; p < d; p++, k++)
          out[k] =
            gram.data[gram.offset + p * (gram.ld + 1)] * (slopes === null ? 1 : slopes.data[slopes.offset + k] ** 2);
      return;
    }
    case 'columns': {
      const { columns, each } = grams;
      out.fill(0, 0, d * count);
      for (let j = 0, k = columns.offset; j < count * each; j++) {
        const to = Math.floor(j / each) * d;
        for (let p = to; p < to + d; p++, k++) out[p] += columns.data[k] ** 2;
      }
      return;
    }
    case 'grams':
      for (let i = 0, k = 0; i < count; i++)
        for (let p = 0; p < d; p++, k++) out[k] = grams.grams.data[grams.grams.offset + k * d + p];
  }
}
