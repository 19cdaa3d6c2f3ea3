/** log(1 + e^z), softplus′ = σ(z), softplus″ = σ′(z), from e^{−|z|}. */
import { minusMagnitude, type Activation } from './activation.js';

/** log(1 + e^z). */
export const softplus: Activation = {
  identity: false,
  piecewiseLinear: false,
  scheme: 'he',
  exponent: minusMagnitude,
  evaluate: ({ n, x, e, y, slope, curvature, at }) => {
    for (let i = 0; i < n; i++) {
      const s = 1 / (1 + e[i]);
      const t = e[i] * s;
      y[i] = (x[i] < 0 ? 0 : x[i]) + Math.log1p(e[i]);
      if (slope !== null) slope[at + i] = x[i] < 0 ? t : s;
      if (curvature !== null) curvature[at + i] = t * s;
    }
  },
};
