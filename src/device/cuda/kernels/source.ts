/**
 * A kernel in CUDA C++. The language is that part of it which a compiler of the processor takes with a few definitions
 * before it.
 */
import type { Precision } from '../../../core/floats.js';

/** A kernel: its source, the name of its function, and the threads of a block. */
export interface KernelSource {
  readonly name: string;
  readonly source: () => string;
  readonly threads: number;
}

/** What kernels call their numbers, in each precision. */
export const REAL: Readonly<Record<Precision, string>> = { f64: 'double', f32: 'float' };
