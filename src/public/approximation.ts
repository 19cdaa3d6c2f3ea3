/**
 * Approximating a matrix within a budget, and measuring how good an approximation is.
 */
export { approximate } from '../approximation/approximate.js';
export { type Approximation } from '../approximation/approximation.js';
export { APPROXIMATION_METHODS, type ApproximationMethod } from '../approximation/methods/table.js';
export { operatorError, type ExactMatrix, type OperatorErrorOptions } from '../approximation/operator-error.js';
export { decide, type Decision, type ErrorEstimate } from '../hierarchical/measure/error-interval.js';
export type { ApproximationOptions, Budget } from '../approximation/methods/method.js';
