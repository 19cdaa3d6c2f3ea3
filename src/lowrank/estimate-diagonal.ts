/**
 * The diagonal of an operator: exact where that is cheap, else estimated entry by entry (C. Bekas, E. Kokiopoulou,
 * Y. Saad, *An estimator for the diagonal of a matrix*, Applied Numerical Mathematics 57, 2007):
 *
 *   d_i = (1/m) Σ_k z_ki·(A z_k)_i,  z_ki = ±1 at random,   E d_i = A_ii,  Var d_i = (1/m) Σ_{j≠i} A_ij².
 *
 * With signs Σ_k z_k ∘ z_k, by which the paper divides, is m.
 */
import { requireSeed, requireWhole } from '../core/checks.js';
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { requireMemory } from '../core/memory.js';
import { block, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { blockWidth, multiplyBlocks, sharedPanel } from './sketch.js';
import { diagonalByProducts } from './unit-diagonal.js';

/** Options of {@link estimateDiagonal}. */
export interface EstimateDiagonalOptions {
  /** Products with single vectors; default 128. As many as A has rows make it exact. */
  readonly products?: number | undefined;
  /** Default 0. Seeds the random signs. */
  readonly seed?: number | undefined;
}
/** The keys of {@link EstimateDiagonalOptions}. */
const ESTIMATE_KEYS: KeysOf<EstimateDiagonalOptions> = { products: 'number', seed: 'number' };

/** A diagonal, and how far it may be off. */
export interface DiagonalEstimate {
  /** A(i, i) or its estimate. */
  readonly values: Float64Array;
  /** The standard error of each, from the scatter of its terms; 0 where exact. */
  readonly standardErrors: Float64Array;
  /** How it was found: told by the operator, by products with all unit vectors, or estimated. */
  readonly method: 'diagonal' | 'unit-vectors' | 'random-signs';
  readonly exact: boolean;
  /** Products with single vectors. */
  readonly products: number;
}

const DEFAULT_PRODUCTS = 128;
/** Fewer do not tell a standard error. */
const LEAST_PRODUCTS = 2;
const PHASE = 'estimate diagonal';
const STREAM = 0xd1a9;

/**
 * The diagonal of a square N × N operator, symmetric or not, such as the second derivatives of a loss. Exact where the
 * operator knows it and where `products` ≥ N; else the mean of z ∘ (A·z) over vectors z of random signs, each entry
 * with its standard error, about the norm of the rest of its row over √products: small where the diagonal dominates.
 * Costs `products` products, 6N·products flops and 16·N·min(products, 256) bytes. The same seed gives the same bits
 * where the operator's products do. Throws ShapeError, OptionError, NonFiniteError, MemoryError, AbortedError.
 */
export async function estimateDiagonal(
  operator: LinearOperator,
  options: EstimateDiagonalOptions = {},
  control: Control = {},
): Promise<DiagonalEstimate> {
  requireOperator(operator, 'estimateDiagonal');
  const { products = DEFAULT_PRODUCTS, seed = 0 } = requireKnownOptions(options, ESTIMATE_KEYS, 'estimateDiagonal');
  requireWhole(products, 'products', LEAST_PRODUCTS);
  requireSeed(seed);
  const { rows, cols } = operator;
  if (rows !== cols)
    throw new ShapeError(`A diagonal needs a square operator, this one is ${rows} × ${cols}.`, { rows, cols });
  const on = await onTeam(control, 'estimateDiagonal');
  if (operator.diagonal !== undefined) {
    const values = new Float64Array(rows);
    operator.diagonal(values);
    return exactly(values, 'diagonal');
  }
  if (products >= rows) return exactly(await diagonalByProducts(operator, PHASE, on), 'unit-vectors');
  const width = blockWidth(products);
  requireMemory(8 * rows * (2 * width + 3), availableMemory(), {
    what: `A diagonal by ${products} products with ${rows} numbers each needs`,
    advice: 'lower products.',
  });
  const [signs, images] = [sharedPanel(rows, width), sharedPanel(rows, width)];
  const values = new Float64Array(rows);
  /** Σ (term − mean)², by Welford's update. */
  const scatter = new Float64Array(rows);
  const operands = (first: number, count: number): { x: Matrix; out: Matrix } => {
    for (let j = 0; j < count; j++) {
      const random = new RandomStream(seed, STREAM, first + j);
      for (let i = j * rows; i < (j + 1) * rows; i++) signs.data[i] = random.uint32() & 1 ? 1 : -1;
    }
    return { x: block(signs, 0, 0, rows, count), out: block(images, 0, 0, rows, count) };
  };
  const use = (out: Matrix, first: number): void => {
    for (let j = 0; j < out.cols; j++) {
      const share = 1 / (first + j + 1);
      for (let i = 0, p = j * rows; i < rows; i++, p++) {
        const term = signs.data[p] * images.data[p];
        const off = term - values[i];
        values[i] += off * share;
        scatter[i] += off * (term - values[i]);
      }
    }
  };
  await multiplyBlocks(operator, { columns: products, phase: PHASE, operands, use }, on);
  const standardErrors = scatter.map((sum) => Math.sqrt(sum / ((products - 1) * products)));
  return { values, standardErrors, method: 'random-signs', exact: false, products };
}

function exactly(values: Float64Array, method: 'diagonal' | 'unit-vectors'): DiagonalEstimate {
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new NonFiniteError(`Diagonal entry ${wrong} of the operator is ${values[wrong]}.`, { index: wrong });
  const products = method === 'diagonal' ? 0 : values.length;
  return { values, standardErrors: new Float64Array(values.length), method, exact: true, products };
}
