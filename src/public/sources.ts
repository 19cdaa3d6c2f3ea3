/**
 * Matrices seen through their entries.
 */
export { denseSource, type DenseSourceOptions, type MatrixLike } from '../source/dense-source.js';
export type { EntrySource, GivenPoints, Points, SourceContext, SourceDescriptor } from '../source/entry-source.js';
export { kernelSource, type KernelSourceOptions } from '../source/kernel-source.js';
export { partitionedKernelSource } from '../source/partitioned-kernel.js';
export { validateSource } from '../source/validate.js';
