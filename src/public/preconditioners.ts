/**
 * Preconditioned solves, and preconditioners by name.
 */
export { makePreconditioner, solve, type GivenSolveOptions, type MakeOptions } from '../solving.js';
export {
  PRECONDITIONERS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
} from '../solve/preconditioners/preconditioner.js';
export type { SolveOptions, SolveResult } from '../solve/solve.js';
