/**
 * The rows of a table: approximations of one Gauss–Newton matrix, made, timed and measured.
 */
import { throwIfAborted } from '../core/context.js';
import { MemoryError, OptionError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { median } from '../core/median.js';
import { requireMemory } from '../core/memory.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import { approximateSubject } from '../approximation/approximate.js';
import type { Approximation } from '../approximation/approximation.js';
import { denseBytes } from '../approximation/budget.js';
import type { EigenvalueEstimate } from '../approximation/methods/method.js';
import { CANCELLED, EXACT_SIZE, operatorErrors, SAMPLED_COLUMNS } from '../approximation/operator-error.js';
import { gaussNewtonNorm } from '../curvature/eigenbasis/norm.js';
import type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import { availableMemory, peakMemory } from '../io/machine.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import type { Model } from '../network/model.js';
import { agreedAny } from '../distributed/agreed.js';
import { agreedMemory } from '../distributed/agreed-memory.js';
import type { Communicator } from '../distributed/communicator.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { randomVectors } from './compression-run.js';
import { measureDgemm } from './dgemm-rate.js';
import { named } from './named-progress.js';
import { circumstances } from './record.js';
import { withOwnTeam } from './own-team.js';
import type { PlannedRow } from './table-plan.js';
import type { TableRecord, TableRow } from './table-record.js';

/** What rows are made with. */
export interface RowsSetup {
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
  /** Vectors that products are timed with. Default 1. */
  readonly vectors?: number | undefined;
}

/** With the ranks that multiply together. */
interface RankSetup extends RowsSetup {
  readonly communicator: Communicator;
}

/** A matrix that rows were made of, and what of its record is known. */
export interface ComparedMatrix {
  readonly operator: LinearOperator & { readonly bytes: number };
  readonly compared: ComparedRows;
  /** Seconds of its preparation, and when all began. */
  readonly built: number;
  readonly began: number;
  readonly rankBound: number;
  readonly vectors: number;
}

/** What a record says of the matrix, its rows and the machine. */
export async function recordRows(
  { operator, compared, built, began, rankBound, vectors }: ComparedMatrix,
  control: TeamControl,
): Promise<
  Pick<TableRecord, 'exact' | 'rows' | 'skipped' | 'vectors' | 'gflops' | 'seconds' | 'memory' | 'workers' | 'blas'> &
    ReturnType<typeof circumstances>
> {
  const { team } = control;
  const { rows: size, bytes } = operator;
  const { rows, skipped, largest, apply, measuring } = compared;
  return {
    exact: {
      bytes,
      share: bytes / denseBytes(size),
      seconds: { build: built, apply },
      lambdaMax: largest.value,
      lambdaMaxBound: largest.bound,
      rankBound: Math.min(size, rankBound),
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
}

/** The rows, and what is said of the matrix itself. */
export interface ComparedRows extends Pick<TableRecord, 'rows' | 'skipped'> {
  readonly largest: EigenvalueEstimate;
  /** The median time of a product with the matrix. */
  readonly apply: number;
  /** Seconds of the measurement of errors. */
  readonly measuring: number;
}

/**
 * Makes every planned row of the operator and measures it; of a perceptron `known` has its entries and model. Rows
 * whose method does not fit its budget or the memory are left out, and why is said in `skipped`.
 */
export async function compareRows(
  plan: readonly PlannedRow[],
  operator: LinearOperator,
  known: { readonly source: EntrySource; readonly model: Model } | undefined,
  setup: RowsSetup,
  control: TeamControl,
): Promise<ComparedRows> {
  const { communicator } = control.team;
  const memoryLimit = agreedMemory(communicator, setup.memoryLimit);
  // Ranks share products with the matrix itself alone: an approximation is to take its budget on each of them.
  return withOwnTeam(control, (own) =>
    compareOnEach(plan, operator, known, { ...setup, memoryLimit, communicator }, own),
  );
}

/** Rows as every rank makes them by itself. */
async function compareOnEach(
  plan: readonly PlannedRow[],
  operator: LinearOperator,
  known: { readonly source: EntrySource; readonly model: Model } | undefined,
  setup: RankSetup,
  control: TeamControl,
): Promise<ComparedRows> {
  const { seed } = setup;
  const { blas } = control.team;
  const rows: TableRow[] = [];
  const skipped: { method: string; reason: string }[] = [];
  const exact: Exact = { operator, source: known?.source, model: known?.model };
  let measuring = 0;
  const waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    const at = performance.now();
    rows.push(...(await measureAll(waiting, exact, setup, control)));
    measuring += (performance.now() - at) / 1000;
  };
  try {
    const apply = await timeProduct(operator, setup, control);
    const { largest } = await extremeEigenvalues(
      operator,
      { blas, seed, maxIterations: LANCZOS_STEPS, tolerance: 1e-4 },
      control,
    );
    for (const planned of plan) {
      throwIfAborted(control.signal);
      const made = await makeRow(planned, operator, known?.source, setup, named(planned.name, control));
      if (typeof made === 'string') skipped.push({ method: planned.name, reason: made });
      else waiting.push(made);
      if (waiting.reduce((sum, { approximation }) => sum + approximation.bytes, 0) > WAITING_BYTES) await flush();
    }
    await flush();
    return { rows, skipped, largest, apply, measuring };
  } finally {
    for (const { approximation } of waiting) approximation.release();
  }
}

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

/** A row whose error is not measured yet. */
interface Waiting {
  readonly approximation: Approximation;
  readonly row: Omit<TableRow, 'error' | 'compared'>;
}

/** The median time of a product with `vectors` seeded vectors. */
async function timeProduct(
  operator: LinearOperator,
  { vectors = 1, seed, communicator }: RankSetup,
  control: TeamControl,
): Promise<number> {
  const x = randomVectors(operator.rows, vectors, seed);
  const y = view(sharedFloat64(operator.rows * vectors), 0, operator.rows, vectors);
  const times: number[] = [];
  const began = performance.now();
  for (let k = 0; k <= PRODUCTS; k++) {
    // Products are synchronous: let signals in between them.
    await nextTurn();
    throwIfAborted(control.signal);
    const start = performance.now();
    operator.applyUnchecked(y, x, 1, 0);
    const end = performance.now();
    if (k > 0) times.push((end - start) / 1000);
    if (agreedAny(communicator, times.length > 0 && end - began > 1000 * TIME_LIMIT_SECONDS)) break;
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
  source: EntrySource | undefined,
  setup: RankSetup,
  control: TeamControl,
): Promise<Waiting | string> {
  const { seed, memoryLimit } = setup;
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
    const apply = await timeProduct(approximation.operator, setup, control);
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

/** What errors are measured against: of a perceptron its entries, else products. */
interface Exact {
  readonly operator: LinearOperator;
  readonly source: EntrySource | undefined;
  readonly model: Model | undefined;
  /** ‖G‖_F as soon as it is known. */
  norm?: number | undefined;
}

/**
 * ‖G‖_F from the approximations that wait, else, where one of them can use it, from the model; undefined where that
 * takes more than a sample of columns, or more memory than there is.
 */
async function exactNorm(
  waiting: readonly Waiting[],
  { model, operator, norm }: Exact,
  memoryLimit: number | undefined,
  control: TeamControl,
): Promise<number | undefined> {
  const known = norm ?? waiting.find(({ approximation }) => approximation.exactNorm !== undefined);
  if (known !== undefined) return typeof known === 'number' ? known : known.approximation.exactNorm;
  if (
    model === undefined ||
    operator.rows > EXACT_SIZE ||
    !waiting.some(({ approximation }) => approximation.squaredError !== undefined)
  )
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
 * The errors of approximations that wait: exact from ‖G‖_F where the form tells them; else of all columns up to N =
 * 4,096 where there are entries, else of a sample with its interval, each exact column computed once for all. The
 * approximations are released.
 */
async function measureAll(
  waiting: Waiting[],
  exact: Exact,
  { seed, memoryLimit }: RowsSetup,
  control: TeamControl,
): Promise<TableRow[]> {
  const { source, operator } = exact;
  const { rows: size } = operator;
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
      source ?? operator,
      compared.map(({ approximation }) => approximation.operator),
      { seed, columns: source !== undefined && size <= COMPARED_SIZE ? size : SAMPLED_COLUMNS },
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

/** The largest rows need their own bytes, and about as much again while they are made. Throws MemoryError. */
export function requireRoom(high: number, size: number, memoryLimit: number | undefined): void {
  const needed = 2 * high * denseBytes(size);
  requireMemory(needed, memoryLimit ?? availableMemory(), {
    what: `Approximations of ${(100 * high).toPrecision(3)} % of a ${size} × ${size} matrix need, while they are made,`,
    advice: 'lower --high, or raise --memory-limit.',
  });
}
