/**
 * How damping and radius follow ρ = (f(θ) − f(θ + d))/(m(0) − m(d)), the batch's reduction over that of the model: the
 * rule of Levenberg and Marquardt as J. Martens has it (ICML 2010, §4.1), and the trust radius of J. Nocedal, S. Wright
 * (*Numerical Optimization*, 2006, algorithm 4.1).
 */

/** λ ← λ·increase where ρ < ¼, λ·decrease where ρ > ¾, within its limits. */
export interface DampingRule {
  readonly increase: number;
  readonly decrease: number;
  readonly least: number;
  readonly most: number;
}

const LOW = 0.25;
const HIGH = 0.75;

/** The next λ. A ratio that is no number counts as none at all. */
export function nextDamping(damping: number, ratio: number, { increase, decrease, least, most }: DampingRule): number {
  const next = !(ratio >= LOW) ? damping * increase : ratio > HIGH ? damping * decrease : damping;
  return Math.min(Math.max(next, least), most);
}

/** Δ ← ‖d‖/4 where ρ < ¼, 2Δ where ρ > ¾ and the step ended at the radius, at most `most`. */
export function nextRadius(
  radius: number,
  { ratio, length, boundary, most }: { ratio: number; length: number; boundary: boolean; most: number },
): number {
  if (!(ratio >= LOW)) return Math.min(radius, length > 0 ? length : radius) * LOW;
  return ratio > HIGH && boundary ? Math.min(2 * radius, most) : radius;
}

/** ρ; a model that does not promise a reduction has none. */
export const reductionRatio = (before: number, after: number, model: number): number =>
  model < 0 ? (before - after) / -model : Number.NEGATIVE_INFINITY;
