/** Memory that cannot be had is a MemoryError, wherever shared arrays are made. */
import { describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import {
  allocateShared,
  asMemoryError,
  requireBytes,
  sharedFloat32,
  sharedFloat64,
  sharedInt32,
} from '#hmatrix/core/shared-array.js';
import { throughWorker } from './through-worker.js';

/** Beyond every address space. */
const TOO_MANY = 2 ** 52;

const thrown = (make: () => unknown): unknown => {
  try {
    return make();
  } catch (error) {
    return error;
  }
};

describe('memory that cannot be had', () => {
  it.each([
    ['bytes', allocateShared],
    ['float64', sharedFloat64],
    ['float32', sharedFloat32],
    ['int32', sharedInt32],
  ] as const)('shared %s: a MemoryError that says how much', (_, make) => {
    const error = thrown(() => make(TOO_MANY));
    expect(error).toBeInstanceOf(MemoryError);
    expect((error as MemoryError).message).toMatch(/needs \S+ GB of memory in one piece/);
  });

  it('what the engine throws for arrays of its own is one too, also from a worker; other errors stay', () => {
    for (const make of [
      () => new Float64Array(TOO_MANY),
      () => new ArrayBuffer(TOO_MANY),
      () => new SharedArrayBuffer(TOO_MANY),
    ]) {
      const raw = thrown(make);
      if (!(raw instanceof Error)) continue;
      expect(asMemoryError(raw), String(raw)).toBeInstanceOf(MemoryError);
      expect(throughWorker(raw, 1)).toBeInstanceOf(MemoryError);
    }
    for (const other of [
      new RangeError('Maximum call stack size exceeded'),
      new RangeError('Invalid typed array length: -1'),
      new Error('Array buffer allocation failed'),
      undefined,
      'text',
    ])
      expect(asMemoryError(other)).toBe(other);
  });

  it('is refused beforehand where the need is known', () => {
    expect(() => {
      requireBytes(100, 100, 'This');
    }).not.toThrow();
    expect(() => {
      requireBytes(2e9, 1e6, 'This');
    }).toThrow(/^This needs 2\.00 GB of memory, and 1\.00 MB are available\.$/);
  });
});
