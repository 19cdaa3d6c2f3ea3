/** σ(z) = 1/(1 + e^{−z}), σ′ = σ(1 − σ), σ″ = σ′(1 − 2σ), from e^{−|z|}. */
import { minusMagnitude, type Activation } from './activation.js';

/** 1/(1 + e^−z). */
export const sigmoid: Activation = {
  identity: false,
  piecewiseLinear: false,
  scheme: 'glorot',
  exponent: minusMagnitude,
  evaluate: ({ n, x, e, y, slope, curvature, at }) => {
    for (let i = 0; i < n; i++) {
      const s = 1 / (1 + e[i]);
      const t = e[i] * s;
      y[i] = x[i] < 0 ? t : s;
      const derivative = t * s;
      if (slope !== null) slope[at + i] = derivative;
      if (curvature !== null) curvature[at + i] = x[i] < 0 ? derivative * (s - t) : derivative * (t - s);
    }
  },
};
