/**
 * log det A from products: exact where A may as well be written out, else tr log A by stochastic Lanczos quadrature
 * (stochastic-lanczos-quadrature.ts).
 */
import { requirePositive } from '../core/checks.js';
import { type RunControl, checkedControl, throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { ROUNDOFF } from '../core/floats.js';
import { describe } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import { copyInto, squaredNorm, zeros, type Matrix } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { availableMemory } from '../io/machine.js';
import { precisionOfAll } from '../operator/abilities.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { bytesWrittenOut, unitProducts } from '../operator/to-dense.js';
import {
  checkedProbes,
  gaussQuadrature,
  integrate,
  radauQuadrature,
  type FactoredMatrix,
  type ProbeOptions,
  type QuadratureOptions,
  type Tridiagonal,
} from './lanczos-quadrature.js';
import { quadratureSteps, type QuadratureSteps } from './quadrature-error.js';
import { checkSystem } from './solver-checks.js';
import {
  estimate,
  nothing,
  NOTHING,
  traceOf,
  withEnoughSteps,
  type TraceEstimate,
} from './stochastic-lanczos-quadrature.js';

/** Options of {@link logDeterminant}. */
export interface LogDeterminantOptions extends ProbeOptions {
  /**
   * 0 < bound ≤ λ_min, such as the shift of A = K + λI with K positive semidefinite: then the quadrature's error is
   * bracketed. With a factorization: of M⁻¹A. Eigenvalues that lie below it by no more than the rounding of products
   * are taken for rounded ones: by N·2⁻⁵²·‖A‖, and by 16·2⁻²³·‖A‖ more where the operator's `precision` is 'f32'.
   */
  readonly lowerBound?: number | undefined;
  /**
   * A factorization of a matrix M near A (`factor`, of a compressed matrix; `factorKronecker`): log det A = log det M +
   * tr log(F⁻¹AF⁻ᵀ), M = FFᵀ. The nearer M is to A, the fewer probes and steps the second term needs. Each step then
   * takes a solve with M too.
   */
  readonly factorization?: FactoredMatrix | undefined;
}
/** The keys of {@link LogDeterminantOptions}. */
const LOG_DETERMINANT_KEYS: KeysOf<LogDeterminantOptions> = {
  blas: true,
  seed: 'number',
  probes: 'number',
  degree: 'number',
  blockSize: 'number',
  lowerBound: 'number',
  factorization: true,
};

/** log det A, exactly or estimated, or proof that A is not positive definite. */
export type LogDeterminant =
  | TraceEstimate
  | (Omit<TraceEstimate, 'outcome'> & {
      /**
       * A Ritz value ≤ 0, or below the lower bound by more than rounding: A is not positive definite (to the rounding
       * of its products), or the bound is wrong. The other numbers are NaN.
       */
      readonly outcome: 'indefinite';
      /** The smallest Ritz value; λ_min lies below it, but for rounding. */
      readonly ritzValue: number;
    });

/** Largest N that is written out: 134 MB, and a Cholesky factorization of seconds. */
const MOST_WRITTEN_OUT = 4096;
/** What products in float32 may move an eigenvalue by, in units of 2⁻²³·‖A‖. */
const SINGLE_SLACK = 16;
const PHASE = 'columns';
const FACTORED = ['applyFactor', 'applyInverseFactor', 'applyUnchecked'] as const;

/**
 * log det A of a symmetric positive definite N × N operator. Where probes × degree (30 × 100 unless given) ≥ N, and N ≤
 * 4,096, A is written out by N products with unit vectors and factored: `exact`, an interval of no width, N³/3 flops,
 * 8N² bytes. Else tr log A as `stochasticLanczosQuadrature`; where most eigenvalues crowd at the lower end (K + λI with
 * a small λ), give the lower bound λ, or a factorization. The intervals don't hold the rounding of products: in float32
 * (an operator's `precision`) eigenvalues are known to some 2⁻²³·‖A‖, and λ should be far above that. Throws
 * ShapeError, OptionError, AbortedError.
 */
export async function logDeterminant(
  operator: LinearOperator,
  options: LogDeterminantOptions = {},
  control: RunControl = {},
): Promise<LogDeterminant> {
  requireOperator(operator, 'logDeterminant');
  const backed = withBlas(options, LOG_DETERMINANT_KEYS, 'logDeterminant');
  checkedControl(control, 'logDeterminant');
  const { lowerBound, factorization } = backed;
  if (lowerBound !== undefined) requirePositive(lowerBound, 'lowerBound');
  if (factorization !== undefined) requireFactored(factorization);
  return isWrittenOut(operator, backed)
    ? exactLogDeterminant(operator, backed, control)
    : estimatedLogDeterminant(operator, backed, control);
}

/** Whether `logDeterminant` writes the operator out. Throws ShapeError, OptionError. */
export function isWrittenOut(operator: LinearOperator, options: ProbeOptions): boolean {
  const size = checkSystem(operator, 'A log determinant');
  const { probes, degree } = checkedProbes(size, options);
  return probes * degree >= size && size <= MOST_WRITTEN_OUT && 2 * bytesWrittenOut(operator) <= availableMemory();
}

/** Throws OptionError unless M's factor and determinant can be had. */
function requireFactored(factorization: FactoredMatrix): void {
  const complete =
    typeof factorization === 'object' &&
    factorization !== null &&
    FACTORED.every((name) => typeof factorization[name] === 'function') &&
    'logdet' in factorization;
  if (!complete)
    throw new OptionError(
      'The option factorization of logDeterminant takes M = F·Fᵀ with its factor (applyFactor, applyInverseFactor, ' +
        `logdet), as factor(matrix, { shift }) and factorKronecker(matrix, { shift }) give it, not ` +
        `${describe(factorization)}.`,
      { option: 'factorization' },
    );
}

/** How far below its true place an eigenvalue may come out. */
const slackOf = (size: number, norm: number, ...parts: readonly LinearOperator[]): number =>
  (size * ROUNDOFF.f64 + (precisionOfAll(...parts) === 'f32' ? SINGLE_SLACK * ROUNDOFF.f32 : 0)) * norm;

/** log x, or log of the bound where rounding has moved an eigenvalue far below it. */
const boundedLog =
  (bound: number) =>
  (x: number): number =>
    Math.log(x < bound / 2 ? bound : x);

const indefinite = (ritzValue: number): LogDeterminant => ({
  outcome: 'indefinite',
  ritzValue,
  ...NOTHING,
  perProbe: new Float64Array(0),
});

/** By the Cholesky factor of A written out; by its eigenvalues where there is none. */
async function exactLogDeterminant(
  operator: LinearOperator,
  { blas, lowerBound }: WithBlas<LogDeterminantOptions>,
  control: RunControl,
): Promise<LogDeterminant> {
  const size = operator.rows;
  const dense = zeros(size, size);
  throwIfAborted(control.signal);
  for (const { first, out } of unitProducts(operator, dense)) {
    control.onProgress?.({ phase: PHASE, done: first + out.cols, total: size });
    await nextTurn();
    throwIfAborted(control.signal);
  }
  const squares = squaredNorm(dense);
  if (!Number.isFinite(squares)) return nothing();
  const factor = zeros(size, size);
  copyInto(factor, dense);
  if (blas.potrf('L', factor) === 0) return exactly(2 * sumOf(diagonalOf(factor), Math.log));
  const values = symmetricEigen(blas, dense, 'an operator written out');
  const slack = slackOf(size, Math.sqrt(squares), operator);
  if (lowerBound === undefined ? values[0] <= 0 : values[0] <= lowerBound - slack) return indefinite(values[0]);
  return exactly(sumOf(values, lowerBound === undefined ? Math.log : boundedLog(lowerBound)));
}

const diagonalOf = ({ data, rows }: Matrix): Float64Array =>
  Float64Array.from({ length: rows }, (_, i) => data[i * (rows + 1)]);
const sumOf = (values: Float64Array, f: (value: number) => number): number =>
  values.reduce((sum, value) => sum + f(value), 0);
const exactly = (value: number): TraceEstimate => ({
  outcome: 'estimated',
  value,
  standardError: 0,
  lower: value,
  upper: value,
  quadratureError: 0,
  exact: true,
  perProbe: new Float64Array(0),
});

/** `logDeterminant` by quadrature, whatever N; options and operator are checked. */
export async function estimatedLogDeterminant(
  operator: LinearOperator,
  options: WithBlas<LogDeterminantOptions & Pick<QuadratureOptions, 'firstDegree'>>,
  control: RunControl = {},
): Promise<LogDeterminant> {
  return (
    (await withEnoughSteps(operator, options, control, (matrices) => fromMatrices(matrices, operator, options))) ??
    nothing()
  );
}

function fromMatrices(
  matrices: readonly Tridiagonal[],
  operator: LinearOperator,
  { lowerBound, blas, factorization }: WithBlas<LogDeterminantOptions>,
): LogDeterminant {
  const size = operator.rows;
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  const probes = matrices.map((t): QuadratureSteps => {
    if (lowerBound === undefined) return quadratureSteps(t, blas);
    const all = gaussQuadrature(t, blas);
    return { all, most: all, half: all, exact: false };
  });
  for (const {
    all: { nodes },
  } of probes) {
    smallest = Math.min(smallest, nodes[0]);
    largest = Math.max(largest, Math.abs(nodes[0]), nodes[nodes.length - 1]);
  }
  const offset = factorization?.logdet ?? 0;
  if (lowerBound === undefined) return smallest <= 0 ? indefinite(smallest) : traceOf(probes, size, Math.log, offset);
  // A Ritz value may undercut λ_min by rounding.
  const parts = factorization === undefined ? [operator] : [operator, factorization];
  if (smallest <= lowerBound - slackOf(size, largest, ...parts)) return indefinite(smallest);
  const log = boundedLog(lowerBound);
  const node = Math.min(lowerBound, smallest - Number.EPSILON * Math.abs(smallest));
  const samples = new Float64Array(matrices.length);
  let bracket = 0;
  matrices.forEach((t, l) => {
    const above = integrate(probes[l].all, log);
    const below = integrate(radauQuadrature(t, blas, node), log);
    samples[l] = (size * (above + below)) / 2;
    bracket += (size * Math.abs(above - below)) / 2 / matrices.length;
  });
  return estimate(samples, bracket, offset);
}
