/**
 * What Kronecker factors are made of: where a block of weights is multiplied, its inputs and the errors of its outputs.
 * Weights that are shared over positions, or used more than once, have a pair for every use, and every position counts
 * as a sample of its own ("expand"; R. Eschenhagen et al., NeurIPS 2023, arXiv 2311.00636; for convolutions R. Grosse,
 * J. Martens, ICML 2016):
 *
 *   A = (1/(n·R)) Σ_i Σ_r a_ir a_irᵀ,  Γ = (1/w) Σ_i Σ_r δ_ir δ_irᵀ,  R positions,
 *
 * w the number that the sum of losses is divided by: n samples, or the tokens that are no padding.
 */
import type { FloatArray } from '../core/floats.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { Blas } from '../dense/blas.js';
import { geometryOf } from '../tape/forms/geometry.js';
import type { Node } from '../tape/node.js';
import { formOf, modeOf } from '../tape/primitives/bilinear.js';
import { columnsOf, positionsOf, rowsOf } from '../tape/shape.js';

/** A use of a block's weights. */
export interface FactorPair {
  /** The block among the network's layers. */
  readonly layer: number;
  /** The weights' cotangent: it has the convolution's geometry. */
  readonly product: Node;
  readonly input: Node;
  readonly error: Node;
}

/** The uses that a block's gradient is a sum of; none where it is not one of multiplications of matrices alone. */
export function factorPairs(layer: number, gradient: Node): FactorPair[] {
  if (gradient.op === 'sum') return gradient.inputs.flatMap((term) => factorPairs(layer, term));
  if (gradient.op !== 'bilinear' || modeOf(gradient) !== 0) return [];
  const form = formOf(gradient);
  if (form !== 'dense' && form !== 'convolution') return [];
  const [input, error] = gradient.inputs;
  return [{ layer, product: gradient, input, error }];
}

/** Where the numbers of a pair's nodes stand, and with what they are multiplied. */
export interface MomentTools {
  readonly blas: Blas;
  readonly count: number;
  readonly array: (node: Node) => FloatArray;
}

/** Positions of a sample. */
export const positionsOfPair = ({ error }: FactorPair): number => positionsOf(error.shape);

/** The errors as a matrix. */
export const errorsOf = (tools: MomentTools, { error }: FactorPair): Matrix =>
  view(tools.array(error), 0, rowsOf(error.shape), columnsOf(error.shape, tools.count));

/**
 * Visits the inputs that the weights see as matrices of width rows, a column for each position and sample (of
 * a convolution's groups each), the last row ones where the block has a bias. The matrix is the visitor's until it
 * returns.
 */
export function eachInput(
  tools: MomentTools,
  { product, input }: FactorPair,
  bias: boolean,
  visit: (inputs: Matrix) => void,
): void {
  const width = rowsOf(product.shape);
  const x = tools.array(input);
  if (formOf(product) === 'dense') {
    const cols = columnsOf(input.shape, tools.count);
    if (!bias) {
      visit(view(x, 0, width, cols));
      return;
    }
    const copy = sameKind(x, width * cols).fill(1);
    for (let j = 0; j < cols; j++) copy.set(x.subarray(j * (width - 1), (j + 1) * (width - 1)), j * width);
    visit(view(copy, 0, width, cols));
    return;
  }
  const channels = rowsOf(input.shape);
  const own = channels / (product.attributes['groups'] as number);
  const g = geometryOf(product.attributes);
  const { count } = tools;
  const cols = g.outWidth * count;
  const patches = sameKind(x, width * cols);
  for (let first = 0; first < channels; first += own)
    for (let row = 0; row < g.outHeight; row++) {
      patches.fill(0);
      if (bias) for (let j = 0; j < cols; j++) patches[j * width + width - 1] = 1;
      for (let ky = 0; ky < g.kernelHeight; ky++) {
        const y = row * g.strideY + ky * g.dilationY - g.padY;
        if (y < 0 || y >= g.height) continue;
        for (let kx = 0; kx < g.kernelWidth; kx++)
          for (let o = 0; o < g.outWidth; o++) {
            const at = o * g.strideX + kx * g.dilationX - g.padX;
            if (at < 0 || at >= g.width) continue;
            const tap = own * (kx + g.kernelWidth * ky);
            for (let b = 0; b < count; b++) {
              const from = channels * (b + count * (at + g.width * y)) + first;
              patches.set(x.subarray(from, from + own), width * (b + count * o) + tap);
            }
          }
      }
      visit(view(patches, 0, width, cols));
    }
}

const sameKind = (x: FloatArray, length: number): FloatArray =>
  x instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
