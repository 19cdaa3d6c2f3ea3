/**
 * The spectrum of a matrix from the eigenvalues of a random principal submatrix (C. Williams, M. Seeger, "Using the
 * Nyström method to speed up kernel machines", NIPS 13, 2001).
 */
import { NonFiniteError } from '../core/errors.js';
import { RandomStream } from '../core/random.js';
import type { Blas } from '../dense/blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import { sampleWithoutReplacement } from '../hierarchical/measure/error-estimate.js';
import type { EntrySource } from '../source/entry-source.js';
import type { Spectrum } from './spectrum.js';

/** Rows of the submatrix whose eigenvalues are computed: fewer up to SMALL rows, for they take long beside a solve. */
const SUBMATRIX = 512;
const SMALL_SUBMATRIX = 256;
const SMALL = 4096;
const STREAM = 0x5b3c7;
/** Eigenvalues of order m, and of half of it: about so many m³ flops. */
const EIGENVALUES = 10;

/** Of the eigenvalues of the submatrix the larger ones tell of the matrix: so many. */
const RESOLVED = 1 / 4;
/** Of those, the part that the decay beyond them is read from. */
const FITTED = 1 / 4;
/** Beyond the resolved ones neighbors up to so many percent of their number are one level. */
const LEVEL = 0.05;
/** Exponents of the tail at most. */
const STEEPEST = 16;
/** A tail that holds at least this share of the trace has the exponent that the trace says, else that of the fit. */
const TELLING_TRACE = 0.1;
/** Toward its end a spectrum falls faster: as the root of what is left of N, in the last quarter. */
const END = 1 / 4;
/** Squares of entries beside the diagonal of a diagonal matrix, as a share of the squares of its diagonal. */
const DIAGONAL = 1e-3;

const submatrixOf = (size: number): number => Math.min(size, size <= SMALL ? SMALL_SUBMATRIX : SUBMATRIX);

/** Cost of `sampleSpectrum`, in flops. */
export const costOfSampling = (size: number, entry: number): number =>
  EIGENVALUES * submatrixOf(size) ** 3 + entry * submatrixOf(size) ** 2;

/**
 * The spectrum from the eigenvalues μ_j of a random principal submatrix of m rows (256 where N ≤ 4,096, else 512), and
 * those of its half. Of a matrix whose columns are alike they grow with m, of a diagonal one they do not, but become
 * more: μ_j(m) = m^α_j, by the two, tells that (N/m)^(1−α_j) eigenvalues are about μ_j·(N/m)^α_j, once what A holds
 * of an identity (`ridge`) is taken away. The largest quarter of them is resolved (`seen` is the least of these);
 * beyond it the decay goes on as a power of the index: the one that the trace tells, where much of it is left, else
 * that of the resolved ones. Costs m² entries; exact where N ≤ m. Throws NonFiniteError, and what the source throws.
 */
export function sampleSpectrum(source: EntrySource, ridge: number, seed: number, blas: Blas): Spectrum {
  const { size } = source;
  const m = submatrixOf(size);
  const rows = sampleWithoutReplacement(size, m, new RandomStream(seed, STREAM));
  const whole = view(new Float64Array(m * m), 0, m, m);
  source.entries(rows, rows, whole);
  if (!whole.data.every(Number.isFinite))
    throw new NonFiniteError('An entry of the matrix is NaN or infinite: nothing can be solved with it.', {});
  if (m === size) {
    const values = descending(whole, blas).map((value) => Math.max(0, value));
    const smallest = values[m - 1];
    return { values, counts: new Float64Array(m).fill(1), largest: values[0], smallest, seen: 0 };
  }
  const spread = spreadOf(whole);
  const half = halved(whole);
  return scaledUp(descending(whole, blas), descending(half, blas), size, ridge, spread);
}

/** Eigenvalues, the largest first. */
function descending(a: Matrix<Float64Array>, blas: Blas): Float64Array {
  const values = new Float64Array(a.rows);
  if (blas.syevd(false, 'L', a, values) !== 0) throw new Error('syevd did not converge');
  return values.reverse();
}

/** Every other row and column. */
function halved({ data, rows: m }: Matrix<Float64Array>): Matrix<Float64Array> {
  const half = m >> 1;
  const part = view(new Float64Array(half * half), 0, half, half);
  for (let j = 0; j < half; j++) for (let i = 0; i < half; i++) part.data[j * half + i] = data[2 * j * m + 2 * i];
  return part;
}

/** What the entries themselves tell of all eigenvalues. */
interface Spread {
  /** Mean of the diagonal. */
  readonly mean: number;
  /** Σ of squares beside the diagonal over that of the diagonal. */
  readonly beside: number;
}

function spreadOf({ data, rows: m }: Matrix<Float64Array>): Spread {
  let [trace, diagonal, all] = [0, 0, 0];
  for (let k = 0; k < m; k++) {
    trace += data[k * (m + 1)];
    diagonal += data[k * (m + 1)] ** 2;
  }
  for (const value of data) all += value ** 2;
  return { mean: trace / m, beside: (all - diagonal) / diagonal };
}

function scaledUp(
  of: Float64Array,
  ofHalf: Float64Array,
  size: number,
  ridge: number,
  { mean, beside }: Spread,
): Spectrum {
  const m = of.length;
  // Of the whole matrix N/m times as much stands beside the diagonal.
  const diagonal = (beside * size) / m <= DIAGONAL;
  const growths = diagonal ? new Float64Array(m) : growthsOf(of, ofHalf, ridge);
  const values: number[] = [];
  const counts: number[] = [];
  let count = 0;
  for (let j = 0; j < growths.length && count < size; j++) {
    const growth = growths[j];
    const value = ridge + Math.max(0, of[j] - ridge) * (size / m) ** growth;
    values.push(j === 0 ? value : Math.min(value, values[j - 1]));
    counts.push(Math.min(size - count, (size / m) ** (1 - growth)));
    count += counts[j];
  }
  const last = values.length - 1;
  const [largest, seen] = [values[0], values[last]];
  if (size - count < 1) counts[last] += size - count;
  else appendTail(values, counts, count, { size, ridge, trace: mean * size });
  return {
    values: Float64Array.from(values, (value) => Math.max(0, value)),
    counts: Float64Array.from(counts),
    largest: Math.max(0, largest),
    smallest: diagonal ? Math.max(0, seen) : 0,
    seen: diagonal ? 0 : Math.max(0, seen),
  };
}

/** α_j of the resolved ones, each a mean over its neighbors: single ones are noisy. */
function growthsOf(of: Float64Array, ofHalf: Float64Array, ridge: number): Float64Array {
  const resolved = Math.max(1, Math.floor(RESOLVED * of.length));
  const single = Float64Array.from({ length: resolved }, (_, j) => {
    const [now, before] = [of[j] - ridge, ofHalf[j] - ridge];
    return now > 0 && before > 0 ? Math.min(1, Math.max(0, Math.log2(now / before))) : 1;
  });
  return single.map((_, j) => {
    const [begin, end] = [j - (j >> 2), Math.min(resolved, j + (j >> 2) + 1)];
    let sum = 0;
    for (let k = begin; k < end; k++) sum += single[k];
    return sum / (end - begin);
  });
}

/** Appends what is beyond the first `from` eigenvalues: c·i^(−p) above the ridge, and a faster end. */
function appendTail(
  values: number[],
  counts: number[],
  from: number,
  { size, ridge, trace }: { readonly size: number; readonly ridge: number; readonly trace: number },
): void {
  const last = values.length - 1;
  const level = values[last] - ridge;
  const resolved = values.reduce((sum, value, k) => sum + counts[k] * value, 0);
  const left = trace - resolved - (size - from) * ridge;
  const at: { readonly place: number; readonly count: number; readonly end: number }[] = [];
  for (let begin = from; begin < size - 1e-9;) {
    const count = Math.min(size - begin, Math.max(1, LEVEL * Math.min(begin, size - begin)));
    const place = begin + count / 2;
    at.push({ place: place / from, count, end: Math.min(1, (size - place) / (END * size)) ** 0.5 });
    begin += count;
  }
  const sumFor = (exponent: number): number =>
    at.reduce((sum, { place, count, end }) => sum + level * count * end * place ** -exponent, 0);
  let exponent = fittedExponent(values, counts, ridge);
  if (left > TELLING_TRACE * trace) {
    let [low, high] = [0, STEEPEST];
    for (let k = 0; k < 40; k++) {
      const middle = (low + high) / 2;
      if (sumFor(middle) > left) low = middle;
      else high = middle;
    }
    exponent = low;
  }
  for (const { place, count, end } of at) {
    values.push(ridge + level * end * place ** -exponent);
    counts.push(count);
  }
}

/** p of the least squares fit of λ_i − ridge by c·i^(−p) to the last resolved ones. */
function fittedExponent(values: readonly number[], counts: readonly number[], ridge: number): number {
  let index = 0;
  const points: [number, number][] = [];
  values.forEach((value, k) => {
    index += counts[k];
    if (k >= FITTED * values.length && value > ridge)
      points.push([Math.log(index - counts[k] / 2), Math.log(value - ridge)]);
  });
  if (points.length < 2) return STEEPEST;
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const slope =
    points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) /
    points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return Math.min(STEEPEST, Math.max(0, -slope));
}
