/**
 * Budgets of approximations: bytes of what is stored, as a share of the dense matrix.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import type { Budget } from './methods/method.js';

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
    const least = (size + 1) / size ** 2;
    throw new OptionError(
      `A share of ${percent(budget.share)} holds no vector of ${size} numbers: rank 1 takes ${percent(least)}.`,
      { option: 'share', share: budget.share, least },
    );
  }
  return rank;
}
