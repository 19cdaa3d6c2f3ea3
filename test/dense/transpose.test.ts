import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { get, matrixOver, zeros } from '#hmatrix/dense/matrix.js';
import { transpose } from '#hmatrix/dense/transpose.js';
import { randomMatrix } from '../support.js';

describe('transpose', () => {
  it('is_a_copy_with_rows_and_columns_exchanged', () => {
    for (const [rows, cols] of [
      [1, 1],
      [3, 70],
      [33, 64],
      [0, 5],
    ]) {
      const { data } = randomMatrix(rows + 2, cols, 1);
      const a = { data, offset: 1, rows, cols, ld: rows + 2 };
      const b = transpose(a);
      expect([b.rows, b.cols, b.ld]).toEqual([cols, rows, cols]);
      for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) expect(get(b, j, i)).toBe(get(a, i, j));
    }
  });

  it('keeps_the_precision_and_takes_numbers_of_any_array', () => {
    expect(transpose(zeros(2, 3, 'f32')).data).toBeInstanceOf(Float32Array);
    expect(transpose(matrixOver([1, 2, 3, 4], 2, 2)).data).toEqual(Float64Array.of(1, 3, 2, 4));
    expect(() => transpose(3 as never)).toThrow(ShapeError);
  });
});
