/**
 * The algebra of operators against dense matrices: every operator honours out ← α·A·X + β·out, and keeps its
 * workspaces.
 */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, get, view, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { apply } from '#hmatrix/operator/apply.js';
import { BlockWorkspace, CHUNK } from '#hmatrix/operator/block-workspace.js';
import { converted } from '#hmatrix/operator/converted.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { permuted } from '#hmatrix/operator/permuted.js';
import { product } from '#hmatrix/operator/product.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import { sum } from '#hmatrix/operator/sum.js';
import {
  combine,
  epsilonOf,
  expectAtMost,
  floats,
  generate,
  guarded,
  identity,
  product as multiply,
  randomView,
} from '../dense/reference.js';

const n = 19;
const blas = openBlas();
const random = new RandomStream(11);
const dense = (rows: number, cols: number): Matrix => generate(rows, cols, () => random.normal());
const symmetric = (size: number): Matrix => {
  const a = dense(size, size);
  return generate(size, size, (i, j) => get(a, i, j) + get(a, j, i));
};
const map = (a: Matrix, f: (value: number, i: number, j: number) => number): Matrix =>
  generate(a.rows, a.cols, (i, j) => f(get(a, i, j), i, j));

const A = symmetric(n);
const B = symmetric(n);
const C = dense(n, 7);
const D = dense(7, n);
const order = Int32Array.from({ length: n }, (_, i) => i);
random.shuffle(order);
const diagonal = Float64Array.from({ length: n }, () => random.normal());
const a = denseOperator(A, true, { blas });
const b = denseOperator(B, true, { blas });
const c = denseOperator(C, false, { blas });
const d = denseOperator(D, false, { blas });
const plus = (x: Matrix, y: Matrix): Matrix => map(x, (value, i, j) => value + get(y, i, j));

/** An operator, the matrix that it is, and whether it says that it is symmetric. */
const cases: [string, LinearOperator, Matrix, boolean][] = [
  ['a symmetric matrix', a, A, true],
  ['a rectangular matrix', c, C, false],
  ['the identity', identityOperator(n), identity(n), true],
  ['a diagonal', diagonalOperator(diagonal), map(identity(n), (value, i) => value * diagonal[i]), true],
  ['scaled', scaled(a, -2.5), map(A, (value) => -2.5 * value), true],
  ['scaled by zero', scaled(a, 0), map(A, () => 0), true],
  ['a sum', sum(a, b, identityOperator(n)), plus(plus(A, B), identity(n)), true],
  ['a sum of one', sum(c), C, false],
  ['a product', product(c, d), multiply(C, D), false],
  ['a product of one', product(c), C, false],
  ['a product of four', product(d, a, b, c), multiply(D, multiply(A, multiply(B, C))), false],
  ['a product that is symmetric', product(a, b, a), multiply(A, multiply(B, A)), true],
  ['a square', product(a, a), multiply(A, A), true],
  ['a product of two', product(a, b), multiply(A, B), false],
  ['shifted', shifted(a, 3), map(A, (value, i, j) => value + (i === j ? 3 : 0)), true],
  ['shifted by nothing', shifted(a, 0), A, true],
  ['permuted', permuted(a, order), generate(n, n, (i, j) => get(A, order[i], order[j])), true],
  ['converted', converted(a, 'f64'), A, true],
  [
    'an expression',
    shifted(sum(permuted(product(a, a), order), scaled(b, 0.5)), 1),
    generate(n, n, (i, j) => get(multiply(A, A), order[i], order[j]) + get(B, i, j) / 2 + (i === j ? 1 : 0)),
    true,
  ],
];

/** max |x − y| over the entries; NaN if any is. */
const farthest = (x: Matrix, y: Matrix): number =>
  Math.max(...map(x, (value, i, j) => Math.abs(value - get(y, i, j))).data);

/**
 * |error| allowed in α·A·x + β·y: n·eps for each of at most four sums of n terms, which may cancel by a factor n, with
 * |α|, |β| and |x| of about 3.
 */
const tolerance = (matrix: Matrix, precision: Precision): number =>
  4 * n * n * 3 * epsilonOf(precision) * Math.max(1, ...matrix.data.map(Math.abs));

describe.each(cases)('%s', (_, operator, matrix, isSymmetric) => {
  it('has_the_shape_and_the_symmetry_of_its_matrix', () => {
    expect([operator.rows, operator.cols, operator.symmetric]).toEqual([matrix.rows, matrix.cols, isSymmetric]);
  });

  it.each([
    [1, 1, 0],
    [1, 3, 0],
    [1, -2, 1],
    [5, 1, 0],
    [5, 0.5, -3],
    [CHUNK + 3, 2, 0.25],
  ])('multiplies_%i_vectors_with_alpha_%f_and_beta_%f_inside_its_view', (vectors, alpha, beta) => {
    const x = randomView(matrix.cols, vectors, 'f64', random);
    // With β = 0, out is not read: not even NaN comes through.
    const out = guarded(matrix.rows, vectors, 'f64', () => (beta === 0 ? Number.NaN : random.normal()));
    const before = map(out.a, (value) => value);
    operator.applyUnchecked(out.a, x.a, alpha, beta);
    const exact = combine(alpha, multiply(matrix, x.a), beta, before);
    expectAtMost(farthest(out.a, exact), tolerance(matrix, 'f64'), 'the largest error of an entry');
    out.expectGuardsIntact();
    x.expectGuardsIntact();
  });

  it('repeats_bitwise', () => {
    const x = dense(matrix.cols, 4);
    expect(apply(operator, x).data).toEqual(apply(operator, x).data);
  });
});

describe('a checked product', () => {
  it('returns_a_new_block_in_the_precision_of_x_or_the_block_given', () => {
    const x = dense(n, 2);
    const out = dense(n, 2);
    expect(apply(a, x, out)).toBe(out);
    expect(out.data).toEqual(apply(a, x).data);
    const single = view(Float32Array.from(x.data), 0, n, 2);
    expect(apply(identityOperator(n), single).data).toEqual(single.data);
  });

  it('of_no_vectors_is_empty', () => {
    expect(apply(a, view(new Float64Array(0), 0, n, 0)).cols).toBe(0);
  });

  it('refuses_sizes_precisions_and_views_that_do_not_fit', () => {
    const x = dense(n, 2);
    expect(() => apply(a, dense(n + 1, 2))).toThrow(ShapeError);
    expect(() => apply(a, x, dense(n, 3))).toThrow(/out is 19 × 3; the product is 19 × 2/);
    expect(() => apply(c, dense(7, 2), dense(7, 2))).toThrow(ShapeError);
    expect(() => apply(identityOperator(n), x, view(new Float32Array(2 * n), 0, n, 2))).toThrow(/precisions/);
    expect(() => apply(a, view(new Float64Array(5), 0, n, 2))).toThrow(ShapeError);
  });

  it('refuses_an_out_that_shares_elements_with_x_and_takes_one_that_only_interleaves', () => {
    const storage = view(new Float64Array(2 * n * 4), 0, 2 * n, 4);
    const upper = block(storage, 0, 0, n, 4);
    const lower = block(storage, n, 0, n, 4);
    const random2 = new RandomStream(3);
    random2.fillNormal(storage.data);
    const copy = map(upper, (value) => value);
    apply(a, upper, lower);
    expect(map(lower, (value) => value).data).toEqual(apply(a, copy).data);
    expect(() => apply(a, upper, upper)).toThrow(/share memory/);
    expect(() => apply(a, upper, block(storage, 1, 0, n, 4))).toThrow(/share memory/);
    expect(() => apply(a, block(storage, 0, 0, n, 2), block(storage, 5, 1, n, 2))).toThrow(/share memory/);
    expect(() => apply(a, view(storage.data, 0, n, 2), view(storage.data, n + 4, n, 2))).toThrow(/share memory/);
    expect(() => apply(a, block(storage, 0, 0, n, 2), block(storage, 0, 2, n, 2))).not.toThrow();
  });
});

describe('a workspace', () => {
  it('is_the_same_memory_for_every_product_that_is_no_wider_and_precisions_stand_apart', () => {
    const workspace = new BlockWorkspace();
    const like = new Float64Array(0);
    const first = workspace.take(n, 8, like).data;
    expect(workspace.take(n, 8, like).data).toBe(first);
    expect(workspace.take(n, 3, like).data).toBe(first);
    const single = workspace.take(n, 8, new Float32Array(0)).data;
    expect(single).toBeInstanceOf(Float32Array);
    expect(workspace.take(n, 8, like).data).toBe(first);
    expect(workspace.take(n, 9, like).data).not.toBe(first);
  });

  it.each([
    ['product', (inner: LinearOperator): LinearOperator => product(inner, inner, inner)],
    ['permuted', (inner: LinearOperator): LinearOperator => permuted(inner, order)],
    ['converted', (inner: LinearOperator): LinearOperator => converted(inner, 'f32')],
  ])('of_%s_is_kept_between_products', (_, make) => {
    const seen: ArrayBufferLike[][] = [];
    let current: ArrayBufferLike[] = [];
    const inner = identityOperator(n);
    const operator = make({
      ...inner,
      applyUnchecked: (out, x, alpha, beta) => {
        current.push(out.data.buffer, x.data.buffer);
        inner.applyUnchecked(out, x, alpha, beta);
      },
    });
    const x = dense(n, 6);
    const out = dense(n, 6);
    for (let repeat = 0; repeat < 2; repeat++) {
      current = [];
      operator.applyUnchecked(out, x, 1, 0);
      seen.push(current);
    }
    expect(seen[0].length).toBeGreaterThan(0);
    seen[0].forEach((buffer, i) => {
      expect(seen[1][i]).toBe(buffer);
    });
  });
});

describe('operators in single precision', () => {
  const single = (m: Matrix): Matrix => {
    const data = floats(m.rows * m.cols, 'f32');
    data.set(m.data);
    return view(data, 0, m.rows, m.cols);
  };
  const inner = denseOperator(single(A), true, { blas });

  it('multiply_float32_vectors', () => {
    const operator = shifted(sum(permuted(inner, order), scaled(product(inner, inner), 0.1)), 2);
    const matrix = generate(
      n,
      n,
      (i, j) => get(A, order[i], order[j]) + 0.1 * get(multiply(A, A), i, j) + (i === j ? 2 : 0),
    );
    const x = dense(n, 3);
    const y = apply(operator, single(x));
    const exact = multiply(matrix, x);
    expectAtMost(farthest(y, exact), tolerance(matrix, 'f32'), 'the largest error of an entry');
  });

  it('multiply_float64_vectors_when_converted', () => {
    const x = dense(n, 3);
    const out = map(x, () => 1);
    converted(inner, 'f32').applyUnchecked(out, x, 2, -1);
    const exact = multiply(A, x);
    expectAtMost(
      farthest(
        out,
        map(exact, (value) => 2 * value - 1),
      ),
      tolerance(A, 'f32'),
      'the largest error of an entry',
    );
    expect(() => inner.applyUnchecked(out, x, 1, 0)).toThrow(ShapeError);
  });
});

describe('making an operator', () => {
  it('names_what_does_not_fit', () => {
    expect(() => sum()).toThrow(OptionError);
    expect(() => product()).toThrow(OptionError);
    expect(() => sum(a, c)).toThrow(/Term 2 of the sum is 19 × 7/);
    expect(() => product(c, a)).toThrow(/Factors 1 \(19 × 7\) and 2/);
    expect(() => shifted(c, 1)).toThrow(ShapeError);
    expect(() => shifted(a, Number.NaN)).toThrow(NonFiniteError);
    expect(() => scaled(a, Number.POSITIVE_INFINITY)).toThrow(NonFiniteError);
    expect(() => denseOperator(C, true, { blas })).toThrow(ShapeError);
    expect(() => diagonalOperator(Float64Array.of(1, Number.NaN))).toThrow(/Diagonal entry 1 is NaN/);
    expect(() => identityOperator(1.5)).toThrow(ShapeError);
    expect(() => permuted(c, order)).toThrow(ShapeError);
    expect(() => permuted(a, order.slice(1))).toThrow(/18 indices, the operator 19 rows/);
    expect(() =>
      permuted(
        a,
        order.map((i) => Math.min(i, n - 2)),
      ),
    ).toThrow(/there twice/);
    expect(() =>
      permuted(
        a,
        order.map((i) => i + 1),
      ),
    ).toThrow(/out of range/);
  });
});
