/**
 * The spectrum of an operator from a few products, and the iterations of conjugate gradients that it predicts.
 */
import { NonFiniteError } from '../core/errors.js';
import type { RunControl } from '../core/context.js';
import { RandomStream } from '../core/random.js';
import type { Blas } from '../dense/blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import { sampleWithoutReplacement } from '../hierarchical/measure/error-estimate.js';
import { gaussQuadrature, lanczosMatrices } from '../krylov/lanczos-quadrature.js';
import { normFromBelow } from '../krylov/operator-norm.js';
import { safeScale } from '../krylov/solver-checks.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { scaled } from '../operator/scaled.js';
import type { EntrySource } from '../source/entry-source.js';

const PROBES = 2;
const DEGREE = 16;
/** Rows of the submatrix whose eigenvalues are computed: fewer up to SMALL rows, for they take long beside a solve. */
const SUBMATRIX = 512;
const SMALL_SUBMATRIX = 256;
const SMALL = 4096;
const SUBMATRIX_STREAM = 0x5b3c7;
/** Eigenvalues of order m, and of half of it: about so many m³ flops. */
const EIGENVALUES = 10;

/** Vectors that are multiplied for it. */
export const SPECTRUM_PRODUCTS = PROBES * DEGREE;

const submatrixOf = (size: number): number => Math.min(size, size <= SMALL ? SMALL_SUBMATRIX : SUBMATRIX);

/** Cost of `sampleSpectrum`, in flops. */
export const costOfSampling = (size: number, entry: number): number =>
  EIGENVALUES * submatrixOf(size) ** 3 + entry * submatrixOf(size) ** 2;

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
    values: Float64Array.from(nodes, ({ value }) => Math.max(0, value)),
    counts: Float64Array.from(nodes, ({ count }) => count),
    largest,
    smallest: least >= seen ? Math.max(0, least) : 0,
    seen: least >= seen ? 0 : seen,
  };
}

/**
 * The spectrum from the eigenvalues μ_j of a random principal submatrix of m rows, and those of its half (m ≤ 256 where
 * N ≤ 4,096, else 512). Of a
 * matrix whose columns are alike they grow with m, of a diagonal one they do not: μ_j(m) = m^α_j, by the two, tells
 * λ_j ≈ μ_j·(N/m)^α_j, once what A holds of an identity (`ridge`) is taken away. The smaller half of them tells nothing
 * (C. Williams, M. Seeger, NIPS 13, 2001). Costs m² entries; exact where N ≤ m. Throws NonFiniteError, and what the
 * source throws.
 */
export function sampleSpectrum(source: EntrySource, ridge: number, seed: number, blas: Blas): Spectrum {
  const { size } = source;
  const m = submatrixOf(size);
  const rows = sampleWithoutReplacement(size, m, new RandomStream(seed, SUBMATRIX_STREAM));
  const whole = view(new Float64Array(m * m), 0, m, m);
  source.entries(rows, rows, whole);
  if (!whole.data.every(Number.isFinite))
    throw new NonFiniteError('An entry of the matrix is NaN or infinite: nothing can be solved with it.', {});
  const descending = (order: number, from: Matrix): Float64Array => {
    const values = new Float64Array(order);
    if (blas.syevd(false, 'L', from, values) !== 0) throw new Error('syevd did not converge');
    return values.reverse();
  };
  if (m === size) {
    const values = descending(m, whole).map((value) => Math.max(0, value));
    const smallest = values[m - 1];
    return { values, counts: new Float64Array(m).fill(1), largest: values[0], smallest, seen: 0 };
  }
  const half = m >> 1;
  const smaller = view(new Float64Array(half * half), 0, half, half);
  for (let j = 0; j < half; j++)
    for (let i = 0; i < half; i++) smaller.data[j * half + i] = whole.data[2 * j * m + 2 * i];
  const [of, ofHalf] = [descending(m, whole), descending(half, smaller)];
  const values = new Float64Array(half);
  for (let j = 0; j < half; j++) {
    const [now, before] = [of[j] - ridge, ofHalf[j] - ridge];
    const growth = now > 0 && before > 0 ? Math.min(1, Math.max(0, Math.log2(now / before))) : 1;
    values[j] = ridge + Math.max(0, now) * (size / m) ** growth;
    if (j > 0) values[j] = Math.min(values[j], values[j - 1]);
  }
  const counts = new Float64Array(half).fill(1);
  counts[half - 1] = size - half + 1;
  return { values, counts, largest: values[0], smallest: 0, seen: values[half - 1] };
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
