/**
 * The dual form of a Gauss–Newton matrix as a preconditioner: the inverse itself.
 */
import { OptionError } from '../../core/errors.js';
import { dualForm } from '../../curvature/entries/dual-form.js';
import { availableMemory } from '../../io/machine.js';
import { modelOf, type PreconditionerKind } from './kind.js';

/** Largest n·r that is worth a dense factorization where nobody asks for it: T takes 0.13 GB. */
const LARGEST_ORDER = 4096;

/**
 * M = (G + λI)⁻¹ = (I − Ĵᵀ(λI + T)⁻¹Ĵ)/λ with T = ĴĴᵀ of order n·r (curvature/entries/dual-form.ts): one step of
 * conjugate gradients, and the next ones mend what rounding of order eps·‖G‖/λ left. Throws OptionError without a
 * network's Gauss–Newton operator, for λ = 0, and where n·r is too large; MemoryError.
 */
export const dual: PreconditionerKind = {
  ofNetworks: true,
  make: (subject, shift, { memoryLimit }, { team: { blas } }) => {
    const model = modelOf(subject, 'dual');
    if (subject.gaussNewton === undefined)
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
    const form = dualForm(model, { blas, memoryLimit });
    return {
      details: { order: form.order },
      invert: (λ) => {
        // Factors now: a λ lost in rounding shows here.
        const inverse = form.inverse(λ);
        return { operator: inverse, bytes: form.matrix.data.byteLength };
      },
    };
  },
  // Where it is affordable: its order, and T with its factor in memory.
  predict: ({ gaussNewton }, { size, product, shift, vectors }, { memoryLimit = availableMemory() }) => {
    if (gaussNewton === undefined || !(shift > 0)) return [];
    const { network, data } = gaussNewton;
    const { layers } = network;
    const n = data.samples;
    const order = n * network.outputs;
    if (order > LARGEST_ORDER || 24 * order ** 2 > memoryLimit) return [];
    const sum = (of: (width: number, outputs: number) => number): number =>
      layers.reduce((total, { width, outputs }) => total + of(width, outputs), 0);
    const solves = 2 * order ** 2 + 4 * n * size + 4 * order * sum((_, outputs) => outputs);
    return [
      {
        iterations: 1,
        atLeast: false,
        details: `n·r = ${order}`,
        setup:
          order ** 2 * sum((_, outputs) => outputs) +
          n * n * sum((width) => width) +
          2 * layers.length * order ** 2 +
          order ** 3 / 3,
        step: product(vectors) + vectors * solves,
      },
    ];
  },
};
