/**
 * What Kronecker factors are made of: where a block of weights is multiplied, its inputs and the errors of its outputs.
 * Weights that are shared over positions, or used more than once, have a pair for every use, and every position counts
 * as a sample of its own ("expand"; R. Eschenhagen et al., NeurIPS 2023, arXiv 2311.00636; for convolutions R. Grosse,
 * J. Martens, ICML 2016):
 *
 *   A = (1/(n·R)) Σ_i Σ_r a_ir a_irᵀ,  Γ = (1/w) Σ_i Σ_r δ_ir δ_irᵀ,  R positions,
 *
 * w the number that the sum of losses is divided by: n samples, or the tokens that are no padding. Where a loss of
 * tokens has padding, A is the mean over the positions that errors reach: one whose errors are zero has no part in the
 * block Σ (a_ir a_irᵀ) ⊗ (δ_ir δ_irᵀ) that the factors stand for.
 */
import { view, type Matrix } from '../dense/matrix.js';
import { eachPatchRow, patchNumbers } from '../tape/forms/unfolded.js';
import type { Node } from '../tape/node.js';
import type { Machine } from '../tape/primitive.js';
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

/** Positions of a sample. */
export const positionsOfPair = ({ error }: FactorPair): number => positionsOf(error.shape);

/** The errors as a matrix. */
export const errorsOf = (machine: Machine, { error }: FactorPair): Matrix =>
  view(machine.heap, machine.at(error), rowsOf(error.shape), columnsOf(error.shape, machine.count));

/** Columns that are copied at a time. */
const COLUMNS = 1024;

/** Numbers of scratch memory that `eachInput` takes. */
export const inputNumbers = ({ product, input }: FactorPair, samples: number): number =>
  formOf(product) === 'dense' ? rowsOf(product.shape) * COLUMNS : patchNumbers(product, input, samples);

/**
 * Visits the inputs that the weights see as matrices of width rows, a column for each position and sample (of
 * a convolution's groups each), the last row ones where the block has a bias. The matrix is the visitor's until it
 * returns.
 */
export function eachInput(
  machine: Machine,
  { product, input }: FactorPair,
  bias: boolean,
  visit: (inputs: Matrix) => void,
): void {
  if (formOf(product) !== 'dense') {
    eachPatchRow(machine, { node: product, x: input, ones: bias }, visit);
    return;
  }
  const rows = rowsOf(input.shape);
  const cols = columnsOf(input.shape, machine.count);
  const { heap, tensors, scratch } = machine;
  if (!bias) {
    visit(view(heap, machine.at(input), rows, cols));
    return;
  }
  for (let first = 0; first < cols; first += COLUMNS) {
    const count = Math.min(COLUMNS, cols - first);
    const from = machine.part(machine.at(input) + rows * first, rows * count);
    const to = machine.part(scratch, (rows + 1) * count);
    tensors.copyChunks(rows, [{ count, from: rows, to: rows + 1 }], from, 0, to);
    for (let j = rows; j < to.length; j += rows + 1) to[j] = 1;
    visit(view(heap, scratch, rows + 1, count));
  }
}

/** Positions of a sample in all uses of a block's weights, a convolution's groups each. */
export const usesOf = (pairs: readonly FactorPair[]): number =>
  pairs.reduce(
    (total, pair) => total + positionsOfPair(pair) * ((pair.product.attributes['groups'] as number | undefined) ?? 1),
    0,
  );

/** Whether positions without errors can be left out of the inputs: each has one column of them. */
export const haveColumns = (pairs: readonly FactorPair[]): boolean =>
  pairs.every(({ product }) => formOf(product) === 'dense');

/** Whether errors reach a column of a use: one of them is not zero. */
export function isReached({ data, offset, rows, ld }: Matrix, column: number): boolean {
  for (let i = 0, at = offset + column * ld; i < rows; i++, at++) if (data[at] !== 0) return true;
  return false;
}

/** As `eachInput` of a multiplication of matrices, without the columns that are not `reached`. */
export function eachReachedInput(
  machine: Machine,
  { input }: FactorPair,
  { bias, reached }: { readonly bias: boolean; readonly reached: (column: number) => boolean },
  visit: (inputs: Matrix) => void,
): void {
  const { heap, scratch } = machine;
  const rows = rowsOf(input.shape);
  const width = bias ? rows + 1 : rows;
  const cols = columnsOf(input.shape, machine.count);
  const from = machine.at(input);
  let count = 0;
  for (let j = 0; j < cols; j++) {
    if (reached(j)) {
      const to = scratch + width * count++;
      heap.copyWithin(to, from + rows * j, from + rows * (j + 1));
      if (bias) heap[to + rows] = 1;
    }
    if (count === COLUMNS || (j === cols - 1 && count > 0)) {
      visit(view(heap, scratch, width, count));
      count = 0;
    }
  }
}
