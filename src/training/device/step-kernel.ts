/**
 * The length of a step of conjugate gradients as a kernel: the rule of ../newton/step-length.ts, from sums that lie on
 * the device, so that steps are made there before this machine has seen them.
 */
import type { Precision } from '../../core/floats.js';
import { writing } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import { LEAST_SHARE, type LengthRule } from '../newton/step-length.js';

/** The largest number of a precision. */
export const MOST: Readonly<Record<Precision, number>> = { f64: Number.MAX_VALUE, f32: 2 ** 127 * (2 - 2 ** -23) };

/** Numbers of a rule: rᵀz, and the largest curvature or the radius. */
export const RULE_NUMBERS = 2;
/** The rule's numbers. */
export const ruleNumbers = (rule: LengthRule): number[] => [
  rule.rz,
  rule.radius === undefined ? rule.largest : rule.radius,
];

/** Coefficients of two combinations: along, 1, −across, 1. */
export const LENGTH_NUMBERS = 4;

/** From sums at x and a rule's numbers at s; `ball`: within a radius. */
const STEP_LENGTH = {
  ...writing(
    'length of a step',
    ['y', 'x', 's', 'ball'],
    `real bend = h[x];
real pp = h[x + 1];
real rz = h[s];
real along = 0.0;
real across = 0.0;
if (abs(bend) <= most && pp > 0.0 && pp <= most) {
  if (ball == 0) {
    real taken = bend;
    if (bend <= 0.0) { taken = max(-bend, share * h[s + 1] * pp); }
    along = longest;
    if (taken * longest > rz) { along = rz / taken; }
    across = along;
  } else {
    real xp = h[x + 2];
    real square = h[s + 1] * h[s + 1];
    if (bend > 0.0) {
      along = rz / bend;
      if (h[x + 3] + 2.0 * along * xp + along * along * pp < square) { across = along; }
    }
    if (across == 0.0) {
      real gap = max(0.0, square - h[x + 3]);
      real root = sqrt(xp * xp + pp * gap);
      if (xp > 0.0) { along = gap / (xp + root); } else { along = (root - xp) / pp; }
    }
  }
}
h[y] = along;
h[y + 1] = 1.0;
h[y + 2] = -across;
h[y + 3] = 1.0;`,
  ),
  reals: ['most', 'longest', 'share'],
};

/** Coefficients at `to` ← the length by sums at `from` and a rule's numbers at `rule`. */
export function lengthStep(
  { to, from, rule, ball }: { readonly to: number; readonly from: number; readonly rule: number; ball: boolean },
  precision: Precision,
): DeviceStep {
  const most = MOST[precision];
  return {
    kernel: STEP_LENGTH,
    count: 1,
    integers: [to, from, rule, ball ? 1 : 0],
    reals: [most, most ** 0.25, LEAST_SHARE],
  };
}
