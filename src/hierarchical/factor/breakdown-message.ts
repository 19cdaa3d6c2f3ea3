/**
 * The errors of factorizations that break down, and of shifts that none can have.
 */
import { FactorizationError, NotPositiveDefiniteError, OptionError, type HmatrixError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { Breakdown } from './engine.js';

/** What only a program can choose. */
const INDEFINITE = " { indefinite: true } factors indefinite matrices of format 'hss'.";

/** What is known of a factorization that broke down. */
export interface BrokenDown {
  /** Isolated indices, whose rows are λ alone. */
  readonly isolated: number;
  readonly shift: number;
  readonly indefinite: boolean;
  /** The smallest shift that works, where it was looked for and found. */
  readonly suggestedShift?: number | undefined;
}

/** The error to throw: NotPositiveDefiniteError, or FactorizationError of an indefinite factorization. */
export function tellBreakdown(
  { node, level, pivot, index }: Breakdown,
  { isolated, shift, indefinite, suggestedShift }: BrokenDown,
): HmatrixError {
  const data = { node, level, pivot, index, shift };
  const where =
    pivot === 0
      ? `${isolated} isolated indices have rows of zeros (the first is ${index})`
      : `elimination broke down at node ${node}, level ${level}, pivot ${pivot} (index ${index})`;
  if (indefinite) {
    return new FactorizationError(
      `K̃ + λI with λ = ${shift} is singular to working precision, or an indefinite elimination without pivoting ` +
        `between nodes meets a singular block: ${where}. Choose another shift.`,
      data,
    );
  }
  const advice =
    suggestedShift === undefined ? 'Add a larger shift' : `The smallest shift that works is ${suggestedShift}`;
  return new NotPositiveDefiniteError(
    `K̃ + λI with λ = ${shift} is not positive definite: ${where}. ${advice}, or compress to a tighter ` +
      `tolerance.${INDEFINITE}`,
    { ...data, suggestedShift, libraryOnly: INDEFINITE },
  );
}

/** What is said of a factorization that is not there: it is being made, or could not be. */
export function notFactored(shift: number, underWay: boolean): OptionError {
  const what = `The factorization for shift ${shift}`;
  return new OptionError(
    underWay
      ? `${what} is under way: await factors.refactor(${shift}).`
      : `${what} failed: refactor with another shift.`,
    { shift },
  );
}

/** Throws OptionError for a shift out of its domain. */
export function checkShift(shift: number, indefinite: boolean): void {
  if (!Number.isFinite(shift))
    throw new OptionError(`shift must be a finite number, not ${describe(shift)}.`, { option: 'shift', value: shift });
  if (shift < 0 && !indefinite)
    throw new OptionError(
      `shift must be ≥ 0, not ${describe(shift)}: K̃ + λI with λ < 0 is factored with { indefinite: true } only.`,
      { option: 'shift', value: shift },
    );
}
