/**
 * What all preconditioners have in common: a matrix that is kept, and an inverse made of it for each shift.
 */
import { OptionError } from '../../core/errors.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { Preconditioner, PreconditionerName } from './preconditioner.js';

/** M for one λ. */
export interface Inverse {
  readonly operator?: LinearOperator | undefined;
  readonly bytes: number;
  readonly note?: string | undefined;
  readonly factorization?: Factorization | undefined;
  release?(): void;
}

/** What does not depend on λ, and how M comes from it. */
export interface Invertible {
  readonly name: PreconditionerName;
  readonly details: Readonly<Record<string, number | string>>;
  /** Seconds it took to make. */
  readonly compress: number;
  readonly invert: (shift: number) => Inverse | Promise<Inverse>;
}

/** Throws OptionError unless λ is a finite number ≥ 0. */
export function requireShift(shift: number, option = 'shift'): void {
  if (!Number.isFinite(shift) || shift < 0)
    throw new OptionError(
      `${option} must be a finite number ≥ 0, not ${shift}: A + λI is solved where it is positive definite.`,
      { option, value: shift },
    );
}

/** The preconditioner for λ. Throws OptionError, and what `invert` throws. */
export async function preconditionerAt(kept: Invertible, shift: number): Promise<Preconditioner> {
  requireShift(shift);
  const began = performance.now();
  const { operator, bytes, note, factorization, release } = await kept.invert(shift);
  const factor = (performance.now() - began) / 1000;
  return {
    name: kept.name,
    operator,
    shift,
    bytes,
    seconds: { compress: kept.compress, factor },
    details: kept.details,
    note,
    factorization,
    reshift: (next) => preconditionerAt(kept, next),
    release: () => {
      release?.();
    },
  };
}
