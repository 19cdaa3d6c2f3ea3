/**
 * The table of a network of layers: it is trained, and approximations of its Gauss–Newton matrix are compared at two
 * budgets of memory, from products alone.
 */
import { NonFiniteError } from '../core/errors.js';
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import { meanLoss } from '../layers/gradient.js';
import type { GivenGraphModel } from '../layers/graph-model.js';
import { trainedPart, type ChooseBlock } from '../layers/trained-part.js';
import { initialParameters, type GraphNetwork } from '../layers/graph-network.js';
import type { DataSet } from '../network/data-set.js';
import type { TeamControl } from '../parallel/team-control.js';
import { numbersEach } from '../tape/shape.js';
import { adam } from '../training/optimizers/first-order.js';
import { train } from '../training/train.js';
import { planTable, tableBudgets } from './table-plan.js';
import type { TableRecord } from './table-record.js';
import { compareRows, recordRows, requireRoom } from './table-rows.js';

/** Shares of the dense matrix where nobody says. */
const LOW = 0.01;
const HIGH = 0.05;

/** The network, its training, and what is compared. */
export interface GraphTableSetup {
  readonly network: GraphNetwork;
  /** What it is called. */
  readonly title: string;
  /** Which blocks the matrix is of, by name; default: all that are trained. */
  readonly part?: ChooseBlock | undefined;
  readonly data: DataSet & { readonly name: string };
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly methods: readonly string[];
  readonly seed: number;
  /** Vectors that products are timed with. Default 1. */
  readonly vectors?: number | undefined;
  readonly memoryLimit?: number | undefined;
}

/**
 * Runs the whole table, as `runTable` does for perceptrons; errors are those of sampled columns, with their intervals.
 * Throws as `runTable`.
 */
export async function runGraphTable(setup: GraphTableSetup, control: TeamControl): Promise<TableRecord> {
  const began = performance.now();
  const { network: whole, title, part, data, seed, vectors = 1, epochs, batchSize, learningRate } = setup;
  const { team } = control;
  const start = { network: whole, parameters: initialParameters(whole, { seed, precision: 'f64' }) };
  const size = (part === undefined ? start : trainedPart(start, part)).network.trained;
  const budgets = tableBudgets(size, setup.low ?? Math.min(LOW, setup.high ?? 1), setup.high ?? HIGH);
  const plan = planTable(setup.methods, budgets);
  requireRoom(budgets.high, size, setup.memoryLimit);
  const trained = await train(
    { ...start, data },
    { optimizer: adam({ learningRate }), epochs, batchSize, seed },
    control,
  );
  if (trained.outcome === 'diverged') throw new NonFiniteError(trained.failure!, { steps: trained.steps });
  const seconds = (performance.now() - began) / 1000;
  const all = { network: whole, parameters: trained.parameters };
  const { network, parameters } = part === undefined ? all : trainedPart(all, part);
  const model: GivenGraphModel = { network, parameters, data };
  const opened = performance.now();
  const operator = gaussNewton(model, { blas: team.blas, team });
  const built = (performance.now() - opened) / 1000;
  try {
    const compared = await compareRows(plan, operator, undefined, setup, control);
    const rankBound = data.samples * numbersEach(network.evaluation.output.shape);
    return {
      record: 'table',
      network: title,
      size,
      seed,
      activation: 'relu',
      loss: typeof network.loss === 'string' ? network.loss : 'cross-entropy of tokens',
      bias: true,
      samples: data.samples,
      data: data.name,
      training: {
        weights: null,
        epochs,
        batchSize,
        learningRate,
        seconds,
        losses: trained.evaluations.flatMap(({ loss: mean }) => (mean === null ? [] : [mean])),
        loss: meanLoss(model, { blas: team.blas, signal: control.signal }),
      },
      budgets,
      ...(await recordRows({ operator, compared, built, began, rankBound, vectors }, control)),
    };
  } finally {
    operator.release();
  }
}
