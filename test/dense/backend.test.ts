/**
 * The choice of a dense backend: by name without silent fallback, by search otherwise.
 */
import { execFileSync } from 'node:child_process';
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

  it('without_the_native_module_of_koffi_the_portable_backend_is_taken', () => {
    const backend = new URL('../../dist/src/dense/backend.js', import.meta.url).href;
    const program = `
      const { Module } = await import('node:module');
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === 'koffi') throw new Error('no native module');
        return load(name, ...rest);
      };
      const { openBlas } = await import(${JSON.stringify(backend)});
      let failure;
      try { openBlas('openblas'); } catch (error) { failure = error; }
      console.log(JSON.stringify({ kind: openBlas().kind, name: failure.name, message: failure.message }));`;
    const { HMATRIX_BLAS: _chosen, ...env } = process.env;
    const result = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' }),
    ) as { kind: string; name: string; message: string };
    expect(result.kind).toBe('portable');
    expect(result.name).toBe('LibraryError');
    expect(result.message).toContain('koffi');
  });
});
