/**
 * The relative error ε_F = ‖A − Ã‖_F/‖A‖_F of any operator that stands for another, or for a matrix seen through its entries. Layer 6.
 * All columns up to N = 20,000: exact but for rounding. Beyond, a seeded sample of columns and a 95 % interval (hierarchical/error-estimate.ts).
 * Of an approximation U diag(λ) Uᵀ of high rank, all columns cost N·4Nr flops; the same number is, from r products with A,
 *   ‖A − UΛUᵀ‖_F² = ‖A‖_F² − 2 Σ_i λ_i u_iᵀAu_i + ‖UΛUᵀ‖_F²,
 * as long as the differences do not cancel: below 3e-6 columns are compared after all, 500 of them where there are more.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { squaredNorm, view, zeros, type Matrix } from '../dense/matrix.js';
import { ratioEstimate, sampleWithoutReplacement, type ErrorEstimate } from '../hierarchical/error-estimate.js';
import { columnSums } from '../hierarchical/sampled-columns.js';
import { LowRankOperator } from '../lowrank/low-rank-operator.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';

/** The matrix that is approximated: its entries, where they are at hand, or products with it. */
export type ExactMatrix = EntrySource | LinearOperator;

export interface OperatorErrorOptions {
  /** Columns to compare; default: all up to N = 20,000 (but for errors of low rank below 3e-6, see above), else 500. */
  readonly columns?: number;
  /** Of the sample. Default 0. */
  readonly seed?: number;
}
export const OPERATOR_ERROR_KEYS: KeysOf<OperatorErrorOptions> = { columns: true, seed: true };

/** Up to this size all columns are compared. */
export const EXACT_SIZE = 20_000;
const SAMPLED_COLUMNS = 500;
const WIDTH = 64;
/** Bytes of the columns of approximations that are held at a time. */
const HELD_BYTES = 2 ** 28;
/** Differences of squares below this share of ‖A‖_F² have lost too many digits. */
const CANCELLED = 1e-11;
const STREAM = 0xe5717;
const PHASE = 'measure error';

const isSource = (exact: ExactMatrix): exact is EntrySource => 'entries' in exact;
const sizeOf = (exact: ExactMatrix): number => (isSource(exact) ? exact.size : exact.rows);
const operatorOf = (exact: ExactMatrix): LinearOperator | undefined => (isSource(exact) ? exact.operator : exact);

/** ε_F of one approximation. Throws OptionError, ShapeError, AbortedError and what the operators throw. */
export async function operatorError(exact: ExactMatrix, approximation: LinearOperator, options: OperatorErrorOptions, control: TeamControl): Promise<ErrorEstimate> {
  return (await operatorErrors(exact, [approximation], options, control))[0];
}

/** ε_F of several approximations; each exact column is computed once. Cost: |columns| exact columns, and as many products with every approximation. */
export async function operatorErrors(exact: ExactMatrix, approximations: readonly LinearOperator[], options: OperatorErrorOptions, control: TeamControl): Promise<ErrorEstimate[]> {
  if (approximations.length === 0) return [];
  const size = sizeOf(exact);
  for (const { rows, cols } of approximations) {
    if (rows !== size || cols !== size) throw new ShapeError(`The matrix is of size ${size}, the approximation ${rows} × ${cols}.`, { size, rows, cols });
  }
  const wanted = options.columns ?? (size <= EXACT_SIZE ? size : SAMPLED_COLUMNS);
  if (!Number.isInteger(wanted) || wanted < 1) throw new OptionError(`columns must be a whole number of at least 1, not ${wanted}.`, { option: 'columns', columns: wanted });
  const columns = sampleColumns(size, wanted, options);
  if (columns.length < size) return compareColumns(exact, approximations, columns, control);
  const operator = operatorOf(exact);
  const byProducts = approximations.map((one) => operator !== undefined && one instanceof LowRankOperator && one.rank > WIDTH);
  const estimates = await compareColumns(exact, approximations.filter((_, k) => !byProducts[k]), columns, control, byProducts.includes(true));
  const normSquared = estimates.normSquared;
  const compared = estimates.values();
  const errors: ErrorEstimate[] = [];
  for (const [k, approximation] of approximations.entries()) {
    if (!byProducts[k]) {
      errors.push(compared.next().value!);
      continue;
    }
    const square = await lowRankSquare(operator!, approximation as LowRankOperator, normSquared, control);
    if (square > CANCELLED) errors.push({ relative: Math.sqrt(square), low: Math.sqrt(square), high: Math.sqrt(square), exact: true, columns: size });
    else errors.push((await compareColumns(exact, [approximation], sampleColumns(size, SAMPLED_COLUMNS, options), control))[0]);
  }
  return errors;
}

const sampleColumns = (size: number, count: number, { seed = 0 }: OperatorErrorOptions): Int32Array => sampleWithoutReplacement(size, count, new RandomStream(seed, STREAM));

type Compared = ErrorEstimate[] & { normSquared: number };

/** Estimates of each approximation, and the sum of squares of the exact columns. */
async function compareColumns(exact: ExactMatrix, approximations: readonly LinearOperator[], columns: Int32Array, control: TeamControl, wanted = true): Promise<Compared> {
  const size = sizeOf(exact);
  const compared = Object.assign([] as ErrorEstimate[], { normSquared: 0 });
  if (approximations.length === 0 && !wanted) return compared;
  const width = Math.min(WIDTH, columns.length);
  const group = Math.max(1, Math.floor(HELD_BYTES / (8 * size * width)));
  const units = view(sharedFloat64(size * width), 0, size, width);
  for (let first = 0; first === 0 || first < approximations.length; first += group) {
    const held = approximations.slice(first, first + group).map((approximation) => {
      const values = sharedFloat64(size * width);
      return { values, evaluate: (batch: Int32Array) => { multiplyUnits(approximation, batch, units, values); } };
    });
    const { exact: squares, errors } = isSource(exact) ? await columnSums(exact, columns, width, held, PHASE, control) : await productSums(exact, columns, width, units, held, control);
    compared.normSquared = squares.reduce((a, b) => a + b, 0);
    compared.push(...errors.map((error) => ratioEstimate(squares, error, size)));
  }
  return compared;
}

/** values ← A(:, batch). */
function multiplyUnits(operator: LinearOperator, batch: Int32Array, units: Matrix, values: Float64Array): void {
  const { data, rows } = units;
  batch.forEach((j, b) => { data[j + b * rows] = 1; });
  operator.applyUnchecked(view(values, 0, rows, batch.length), view(data, 0, rows, batch.length), 1, 0);
  batch.forEach((j, b) => { data[j + b * rows] = 0; });
}

/** As `columnSums`, where the exact columns are products. */
async function productSums(
  exact: LinearOperator, columns: Int32Array, width: number, units: Matrix, approximations: readonly { readonly values: Float64Array; readonly evaluate: (batch: Int32Array) => void }[], control: TeamControl,
): Promise<{ exact: Float64Array; errors: Float64Array[] }> {
  const size = exact.rows;
  const values = sharedFloat64(size * width);
  const squares = new Float64Array(columns.length);
  const errors = approximations.map(() => new Float64Array(columns.length));
  for (let first = 0; first < columns.length; first += width) {
    await new Promise(setImmediate);
    throwIfAborted(control.signal);
    const batch = columns.slice(first, first + width);
    multiplyUnits(exact, batch, units, values);
    for (let b = 0; b < batch.length; b++) squares[first + b] = squaredNorm(view(values, b * size, size, 1));
    approximations.forEach(({ evaluate, values: approximate }, k) => {
      evaluate(batch);
      for (let b = 0; b < batch.length; b++) errors[k][first + b] = squaredDistance(values, approximate, b * size, size);
    });
    control.onProgress?.({ phase: PHASE, done: Math.min(columns.length, first + width), total: columns.length });
  }
  return { exact: squares, errors };
}

function squaredDistance(a: Float64Array, b: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}

/** ‖A − UΛUᵀ‖_F²/‖A‖_F² by r products with A. */
async function lowRankSquare(operator: LinearOperator, { vectors, values, rank, rows }: LowRankOperator, normSquared: number, control: TeamControl): Promise<number> {
  const { blas } = control.team;
  const width = 4 * WIDTH;
  const images = view(sharedFloat64(rows * Math.min(width, rank)), 0, rows, Math.min(width, rank));
  let cross = 0;
  let own = 0;
  for (let first = 0; first < rank; first += width) {
    await new Promise(setImmediate);
    throwIfAborted(control.signal);
    const count = Math.min(width, rank - first);
    const u = view(vectors.data, vectors.offset + first * vectors.ld, rows, count, vectors.ld);
    const image = view(images.data, 0, rows, count);
    operator.applyUnchecked(image, u, 1, 0);
    for (let j = 0; j < count; j++) {
      let sum = 0;
      for (let i = 0, p = u.offset + j * u.ld, q = j * rows; i < rows; i++) sum += u.data[p + i] * image.data[q + i];
      cross += values[first + j] * sum;
    }
    // ‖UΛUᵀ‖_F² = Σ_ij λ_i λ_j (u_iᵀu_j)²: U's columns are orthonormal only to rounding.
    const gram = zeros(rank, count);
    blas.gemm('T', 'N', 1, vectors, u, 0, gram);
    for (let j = 0; j < count; j++) for (let i = 0; i < rank; i++) own += values[i] * values[first + j] * gram.data[i + j * rank] ** 2;
    control.onProgress?.({ phase: PHASE, done: first + count, total: rank });
  }
  return Math.max(0, normSquared - 2 * cross + own) / normSquared;
}
