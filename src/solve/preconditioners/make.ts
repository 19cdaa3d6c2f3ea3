/**
 * Any of the preconditioners by its name.
 */
import { throwIfAborted } from '../../core/context.js';
import { OptionError } from '../../core/errors.js';
import type { Subject } from '../../approximation/subject.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Invertible, PreconditionerOptions } from './kind.js';
import type { Preconditioner } from './preconditioner.js';
import { PRECONDITIONER_TABLE, PRECONDITIONERS, type PreconditionerName } from './table.js';

/**
 * M ≈ (A + λI)⁻¹ of the kind `name`, symmetric positive definite (preconditioner.ts); `reshift` makes it for another λ
 * from what is kept. Throws OptionError (λ < 0, no such name, entries or a network that it needs and are not there),
 * NotPositiveDefiniteError where it cannot be made positive definite at this λ, ShapeError, MemoryError, AbortedError.
 */
export async function makePreconditioner(
  subject: Subject,
  name: PreconditionerName,
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Preconditioner> {
  requireShift(shift);
  requirePreconditioner(name);
  throwIfAborted(control.signal);
  const began = performance.now();
  const kept = await PRECONDITIONER_TABLE[name].make(subject, shift, options, control);
  return inverted(name, kept, (performance.now() - began) / 1000, shift);
}

async function inverted(
  name: PreconditionerName,
  kept: Invertible,
  compress: number,
  shift: number,
): Promise<Preconditioner> {
  requireShift(shift);
  const began = performance.now();
  const { operator, bytes, note, factorization, release } = await kept.invert(shift);
  const factor = (performance.now() - began) / 1000;
  return {
    name,
    operator,
    shift,
    bytes,
    seconds: { compress, factor },
    details: kept.details,
    note,
    factorization,
    reshift: (next) => inverted(name, kept, compress, next),
    release: () => {
      release?.();
    },
  };
}

/** Throws OptionError unless λ is a finite number ≥ 0. */
export function requireShift(shift: number, option = 'shift'): void {
  if (!Number.isFinite(shift) || shift < 0)
    throw new OptionError(
      `${option} must be a finite number ≥ 0, not ${shift}: A + λI is solved where it is positive definite.`,
      { option, value: shift },
    );
}

/** Throws OptionError, which names them and `others`, unless there is a preconditioner of this name. */
export function requirePreconditioner(
  name: string,
  others: readonly string[] = [],
): asserts name is PreconditionerName {
  if (!PRECONDITIONERS.includes(name as PreconditionerName))
    throw new OptionError(
      `There is no preconditioner "${name}"; there are ${[...others, ...PRECONDITIONERS].join(', ')}.`,
      {
        option: 'preconditioner',
        name,
      },
    );
}
