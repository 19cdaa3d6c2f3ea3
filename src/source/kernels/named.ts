/**
 * The kernels of the table that have a function of their own. Each throws OptionError for wrong parameters.
 */
import type { Kernel } from './kernel.js';
import { kernelFromDefinition } from './table.js';

/** k = exp(−r²/(2h²)). */
export const gaussian = (h: number): Kernel => kernelFromDefinition({ family: 'gaussian', bandwidth: h });

/** k = exp(−r/h), the exponential covariance. */
export const laplace = (h: number): Kernel => kernelFromDefinition({ family: 'laplace', bandwidth: h });

/** k = (1 + s)·exp(−s), s = √3·r/h. */
export const matern32 = (h: number): Kernel => kernelFromDefinition({ family: 'matern32', bandwidth: h });

/** k = (1 + s + s²/3)·exp(−s), s = √5·r/h. */
export const matern52 = (h: number): Kernel => kernelFromDefinition({ family: 'matern52', bandwidth: h });

/** Inverse multiquadric, k = 1/√(1 + (r/h)²). */
export const inverseMultiquadric = (h: number): Kernel => kernelFromDefinition({ family: 'imq', bandwidth: h });

/** k = (x·y/h² + 1)^p, the degree p a whole number from 1 to 64, default 2. */
export const polynomial = (h: number, degree?: number): Kernel =>
  kernelFromDefinition({ family: 'polynomial', bandwidth: h, degree });

/** k = x·y/(‖x‖‖y‖). */
export const cosine = (): Kernel => kernelFromDefinition({ family: 'cosine' });
