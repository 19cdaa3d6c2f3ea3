import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  FileAccessError,
  FileFormatError,
  HmatrixError,
  MemoryError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { availableMemory } from '#hmatrix/io/machine.js';
import { writeNpy, type NpySource } from '#hmatrix/io/npy.js';
import { readNpz, readNpzNames, writeNpz } from '#hmatrix/io/npz.js';
import { numpyDeflated, numpyStored, savedArrays } from './array-fixtures.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const file = join(folder, 'a.npz');

async function failure(bytes: Uint8Array): Promise<FileFormatError> {
  writeFileSync(file, bytes);
  const error: unknown = await readNpz(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return error as FileFormatError;
}

/**
 * `announced`: the method that both headers name. `own`: what the member's own header says in place of what the
 * directory says. `follow`: sizes stand behind the bytes, with a signature or without.
 */
interface Member {
  name: string;
  bytes: Uint8Array;
  method?: number;
  announced?: number;
  flags?: number;
  crc?: number;
  size?: number;
  packedSize?: number;
  offset?: number;
  own?: { name?: string; method?: number; flags?: number; crc?: number; size?: number; packedSize?: number };
  follow?: { signed: boolean; wide: boolean; crc?: number; size?: number };
}

/**
 * An archive laid out by hand; what a member says of itself may be false. With `wide`, sizes stand in ZIP64 records.
 */
function zipBytes(members: Member[], { wide = false, count = members.length, comment = '' } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const {
    name,
    bytes,
    method = 0,
    announced = method,
    crc = crc32(bytes),
    size = bytes.length,
    offset = at,
    own = {},
    follow,
    ...said
  } of members) {
    const packed = method === 8 ? deflateRawSync(bytes) : bytes;
    const { packedSize = packed.length, flags = follow === undefined ? 0 : 8 } = said;
    const ownName = own.name ?? name;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(own.flags ?? flags, 6);
    local.writeUInt16LE(own.method ?? announced, 8);
    local.writeUInt32LE(own.crc ?? (follow === undefined ? crc : 0), 14);
    local.writeUInt32LE(wide ? 0xffffffff : (own.packedSize ?? (follow === undefined ? packedSize : 0)), 18);
    local.writeUInt32LE(wide ? 0xffffffff : (own.size ?? (follow === undefined ? size : 0)), 22);
    local.writeUInt16LE(Buffer.byteLength(ownName), 26);
    const ownExtra = Buffer.alloc(wide ? 20 : 0);
    if (wide) {
      local.writeUInt16LE(ownExtra.length, 28);
      ownExtra.writeUInt16LE(1, 0);
      ownExtra.writeUInt16LE(16, 2);
      [own.size ?? size, own.packedSize ?? packedSize].forEach((n, k) =>
        ownExtra.writeBigUInt64LE(BigInt(n), 4 + 8 * k),
      );
    }
    const behind = Buffer.alloc(follow === undefined ? 0 : (follow.signed ? 4 : 0) + (follow.wide ? 20 : 12));
    if (follow !== undefined) {
      const from = follow.signed ? behind.writeUInt32LE(0x08074b50) : 0;
      behind.writeUInt32LE(follow.crc ?? crc, from);
      [packedSize, follow.size ?? size].forEach((n, k) =>
        follow.wide ? behind.writeBigUInt64LE(BigInt(n), from + 4 + 8 * k) : behind.writeUInt32LE(n, from + 4 + 4 * k),
      );
    }
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(announced, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(wide ? 0xffffffff : packedSize, 20);
    entry.writeUInt32LE(wide ? 0xffffffff : size, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(wide ? 0xffffffff : offset, 42);
    let extra = Buffer.alloc(0);
    if (wide) {
      // Another field first, to be skipped.
      extra = Buffer.alloc(8 + 28);
      extra.writeUInt16LE(0x5455, 0);
      extra.writeUInt16LE(4, 2);
      extra.writeUInt16LE(1, 8);
      extra.writeUInt16LE(24, 10);
      [size, packedSize, offset].forEach((n, k) => extra.writeBigUInt64LE(BigInt(n), 12 + 8 * k));
      entry.writeUInt16LE(extra.length, 30);
    }
    parts.push(local, Buffer.from(ownName), ownExtra, Buffer.from(packed), behind);
    directory.push(entry, Buffer.from(name), extra);
    at += 30 + Buffer.byteLength(ownName) + ownExtra.length + packed.length + behind.length;
  }
  const listing = Buffer.concat(directory);
  const ends: Buffer[] = [];
  if (wide) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50);
    record.writeBigUInt64LE(44n, 4);
    record.writeBigUInt64LE(BigInt(count), 32);
    record.writeBigUInt64LE(BigInt(listing.length), 40);
    record.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(BigInt(at + listing.length), 8);
    ends.push(record, locator);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? 0xffffffff : listing.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, listing, ...ends, end, Buffer.from(comment)]);
}

/** The bytes of the headers before the members, of the directory and of the record at the end. */
function headerBytes(bytes: Uint8Array): number[] {
  const all = Buffer.from(bytes);
  const directory = all.readUInt32LE(all.length - 6);
  let local = 0;
  return [...all.keys()].filter((at) => {
    if (at < directory && all.toString('latin1', at, at + 4) === 'PK\x03\x04')
      local = at + 30 + all.readUInt16LE(at + 26) + all.readUInt16LE(at + 28);
    return at < local || at >= directory;
  });
}

/**
 * What is read of `bytes` (an archive of `savedArrays`) with the bits of `mask` flipped is what was saved, or a typed
 * error.
 */
async function expectSameOrError(bytes: Uint8Array, at: number, mask: number): Promise<void> {
  const wrong = bytes.slice();
  wrong[at] ^= mask;
  writeFileSync(file, wrong);
  const result = await readNpz(file).catch((e: unknown) => e);
  if (result instanceof Map) expect(Object.fromEntries(result), `byte ${at}, mask ${mask}`).toEqual(savedArrays);
  else expect(result, `byte ${at}, mask ${mask}`).toBeInstanceOf(FileFormatError);
}

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
      fc.asyncProperty(fc.dictionary(name, array, { maxKeys: 5 }), fc.boolean(), async (arrays, compress) => {
        await writeNpz(file, new Map(Object.entries(arrays)), { compress });
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
    for (const compress of [false, true]) {
      const seen: number[] = [];
      await writeNpz(
        file,
        new Map([
          ['big', { shape: [data.length], data }],
          ['small', { shape: [1], data: Float32Array.of(1) }],
        ]),
        { compress, onProgress: ({ done, total }) => seen.push(done / total) },
      );
      expect(seen.at(-1)).toBe(1);
      const first = readFileSync(file);
      const back = (await readNpz(file)).get('big')!.data;
      expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(data.buffer))).toBe(0);
      await writeNpz(
        file,
        new Map([
          ['big', { shape: [data.length], data }],
          ['small', { shape: [1], data: Float32Array.of(1) }],
        ]),
        { compress },
      );
      expect(Buffer.compare(first, readFileSync(file))).toBe(0);
      if (compress) expect(first.length).toBeLessThan(data.byteLength / 4);
    }
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

describe('bad .npz files', () => {
  it.each([
    ['stored', numpyStored],
    ['deflated', numpyDeflated],
  ])('cut anywhere, %s, it is a FileFormatError', async (_, bytes) => {
    for (let length = 0; length < bytes.length; length++)
      expect((await failure(bytes.subarray(0, length))).message).toMatch(
        length < 4 ? /not a zip archive/ : /truncated or damaged/,
      );
  });

  it.each([
    ['every bit of headers and directory, stored', numpyStored, 8],
    ['one bit of each byte of headers and directory, deflated', numpyDeflated, 1],
  ])('any one flipped bit gives an error or the same arrays under the same names: %s', async (_, bytes, bits) => {
    for (const at of headerBytes(bytes)) {
      for (let bit = at % 8; bit < (at % 8) + bits; bit++) await expectSameOrError(bytes, at, 1 << (bit % 8));
    }
  });

  it.each([
    ['stored', numpyStored],
    ['deflated', numpyDeflated],
  ])('as does one of the elements, %s', async (_, bytes) => {
    const headers = new Set(headerBytes(bytes));
    for (let at = 0; at < bytes.length; at += 3)
      if (!headers.has(at)) await expectSameOrError(bytes, at, 1 << (at % 8));
  });

  const flipped = npy.slice();
  flipped[npy.length - 1] ^= 1;
  it.each<[string, Uint8Array, RegExp]>([
    ['foreign', npy, /not a zip archive.*93 4e 55 4d/],
    [
      'a wrong checksum',
      zipBytes([{ name: 'x.npy', bytes: flipped, crc: crc32(npy) }]),
      /member "x.npy": its CRC-32 is [0-9a-f]{8}, [0-9a-f]{8} is expected/,
    ],
    [
      'a wrong checksum, deflated',
      zipBytes([{ name: 'x.npy', bytes: flipped, crc: crc32(npy), method: 8 }]),
      /member "x.npy": its CRC-32/,
    ],
    ['encrypted', zipBytes([{ ...good, flags: 1 }]), /member "x.npy" is encrypted/],
    ['another compression', zipBytes([{ ...good, method: 14 }]), /member "x.npy" is compressed by method 14/],
    ['a name twice', zipBytes([good, good]), /member "x.npy" is there twice/],
    [
      'deflated to more than announced',
      zipBytes([{ ...good, method: 8, size: 100 }]),
      /member "x.npy": it unpacks to more than the 100 bytes announced/,
    ],
    [
      'deflated to less than announced',
      zipBytes([{ ...good, method: 8, size: 1000 }]),
      /member "x.npy": it unpacks to 152 bytes, 1000 were announced/,
    ],
    [
      'absurd sizes',
      zipBytes([{ ...good, method: 8, size: 2 ** 40 }], { wide: true }),
      /member "x.npy": \d+ bytes cannot unpack to the 1099511627776/,
    ],
    [
      'sizes beyond 2^53',
      zipBytes([{ ...good, size: 2 ** 60 }], { wide: true }),
      /announces a size of 1152921504606846976 bytes/,
    ],
    [
      'bytes beyond the members',
      zipBytes([{ ...good, size: 4000, packedSize: 4000 }]),
      /member "x.npy": its 4000 bytes reach beyond/,
    ],
    ['no header where it should be', zipBytes([{ ...good, offset: 7 }]), /member "x.npy": its header is not at byte 7/],
    [
      'another name in its own header',
      zipBytes([{ ...good, own: { name: 'y.npy' } }]),
      /member "x.npy": its own header calls it "y.npy"/,
    ],
    [
      'a longer name in its own header',
      zipBytes([{ ...good, own: { name: 'xx.npy' } }]),
      /member "x.npy": its own header calls it "xx.npy"/,
    ],
    [
      'another method in its own header',
      zipBytes([{ ...good, own: { method: 8 } }]),
      /member "x.npy": its own header has method 8, the directory has 0/,
    ],
    [
      'other flags in its own header',
      zipBytes([{ ...good, own: { flags: 0x800 } }]),
      /member "x.npy": its own header has flags 2048, the directory has 0/,
    ],
    [
      'another checksum in its own header',
      zipBytes([{ ...good, own: { crc: 1 } }]),
      /member "x.npy": its own header has CRC-32 1, the directory has/,
    ],
    [
      'no checksum in its own header',
      zipBytes([{ ...good, own: { crc: 0 } }]),
      /member "x.npy": its own header has CRC-32 0, the directory has/,
    ],
    [
      'another size in its own header',
      zipBytes([{ ...good, own: { size: 151 } }]),
      /member "x.npy": its own header has a size of 151, the directory has 152/,
    ],
    [
      'another size in its own header, ZIP64',
      zipBytes([{ ...good, own: { size: 151 } }], { wide: true }),
      /member "x.npy": its own header has a size of 151, the directory has 152/,
    ],
    [
      'another packed size in its own header',
      zipBytes([{ ...good, own: { packedSize: 1 } }]),
      /member "x.npy": its own header has a packed size of 1, the directory has 152/,
    ],
    [
      'another checksum behind the bytes',
      zipBytes([{ ...good, follow: { signed: true, wide: false, crc: 1 } }]),
      /member "x.npy": the checksum and sizes that follow/,
    ],
    [
      'another size behind the bytes',
      zipBytes([{ ...good, follow: { signed: false, wide: true, size: 1 } }]),
      /member "x.npy": the checksum and sizes that follow/,
    ],
    [
      'one member twice under two names',
      zipBytes([good, { ...good, name: 'y.npy', offset: 0 }]),
      /member "y.npy": its own header calls it "x.npy"/,
    ],
    [
      'a member within another',
      zipBytes([
        { name: 'z.npy', bytes: zipBytes([good]) },
        { ...good, offset: 35 },
      ]),
      /members "z.npy" and "x.npy" overlap/,
    ],
    ['another number of members', zipBytes([good], { count: 2 }), /lists 1 members, 2 were announced/],
    ['bytes in front', Buffer.concat([Buffer.from('#!/bin/sh\n'), zipBytes([good])]), /its directory should span/],
    [
      'no arrays',
      zipBytes([{ name: 'notes.txt', bytes: npy }]),
      /without a single \.npy member \(the first is "notes.txt"\)/,
    ],
    [
      'pickled by PyTorch',
      zipBytes([{ name: 'archive/data.pkl', bytes: npy }]),
      /a pickle can run any program.*safetensors/,
    ],
    [
      'a member that is no array',
      zipBytes([{ name: 'x.npy', bytes: Buffer.from('text') }]),
      /member "x.npy": not an \.npy file/,
    ],
    [
      'an array cut off before it was packed',
      zipBytes([{ name: 'x.npy', bytes: npy.subarray(0, 140) }]),
      /member "x.npy": shape \(3\).*truncated/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect((await failure(bytes)).message).toMatch(message);
  });

  const available = availableMemory();
  it.skipIf(available > 2 ** 36)(
    'more than memory holds is refused before anything is unpacked: one array, or several together',
    async () => {
      for (const count of [1, 5]) {
        const bytes = new Uint8Array(Math.ceil((1.5 * available) / 1032 / count));
        // Not deflated in fact: what the headers announce is enough.
        const bytesOfZip = zipBytes(
          Array.from({ length: count }, (_, k) => ({
            name: `${k}.npy`,
            bytes,
            size: 1032 * bytes.length,
            announced: 8,
          })),
          { wide: true },
        );
        writeFileSync(file, bytesOfZip);
        const error: unknown = await readNpz(file).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(MemoryError);
        expect((error as Error).message).toMatch(/unpacking \d of its arrays needs .* of memory, and .* are available/);
      }
    },
  );

  it('ranks that cannot be read name file and member', async () => {
    const text = new TextDecoder('latin1').decode(npy);
    const scalar = Uint8Array.from(
      Buffer.from(
        text.replace("'shape': (3,), }", "'shape': (1, 1, 3), }".padEnd(16)).replace(/ {5}\n/, '\n'),
        'latin1',
      ),
    );
    expect((await failure(zipBytes([{ name: 'conv.npy', bytes: scalar }]))).message).toMatch(
      /member "conv.npy": an array of rank 3/,
    );
  });

  it('missing files and folders are told apart from damaged ones', async () => {
    await expect(readNpz(join(folder, 'none.npz'))).rejects.toThrow(FileAccessError);
    await expect(readNpz(folder)).rejects.toThrow(FileAccessError);
    writeFileSync(file, numpyStored);
    await expect(readNpz(file, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });

  it('any bytes at all give arrays or a typed error', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom('', 'PK\x03\x04', 'PK\x05\x06'),
        async (bytes, start) => {
          writeFileSync(file, Buffer.concat([Buffer.from(start), bytes]));
          const result = await readNpz(file).catch((e: unknown) => e);
          expect(result instanceof Map || result instanceof HmatrixError).toBe(true);
        },
      ),
      { numRuns: 80 },
    );
  });
});
