/**
 * Gram vectors of rotated units: m(p, p′) ∈ ℝⁿ with m_i = (1/n) Σ_k D′_ℓ(i,k,p)·D′_ℓ′(i,k,p′), for a pair of layers.
 * They are formed sample by sample, one small GEMM each, and stored unit pair by unit pair, as tiles of the rotated
 * Hessian read them.
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';

/**
 * n-vectors of units p of the lower layer and p′ of the upper one:
 *   full       at p + units·p′
 *   symmetric  p ≤ p′ of one layer, at p + p′(p′ + 1)/2
 *   diagonal   p = p′ of one layer, at p; all others are zero
 */
export interface UnitGrams {
  readonly form: 'full' | 'symmetric' | 'diagonal';
  /** Units of the lower layer. */
  readonly units: number;
  readonly vectors: Float64Array;
}

/** Number of the vector of units p (lower layer) and p′ (upper layer), or −1 where it is zero. */
export function gramNumber({ form, units }: UnitGrams, p: number, other: number): number {
  if (form === 'full') return p + units * other;
  if (form === 'diagonal') return p === other ? p : -1;
  return p <= other ? p + (other * (other + 1)) / 2 : other + (p * (p + 1)) / 2;
}

/** Errors D′ᵀ, units × n·rows; null for the last layer where Δ_{L,i} is diag(roots_i) in its basis. */
export interface RotatedErrors {
  readonly errors: Matrix | null;
  readonly units: number;
}

/** Samples whose Gram matrices are transposed together: a cache line of each vector and more. */
const BATCH = 16;

/** Errors of the output layer, and what pairs of layers have in common. */
export interface ErrorShape {
  /** n. */
  readonly samples: number;
  /** Error rows of a sample. */
  readonly rows: number;
  /** rows × n, or one number for all. */
  readonly roots: Matrix | number;
}

/** The vectors of two layers, which are the `same` or not. */
export function combineUnits(
  lower: RotatedErrors,
  upper: RotatedErrors,
  same: boolean,
  { samples: n, rows, roots }: ErrorShape,
  blas: Blas,
): UnitGrams {
  if (upper.errors === null)
    return same ? lastGrams(upper.units, roots, n) : gramsWithLast(lower, upper.units, roots, n);
  const a = lower.errors!;
  const b = upper.errors;
  const [u, v] = [lower.units, upper.units];
  const vectors = sharedFloat64(n * (same ? (u * (u + 1)) / 2 : u * v));
  const grams = zeros(u * v, BATCH);
  for (let first = 0; first < n; first += BATCH) {
    const count = Math.min(BATCH, n - first);
    for (let i = 0; i < count; i++) {
      blas.gemm(
        'N',
        'T',
        1 / n,
        view(a.data, (first + i) * u, u, rows, n * u),
        view(b.data, (first + i) * v, v, rows, n * v),
        0,
        view(grams.data, i * u * v, u, v),
      );
    }
    let to = first;
    for (let q = 0; q < v; q++) {
      for (let p = 0; p < (same ? q + 1 : u); p++, to += n)
        for (let i = 0, from = p + q * u; i < count; i++, from += u * v) vectors[to + i] = grams.data[from];
    }
  }
  return { form: same ? 'symmetric' : 'full', units: u, vectors };
}

/** (1/n)·roots(p, i)². */
function lastGrams(units: number, roots: Matrix | number, n: number): UnitGrams {
  const vectors = sharedFloat64(n * units);
  for (let p = 0; p < units; p++)
    for (let i = 0; i < n; i++)
      vectors[p * n + i] = (typeof roots === 'number' ? roots : roots.data[p + i * units]) ** 2 / n;
  return { form: 'diagonal', units, vectors };
}

/** (1/n)·D′_ℓ(i, p′, p)·roots(p′, i). */
function gramsWithLast({ errors, units }: RotatedErrors, rows: number, roots: Matrix | number, n: number): UnitGrams {
  const vectors = sharedFloat64(n * units * rows);
  const d = errors!.data;
  for (let k = 0; k < rows; k++) {
    for (let i = 0; i < n; i++) {
      const root = (typeof roots === 'number' ? roots : roots.data[k + i * rows]) / n;
      let from = (k * n + i) * units;
      for (let p = 0, to = k * units * n + i; p < units; p++, to += n) vectors[to] = root * d[from++];
    }
  }
  return { form: 'full', units, vectors };
}
