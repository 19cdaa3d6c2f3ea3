/**
 * Krylov methods: solvers, extreme eigenvalues, traces, determinants and spectral densities from products alone.
 */
export { blockConjugateGradientSolver } from '../krylov/block-conjugate-gradients.js';
export type { BlockOptions, BlockSolution, BlockSolver } from '../krylov/block-solution.js';
export { conjugateGradients, conjugateGradientSolver } from '../krylov/conjugate-gradients.js';
export { deviceConjugateGradients, type DeviceSolverOptions } from '../krylov/device-conjugate-gradients.js';
export { flexibleConjugateGradientSolver, type FlexibleOptions } from '../krylov/flexible-conjugate-gradients.js';
export { minres, minresSolver } from '../krylov/minres.js';
export type { LinearSolver, Solution, SolveControl, SolverOptions } from '../krylov/solution.js';
export { extremeEigenvalues, type ExtremeEigenvalues, type LanczosOptions, type RitzValue } from '../krylov/lanczos.js';
export type { ProbeOptions } from '../krylov/lanczos-quadrature.js';
export { logDeterminant, type LogDeterminant, type LogDeterminantOptions } from '../krylov/log-determinant.js';
export {
  preconditionedLogDeterminant,
  type PreconditionedLogDeterminant,
  type PreconditionedLogDeterminantOptions,
} from '../solve/log-determinant.js';
export { refine, type AsyncInverse, type RefineOptions } from '../solve/refine.js';
export { stochasticLanczosQuadrature, type TraceEstimate } from '../krylov/stochastic-lanczos-quadrature.js';
export { spectralDensity, type DensityOptions, type SpectralDensity } from '../krylov/spectral-density.js';
export { topEigenvalues } from '../approximation/top-eigenvalues.js';
export type { SpectrumEnd, TopEigenvalues, TopEigenvaluesOptions } from '../lowrank/top-eigenvalues.js';
export { estimateDiagonal, type DiagonalEstimate, type EstimateDiagonalOptions } from '../lowrank/estimate-diagonal.js';
export { trace, type Trace, type TraceOptions } from '../lowrank/trace.js';
