/**
 * Damping and step lengths by the quadratic model of f, as methods with curvature choose them.
 */

/** q(δ) − f of a step δ = αd + μp. */
export interface ModelStep {
  readonly alpha: number;
  readonly momentum: number;
  /** −(q(δ) − f) at its minimum: at least 0. */
  readonly reduction: number;
}

/** Products of gradient and curvature with a direction d and the previous step p. */
export interface ModelNumbers {
  /** gᵀd, gᵀp. */
  readonly slopes: readonly [number, number];
  /** dᵀBd, dᵀBp, pᵀBp with B the curvature, damping included. */
  readonly curvature: readonly [number, number, number];
}

/** Relative size of a determinant that is taken for zero: d and p are parallel. */
const PARALLEL = 1e-7;

/**
 * α and μ that minimise q = f + gᵀδ + ½δᵀBδ over δ = αd + μp (J. Martens, R. Grosse, arXiv 1503.05671, §7); μ is zero
 * where p is zero or parallel to d, or `withMomentum` is false. Null where the model has no minimum along d.
 */
export function modelStep({ slopes, curvature }: ModelNumbers, withMomentum = true): ModelStep | null {
  const [a, b] = slopes;
  const [dd, dp, pp] = curvature;
  const determinant = dd * pp - dp * dp;
  if (withMomentum && dd > 0 && determinant > PARALLEL * dd * pp) {
    const alpha = (dp * b - pp * a) / determinant;
    const momentum = (dp * a - dd * b) / determinant;
    return finite({ alpha, momentum, reduction: -(a * alpha + b * momentum) / 2 });
  }
  const alpha = -a / dd;
  return dd > 0 ? finite({ alpha, momentum: 0, reduction: (-a * alpha) / 2 }) : null;
}

const finite = (step: ModelStep): ModelStep | null =>
  Number.isFinite(step.alpha + step.momentum + step.reduction) ? step : null;

/** How damping follows the ratio ρ of reductions. */
export interface RatioRule {
  /** Factor of λ where the model is right, ρ > ¾; 1/factor where it is wrong, ρ < ¼. */
  readonly factor: number;
  readonly floor: number;
  readonly ceiling: number;
}

/** The next λ (Levenberg and Marquardt): smaller where ρ > ¾, larger where ρ < ¼ or is not a number. */
export function nextDamping(damping: number, ratio: number, { factor, floor, ceiling }: RatioRule): number {
  const next = ratio > 0.75 ? damping * factor : ratio >= 0.25 ? damping : damping / factor;
  return Math.min(ceiling, Math.max(floor, next));
}
