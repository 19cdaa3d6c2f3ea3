/**
 * Positive definite functions k(x, y) for `kernelSource`.
 */
export {
  cosine,
  gaussian,
  inverseMultiquadric,
  kernelFamilies,
  kernelOfFamily,
  laplace,
  matern32,
  matern52,
  polynomial,
  type Kernel,
  type KernelFamily,
} from '../source/kernels.js';
export { expressionKernel } from '../source/expression-kernel.js';
export { medianBandwidth } from '../source/points.js';
