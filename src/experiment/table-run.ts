/**
 * The table: a network is trained, its Gauss–Newton Hessian approximated by every method at two budgets of memory, and
 * each approximation measured.
 */
import { NonFiniteError } from '../core/errors.js';
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import type { ActivationName } from '../network/activations/table.js';
import { meanLoss } from '../network/gradient.js';
import { initialParameters } from '../network/initialize.js';
import type { LossName } from '../network/losses/table.js';
import type { Model } from '../network/model.js';
import { defineNetwork } from '../network/network.js';
import { readWeights } from '../network/weights-file.js';
import type { TeamControl } from '../parallel/team-control.js';
import { adam } from '../training/optimizers/first-order.js';
import { train } from '../training/train.js';
import { networkData, type NetworkSamples } from './network-data.js';
import { planTable, tableBudgets } from './table-plan.js';
import type { TableRecord } from './table-record.js';
import { compareRows, recordRows, requireRoom } from './table-rows.js';

/** The network, its training, and what is compared. */
export interface TableSetup {
  readonly widths: readonly number[];
  /** The hidden layers' activation, or one for each layer. */
  readonly activation: ActivationName | readonly ActivationName[];
  readonly loss: LossName;
  readonly bias: boolean;
  readonly data: NetworkSamples & { readonly name: string };
  readonly samples: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Weights to begin from: a path and what to call it. */
  readonly weights?: { readonly path: string; readonly name: string } | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly methods: readonly string[];
  readonly seed: number;
  /** Vectors that products are timed with. Default 1. */
  readonly vectors?: number | undefined;
  readonly memoryLimit?: number | undefined;
}

/** What a network is trained from. */
export type TrainingSetup = Pick<
  TableSetup,
  | 'widths'
  | 'activation'
  | 'loss'
  | 'bias'
  | 'data'
  | 'samples'
  | 'epochs'
  | 'batchSize'
  | 'learningRate'
  | 'weights'
  | 'seed'
>;

/** What can be found wrong before anything is opened or trained. Throws OptionError. */
export function checkTable(
  setup: Pick<TableSetup, 'widths' | 'activation' | 'bias' | 'low' | 'high' | 'methods'>,
): void {
  const { widths, activation, bias } = setup;
  const { parameters } = defineNetwork({ widths, activation, bias });
  planTable(setup.methods, tableBudgets(parameters, setup.low, setup.high));
}

/**
 * Trains, or reads the weights; the model that the Hessian is taken of, and how it came about. Throws what reading and
 * training throw, NonFiniteError where training diverges.
 */
export async function trainedModel(
  setup: TrainingSetup,
  control: TeamControl,
): Promise<{ model: Model; training: TableRecord['training'] }> {
  const { widths, activation, bias, loss, samples, epochs, batchSize, learningRate, seed, weights } = setup;
  const { blas } = control.team;
  const network = defineNetwork({ widths, activation, bias });
  const data = networkData(network, loss, setup.data, samples);
  const initial =
    weights === undefined
      ? initialParameters(network, seed)
      : (await readWeights(weights.path, network, { ...control, precision: 'f64' })).parameters;
  const began = performance.now();
  const trained = await train(
    { network, parameters: initial, loss, data },
    { optimizer: adam({ learningRate }), epochs, batchSize, seed },
    control,
  );
  if (trained.outcome === 'diverged') throw new NonFiniteError(trained.failure!, { steps: trained.steps });
  const seconds = (performance.now() - began) / 1000;
  const model: Model = { network, parameters: trained.parameters, loss, data };
  return {
    model,
    training: {
      weights: weights?.name ?? null,
      epochs,
      batchSize,
      learningRate,
      seconds,
      losses: trained.evaluations.flatMap(({ loss: mean }) => (mean === null ? [] : [mean])),
      loss: meanLoss(model, { blas, signal: control.signal }),
    },
  };
}

/**
 * Runs the whole table. Deterministic but for the times. Rows whose method does not fit its budget or the memory are
 * left out, and why is said in `skipped`. Throws OptionError, ShapeError, MemoryError (before training, where the high
 * budget cannot fit), AbortedError, and what reading, training and the methods throw.
 */
export async function runTable(setup: TableSetup, control: TeamControl): Promise<TableRecord> {
  const began = performance.now();
  const { seed, vectors = 1 } = setup;
  const { team } = control;
  const { widths, activation, bias } = setup;
  const { parameters: size } = defineNetwork({ widths, activation, bias });
  const budgets = tableBudgets(size, setup.low, setup.high);
  const plan = planTable(setup.methods, budgets);
  requireRoom(budgets.high, size, setup.memoryLimit);
  const { model, training } = await trainedModel(setup, control);
  const start = performance.now();
  const operator = gaussNewton(model, { blas: team.blas, team });
  const built = (performance.now() - start) / 1000;
  try {
    const source = gaussNewtonSource(model, { blas: team.blas, operator });
    const compared = await compareRows(plan, operator, { source, model }, setup, control);
    const { activation, loss, bias, samples, data, widths } = setup;
    return {
      record: 'table',
      network: widths.join('-'),
      size,
      seed,
      activation: typeof activation === 'string' ? activation : activation.join(','),
      loss,
      bias,
      samples,
      data: data.name,
      tables: data.tables,
      training,
      budgets,
      ...(await recordRows(
        { operator, compared, built, began, rankBound: samples * model.network.outputs, vectors },
        control,
      )),
    };
  } finally {
    operator.release();
  }
}
