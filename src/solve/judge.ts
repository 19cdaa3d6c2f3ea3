/**
 * What came of a solve in view of the precisions of the matrix, of its products and of X.
 */
import { warn } from '../core/warning.js';
import type { Subject } from '../approximation/subject.js';
import type { Matrix, Precision } from '../dense/matrix.js';
import type { BlockSolution } from '../krylov/block-solution.js';
import { normFromBelow } from '../krylov/operator-norm.js';
import type { Solution } from '../krylov/solution.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { SolveResult } from './options.js';
import {
  allowedResidual,
  conditions,
  precisionOf,
  roundedResidual,
  storedPrecision,
  WORTH_A_WARNING,
} from './precision.js';
import type { Shortfall } from './shortfall.js';

interface Solved {
  readonly subject: Subject;
  /** A + λI. */
  readonly system: LinearOperator;
  readonly products: Precision;
  readonly b: Matrix;
  readonly out: Matrix;
  readonly tolerance: number;
  /** Whether the caller named the tolerance. */
  readonly asked: boolean;
  /** ‖A + λI‖₂, where it is known about: else a few products tell. */
  readonly norm?: number | undefined;
}

/**
 * The outcome in view of the precision: where nobody named a tolerance, a residual at the level that float32 allows is
 * as good as it gets; and what rounding the matrix to float32 costs is said once. ‖A‖ is estimated by a few products
 * where float32 is about, or the residual stagnates.
 */
export function judge(
  solution: Solution | BlockSolution,
  residuals: Float64Array,
  { subject, system, products, b, out, tolerance, asked, norm }: Solved,
  control: TeamControl,
): Pick<SolveResult, 'outcome' | 'tolerance' | 'toleranceFrom'> & Pick<Shortfall, 'rounding'> {
  const { outcome } = solution;
  const stored = storedPrecision(subject);
  const single = products === 'f32' || precisionOf(out) === 'f32';
  const toleranceFrom = asked ? 'caller' : 'default';
  if (outcome !== 'stagnated' && !(outcome === 'converged' && stored === 'f32'))
    return { outcome, tolerance, toleranceFrom };
  const of = conditions(norm ?? normFromBelow(system), b, out);
  const condition = Math.max(...of);
  if (stored === 'f32' && condition >= WORTH_A_WARNING) {
    const lost = Math.min(7, Math.round(Math.log10(condition)));
    warn(
      'float32-digits',
      `The matrix was rounded to float32, and with ‖A + λI‖‖x‖/‖b‖ = ${condition.toPrecision(2)} that costs x ` +
        `about ${lost} of its 7 digits: relative to the matrix before rounding the residual is up to ` +
        `${(condition * 2 ** -24).toExponential(0)}. Store it in float64, or take a larger shift.`,
      control,
    );
  }
  if (outcome === 'converged') return { outcome, tolerance, toleranceFrom };
  const rounded = products === 'f64' && single;
  const levelAt = (at: number): number => (rounded ? roundedResidual(at) : allowedResidual(products, at));
  const level = levelAt(condition);
  if (
    single &&
    !asked &&
    (!rounded || solution.unrounded <= Math.max(tolerance, allowedResidual('f64', condition))) &&
    residuals.every((residual, j) => residual <= Math.max(tolerance, levelAt(of[j])))
  )
    return { outcome: 'converged', tolerance: Math.max(tolerance, level), toleranceFrom: 'float32' };
  return {
    outcome,
    tolerance,
    toleranceFrom,
    rounding: { of: products === 'f32' ? 'products' : single ? 'x' : 'float64', condition, level },
  };
}
