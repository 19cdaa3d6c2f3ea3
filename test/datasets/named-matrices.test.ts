/**
 * What all test matrices share: scale, symmetry, agreement of entries, diagonal and exact products, and their copies in
 * workers.
 */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { validateSource } from '#hmatrix/source/validate.js';
import { named, namedMatrices } from '#datasets/named.js';
import * as k02 from '#datasets/k02.js';
import * as k13 from '#datasets/k13.js';
import * as k15 from '#datasets/k15.js';
import * as scaledKernel from '#datasets/scaled-kernel.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';

const blas = openBlas();
const eps = Number.EPSILON;
const modules = (url: string): Record<string, unknown> =>
  url.includes('k02')
    ? { ...k02 }
    : url.includes('k13')
      ? { ...k13 }
      : url.includes('k15')
        ? { ...k15 }
        : { ...scaledKernel };

const every = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);
const some = (count: number, size: number, seed: number): Int32Array => {
  const random = new RandomStream(seed);
  return Int32Array.from({ length: count }, () => random.integer(size));
};

function block(source: EntrySource, rows: Int32Array, cols: Int32Array): Matrix {
  const out = zeros(rows.length, cols.length);
  source.entries(rows, cols, out);
  return out;
}

/** K itself, by products with all unit vectors. */
function byOperator(source: EntrySource): Matrix {
  const n = source.size;
  const identity = zeros(n, n);
  for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = 1;
  const out = zeros(n, n);
  source.operator!.applyUnchecked(out, identity, 1, 0);
  return out;
}

const largestDifference = (a: Matrix, b: Matrix): number =>
  (a.data as Float64Array).reduce((worst, value, p) => Math.max(worst, Math.abs(value - b.data[p])), 0);

describe.each(namedMatrices)('%s', (name) => {
  // An even and an odd grid, and one with more columns than a group of 64.
  it.each([16, 49, 144, 225])('entries_diagonal_and_products_agree_at_N_=_%i', (size) => {
    const source = named(name, size, { blas });
    expect(source.size).toBe(size);
    const k = block(source, every(size), every(size));
    // ‖K‖₂ = 1: both ways are backward stable sums of at most N terms; K13's condition number, up to 1e4 for J, enters
    // twice. COV's distances come from sums of 54 squares, by gemm.
    const tolerance = (name === 'K13' ? 1e4 : (name === 'COV' ? 54 : 8) * Math.sqrt(size)) * eps;
    expect(largestDifference(k, byOperator(source))).toBeLessThan(tolerance);
    const diagonal = new Float64Array(size);
    source.diagonal(diagonal);
    for (let i = 0; i < size; i++)
      expect(Math.abs(diagonal[i] - k.data[i * (size + 1)])).toBeLessThan(tolerance * diagonal[i]);
  });

  it('has_norm_one_and_is_positive_definite', () => {
    const size = 196;
    const values = new Float64Array(size);
    expect(blas.syevd(false, 'L', block(named(name, size, { blas }), every(size), every(size)), values)).toBe(0);
    expect(Math.abs(values[size - 1] - 1)).toBeLessThan(name === 'K02' ? 1e-13 : 1e-8);
    expect(values[0]).toBeGreaterThan(0);
  });

  it('a_block_and_its_transpose_are_the_same_bits', () => {
    const source = named(name, 400, { blas });
    for (const [rows, cols] of [
      [some(37, 400, 1), some(53, 400, 2)],
      [some(40, 400, 3), some(40, 400, 3)],
      [every(20), some(9, 400, 4)],
    ]) {
      const k = block(source, rows, cols);
      const t = block(source, cols, rows);
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++) expect(k.data[a + b * rows.length]).toBe(t.data[b + a * cols.length]);
    }
  });

  it('a_worker_copy_from_the_cloned_descriptor_gives_the_same_bits_in_any_order', () => {
    const source = named(name, 225, { blas });
    const descriptor = source.descriptor!;
    const copy = openSource({ ...descriptor, data: structuredClone(descriptor.data) }, modules, { blas });
    const asked = [
      [some(37, 225, 1), some(33, 225, 2)],
      [some(5, 225, 3), some(70, 225, 4)],
    ];
    const first = asked.map(([rows, cols]) => block(source, rows, cols).data);
    const second = asked
      .toReversed()
      .map(([rows, cols]) => block(copy, rows, cols).data)
      .toReversed();
    expect(second).toEqual(first);
    const x = zeros(225, 2);
    new RandomStream(5).fillNormal(x.data);
    // Kernel matrices leave products to the thread that opened them.
    if (copy.operator === undefined) return;
    const [y, z] = [zeros(225, 2), zeros(225, 2)];
    source.operator!.applyUnchecked(y, x, 1, 0);
    copy.operator.applyUnchecked(z, x, 1, 0);
    expect(z.data).toEqual(y.data);
  });

  it('operator_takes_alpha_beta_views_and_many_vectors', () => {
    const size = 100;
    const source = named(name, size, { blas });
    const k = byOperator(source);
    const p = 70;
    const x = view(new Float64Array(7 + (size + 3) * p), 7, size, p, size + 3);
    new RandomStream(6).fillNormal(x.data);
    const out = view(new Float64Array(2 + (size + 1) * p).fill(3), 2, size, p, size + 1);
    source.operator!.applyUnchecked(out, x, 2, -1);
    const exact = zeros(size, p);
    blas.gemm('N', 'N', 2, k, x, 0, exact);
    const tolerance = (name === 'K13' ? 1e4 : 100) * size * eps;
    for (let j = 0; j < p; j++)
      for (let i = 0; i < size; i++)
        expect(Math.abs(out.data[2 + i + j * (size + 1)] - (exact.data[i + j * size] - 3))).toBeLessThan(tolerance);
    // Between the columns, and with β = 0 over what is not a number.
    expect(out.data[2 + size]).toBe(3);
    out.data.fill(Number.NaN);
    source.operator!.applyUnchecked(out, x, 1, 0);
    expect(Number.isFinite(out.data[2 + size - 1])).toBe(true);
  });

  it('passes_the_checks_of_a_source', () => {
    expect(() => validateSource(named(name, 256, { blas }), 1)).not.toThrow();
  });
});

describe('named', () => {
  it('takes_names_in_any_case_and_refuses_others', () => {
    expect(named('k02', 16, { blas }).size).toBe(16);
    expect(() => named('K99', 16, { blas })).toThrow('K02, K13, K15, COV, EXP, MATERN');
  });

  it.each([15, 17, 0, -4, 2.25, Number.NaN, 4097])('size_%s_is_refused_with_the_nearest_squares', (size) => {
    expect(() => named('K02', size, { blas })).toThrow(OptionError);
    expect(() => named('K13', 15, { blas })).toThrow('16 and 25');
    expect(() => named('K02', 4097, { blas })).toThrow('4096 and 4225');
  });

  it.each([0, 2.5, 16_385])('COV_has_no_size_%s', (size) => {
    expect(() => named('COV', size, { blas })).toThrow(OptionError);
  });
});
