/**
 * Positive definite functions k(x, y) for `kernelSource`.
 */
export type { Kernel } from '../source/kernels/kernel.js';
export {
  cosine,
  gaussian,
  inverseMultiquadric,
  laplace,
  matern32,
  matern52,
  polynomial,
} from '../source/kernels/named.js';
export { kernelFamilies, kernelOfFamily, type KernelFamily } from '../source/kernels/table.js';
export { expressionKernel } from '../source/kernels/expression.js';
export { medianBandwidth } from '../source/points.js';
