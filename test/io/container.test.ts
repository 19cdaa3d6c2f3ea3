import { readFileSync, readdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { readContainer, readContainerHeader, writeContainer, type JsonObject } from '#hmatrix/io/container.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { readNpz } from '#hmatrix/io/npz.js';
import { temporaryFolder } from './temporary-folder.js';
import { version1Bytes, version1Directory } from './version1.js';
import { zipBytes, type Member } from './zip-bytes.js';

const root = temporaryFolder();
const file = join(root, 'a.hm');

const arrayOfAnyType = fc.oneof(
  fc.float64Array({ maxLength: 50 }),
  fc.float32Array({ maxLength: 50 }),
  fc.int32Array({ maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }),
);

/** What an array can be called: no zeros, no halves of surrogate pairs. */
const anyName = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !name.includes('\0'));

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
        fc.dictionary(anyName, arrayOfAnyType, { maxKeys: 5 }),
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

  it('is an archive of arrays to everyone else', async () => {
    await written();
    const read = await readNpz(file);
    expect([...read.keys()]).toEqual(Object.keys(arrays));
    for (const [name, array] of Object.entries(arrays)) {
      expect(read.get(name)!.shape).toEqual([array.length]);
      expect([...read.get(name)!.data]).toEqual([...array]);
    }
  });

  it('of equal arrays is equal, to the byte', async () => {
    expect((await written()).equals(await written())).toBe(true);
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
    for (const name of ['', '\0', '\ud800', 'x'.repeat(65_532)])
      await expect(writeContainer(path, {}, { [name]: new Int32Array(3) })).rejects.toThrow(/name of an array/);
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
  it('any damaged byte is found, or nothing depends on it', async () => {
    const good = await written();
    const intact = await readContainer(file);
    let harmless = 0;
    for (let at = 0; at < good.length; at++) {
      const bytes = Buffer.from(good);
      bytes[at] ^= 0x41;
      writeFileSync(file, bytes);
      const outcome: unknown = await readContainer(file).catch((e: unknown) => e);
      if (outcome instanceof Error) expect(outcome, `byte ${at}`).toBeInstanceOf(FileFormatError);
      else {
        harmless++;
        expect(outcome, `byte ${at}`).toEqual(intact);
      }
    }
    // Dates, versions, attributes, and less than 64 bytes of zeros before each of the five members.
    expect(harmless).toBeLessThan(5 * (64 + 40) + 80);
  });

  it('cut anywhere, it is truncated', async () => {
    const good = await written();
    for (let length = 4; length < good.length; length += 3)
      expect((await failure(good.subarray(0, length))).message).toMatch(/truncated/);
  });

  it('a damaged array is named', async () => {
    const good = await written();
    const at = good.indexOf(Buffer.from(arrays.blocks.buffer));
    good[at + 200] ^= 1;
    expect((await failure(good)).message).toMatch(/section "blocks": checksum/);
    expect((await readContainer(file, { sections: ['order'] })).arrays.order).toHaveLength(33);
  });

  it('extra bytes', async () => {
    expect((await failure(Buffer.concat([await written(), Buffer.alloc(5)]))).message).toMatch(/not at its end/);
  });

  it('foreign files', async () => {
    for (const text of ['', 'x', '{"header":{}}'])
      expect((await failure(Buffer.from(text))).message).toMatch(/not a hierarchical matrix file/);
    expect((await failure(zipBytes([{ name: 'x.npy', bytes: new Uint8Array(3) }]))).message).toMatch(
      /its first member is not hmatrix\.json.*an archive of arrays/,
    );
    expect((await failure(zipBytes([]))).message).toMatch(/its first member is not hmatrix\.json/);
  });

  /** The members of `header` and `arrays` as they are written. */
  async function members(): Promise<Member[]> {
    const bytes = await written();
    const list: Member[] = [];
    for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50;) {
      const begin = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
      const name = bytes.toString('utf8', at + 30, at + 30 + bytes.readUInt16LE(at + 26));
      const length = Number(bytes.readBigUInt64LE(at + 30 + bytes.readUInt16LE(at + 26) + 4));
      list.push({ name, bytes: bytes.subarray(begin, begin + length) });
      at = begin + length;
    }
    return list;
  }
  const json = (of: unknown): Member => ({
    name: 'hmatrix.json',
    bytes: Buffer.from(typeof of === 'string' ? of : JSON.stringify(of)),
  });

  it('written anew by another program, it is the same; deflated it is refused', async () => {
    const all = await members();
    writeFileSync(file, zipBytes(all));
    expect(await readContainer(file)).toMatchObject({ header });
    const deflated = all.map((member, k) => (k === 2 ? { ...member, method: 8 } : member));
    expect((await failure(zipBytes(deflated))).message).toMatch(/array "blocks": it is compressed by method 8/);
  });

  it('members that changed places, names or contents are found', async () => {
    const [head, order, blocks, ...rest] = await members();
    expect((await failure(zipBytes([head, blocks, order, ...rest]))).message).toMatch(/"blocks.npy" stands where/);
    const swapped = [
      { ...order, bytes: blocks.bytes },
      { ...blocks, bytes: order.bytes },
    ];
    expect((await failure(zipBytes([head, ...swapped, ...rest]))).message).toMatch(/array "order": the archive has/);
    expect((await failure(zipBytes([head, order, ...rest]))).message).toMatch(/lists 4 arrays.* holds 3/);
  });

  it('a newer version says so', async () => {
    const error = await failure(zipBytes([json({ format: 'hmatrix', version: 3, everything: 'else' })]));
    expect(error.message).toMatch(/format version 3; this library reads up to 2\. Update hmatrix/);
    expect(error.data.version).toBe(3);
  });

  it('a consistent checksum does not excuse a nonsensical header', async () => {
    const own = { format: 'hmatrix', version: 2, header: {} };
    const array = { name: 'a', type: 'f64', length: 1, crc32: '00000000' };
    const cases: unknown[] = [
      'not json',
      '[]',
      'null',
      '{"format":"other"}',
      { ...own, arrays: {} },
      { ...own, header: [], arrays: [] },
      { ...own, arrays: [null] },
      { ...own, arrays: [{ ...array, type: 'f16' }] },
      { ...own, arrays: [{ ...array, type: 'constructor' }] },
      { ...own, arrays: [{ ...array, name: 3 }] },
      { ...own, arrays: [array, array] },
      { ...own, arrays: [{ ...array, length: -1 }] },
      { ...own, arrays: [{ ...array, length: 2 ** 53 }] },
      { ...own, arrays: [{ ...array, crc32: 7 }] },
      { ...own, arrays: [array] },
    ];
    for (const directory of cases) expect((await failure(zipBytes([json(directory)]))).message).toMatch(/header: /);
  });

  it('an array that is not what the header says is refused', async () => {
    const [head, ...rest] = await members();
    const said = JSON.parse(Buffer.from(head.bytes).toString()) as { arrays: { length: number; type: string }[] };
    for (const change of [{ length: 34 }, { length: 2 ** 31 }, { type: 'f32' }, { type: 'u8' }]) {
      const other = { ...said, arrays: said.arrays.map((array, k) => (k === 0 ? { ...array, ...change } : array)) };
      expect((await failure(zipBytes([json(other), ...rest]))).message).toMatch(/array "order": it is not of/);
    }
  });
});

describe('files of version 1', () => {
  const old = version1Bytes(header, arrays);

  it('are read as they were', async () => {
    writeFileSync(file, old);
    const { header: read, arrays: found } = await readContainer(file);
    expect(read).toEqual(header);
    expect(Object.keys(found)).toEqual(Object.keys(arrays));
    for (const [name, array] of Object.entries(arrays)) expect(found[name]).toEqual(array);
  });

  it('any damaged byte is found, or is in a gap between sections', async () => {
    writeFileSync(file, old);
    const intact = await readContainer(file);
    for (let at = 0; at < old.length; at++) {
      const bytes = Buffer.from(old);
      bytes[at] ^= 0x41;
      writeFileSync(file, bytes);
      const outcome: unknown = await readContainer(file).catch((e: unknown) => e);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(FileFormatError);
      else {
        expect(old[at]).toBe(0);
        expect(outcome).toEqual(intact);
      }
    }
  });

  it('cut anywhere, they are truncated, and the message names the part', async () => {
    for (let length = 8; length < old.length; length += 3)
      expect((await failure(old.subarray(0, length))).message).toMatch(/truncated/);
    expect((await failure(old.subarray(0, 30))).data.section).toBe('preamble');
    expect((await failure(old.subarray(0, 100))).data.section).toBe('header');
    expect((await failure(old.subarray(0, old.length - 1))).message).toMatch(/section "flags" is cut off/);
    expect((await failure(Buffer.concat([old, Buffer.alloc(5)]))).message).toMatch(/5 bytes follow/);
  });

  it('of another version are refused', async () => {
    const bytes = Buffer.from(old);
    bytes.writeUInt32LE(7, 8);
    expect((await failure(bytes)).message).toMatch(/checksum is wrong.*version 7/);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    expect((await failure(bytes)).message).toMatch(/format version 7; this library reads up to 2\. Update hmatrix/);
  });

  it('a consistent checksum does not excuse a nonsensical directory', async () => {
    const section = { name: 'a', type: 'f64', length: 1, crc32: '00000000' };
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
      const length = Buffer.byteLength(typeof directory === 'string' ? directory : JSON.stringify(directory));
      const total = 64 * Math.ceil((64 + length) / 64) + 8;
      expect((await failure(version1Directory(directory, total))).message).toMatch(/header: /);
    }
  });
});
