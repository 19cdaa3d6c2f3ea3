/**
 * Arrays in large pages: the same arrays, and what the system was asked for.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sharedFloat64, sharedInt32 } from '#hmatrix/core/shared-array.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { inLargePages } from '#hmatrix/dense/large-pages.js';

/** Bytes of the process's mappings that large pages were asked for. */
function advised(): number {
  let bytes = 0;
  let size = 0;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const [, kilobytes] = /^Size:\s+(\d+) kB/.exec(line) ?? [];
    if (kilobytes !== undefined) size = 1024 * Number(kilobytes);
    if (/^VmFlags:.* hg\b/.test(line)) bytes += size;
  }
  return bytes;
}

describe('inLargePages', () => {
  it('returns_the_array_as_it_is', () => {
    for (const array of [sharedFloat64(10), sharedFloat64(2 ** 21), sharedInt32(2 ** 22), new Float64Array(2 ** 21)]) {
      array[7] = 3;
      expect(inLargePages(array)).toBe(array);
      expect(array[7]).toBe(3);
      expect(array.every((value, i) => value === (i === 7 ? 3 : 0))).toBe(true);
    }
  });

  it.runIf(process.platform === 'linux' && openBlas().description !== openBlas('portable').description)(
    'asks_the_system_for_them_where_arrays_are_large',
    () => {
      const before = advised();
      const small = inLargePages(sharedFloat64(2 ** 16));
      expect(advised()).toBe(before);
      const large = inLargePages(sharedFloat64(2 ** 23));
      expect(advised() - before).toBeGreaterThan(8 * 2 ** 23 - 2 ** 18);
      expect(small.length + large.length).toBe(2 ** 16 + 2 ** 23);
    },
  );
});
