/**
 * Diagonals of curvature of networks of layers: sums of squares of J_iᵀs over the columns s of each sample's Q_i^{1/2},
 * over its gradient, or over gradients at drawn labels, one backward pass each, in double precision.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { sumSamples } from '../../distributed/sample-groups.js';
import type { GraphModel } from '../../layers/graph-model.js';
import { Passes } from '../../layers/passes.js';
import { eachSample } from '../../layers/read-samples.js';
import { divisorOf } from '../../layers/targets.js';
import type { Team } from '../../parallel/team.js';
import { columnsOfSample, openColumns, sumColumns, type GraphWalk, type WeightedSum } from './graph-columns.js';

/** Which matrix has its diagonal summed, and how. */
export interface GraphDiagonalOptions {
  readonly kind: 'gauss-newton' | 'empirical-fisher' | 'monte-carlo-fisher';
  readonly blas: Blas;
  /** Samples read at a time. Default 256. */
  readonly batchSize?: number | undefined;
  /** Labels drawn for each sample, and their seed, of 'monte-carlo-fisher'. */
  readonly draws?: number | undefined;
  readonly seed?: number | undefined;
  /** Ranks of its communicator share the samples. */
  readonly team?: Team | undefined;
}

/** Backward passes of a sample up to which a diagonal is made without being asked for: about those of 500 products. */
const AFFORDABLE = 1024;

/** Whether an operator should offer its exact diagonal: outputs of a sample are not too many for a pass each. */
export const isAffordable = (model: GraphModel, kind: GraphDiagonalOptions['kind']): boolean =>
  kind !== 'gauss-newton' || columnsOfSample(model) <= AFFORDABLE;

/**
 * The diagonal over what is trained of θ, all terms nonnegative: 'gauss-newton' a backward pass for every output of
 * every sample, 'empirical-fisher' one a sample, 'monte-carlo-fisher' one a draw, of the matrix that `monteCarloFisher`
 * makes of the same seed. Collective over the team's ranks. Throws NonFiniteError, and as `readSamples`.
 */
export function graphDiagonal(model: GraphModel, options: GraphDiagonalOptions): Float64Array {
  const { kind, blas, batchSize, draws = 1, seed = 0, team } = options;
  const { trained } = model.network;
  const addTo =
    (values: Float64Array) =>
    (gradient: FloatArray): void => {
      for (let k = 0; k < trained; k++) values[k] += gradient[k] ** 2;
    };
  const sampling = kind === 'gauss-newton' ? null : { draws, seed, of: 'labels' as const };
  const { sums: values, weight } =
    kind === 'empirical-fisher'
      ? sumGradients(model, options, addTo)
      : sumSquares({ model, sampling, batchSize, blas, team }, addTo);
  for (let k = 0; k < values.length; k++) {
    values[k] *= weight;
    if (!Number.isFinite(values[k]))
      throw new NonFiniteError(`The diagonal at parameter ${k} is ${values[k]}: parameters or data are too large.`, {
        parameter: k,
        value: values[k],
      });
  }
  return values;
}

/** A sum over columns, and what it is to be multiplied by for a mean. */
function sumSquares(walk: GraphWalk, addTo: (sums: Float64Array) => (gradient: FloatArray) => void): WeightedSum {
  const columns = openColumns(walk);
  return sumColumns(walk, {
    numbers: walk.model.network.trained,
    add: (range, sums) => {
      const add = addTo(sums);
      return columns.each(range, { column: (_, gradient) => add(gradient) });
    },
  });
}

/** A sum over the gradients of every sample's loss, and what it is to be multiplied by for a mean. */
function sumGradients(
  model: GraphModel,
  { blas, batchSize, team }: GraphDiagonalOptions,
  addTo: (sums: Float64Array) => (gradient: FloatArray) => void,
): WeightedSum {
  const { network, data } = model;
  const { trained } = network;
  const parameters = Float64Array.from(model.parameters);
  const passes = new Passes({ network, parameters, samples: 1, gradient: true, blas });
  const all = sumSamples({
    samples: data.samples,
    numbers: trained + 1,
    communicator: team?.communicator,
    add: (range, sums) => {
      const add = addTo(sums);
      sums[trained] += eachSample(model, batchSize, range, (sample) => {
        passes.eachSlice(sample, () => add(passes.gradient));
      });
    },
  });
  return { sums: all.subarray(0, trained), weight: 1 / divisorOf(all[trained]) };
}
