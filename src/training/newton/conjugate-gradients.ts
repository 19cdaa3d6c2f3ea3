/**
 * Conjugate gradients for Ax = b with what Newton methods want of them: φ(x) = ½xᵀAx − bᵀx of every iterate, the stop
 * by φ's relative progress and the kept iterates of J. Martens ("Deep learning via Hessian-free optimization", ICML
 * 2010, §4), a warm start, a preconditioner, and an answer to negative curvature. With residual r = b − Ax, z = M⁻¹r:
 *
 *   α = rᵀz/pᵀAp,  x ← x + αp,  r ← r − αAp,  φ = −½xᵀ(b + r),  p ← z + (r₊ᵀz₊/rᵀz)p
 *
 * Where pᵀAp ≤ 0 the matrix is not positive definite: |pᵀAp|, or a tenth of the largest curvature met, takes its place
 * in one last step along p (step-length.ts), which goes down in φ, and the curvature is told.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Steps } from './steps.js';
import type { Pair, Product, Space } from './vectors.js';

/** z ← M⁻¹r of a symmetric positive definite M. */
export type Precondition = (r: FloatArray, z: FloatArray) => void;

/** Places for an iteration, vectors of the space. */
export interface CgPlaces {
  readonly r: FloatArray;
  readonly p: FloatArray;
  readonly q: FloatArray;
  /** Used with a preconditioner alone; may be r without one. */
  readonly z: FloatArray;
}

/** When an iteration stops, and what it keeps. */
export interface CgOptions {
  readonly iterations: number;
  /** ‖r‖/‖b‖ at which it stops; 0: never. */
  readonly tolerance?: number | undefined;
  /**
   * Martens' stop after iteration i: φ_i < 0 and (φ_{i−k} − φ_i)/|φ_i| < kε, with k = max(10, i/10). Default none.
   */
  readonly progress?: number | undefined;
  readonly precondition?: Precondition | undefined;
  /** Whether x holds where to begin; else it begins at zero. */
  readonly warm?: boolean | undefined;
  /** Places for iterates 1, 2, 3, 4, 6, 8, 11, …, each ⌈1.3×⌉ the one before, the last iterate always among them. */
  readonly keep?: readonly FloatArray[] | undefined;
}

/** An iterate that was kept: the place in `keep`, and φ. */
export interface KeptIterate {
  readonly at: number;
  readonly iteration: number;
  readonly model: number;
}

/** How an iteration ended. */
export interface CgOutcome {
  readonly stop: 'tolerance' | 'progress' | 'limit' | 'negative-curvature' | 'breakdown';
  readonly iterations: number;
  readonly products: number;
  /** ‖r‖/‖b‖ by the recurrence. */
  readonly residual: number;
  /** φ(x). */
  readonly model: number;
  /** pᵀAp/pᵀp ≤ 0, where it was met. */
  readonly negativeCurvature: number | null;
  readonly kept: readonly KeptIterate[];
}

const GROWTH = 1.3;

/**
 * x ← an approximate solution of Ax = b. A product, 10N flops and the preconditioner an iteration, which waits for
 * numbers once.
 */
export function* conjugateGradients(
  space: Space,
  product: Product,
  { b, x }: { readonly b: FloatArray; readonly x: FloatArray },
  { r, p, q, z: zPlace }: CgPlaces,
  options: CgOptions,
): Steps<CgOutcome> {
  const { iterations, tolerance = 0, progress = 0, precondition, warm = false, keep = [] } = options;
  const z = precondition === undefined ? r : zPlace;
  const models: number[] = [];
  const kept: KeptIterate[] = [];
  let products = 0;
  space.copy(b, r);
  if (warm) {
    yield* product(x, q);
    products++;
    space.add(-1, q, r);
  } else space.clear(x);
  precondition?.(r, z);
  space.copy(z, p);
  const modelOf = (xb: number, xr: number): number => -0.5 * (xb + xr);
  const [bb, xb, xr, square, first] = yield* space.dots([b, b], [x, b], [x, r], [r, r], [r, z]);
  const norm = Math.sqrt(bb);
  models.push(warm ? modelOf(xb, xr) : 0);
  let negativeCurvature: number | null = null;
  let stop: CgOutcome['stop'] = 'limit';
  let residual = norm === 0 ? 0 : Math.sqrt(square) / norm;
  let next = 1;
  let i = 0;
  const save = (): void => {
    if (keep.length === 0 || kept.at(-1)?.iteration === i) return;
    const at = Math.min(kept.length, keep.length - 1);
    space.copy(x, keep[at]);
    kept.length = at;
    kept.push({ at, iteration: i, model: models[i] });
    next = Math.max(i + 1, Math.ceil(GROWTH * i));
  };
  let rz = first;
  let largest = 0;
  if (residual <= tolerance) stop = 'tolerance';
  while (stop === 'limit' && i < iterations) {
    if (!(rz > 0) || !Number.isFinite(rz)) {
      stop = residual <= tolerance || rz === 0 ? 'tolerance' : 'breakdown';
      break;
    }
    yield* product(p, q);
    products++;
    const pairs: Pair[] = [
      [x, b],
      [x, r],
      [r, r],
    ];
    if (z !== r) pairs.push([r, z]);
    const { before, after } = yield* space.advance(
      { x, r, p, q, rule: { rz, largest } },
      () => precondition?.(r, z),
      pairs,
    );
    const [[bend, pp], [xb, xr, rr, following = rr]] = [before, after];
    const curvature = bend / pp;
    if (!Number.isFinite(curvature)) {
      stop = 'breakdown';
      break;
    }
    largest = Math.max(largest, Math.abs(curvature));
    i++;
    models.push(modelOf(xb, xr));
    residual = Math.sqrt(rr) / norm;
    if (bend <= 0) {
      negativeCurvature = curvature;
      stop = 'negative-curvature';
      break;
    }
    if (residual <= tolerance) {
      stop = 'tolerance';
      break;
    }
    if (progress > 0) {
      const k = Math.max(10, Math.floor(0.1 * i));
      const model = models[i];
      if (i > k && model < 0 && (models[i - k] - model) / -model < k * progress) {
        stop = 'progress';
        break;
      }
    }
    if (i >= next) save();
    if (i === iterations) break;
    space.combine(1, z, following / rz, p);
    rz = following;
  }
  if (i > 0) save();
  return { stop, iterations: i, products, residual, model: models[i], negativeCurvature, kept };
}
