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

/** One probe of many steps tells more of the lower end than more probes of fewer. */
const PROBES = 1;
const DEGREE = 32;
/** Neighbors up to this share of their number are one level. */
const LEVEL = 0.05;

/** Vectors that are multiplied for it. */
export const SPECTRUM_PRODUCTS = PROBES * DEGREE;

/** Values of about `count` eigenvalues each, descending. */
export interface Spectrum {
  readonly values: Float64Array;
  readonly counts: Float64Array;
  readonly largest: number;
  /** 0 where so few steps cannot tell λ_min from it. */
  readonly smallest: number;
  /** Of eigenvalues below it nothing was seen: those of the quadrature stand for whatever is there. */
  readonly seen: number;
}

/**
 * Gauss quadratures of the spectral measure (krylov/lanczos-quadrature.ts), a probe of 32 steps; once more for a
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
  const { values, counts, largest, smallest, seen } = inRange;
  return {
    values: values.map((value) => value / factor),
    counts,
    largest: largest / factor,
    smallest: smallest / factor,
    seen: seen / factor,
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
  const seen = size <= DEGREE ? 0 : (4 * largest) / DEGREE ** 2;
  return {
    ...spreadOut(nodes, size),
    largest,
    smallest: least >= seen ? Math.max(0, least) : 0,
    seen: least >= seen ? 0 : seen,
  };
}

/**
 * The nodes of a quadrature stand for many eigenvalues each: those between them are taken to go on from one to the next
 * by the logarithm.
 */
function spreadOut(
  nodes: readonly { readonly value: number; readonly count: number }[],
  size: number,
): Pick<Spectrum, 'values' | 'counts'> {
  const floor = Number.EPSILON * Math.max(0, nodes[0].value);
  let above = 0;
  const places = nodes.map(({ count }) => {
    above += count;
    return above - count / 2;
  });
  const logarithms = nodes.map(({ value }) => Math.log(Math.max(value, floor)));
  const [values, counts]: [number[], number[]] = [[], []];
  let k = 0;
  for (let begin = 0; begin < size;) {
    const count = Math.min(size - begin, Math.max(1, LEVEL * Math.min(begin, size - begin)));
    const place = begin + count / 2;
    while (k + 1 < nodes.length && places[k + 1] < place) k++;
    const next = Math.min(k + 1, nodes.length - 1);
    const gap = places[next] - places[k];
    const share = gap > 0 ? Math.min(1, Math.max(0, (place - places[k]) / gap)) : 0;
    values.push(floor > 0 ? Math.exp((1 - share) * logarithms[k] + share * logarithms[next]) : 0);
    counts.push(count);
    begin += count;
  }
  return { values: Float64Array.from(values), counts: Float64Array.from(counts) };
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
 * ln(2/tolerance)/ln((√κ + 1)/(√κ − 1)), some ½√κ·ln(2/tolerance): steps to the tolerance at condition κ (Y. Saad,
 * *Iterative Methods for Sparse Linear Systems*, SIAM 2003, equation 6.128).
 */
export function stepsAtCondition(condition: number, tolerance: number): number {
  const root = Math.sqrt(condition);
  return Math.max(1, Math.log(2 / tolerance) / Math.log((root + 1) / (root - 1)));
}
