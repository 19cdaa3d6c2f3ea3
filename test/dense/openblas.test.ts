/**
 * The system backend: it conforms, and it refuses what is not a BLAS.
 */
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { LibraryError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view } from '#hmatrix/dense/matrix.js';
import { FortranArguments } from '#hmatrix/dense/system/fortran-arguments.js';
import { BlasLibrary } from '#hmatrix/dense/system/library.js';
import type { NativeFunction, NativeType } from '#hmatrix/native/koffi.js';
import { openOpenblas, trySystemLibraries } from '#hmatrix/dense/system/open.js';
import { SystemBlas } from '#hmatrix/dense/system/system-blas.js';
import { describeBlas } from './conformance.js';

/** HMATRIX_BLAS, where it names a library, chooses the one under test; otherwise the first that the search finds. */
const chosen = process.env['HMATRIX_BLAS'];
const library = chosen === '' || chosen === 'portable' ? undefined : chosen;
const missing = ((): string | undefined => {
  try {
    openOpenblas({ library });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
})();

if (missing === undefined) describeBlas('the system library', () => openOpenblas({ library }));
else it.skip(`the system library conforms to the dense contract: ${missing}`, () => undefined);

/** A library whose CBLAS is missing, as that of many distributions' reference BLAS is. */
class WithoutCblas extends BlasLibrary {
  override find(symbol: string, result: NativeType, parameters: readonly NativeType[]): NativeFunction | undefined {
    return symbol.startsWith('cblas_') ? undefined : super.find(symbol, result, parameters);
  }
}

const files =
  missing === undefined
    ? (library?.split(',') ?? trySystemLibraries().find((outcome) => outcome.usable)?.libraries)
    : undefined;
const isFamily = files?.length === 1 && /^\w+$/.test(files[0]);
if (files !== undefined && !isFamily)
  describeBlas(
    'the system library by its Fortran symbols',
    () => new SystemBlas(new WithoutCblas(files), new FortranArguments(), 'Fortran symbols'),
  );
else it.skip('the system library by its Fortran symbols: no library, or a family is named', () => undefined);

const failureOf = (name: string): LibraryError => {
  try {
    openOpenblas({ library: name });
  } catch (error) {
    expect(error).toBeInstanceOf(LibraryError);
    return error as LibraryError;
  }
  return expect.fail(`${name} was accepted`);
};

describe('opening a library by name', () => {
  it('a_library_that_is_not_there_is_named_with_a_remedy', () => {
    const { message } = failureOf('/nowhere/libnothing.so');
    expect(message).toContain('/nowhere/libnothing.so');
    expect(message).toContain('HMATRIX_BLAS=portable');
    expect(message).toContain('apt-get install');
  });

  it.skipIf(process.platform !== 'linux')('a_library_that_is_no_blas_is_told_by_its_missing_symbol', () => {
    const { message } = failureOf('libm.so.6');
    expect(message).toMatch(/"libm\.so\.6" has no symbol "idamax_"/);
    expect(message).toContain('HMATRIX_BLAS=portable');
  });

  it('an_empty_list_is_refused', () => {
    expect(failureOf(' , ').message).toContain('No library is named');
  });
});

describe.skipIf(missing !== undefined)('workers', () => {
  it('several_workers_compute_at_once_on_shared_memory_and_agree_to_the_bit', async () => {
    const n = 96;
    const workers = 3;
    const rounds = 40;
    const random = new RandomStream(41);
    const inputs = sharedFloat64(2 * n * n);
    random.fillNormal(inputs);
    const results = sharedFloat64(workers * n * n);
    const open = new URL('../../dist/src/dense/system/open.js', import.meta.url).href;
    const source = `
      const { workerData } = require('node:worker_threads');
      import(workerData.open).then(({ openOpenblas }) => {
        const { inputs, results, n, index, rounds, library } = workerData;
        const blas = openOpenblas({ library });
        const at = (data, offset) => ({ data, offset, rows: n, cols: n, ld: n });
        const [a, b, c] = [at(inputs, 0), at(inputs, n * n), at(results, index * n * n)];
        for (let round = 0; round < rounds; round++) blas.gemm('N', 'T', 1, a, b, round === 0 ? 0 : 0.5, c);
      });`;
    const blas = openOpenblas({ library });
    const expected = new Float64Array(n * n);
    const run = (index: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const worker = new Worker(source, {
          eval: true,
          workerData: { inputs, results, n, index, rounds, open, library },
        });
        worker.on('error', reject);
        worker.on('exit', (code) => {
          if (code === 0) resolve();
          else reject(new Error(`worker left with ${code}`));
        });
      });
    const running = Array.from({ length: workers }, (_, index) => run(index));
    for (let round = 0; round < rounds; round++)
      blas.gemm(
        'N',
        'T',
        1,
        view(inputs, 0, n, n),
        view(inputs, n * n, n, n),
        round === 0 ? 0 : 0.5,
        view(expected, 0, n, n),
      );
    await Promise.all(running);
    for (let index = 0; index < workers; index++)
      expect(results.subarray(index * n * n, (index + 1) * n * n)).toEqual(expected);
    // The library outlives the workers that had opened it too.
    blas.gemm('N', 'T', 1, view(inputs, 0, n, n), view(inputs, n * n, n, n), 0, view(expected, 0, n, n));
    expect(expected.every(Number.isFinite)).toBe(true);
  });
});
