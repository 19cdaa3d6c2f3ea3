/**
 * The spectral density of a symmetric operator, from products alone. Layer 3.
 * L. Lin, Y. Saad, C. Yang, *Approximating spectral densities of large matrices*, SIAM Review 58(1), 2016, section 3.2.2 (Lanczos), with the probes and quadratures of
 * S. Ubaru, J. Chen, Y. Saad, SIAM J. Matrix Anal. Appl. 38(4), 2017.
 *
 *   φ_σ(t) = (1/N) Σ_i g_σ(t − λ_i) ≈ (1/p) Σ_l Σ_k w_k⁽ˡ⁾ g_σ(t − θ_k⁽ˡ⁾),    g_σ the normal density of width σ
 */
import type { RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { gaussQuadrature, lanczosMatrices, type ProbeOptions, type Quadrature } from './lanczos-quadrature.js';
import { sampleInterval } from './sample-interval.js';

/** Equally spaced values. */
export interface Grid { readonly from?: number; readonly to?: number; readonly count?: number }
export const GRID_KEYS: KeysOf<Grid> = { from: true, to: true, count: true };

export interface DensityOptions extends ProbeOptions {
  /** Where the density is wanted: count equally spaced values; default 200 from the smallest node − 4σ to the largest + 4σ. */
  readonly grid?: Grid;
  /** σ, in units of the eigenvalues; default a fiftieth of the interval of the nodes. */
  readonly width?: number;
}
export const DENSITY_KEYS: KeysOf<DensityOptions> = {
  blas: true, seed: true, probes: true, degree: true, blockSize: true, grid: true, width: true,
};

/** A curve over the grid with its pointwise 95 % confidence interval. */
export interface Curve { readonly value: Float64Array; readonly lower: Float64Array; readonly upper: Float64Array }

export interface SpectralDensity {
  /** nonFinite: a product was NaN or infinite; there are no values. */
  readonly outcome: 'estimated' | 'nonFinite';
  readonly grid: Float64Array;
  /** φ_σ, a share of the eigenvalues per unit; its integral is 1. */
  readonly density: Curve;
  /** The share of eigenvalues ≤ t, not smoothed; N times it estimates their number. */
  readonly cumulative: Curve;
  readonly width: number;
  /** The quadratures themselves, one for each probe. */
  readonly quadratures: readonly Quadrature[];
}

const COUNT = 200;
const REACH = 4;

function curve(grid: Float64Array, quadratures: readonly Quadrature[], most: number, at: (t: number, quadrature: Quadrature) => number): Curve {
  const value = new Float64Array(grid.length);
  const lower = new Float64Array(grid.length);
  const upper = new Float64Array(grid.length);
  const samples = new Float64Array(quadratures.length);
  grid.forEach((t, i) => {
    quadratures.forEach((quadrature, l) => { samples[l] = at(t, quadrature); });
    const interval = sampleInterval(samples);
    value[i] = interval.value;
    lower[i] = Math.max(0, interval.lower);
    upper[i] = Math.min(most, interval.upper);
  });
  return { value, lower, upper };
}

/**
 * The density of the eigenvalues of a symmetric N × N operator, smoothed over `width`, and their cumulative distribution. Cost: probes × degree products, in blocks.
 * The intervals tell the spread over the probes; features narrower than about the spectrum's interval over `degree` need more steps. The same seed gives the same bits.
 * Throws ShapeError, OptionError, AbortedError.
 */
export async function spectralDensity(operator: LinearOperator, options: DensityOptions, control: RunControl = {}): Promise<SpectralDensity> {
  const { grid: { from, to, count = COUNT } = {}, width: asked } = options;
  if (!Number.isInteger(count) || count < 2) throw new OptionError(`The grid needs a whole number ≥ 2 of values, not ${count}.`, { count });
  if (asked !== undefined && !(asked > 0 && asked < Infinity)) throw new OptionError(`width must be a positive number, not ${asked}.`, { width: asked });
  for (const end of [from, to]) if (end !== undefined && !Number.isFinite(end)) throw new OptionError(`The ends of the grid must be finite numbers, not ${end}.`);
  if (from !== undefined && to !== undefined && !(from < to)) throw new OptionError(`The grid must ascend, from ${from} to ${to} it does not.`, { from, to });
  const matrices = await lanczosMatrices(operator, options, control);
  const none: Curve = { value: new Float64Array(0), lower: new Float64Array(0), upper: new Float64Array(0) };
  if (matrices === undefined) return { outcome: 'nonFinite', grid: new Float64Array(0), density: none, cumulative: none, width: asked ?? Number.NaN, quadratures: [] };
  const quadratures = matrices.map((t) => gaussQuadrature(t, options.blas));
  let smallest = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (const { nodes } of quadratures) {
    smallest = Math.min(smallest, nodes[0]);
    largest = Math.max(largest, nodes[nodes.length - 1]);
  }
  // A multiple of the identity has an interval of length zero; any width shows its one eigenvalue.
  const width = asked ?? (Math.max(largest - smallest, 1e-6 * Math.max(Math.abs(smallest), Math.abs(largest))) / 50 || 1);
  const start = from ?? Math.min(smallest - REACH * width, to === undefined ? Infinity : to - 1e-3 * Math.abs(to) - width);
  const end = to ?? Math.max(largest + REACH * width, start + width);
  const grid = Float64Array.from({ length: count }, (_, i) => start + ((end - start) * i) / (count - 1));
  const height = 1 / (Math.sqrt(2 * Math.PI) * width);
  const density = curve(grid, quadratures, Infinity, (t, { nodes, weights }) => {
    let sum = 0;
    for (let k = 0; k < nodes.length; k++) sum += weights[k] * height * Math.exp(-0.5 * ((t - nodes[k]) / width) ** 2);
    return sum;
  });
  const cumulative = curve(grid, quadratures, 1, (t, { nodes, weights }) => {
    let sum = 0;
    for (let k = 0; k < nodes.length && nodes[k] <= t; k++) sum += weights[k];
    return sum;
  });
  return { outcome: 'estimated', grid, density, cumulative, width, quadratures };
}
