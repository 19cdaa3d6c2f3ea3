/** .npz files: what NumPy and others write, and what is written here. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { writeNpy, type NpySource } from '#hmatrix/io/npy.js';
import { readNpz, readNpzNames, writeNpz } from '#hmatrix/io/npz.js';
import { numpyDeflated, numpyStored, savedArrays } from './array-fixtures.js';
import { temporaryFolder } from './temporary-folder.js';
import { zipBytes, type Member } from './zip-bytes.js';

const folder = temporaryFolder();
const file = join(folder, 'a.npz');

const one = join(folder, 'one.npy');
await writeNpy(one, { shape: [3], data: Float64Array.of(1, -0, 2.5) });
const npy = new Uint8Array(readFileSync(one));
const good: Member = { name: 'x.npy', bytes: npy };

describe('reading .npz', () => {
  it.each([
    ['stored', numpyStored],
    ['deflated', numpyDeflated],
  ])('what NumPy wrote, %s, comes back to the bit', async (_, bytes) => {
    writeFileSync(file, bytes);
    expect(await readNpzNames(file)).toEqual(Object.keys(savedArrays));
    const arrays = await readNpz(file);
    expect(Object.fromEntries(arrays)).toEqual(savedArrays);
    for (const { data } of arrays.values()) expect(data.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('only the arrays asked for, in the order of the file', async () => {
    writeFileSync(file, numpyDeflated);
    expect([...(await readNpz(file, { names: ['c.d', 'a'] })).keys()]).toEqual(['a', 'c.d']);
    await expect(readNpz(file, { names: ['z'] })).rejects.toThrow(OptionError);
    await expect(readNpz(file, { names: ['z'] })).rejects.toThrow(/no array "z"; there are "a", "net\/b", "c.d"/);
  });

  it('ZIP64 records, sizes behind the bytes, comments, other members', async () => {
    for (const bytes of [
      zipBytes([good], { wide: true }),
      zipBytes([{ ...good, method: 8 }], { wide: true }),
      zipBytes([good], { comment: 'PK\x05\x06 and more' }),
      ...[true, false].flatMap((signed) =>
        [true, false].map((isWide) => zipBytes([{ ...good, follow: { signed, wide: isWide } }])),
      ),
      zipBytes([{ name: 'folder/', bytes: new Uint8Array(0) }, good, { name: 'README', bytes: Buffer.from('notes') }]),
    ]) {
      writeFileSync(file, bytes);
      expect([...(await readNpz(file)).entries()]).toEqual([
        ['x', { shape: [3], fortranOrder: false, data: Float64Array.of(1, -0, 2.5) }],
      ]);
    }
    writeFileSync(file, zipBytes([]));
    expect((await readNpz(file)).size).toBe(0);
  });
});

describe('writing .npz', () => {
  const name = fc.string({
    minLength: 1,
    maxLength: 12,
    unit: fc.constantFrom('a', 'B', '0', '.', '/', '_', 'é', '漢', '😀'),
  });
  const array: fc.Arbitrary<NpySource> = fc
    .tuple(
      fc.oneof(
        fc.float64Array({ maxLength: 30 }),
        fc.float32Array({ maxLength: 30 }),
        fc.int32Array({ maxLength: 30 }),
        fc.uint8Array({ maxLength: 30 }),
      ),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([data, fortranOrder, flat]) => ({
      data,
      fortranOrder,
      shape: flat ? [data.length] : data.length % 3 === 0 ? [3, data.length / 3] : [data.length, 1],
    }));

  it('what is written is read back, to the bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, array, { maxKeys: 5 }), async (arrays) => {
        await writeNpz(file, new Map(Object.entries(arrays)));
        const back = await readNpz(file);
        expect([...back.keys()]).toEqual(Object.keys(arrays));
        for (const [key, { shape, fortranOrder, data }] of back) {
          const given = arrays[key];
          expect([shape, fortranOrder]).toEqual([given.shape, given.fortranOrder]);
          expect(data).toEqual(given.data instanceof Float32Array ? given.data : Float64Array.from(given.data));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('members of many pieces, over shared memory; equal arrays make equal files', async () => {
    const data = new Float64Array(new SharedArrayBuffer(8 * 700_001));
    for (let k = 0; k < data.length; k++) data[k] = k % 1000;
    const arrays = new Map([
      ['big', { shape: [data.length], data }],
      ['small', { shape: [1], data: Float32Array.of(1) }],
    ]);
    const seen: number[] = [];
    await writeNpz(file, arrays, { onProgress: ({ done, total }) => seen.push(done / total) });
    expect(seen.at(-1)).toBe(1);
    const first = readFileSync(file);
    const back = (await readNpz(file)).get('big')!.data;
    expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(data.buffer))).toBe(0);
    await writeNpz(file, arrays);
    expect(Buffer.compare(first, readFileSync(file))).toBe(0);
    expect(first.indexOf(Buffer.from(data.buffer, 0, 8000)) % 64).toBe(0);
  });

  it('what cannot be written is refused, and leaves what was there', async () => {
    writeFileSync(file, numpyStored);
    await expect(writeNpz(file, new Map([['a', { shape: [2], data: new Float64Array(3) }]]))).rejects.toThrow(
      ShapeError,
    );
    await expect(writeNpz(file, new Map([['a', { shape: [2], data: new Float64Array(3) }]]))).rejects.toThrow(
      /array "a"/,
    );
    await expect(writeNpz(file, new Map([['', { shape: [1], data: new Float64Array(1) }]]))).rejects.toThrow(
      OptionError,
    );
    const controller = new AbortController();
    const writing = writeNpz(file, new Map([['a', { shape: [1_000_000], data: new Float64Array(1_000_000) }]]), {
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    await expect(writing).rejects.toThrow(AbortedError);
    expect(Uint8Array.from(readFileSync(file))).toEqual(numpyStored);
    await expect(writeNpz(join(folder, 'none', 'a.npz'), new Map())).rejects.toThrow(FileAccessError);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
