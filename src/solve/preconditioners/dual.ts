/**
 * The dual form of a Gauss–Newton matrix as a preconditioner: the inverse itself.
 */
import { OptionError } from '../../core/errors.js';
import { dualForm } from '../../curvature/entries/dual-form.js';
import { zeros } from '../../dense/matrix.js';
import { availableMemory } from '../../io/machine.js';
import type { Model } from '../../network/model.js';
import { combine } from '../../operator/block-arithmetic.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { isGaussNewton } from '../../approximation/subject.js';
import { modelOf } from './network-subject.js';
import type { Preconditioner, PreconditionerOptions, Subject } from './preconditioner.js';
import { preconditionerAt } from './kind.js';

/** Largest n·r that is worth a dense factorization where nobody asks for it: T takes 0.13 GB. */
const LARGEST_ORDER = 4096;

/** Whether the dual form is affordable: its order, and T with its factor in memory. */
export function dualFits({ network, data }: Model, memoryLimit: number | undefined): boolean {
  const order = data.samples * network.outputs;
  return order <= LARGEST_ORDER && 24 * order ** 2 <= (memoryLimit ?? availableMemory());
}

/**
 * M = (G + λI)⁻¹ = (I − Ĵᵀ(λI + T)⁻¹Ĵ)/λ with T = ĴĴᵀ of order n·r (curvature/entries/dual-form.ts): one step of
 * conjugate gradients, and the next ones mend what rounding of order eps·‖G‖/λ left. Throws OptionError without a
 * network's Gauss–Newton operator, for λ = 0, and where n·r is too large; MemoryError.
 */
export async function dualPreconditioner(
  subject: Subject,
  shift: number,
  { memoryLimit }: PreconditionerOptions,
  { team: { blas } }: TeamControl,
): Promise<Preconditioner> {
  const model = modelOf(subject, 'dual');
  if (!isGaussNewton(subject))
    throw new OptionError(
      "Preconditioner 'dual' inverts the Gauss–Newton matrix of the network, and the operator is another one: " +
        'pass `gaussNewton(model)`.',
      { option: 'preconditioner', name: 'dual' },
    );
  if (shift === 0)
    throw new OptionError(
      "Preconditioner 'dual' needs λ > 0: without it the Gauss–Newton matrix is singular where n·r < N.",
      { option: 'shift', value: 0 },
    );
  const began = performance.now();
  const dual = dualForm(model, { blas, memoryLimit });
  const compress = (performance.now() - began) / 1000;
  const size = dual.parameters;
  return preconditionerAt(
    {
      name: 'dual',
      details: { order: dual.order },
      compress,
      invert: (λ) => {
        // Factors now: a λ lost in rounding shows here.
        dual.solve(zeros(size, 0), λ);
        const inverse: LinearOperator = {
          rows: size,
          cols: size,
          symmetric: true,
          applyUnchecked: (out, x, alpha, beta) => {
            combine(out, alpha, dual.solve(x, λ), beta);
          },
        };
        return { operator: inverse, bytes: dual.matrix.data.byteLength };
      },
    },
    shift,
  );
}
