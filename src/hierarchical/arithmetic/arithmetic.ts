/**
 * Arithmetic of hierarchical matrices: sums, products of commuting ones, inverses, low-rank updates. Each is an
 * operator whose products are cheap, compressed again on the tree of the first operand from products alone
 * (from-products/compress.ts), and comes with the error that was measured there.
 */
import { AsymmetryError, OptionError, ShapeError } from '../../core/errors.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Precision } from '../../core/floats.js';
import { asFloat64 } from '../../core/numbers.js';
import { transposeHint, asVectors, copyInto, squaredNorm, zeros, type Vectors } from '../../dense/matrix.js';
import { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import { normalVectors } from '../../operator/draws.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { product } from '../../operator/product.js';
import { scaled } from '../../operator/scaled.js';
import { derived, requireOperator } from '../../operator/self-check.js';
import { sum } from '../../operator/sum.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { factor } from '../factor/factor.js';
import { compressProducts } from '../from-products/compress.js';
import type { ProductsFormat } from '../from-products/cost.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import type { OperatorReport } from '../matrix/report.js';
import { warnIfMissed } from '../matrix/tolerance-advice.js';

/** How the result is compressed. */
export interface ArithmeticOptions {
  /** Default: that of A; 'hss' where A is 'fmm', whose near blocks products do not tell apart. */
  readonly format?: ProductsFormat | undefined;
  /** Largest rank of a node; default twice that of A. */
  readonly maxRank?: number | undefined;
  /** Asked relative error in the Frobenius norm; default that of A, at least 1e-12. */
  readonly tolerance?: number | undefined;
  /** Default 0. Seeds the random vectors. */
  readonly seed?: number | undefined;
  /** Precision of the stored blocks; default that of A. */
  readonly dtype?: Precision | undefined;
  /** Bytes the compression may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link ArithmeticOptions}. */
const ARITHMETIC_KEYS: KeysOf<ArithmeticOptions> = {
  format: true,
  maxRank: 'number',
  tolerance: 'number',
  seed: 'number',
  dtype: true,
  memoryLimit: 'number',
};

/** Options of {@link add}. */
export interface AddOptions extends ArithmeticOptions {
  /** α and β of αA + βB; default 1. */
  readonly alpha?: number | undefined;
  readonly beta?: number | undefined;
}
/** The keys of {@link AddOptions}. */
const ADD_KEYS: KeysOf<AddOptions> = { ...ARITHMETIC_KEYS, alpha: 'number', beta: 'number' };

/** Options of {@link multiply}. */
export interface MultiplyOptions extends ArithmeticOptions {
  /** Take (AB + BA)/2 of matrices that do not commute. Default false: they are refused. */
  readonly symmetrize?: boolean | undefined;
}
/** The keys of {@link MultiplyOptions}. */
const MULTIPLY_KEYS: KeysOf<MultiplyOptions> = { ...ARITHMETIC_KEYS, symmetrize: 'boolean' };

/** Options of {@link inverse}. */
export interface InverseOptions extends ArithmeticOptions {
  /** λ of (A + λI)⁻¹; default 0. */
  readonly shift?: number | undefined;
}
/** The keys of {@link InverseOptions}. */
const INVERSE_KEYS: KeysOf<InverseOptions> = { ...ARITHMETIC_KEYS, shift: 'number' };

/** Options of {@link update}. */
export interface UpdateOptions extends ArithmeticOptions {
  /** w of A + U diag(w) Uᵀ, of either sign; default ones. */
  readonly weights?: ArrayLike<number> | undefined;
}
/** The keys of {@link UpdateOptions}. */
const UPDATE_KEYS: KeysOf<UpdateOptions> = { ...ARITHMETIC_KEYS, weights: true };

/** What arithmetic gives: a hierarchical matrix whose `report.products.error` is measured. */
export type Computed = HierarchicalMatrix<OperatorReport>;

const LEAST_TOLERANCE = 1e-12;
/** Random vectors by which it is seen whether two matrices commute. */
const VECTORS = 4;
/** ‖(AB − BA)Ω‖ below so many tolerances of ‖(AB + BA)Ω‖ comes of the operands' own compression. */
const COMMUTING = 10;

/**
 * αA + βB on A's tree, for any symmetric operator B of A's size. Cost: that of `compressOperator`, about
 * 4·maxRank + 64 products with A and B each (HSS). Throws as `compressOperator`.
 */
export async function add(
  a: HierarchicalMatrix,
  b: LinearOperator,
  options: AddOptions = {},
  control: Control = {},
): Promise<Computed> {
  requireOperands(a, b, 'add');
  const { alpha = 1, beta = 1, ...rest } = requireKnownOptions(options, ADD_KEYS, 'add');
  return computed(a, sum(scaled(a, alpha), scaled(b, beta)), rest, await onTeam(control, 'add'));
}

/**
 * A·B on A's tree, for matrices that commute (powers, functions of one matrix): computed as (AB + BA)/2, which is the
 * same there, and symmetric to rounding. Where ‖AB − BA‖, seen on random vectors, is beyond ten tolerances of
 * ‖AB + BA‖ the product is not symmetric, and refused, unless `symmetrize` asks for (AB + BA)/2. Two products with A
 * and B for each of a sum. Throws AsymmetryError, and as `add`.
 */
export async function multiply(
  a: HierarchicalMatrix,
  b: LinearOperator,
  options: MultiplyOptions = {},
  control: Control = {},
): Promise<Computed> {
  requireOperands(a, b, 'multiply');
  const { symmetrize = false, ...rest } = requireKnownOptions(options, MULTIPLY_KEYS, 'multiply');
  const [ab, ba] = [product(a, b), product(b, a)];
  const share = symmetrize ? 0 : commutator(ab, ba, rest.seed ?? 0);
  if (share > COMMUTING * resolved(a, rest).tolerance)
    throw new AsymmetryError(
      `A·B is not symmetric: ‖AB − BA‖ is about ${share.toPrecision(2)} of ‖AB + BA‖, the tolerance ` +
        `${resolved(a, rest).tolerance}. Multiply without compressing (operators.product), or take (AB + BA)/2 by ` +
        'symmetrize: true.',
      { share },
    );
  const half = sum(scaled(ab, 0.5), scaled(ba, 0.5));
  const symmetric = derived({ ...half, symmetric: true }, half);
  return computed(a, symmetric, rest, await onTeam(control, 'multiply'));
}

/**
 * (A + λI)⁻¹ on A's tree, for A of format 'hss' or 'hodlr' with A + λI positive definite: its factorization,
 * compressed. To solve, the factorization itself is cheaper and more accurate; this is the inverse as a matrix, with a
 * diagonal, sums and products. Where A is compressed from a matrix K, the error that is measured here is relative to
 * (A + λI)⁻¹, that of A itself; A's own error e = ‖K − A‖₂/‖K + λI‖₂ comes on top, magnified up to cond(K + λI) times:
 * ‖(K + λI)⁻¹ − (A + λI)⁻¹‖₂ ≤ e·cond(K + λI)·‖(A + λI)⁻¹‖₂. Throws as `factor` and `compressOperator`.
 */
export async function inverse(
  a: HierarchicalMatrix,
  options: InverseOptions = {},
  control: Control = {},
): Promise<Computed> {
  requireRole(a, 'hierarchical matrix', 'inverse');
  const { shift = 0, ...rest } = requireKnownOptions(options, INVERSE_KEYS, 'inverse');
  const on = await onTeam(control, 'inverse');
  const factors = await factor(a, { shift, memoryLimit: rest.memoryLimit }, on);
  try {
    return await computed(a, factors, rest, on);
  } finally {
    factors.release();
  }
}

/**
 * A + U diag(w) Uᵀ on A's tree, U of N × k columns: new observations, a nugget along some directions, downdates with
 * w < 0. The rank of a node grows by k at most. Throws as `add`.
 */
export async function update(
  a: HierarchicalMatrix,
  columns: Vectors,
  options: UpdateOptions = {},
  control: Control = {},
): Promise<Computed> {
  requireRole(a, 'hierarchical matrix', 'update');
  const { weights, ...rest } = requireKnownOptions(options, UPDATE_KEYS, 'update');
  const u = asVectors(columns, 'U');
  if (u.rows !== a.rows)
    throw new ShapeError(`U has ${u.rows} rows; the matrix is ${a.rows} × ${a.rows}.${transposeHint(u, a.rows)}`, {
      rows: u.rows,
      expected: a.rows,
    });
  const w = weights === undefined ? new Float64Array(u.cols).fill(1) : asFloat64(weights, 'weights');
  if (w.length !== u.cols || !w.every(Number.isFinite))
    throw new OptionError(
      `weights must be ${u.cols} finite numbers, one for each column of U; there are ${w.length}.`,
      {
        weights: w.length,
        columns: u.cols,
      },
    );
  const on = await onTeam(control, 'update');
  const maxRank = rest.maxRank ?? 2 * a.report.maxRank + u.cols;
  const wide = zeros(u.rows, u.cols);
  copyInto(wide, u);
  return computed(a, sum(a, new LowRankOperator(wide, w, on.team.blas, on.team)), { ...rest, maxRank }, on);
}

function requireOperands(a: HierarchicalMatrix, b: LinearOperator, of: string): void {
  requireRole(a, 'hierarchical matrix', of);
  requireOperator(b, of);
  if (b.rows !== a.rows || b.cols !== a.cols)
    throw new ShapeError(`A is ${a.rows} × ${a.cols}, B is ${b.rows} × ${b.cols}: ${of} needs matrices of one size.`, {
      a: [a.rows, a.cols],
      b: [b.rows, b.cols],
    });
}

/** ‖(AB − BA)Ω‖_F/‖(AB + BA)Ω‖_F for normal Ω. */
function commutator(ab: LinearOperator, ba: LinearOperator, seed: number): number {
  const n = ab.rows;
  const x = normalVectors(n, { count: VECTORS, seed });
  const norms = [-1, 1].map((sign) => {
    const out = zeros(n, VECTORS);
    ab.applyUnchecked(out, x, 1, 0);
    ba.applyUnchecked(out, x, sign, 1);
    return Math.sqrt(squaredNorm(out));
  });
  return norms[1] > 0 ? norms[0] / norms[1] : 0;
}

/** The options with what the first operand says where they say nothing. */
function resolved(a: HierarchicalMatrix, options: ArithmeticOptions) {
  const { format, maxRank, tolerance, seed = 0, dtype, memoryLimit } = options;
  return {
    format: format ?? (a.report.format === 'hodlr' ? 'hodlr' : 'hss'),
    maxRank: maxRank ?? 2 * a.report.maxRank,
    tolerance: tolerance ?? Math.max(LEAST_TOLERANCE, a.report.tolerance),
    seed,
    dtype: dtype ?? a.precision,
    memoryLimit,
  } as const;
}

async function computed(
  a: HierarchicalMatrix,
  operator: LinearOperator,
  options: ArithmeticOptions,
  control: TeamControl,
): Promise<Computed> {
  return warnIfMissed(await compressProducts(operator, a.wholeTree(), resolved(a, options), control), control);
}
