/**
 * Preconditioned solves, and preconditioners by name.
 */
export { makePreconditioner, type MakeOptions } from '../solve/preconditioners/make.js';
export type { GivenSolveOptions } from '../solve/options.js';
export { solve } from '../solve/solve.js';
export {
  PRECONDITIONERS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
} from '../solve/preconditioners/preconditioner.js';
export type { SolveOptions, SolveResult } from '../solve/solve.js';
