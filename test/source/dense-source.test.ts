/**
 * A stored matrix as a source: it gives back what is stored, refuses what is no symmetric PSD matrix, and travels to
 * workers.
 */
import { describe, expect, it } from 'vitest';
import { Matrix as MlMatrix } from 'ml-matrix';
import { openBlas } from '#hmatrix/dense/backend.js';
import { AsymmetryError, NonFiniteError, NotPositiveDefiniteError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import * as module from '#hmatrix/source/dense-source.js';
import { openSource } from '#hmatrix/source/open-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';

const { denseSource } = module;
const blas = openBlas();

/** A symmetric matrix with a dominant diagonal, column-major. */
function symmetric(n: number, seed = 1): Float64Array {
  const random = new RandomStream(seed);
  const a = new Float64Array(n * n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i <= j; i++) a[i + j * n] = a[j + i * n] = random.normal() + (i === j ? 4 * Math.sqrt(n) : 0);
  return a;
}

const all = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

function denseOf(source: EntrySource, rows = all(source.size), cols = all(source.size)): Float64Array {
  const out = zeros(rows.length, cols.length);
  source.entries(rows, cols, out);
  return out.data as Float64Array;
}

function thrown(f: () => unknown): { data: Record<string, unknown>; message: string } {
  try {
    f();
  } catch (error) {
    return error as { data: Record<string, unknown>; message: string };
  }
  throw new Error('nothing was thrown');
}

describe('dense source', () => {
  it('entries_and_diagonal_are_those_stored', () => {
    const n = 37;
    const a = symmetric(n);
    const source = denseSource(a);
    expect(source.size).toBe(n);
    expect(denseOf(source)).toEqual(a);
    const rows = Int32Array.of(3, 36, 3, 0);
    const cols = Int32Array.of(36, 5);
    const block = denseOf(source, rows, cols);
    cols.forEach((j, b) => {
      rows.forEach((i, c) => {
        expect(block[c + b * 4]).toBe(a[i + j * n]);
      });
    });
    const diagonal = new Float64Array(n);
    source.diagonal(diagonal);
    expect([...diagonal]).toEqual(Array.from({ length: n }, (_, i) => a[i * (n + 1)]));
  });

  it('writes_into_a_view_and_nowhere_else', () => {
    const n = 9;
    const a = symmetric(n);
    const target = new Float64Array(40).fill(-7);
    denseSource(a).entries(Int32Array.of(1, 2), Int32Array.of(4, 5, 6), view(target, 3, 2, 3, 5));
    const written = new Set([3, 4, 8, 9, 13, 14]);
    target.forEach((value, p) => {
      if (!written.has(p)) expect(value).toBe(-7);
    });
    expect(target[9]).toBe(a[2 + 5 * n]);
  });

  it('float32_arrays_views_and_ml_matrices_are_read_as_they_are', () => {
    const n = 12;
    const a = symmetric(n);
    const single = Float32Array.from(a);
    expect(denseOf(denseSource(single))).toEqual(Float64Array.from(single));
    const padded = new Float64Array(5 + (n + 3) * n);
    for (let j = 0; j < n; j++) padded.set(a.subarray(j * n, (j + 1) * n), 5 + j * (n + 3));
    expect(denseOf(denseSource(view(padded, 5, n, n, n + 3)))).toEqual(a);
    const rows = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_x, j) => a[i + j * n]));
    expect(denseOf(denseSource(new MlMatrix(rows)))).toEqual(a);
  });

  it('asymmetry_within_rounding_is_accepted_and_the_source_is_symmetric_to_the_bit', () => {
    const n = 20;
    const a = symmetric(n);
    a[3 + 11 * n] += 1e-12;
    const source = denseSource(a);
    const k = denseOf(source);
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) expect(k[i + j * n]).toBe(k[j + i * n]);
  });

  it('a_worker_copy_from_the_cloned_descriptor_gives_the_same_entries_over_the_same_memory', () => {
    const n = 15;
    for (const a of [symmetric(n), Float32Array.from(symmetric(n))]) {
      const source = denseSource(a);
      const descriptor = source.descriptor!;
      const data = descriptor.data as { matrix: { data: Float64Array } };
      expect(data.matrix.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect((source.descriptor!.data as typeof data).matrix.data).toBe(data.matrix.data);
      const copy = openSource({ ...descriptor, data: structuredClone(descriptor.data) }, () => ({ ...module }), {
        blas,
      });
      expect(denseOf(copy)).toEqual(denseOf(source));
    }
  });

  it('shared_input_is_not_copied', () => {
    const n = 6;
    const a = new Float64Array(new SharedArrayBuffer(8 * n * n));
    a.set(symmetric(n));
    expect((denseSource(a).descriptor!.data as { matrix: { data: Float64Array } }).matrix.data).toBe(a);
  });

  it('operator_multiplies_by_the_stored_matrix', () => {
    const n = 24;
    const a = symmetric(n);
    const x = zeros(n, 3);
    new RandomStream(4).fillNormal(x.data);
    const out = zeros(n, 3);
    out.data.fill(1);
    denseSource(a, { blas }).operator!.applyUnchecked(out, x, 2, -3);
    for (let k = 0; k < 3; k++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        let size = 3;
        for (let j = 0; j < n; j++) {
          sum += a[i + j * n] * x.data[j + k * n];
          size += 2 * Math.abs(a[i + j * n] * x.data[j + k * n]);
        }
        expect(Math.abs(out.data[i + k * n] - (2 * sum - 3))).toBeLessThan(2 * n * Number.EPSILON * size);
      }
    }
  });

  it('what_is_not_square_is_refused', () => {
    expect(() => denseSource(new Float64Array(10))).toThrow(ShapeError);
    expect(() => denseSource(new Float64Array(0))).toThrow(ShapeError);
    expect(() => denseSource(zeros(3, 4))).toThrow(ShapeError);
    expect(() => denseSource({ data: new Float64Array(8), offset: 0, rows: 3, cols: 3, ld: 3 })).toThrow(ShapeError);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'a_non_finite_entry_(%s)_is_found_and_named',
    (bad) => {
      const n = 30;
      const a = symmetric(n);
      a[17 + 4 * n] = bad;
      expect(() => denseSource(a)).toThrow(NonFiniteError);
      expect(thrown(() => denseSource(a)).data).toMatchObject({ row: 17, column: 4, value: bad });
    },
  );

  it('asymmetry_is_found_and_named', () => {
    const n = 30;
    const a = symmetric(n);
    a[17 + 4 * n] += 1e-3;
    expect(() => denseSource(a)).toThrow(AsymmetryError);
    const { data, message } = thrown(() => denseSource(a));
    expect(data).toMatchObject({ row: 17, column: 4, value: a[17 + 4 * n], transposed: a[4 + 17 * n] });
    expect(message).toContain('(17, 4)');
  });

  it('one_bad_pair_anywhere_in_a_large_matrix_is_found_and_named', () => {
    // In the first and last tile, on either side of a tile's edge, in both triangles and precisions.
    const n = 1100;
    const base = symmetric(n);
    for (let i = 0; i < n; i++) base[i * (n + 1)] = 10;
    for (const [i, j] of [
      [1, 0],
      [n - 1, n - 2],
      [64, 63],
      [700, 3],
    ]) {
      for (const a of [base.slice(), Float32Array.from(base)]) {
        for (const [row, column] of [
          [i, j],
          [j, i],
        ]) {
          const before = a[row + column * n];
          a[row + column * n] = before + 1e-2;
          expect(() => denseSource(a)).toThrow(AsymmetryError);
          expect(thrown(() => denseSource(a)).data).toMatchObject({
            row: i,
            column: j,
            value: a[i + j * n],
            transposed: a[j + i * n],
          });
          a[row + column * n] = Number.NaN;
          expect(() => denseSource(a)).toThrow(NonFiniteError);
          expect(thrown(() => denseSource(a)).data).toMatchObject({ row, column });
          a[row + column * n] = before;
        }
        const before = a[i + j * n];
        a[i + j * n] = a[j + i * n] = 10.001;
        expect(() => denseSource(a)).toThrow(NotPositiveDefiniteError);
        expect(thrown(() => denseSource(a)).data).toMatchObject({ row: i, column: j, value: a[i + j * n] });
        a[i + j * n] = a[j + i * n] = before;
      }
    }
    expect(denseSource(base).size).toBe(n);
  });

  it('an_entry_as_large_as_its_diagonal_allows_is_no_error_and_a_pair_of_infinities_is', () => {
    const n = 9;
    const ones = new Float64Array(n * n).fill(1);
    expect(denseOf(denseSource(ones))).toEqual(ones);
    ones[3 + 7 * n] = ones[7 + 3 * n] = Number.POSITIVE_INFINITY;
    expect(thrown(() => denseSource(ones)).data).toMatchObject({ row: 7, column: 3, value: Number.POSITIVE_INFINITY });
  });

  it('a_negative_diagonal_is_found_and_named', () => {
    const n = 8;
    const a = symmetric(n);
    a[5 * (n + 1)] = -1e-3;
    expect(() => denseSource(a)).toThrow(NotPositiveDefiniteError);
    expect(thrown(() => denseSource(a)).data).toMatchObject({ row: 5, value: -1e-3 });
  });

  it('a_zero_row_is_no_error', () => {
    const n = 5;
    const a = symmetric(n);
    for (let i = 0; i < n; i++) a[i + 2 * n] = a[2 + i * n] = 0;
    expect(denseOf(denseSource(a))).toEqual(a);
  });
});
