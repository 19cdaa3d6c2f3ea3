/**
 * The trace of an operator: exact where that is cheap, else by Hutch++ (R. Meyer, C. Musco, C. Musco, D. Woodruff,
 * *Hutch++: optimal stochastic trace estimation*, SOSA 2021, arXiv 2010.09649):
 *
 *   Q = orth(A S),   tr A = tr(QᵀAQ) + tr((I − QQᵀ)A(I − QQᵀ)),   the second by (1/m) Σ gᵀAg,  g = (I − QQᵀ)ω, ω = ±1.
 *
 * The mean over the vectors g has an interval of its own (krylov/mean-interval.ts); Q is independent of them.
 */
import { requireSeed, requireWhole } from '../core/checks.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { requireMemory } from '../core/memory.js';
import { block, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import { meanInterval } from '../krylov/mean-interval.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { diagonalByProducts } from './unit-diagonal.js';
import { orthonormalize } from './orthonormalize.js';
import { PanelAlgebra } from './panel-algebra.js';
import { blockWidth, multiplyBlocks, sharedPanel } from './sketch.js';

/** Options of {@link trace}. */
export interface TraceOptions {
  /** Products with single vectors; default 192. As many as A has rows make it exact. */
  readonly products?: number | undefined;
  /** Default 0. Seeds the random vectors. */
  readonly seed?: number | undefined;
}
/** The keys of {@link TraceOptions}. */
const TRACE_KEYS: KeysOf<TraceOptions> = { products: 'number', seed: 'number' };

/** A trace, and where it lies. */
export interface Trace {
  readonly value: number;
  /** 0 where exact. */
  readonly standardError: number;
  /** 95 % confidence interval; the value itself, but for rounding, where exact. */
  readonly lower: number;
  readonly upper: number;
  /** Whether it is the sum of all diagonal entries. */
  readonly exact: boolean;
  /** How it was found: by the diagonal that the operator knows, by products with all unit vectors, or estimated. */
  readonly method: 'diagonal' | 'unit-vectors' | 'hutch++';
  /** Products with single vectors. */
  readonly products: number;
}

const DEFAULT_PRODUCTS = 192;
/** Fewer do not tell an interval. */
const LEAST_PRODUCTS = 9;
const PHASE = 'trace';
const STREAM = 0x7ace;
const SIGNS = 0x7acf;

/**
 * tr A of a symmetric N × N operator. Exact by the diagonal where the operator knows it (`gaussNewton`, `hessian`,
 * hierarchical matrices; their shifts, sums and multiples), and by N products with unit vectors where `products` ≥ N;
 * else an estimate with a 95 % interval from `products` products, a third of them for the largest directions, which a
 * plain average over random vectors sees worst. About 4N·products²/3 flops and 8·N·products bytes. The same seed
 * gives the same bits on any team. Throws ShapeError, OptionError, NonFiniteError, MemoryError, AbortedError.
 */
export async function trace(
  operator: LinearOperator,
  options: TraceOptions = {},
  control: Control = {},
): Promise<Trace> {
  requireOperator(operator, 'trace');
  const { products = DEFAULT_PRODUCTS, seed = 0 } = requireKnownOptions(options, TRACE_KEYS, 'trace');
  requireWhole(products, 'products', LEAST_PRODUCTS);
  requireSeed(seed);
  const { rows, cols, symmetric } = operator;
  if (rows !== cols)
    throw new ShapeError(`A trace needs a square operator, this one is ${rows} × ${cols}.`, { rows, cols });
  const on = await onTeam(control, 'trace');
  if (operator.diagonal !== undefined) {
    const diagonal = new Float64Array(rows);
    operator.diagonal(diagonal);
    return exactly(diagonal, 'diagonal');
  }
  if (products >= rows) return exactly(await diagonalByProducts(operator, PHASE, on), 'unit-vectors');
  if (!symmetric)
    throw new OptionError('An estimate of a trace needs a symmetric operator; this one says that it is not.');
  const sketched = Math.floor(products / 3);
  const probes = products - 2 * sketched;
  requireMemory(8 * rows * (2 * Math.max(sketched, probes) + sketched), availableMemory(), {
    what: `A trace by ${products} products with ${rows} numbers each needs`,
    advice: 'lower products.',
  });
  const algebra = new PanelAlgebra(on.team.blas, on.team);
  const x = sharedPanel(rows, Math.max(sketched, probes));
  const image = sharedPanel(rows, blockWidth(x.cols));
  const q = sharedPanel(rows, sketched);
  algebra.fillNormal(block(x, 0, 0, rows, sketched), seed, STREAM, 0);
  await multiplied(operator, block(x, 0, 0, rows, sketched), image, on, (out, first) => {
    q.data.set(out.data.subarray(0, rows * out.cols), first * rows);
  });
  orthonormalize(q, algebra);
  let largest = 0;
  await multiplied(operator, q, image, on, (out, first) => {
    for (const value of quadraticForms(block(q, 0, first, rows, out.cols), out)) largest += value;
  });
  const g = block(x, 0, 0, rows, probes);
  for (let j = 0; j < probes; j++) {
    const random = new RandomStream(seed, SIGNS, j);
    for (let i = j * rows; i < (j + 1) * rows; i++) g.data[i] = random.uint32() & 1 ? 1 : -1;
  }
  const c = sharedPanel(sketched, probes);
  algebra.cross(q, g, c);
  algebra.multiply(-1, q, c, 1, g);
  const rest = new Float64Array(probes);
  await multiplied(operator, g, image, on, (out, first) => {
    rest.set(quadraticForms(block(g, 0, first, rows, out.cols), out), first);
  });
  const { value, standardError, lower, upper } = meanInterval(rest);
  return {
    value: largest + value,
    standardError,
    lower: largest + lower,
    upper: largest + upper,
    exact: false,
    method: 'hutch++',
    products,
  };
}

function exactly(diagonal: Float64Array, method: 'diagonal' | 'unit-vectors'): Trace {
  const value = diagonal.reduce((sum, one) => sum + one, 0);
  if (!Number.isFinite(value))
    throw new NonFiniteError(`The trace is ${value}: the operator has entries that are not finite.`);
  const products = method === 'diagonal' ? 0 : diagonal.length;
  return { value, standardError: 0, lower: value, upper: value, exact: true, method, products };
}

/** Hands A·x to `use`, block by block, in `image`. */
async function multiplied(
  operator: LinearOperator,
  x: Matrix,
  image: Matrix,
  control: TeamControl,
  use: (out: Matrix, first: number) => void,
): Promise<void> {
  const operands = (first: number, count: number): { x: Matrix; out: Matrix } => ({
    x: block(x, 0, first, x.rows, count),
    out: block(image, 0, 0, image.rows, count),
  });
  await multiplyBlocks(operator, { columns: x.cols, phase: PHASE, operands, use }, control);
}

/** xⱼᵀyⱼ of each column. */
function quadraticForms(x: Matrix, y: Matrix): Float64Array {
  const forms = new Float64Array(x.cols);
  for (let j = 0; j < x.cols; j++)
    for (let i = 0, p = x.offset + j * x.ld, q = y.offset + j * y.ld; i < x.rows; i++)
      forms[j] += x.data[p + i] * y.data[q + i];
  return forms;
}
