/**
 * The Gauss–Newton matrix of a model through products.
 */
import { withBlas } from '../../dense/default-blas.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { GraphOperator } from '../graphs/operator.js';
import { CURVATURE_KEYS, SampleOperator, type CurvatureOptions } from './sample-operator.js';

/**
 * G = (1/n) Σ_i J_iᵀQ_iJ_i, N × N, symmetric positive semi-definite of rank at most n·r: J_i = ∂a_L(x_i)/∂θ (r × N),
 * Q_i the Hessian of the loss with respect to a_L. For the losses here, exponential families in their natural
 * parameters, G is also the exact ("type-2") Fisher matrix.
 *
 * Products by the recurrence of Schraudolph (2002) in r-operator.ts, without forming J: ≈ 8nN flops a vector, less 4 n
 * times the weights of the first layer; for squared errors of linear outputs without ever forming the n·r outputs,
 * which leaves about 4nN where the last layer is the widest. Exact up to rounding of about eps·n·‖G‖. Any number of
 * vectors at once: 32 or more run at the speed of GEMM. X and the result may be of another precision than the model,
 * which decides that of the arithmetic. The passes of all samples are made and kept at once where they fit
 * `memoryLimit`; else they are made again in each product, batch by batch. The parameters must not change while the
 * operator is used (shared ones are not copied). Throws ShapeError, OptionError, MemoryError; NonFiniteError for data
 * or activations that are not finite, at once or in the product that reads them.
 *
 * Of a network of layers (`graphNetwork`) as of a perceptron, with H·u the derivative of the loss's gradient in the
 * outputs: over what is trained of θ, its first `network.trained` numbers, statistics of norms being left out. The
 * network is that of evaluation: statistics are those in θ, nothing is dropped, so that samples do not depend on each
 * other. The cross-entropy of tokens is a mean over tokens that are no padding, and G its Fisher matrix, with
 * label smoothing too. The forward passes are kept where they fit `memoryLimit`, else made again for each
 * block of up to 16 vectors, with the same bits; every vector then takes about twice their flops.
 *
 * Ranks of a team (`openTeam({ communicator })`) share the samples: each makes and keeps the passes of its own, and
 * sums of at most 16 groups of samples are added over ranks, to the bits of one. All ranks make the operator and each
 * of its products together, and where one fails all do.
 *
 * ```js
 * const network = defineNetwork({ widths: [784, 10, 784], activation: 'tanh' });
 * const parameters = initialParameters(network, 0);
 * const hessian = gaussNewton({ network, parameters, loss: 'mse', data: memoryDataSet(images, images) });
 * const y = apply(hessian, x);
 * ```
 */
export function gaussNewton(model: GivenModel, options?: CurvatureOptions): SampleOperator;
/** As before, of a network of layers. */
export function gaussNewton(model: GivenGraphModel, options?: CurvatureOptions): GraphOperator;
export function gaussNewton(
  model: GivenModel | GivenGraphModel,
  options: CurvatureOptions = {},
): SampleOperator | GraphOperator {
  const backed = withBlas(options, CURVATURE_KEYS, 'gaussNewton');
  if (isGivenGraph(model))
    return new GraphOperator(asGraphModel(model, 'gaussNewton'), { kind: 'gauss-newton' }, backed);
  return new SampleOperator(asModel(model, 'gaussNewton'), { kind: 'gauss-newton' }, backed);
}
