/**
 * Positive definite functions k(x, y) for `kernelSource`.
 */
export { ard, productKernels, scaleKernel, sumKernels } from '../source/kernels/compose.js';
export type { Kernel } from '../source/kernels/kernel.js';
export {
  constant,
  cosine,
  gaussian,
  inverseMultiquadric,
  laplace,
  matern32,
  matern52,
  periodic,
  polynomial,
  rationalQuadratic,
} from '../source/kernels/named.js';
export { kernelFamilies, kernelOfFamily, type KernelFamily } from '../source/kernels/table.js';
export { expressionKernel } from '../source/kernels/expression.js';
export { partitionedBandwidth } from '../source/partitioned-bandwidth.js';
export { medianBandwidth } from '../source/points.js';
export { kernelBlock, type KernelBlockOptions } from '../source/kernel-block.js';
