/**
 * The vectors that the Newton methods work on: arrays of one linear memory, of one length, with its kernels. Dot
 * products are in double precision.
 */
import type { FloatArray } from '../../core/floats.js';
import type { VectorKernels } from '../../dense/vector-memory.js';

/** Arithmetic on vectors of one length. */
export class Vectors {
  readonly length: number;
  readonly kernels: VectorKernels;

  constructor(length: number, kernels: VectorKernels) {
    this.length = length;
    this.kernels = kernels;
  }

  /** xᵀy */
  dot(x: FloatArray, y: FloatArray): number {
    return this.kernels.dot(this.length, x, y);
  }

  norm(x: FloatArray): number {
    return Math.sqrt(this.dot(x, x));
  }

  /** y ← x */
  copy(x: FloatArray, y: FloatArray): void {
    this.kernels.combine(this.length, 1, x, 0, y);
  }

  /** y ← αx + y */
  add(alpha: number, x: FloatArray, y: FloatArray): void {
    this.kernels.combine(this.length, alpha, x, 1, y);
  }

  /** x ← αx */
  scale(alpha: number, x: FloatArray): void {
    this.kernels.combine(this.length, alpha, x, 0, x);
  }

  /** y ← αx + βy */
  combine(alpha: number, x: FloatArray, beta: number, y: FloatArray): void {
    this.kernels.combine(this.length, alpha, x, beta, y);
  }

  finite(x: FloatArray): boolean {
    return this.kernels.finite(this.length, x);
  }
}

/** out ← A·v of a symmetric matrix A. */
export type Product = (v: FloatArray, out: FloatArray) => void;
