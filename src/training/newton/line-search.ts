/**
 * Line searches on φ(α) = f(θ + αd), φ′(0) = gᵀd < 0: Armijo's backtracking by values alone, and one for the strong
 * Wolfe conditions by values and slopes (J. Nocedal, S. Wright, *Numerical Optimization*, 2006, algorithms 3.1, 3.5 and
 * 3.6, cubic interpolation (3.59)):
 *
 *   sufficient decrease   φ(α) ≤ φ(0) + c₁αφ′(0)
 *   curvature             |φ′(α)| ≤ c₂|φ′(0)|
 */

import type { Steps } from './steps.js';

/** φ(0) and φ′(0). */
export interface LineStart {
  readonly value: number;
  readonly slope: number;
}

/** Where a search ended: at a rate of 0 where it found no decrease. */
export interface LineEnd {
  readonly rate: number;
  readonly value: number;
  readonly evaluations: number;
  /** The conditions that hold at the end. */
  readonly met: 'strong-wolfe' | 'armijo' | 'none';
}

const ARMIJO = 1e-4;
const LEAST_SHRINK = 0.1;
const MOST_SHRINK = 0.5;

/**
 * From `first` down until the decrease is sufficient; each next rate minimizes the parabola through what is known,
 * within [0.1, 0.5] of the one before.
 */
export function* armijo(
  φ: (alpha: number) => Steps<number>,
  { value, slope }: LineStart,
  {
    first = 1,
    most = 20,
    decrease = ARMIJO,
  }: { readonly first?: number; readonly most?: number; decrease?: number } = {},
): Steps<LineEnd> {
  let alpha = first;
  if (!(slope < 0)) return { rate: 0, value, evaluations: 0, met: 'none' };
  for (let k = 1; k <= most; k++) {
    const at = yield* φ(alpha);
    if (at <= value + decrease * alpha * slope) return { rate: alpha, value: at, evaluations: k, met: 'armijo' };
    const parabola = (-0.5 * slope * alpha * alpha) / (at - value - slope * alpha);
    const next = Number.isFinite(parabola) ? parabola : 0;
    alpha = Math.min(Math.max(next, LEAST_SHRINK * alpha), MOST_SHRINK * alpha);
  }
  return { rate: 0, value, evaluations: most, met: 'none' };
}

/** A rate with what was found there. */
interface Tried {
  readonly alpha: number;
  readonly value: number;
  readonly slope: number;
}

/** Minimizer of the cubic through two values and slopes; NaN where it has none. */
function cubicMinimizer(a: Tried, b: Tried): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.alpha - b.alpha);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return Number.NaN;
  const d2 = Math.sign(b.alpha - a.alpha) * Math.sqrt(square);
  return b.alpha - (b.alpha - a.alpha) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
}

/** Options of {@link wolfe}. */
export interface WolfeOptions {
  readonly first?: number | undefined;
  /** c₁. Default 1e-4. */
  readonly decrease?: number | undefined;
  /** c₂. Default 0.9. */
  readonly curvature?: number | undefined;
  /** Most evaluations. Default 25. */
  readonly most?: number | undefined;
  readonly longest?: number | undefined;
}

/**
 * A rate with the strong Wolfe conditions. φ gives value and slope, an infinite value where there is none. Where the
 * evaluations run out, the lowest rate with sufficient decrease, and `met` says so. The last call of φ is at the rate
 * that is returned, unless that is 0.
 */
export function* wolfe(
  φ: (alpha: number) => Steps<{ readonly value: number; readonly slope: number }>,
  { value, slope }: LineStart,
  { first = 1, decrease = ARMIJO, curvature = 0.9, most = 25, longest = 1e10 }: WolfeOptions = {},
): Steps<LineEnd> {
  let evaluations = 0;
  let last = Number.NaN;
  const at = function* (alpha: number): Steps<Tried> {
    evaluations++;
    last = alpha;
    return { alpha, ...(yield* φ(alpha)) };
  };
  const start: Tried = { alpha: 0, value, slope };
  const low = (t: Tried): boolean => t.value <= value + decrease * t.alpha * slope;
  const flat = (t: Tried): boolean => Math.abs(t.slope) <= -curvature * slope;
  const end = function* (t: Tried, met: LineEnd['met']): Steps<LineEnd> {
    if (t.alpha > 0 && last !== t.alpha) yield* at(t.alpha);
    return { rate: t.alpha, value: t.value, evaluations, met };
  };
  if (!(slope < 0)) return { rate: 0, value, evaluations, met: 'none' };

  /** Between `lo`, the lowest with sufficient decrease, and `hi`, where φ rises again. */
  const zoom = function* (lo: Tried, hi: Tried): Steps<LineEnd> {
    while (evaluations < most) {
      const width = Math.abs(hi.alpha - lo.alpha);
      if (!(width > 1e-14 * Math.max(lo.alpha, hi.alpha))) break;
      const from = Math.min(lo.alpha, hi.alpha);
      let next = Number.isFinite(hi.value) ? cubicMinimizer(lo, hi) : Number.NaN;
      // Too near an end the interval would not shrink.
      if (!(next >= from + 0.1 * width && next <= from + 0.9 * width)) next = from + 0.5 * width;
      const t = yield* at(next);
      if (!low(t) || t.value >= lo.value) hi = t;
      else {
        if (flat(t)) return yield* end(t, 'strong-wolfe');
        if (t.slope * (hi.alpha - lo.alpha) >= 0) hi = lo;
        lo = t;
      }
    }
    return yield* end(lo, lo.alpha > 0 ? 'armijo' : 'none');
  };

  let before = start;
  let alpha = Math.min(first, longest);
  while (evaluations < most) {
    const t = yield* at(alpha);
    if (!low(t) || (before.alpha > 0 && t.value >= before.value)) return yield* zoom(before, t);
    if (flat(t)) return yield* end(t, 'strong-wolfe');
    if (t.slope >= 0) return yield* zoom(t, before);
    if (alpha >= longest) return yield* end(t, 'armijo');
    const cubic = cubicMinimizer(before, t);
    before = t;
    alpha = Math.min(longest, cubic > 1.5 * t.alpha && cubic < 10 * t.alpha ? cubic : 2 * t.alpha);
  }
  return yield* end(before, before.alpha > 0 ? 'armijo' : 'none');
}
