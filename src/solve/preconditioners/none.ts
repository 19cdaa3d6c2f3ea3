/**
 * No preconditioner: the identity.
 */
import { UNCHANGED } from '../measured.js';
import type { PreconditionerKind } from './kind.js';

/** The identity: conjugate gradients as they are. */
export const none: PreconditionerKind = {
  make: () => ({ details: {}, invert: () => ({ bytes: 0 }) }),
  predict: (_, { product, steps, resolved, vectors }, { most }) => {
    const step = product(vectors);
    const iterations = steps(UNCHANGED, most / step);
    return [{ setup: 0, step, iterations, atLeast: !resolved || iterations * step > most, details: '' }];
  },
};
