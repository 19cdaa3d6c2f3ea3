/**
 * No preconditioner: the identity.
 */
import type { PreconditionerKind } from './kind.js';

/** The identity: conjugate gradients as they are. */
export const none: PreconditionerKind = {
  make: () => ({ details: {}, invert: () => ({ bytes: 0 }) }),
  predict: (_, { product, steps, resolved, vectors }) => [
    { setup: 0, step: product(vectors), iterations: steps(), atLeast: !resolved, details: '' },
  ],
};
