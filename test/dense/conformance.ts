/**
 * The conformance suite of the dense contract (src/dense/blas.ts): every backend must pass it, in both precisions.
 * BLAS results are held to the componentwise bound of the inner product, |fl(xᵀy) − xᵀy| ≤ k·eps·|x|ᵀ|y|
 * (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.1), factorizations to normwise backward
 * errors c·n·eps.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Blas, Side, Transpose, Triangle, UnitDiagonal } from '#hmatrix/dense/blas.js';
import { get, matrixOver, zeros } from '#hmatrix/dense/matrix.js';
import type { Matrix, Precision } from '#hmatrix/dense/matrix.js';
import { describeLapack } from './conformance-lapack.js';
import { describeShapeErrors } from './conformance-shapes.js';
import {
  absolute,
  combine,
  distance,
  duplicate,
  epsilonOf,
  expectAtMost,
  expectEntriesWithin,
  floats,
  generate,
  guarded,
  inTriangle,
  norm,
  op,
  poison,
  poisonOpposite,
  product,
  randomView,
  symmetric,
  toFloat64,
  transpose,
  triangular,
} from './reference.js';

const TRANSPOSES: readonly Transpose[] = ['N', 'T'];
const SIDES: readonly Side[] = ['L', 'R'];
const TRIANGLES: readonly Triangle[] = ['L', 'U'];
const DIAGONALS: readonly UnitDiagonal[] = ['N', 'U'];
/** (α, β): plain, accumulating, general, scaling only. */
const SCALARS: readonly (readonly [number, number])[] = [
  [1, 0],
  [-1, 1],
  [0.5, -2],
  [0, 2],
];
/** m, n, k: degenerate, tiny, off every block size, one side long. */
const SHAPES: readonly (readonly [number, number, number])[] = [
  [0, 3, 2],
  [3, 0, 2],
  [3, 2, 0],
  [1, 1, 1],
  [1, 7, 5],
  [7, 1, 5],
  [2, 3, 1],
  [4, 4, 4],
  [5, 6, 7],
  [8, 8, 8],
  [17, 9, 33],
  [31, 33, 65],
  [64, 64, 64],
  [67, 130, 5],
  [3, 129, 70],
  [101, 97, 103],
];
const ORDERS = [0, 1, 2, 3, 4, 7, 16, 33, 65, 130];

/** Runs the whole suite against the backend that `open` gives. */
export function describeBlas(name: string, open: () => Blas): void {
  describe(`${name} conforms to the dense contract`, () => {
    let blas: Blas;
    beforeAll(() => {
      blas = open();
    });
    const current = (): Blas => blas;
    it('says what it is', () => {
      expect(['openblas', 'portable']).toContain(blas.kind);
      expect(blas.description.length).toBeGreaterThan(3);
    });
    for (const precision of ['f64', 'f32'] as const) {
      describe(precision, () => {
        describeProducts(precision, current);
        describeTriangular(precision, current);
        describeMemory(precision, current);
        describeLapack(precision, current);
        describeShapeErrors(precision, current);
      });
    }
  });
}

/** (c·(k + 4))·eps·(|α||A||B| + |β||C|), entry by entry. */
function innerProductBound(
  precision: Precision,
  k: number,
  alpha: number,
  absoluteProduct: Matrix,
  beta: number,
  c: Matrix,
): Matrix {
  const factor = 2 * (k + 4) * epsilonOf(precision);
  return combine(factor * Math.abs(alpha), absoluteProduct, factor * Math.abs(beta), absolute(c));
}

function describeProducts(precision: Precision, blas: () => Blas): void {
  it('gemm_equals_the_sum_of_products_for_all_transposes_and_shapes', () => {
    const random = new RandomStream(1);
    for (const [m, n, k] of SHAPES) {
      for (const transA of TRANSPOSES) {
        for (const transB of TRANSPOSES) {
          const a = randomView(transA === 'N' ? m : k, transA === 'N' ? k : m, precision, random).a;
          const b = randomView(transB === 'N' ? k : n, transB === 'N' ? n : k, precision, random).a;
          const ab = product(op(transA, a), op(transB, b));
          const size = product(absolute(op(transA, a)), absolute(op(transB, b)));
          for (const [alpha, beta] of SCALARS) {
            const before = randomView(m, n, precision, random);
            const c = duplicate(before.a, precision);
            if (beta === 0) poison(c.a);
            blas().gemm(transA, transB, alpha, a, b, beta, c.a);
            const what = `gemm ${transA}${transB} ${m} × ${n} × ${k}, α = ${alpha}, β = ${beta}`;
            expectEntriesWithin(
              c.a,
              combine(alpha, ab, beta, before.a),
              innerProductBound(precision, k, alpha, size, beta, before.a),
              what,
            );
            c.expectGuardsIntact();
          }
        }
      }
    }
  });

  it('gemv_equals_the_sum_of_products', () => {
    const random = new RandomStream(2);
    for (const [m, , n] of [...SHAPES, [0, 0, 3], [150, 0, 1], [1, 0, 150], [140, 0, 121]]) {
      for (const trans of TRANSPOSES) {
        const a = randomView(m, n, precision, random).a;
        const x = randomView(trans === 'N' ? n : m, 1, precision, random).a;
        const product1 = product(op(trans, a), x);
        const size = product(absolute(op(trans, a)), absolute(x));
        for (const [alpha, beta] of SCALARS) {
          const before = randomView(trans === 'N' ? m : n, 1, precision, random);
          const y = duplicate(before.a, precision);
          if (beta === 0) poison(y.a);
          blas().gemv(trans, alpha, a, x, beta, y.a);
          expectEntriesWithin(
            y.a,
            combine(alpha, product1, beta, before.a),
            innerProductBound(precision, x.rows, alpha, size, beta, before.a),
            `gemv ${trans} ${m} × ${n}, α = ${alpha}, β = ${beta}`,
          );
          y.expectGuardsIntact();
        }
      }
    }
  });

  it('symm_reads_one_triangle_and_equals_the_full_product', () => {
    const random = new RandomStream(3);
    for (const [m, n] of [
      [0, 2],
      [2, 0],
      [1, 1],
      [3, 5],
      [8, 4],
      [33, 17],
      [65, 66],
      [7, 130],
      [130, 3],
    ]) {
      for (const side of SIDES) {
        for (const uplo of TRIANGLES) {
          const order = side === 'L' ? m : n;
          const a = randomView(order, order, precision, random).a;
          const full = symmetric(uplo, a);
          poisonOpposite(uplo, 'N', a);
          const b = randomView(m, n, precision, random).a;
          const ab = side === 'L' ? product(full, b) : product(b, full);
          const size = side === 'L' ? product(absolute(full), absolute(b)) : product(absolute(b), absolute(full));
          for (const [alpha, beta] of SCALARS) {
            const before = randomView(m, n, precision, random);
            const c = duplicate(before.a, precision);
            if (beta === 0) poison(c.a);
            blas().symm(side, uplo, alpha, a, b, beta, c.a);
            expectEntriesWithin(
              c.a,
              combine(alpha, ab, beta, before.a),
              innerProductBound(precision, order, alpha, size, beta, before.a),
              `symm ${side}${uplo} ${m} × ${n}, α = ${alpha}, β = ${beta}`,
            );
            c.expectGuardsIntact();
          }
        }
      }
    }
  });

  it('symv_reads_one_triangle_and_equals_the_full_product', () => {
    const random = new RandomStream(4);
    for (const n of ORDERS) {
      for (const uplo of TRIANGLES) {
        const a = randomView(n, n, precision, random).a;
        const full = symmetric(uplo, a);
        poisonOpposite(uplo, 'N', a);
        const x = randomView(n, 1, precision, random).a;
        for (const [alpha, beta] of SCALARS) {
          const before = randomView(n, 1, precision, random);
          const y = duplicate(before.a, precision);
          if (beta === 0) poison(y.a);
          blas().symv(uplo, alpha, a, x, beta, y.a);
          const bound = innerProductBound(precision, n, alpha, product(absolute(full), absolute(x)), beta, before.a);
          expectEntriesWithin(
            y.a,
            combine(alpha, product(full, x), beta, before.a),
            bound,
            `symv ${uplo} ${n}, α = ${alpha}, β = ${beta}`,
          );
          y.expectGuardsIntact();
        }
      }
    }
  });

  it('syrk_equals_the_gram_matrix_in_one_triangle_and_leaves_the_other', () => {
    const random = new RandomStream(5);
    for (const [n, , k] of [...SHAPES, [130, 0, 7], [33, 0, 120]]) {
      for (const uplo of TRIANGLES) {
        for (const trans of TRANSPOSES) {
          const a = randomView(trans === 'N' ? n : k, trans === 'N' ? k : n, precision, random).a;
          const left = op(trans, a);
          const gram = product(left, transpose(left));
          const size = product(absolute(left), transpose(absolute(left)));
          for (const [alpha, beta] of SCALARS) {
            const before = randomView(n, n, precision, random);
            const c = duplicate(before.a, precision);
            if (beta === 0)
              for (let j = 0; j < n; j++)
                for (let i = 0; i < n; i++)
                  if (inTriangle(uplo, i, j)) c.a.data[c.a.offset + i + j * c.a.ld] = Number.NaN;
            blas().syrk(uplo, trans, alpha, a, beta, c.a);
            const bound = innerProductBound(precision, k, alpha, size, beta, before.a);
            const expected = generate(n, n, (i, j) =>
              inTriangle(uplo, i, j)
                ? alpha * get(gram, i, j) + (beta === 0 ? 0 : beta * get(before.a, i, j))
                : get(before.a, i, j),
            );
            const allowed = generate(n, n, (i, j) => (inTriangle(uplo, i, j) ? get(bound, i, j) : 0));
            expectEntriesWithin(c.a, expected, allowed, `syrk ${uplo}${trans} ${n} × ${k}, α = ${alpha}, β = ${beta}`);
            c.expectGuardsIntact();
          }
        }
      }
    }
  });
}

/** A triangle with condition number O(1): diagonal in ±[1, 2], the rest N(0, 1)/(4·√order), so that ‖offdiag‖ < 1. */
function wellConditionedTriangle(order: number, precision: Precision, random: RandomStream): Matrix {
  const scale = 1 / (4 * Math.sqrt(Math.max(1, order)));
  return guarded(order, order, precision, (i, j) =>
    i === j ? (random.uniform() < 0.5 ? -1 : 1) * (1 + random.uniform()) : scale * random.normal(),
  ).a;
}

function describeTriangular(precision: Precision, blas: () => Blas): void {
  const shapes = [
    [0, 2],
    [2, 0],
    [1, 1],
    [2, 3],
    [5, 4],
    [8, 8],
    [33, 17],
    [65, 66],
    [4, 130],
    [130, 3],
    [129, 70],
  ];

  it('trmm_equals_the_triangular_product_and_reads_only_its_triangle', () => {
    const random = new RandomStream(6);
    for (const [m, n] of shapes) {
      for (const side of SIDES)
        for (const uplo of TRIANGLES)
          for (const trans of TRANSPOSES)
            for (const diag of DIAGONALS) {
              const order = side === 'L' ? m : n;
              const a = randomView(order, order, precision, random).a;
              const t = op(trans, triangular(uplo, diag, a));
              poisonOpposite(uplo, diag, a);
              const before = randomView(m, n, precision, random).a;
              const result = side === 'L' ? product(t, before) : product(before, t);
              const size =
                side === 'L' ? product(absolute(t), absolute(before)) : product(absolute(before), absolute(t));
              for (const alpha of [1, -0.5, 0]) {
                const b = duplicate(before, precision);
                blas().trmm(side, uplo, trans, diag, alpha, a, b.a);
                expectEntriesWithin(
                  b.a,
                  combine(alpha, result, 0, result),
                  innerProductBound(precision, order, alpha, size, 0, result),
                  `trmm ${side}${uplo}${trans}${diag} ${m} × ${n}, α = ${alpha}`,
                );
                b.expectGuardsIntact();
              }
            }
    }
  });

  it('trsm_has_a_small_residual_and_reads_only_its_triangle', () => {
    const random = new RandomStream(7);
    for (const [m, n] of shapes) {
      for (const side of SIDES)
        for (const uplo of TRIANGLES)
          for (const trans of TRANSPOSES)
            for (const diag of DIAGONALS) {
              const order = side === 'L' ? m : n;
              const a = wellConditionedTriangle(order, precision, random);
              const t = op(trans, triangular(uplo, diag, a));
              poisonOpposite(uplo, diag, a);
              const before = randomView(m, n, precision, random).a;
              for (const alpha of [1, -0.5, 0]) {
                const x = duplicate(before, precision);
                blas().trsm(side, uplo, trans, diag, alpha, a, x.a);
                const tx = side === 'L' ? product(t, x.a) : product(x.a, t);
                // Normwise backward error n·eps; α·B is rounded once more.
                const bound =
                  4 * (order + 2) * epsilonOf(precision) * (norm(t) * norm(x.a) + Math.abs(alpha) * norm(before));
                expectAtMost(
                  distance(tx, combine(alpha, before, 0, before)),
                  bound,
                  `trsm ${side}${uplo}${trans}${diag} ${m} × ${n}, α = ${alpha}: residual`,
                );
                x.expectGuardsIntact();
              }
            }
    }
  });

  it('trsm_undoes_trmm_to_the_condition_number', () => {
    const random = new RandomStream(8);
    const n = 90;
    // Graded diagonal: cond₂ about 10³.
    const a = guarded(n, n, precision, (i, j) =>
      i === j
        ? 10 ** ((-3 * i) / (n - 1))
        : (0.1 * random.normal() * 10 ** ((-3 * Math.max(i, j)) / (n - 1))) / Math.sqrt(n),
    ).a;
    const before = randomView(n, 5, precision, random).a;
    for (const uplo of TRIANGLES) {
      const b = duplicate(before, precision).a;
      blas().trmm('L', uplo, 'N', 'N', 1, a, b);
      blas().trsm('L', uplo, 'N', 'N', 1, a, b);
      expectAtMost(distance(b, before), 10 * n * epsilonOf(precision) * 1e3 * norm(before), `trsm∘trmm, ${uplo}`);
    }
  });
}

function describeMemory(precision: Precision, blas: () => Blas): void {
  it('shared_offset_and_tiny_arrays_give_the_same_bits_as_plain_ones', () => {
    const random = new RandomStream(9);
    for (const n of [1, 2, 3, 40]) {
      const a = randomView(n, n, precision, random).a;
      const b = randomView(n, n, precision, random).a;
      const plain = guarded(n, n, precision).a;
      blas().gemm('N', 'T', 1, a, b, 0, plain);
      const expected = toFloat64(plain);
      // The same views over a SharedArrayBuffer.
      const sharedOf = (x: Matrix): Matrix => {
        const data = floats(x.data.length, precision, true);
        data.set(x.data);
        return { ...x, data };
      };
      const shared = sharedOf(plain);
      blas().gemm('N', 'T', 1, sharedOf(a), sharedOf(b), 0, shared);
      expect(toFloat64(shared).data).toEqual(expected.data);
      // Typed arrays that start in the middle of their buffer.
      const bytes = precision === 'f64' ? 8 : 4;
      const inside = (x: Matrix): Matrix => {
        const buffer = new ArrayBuffer(bytes * (x.data.length + 5));
        const data = precision === 'f64' ? new Float64Array(buffer, 5 * bytes) : new Float32Array(buffer, 5 * bytes);
        data.set(x.data);
        return { ...x, data };
      };
      const moved = inside(plain);
      blas().gemm('N', 'T', 1, inside(a), inside(b), 0, moved);
      expect(toFloat64(moved).data).toEqual(expected.data);
    }
    // Arrays small enough for the engine to keep inside the object itself.
    for (let trial = 0; trial < 200; trial++) {
      const a = matrixOver(floats(1, precision).fill(trial + 1), 1, 1);
      const b = matrixOver(floats(1, precision).fill(2), 1, 1);
      const c = matrixOver(floats(1, precision), 1, 1);
      blas().gemm('N', 'N', 1, a, b, 0, c);
      expect(c.data[0]).toBe(2 * (trial + 1));
    }
  });

  it('fresh_arrays_are_never_mistaken_for_released_ones', () => {
    const a = matrixOver(floats(4, precision).fill(1), 2, 2);
    for (let trial = 0; trial < 300; trial++) {
      const c = zeros(50, 50, precision);
      const b = zeros(50, 50, precision);
      for (let i = 0; i < 50; i++) b.data[51 * i] = trial;
      blas().gemm('N', 'N', 1, b, b, 0, c);
      expect(c.data[51 * 49]).toBe(trial * trial);
      expect(c.data[1]).toBe(0);
    }
    const c = zeros(2, 2, precision);
    blas().gemm('N', 'N', 1, a, a, 0, c);
    expect(Array.from(c.data)).toEqual([2, 2, 2, 2]);
  });

  it('empty_views_may_lie_anywhere', () => {
    const data = floats(4, precision);
    const empty = matrixOver(data, 0, 0, 1000, 1);
    expect(() => blas().gemm('N', 'N', 1, empty, empty, 0, empty)).not.toThrow();
    expect(blas().potrf('L', empty)).toBe(0);
    expect(Array.from(data)).toEqual([0, 0, 0, 0]);
  });
}
