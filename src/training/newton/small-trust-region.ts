/**
 * min γe₁ᵀy + ½yᵀTy over ‖y‖ ≤ Δ for a small T = SΘSᵀ, exactly: y(λ) = −S(Θ + λ)⁻¹c, c = γSᵀe₁, with the λ ≥ max(0,
 * −θ_min) at which ‖y‖ = Δ, or λ = 0 inside (J. Moré, D. Sorensen, SIAM J. Sci. Stat. Comput. 4(3), 1983). In the hard
 * case, where no λ reaches Δ, the rest of the way goes along the eigenvector of θ_min.
 */

/** T by its eigenpairs, values ascending, vectors k × k column-major; γ. */
export interface SmallModel {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
  readonly first: number;
}

/** A minimizer. */
export interface SmallSolution {
  readonly y: Float64Array;
  /** λ. */
  readonly damping: number;
  /** γe₁ᵀy + ½yᵀTy. */
  readonly model: number;
  /** Whether the eigenvector of the least eigenvalue had to help. */
  readonly hard: boolean;
}

const STEPS = 200;

/** The minimizer within a radius, or the solution of (T + λI)y = −γe₁ with |θ + λ| where that is negative. */
export function smallTrustRegion(
  { values, vectors, first }: SmallModel,
  by: { readonly radius: number } | { readonly damping: number },
): SmallSolution {
  const k = values.length;
  const c = Float64Array.from({ length: k }, (_, j) => first * vectors[j * k]);
  const scale = Math.max(Math.abs(values[0]), Math.abs(values[k - 1]), Number.MIN_VALUE);
  const step = (λ: number, j: number): number => {
    const shifted = values[j] + λ;
    // The pole itself: its share is for the hard case.
    return Math.abs(shifted) <= 1e-15 * scale ? 0 : -c[j] / shifted;
  };
  const norm = (λ: number): number => Math.sqrt(values.reduce((sum, _, j) => sum + step(λ, j) ** 2, 0));
  const finish = (w: Float64Array, damping: number, hard: boolean): SmallSolution => {
    const y = new Float64Array(k);
    let model = 0;
    for (let j = 0; j < k; j++) {
      model += c[j] * w[j] + 0.5 * values[j] * w[j] * w[j];
      for (let i = 0; i < k; i++) y[i] += w[j] * vectors[j * k + i];
    }
    return { y, damping, model, hard };
  };
  if ('damping' in by) {
    const λ = by.damping;
    const w = c.map((value, j) => {
      const shifted = Math.abs(values[j] + λ);
      return shifted <= 1e-15 * scale ? 0 : -value / shifted;
    });
    return finish(w, λ, false);
  }
  const { radius } = by;
  const least = Math.max(0, -values[0]);
  if (values[0] > 0 && norm(0) <= radius)
    return finish(
      c.map((_, j) => step(0, j)),
      0,
      false,
    );
  if (norm(least) < radius) {
    const w = c.map((_, j) => step(least, j));
    const rest = radius * radius - w.reduce((sum, value) => sum + value * value, 0);
    const near = Math.abs(values[0] + least) <= 1e-15 * scale && Math.abs(c[0]) <= 1e-14 * Math.abs(first);
    if (near) {
      w[0] = values[0] < 0 ? Math.sqrt(Math.max(0, rest)) : 0;
      return finish(w, least, values[0] < 0);
    }
  }
  // ‖y(λ)‖ falls from at least Δ to 0: bisection on a bracket, in the distance from `least`, whose scale is unknown.
  let low = 0;
  let high = Math.max(Math.abs(first) / radius, 1e-300);
  while (norm(least + high) > radius) high *= 2;
  for (let i = 0; i < STEPS && high - low > 1e-15 * (least + high); i++) {
    const middle = low > 0 && high / low > 4 ? Math.sqrt(low * high) : 0.5 * (low + high);
    if (norm(least + middle) > radius) low = middle;
    else high = middle;
  }
  const λ = least + high;
  const w = c.map((_, j) => step(λ, j));
  // Near the pole λ cannot be told apart closely enough: the first coordinate fills the ball.
  const length = Math.sqrt(w.reduce((sum, value) => sum + value * value, 0));
  const hard = length < radius * (1 - 1e-9);
  if (hard) {
    const rest = radius * radius - (length * length - w[0] * w[0]);
    w[0] = (c[0] > 0 ? -1 : 1) * Math.sqrt(Math.max(0, rest));
  }
  return finish(w, λ, hard);
}
