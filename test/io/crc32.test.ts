import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, crc32ByTables } from '#hmatrix/io/crc32.js';

describe('CRC-32', () => {
  it('the check value of the standard: 123456789 gives cbf43926', () => {
    const text = new TextEncoder().encode('123456789');
    expect(crc32(text)).toBe(0xcbf43926);
    expect(crc32ByTables(text)).toBe(0xcbf43926);
    expect(crc32ByTables(new Uint8Array(0))).toBe(0);
  });

  it('tables and platform agree; parts chain', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
        const whole = crc32ByTables(bytes);
        expect(crc32(bytes)).toBe(whole);
        expect(crc32ByTables(bytes.subarray(cut), crc32ByTables(bytes.subarray(0, cut)))).toBe(whole);
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(whole);
      }),
    );
  });
});
