/**
 * Operators that are block diagonal by layers, each block a map of W̄ᵀ-shaped matrices (width × outputs).
 */
import type { Blas } from '../../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import { combine } from '../../operator/block-arithmetic.js';
import { BlockWorkspace } from '../../operator/block-workspace.js';
import type { LinearOperator } from '../../operator/linear-operator.js';

/** The part of θ a block acts on: layer ℓ's W̄ᵀ, width × outputs, column-major from `offset`. */
export interface LayerBlock {
  readonly offset: number;
  readonly width: number;
  readonly outputs: number;
}

/**
 * v: width × outputs·k, the matrices V of k vectors side by side; spare: of the same shape. Returns the one of the two
 * that holds the k results; both may be overwritten.
 */
export type LayerMap<B extends LayerBlock> = (layer: B, v: Matrix, spare: Matrix) => Matrix;

/** Columns of a product's wide operand from which more vectors at a time gain nothing. */
const WIDE = 512;

/** A workspace's precision is that of an array; these hold nothing. */
const LIKE: Readonly<Record<Precision, FloatArray>> = { f64: new Float64Array(0), f32: new Float32Array(0) };

/**
 * The symmetric operator on θ-shaped vectors, of either precision, that maps each layer's matrix by `map`, in
 * `precision`, several vectors at a time. It is counted as `passes` products with dense factors of a layer from both
 * sides, 2·width·outputs·(width + outputs) flops each.
 */
export function layerBlockOperator<B extends LayerBlock>(
  blocks: readonly B[],
  precision: Precision,
  map: LayerMap<B>,
  passes = 1,
): LinearOperator {
  const flops = blocks.reduce((sum, { width, outputs }) => sum + 2 * width * outputs * (width + outputs), 0);
  const size = blocks.reduce((sum, { width, outputs }) => sum + width * outputs, 0);
  const workspace = new BlockWorkspace();
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => passes * flops * vectors,
    applyUnchecked(out, x, alpha, beta) {
      for (const layer of blocks) {
        const { offset, width, outputs } = layer;
        const numbers = width * outputs;
        const group = Math.max(1, Math.min(x.cols, Math.floor(WIDE / outputs)));
        for (let first = 0; first < x.cols; first += group) {
          const count = Math.min(group, x.cols - first);
          const packed = workspace.take(numbers, 2 * count, LIKE[precision]);
          copyInto(block(packed, 0, 0, numbers, count), block(x, offset, first, numbers, count));
          const v = view(packed.data, 0, width, outputs * count);
          // Vectors that touch one layer alone, such as unit vectors, cost nothing in the others.
          const result = isZero(packed.data, numbers * count)
            ? v
            : map(layer, v, view(packed.data, numbers * count, width, outputs * count));
          combine(
            block(out, offset, first, numbers, count),
            alpha,
            view(result.data, result.offset, numbers, count),
            beta,
          );
        }
      }
    },
  };
}

function isZero(data: FloatArray, length: number): boolean {
  for (let i = 0; i < length; i++) if (data[i] !== 0) return false;
  return true;
}

/** out_j ← V_j·op(F) for the matrices V_j of F.rows columns that stand side by side in v. */
export function multiplyRight(v: Matrix, trans: 'N' | 'T', factor: Matrix, out: Matrix, blas: Blas): void {
  const d = factor.rows;
  for (let j = 0; j < v.cols; j += d)
    blas.gemm('N', trans, 1, block(v, 0, j, v.rows, d), factor, 0, block(out, 0, j, v.rows, d));
}

/** Column q of each V_j in v times scales[q], in place; v contiguous. */
export function scaleColumnsRight(v: Matrix, scales: FloatArray): void {
  const { data, rows, cols } = v;
  for (let j = 0, p = v.offset; j < cols; j++) {
    const scale = scales[j % scales.length];
    for (let i = 0; i < rows; i++) data[p++] *= scale;
  }
}

/** The bytes of distinct arrays, shared ones counted once. */
export function bytesOfArrays(arrays: readonly FloatArray[]): number {
  let bytes = 0;
  for (const array of new Set(arrays)) bytes += array.byteLength;
  return bytes;
}

/** An array in the wanted precision: itself, or a rounded copy. */
export function inPrecision(a: Matrix, precision: Precision): Matrix {
  if (a.data instanceof Float64Array === (precision === 'f64')) return a;
  return { ...a, data: precision === 'f64' ? Float64Array.from(a.data) : Float32Array.from(a.data) };
}
