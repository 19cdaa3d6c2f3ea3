import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileAccessError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { readLabels } from '#hmatrix/io/labels.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { readSamples } from '#hmatrix/io/points.js';
import { idxBytes } from './idx-bytes.js';
import { realData, temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const file = at('labels');
const images = realData('mnist/t10k-images-idx3-ubyte.gz');
const labels = realData('mnist/t10k-labels-idx1-ubyte.gz');

async function failure(bytes: Uint8Array): Promise<string> {
  writeFileSync(file, bytes);
  const error: unknown = await readLabels(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return (error as Error).message;
}

describe('labels', () => {
  it('plain and compressed, all or the first of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 50 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 60 }),
        async (values, compressed, limit) => {
          const bytes = idxBytes(8, [values.length], values);
          writeFileSync(file, compressed ? gzipSync(bytes) : bytes);
          expect(await readLabels(file)).toEqual(Int32Array.from(values));
          expect(await readLabels(file, { limit })).toEqual(Int32Array.from(values).slice(0, limit));
        },
      ),
      { numRuns: 30 },
    );
    await expect(readLabels(file, { limit: 0 })).rejects.toThrow(OptionError);
  });

  it('wider whole numbers', async () => {
    writeFileSync(file, idxBytes(0x0c, [2], Uint8Array.of(0, 0, 1, 2, 0, 0, 0, 9)));
    expect(await readLabels(file)).toEqual(Int32Array.of(258, 9));
  });

  it("QMNIST's: of eight 32-bit columns the first is the class", async () => {
    const table = Int32Array.from({ length: 24 }, (_, k) => (k % 8 === 0 ? 9 - k / 8 : 1000 + k));
    const payload = Buffer.alloc(96);
    table.forEach((value, k) => payload.writeInt32BE(value, 4 * k));
    for (const bytes of [idxBytes(0x0c, [3, 8], payload), gzipSync(idxBytes(0x0c, [3, 8], payload))]) {
      writeFileSync(file, bytes);
      expect(await readLabels(file)).toEqual(Int32Array.of(9, 8, 7));
      expect(await readLabels(file, { limit: 2 })).toEqual(Int32Array.of(9, 8));
    }
    expect(await failure(idxBytes(0x0c, [6, 4], payload))).toMatch(
      /holds 6 rows of 4 numbers, not labels.*QMNIST are read, eight 32-bit numbers a row/,
    );
    expect(await failure(idxBytes(8, [12, 8], payload))).toMatch(/holds 12 rows of 8 numbers, not labels/);
    expect(await failure(idxBytes(0x0c, [3, 8, 1], payload))).toMatch(/holds 3 arrays of 8 × 1/);
  });

  it('what is not a file of labels', async () => {
    expect(await failure(idxBytes(8, [2, 3, 4], new Uint8Array(24)))).toMatch(
      /holds 2 arrays of 3 × 4 \(images\?\), not labels.*idx1.*00 00 08 01/,
    );
    expect(await failure(gzipSync(idxBytes(8, [2, 3], new Uint8Array(6))))).toMatch(/not labels/);
    expect(await failure(idxBytes(0x0d, [1], Uint8Array.of(0x3f, 0x80, 0, 0)))).toMatch(/real numbers/);
    expect(await failure(idxBytes(9, [3], Uint8Array.of(1, 2, 0xff)))).toMatch(/label 2 \(from 0\) is -1/);
    expect(await failure(Buffer.from([0, 0, 8, 0]))).toMatch(/does not start as an IDX file/);
    expect(await failure(Buffer.from('5,0,4,1\n'))).toMatch(/does not start as an IDX file.*labels with 00 00 08 01/);
    await expect(readLabels(join(folder, 'none'))).rejects.toThrow(FileAccessError);
  });

  it('cut anywhere, plain and compressed', async () => {
    const whole = idxBytes(
      8,
      [12],
      Uint8Array.from({ length: 12 }, (_, k) => k % 10),
    );
    for (const bytes of [whole, gzipSync(whole)])
      for (let length = 0; length < bytes.length; length++) await failure(bytes.subarray(0, length));
    expect(await failure(gzipSync(whole).subarray(0, 20))).toMatch(/gzip stream ends too soon: the file is truncated/);
  });

  it.skipIf(!labels.there)(`of MNIST${labels.note}`, async () => {
    const read = await readLabels(labels.path);
    expect(read).toHaveLength(10000);
    expect(Array.from(read.subarray(0, 10))).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    expect(await failure(readFileSync(labels.path).subarray(0, 2000))).toMatch(/truncated/);
  });

  it.skipIf(!images.there)(`MNIST's images are no labels${images.note}`, async () => {
    await expect(readLabels(images.path)).rejects.toThrow(/holds 10000 arrays of 28 × 28 \(images\?\), not labels/);
  });

  it('of_other_files_are_told_how_they_are_read', async () => {
    await writeNpy(at('labels.npy'), { shape: [3], data: Int32Array.of(2, 0, 1) });
    await expect(readLabels(at('labels.npy'))).rejects.toThrow(
      /an \.npy file.*IDX.*\(await readSamples\(path\)\)\.data/,
    );
    expect(Array.from((await readSamples(at('labels.npy'))).data)).toEqual([2, 0, 1]);
    writeFileSync(at('labels.csv'), 'x,label\n1,2\n1,0\n');
    await expect(readLabels(at('labels.csv'))).rejects.toThrow(/a table \(\.csv\).*columns: \['label'\]/);
    await expect(readLabels(at('missing.npy'))).rejects.toThrow(FileAccessError);
  });
});
