/**
 * Budgets of approximations: bytes of what is stored, as a share of the dense matrix.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { shareHolding } from '../core/memory.js';
import type { Accuracy, Budget, Goal } from './methods/method.js';

/** Whether it is an error, not memory, that is asked for. */
export const isAccuracy = (goal: Goal): goal is Accuracy => (goal as Partial<Accuracy>).tolerance !== undefined;

/** Throws OptionError unless it is a share or a tolerance, and within its bounds. */
export function requireGoal(goal: Goal): void {
  const { share, tolerance } = goal as Partial<Budget & Accuracy>;
  if (share !== undefined && tolerance !== undefined)
    throw new OptionError('Give a share of the memory or a tolerance, not both.', { share, tolerance });
  if (!isAccuracy(goal)) bytesOfBudget(goal, 1);
  else if (!(goal.tolerance > 0 && goal.tolerance < 1))
    throw new OptionError(`tolerance must lie above 0 and below 1, not ${describe(tolerance)}.`, {
      option: 'tolerance',
      tolerance,
    });
}

/** Bytes of the dense N × N matrix in float64. */
export const denseBytes = (size: number): number => 8 * size * size;

/** The bytes a budget allows. Throws OptionError. */
export function bytesOfBudget({ share }: Budget, size: number): number {
  if (!(share > 0 && share <= 1))
    throw new OptionError(`The budget is a share of the dense matrix above 0 and at most 1, not ${describe(share)}.`, {
      option: 'share',
      share,
    });
  return share * denseBytes(size);
}

/** 0.0123 → '1.23 %'. */
export const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`;

/**
 * The largest r with r(N + 1) numbers, N × r vectors and r values, within the budget. Throws OptionError where not even
 * one fits.
 */
export function rankWithin(budget: Budget, size: number): number {
  const rank = Math.min(size, Math.floor(bytesOfBudget(budget, size) / (8 * (size + 1))));
  if (rank < 1) {
    const least = shareHolding(8 * (size + 1), size);
    throw new OptionError(
      `A share of ${percent(budget.share)} holds no vector of ${size} numbers: rank 1 takes ${percent(least)}.`,
      { option: 'share', share: budget.share, least },
    );
  }
  return rank;
}
