/**
 * GELU, the exact one, φ = zΦ(z) (D. Hendrycks, K. Gimpel, arXiv 1606.08415), not its tanh approximation; φ′ = Φ + zϕ,
 * φ″ = ϕ·(2 − z²) with the normal density ϕ and its integral Φ (erf.ts).
 */
import type { Activation } from './activation.js';
import { erfOverArgument, scaledErfc } from './erf.js';

/** 1/√(2π). */
const INV_SQRT_TWO_PI = 0.39894228040143267794;

/** z·Φ(z), Φ the normal distribution function: smooth, not monotone. */
export const gelu: Activation = {
  identity: false,
  piecewiseLinear: false,
  scheme: 'he',
  exponent: (n, x, e) => {
    for (let i = 0; i < n; i++) e[i] = -0.5 * x[i] * x[i];
  },
  evaluate: ({ n, x, e, y, slope, curvature, at }) => {
    for (let i = 0; i < n; i++) {
      const z = x[i];
      const square = z * z;
      const u = Math.abs(z) * Math.SQRT1_2;
      let Φ: number;
      if (u <= 0.46875) {
        Φ = 0.5 + 0.5 * Math.SQRT1_2 * z * erfOverArgument(0.5 * square);
      } else {
        const tail = 0.5 * e[i] * scaledErfc(u);
        Φ = z < 0 ? tail : 1 - tail;
      }
      const density = INV_SQRT_TWO_PI * e[i];
      y[i] = z * Φ;
      if (slope !== null) slope[at + i] = Φ + z * density;
      // Beyond |z| = 39 the density is 0 in double precision, and z² may be infinite there.
      if (curvature !== null) curvature[at + i] = density === 0 ? 0 : density * (2 - square);
    }
  },
};
