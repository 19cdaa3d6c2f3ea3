/** max(0, z); its slope at 0 is 0. */
import type { Activation } from './activation.js';

/** max(z, 0); φ′(0) = φ″ = 0. */
export const relu: Activation = {
  identity: false,
  piecewiseLinear: true,
  scheme: 'he',
  exponent: null,
  evaluate: ({ n, x, y, slope, curvature, at }) => {
    for (let i = 0; i < n; i++) y[i] = x[i] <= 0 ? 0 : x[i];
    if (slope !== null) for (let i = 0; i < n; i++) slope[at + i] = x[i] > 0 ? 1 : 0;
    curvature?.fill(0, at, at + n);
  },
};
