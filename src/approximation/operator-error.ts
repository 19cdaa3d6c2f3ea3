/**
 * The relative error ε_F = ‖A − Ã‖_F/‖A‖_F of any operator that stands for another, or for a matrix seen through its
 * entries. All columns up to N = 20,000: exact but for rounding. Beyond, a seeded sample and a 95 % interval: of
 * columns where A is seen through its entries (hierarchical/measure/error-estimate.ts), else of random vectors of
 * signs, E‖(A − Ã)v‖² = ‖A − Ã‖_F² (M. Hutchinson, Commun. Stat. Simul. Comput. 19, 1990), which no heavy column
 * escapes. Of an approximation U diag(λ) Uᵀ of high rank, all columns cost N·4Nr flops; the same number is, from r
 * products with A,
 *   ‖A − UΛUᵀ‖_F² = ‖A‖_F² − 2 Σ_i λ_i u_iᵀAu_i + ‖UΛUᵀ‖_F²,
 * as long as the differences do not cancel: below 3e-6 columns are compared after all, 500 of them where there are
 * more.
 */
import { throwIfAborted } from '../core/context.js';
import { ShapeError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { kindOf } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, zeros } from '../dense/matrix.js';
import { norm } from '../dense/norm.js';
import { estimateErrors, requireColumns } from '../hierarchical/measure/error-estimate.js';
import { exactError, sampledError, type ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import { NORMAL_QUANTILE } from '../krylov/mean-interval.js';
import { LowRankOperator } from '../lowrank/low-rank-operator.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { type EntrySource, requireSource } from '../source/entry-source.js';

/** The matrix that is approximated: its entries, where they are at hand, or products with it. */
export type ExactMatrix = EntrySource | LinearOperator;

/** How an error is measured. */
export interface OperatorErrorOptions {
  /**
   * Columns to compare, or random vectors to multiply with; default: all columns up to N = 20,000 (but for errors of
   * low rank below 3e-6, see above), else 500.
   */
  readonly columns?: number | undefined;
  /** Default 0. Seeds the sample. */
  readonly seed?: number | undefined;
}
/** The keys of {@link OperatorErrorOptions}. */
export const OPERATOR_ERROR_KEYS: KeysOf<OperatorErrorOptions> = { columns: 'number', seed: 'number' };

/** Up to this size all columns are compared. */
export const EXACT_SIZE = 20_000;
/** Columns compared, or random vectors multiplied with, where not all columns are. */
export const SAMPLED_COLUMNS = 500;
const WIDTH = 64;
/** Differences of squares below this share of ‖A‖_F² have lost too many digits. */
export const CANCELLED = 1e-11;
const STREAM = 0xe5717;
const PHASE = 'measure error';

const isSource = (exact: ExactMatrix): exact is EntrySource => !('applyUnchecked' in exact);
const sizeOf = (exact: ExactMatrix): number => (isSource(exact) ? exact.size : exact.rows);
const operatorOf = (exact: ExactMatrix): LinearOperator | undefined => (isSource(exact) ? exact.operator : exact);

/** ε_F of one approximation. Throws OptionError, ShapeError, AbortedError and what the operators throw. */
export async function operatorError(
  exact: ExactMatrix,
  approximation: LinearOperator,
  options: OperatorErrorOptions = {},
  control: Control = {},
): Promise<ErrorEstimate> {
  if (kindOf(exact) === 'source') requireSource(exact as EntrySource, 'operatorError');
  else requireOperator(exact as LinearOperator, 'operatorError');
  requireOperator(approximation, 'operatorError');
  requireKnownOptions(options, OPERATOR_ERROR_KEYS, 'operatorError');
  return (await operatorErrors(exact, [approximation], options, await onTeam(control, 'operatorError')))[0];
}

/**
 * ε_F of several approximations; each exact column is computed once. Cost: |columns| exact columns, and as many
 * products with every approximation.
 */
export async function operatorErrors(
  exact: ExactMatrix,
  approximations: readonly LinearOperator[],
  options: OperatorErrorOptions,
  control: TeamControl,
): Promise<ErrorEstimate[]> {
  if (approximations.length === 0) return [];
  const size = sizeOf(exact);
  for (const { rows, cols } of approximations) {
    if (rows !== size || cols !== size)
      throw new ShapeError(`The matrix is of size ${size}, the approximation ${rows} × ${cols}.`, {
        size,
        rows,
        cols,
      });
  }
  const wanted = requireColumns(options.columns ?? (size <= EXACT_SIZE ? size : SAMPLED_COLUMNS));
  const { seed = 0 } = options;
  if (wanted < size) return sampled(exact, approximations, wanted, seed, control);
  const operator = operatorOf(exact);
  const byProducts = approximations.map(
    (one) => operator !== undefined && one instanceof LowRankOperator && one.rank > WIDTH,
  );
  const rest = approximations.filter((_, k) => !byProducts[k]);
  const { estimates, exact: norms } = isSource(exact)
    ? await estimateErrors(exact, rest, size, seed, control)
    : await productErrors(exact, rest, size, undefined, control);
  const compared = estimates.values();
  const errors: ErrorEstimate[] = [];
  for (const [k, approximation] of approximations.entries()) {
    if (!byProducts[k]) {
      errors.push(compared.next().value!);
      continue;
    }
    const square = await lowRankSquare(
      operator!,
      approximation as LowRankOperator,
      norm(view(norms, 0, size, 1)),
      control,
    );
    if (square > CANCELLED)
      errors.push({
        relative: Math.sqrt(square),
        low: Math.sqrt(square),
        high: Math.sqrt(square),
        exact: true,
        columns: size,
      });
    else errors.push((await sampled(exact, [approximation], Math.min(size, SAMPLED_COLUMNS), seed, control))[0]);
  }
  return errors;
}

async function sampled(
  exact: ExactMatrix,
  approximations: readonly LinearOperator[],
  columns: number,
  seed: number,
  control: TeamControl,
): Promise<ErrorEstimate[]> {
  const found = isSource(exact)
    ? await estimateErrors(exact, approximations, columns, seed, control)
    : await productErrors(exact, approximations, columns, seed, control);
  return found.estimates;
}

/**
 * Estimates where the exact columns are products: from all unit vectors, or from `count` < N random ones of a seed.
 * Norms of the exact products beside them.
 */
async function productErrors(
  exact: LinearOperator,
  approximations: readonly LinearOperator[],
  count: number,
  seed: number | undefined,
  control: TeamControl,
): Promise<{ estimates: ErrorEstimate[]; exact: Float64Array }> {
  const size = exact.rows;
  const random = count < size ? new RandomStream(seed ?? 0, STREAM) : undefined;
  const width = Math.min(WIDTH, count);
  const vectors = sharedFloat64(size * width);
  const products = sharedFloat64(size * width);
  const approximate = sharedFloat64(size * width);
  const norms = new Float64Array(count);
  const errors = approximations.map(() => new Float64Array(count));
  for (let first = 0; first < count; first += width) {
    await nextTurn();
    throwIfAborted(control.signal);
    const columns = Math.min(width, count - first);
    const x = view(vectors, 0, size, columns);
    if (random === undefined) for (let b = 0; b < columns; b++) vectors[first + b + b * size] = 1;
    else for (let i = 0; i < size * columns; i++) vectors[i] = (random.uint32() & 1) === 0 ? 1 : -1;
    exact.applyUnchecked(view(products, 0, size, columns), x, 1, 0);
    for (let b = 0; b < columns; b++) norms[first + b] = norm(view(products, b * size, size, 1));
    for (const [k, one] of approximations.entries()) {
      one.applyUnchecked(view(approximate, 0, size, columns), x, 1, 0);
      for (let i = 0; i < size * columns; i++) approximate[i] -= products[i];
      for (let b = 0; b < columns; b++) errors[k][first + b] = norm(view(approximate, b * size, size, 1));
    }
    if (random === undefined) for (let b = 0; b < columns; b++) vectors[first + b + b * size] = 0;
    control.onProgress?.({ phase: PHASE, done: first + columns, total: count });
  }
  const estimates = errors.map((error) => {
    if (random === undefined) return exactError(error, norms);
    const estimate = sampledError(error, norms, NORMAL_QUANTILE);
    // Signs that show no error leave room for rounding alone.
    return estimate.relative === 0 ? { ...estimate, high: size * Number.EPSILON } : estimate;
  });
  return { estimates, exact: norms };
}

/** ‖A − UΛUᵀ‖_F²/‖A‖_F² by r products with A; `length`: ‖A‖_F. */
export async function lowRankSquare(
  operator: LinearOperator,
  { vectors, values, rank, rows }: LowRankOperator,
  length: number,
  control: TeamControl,
): Promise<number> {
  const { blas } = control.team;
  const width = 4 * WIDTH;
  const images = view(sharedFloat64(rows * Math.min(width, rank)), 0, rows, Math.min(width, rank));
  let cross = 0;
  let own = 0;
  for (let first = 0; first < rank; first += width) {
    await nextTurn();
    throwIfAborted(control.signal);
    const count = Math.min(width, rank - first);
    const u = view(vectors.data, vectors.offset + first * vectors.ld, rows, count, vectors.ld);
    const image = view(images.data, 0, rows, count);
    operator.applyUnchecked(image, u, 1, 0);
    for (let j = 0; j < count; j++) {
      let sum = 0;
      for (let i = 0, p = u.offset + j * u.ld, q = j * rows; i < rows; i++) sum += u.data[p + i] * image.data[q + i];
      cross += (values[first + j] / length) * (sum / length);
    }
    // ‖UΛUᵀ‖_F² = Σ_ij λ_i λ_j (u_iᵀu_j)²: U's columns are orthonormal only to rounding.
    const gram = zeros(rank, count);
    blas.gemm('T', 'N', 1, vectors, u, 0, gram);
    for (let j = 0; j < count; j++)
      for (let i = 0; i < rank; i++)
        own += (values[i] / length) * (values[first + j] / length) * gram.data[i + j * rank] ** 2;
    control.onProgress?.({ phase: PHASE, done: first + count, total: rank });
  }
  return Math.max(0, 1 - 2 * cross + own);
}
