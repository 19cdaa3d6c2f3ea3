/**
 * Traces of functions of a symmetric operator, log det above all, from products alone. Layer 3.
 * S. Ubaru, J. Chen, Y. Saad, *Fast estimation of tr(f(A)) via stochastic Lanczos quadrature*, SIAM J. Matrix Anal. Appl. 38(4), 2017.
 *
 *   tr f(A) ≈ (N/p) Σ_l Σ_k w_k⁽ˡ⁾ f(θ_k⁽ˡ⁾)    over p probes of entries ±1
 *
 * Two errors: that of the sample, told by the spread over the probes; and that of the quadrature, told by its change from three quarters of the steps to all, or, for
 * log det with a lower bound of the spectrum, bracketed by Gauss (above) and Gauss–Radau (below; G. Golub, G. Meurant 2010, theorem 6.4).
 */
import type { RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { gaussQuadrature, integrate, lanczosMatrices, radauQuadrature, type ProbeOptions, type Tridiagonal } from './lanczos-quadrature.js';
import { sampleInterval } from './sample-interval.js';

export interface TraceEstimate {
  /** nonFinite: a product, or f at a node, was NaN or infinite; the numbers are NaN. */
  readonly outcome: 'estimated' | 'nonFinite';
  readonly value: number;
  /** Of the mean over the probes. */
  readonly standardError: number;
  /** 95 % confidence interval (Student's t over the probes), widened by the error of the quadrature. */
  readonly lower: number;
  readonly upper: number;
  /** What of the interval is due to the quadrature: |change| from ¾ of the steps to all (a measured sign of convergence, not a bound), or half the bracket. */
  readonly quadratureError: number;
  /** N·∫ f dμ of each probe. */
  readonly samples: Float64Array;
}

export interface LogDeterminantOptions extends ProbeOptions {
  /** 0 < bound ≤ λ_min, such as the shift of A = K + λI with K positive semidefinite: then the quadrature's error is bracketed. */
  readonly lowerBound?: number;
}
export const LOG_DETERMINANT_KEYS: KeysOf<LogDeterminantOptions> = {
  blas: true, seed: true, probes: true, degree: true, blockSize: true, lowerBound: true,
};

export type LogDeterminant =
  | TraceEstimate
  | Omit<TraceEstimate, 'outcome'> & {
    /** A Ritz value ≤ 0 or below the lower bound: A is not positive definite, or the bound is wrong. The other numbers are NaN. */
    readonly outcome: 'indefinite';
    /** The smallest Ritz value; λ_min lies below it, but for rounding. */
    readonly ritzValue: number;
  };

const NOTHING = { value: Number.NaN, standardError: Number.NaN, lower: Number.NaN, upper: Number.NaN, quadratureError: Number.NaN } as const;
const nothing = (): TraceEstimate => ({ outcome: 'nonFinite', ...NOTHING, samples: new Float64Array(0) });

function estimate(samples: Float64Array, errorBelow: number, errorAbove: number): TraceEstimate {
  const { value, standardError, lower, upper } = sampleInterval(samples);
  if (!Number.isFinite(value)) return nothing();
  return { outcome: 'estimated', value, standardError, lower: lower - errorBelow, upper: upper + errorAbove, quadratureError: Math.max(errorBelow, errorAbove), samples };
}

function traceOf(matrices: readonly Tridiagonal[], size: number, f: (eigenvalue: number) => number, { blas }: ProbeOptions): TraceEstimate {
  const samples = new Float64Array(matrices.length);
  let change = 0;
  matrices.forEach((t, l) => {
    const steps = t.diagonal.length;
    samples[l] = size * integrate(gaussQuadrature(t, blas), f);
    // An invariant space leaves no error.
    if (t.beside[steps - 1] !== 0 && steps > 1) change += (samples[l] - size * integrate(gaussQuadrature(t, blas, Math.floor((3 * steps) / 4)), f)) / matrices.length;
  });
  return estimate(samples, Math.abs(change), Math.abs(change));
}

/**
 * tr f(A) for a symmetric N × N operator, f defined on the interval of its spectrum. Cost: probes × degree products, in blocks; 3N·blockSize numbers.
 * The variance of a sample is 2(‖f(A)‖_F² − Σ f(A)_ii²). The same seed gives the same bits. Throws ShapeError, OptionError, AbortedError.
 */
export async function stochasticLanczosQuadrature(operator: LinearOperator, f: (eigenvalue: number) => number, options: ProbeOptions, control: RunControl = {}): Promise<TraceEstimate> {
  const matrices = await lanczosMatrices(operator, options, control);
  return matrices === undefined ? nothing() : traceOf(matrices, operator.rows, f, options);
}

/** log det A = tr log A for a symmetric positive definite operator. As stochasticLanczosQuadrature. */
export async function logDeterminant(operator: LinearOperator, options: LogDeterminantOptions, control: RunControl = {}): Promise<LogDeterminant> {
  const { lowerBound, blas } = options;
  if (lowerBound !== undefined && !(lowerBound > 0 && lowerBound < Infinity)) throw new OptionError(`lowerBound must be a positive number, not ${lowerBound}.`, { lowerBound });
  const matrices = await lanczosMatrices(operator, options, control);
  if (matrices === undefined) return nothing();
  const size = operator.rows;
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  for (const t of matrices) {
    const { nodes } = gaussQuadrature(t, blas);
    smallest = Math.min(smallest, nodes[0]);
    largest = Math.max(largest, Math.abs(nodes[0]), nodes[nodes.length - 1]);
  }
  // A Ritz value may undercut λ_min by rounding.
  const least = lowerBound === undefined ? 0 : lowerBound - size * Number.EPSILON * largest;
  if (smallest <= least || smallest <= 0) return { outcome: 'indefinite', ritzValue: smallest, ...NOTHING, samples: new Float64Array(0) };
  if (lowerBound === undefined) return traceOf(matrices, size, Math.log, options);
  const samples = new Float64Array(matrices.length);
  let bracket = 0;
  matrices.forEach((t, l) => {
    const above = integrate(gaussQuadrature(t, blas), Math.log);
    const below = integrate(radauQuadrature(t, blas, Math.min(lowerBound, smallest * (1 - Number.EPSILON))), (x) => Math.log(Math.max(x, Number.MIN_VALUE)));
    samples[l] = (size * (above + below)) / 2;
    bracket += (size * Math.abs(above - below)) / 2 / matrices.length;
  });
  return estimate(samples, bracket, bracket);
}
