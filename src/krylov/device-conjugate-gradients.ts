/**
 * Preconditioned conjugate gradients (conjugate-gradients.ts) whose vectors lie on a device: matrix, preconditioner, x,
 * r, p and q do, and so do the scalars of each column, from which the device makes its steps. A few of these come back
 * in each step, so that this machine sees when to stop. Columns are solved side by side, each by steps of its own.
 */
import type { RunControl } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { floats, precisionOf, ROUNDOFF, type FloatArray } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asFloats } from '../core/numbers.js';
import { asVectors, checkView, view, type Matrix, type Vectors } from '../dense/matrix.js';
import type { ResidentOperator } from '../device/resident-operator.js';
import type { BlockNumbers, BlockSolution } from './block-solution.js';
import { DeviceGroup, type GroupOutcome } from './device-group.js';
import { DeviceIterates, requireOneOrder, type DeviceSystem } from './device-system.js';
import type { Tolerances } from './solution.js';
import {
  checkVectors,
  largestEntry,
  requireKeep,
  resolveTolerances,
  type ResolvedTolerances,
} from './solver-checks.js';

/** Options of {@link deviceConjugateGradients}. */
export interface DeviceSolverOptions extends Tolerances, RunControl {
  /** λ of (A + λI) x = b; default 0. */
  readonly shift?: number | undefined;
  /** M ≈ (A + λI)⁻¹: a factorization on the same device, or the numbers of a diagonal; default none. */
  readonly preconditioner?: ResidentOperator | ArrayLike<number> | undefined;
  /** x₀, which may be x itself; default zero. */
  readonly guess?: Vectors | undefined;
  /**
   * Which x is handed back where the iteration ends without convergence, of each column: the last iterate (default), or
   * the one of least residual, which is never worse than the start.
   */
  readonly keep?: 'last' | 'best' | undefined;
  /** After each step: its number and the largest estimated relative residual. */
  readonly onIteration?: ((iteration: number, residual: number) => void) | undefined;
}
/** The keys of {@link DeviceSolverOptions}. */
const DEVICE_SOLVER_KEYS: KeysOf<DeviceSolverOptions & { readonly team?: unknown | undefined }> = {
  relativeTolerance: 'number',
  absoluteTolerance: 'number',
  maxIterations: 'number',
  maxRestarts: 'number',
  roundoff: 'number',
  shift: 'number',
  preconditioner: true,
  guess: true,
  keep: true,
  onIteration: 'function',
  signal: true,
  onProgress: 'function',
  team: true,
};

const NAME = 'deviceConjugateGradients';
/** Columns that are stepped side by side. */
const GROUP = 32;
/** Some times the rounding of products. */
const TOLERANCE = { f64: 1e-8, f32: 1e-6 } as const;

/** A system, and what a call asks. */
interface Asked {
  readonly system: DeviceSystem;
  readonly b: Matrix;
  readonly x: Matrix;
  readonly guess: Matrix | undefined;
  readonly tolerances: ResolvedTolerances;
  readonly options: DeviceSolverOptions;
}

/**
 * x ← an approximation of (A + λI)⁻¹·b, A symmetric positive definite on a device (`matrix.to(device)`), b and x of N ×
 * k and either precision; outcomes are data, as those of `blockConjugateGradientSolver`. Right-hand sides and solutions
 * go there and back once; a step moves six numbers a column. Everything is computed in the device's precision, true
 * residuals too: in float32 they are told to some 10⁻⁷·‖A‖‖x‖/‖b‖, and the default tolerance is 10⁻⁶ (10⁻⁸ in float64);
 * `refine` goes beyond. Memory there: 4 vectors of N numbers for each of up to 32 columns, 5 with a diagonal, and one
 * more with `keep: 'best'`, which brings x back as a cycle begins. A step
 * takes a product with A, one with M, and 5 to 8 launches more. Rejects with ShapeError, OptionError, NonFiniteError,
 * MemoryError, DeviceError, DeviceLostError.
 */
export async function deviceConjugateGradients(
  operator: ResidentOperator,
  b: Vectors,
  x: Matrix,
  options: DeviceSolverOptions = {},
): Promise<BlockSolution> {
  const asked = checked(operator, b, x, options);
  const { preconditioner } = asked.system;
  const run = (): Promise<BlockSolution> => solveGroups(asked);
  // Their own vectors are used: nothing else may go on meanwhile.
  return operator.inTurn(() =>
    preconditioner !== undefined && 'inTurn' in preconditioner ? preconditioner.inTurn(run) : run(),
  );
}

function checked(operator: ResidentOperator, given: Vectors, x: Matrix, options: DeviceSolverOptions): Asked {
  requireRole(operator, 'operator on a device', NAME);
  requireKnownOptions(options, DEVICE_SOLVER_KEYS, NAME);
  const { precision, layout } = operator;
  const { shift = 0, preconditioner, keep = 'last' } = options;
  if (!Number.isFinite(shift)) throw new OptionError(`shift must be a finite number, not ${shift}.`, { shift });
  requireKeep(keep);
  const size = layout.place.length;
  const b = asVectors(given, 'b');
  checkView(b, 'b');
  checkVectors(b, 'b', size, b.cols);
  checkVectors(x, 'x', size, b.cols);
  const guess = options.guess === undefined ? undefined : asVectors(options.guess, 'guess');
  if (guess !== undefined) checkVectors(guess, 'guess', size, b.cols);
  const defaults: Tolerances = { relativeTolerance: TOLERANCE[precision], roundoff: 2 * ROUNDOFF[precision] };
  const tolerances = resolveTolerances(size, defaults, options);
  return {
    system: { operator, shift, preconditioner: ordered(operator, preconditioner) },
    b,
    x,
    guess,
    tolerances,
    options,
  };
}

const isNumbers = (m: ResidentOperator | ArrayLike<number>): m is ArrayLike<number> =>
  Array.isArray(m) || ArrayBuffer.isView(m);

/** M as the system has it: a diagonal in the order of the operator's rows. */
function ordered(
  operator: ResidentOperator,
  preconditioner: DeviceSolverOptions['preconditioner'],
): DeviceSystem['preconditioner'] {
  if (preconditioner === undefined) return undefined;
  if (!isNumbers(preconditioner)) {
    requireRole(preconditioner, 'operator on a device', `preconditioner of ${NAME}`);
    requireOneOrder(operator, preconditioner);
    return preconditioner;
  }
  const {
    precision,
    layout: { place },
  } = operator;
  const given = asFloats(preconditioner, 'preconditioner');
  if (given.length !== place.length)
    throw new ShapeError(`The preconditioner has ${given.length} numbers, the operator ${place.length} rows.`, {
      length: given.length,
      size: place.length,
    });
  const diagonal = floats(place.length, precision);
  for (let i = 0; i < place.length; i++) diagonal[place[i]] = given[i];
  return diagonal;
}

async function solveGroups({ system, b, x, guess, tolerances, options }: Asked): Promise<BlockSolution> {
  const { signal, onProgress, onIteration, keep } = options;
  const keepsBest = keep === 'best';
  const size = b.rows;
  const width = Math.min(GROUP, b.cols);
  const residuals = new Float64Array(b.cols);
  const columnIterations = new Int32Array(b.cols);
  const history: number[] = [];
  let [iterations, products, restarts, unrounded] = [0, 0, 0, 0];
  let ended: GroupOutcome = { outcome: 'converged' };
  let direction: Matrix | undefined;
  for (let first = 0; first < b.cols; first += width) {
    const count = Math.min(width, b.cols - first);
    const iterates = await DeviceIterates.make(system, count, keepsBest);
    try {
      const columns = sentColumns(system, iterates, { b, guess, first, count });
      const { lengths, scales } = columns;
      const targets = lengths.map((length, q) =>
        Math.max(tolerances.relativeTolerance, length > 0 ? (tolerances.absoluteTolerance * scales[q]) / length : 1),
      );
      const before = iterations;
      const group = new DeviceGroup(iterates, {
        size,
        lengths,
        targets,
        tolerances,
        preconditioned: system.preconditioner !== undefined,
        keepsBest,
        signal,
        onStep: (residual) => {
          const done = before + group.iterations;
          onIteration?.(done, residual);
          onProgress?.({ phase: NAME, done, total: Math.max(done, tolerances.maxIterations) });
        },
      });
      const outcome = await group.run();
      if (ended.outcome === 'converged') {
        ended = outcome;
        if ('column' in outcome) direction = fetchedColumn(system, await iterates.fetch('p'), count, outcome.column);
      }
      fetchColumns(system, await iterates.fetch('x'), { x, first, scales });
      unrounded = Math.max(unrounded, ...group.residuals);
      if (precisionOf(x.data) === 'f32' && system.operator.precision === 'f64') {
        // The residuals of the x that is handed back.
        iterates.setX(rowsOf(system, x, { first, scales }));
        await group.measure();
        if (outcome.outcome === 'converged' && group.residuals.some((residual, q) => !(residual <= targets[q])))
          ended = { outcome: 'stagnated' };
      }
      residuals.set(group.residuals, first);
      columnIterations.set(group.columnIterations, first);
      history.push(...group.history);
      iterations += group.iterations;
      products += group.products;
      restarts += group.restarts;
    } finally {
      iterates.release();
    }
  }
  const residual = Math.max(0, ...residuals);
  const numbers: BlockNumbers = {
    x,
    iterations,
    products,
    restarts,
    residual,
    residuals,
    unrounded,
    columnIterations,
    history: Float64Array.from(history),
  };
  if ('column' in ended) {
    const { column: _, ...curvature } = ended;
    return { ...numbers, ...curvature, direction: direction! };
  }
  return { ...numbers, ...ended };
}

/** Columns of a matrix as rows in the operator's order, each column times its scale. */
function rowsOf(
  { operator }: DeviceSystem,
  a: Matrix,
  { first, scales }: { readonly first: number; readonly scales: Float64Array },
): FloatArray {
  const { place } = operator.layout;
  const count = scales.length;
  const rows = floats(place.length * count, operator.precision);
  for (let q = 0; q < count; q++) {
    const column = a.offset + (first + q) * a.ld;
    for (let i = 0; i < place.length; i++) rows[place[i] * count + q] = scales[q] * a.data[column + i];
  }
  return rows;
}

/** Sends b and the guess, scaled so that no square leaves the range; tells ‖b‖ as it lies there. */
function sentColumns(
  system: DeviceSystem,
  iterates: DeviceIterates,
  { b, guess, first, count }: Pick<Asked, 'b' | 'guess'> & { readonly first: number; readonly count: number },
): { readonly lengths: Float64Array; readonly scales: Float64Array } {
  const scales = Float64Array.from({ length: count }, (_, q) => {
    const largest = largestEntry(b, first + q, 'b');
    return largest === 0 ? 1 : 2 ** -Math.round(Math.log2(largest));
  });
  const rows = rowsOf(system, b, { first, scales });
  const squares = new Float64Array(count);
  for (let i = 0; i < rows.length; i++) squares[i % count] += rows[i] ** 2;
  const lengths = squares.map(Math.sqrt);
  if (guess === undefined) iterates.load(rows);
  else {
    for (let q = 0; q < count; q++) largestEntry(guess, first + q, 'guess');
    // Of a right-hand side of zeros there is one solution.
    const guessed = scales.map((scale, q) => (lengths[q] > 0 ? scale : 0));
    iterates.load(rows, rowsOf(system, guess, { first, scales: guessed }));
  }
  return { lengths, scales };
}

function fetchColumns(
  { operator }: DeviceSystem,
  rows: FloatArray,
  { x, first, scales }: { readonly x: Matrix; readonly first: number; readonly scales: Float64Array },
): void {
  const { place } = operator.layout;
  const count = scales.length;
  for (let q = 0; q < count; q++) {
    const column = x.offset + (first + q) * x.ld;
    for (let i = 0; i < place.length; i++) x.data[column + i] = rows[place[i] * count + q] / scales[q];
  }
}

function fetchedColumn({ operator }: DeviceSystem, rows: FloatArray, count: number, q: number): Matrix {
  const { place } = operator.layout;
  const column = Float64Array.from(place, (row) => rows[row * count + q]);
  return view(column, 0, place.length, 1);
}
