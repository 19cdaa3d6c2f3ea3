/** .npz files that are damaged, lie about themselves, or are none. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, FileFormatError, HmatrixError, MemoryError } from '#hmatrix/core/errors.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { availableMemory } from '#hmatrix/io/machine.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { readSamples } from '#hmatrix/io/points.js';
import { readNpz } from '#hmatrix/io/npz.js';
import { numpyDeflated, numpyStored, savedArrays } from './array-fixtures.js';
import { temporaryFolder } from './temporary-folder.js';
import { zipBytes, type Member } from './zip-bytes.js';

const folder = temporaryFolder();
const file = join(folder, 'a.npz');

async function failure(bytes: Uint8Array): Promise<FileFormatError> {
  writeFileSync(file, bytes);
  const error: unknown = await readNpz(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return error as FileFormatError;
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
      zipBytes([{ ...good, bytes: Buffer.concat([npy, npy]), method: 8, size: npy.length }]),
      /member "x.npy": it unpacks to more than the 152 bytes announced/,
    ],
    [
      'deflated to more than announced, within its header',
      zipBytes([{ ...good, method: 8, size: 100 }]),
      /member "x.npy": the header should end at byte 128, the file ends at 100/,
    ],
    [
      'deflated to less than announced',
      zipBytes([{ ...good, bytes: npy.subarray(0, 140), method: 8, size: npy.length }]),
      /member "x.npy": it unpacks to 140 bytes, 152 were announced/,
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

  it('arrays that are no rows of samples are named', async () => {
    const text = new TextDecoder('latin1').decode(npy);
    const cube = Uint8Array.from(
      Buffer.from(
        text.replace("'shape': (3,), }", "'shape': (1, 1, 3), }".padEnd(16)).replace(/ {5}\n/, '\n'),
        'latin1',
      ),
    );
    writeFileSync(file, zipBytes([{ name: 'conv.npy', bytes: cube }]));
    expect((await readNpz(file)).get('conv')!.shape).toEqual([1, 1, 3]);
    await expect(readSamples(file)).rejects.toThrow(FileFormatError);
    await expect(readSamples(file)).rejects.toThrow(
      /a\.npz: member "conv\.npy": an array of rank 3 and shape \(1, 1, 3\)/,
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
