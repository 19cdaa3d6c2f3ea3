/** What the sampled checks of a source find, and what they let through. */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import {
  AsymmetryError,
  HmatrixError,
  NonFiniteError,
  NotPositiveDefiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { expressionKernel } from '#hmatrix/source/kernels/expression.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { validateSource } from '#hmatrix/source/validate.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';

const blas = openBlas();

/** The source of a function of two indices. */
const sourceOf = (
  size: number,
  f: (i: number, j: number) => number,
  diagonal = (i: number) => f(i, i),
): EntrySource => ({
  size,
  entries(rows, cols, out) {
    cols.forEach((j, b) => {
      rows.forEach((i, a) => {
        out.data[out.offset + a + b * out.ld] = f(i, j);
      });
    });
  },
  diagonal(out) {
    for (let i = 0; i < size; i++) out[i] = diagonal(i);
  },
});

function points(count: number): Points {
  const coordinates = new Float64Array(2 * count);
  new RandomStream(1).fillNormal(coordinates);
  return { dimension: 2, count, coordinates };
}

describe('validateSource', () => {
  it.each([1, 5, 48, 49, 1000])('lets_a_covariance_of_size_%i_pass_and_returns_its_diagonal', (n) => {
    const source = kernelSource(points(n), gaussian(1), { blas, ridge: 0.5 });
    expect(validateSource(source, 1)).toEqual(new Float64Array(n).fill(1.5));
  });

  it('lets_zero_rows_and_tiny_scales_pass', () => {
    const value = (i: number, j: number): number => (i === j && i % 3 > 0 ? 1e-300 * (i + 1) : 0);
    expect(() => validateSource(sourceOf(30, value), 1)).not.toThrow();
    expect(() =>
      validateSource(
        sourceOf(30, () => 0),
        1,
      ),
    ).not.toThrow();
  });

  it.each([0, -3, 2.5, Number.NaN])('size_%s_is_refused', (size) => {
    expect(() =>
      validateSource(
        sourceOf(size, () => 1),
        1,
      ),
    ).toThrow(ShapeError);
  });

  it('points_of_another_number_are_refused', () => {
    expect(() => validateSource({ ...sourceOf(10, () => 1), points: points(9) }, 1)).toThrow(ShapeError);
  });

  it('non_finite_entries_and_diagonals_are_found', () => {
    expect(() =>
      validateSource(
        sourceOf(20, (i, j) => (i === 3 && j === 4 ? Number.NaN : 1)),
        1,
      ),
    ).toThrow(NonFiniteError);
    expect(() =>
      validateSource(
        sourceOf(
          20,
          () => 1,
          (i) => (i === 11 ? Number.POSITIVE_INFINITY : 1),
        ),
        1,
      ),
    ).toThrow('Diagonal entry 11');
  });

  it('asymmetry_is_found', () => {
    expect(() =>
      validateSource(
        sourceOf(100, (i, j) => (i === j ? 200 : i / 100)),
        1,
      ),
    ).toThrow(AsymmetryError);
  });

  it('a_negative_diagonal_is_found_wherever_it_is', () => {
    expect(() =>
      validateSource(
        sourceOf(5000, (i, j) => (i !== j ? 0 : i === 4321 ? -1 : 1)),
        1,
      ),
    ).toThrow(NotPositiveDefiniteError);
  });

  it('an_entry_beyond_its_diagonals_is_found', async () => {
    // √(1 + r²) grows with r: no covariance.
    const source = kernelSource(points(200), await expressionKernel('sqrt(1 + r^2)'), { blas });
    expect(() => validateSource(source, 1)).toThrow(NotPositiveDefiniteError);
  });

  it('a_diagonal_that_contradicts_the_entries_is_found', () => {
    const source = sourceOf(
      20,
      (i, j) => (i === j ? 1 : 0),
      () => 2,
    );
    expect(() => validateSource(source, 1)).toThrow(HmatrixError);
    expect(() => validateSource(source, 1)).toThrow('contradicts itself');
  });
});

describe('openSource', () => {
  it('names_the_factory_that_is_missing', () => {
    expect(() => openSource({ module: 'file:///m.js', name: 'nothing', data: 0 }, () => ({}), { blas })).toThrow(
      OptionError,
    );
    expect(() => openSource({ module: 'file:///m.js', name: 'nothing', data: 0 }, () => ({}), { blas })).toThrow(
      'nothing',
    );
  });
});
