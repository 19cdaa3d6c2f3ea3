/**
 * Substitution by products gives what trsm gives.
 */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, copyInto, view, zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { substituteLeft, substituteRight, SUBSTITUTION_SCRATCH } from '#hmatrix/dense/substitution.js';
import { randomMatrix, relativeError } from '../support.js';

const blas = openBlas();

/** A well-conditioned triangle of order n inside a larger array, with NaN above the diagonal. */
function triangle(n: number, precision: Precision): Matrix {
  const l = view(zeros(n + 5, n + 1, precision).data, 2, n, n, n + 3);
  const random = randomMatrix(n, n, 1);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++)
      l.data[l.offset + i + j * l.ld] =
        i < j ? Number.NaN : i === j ? 4 + random.data[i + j * n] ** 2 : random.data[i + j * n] / Math.sqrt(n);
  return l;
}

/** In a larger array of that precision. */
function vectors(rows: number, cols: number, precision: Precision): Matrix {
  const x = view(zeros(rows + 2, cols + 1, precision).data, 1, rows, cols, rows + 1);
  copyInto(x, randomMatrix(rows, cols, 2));
  return x;
}

const copyOf = (a: Matrix, precision: Precision): Matrix => {
  const out = zeros(a.rows, a.cols, precision);
  copyInto(out, a);
  return out;
};

describe.each(['f64', 'f32'] as const)('substitution in %s', (precision) => {
  const rounding = precision === 'f64' ? 1e-14 : 1e-5;

  it('agrees_with_trsm_for_every_order_and_number_of_right_hand_sides', () => {
    for (const n of [1, 2, 31, 32, 33, 64, 65, 100, 129, 200]) {
      const l = triangle(n, precision);
      for (const p of [1, 2, 31, 32, 33, 70]) {
        for (const trans of ['N', 'T'] as const) {
          const x = vectors(p, n, precision);
          const expected = copyOf(x, precision);
          blas.trsm('R', 'L', trans, 'N', 1, l, expected);
          substituteRight(blas, trans, l, x);
          expect(relativeError(x, expected)).toBeLessThan(rounding);
        }
        const x = vectors(n, p, precision);
        const expected = copyOf(x, precision);
        blas.trsm('L', 'L', 'N', 'N', 1, l, expected);
        substituteLeft(
          blas,
          l,
          x,
          precision === 'f64' ? new Float64Array(SUBSTITUTION_SCRATCH) : new Float32Array(SUBSTITUTION_SCRATCH),
        );
        expect(relativeError(x, expected)).toBeLessThan(rounding);
      }
    }
  });

  it('writes_nothing_outside_its_views', () => {
    const l = triangle(100, precision);
    const around = zeros(104, 42, precision);
    around.data.fill(7);
    const x = block(around, 2, 1, 100, 40);
    for (let j = 0; j < 40; j++) for (let i = 0; i < 100; i++) x.data[x.offset + i + j * x.ld] = 1;
    substituteLeft(
      blas,
      l,
      x,
      precision === 'f64' ? new Float64Array(SUBSTITUTION_SCRATCH) : new Float32Array(SUBSTITUTION_SCRATCH),
    );
    for (let j = 0; j < 42; j++)
      for (let i = 0; i < 104; i++) if (i < 2 || i >= 102 || j < 1 || j >= 41) expect(around.data[i + 104 * j]).toBe(7);
  });
});
