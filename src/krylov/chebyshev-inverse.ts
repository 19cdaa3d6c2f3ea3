/**
 * A better approximate inverse of A from one that is there, F ≈ A⁻¹: some steps of Chebyshev's iteration for A z = x,
 * preconditioned by F, from z = 0 (Y. Saad, *Iterative Methods for Sparse Linear Systems*, SIAM 2003, algorithm 12.1).
 *
 *   M = q(FA)·F,   1 − t·q(t) = r(t) = T_d((a + b − 2t)/(b − a))/T_d((a + b)/(b − a))
 *
 * M is linear and symmetric, as A and F are. Of odd degree d it is positive definite whatever the eigenvalues t of FA
 * are, where F is: T_d grows monotonically outside [−1, 1], so that r(t) > 1 for t < 0 and r(t) < 1 for t > 0, and with
 * both q(t) = (1 − r(t))/t > 0. So A may be indefinite, and [a, b] an estimate.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import { addScaled, combine, scale } from '../operator/block-arithmetic.js';
import type { LinearOperator } from '../operator/linear-operator.js';

/** Where eigenvalues of FA lie, and what is asked of them. */
export interface ChebyshevInterval {
  readonly least: number;
  readonly most: number;
}

/** σ = (a + b)/(b − a). */
const centre = ({ least, most }: ChebyshevInterval): number => (most + least) / (most - least);

/** The smallest odd degree for which |r| ≤ `residual` on the interval: 1/T_d(σ), T_d(σ) = cosh(d·arcosh σ). */
export function oddDegree(interval: ChebyshevInterval, residual: number): number {
  const degree = Math.ceil(Math.acosh(1 / residual) / Math.acosh(centre(interval)));
  return degree + 1 - (degree % 2);
}

/**
 * M for 0 < a < b and an odd degree d, see above. A product takes d products with F, d − 1 with A, and 4 vectors for
 * each vector.
 */
export function chebyshevInverse(
  operator: LinearOperator,
  inverse: LinearOperator,
  interval: ChebyshevInterval,
  degree: number,
): LinearOperator {
  const size = operator.rows;
  const { least, most } = interval;
  const σ = centre(interval);
  let room = sharedFloat64(0);
  const block = (k: number, columns: number): Matrix => view(room, k * size * columns, size, columns);
  return {
    rows: size,
    cols: size,
    symmetric: true,
    applyUnchecked(out, x, alpha, beta) {
      const columns = x.cols;
      if (room.length < 4 * size * columns) room = sharedFloat64(4 * size * columns);
      const [z, residual, step, image] = [0, 1, 2, 3].map((k) => block(k, columns));
      combine(residual, 1, x, 0);
      inverse.applyUnchecked(step, residual, 2 / (most + least), 0);
      combine(z, 1, step, 0);
      let ρ = 1 / σ;
      for (let k = 1; k < degree; k++) {
        operator.applyUnchecked(residual, step, -1, 1);
        inverse.applyUnchecked(image, residual, 1, 0);
        const next = 1 / (2 * σ - ρ);
        scale(step, next * ρ);
        addScaled(step, (4 * next) / (most - least), image);
        addScaled(z, 1, step);
        ρ = next;
      }
      combine(out, alpha, z, beta);
    },
  };
}
