import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { readCifar10 } from '#hmatrix/io/cifar10.js';
import { imageDataSet } from '#hmatrix/network/image-data.js';
import { realData, temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const file = at('data_batch_1.bin');
const PIXELS = 3072;
const RECORD = PIXELS + 1;

/** Records whose bytes follow from their place. */
function records(labels: readonly number[], salt = 0): Uint8Array {
  const bytes = Uint8Array.from({ length: labels.length * RECORD }, (_, k) => (k * 31 + (k >> 7) + salt) & 255);
  labels.forEach((label, i) => {
    bytes[i * RECORD] = label;
  });
  return bytes;
}

async function failure(bytes: Uint8Array): Promise<string> {
  writeFileSync(file, bytes);
  const error: unknown = await readCifar10(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return (error as Error).message;
}

describe('CIFAR-10', () => {
  it('files give labels and bytes, plain and compressed, one after the other, all or the first images', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.boolean(),
        fc.integer({ min: 1, max: 13 }),
        async (batches, compressed, limit) => {
          const files = batches.map((labels, k) => records(labels, k));
          const paths = files.map((_, k) => at(`batch-${k}.bin`));
          files.forEach((bytes, k) => {
            writeFileSync(paths[k], compressed ? gzipSync(bytes) : bytes);
          });
          const labels = batches.flat();
          const pixels = files.flatMap((bytes) => [...bytes].filter((_, k) => k % RECORD > 0));
          const images = await readCifar10(paths);
          expect([images.channels, images.height, images.width, images.classes.length]).toEqual([3, 32, 32, 10]);
          expect(images.labels).toEqual(Int32Array.from(labels));
          expect(images.pixels).toEqual(new Uint8Array(Uint8Array.from(pixels)));
          expect(images.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
          const some = await readCifar10(paths, { limit });
          expect(some.labels).toEqual(Int32Array.from(labels.slice(0, limit)));
          expect([...some.pixels]).toEqual(pixels.slice(0, limit * PIXELS));
        },
      ),
      { numRuns: 8 },
    );
  });

  it('one pixel stands where channel, row and column say', async () => {
    const bytes = new Uint8Array(2 * RECORD);
    // Green of row 5, column 7 of the second image.
    bytes[RECORD + 1 + 1024 + 5 * 32 + 7] = 255;
    writeFileSync(file, bytes);
    const { inputs } = imageDataSet(await readCifar10(file)).batch(1, 1);
    const lit = Array.from(inputs.data.subarray(inputs.offset, inputs.offset + PIXELS)).flatMap((v, k) =>
      v === 0 ? [] : [[k, v]],
    );
    expect(lit).toEqual([[1024 + 5 * 32 + 7, 1]]);
  });

  it('what is cut, foreign or damaged is named, and what it may be', async () => {
    const good = records([1, 2, 3]);
    for (const length of [0, 1, RECORD - 1, RECORD + 2, good.length - 1])
      expect(await failure(good.subarray(0, length))).toMatch(/not whole records of CIFAR-10.*fetch it again/);
    expect(await failure(records([1, 10]))).toMatch(/image 1 \(from 0\) has label 10; .*0 to 9/);
    expect(await failure(new Uint8Array(3074 * 2))).toMatch(/CIFAR-100 has: only CIFAR-10 is read/);
    expect(await failure(Uint8Array.of(0x80, 2, 0x7d))).toMatch(/pickle, of the Python version/);
    const tar = new Uint8Array(1024);
    tar.set(new TextEncoder().encode('ustar'), 257);
    expect(await failure(gzipSync(tar))).toMatch(/tar archive: unpack it/);
    const packed = gzipSync(good);
    expect(await failure(packed.subarray(0, packed.length >> 1))).toMatch(/gzip stream ends too soon/);
    await expect(readCifar10(at('none.bin'))).rejects.toThrow(FileAccessError);
    await expect(readCifar10([])).rejects.toThrow(OptionError);
    await expect(readCifar10([file, 3 as never])).rejects.toThrow(/readCifar10 takes a path.*not 3/);
    await expect(readCifar10(file, { limit: 0 })).rejects.toThrow(OptionError);
  });

  it('an abort ends the reading', async () => {
    writeFileSync(file, gzipSync(records(Array.from({ length: 200 }, () => 1))));
    const controller = new AbortController();
    const reading = readCifar10(file, {
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    await expect(reading).rejects.toThrow(AbortedError);
  });

  const real = realData('cifar-10-batches-bin/test_batch.bin');
  it.skipIf(!real.there)(`the test batch holds a thousand images of each class${real.note}`, async () => {
    const { labels } = await readCifar10(real.path);
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]++;
    expect(counts).toEqual(new Array(10).fill(1000));
  });
});
