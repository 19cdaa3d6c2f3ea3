import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError } from '#hmatrix/core/errors.js';
import { readIdx } from '#hmatrix/io/idx.js';
import { readPoints } from '#hmatrix/io/points.js';
import { idxBytes } from './idx-bytes.js';
import { realData, temporaryFolder } from './temporary-folder.js';

const file = join(temporaryFolder(), 'images');
const images = realData('mnist/t10k-images-idx3-ubyte.gz');
const labels = realData('mnist/t10k-labels-idx1-ubyte.gz');

async function failure(bytes: Uint8Array): Promise<FileFormatError> {
  writeFileSync(file, bytes);
  const error: unknown = await readIdx(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return error as FileFormatError;
}

describe('reading IDX', () => {
  it('bytes of any shape, plain and compressed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        async (shape, compressed, stream) => {
          const payload = Uint8Array.from(
            { length: shape.reduce((p, n) => p * n, 1) },
            () => stream.next().value as number,
          );
          const bytes = idxBytes(8, shape, payload);
          writeFileSync(file, compressed ? gzipSync(bytes) : bytes);
          const array = await readIdx(file);
          expect(array.shape).toEqual(shape);
          expect(array.data).toBeInstanceOf(Uint8Array);
          expect(array.data.buffer).toBeInstanceOf(SharedArrayBuffer);
          expect(Array.from(array.data)).toEqual(Array.from(payload));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    [0x09, Int8Array, [-128, 127, -1]],
    [0x0b, Int16Array, [-32768, 258, -2]],
    [0x0c, Int32Array, [-2147483648, 66051, -2]],
    [0x0d, Float32Array, [1.5, -0.25, Infinity]],
    [0x0e, Float64Array, [0.1, -1e300, 5e-324]],
  ] as const)('type %i is big-endian', async (type, constructor, values) => {
    const view = new DataView(new ArrayBuffer(3 * constructor.BYTES_PER_ELEMENT));
    values.forEach((v, k) => {
      const at = k * constructor.BYTES_PER_ELEMENT;
      if (type === 0x09) view.setInt8(at, v);
      else if (type === 0x0b) view.setInt16(at, v);
      else if (type === 0x0c) view.setInt32(at, v);
      else if (type === 0x0d) view.setFloat32(at, v);
      else view.setFloat64(at, v);
    });
    writeFileSync(file, idxBytes(type, [3], new Uint8Array(view.buffer)));
    const { data } = await readIdx(file);
    expect(data).toBeInstanceOf(constructor);
    expect(Array.from(data)).toEqual([...values]);
  });
});

describe('bad IDX files', () => {
  const good = idxBytes(
    8,
    [10, 4, 4],
    new Uint8Array(160).map((_, k) => (k * 37) & 255),
  );

  it('foreign files', async () => {
    expect((await failure(Buffer.from('\x89PNG and so on', 'latin1'))).message).toMatch(
      /does not start as an IDX file.*found 89 50 4e 47/,
    );
    expect((await failure(gzipSync(Buffer.from('a,b\n1,2\n')))).message).toMatch(
      /unpacked, it does not start as an IDX file/,
    );
    expect((await failure(Buffer.from([0, 0, 0x0a, 3, 0, 0, 0, 0]))).message).toMatch(/00 00 0a 03/);
    expect((await failure(Buffer.from([0, 0, 8, 0]))).message).toMatch(/rank of at least 1/);
  });

  it('cut anywhere, plain', async () => {
    for (let length = 0; length < good.length; length += length < 20 ? 1 : 13)
      expect((await failure(good.subarray(0, length))).message).toMatch(
        /IDX file starts with|within its header|cannot hold|ends after/,
      );
  });

  it('cut anywhere, compressed', async () => {
    const packed = gzipSync(good);
    for (let length = 2; length < packed.length; length += 5)
      expect((await failure(packed.subarray(0, length))).message).toMatch(/truncated/);
    expect((await failure(gzipSync(good.subarray(0, 100)))).message).toMatch(
      /ends after 84 bytes of elements.*needs 160/,
    );
    expect((await failure(gzipSync(good.subarray(0, 9)))).message).toMatch(/ends within its header: 9 of 16/);
  });

  it('damaged gzip streams', async () => {
    const packed = gzipSync(good);
    packed[packed.length - 6] ^= 0x10;
    expect((await failure(packed)).message).toMatch(/gzip stream is damaged/);
    expect((await failure(Buffer.concat([gzipSync(good), Buffer.alloc(16, 0x55)]))).message).toMatch(
      /gzip stream is damaged/,
    );
    expect((await failure(Buffer.concat([gzipSync(good), Buffer.alloc(16)]))).message).toMatch(
      /16 bytes follow the end of the gzip stream/,
    );
  });

  it('extra bytes', async () => {
    expect((await failure(Buffer.concat([good, Buffer.from([7])]))).message).toMatch(/more than the 160 bytes/);
    expect((await failure(gzipSync(Buffer.concat([good, Buffer.from([7])])))).message).toMatch(
      /unpacked, it holds more than the 160 bytes/,
    );
  });

  it('absurd sizes are refused before memory is asked for', async () => {
    expect((await failure(idxBytes(0x0e, [0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array(8)))).message).toMatch(
      /cannot hold them/,
    );
    // The product of the others is beyond all numbers, and 0 × ∞ is none.
    for (const at of [0, 100, 199]) {
      const shape = Array.from({ length: 200 }, (_, k) => (k === at ? 0 : 0xffffffff));
      expect((await failure(idxBytes(0x0e, shape, new Uint8Array(1)))).message).toMatch(
        /holds more than the 0 bytes of elements/,
      );
      writeFileSync(file, idxBytes(0x0e, shape, new Uint8Array(0)));
      expect((await readIdx(file)).data).toHaveLength(0);
      await expect(readPoints(file)).rejects.toThrow(FileFormatError);
      await expect(readPoints(file)).rejects.toThrow(/0 points|in 0 dimensions|nothing in it/);
    }
    expect((await failure(gzipSync(idxBytes(0x08, [0xffffffff, 1000], new Uint8Array(8))))).message).toMatch(
      /cannot hold them/,
    );
  });

  it('an abort ends the reading', async () => {
    writeFileSync(file, gzipSync(idxBytes(8, [8_000_000], new Uint8Array(8_000_000))));
    const controller = new AbortController();
    await expect(
      readIdx(file, {
        signal: controller.signal,
        onProgress: () => {
          controller.abort();
        },
      }),
    ).rejects.toThrow(AbortedError);
  });
});

describe('MNIST', () => {
  it.skipIf(!images.there)(`ten thousand images of 28 x 28, mean grey 33.79${images.note}`, async () => {
    const { shape, data } = await readIdx(images.path);
    expect(shape).toEqual([10000, 28, 28]);
    let sum = 0;
    for (const grey of data) sum += grey;
    expect(sum / data.length).toBeCloseTo(33.791, 3);
    // The first test image is a 7, its first inked row is row 7.
    expect(data.subarray(0, 7 * 28).every((grey) => grey === 0)).toBe(true);
    expect(data.subarray(7 * 28, 8 * 28).some((grey) => grey > 0)).toBe(true);
  });

  it.skipIf(!labels.there)(`ten thousand labels, the first of which are known${labels.note}`, async () => {
    const { shape, data } = await readIdx(labels.path);
    expect(shape).toEqual([10000]);
    expect(Array.from(data.subarray(0, 10))).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const counts = new Array<number>(10).fill(0);
    for (const label of data) counts[label]++;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  it.skipIf(!images.there)(`cut in the middle, it is truncated${images.note}`, async () => {
    const bytes = readFileSync(images.path);
    expect((await failure(bytes.subarray(0, bytes.length >> 1))).message).toMatch(/gzip stream ends too soon/);
  });
});
