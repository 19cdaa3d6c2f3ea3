/**
 * Preconditioned solves, and preconditioners by name.
 */
export { makePreconditioner, type MakeOptions } from '../solve/preconditioners/make.js';
export type { GivenSolveOptions } from '../solve/options.js';
export { calibrate, type Calibration, type MeasuredSpeed } from '../solve/calibrate.js';
export type { MachineRates } from '../solve/machine-rates.js';
export { solve } from '../solve/solve.js';
export { PRECONDITIONERS, type PreconditionerName } from '../solve/preconditioners/table.js';
export type { Preconditioner } from '../solve/preconditioners/preconditioner.js';
export type { PreconditionerOptions } from '../solve/preconditioners/kind.js';
export type { SolveOptions, SolveResult } from '../solve/options.js';
