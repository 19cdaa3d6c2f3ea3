/**
 * The spectrum of an operator from a few products, and the iterations of conjugate gradients that it predicts.
 */
import { NonFiniteError } from '../core/errors.js';
import type { RunControl } from '../core/context.js';
import type { Blas } from '../dense/blas.js';
import { gaussQuadrature, lanczosMatrices } from '../krylov/lanczos-quadrature.js';
import { normFromBelow } from '../krylov/operator-norm.js';
import { safeScale } from '../krylov/solver-checks.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { scaled } from '../operator/scaled.js';

const PROBES = 2;
const DEGREE = 16;

/** Vectors that are multiplied for it. */
export const SPECTRUM_PRODUCTS = PROBES * DEGREE;

/** Values of about `count` eigenvalues each, descending. */
export interface Spectrum {
  readonly values: Float64Array;
  readonly counts: Float64Array;
  readonly largest: number;
  /** 0 where so few steps cannot tell λ_min from it. */
  readonly smallest: number;
}

/**
 * Gauss quadratures of the spectral measure (krylov/lanczos-quadrature.ts), 2 probes of 16 steps; once more for a
 * multiple of the operator where squares of its products leave the range. Throws NonFiniteError, AbortedError.
 */
export async function measureSpectrum(
  operator: LinearOperator,
  seed: number,
  blas: Blas,
  control: RunControl,
): Promise<Spectrum> {
  const found = await spectrumOf(operator, seed, blas, control);
  if (found !== undefined && safeScale(found.largest) === 1 && found.largest > 0) return found;
  const factor = safeScale(normFromBelow(operator));
  if (factor === 1 && found !== undefined) return found;
  const inRange = factor === 1 ? undefined : await spectrumOf(scaled(operator, factor), seed, blas, control);
  if (inRange === undefined)
    throw new NonFiniteError('A product with the operator is NaN or infinite: nothing can be solved with it.', {});
  const { values, counts, largest, smallest } = inRange;
  return {
    values: values.map((value) => value / factor),
    counts,
    largest: largest / factor,
    smallest: smallest / factor,
  };
}

async function spectrumOf(
  operator: LinearOperator,
  seed: number,
  blas: Blas,
  control: RunControl,
): Promise<Spectrum | undefined> {
  const size = operator.rows;
  const matrices = await lanczosMatrices(
    operator,
    { blas, seed, probes: PROBES, degree: DEGREE, blockSize: PROBES },
    control,
  );
  if (matrices === undefined) return undefined;
  const nodes = matrices
    .flatMap((t) => {
      const { nodes: at, weights } = gaussQuadrature(t, blas);
      return Array.from(at, (value, k) => ({ value, count: (size * weights[k]) / PROBES }));
    })
    .sort((a, b) => b.value - a.value);
  const largest = Math.max(0, nodes[0].value);
  const least = nodes[nodes.length - 1].value;
  // m steps resolve the lower end to some ‖A‖/m² (Chebyshev polynomials).
  const resolved = size <= DEGREE || least >= (4 * largest) / DEGREE ** 2;
  return {
    values: Float64Array.from(nodes, ({ value }) => Math.max(0, value)),
    counts: Float64Array.from(nodes, ({ count }) => count),
    largest,
    smallest: resolved ? Math.max(0, least) : 0,
  };
}

/** Eigenvalues above a bound, about. */
export function countAbove({ values, counts }: Spectrum, bound: number): number {
  let count = 0;
  for (let k = 0; k < values.length && values[k] > bound; k++) count += counts[k];
  return count;
}

/** The eigenvalue that about `rank` lie above. */
export function eigenvalueAt({ values, counts, largest }: Spectrum, rank: number): number {
  let count = 0;
  for (let k = 0; k < values.length; k++) {
    count += counts[k];
    if (count > rank) return values[k];
  }
  return Math.min(largest, values[values.length - 1]);
}

/**
 * ½√κ·ln(2/tolerance): steps to the tolerance at condition κ (Y. Saad, *Iterative Methods for Sparse Linear Systems*,
 * SIAM 2003, equation 6.128).
 */
export const stepsAtCondition = (condition: number, tolerance: number): number =>
  Math.max(1, 0.5 * Math.sqrt(condition) * Math.log(2 / tolerance));

/**
 * Steps of conjugate gradients for A + λI whose `removed` largest eigenvalues a preconditioner takes away: the least
 * over k of k + ½√κ_k·ln(2/tolerance), κ_k the condition without the next k largest (O. Axelsson, *Iterative Solution
 * Methods*, Cambridge 1994, section 13.2); at most N.
 */
export function predictedSteps(
  spectrum: Spectrum,
  shift: number,
  tolerance: number,
  size: number,
  removed = 0,
): number {
  const { values, counts, smallest } = spectrum;
  const least = smallest + shift;
  let steps = size;
  if (!(least > 0)) return steps;
  let above = 0;
  for (let k = 0; k < values.length; k++) {
    const outliers = Math.max(0, above - removed);
    if (above + counts[k] > removed || k === values.length - 1)
      steps = Math.min(steps, outliers + stepsAtCondition((values[k] + shift) / least, tolerance));
    above += counts[k];
  }
  return Math.max(1, Math.ceil(steps));
}
