/**
 * Kernel matrices scaled to ‖K‖₂ = 1, as the other test matrices are. Test data.
 * K = k(x_i, x_j)/‖k‖₂ over given points, nothing added to the diagonal; exact products are the caller's, for they
 * decide what the norm costs.
 */
import type { Indices } from '../src/core/indices.js';
import { view, zeros, type Matrix } from '../src/dense/matrix.js';
import { denseOperator } from '../src/operator/dense-operator.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import { builtIn } from '../src/parallel/built-in.js';
import type { EntrySource, Points, SourceContext, SourceDescriptor } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { kernelFromDefinition, type NamedKernel } from '../src/source/kernels/table.js';
import { largestEigenvalue } from './largest-eigenvalue.js';

/** Exact products with scale·K. */
export type ProductsOf = (source: EntrySource, scale: number, context: SourceContext) => LinearOperator;

interface ScaledKernelData {
  readonly points: Points;
  readonly kernel: NamedKernel;
  readonly scale: number;
}

/** The kernel matrix over `points`, ‖K‖₂ = 1 to 1e-8 (Lanczos on `products`). Throws what `kernelSource` throws. */
export function scaledKernel(
  points: Points,
  kernel: NamedKernel,
  products: ProductsOf,
  context: SourceContext,
): EntrySource {
  const source = kernelSource(points, kernelFromDefinition(kernel), context);
  const unscaled = products(source, 1, context);
  const scale = 1 / largestEigenvalue(unscaled, context.blas);
  return new ScaledKernel({ points, kernel, scale }, context, {
    rows: points.count,
    cols: points.count,
    symmetric: true,
    flops: unscaled.flops,
    applyUnchecked: (out, x, alpha, beta) => {
      unscaled.applyUnchecked(out, x, alpha * scale, beta);
    },
  });
}

/** A worker's copy, from the descriptor's data: entries alone. */
export function openScaledKernel(data: ScaledKernelData, context: SourceContext): EntrySource {
  return new ScaledKernel(data, context, undefined);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openScaledKernel', openScaledKernel);

export class ScaledKernel implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor: SourceDescriptor;
  readonly #source: EntrySource;
  readonly #scale: number;

  constructor(data: ScaledKernelData, context: SourceContext, operator: LinearOperator | undefined) {
    this.#source = kernelSource(data.points, kernelFromDefinition(data.kernel), context);
    this.#scale = data.scale;
    this.size = data.points.count;
    this.points = data.points;
    if (operator !== undefined) this.operator = operator;
    this.descriptor = { ...WORKERS_COPY, data };
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#source.entries(rows, cols, out);
    const data = out.data as Float64Array;
    for (let j = 0; j < out.cols; j++)
      for (let p = out.offset + j * out.ld, end = p + out.rows; p < end; p++) data[p] *= this.#scale;
  }

  diagonal(out: Float64Array): void {
    this.#source.diagonal(out);
    for (let i = 0; i < this.size; i++) out[i] *= this.#scale;
  }
}

/** Columns that are evaluated at a time. */
const PANEL = 512;

/** Products with the stored matrix: 8N² bytes, evaluated (the lower triangle) at the first product. */
export const storedProducts: ProductsOf = (source, scale, { blas }) => {
  const { size } = source;
  let stored: LinearOperator | undefined;
  const evaluate = (): LinearOperator => {
    const matrix = zeros(size, size);
    for (let first = 0; first < size; first += PANEL) {
      const count = Math.min(PANEL, size - first);
      const rows = Int32Array.from({ length: size - first }, (_, i) => first + i);
      source.entries(rows, rows.subarray(0, count), view(matrix.data, first + first * size, size - first, count, size));
    }
    return denseOperator(matrix, true, { blas });
  };
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => 2 * size ** 2 * vectors,
    applyUnchecked: (out, x, alpha, beta) => {
      stored ??= evaluate();
      stored.applyUnchecked(out, x, alpha * scale, beta);
    },
  };
};
