/**
 * The spectral density of a symmetric operator, from products alone.
 * L. Lin, Y. Saad, C. Yang, *Approximating spectral densities of large matrices*, SIAM Review 58(1), 2016, section
 * 3.2.2 (Lanczos), with the probes and quadratures of S. Ubaru, J. Chen, Y. Saad, SIAM J. Matrix Anal. Appl. 38(4),
 * 2017.
 *
 *   φ_σ(t) = (1/N) Σ_i g_σ(t − λ_i) ≈ (1/p) Σ_l Σ_k w_k⁽ˡ⁾ g_σ(t − θ_k⁽ˡ⁾),    g_σ the normal density of width σ
 *
 * The intervals hold the spread over the probes and the error of the quadratures: for the density extrapolated from
 * its last changes at each t (quadrature-error.ts); for the cumulative distribution the inequalities of Chebyshev,
 * Markov and Stieltjes, Σ_{i<k} w_i ≤ F(θ_k−) ≤ F(θ_k) ≤ Σ_{i≤k} w_i (G. Szegő, *Orthogonal Polynomials*, AMS 1939,
 * section 3.41).
 */
import { requirePositive } from '../core/checks.js';
import { type RunControl, checkedControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { withBlas } from '../dense/default-blas.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { integrate, lanczosMatrices, type ProbeOptions, type Quadrature } from './lanczos-quadrature.js';
import { quadratureError, quadratureSteps, type QuadratureSteps } from './quadrature-error.js';
import { meanInterval } from './mean-interval.js';

/** Equally spaced values. */
export interface Grid {
  /** The first value, in units of the eigenvalues. */
  readonly from?: number | undefined;
  /** The last value. */
  readonly to?: number | undefined;
  /** Number of values, at least 2. Default 200. */
  readonly count?: number | undefined;
}
/** The keys of {@link Grid}. */
const GRID_KEYS: KeysOf<Grid> = { from: 'number', to: 'number', count: 'number' };

/** Options of {@link spectralDensity}. */
export interface DensityOptions extends ProbeOptions {
  /**
   * Where the density is wanted: count equally spaced values; default 200 from the smallest node − 4σ to the largest +
   * 4σ.
   */
  readonly grid?: Grid | undefined;
  /** σ, in units of the eigenvalues; default a fiftieth of the interval of the nodes. */
  readonly width?: number | undefined;
}
/** The keys of {@link DensityOptions}. */
const DENSITY_KEYS: KeysOf<DensityOptions> = {
  blas: true,
  seed: 'number',
  probes: 'number',
  degree: 'number',
  blockSize: 'number',
  grid: true,
  width: 'number',
};

/** A curve over the grid with its pointwise 95 % confidence interval. */
export interface Curve {
  readonly value: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Smoothed density and cumulative distribution of the eigenvalues, on a grid, with their intervals. */
export interface SpectralDensity {
  /** nonFinite: a product was NaN or infinite; there are no values. */
  readonly outcome: 'estimated' | 'nonFinite';
  /** The values t, in units of the eigenvalues. */
  readonly grid: Float64Array;
  /** φ_σ, a share of the eigenvalues per unit; its integral is 1. */
  readonly density: Curve;
  /** The share of eigenvalues ≤ t, not smoothed; N times it estimates their number. */
  readonly cumulative: Curve;
  /** σ as it was used. */
  readonly width: number;
  /** The quadratures themselves, one for each probe. */
  readonly quadratures: readonly Quadrature[];
}

const COUNT = 200;
const REACH = 4;

const emptyCurve = (length: number): Curve => ({
  value: new Float64Array(length),
  lower: new Float64Array(length),
  upper: new Float64Array(length),
});

function densityCurve(grid: Float64Array, probes: readonly QuadratureSteps[], width: number): Curve {
  const curve = emptyCurve(grid.length);
  const height = 1 / (Math.sqrt(2 * Math.PI) * width);
  const samples = new Float64Array(probes.length);
  grid.forEach((t, i) => {
    const normal = (x: number): number => height * Math.exp(-0.5 * ((t - x) / width) ** 2);
    probes.forEach(({ all }, l) => {
      samples[l] = integrate(all, normal);
    });
    const { value, lower, upper } = meanInterval(samples);
    const error = quadratureError(probes, normal);
    curve.value[i] = value;
    // A mean of normal densities is at most their height.
    curve.lower[i] = Math.max(0, lower - error);
    curve.upper[i] = Math.min(height, upper + error);
  });
  return curve;
}

function cumulativeCurve(grid: Float64Array, probes: readonly QuadratureSteps[]): Curve {
  const curve = emptyCurve(grid.length);
  const samples = emptyCurve(probes.length);
  grid.forEach((t, i) => {
    probes.forEach(({ all: { nodes, weights }, exact }, l) => {
      let sum = 0;
      let k = 0;
      for (; k < nodes.length && nodes[k] <= t; k++) sum += weights[k];
      samples.value[l] = sum;
      samples.lower[l] = exact || k === 0 ? sum : sum - weights[k - 1];
      samples.upper[l] = exact || k === nodes.length ? sum : sum + weights[k];
    });
    curve.value[i] = meanInterval(samples.value).value;
    curve.lower[i] = Math.max(0, meanInterval(samples.lower).lower);
    curve.upper[i] = Math.min(1, meanInterval(samples.upper).upper);
  });
  return curve;
}

/**
 * The density of the eigenvalues of a symmetric N × N operator, smoothed over `width`, and their cumulative
 * distribution. Cost: probes × degree products, in blocks. The intervals are pointwise; features narrower than about
 * the spectrum's interval over `degree` (default 100) need more steps, and the density's interval is wide where they
 * are missing. The same seed gives the same bits. Throws ShapeError, OptionError, AbortedError.
 */
export async function spectralDensity(
  operator: LinearOperator,
  options: DensityOptions = {},
  control: RunControl = {},
): Promise<SpectralDensity> {
  requireOperator(operator, 'spectralDensity');
  const backed = withBlas(options, DENSITY_KEYS, 'spectralDensity');
  checkedControl(control, 'spectralDensity');
  if (backed.grid !== undefined) requireKnownOptions(backed.grid, GRID_KEYS, 'spectralDensity (grid)');
  const { grid: { from, to, count = COUNT } = {}, width: asked } = backed;
  if (!Number.isInteger(count) || count < 2)
    throw new OptionError(`The grid needs a whole number ≥ 2 of values, not ${describe(count)}.`, { count });
  if (asked !== undefined) requirePositive(asked, 'width');
  for (const end of [from, to])
    if (end !== undefined && !Number.isFinite(end))
      throw new OptionError(`The ends of the grid must be finite numbers, not ${describe(end)}.`);
  if (from !== undefined && to !== undefined && !(from < to))
    throw new OptionError(`The grid must ascend, from ${from} to ${to} it does not.`, { from, to });
  const matrices = await lanczosMatrices(operator, { ...backed, reorthogonalize: true }, control);
  const none = emptyCurve(0);
  if (matrices === undefined)
    return {
      outcome: 'nonFinite',
      grid: new Float64Array(0),
      density: none,
      cumulative: none,
      width: asked ?? Number.NaN,
      quadratures: [],
    };
  const probes = matrices.map((t) => quadratureSteps(t, backed.blas));
  const quadratures = probes.map(({ all }) => all);
  let smallest = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (const { nodes } of quadratures) {
    smallest = Math.min(smallest, nodes[0]);
    largest = Math.max(largest, nodes[nodes.length - 1]);
  }
  // A multiple of the identity has an interval of length zero; any width shows its one eigenvalue.
  const width =
    asked ?? (Math.max(largest - smallest, 1e-6 * Math.max(Math.abs(smallest), Math.abs(largest))) / 50 || 1);
  const start =
    from ?? Math.min(smallest - REACH * width, to === undefined ? Infinity : to - 1e-3 * Math.abs(to) - width);
  const end = to ?? Math.max(largest + REACH * width, start + width);
  const grid = Float64Array.from({ length: count }, (_, i) => start + ((end - start) * i) / (count - 1));
  const density = densityCurve(grid, probes, width);
  const cumulative = cumulativeCurve(grid, probes);
  return { outcome: 'estimated', grid, density, cumulative, width, quadratures };
}
