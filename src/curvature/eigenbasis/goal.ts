/**
 * What compressions of Gauss–Newton Hessians keep to: a share of the dense matrix's memory, or an error.
 */
import { requireTolerance } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { shareHolding } from '../../core/memory.js';
import type { Goal } from './choice.js';

/** A share or a tolerance, not both. */
export interface GoalOptions {
  /** Bytes that may be held for the product, all arrays counted, as a share of 8N². Either this or a tolerance. */
  readonly share?: number | undefined;
  /** ‖G − G̃‖_F/‖G‖_F to reach with as few bytes as possible. Default 1e-3, where no share is given. */
  readonly tolerance?: number | undefined;
}

/** The options checked, the default filled in. */
export interface ResolvedGoal {
  readonly share: number | undefined;
  readonly tolerance: number;
}

/** Throws OptionError where both are given, or one of them is no share or tolerance. */
export function resolveGoal({ share, tolerance: given }: GoalOptions): ResolvedGoal {
  const tolerance = given ?? 1e-3;
  if (share !== undefined && given !== undefined)
    throw new OptionError('Give a share of the memory or a tolerance, not both.', { share, tolerance });
  if (share !== undefined && !(share > 0))
    throw new OptionError(
      `share must be a number above 0: the bytes to hold, over those of the dense matrix; not ${describe(share)}.`,
      { share },
    );
  requireTolerance(tolerance);
  return { share, tolerance };
}

/** Of G, N × N with ‖G‖_F² = `energy`: the bytes, or the energy that may be left out. */
export const goalOf = ({ share, tolerance }: ResolvedGoal, size: number, energy: number): Goal =>
  share === undefined
    ? { kind: 'energy', energy: tolerance ** 2 * energy }
    : { kind: 'bytes', bytes: share * 8 * size ** 2 };

/** Throws OptionError: the bytes of the goal are too few, and `least` would do for `what`. */
export function refuseShare(bytes: number, least: number, size: number, what: string): never {
  const share = shareHolding(least, size);
  throw new OptionError(
    `A share of ${bytes / (8 * size ** 2)} cannot hold even ${what}; the least share here is ${share}.`,
    { least: share },
  );
}
