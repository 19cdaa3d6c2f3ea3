/**
 * Any of the preconditioners by its name.
 */
import { throwIfAborted } from '../../core/context.js';
import { OptionError } from '../../core/errors.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { blockJacobi } from './block-jacobi.js';
import { dualPreconditioner } from './dual.js';
import { hierarchicalPreconditioner } from './hierarchical.js';
import { jacobi } from './jacobi.js';
import { kroneckerPreconditioner } from './kronecker.js';
import { nystromPreconditioner } from './nystrom.js';
import {
  PRECONDITIONERS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
  type Subject,
} from './preconditioner.js';
import { preconditionerAt, requireShift } from './kind.js';

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
  if (!PRECONDITIONERS.includes(name))
    throw new OptionError(`There is no preconditioner "${String(name)}"; there are ${PRECONDITIONERS.join(', ')}.`, {
      option: 'preconditioner',
      name,
    });
  throwIfAborted(control.signal);
  switch (name) {
    case 'none':
      return preconditionerAt({ name, details: {}, compress: 0, invert: () => ({ bytes: 0 }) }, shift);
    case 'jacobi':
      return jacobi(subject, shift, control);
    case 'block-jacobi':
      return blockJacobi(subject, shift, options, control);
    case 'kfac':
    case 'ekfac':
      return kroneckerPreconditioner(subject, name, shift, control);
    case 'nystrom':
      return nystromPreconditioner(subject, shift, options, control);
    case 'dual':
      return dualPreconditioner(subject, shift, options, control);
    case 'hodlr':
    case 'hss':
      return hierarchicalPreconditioner(subject, name, shift, options, control);
  }
}
