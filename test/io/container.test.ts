import { readFileSync, readdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { readContainer, readContainerHeader, writeContainer, type JsonObject } from '#hmatrix/io/container.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { temporaryFolder } from './temporary-folder.js';

const root = temporaryFolder();
const file = join(root, 'a.hm');

const arrayOfAnyType = fc.oneof(
  fc.float64Array({ maxLength: 50 }),
  fc.float32Array({ maxLength: 50 }),
  fc.int32Array({ maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }),
);

async function failure(bytes: Uint8Array): Promise<FileFormatError> {
  writeFileSync(file, bytes);
  const error: unknown = await readContainer(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return error as FileFormatError;
}

const header: JsonObject = { format: 'hss', size: 1000, tolerance: 1e-5, levels: [1, 2, 3], nested: { λ: 'é' } };
const arrays = {
  order: Int32Array.from({ length: 33 }, (_, k) => k),
  blocks: Float64Array.from({ length: 40 }, (_, k) => Math.sqrt(k)),
  empty: new Float32Array(0),
  flags: Uint8Array.of(1, 0, 255),
};

async function written(): Promise<Buffer> {
  await writeContainer(file, header, arrays);
  return readFileSync(file);
}

describe('container', () => {
  it('what is written is read back, bit by bit, in shared memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
        fc.dictionary(fc.string(), arrayOfAnyType, { maxKeys: 5 }),
        async (anyHeader, anyArrays) => {
          await writeContainer(file, anyHeader as JsonObject, anyArrays);
          const back = await readContainer(file);
          expect(JSON.stringify(back.header)).toBe(JSON.stringify(anyHeader));
          expect(Object.keys(back.arrays)).toEqual(Object.keys(anyArrays));
          for (const [name, array] of Object.entries(anyArrays)) {
            const read = back.arrays[name];
            expect(read.constructor).toBe(array.constructor);
            expect(read.buffer).toBeInstanceOf(SharedArrayBuffer);
            expect(Buffer.from(read.buffer).equals(Buffer.from(array.buffer, array.byteOffset, array.byteLength))).toBe(
              true,
            );
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('sections are aligned to 64 bytes and little-endian', async () => {
    const bytes = await written();
    const at = bytes.indexOf(Buffer.from(arrays.blocks.buffer));
    expect(at).toBeGreaterThan(64);
    expect(at % 64).toBe(0);
    expect(bytes.readDoubleLE(at + 16)).toBe(Math.SQRT2);
  });

  it('the summary tells what there is without reading it; single sections can be read', async () => {
    const { length } = await written();
    expect(await readContainerHeader(file)).toEqual({
      header,
      bytes: length,
      sections: [
        { name: 'order', type: 'i32', length: 33, bytes: 132 },
        { name: 'blocks', type: 'f64', length: 40, bytes: 320 },
        { name: 'empty', type: 'f32', length: 0, bytes: 0 },
        { name: 'flags', type: 'u8', length: 3, bytes: 3 },
      ],
    });
    expect(Object.keys((await readContainer(file, { sections: ['flags', 'order'] })).arrays)).toEqual([
      'order',
      'flags',
    ]);
    await expect(readContainer(file, { sections: ['none'] })).rejects.toThrow(/no section "none".*"order"/);
  });

  it('views of larger arrays are written as they are seen', async () => {
    const shared = new Float64Array(new SharedArrayBuffer(800));
    shared.forEach((_, k) => {
      shared[k] = k;
    });
    await writeContainer(file, {}, { part: shared.subarray(10, 20) });
    expect(Array.from((await readContainer(file)).arrays.part)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  it('progress counts bytes and ends at the total', async () => {
    const seen: number[] = [];
    const control = {
      onProgress: ({ done, total }: { done: number; total: number }): void => {
        seen.push(done / total);
      },
    };
    const large = { large: new Float64Array(3_000_000), small: new Int32Array(100) };
    await writeContainer(file, {}, large, control);
    await readContainer(file, control);
    expect(seen.filter((share) => share === 1)).toHaveLength(2);
    expect(seen.length).toBe(8);
    expect(seen.slice(0, 4)).toEqual([...seen.slice(0, 4)].sort((a, b) => a - b));
  });

  it('what cannot be kept is refused before anything is written', async () => {
    const folder = join(root, 'refused');
    mkdirSync(folder);
    const path = join(folder, 'x.hm');
    await expect(writeContainer(path, {}, { a: new Int16Array(3) as unknown as Int32Array })).rejects.toThrow(
      /"a".*cannot be kept/,
    );
    await expect(writeContainer(path, { tolerance: Number.NaN }, {})).rejects.toThrow(/NaN.*"tolerance"/);
    await expect(writeContainer(path, [] as unknown as JsonObject, {})).rejects.toThrow(OptionError);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('an abort leaves the old file and no debris', async () => {
    const folder = join(root, 'aborted');
    mkdirSync(folder);
    const path = join(folder, 'x.hm');
    await writeContainer(path, { version: 'old' }, {});
    const controller = new AbortController();
    await expect(
      writeContainer(
        path,
        {},
        { a: new Float64Array(5_000_000) },
        {
          signal: controller.signal,
          onProgress: () => {
            controller.abort();
          },
        },
      ),
    ).rejects.toThrow(AbortedError);
    expect(readdirSync(folder)).toEqual(['x.hm']);
    expect((await readContainer(path)).header).toEqual({ version: 'old' });
    await writeContainer(path, {}, { a: new Float64Array(5_000_000) });
    const second = new AbortController();
    await expect(
      readContainer(path, {
        signal: second.signal,
        onProgress: () => {
          second.abort();
        },
      }),
    ).rejects.toThrow(AbortedError);
  });
});

describe('bad container files', () => {
  it('any damaged byte is found, or is in a gap between sections', async () => {
    const good = await written();
    const intact = await readContainer(file);
    let harmless = 0;
    for (let at = 0; at < good.length; at++) {
      const bytes = Buffer.from(good);
      bytes[at] ^= 0x41;
      writeFileSync(file, bytes);
      const outcome: unknown = await readContainer(file).catch((e: unknown) => e);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(FileFormatError);
      else {
        harmless++;
        expect(good[at]).toBe(0);
        expect(outcome).toEqual(intact);
      }
    }
    // At most one gap of less than 64 bytes before each of the four sections.
    expect(harmless).toBeLessThan(4 * 64);
  });

  it('cut anywhere, it is truncated, and the message names the part', async () => {
    const good = await written();
    for (let length = 8; length < good.length; length += 3)
      expect((await failure(good.subarray(0, length))).message).toMatch(/truncated/);
    expect((await failure(good.subarray(0, 30))).data.section).toBe('preamble');
    expect((await failure(good.subarray(0, 100))).data.section).toBe('header');
    expect((await failure(good.subarray(0, good.length - 1))).message).toMatch(/section "flags" is cut off/);
    expect((await failure(good.subarray(0, good.length - 100))).message).toMatch(/section "blocks" is cut off/);
  });

  it('a damaged section is named', async () => {
    const good = await written();
    const at = good.indexOf(Buffer.from(arrays.blocks.buffer));
    good[at + 200] ^= 1;
    expect((await failure(good)).message).toMatch(/section "blocks": checksum/);
    expect((await readContainer(file, { sections: ['order'] })).arrays.order).toHaveLength(33);
  });

  it('extra bytes', async () => {
    expect((await failure(Buffer.concat([await written(), Buffer.alloc(5)]))).message).toMatch(/5 bytes follow/);
  });

  it('foreign files', async () => {
    for (const text of ['', 'x', '{"header":{}}', 'PK\x03\x04'.padEnd(200)])
      expect((await failure(Buffer.from(text))).message).toMatch(/not a hierarchical matrix file/);
  });

  it('a newer version says so', async () => {
    const bytes = await written();
    bytes.writeUInt32LE(2, 8);
    expect((await failure(bytes)).message).toMatch(/checksum is wrong.*version 2/);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    const error = await failure(bytes);
    expect(error.message).toMatch(/format version 2; this library reads up to 1\. Update hmatrix/);
    expect(error.data.version).toBe(2);
  });

  it('a consistent checksum does not excuse a nonsensical directory', async () => {
    const section = { name: 'a', type: 'f64', length: 1, crc32: '00000000' };
    const offset = (json: string): number => 64 * Math.ceil((64 + Buffer.byteLength(json)) / 64);
    const forged = (directory: unknown, total: number): Buffer => {
      const json = Buffer.from(typeof directory === 'string' ? directory : JSON.stringify(directory));
      const bytes = Buffer.alloc(Math.max(total, 64 + json.length));
      bytes.set([0x89, 0x48, 0x4d, 0x58, 0x0d, 0x0a, 0x1a, 0x0a]);
      bytes.writeUInt32LE(1, 8);
      bytes.writeUInt32LE(json.length, 12);
      bytes.writeUInt32LE(crc32(json), 16);
      bytes.writeBigUInt64LE(BigInt(bytes.length), 24);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
      bytes.set(json, 64);
      return bytes;
    };
    const cases: unknown[] = [
      'not json',
      '[]',
      'null',
      { header: {}, sections: {} },
      { header: [], sections: [] },
      { header: {}, sections: [null] },
      { header: {}, sections: [{ ...section, offset: 192, type: 'f16' }] },
      { header: {}, sections: [{ ...section, offset: 192, type: 'constructor' }] },
      { header: {}, sections: [{ ...section, offset: 0 }] },
      { header: {}, sections: [{ ...section, offset: 192, length: -1 }] },
      { header: {}, sections: [{ ...section, offset: 192, length: 1e12 }] },
    ];
    for (const directory of cases) {
      const json = typeof directory === 'string' ? directory : JSON.stringify(directory);
      expect((await failure(forged(directory, offset(json) + 8))).message).toMatch(/header: /);
    }
  });
});
