/**
 * Options with unknown keys, numbers in plain arrays, warnings.
 */
import { describe, expect, it } from 'vitest';
import type { Progress } from '#hmatrix/core/context.js';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { nearestName, requireKnownOptions } from '#hmatrix/core/known-options.js';
import { asFloats } from '#hmatrix/core/numbers.js';
import { warn, WARNING_TYPE } from '#hmatrix/core/warning.js';

interface Some {
  readonly leafSize?: number;
  readonly tolerance?: number;
  readonly maxRank?: number;
}
const keys = { leafSize: 'number', tolerance: 'number', maxRank: 'number' } as const;

describe('requireKnownOptions', () => {
  it('knows_what_other_libraries_call_a_ridge_and_a_shift', () => {
    for (const name of ['ridge', 'shift'])
      for (const given of ['noise', 'lambda', 'sigma2', 'sigma_2', 'alpha'])
        expect(() => requireKnownOptions({ [given]: 1 }, { blas: true, [name]: true } as never, 'f')).toThrow(
          new RegExp(`^f has no option "${given}": did you mean "${name}" \\(`),
        );
    expect(() => requireKnownOptions({ noise: 1 } as object, { blas: true } as never, 'f')).toThrow(
      /there are blas; kernelSource takes a ridge or a nugget, factor and solve take a shift$/,
    );
    expect(() => requireKnownOptions({ alpha: 1 } as object, { alpha: true, ridge: true } as never, 'f')).not.toThrow();
  });

  it('names_the_nearest_right_name', () => {
    for (const [given, right] of [
      ['leafsize', 'leafSize'],
      ['leaf_size', 'leafSize'],
      ['tolerence', 'tolerance'],
      ['tol', undefined],
      ['maxrank', 'maxRank'],
      ['wholly other', undefined],
    ] as const) {
      const refuse = (): Some => requireKnownOptions({ [given]: 1 } as Some, keys, 'compress');
      expect(refuse).toThrow(OptionError);
      expect(refuse).toThrow(
        right === undefined ? 'there are leafSize, tolerance, maxRank' : `did you mean "${right}"?`,
      );
      expect(nearestName(given, Object.keys(keys))).toBe(right);
    }
  });

  it('takes_known_keys_undefined_values_and_nothing_that_is_no_object', () => {
    requireKnownOptions<Some>({}, keys, 'compress');
    requireKnownOptions<Some>({ leafSize: undefined } as never, keys, 'compress');
    for (const wrong of [null, 3, 'fmm', [1], undefined])
      expect(() => {
        requireKnownOptions<Some>(wrong as never, keys, 'compress');
      }).toThrow(/options of compress must be an object/);
    expect(() => {
      requireKnownOptions({ toString: 1 } as Some, keys, 'compress');
    }).toThrow(OptionError);
  });
});

describe('asFloats', () => {
  it('keeps_every_number_of_any_array', () => {
    expect(asFloats([0.1, 0.9, 1.7], 'x')).toEqual(Float64Array.of(0.1, 0.9, 1.7));
    expect(asFloats(Int32Array.of(-1, 2), 'x')).toEqual(Float64Array.of(-1, 2));
    expect(asFloats([], 'x')).toEqual(new Float64Array(0));
    const own = Float32Array.of(0.5);
    expect(asFloats(own, 'x')).toBe(own);
  });

  it('names_what_is_no_number', () => {
    const cases: readonly [unknown, RegExp][] = [
      [[1, '2'], /x\[1\] must be a number, not the text "2"/],
      [[1, null], /x\[1\].*null/],
      [[[1, 2]], /x\[0\].*nested arrays/],
      [[1n], /x\[0\].*bigint/],
      [[undefined], /x\[0\].*undefined/],
      [new Array<number>(1), /x\[0\].*undefined/],
      [3, /x must be an array/],
      [undefined, /x must be an array/],
      ['12', /x must be an array/],
      [{ length: 1 }, /x\[0\].*undefined/],
      [{ size: 1 }, /x must be an array.*an object/],
      [new DataView(new ArrayBuffer(8)), /x must be an array/],
      [BigInt64Array.of(1n), /x\[0\].*bigint/],
    ];
    for (const [given, message] of cases) {
      expect(() => asFloats(given as never, 'x')).toThrow(ShapeError);
      expect(() => asFloats(given as never, 'x')).toThrow(message);
    }
  });
});

describe('warn', () => {
  it('reaches_the_progress_callback_and_the_process', async () => {
    const seen: Progress[] = [];
    const emitted = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve));
    warn('HMATRIX_TEST', 'a rank limit was hit', {
      onProgress: (progress) => {
        seen.push(progress);
      },
    });
    expect(await emitted).toMatchObject({ name: WARNING_TYPE, code: 'HMATRIX_TEST', message: 'a rank limit was hit' });
    expect(seen).toEqual([{ phase: 'warning', done: 0, total: 0, warning: 'a rank limit was hit' }]);
  });
});
