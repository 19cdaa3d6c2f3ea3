/**
 * What the precision of a matrix, of its products and of x allow a solve.
 */
import { ROUNDOFF } from '../core/floats.js';
import type { Matrix, Precision } from '../dense/matrix.js';
import type { Subject } from '../approximation/subject.js';

const DOUBLE_TOLERANCE = 1e-8;
/** Some times the rounding of products in float32. */
const SINGLE_TOLERANCE = 1e-6;
/** ‖A‖‖x‖/‖b‖ from which what float32 loses is said: three of its seven digits. */
export const WORTH_A_WARNING = 1e3;

/** The level of rounding is known to a small factor. */
const SLACK = 4;

/** The precision of a matrix's numbers. */
export const precisionOf = ({ data }: Matrix): Precision => (data instanceof Float64Array ? 'f64' : 'f32');

/** The precision that the matrix's own numbers were rounded to, as far as it is known. */
export const storedPrecision = ({ operator, entryPrecision }: Subject): Precision =>
  operator.precision === 'f32' || entryPrecision === 'f32' ? 'f32' : 'f64';

/**
 * The tolerance where none is asked for; what float32 allows a worse conditioned system is found by `allowedResidual`.
 */
export const defaultTolerance = (products: Precision): number =>
  products === 'f32' ? SINGLE_TOLERANCE : DOUBLE_TOLERANCE;

/** The relative residual that products in this precision allow at ‖A‖‖x‖/‖b‖ = `condition`, about. */
export const allowedResidual = (products: Precision, condition: number): number =>
  SLACK * ROUNDOFF[products] * condition;

/**
 * The relative residual that x may have because it was rounded to float32, by at most 2⁻²⁴; ‖A‖ is known to a factor.
 */
export const roundedResidual = (condition: number): number => 2 ** -23 * condition;

/**
 * max_j ‖A‖‖x_j‖/‖b_j‖ over the columns: how much more than b the terms of Ax are, so what a relative error of A or of
 * x weighs.
 */
export function conditions(norm: number, b: Matrix, x: Matrix): Float64Array {
  return Float64Array.from({ length: b.cols }, (_, j) => {
    const length = columnLength(b, j);
    return length === 0 ? 0 : (norm * columnLength(x, j)) / length;
  });
}

/** ‖a_j‖₂ without squares that leave the range. */
export function columnLength(a: Matrix, j: number): number {
  const first = a.offset + j * a.ld;
  let largest = 0;
  for (let i = first; i < first + a.rows; i++) largest = Math.max(largest, Math.abs(a.data[i]));
  if (largest === 0) return 0;
  let sum = 0;
  for (let i = first; i < first + a.rows; i++) sum += (a.data[i] / largest) ** 2;
  return largest * Math.sqrt(sum);
}
