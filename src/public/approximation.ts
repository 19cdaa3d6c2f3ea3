/**
 * Approximating a matrix within a budget, and measuring how good an approximation is.
 */
export { approximate, operatorError } from '../solving.js';
export {
  APPROXIMATION_METHODS,
  type Approximation,
  type ApproximationMethod,
  type ApproximationOptions,
  type Budget,
} from '../approximation/approximation.js';
export type { ExactMatrix, OperatorErrorOptions } from '../approximation/operator-error.js';
export { decide, type Decision, type ErrorEstimate } from '../hierarchical/measure/error-interval.js';
