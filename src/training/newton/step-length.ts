/**
 * How far a step of conjugate gradients goes along p, from pᵀAp and pᵀp, and, within a radius, from xᵀp and xᵀx. On a
 * device the same rule is a kernel (../device/step-kernel.ts): its numbers need not come here first.
 */

/** What a length depends on besides. */
export type LengthRule =
  | {
      /** rᵀz. */
      readonly rz: number;
      /** The largest |pᵀAp|/pᵀp of the steps before. */
      readonly largest: number;
      readonly radius?: undefined;
    }
  | { readonly rz: number; readonly radius: number };

/** x ← x + along·p, r ← r − across·Ap. */
export interface StepLength {
  readonly along: number;
  readonly across: number;
}

/**
 * Curvature below this share of the largest one met counts as that share in the last step along p: where there is next
 * to none, the step would be as long as a line search allows.
 */
export const LEAST_SHARE = 0.1;

/** No step is longer. */
const MOST_LENGTH = Number.MAX_VALUE ** 0.25;

/** Where numbers are not finite no step is taken. Within a radius a step that would leave the ball ends on its edge. */
export function stepLength(rule: LengthRule, [bend, pp, xp = 0, xx = 0]: readonly number[]): StepLength {
  const { rz, radius } = rule;
  const curvature = bend / pp;
  if (!Number.isFinite(curvature)) return { along: 0, across: 0 };
  if (radius === undefined) {
    const largest = Math.max(rule.largest, Math.abs(curvature));
    const taken = bend > 0 ? bend : pp * Math.max(-curvature, LEAST_SHARE * largest, Number.MIN_VALUE);
    const length = Math.min(rz / taken, MOST_LENGTH);
    return { along: length, across: length };
  }
  const length = rz / bend;
  if (bend > 0 && xx + 2 * length * xp + length * length * pp < radius * radius)
    return { along: length, across: length };
  // The root τ > 0 of ‖x + τp‖ = Δ, by the form without cancellation.
  const gap = Math.max(0, radius * radius - xx);
  const root = Math.sqrt(xp * xp + pp * gap);
  return { along: xp > 0 ? gap / (xp + root) : (root - xp) / pp, across: 0 };
}
