/**
 * The choice of a dense backend: by name without silent fallback, by search otherwise.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LibraryError } from '#hmatrix/core/errors.js';
import { describeSearch, openBlas } from '#hmatrix/dense/backend.js';

describe('choice of a backend', () => {
  const before = process.env['HMATRIX_BLAS'];
  beforeEach(() => {
    delete process.env['HMATRIX_BLAS'];
  });
  afterEach(() => {
    if (before === undefined) delete process.env['HMATRIX_BLAS'];
    else process.env['HMATRIX_BLAS'] = before;
  });

  it('portable_is_always_there', () => {
    expect(openBlas('portable').kind).toBe('portable');
    process.env['HMATRIX_BLAS'] = 'portable';
    expect(openBlas().kind).toBe('portable');
  });

  it('a_named_library_is_never_replaced_silently', () => {
    expect(() => openBlas('/nowhere/libnothing.so')).toThrow(LibraryError);
    process.env['HMATRIX_BLAS'] = '/nowhere/libnothing.so';
    expect(() => openBlas()).toThrow(/nowhere/);
  });

  it('without_a_choice_the_first_usable_library_is_taken_else_portable', () => {
    const outcomes = describeSearch();
    expect(outcomes.length).toBeGreaterThan(0);
    for (const outcome of outcomes) expect(outcome.usable ? outcome.description : outcome.reason).toBeTruthy();
    const first = outcomes.find((outcome) => outcome.usable);
    for (const choice of [undefined, '']) {
      const blas = openBlas(choice);
      expect(blas.kind).toBe(first === undefined ? 'portable' : 'openblas');
      if (first !== undefined) expect(blas.description).toBe(first.description);
    }
  });
});
