/**
 * Any of the preconditioners by its name.
 */
import { throwIfAborted } from '../../core/context.js';
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { type Subject, subjectOf } from '../../approximation/subject.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Model } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { requireOperator } from '../../operator/self-check.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { described, type Given } from '../../tree/given.js';
import { type Invertible, type PreconditionerOptions, PRECONDITIONER_KEYS } from './kind.js';
import type { Preconditioner } from './preconditioner.js';
import { PRECONDITIONER_TABLE, PRECONDITIONERS, type PreconditionerName } from './table.js';

/** The options of `makePreconditioner`. */
export interface MakeOptions extends PreconditionerOptions {
  readonly shift?: number | undefined;
  readonly source?: EntrySource | undefined;
  readonly model?: Model | undefined;
}
const MAKE_KEYS: KeysOf<MakeOptions> = { ...PRECONDITIONER_KEYS, shift: 'number', source: true, model: true };

/**
 * M ≈ (A + λI)⁻¹ by its name, symmetric positive definite as an operator, for the solvers here or of yours;
 * `reshift(λ)` makes it for another λ without compressing again. `source` and `model` give entries and network of the
 * same matrix, where the operator does not bring them. Throws OptionError (λ < 0; entries or a network that it needs),
 * NotPositiveDefiniteError where λ is too small for it, ShapeError, MemoryError, AbortedError.
 */
export async function makePreconditioner(
  operator: LinearOperator,
  name: PreconditionerName,
  options: Given<MakeOptions> = {},
  control: Control = {},
): Promise<Preconditioner> {
  requireOperator(operator, 'makePreconditioner');
  const {
    shift = 0,
    source,
    model,
    ...making
  } = described<MakeOptions>(
    requireKnownOptions(options, MAKE_KEYS as KeysOf<Given<MakeOptions>>, 'makePreconditioner'),
    'makePreconditioner',
  );
  const on = await onTeam(control, 'makePreconditioner');
  return preconditionerOf(subjectOf(operator, { source, model }, on), name, shift, making, on);
}

/**
 * M ≈ (A + λI)⁻¹ of the kind `name`, symmetric positive definite (preconditioner.ts); `reshift` makes it for another λ
 * from what is kept. Throws OptionError (λ < 0, no such name, entries or a network that it needs and are not there),
 * NotPositiveDefiniteError where it cannot be made positive definite at this λ, ShapeError, MemoryError, AbortedError.
 */
export async function preconditionerOf(
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
      `${option} must be a finite number ≥ 0, not ${describe(shift)}: A + λI is solved where it is positive definite.`,
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
