/**
 * Traces of functions of a symmetric operator, log det above all (log-determinant.ts), from products alone.
 * S. Ubaru, J. Chen, Y. Saad, *Fast estimation of tr(f(A)) via stochastic Lanczos quadrature*, SIAM J. Matrix Anal.
 * Appl. 38(4), 2017.
 *
 *   tr f(A) ≈ (N/p) Σ_l Σ_k w_k⁽ˡ⁾ f(θ_k⁽ˡ⁾)    over p probes of entries ±1
 *
 * Two errors: that of the sample, told by the spread over the probes; and that of the quadrature, extrapolated from
 * its last changes (quadrature-error.ts), or, for log det with a lower bound of the spectrum, bracketed by Gauss
 * (above) and Gauss–Radau (below; G. Golub, G. Meurant 2010, theorem 6.4). The interval holds both. Unless a degree
 * is given, steps are doubled until the quadrature's error is below the sample's; where that is not reached the
 * outcome says so.
 */
import { type RunControl, checkedControl } from '../core/context.js';
import { requireRole } from '../core/kind.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import {
  DEGREE,
  integrate,
  lanczosMatrices,
  type ProbeOptions,
  type QuadratureOptions,
  type Tridiagonal,
  PROBE_KEYS,
} from './lanczos-quadrature.js';
import { quadratureError, quadratureSteps, type QuadratureSteps } from './quadrature-error.js';
import { meanInterval } from './mean-interval.js';

/** An estimate of tr f(A) with its interval. */
export interface TraceEstimate {
  /**
   * unconverged: the quadrature's error is not below the sample's. The interval holds it, infinite where nothing
   * tells how large it is: more steps (`degree`), for log det a lower bound of the spectrum or a factorization, are
   * what helps. nonFinite: a product, or f at a node, was NaN or infinite; the numbers are NaN.
   */
  readonly outcome: 'estimated' | 'unconverged' | 'nonFinite';
  /** The estimate: the mean of `perProbe`. */
  readonly value: number;
  /** Standard error of the mean over the probes. */
  readonly standardError: number;
  /** 95 % confidence interval (Student's t over the probes), widened by the error of the quadrature. */
  readonly lower: number;
  readonly upper: number;
  /**
   * What of the interval is due to the quadrature, on either side: extrapolated from its last changes, or half the
   * bracket.
   */
  readonly quadratureError: number;
  /** Whether the operator was written out (`logDeterminant`): then nothing is estimated, and there are no probes. */
  readonly exact: boolean;
  /** N·∫ f dμ of each probe. */
  readonly perProbe: Float64Array;
}

/** Most steps that are taken unasked. */
const MOST_DEGREE = 1600;
/** Errors of the quadrature below this share of the value count as none. */
const RESOLVED = 1e-8;

/** The numbers where there is none. */
export const NOTHING = {
  value: Number.NaN,
  standardError: Number.NaN,
  lower: Number.NaN,
  upper: Number.NaN,
  quadratureError: Number.NaN,
  exact: false,
} as const;
/** The result where something is not finite. */
export const nothing = (): TraceEstimate => ({ outcome: 'nonFinite', ...NOTHING, perProbe: new Float64Array(0) });

/** The samples' mean, moved by `offset`, with both errors. */
export function estimate(samples: Float64Array, error: number, offset = 0): TraceEstimate {
  const { value, standardError, lower, upper } = meanInterval(samples);
  if (!Number.isFinite(value)) return nothing();
  // A single probe has no standard error to be below.
  const converged =
    error <= Math.max(Number.isFinite(standardError) ? standardError : 0, RESOLVED * Math.abs(value + offset));
  return {
    outcome: converged ? 'estimated' : 'unconverged',
    value: value + offset,
    standardError,
    lower: lower + offset - error,
    upper: upper + offset + error,
    quadratureError: error,
    exact: false,
    perProbe: samples,
  };
}

/** tr f(A) + `offset` from the probes' rules. */
export function traceOf(
  probes: readonly QuadratureSteps[],
  size: number,
  f: (eigenvalue: number) => number,
  offset = 0,
): TraceEstimate {
  return estimate(
    Float64Array.from(probes, ({ all }) => size * integrate(all, f)),
    size * quadratureError(probes, f),
    offset,
  );
}

/** Estimates from so many steps, twice as many each time while they are unconverged, unless `degree` says how many. */
export async function withEnoughSteps<E extends { readonly outcome: string }>(
  operator: LinearOperator,
  options: WithBlas<QuadratureOptions>,
  control: RunControl,
  of: (matrices: readonly Tridiagonal[]) => E,
): Promise<E | undefined> {
  for (let degree = options.degree ?? options.firstDegree ?? DEGREE; ; degree *= 2) {
    const matrices = await lanczosMatrices(operator, { ...options, degree, reorthogonalize: true }, control);
    if (matrices === undefined) return undefined;
    const found = of(matrices);
    if (
      found.outcome !== 'unconverged' ||
      options.degree !== undefined ||
      degree >= Math.min(operator.rows, MOST_DEGREE)
    )
      return found;
  }
}

/**
 * tr f(A) for a symmetric N × N operator, f defined on the interval of its spectrum. Cost: probes × degree products,
 * in blocks; N·blockSize·(3 + degree) numbers, within 256 MiB (beyond, vectors are not orthogonalised and more steps
 * are needed). The variance of a sample is 2(‖f(A)‖_F² − Σ f(A)_ii²). f must be smooth over the spectrum for the
 * quadrature's error to be told: a jump between two nodes is not seen. The same seed gives the same bits. Throws
 * ShapeError, OptionError, AbortedError.
 */
export async function stochasticLanczosQuadrature(
  operator: LinearOperator,
  f: (eigenvalue: number) => number,
  options: ProbeOptions = {},
  control: RunControl = {},
): Promise<TraceEstimate> {
  requireOperator(operator, 'stochasticLanczosQuadrature');
  requireRole(f, 'function', 'stochasticLanczosQuadrature');
  const backed = withBlas(options, PROBE_KEYS, 'stochasticLanczosQuadrature');
  checkedControl(control, 'stochasticLanczosQuadrature');
  return (
    (await withEnoughSteps(operator, backed, control, (matrices) =>
      traceOf(
        matrices.map((t) => quadratureSteps(t, backed.blas)),
        operator.rows,
        f,
      ),
    )) ?? nothing()
  );
}
