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

/**
 * Rational quadratic, k = (1 + r²/(2αh²))^(−α), a mixture of Gaussians of different h: α from 1e-100 to 1e100, default
 * 1; α → ∞ gives the Gaussian.
 */
export const rationalQuadratic = (h: number, alpha?: number): Kernel =>
  kernelFromDefinition({ family: 'rationalQuadratic', bandwidth: h, alpha });

/** k = 1 for every pair: an offset, a multiple of which `scaleKernel` makes. */
export const constant = (): Kernel => kernelFromDefinition({ family: 'constant' });

/**
 * k = exp(−2 Σ_k sin²(π(x_k − y_k)/p)/h²), periodic in every coordinate with the period p > 0, in the units of the
 * points; h has none. It is the Gaussian of h on the points (cos 2πx_k/p, sin 2πx_k/p) in 2d dimensions.
 */
export const periodic = (h: number, period: number): Kernel =>
  kernelFromDefinition({ family: 'periodic', bandwidth: h, period });
