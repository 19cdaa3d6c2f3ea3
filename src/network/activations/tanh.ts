/**
 * tanh = (1 − e)/(1 + e), tanh′ = 4e/(1 + e)² with e = e^{−2|z|}; for |z| < 1/2, where 1 − e cancels, the rational
 * approximation of W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980, ch. 13. tanh″ =
 * −2·tanh·tanh′.
 */
import type { Activation } from './activation.js';

/** tanh z. */
export const tanh: Activation = {
  identity: false,
  piecewiseLinear: false,
  scheme: 'glorot',
  exponent: (n, x, e) => {
    for (let i = 0; i < n; i++) e[i] = -2 * Math.abs(x[i]);
  },
  evaluate: ({ n, x, e, y, slope, curvature, at }) => {
    for (let i = 0; i < n; i++) {
      const z = x[i];
      let value: number;
      let derivative: number;
      if (z < 0.5 && z > -0.5) {
        const g = z * z;
        const numerator = ((-0.96437492777225469787 * g - 99.225929672236083313) * g - 1613.4119023996228053) * g;
        const denominator = ((g + 112.74474380534949335) * g + 2233.7720718962312926) * g + 4840.2357071988688686;
        value = z + (z * numerator) / denominator;
        derivative = 1 - value * value;
      } else {
        const d = 1 / (1 + e[i]);
        value = (1 - e[i]) * d;
        derivative = 4 * e[i] * d * d;
        if (z < 0) value = -value;
      }
      y[i] = value;
      if (slope !== null) slope[at + i] = derivative;
      if (curvature !== null) curvature[at + i] = -2 * value * derivative;
    }
  },
};
