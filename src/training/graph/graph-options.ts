/**
 * What the objective of a network of layers is opened with, and its checks.
 */
import { OptionError } from '../../core/errors.js';
import type { Precision } from '../../core/floats.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import type { Pass } from '../../layers/network-plan.js';
import { graphSlices } from '../../layers/slices.js';
import type { Team } from '../../parallel/team.js';
import { placeOf } from '../../distributed/sample-ranks.js';
import type { CurvatureKind } from '../objective/workspace.js';
import type { GraphWorkspaceOptions } from './workspace.js';

/** What a graph objective is opened with; as PerceptronObjectiveOptions. */
export interface GraphObjectiveOptions {
  readonly network: GraphNetwork;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly curvature?: CurvatureKind | undefined;
  readonly spare?: number | undefined;
  readonly regularization?: number | undefined;
  readonly seed?: number | undefined;
  /** Beyond so many bytes forward passes are made again in parts. Default: what is free. */
  readonly memoryLimit?: number | undefined;
  readonly blas: Blas;
  readonly team?: Team | undefined;
}

const PASSES: Readonly<Record<CurvatureKind, readonly Pass[]>> = {
  none: [],
  'gauss-newton': ['gauss-newton', 'tangent', 'draw'],
  hessian: ['hessian', 'tangent', 'draw'],
};

/** What a workspace is laid out for. Throws OptionError. */
export function graphWorkspaceOptions(options: GraphObjectiveOptions): GraphWorkspaceOptions {
  const {
    network,
    precision,
    batchSize,
    curvature = 'none',
    spare = 0,
    regularization = 0,
    seed = 0,
    memoryLimit,
    team,
  } = options;
  if (!(regularization >= 0 && regularization < Infinity))
    throw new OptionError(`regularization is ${regularization}: it is a number of at least 0.`, { regularization });
  return {
    network,
    precision,
    capacity: batchSize,
    passes: PASSES[curvature],
    seed,
    regularization,
    workers: team?.workers ?? 1,
    spare,
    memoryLimit,
    results: sharedFloat64(graphSlices(batchSize, sliceSamples(network))),
    place: placeOf(team?.communicator),
  };
}
