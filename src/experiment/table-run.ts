/**
 * The table: a network is trained, its Gauss–Newton Hessian approximated by every method at two budgets of memory, and
 * each approximation measured.
 */
import { throwIfAborted } from '../core/context.js';
import { MemoryError, NonFiniteError, OptionError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import { approximateSubject } from '../approximation/approximate.js';
import type { Approximation } from '../approximation/approximation.js';
import { denseBytes } from '../approximation/budget.js';
import { CANCELLED, EXACT_SIZE, operatorErrors, SAMPLED_COLUMNS } from '../approximation/operator-error.js';
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import { gaussNewtonNorm } from '../curvature/eigenbasis/norm.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import { availableMemory, peakMemory } from '../io/machine.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import type { ActivationName } from '../network/activations/table.js';
import { meanLoss } from '../network/gradient.js';
import { initialParameters } from '../network/initialize.js';
import type { LossName } from '../network/losses/table.js';
import type { Model } from '../network/model.js';
import { defineNetwork } from '../network/network.js';
import { readWeights } from '../network/weights-file.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { adam } from '../training/optimizers/first-order.js';
import { train } from '../training/train.js';
import { randomVectors } from './compression-run.js';
import { median } from '../core/median.js';
import { measureDgemm } from './dgemm-rate.js';
import { named } from './named-progress.js';
import { networkData, type NetworkSamples } from './network-data.js';
import { circumstances } from './record.js';
import { planTable, tableBudgets, type PlannedRow } from './table-plan.js';
import type { TableRecord, TableRow } from './table-record.js';
import type { EigenvalueEstimate } from '../approximation/methods/method.js';
import { requireMemory } from '../core/memory.js';

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

/** Products that are timed at most, after one that is not; no more are begun after so many seconds. */
const PRODUCTS = 9;
const TIME_LIMIT_SECONDS = 0.75;
const LANCZOS_STEPS = 100;
/** Bytes of approximations that wait for the measurement of their errors, which they share. */
const WAITING_BYTES = 1.5e9;

/** Errors that a construction knows to be below this are those of rounding: columns are compared. */
const ROUNDING = 1e-10;
/** Where columns are compared, all of them up to this size. */
const COMPARED_SIZE = 4096;

interface Waiting {
  readonly approximation: Approximation;
  readonly row: Omit<TableRow, 'error' | 'compared'>;
}

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

/** The median time of a product with `vectors` seeded vectors. */
async function timeProduct(
  operator: LinearOperator,
  vectors: number,
  seed: number,
  control: TeamControl,
): Promise<number> {
  const x = randomVectors(operator.rows, vectors, seed);
  const y = view(sharedFloat64(operator.rows * vectors), 0, operator.rows, vectors);
  const times: number[] = [];
  const began = performance.now();
  for (let k = 0; k <= PRODUCTS; k++) {
    // Products are synchronous: let signals in between them.
    await new Promise(setImmediate);
    throwIfAborted(control.signal);
    const start = performance.now();
    operator.applyUnchecked(y, x, 1, 0);
    const end = performance.now();
    if (k > 0) times.push((end - start) / 1000);
    if (times.length > 0 && end - began > 1000 * TIME_LIMIT_SECONDS) break;
  }
  return median(times);
}

async function smallestEigenvalue(
  { operator, smallestEigenvalue: known }: Approximation,
  seed: number,
  memoryLimit: number | undefined,
  control: TeamControl,
): Promise<EigenvalueEstimate> {
  if (known !== undefined) return known;
  const { smallest } = await extremeEigenvalues(
    operator,
    {
      blas: control.team.blas,
      seed,
      maxIterations: LANCZOS_STEPS,
      memoryLimit,
    },
    control,
  );
  return smallest;
}

/** One row without its error; undefined with a reason where the method does not fit budget or memory. */
async function makeRow(
  planned: PlannedRow,
  operator: LinearOperator,
  source: EntrySource,
  setup: TableSetup,
  control: TeamControl,
): Promise<Waiting | string> {
  const { seed, memoryLimit, vectors = 1 } = setup;
  let approximation: Approximation;
  try {
    approximation = await approximateSubject(
      operator,
      planned.method,
      { share: planned.share },
      { source, seed, memoryLimit },
      control,
    );
  } catch (error) {
    if (error instanceof MemoryError || (error instanceof OptionError && typeof error.data['least'] === 'number'))
      return error.message;
    throw error;
  }
  try {
    const apply = await timeProduct(approximation.operator, vectors, seed, control);
    const began = performance.now();
    const { value, bound } = await smallestEigenvalue(approximation, seed, memoryLimit, control);
    const { bytes, share, seconds: build, details, note } = approximation;
    const row = {
      method: planned.name,
      share,
      bytes,
      budget: planned.share,
      lambdaMin: value,
      lambdaMinBound: bound,
      seconds: { build, apply, eigenvalues: (performance.now() - began) / 1000 },
      details,
      note,
    };
    return { approximation, row };
  } catch (error) {
    approximation.release();
    throw error;
  }
}

/** What errors are measured against. */
interface Exact {
  readonly source: EntrySource;
  readonly model: Model;
  /** ‖G‖_F as soon as it is known. */
  norm?: number | undefined;
}

/**
 * ‖G‖_F from the approximations that wait, else, where one of them can use it, from the model; undefined where that
 * takes more than a sample of columns, or more memory than there is.
 */
async function exactNorm(
  waiting: readonly Waiting[],
  { model, source, norm }: Exact,
  memoryLimit: number | undefined,
  control: TeamControl,
): Promise<number | undefined> {
  const known = norm ?? waiting.find(({ approximation }) => approximation.exactNorm !== undefined);
  if (known !== undefined) return typeof known === 'number' ? known : known.approximation.exactNorm;
  if (source.size > EXACT_SIZE || !waiting.some(({ approximation }) => approximation.squaredError !== undefined))
    return undefined;
  try {
    return await gaussNewtonNorm(model, { memoryLimit }, control);
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/** An error that the form tells from ‖G‖_F; undefined where it does not, or where what is left is rounding. */
async function errorFromNorm(
  { knownError, squaredError }: Approximation,
  norm: number | undefined,
): Promise<number | undefined> {
  if (knownError !== undefined) return knownError >= ROUNDING ? knownError : undefined;
  if (squaredError === undefined || norm === undefined || !(norm > 0)) return undefined;
  const square = await squaredError(norm);
  return square > CANCELLED ? Math.sqrt(square) : undefined;
}

/**
 * The errors of approximations that wait: exact from ‖G‖_F where the form tells them; else of all columns up to
 * N = 4,096, beyond of a sample with its interval, each exact column computed once for all. The approximations are
 * released.
 */
async function measureAll(
  waiting: Waiting[],
  exact: Exact,
  { seed, memoryLimit }: TableSetup,
  control: TeamControl,
): Promise<TableRow[]> {
  const { source } = exact;
  const { size } = source;
  try {
    exact.norm = await exactNorm(waiting, exact, memoryLimit, control);
    const errors = new Map<Waiting, ErrorEstimate>();
    const compared: Waiting[] = [];
    for (const one of waiting) {
      throwIfAborted(control.signal);
      const relative = await errorFromNorm(one.approximation, exact.norm);
      if (relative === undefined) compared.push(one);
      else errors.set(one, { relative, low: relative, high: relative, exact: true, columns: size });
    }
    const measured = await operatorErrors(
      source,
      compared.map(({ approximation }) => approximation.operator),
      { seed, columns: size <= COMPARED_SIZE ? size : SAMPLED_COLUMNS },
      control,
    );
    compared.forEach((one, k) => errors.set(one, measured[k]));
    return waiting.map((one) => {
      const { method, share, ...rest } = one.row;
      return { method, share, error: errors.get(one)!, compared: compared.includes(one), ...rest };
    });
  } finally {
    for (const { approximation } of waiting) approximation.release();
    waiting.length = 0;
  }
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
  const rows: TableRow[] = [];
  const skipped: { method: string; reason: string }[] = [];
  let measuring = 0;
  const waiting: Waiting[] = [];
  try {
    const apply = await timeProduct(operator, vectors, seed, control);
    const { largest } = await extremeEigenvalues(
      operator,
      { blas: team.blas, seed, maxIterations: LANCZOS_STEPS, tolerance: 1e-4 },
      control,
    );
    const source = gaussNewtonSource(model, { blas: team.blas, operator });
    const exact: Exact = { source, model };
    const flush = async (): Promise<void> => {
      const at = performance.now();
      rows.push(...(await measureAll(waiting, exact, setup, control)));
      measuring += (performance.now() - at) / 1000;
    };
    for (const planned of plan) {
      throwIfAborted(control.signal);
      const made = await makeRow(planned, operator, source, setup, named(planned.name, control));
      if (typeof made === 'string') skipped.push({ method: planned.name, reason: made });
      else waiting.push(made);
      if (waiting.reduce((sum, { approximation }) => sum + approximation.bytes, 0) > WAITING_BYTES) await flush();
    }
    await flush();
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
      exact: {
        bytes: operator.bytes,
        share: operator.bytes / denseBytes(size),
        seconds: { build: built, apply },
        lambdaMax: largest.value,
        lambdaMaxBound: largest.bound,
        rankBound: Math.min(size, samples * model.network.outputs),
      },
      rows,
      skipped,
      vectors,
      gflops: { dgemm: await measureDgemm(team, control) },
      seconds: { error: measuring, total: (performance.now() - began) / 1000 },
      memory: { peakBytes: peakMemory() },
      workers: team.workers,
      blas: team.blas.description,
      ...circumstances(),
    };
  } finally {
    for (const { approximation } of waiting) approximation.release();
    operator.release();
  }
}

/** The largest rows need their own bytes, and about as much again while they are made. Throws MemoryError. */
function requireRoom(high: number, size: number, memoryLimit: number | undefined): void {
  const needed = 2 * high * denseBytes(size);
  requireMemory(needed, memoryLimit ?? availableMemory(), {
    what: `Approximations of ${(100 * high).toPrecision(3)} % of a ${size} × ${size} matrix need, while they are made,`,
    advice: 'lower --high, or raise --memory-limit.',
  });
}
