/**
 * What the objective of a perceptron is opened with, and its checks.
 */
import { OptionError } from '../../core/errors.js';
import type { Precision } from '../../core/floats.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { lossOf, type LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';
import type { Team } from '../../parallel/team.js';
import { checkCode, type Code } from './code.js';
import { kernelLoss } from './passes.js';
import { placeOf } from '../../distributed/sample-ranks.js';
import type { CurvatureKind, WorkspaceOptions } from './workspace.js';

/** What an objective is opened with. */
export interface PerceptronObjectiveOptions {
  readonly network: Network;
  readonly loss: LossName;
  readonly precision: Precision;
  /** Most samples of a batch. */
  readonly batchSize: number;
  /** Curvature that will be asked for. Default 'none'. */
  readonly curvature?: CurvatureKind | undefined;
  /** A Gaussian code behind one of the layers. Its Gauss–Newton curvature alone is known. Default none. */
  readonly code?: Code | null | undefined;
  /** Numbers that `vector` and `take` will hand out besides. Default 0. */
  readonly spare?: number | undefined;
  /** Share of hidden units that are zeroed in `evaluate`, at least 0 and below 1. Default 0. */
  readonly dropout?: number | undefined;
  readonly regularization?: number | undefined;
  /** Seeds dropout and signs. Default 0. */
  readonly seed?: number | undefined;
  /** Most bytes that may be taken. Default: what there is. */
  readonly memoryLimit?: number | undefined;
  /** Whether the data's inputs were turned, so that Σ x̄x̄ᵀ of the first layer is diagonal. Default false. */
  readonly rotatedInputs?: boolean | undefined;
  readonly blas: Blas;
  /** Works on one thread without one. Ranks of its communicator share the samples, and call the same methods each. */
  readonly team?: Team | undefined;
}

/** A loss and a count for each of at most sixteen slices. */
const MOST_RESULTS = 64;

/** What a workspace is laid out for. Throws OptionError. */
export function workspaceOptions(options: PerceptronObjectiveOptions): WorkspaceOptions {
  const { network, loss, precision, batchSize, code = null, dropout = 0, regularization = 0 } = options;
  lossOf(loss);
  if (code !== null) checkCode(network, code, options.curvature);
  if (!(dropout >= 0 && dropout < 1))
    throw new OptionError(`dropout is ${dropout}: it is a share of at least 0 and below 1.`, { dropout });
  if (!(regularization >= 0 && regularization < Infinity))
    throw new OptionError(`regularization is ${regularization}: it is a number of at least 0.`, { regularization });
  if ((options.curvature ?? 'none') !== 'none' && kernelLoss(loss, network.outputs) === null)
    throw new OptionError(
      `Optimizers that use curvature do not know the loss "${loss}" yet: take one of the first order (adam).`,
      { loss },
    );
  return {
    network,
    loss,
    precision,
    capacity: batchSize,
    curvature: options.curvature ?? 'none',
    code,
    dropout,
    regularization,
    seed: options.seed ?? 0,
    spare: options.spare ?? 0,
    results: sharedFloat64(MOST_RESULTS),
    workers: options.team?.workers ?? 1,
    place: placeOf(options.team?.communicator),
  };
}
