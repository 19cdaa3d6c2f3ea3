/**
 * What an activation φ is, as table.ts lists it under its name: elementwise, with its first and second derivatives,
 * each from one exponential. Slopes keep their relative accuracy where a unit saturates: they come from e^{−|z|}, never
 * as 1 − (almost 1).
 */
import type { FloatArray } from '../../dense/matrix.js';

/** A function φ, elementwise, with its derivatives: one member of the table (table.ts). */
export interface Activation {
  /** Whether φ(z) = z, so that no slopes need be stored. */
  readonly identity: boolean;
  /** Whether φ″ vanishes almost everywhere. */
  readonly piecewiseLinear: boolean;
  /** How weights begin where the caller does not say (initialize.ts). */
  readonly scheme: 'glorot' | 'he';
  /** Writes the arguments of the exponential for x[0 … n) to e; null where none is needed. */
  readonly exponent: ((n: number, x: Float64Array, e: Float64Array) => void) | null;
  /** Reads x[0 … n) and the exponentials e, writes φ(x) to y and, where asked, φ′ and φ″ from position `at` on. */
  readonly evaluate: (arrays: ActivationArrays) => void;
}

/** What one evaluation reads and writes. */
export interface ActivationArrays {
  n: number;
  readonly x: Float64Array;
  readonly e: Float64Array;
  readonly y: Float64Array;
  readonly slope: FloatArray | null;
  readonly curvature: FloatArray | null;
  at: number;
}

/** e ← −|x|. */
export const minusMagnitude = (n: number, x: Float64Array, e: Float64Array): void => {
  for (let i = 0; i < n; i++) e[i] = -Math.abs(x[i]);
};
