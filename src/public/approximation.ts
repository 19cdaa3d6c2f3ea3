/**
 * Approximating a matrix within a budget, and measuring how good an approximation is.
 */
export { approximate } from '../approximation/approximate.js';
export { type Approximation } from '../approximation/approximation.js';
export type { TriedMethod } from '../approximation/choose-method.js';
export { APPROXIMATION_METHODS, type ApproximationMethod } from '../approximation/methods/table.js';
export { operatorError, type ExactMatrix, type OperatorErrorOptions } from '../approximation/operator-error.js';
export { decide, type Decision, type ErrorEstimate } from '../hierarchical/measure/error-interval.js';
export type { Accuracy, ApproximationOptions, Budget, Goal } from '../approximation/methods/method.js';
