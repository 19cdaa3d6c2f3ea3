import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  FileAccessError,
  FileFormatError,
  HmatrixError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { widenBfloat16, widenBinary16 } from '#hmatrix/io/half-precision.js';
import { readSafetensors, readSafetensorsHeader, writeSafetensors, type Tensor } from '#hmatrix/io/safetensors.js';
import { halfSafetensors, perceptron, torchSafetensors } from './array-fixtures.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const file = join(folder, 'a.safetensors');

/** A file of this header, as text or as an object, and so many zero bytes of elements (or these). */
function fileOf(header: string | object, elements: number | Uint8Array = 0, announced?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(announced ?? BigInt(text.length));
  return Buffer.concat([length, text, typeof elements === 'number' ? Buffer.alloc(elements) : elements]);
}
const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

async function failure(bytes: Uint8Array): Promise<FileFormatError> {
  writeFileSync(file, bytes);
  const error: unknown = await readSafetensors(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return error as FileFormatError;
}

describe('reading safetensors', () => {
  it('a file as PyTorch lays it out', async () => {
    writeFileSync(file, torchSafetensors);
    const { tensors, metadata } = await readSafetensors(file);
    expect([...metadata]).toEqual([['format', 'pt']]);
    expect([...tensors.keys()]).toEqual(['net.0.bias', 'net.0.weight', 'net.2.bias', 'net.2.weight']);
    expect(tensors.get('net.0.weight')).toEqual({
      dtype: 'F32',
      shape: [2, 3],
      data: Float32Array.from(perceptron.w1.flat()),
    });
    expect(tensors.get('net.2.bias')).toEqual({ dtype: 'F32', shape: [4], data: Float32Array.from(perceptron.b2) });
    expect(tensors.get('net.2.weight')!.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...(await readSafetensorsHeader(file)).tensors.get('net.2.weight')!.shape]).toEqual([4, 2]);
    expect([...(await readSafetensors(file, { names: ['net.2.bias'] })).tensors.keys()]).toEqual(['net.2.bias']);
    await expect(readSafetensors(file, { names: ['net.1.bias'] })).rejects.toThrow(
      /no tensor "net.1.bias"; there are "net.0.bias"/,
    );
    await expect(readSafetensors(file, { names: ['net.1.bias'] })).rejects.toThrow(OptionError);
  });

  it('sixteen-bit floats', async () => {
    writeFileSync(file, halfSafetensors);
    const { tensors } = await readSafetensors(file);
    expect(tensors.get('h')).toEqual({
      dtype: 'F16',
      shape: [5],
      data: Float32Array.of(1.5, -65504, 2 ** -24, Infinity, -0),
    });
    expect(tensors.get('b')).toEqual({
      dtype: 'BF16',
      shape: [2, 2],
      data: Float32Array.of(1.5, -2, 2 ** 100, Infinity),
    });
  });

  it('every sixteen-bit float has the value its bits say', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, k) => k);
    const value = (bits: number, exponentBits: number, fractionBits: number): number => {
      const bias = 2 ** (exponentBits - 1) - 1;
      const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
      const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      const sign = bits >> 15 ? -1 : 1;
      if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
      return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
    };
    const half = new Float32Array(65536);
    const brain = new Float32Array(65536);
    widenBinary16(all, half);
    widenBfloat16(all, brain);
    let wrong = 0;
    for (let k = 0; k < 65536; k++)
      if (!Object.is(half[k], value(k, 5, 10)) || !Object.is(brain[k], value(k, 8, 7))) wrong++;
    expect(wrong).toBe(0);
  });

  it(
    'what the format allows: spaces behind the header, any order of its entries, empty tensors and single numbers, ' +
      'metadata alone',
    async () => {
      writeFileSync(
        file,
        fileOf(
          '{"b":{"dtype":"F64","shape":[],"data_offsets":[4,12]},' +
            '\t"a":{"shape":[1],"dtype":"F32","data_offsets":[0,4]},' +
            '"e":{"dtype":"F32","shape":[3,0],"data_offsets":[12,12]}} ' +
            '  ',
          12,
        ),
      );
      const { tensors } = await readSafetensors(file);
      expect([...tensors]).toEqual([
        ['a', { dtype: 'F32', shape: [1], data: Float32Array.of(0) }],
        ['b', { dtype: 'F64', shape: [], data: Float64Array.of(0) }],
        ['e', { dtype: 'F32', shape: [3, 0], data: new Float32Array(0) }],
      ]);
      writeFileSync(file, fileOf({ __metadata__: { a: '1' } }));
      expect(await readSafetensors(file)).toEqual({ tensors: new Map(), metadata: new Map([['a', '1']]) });
      writeFileSync(file, fileOf('{}'));
      expect((await readSafetensors(file)).tensors.size).toBe(0);
    },
  );

  it('tensors of other types may be beside those asked for', async () => {
    writeFileSync(
      file,
      fileOf({ steps: tensor('I64', [1], 0, 8), new: tensor('F4', [2], 8, 9), w: tensor('F32', [1], 9, 13) }, 13),
    );
    expect([...(await readSafetensors(file, { names: ['w'] })).tensors.keys()]).toEqual(['w']);
    await expect(readSafetensors(file)).rejects.toThrow(/tensor "steps": elements of type I64/);
    await expect(readSafetensors(file, { names: ['new'] })).rejects.toThrow(/tensor "new": elements of type F4/);
  });
});

describe('writing safetensors', () => {
  const arbitrary: fc.Arbitrary<Tensor> = fc
    .tuple(
      fc.oneof(fc.float64Array({ maxLength: 24 }), fc.float32Array({ maxLength: 24 })),
      fc.integer({ min: 0, max: 3 }),
    )
    .map(([data, kind]) => ({
      data,
      shape:
        kind === 0
          ? [data.length]
          : kind === 1 && data.length === 1
            ? []
            : data.length % 4 === 0
              ? [2, data.length / 4, 2]
              : [data.length, 1],
    }));

  it('what is written is read back, to the bit, names of any kind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.tuple(fc.oneof(fc.string(), fc.constantFrom('__proto__', '0', '10', 'a"b\\', 'é漢😀')), arbitrary),
          { maxLength: 6, selector: ([name]) => name },
        ),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true }),
        async (given, metadata) => {
          const tensors = new Map(given.filter(([name]) => name !== '__metadata__'));
          await writeSafetensors(file, tensors, { metadata });
          const back = await readSafetensors(file);
          expect([...back.metadata]).toEqual(Object.entries(metadata));
          expect([...back.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
          for (const [name, { shape, dtype, data }] of back.tensors) {
            expect(shape).toEqual(tensors.get(name)!.shape);
            expect(data).toEqual(tensors.get(name)!.data);
            expect(dtype).toBe(data instanceof Float64Array ? 'F64' : 'F32');
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it('every element is aligned, whatever the order of types', async () => {
    await writeSafetensors(
      file,
      new Map<string, Tensor>([
        ['odd', { shape: [3], data: new Float32Array(3) }],
        ['double', { shape: [2], data: new Float64Array(2) }],
        ['x', { shape: [1], data: new Float32Array(1) }],
      ]),
    );
    const { tensors } = await readSafetensorsHeader(file);
    expect([...tensors.keys()]).toEqual(['double', 'odd', 'x']);
    for (const { begin, dtype } of tensors.values()) expect(begin % (dtype === 'F64' ? 8 : 4)).toBe(0);
    expect(readFileSync(file).readBigUInt64LE() % 8n).toBe(0n);
  });

  it('what cannot be written is refused, and leaves what was there', async () => {
    writeFileSync(file, torchSafetensors);
    const x = { shape: [1], data: new Float64Array(1) };
    await expect(writeSafetensors(file, new Map([['a', { shape: [2], data: new Float64Array(3) }]]))).rejects.toThrow(
      ShapeError,
    );
    // Half of a surrogate pair: JSON may say it, no reader takes it.
    for (const name of ['__metadata__', '\ud800', 'a\udc00b'])
      await expect(writeSafetensors(file, new Map([[name, x]]))).rejects.toThrow(OptionError);
    await expect(
      writeSafetensors(file, new Map([['x', x]]), { metadata: { a: 1 } as unknown as Record<string, string> }),
    ).rejects.toThrow(/metadata.*"a" is 1/);
    await expect(writeSafetensors(file, new Map([['x', x]]), { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
    expect(Uint8Array.from(readFileSync(file))).toEqual(torchSafetensors);
  });
});

describe('bad safetensors files', () => {
  it('cut anywhere, it is a FileFormatError', async () => {
    for (const whole of [torchSafetensors, halfSafetensors])
      for (let length = 0; length < whole.length; length++)
        expect((await failure(whole.subarray(0, length))).message).toMatch(/truncated/);
  });

  it('more bytes than announced', async () => {
    expect((await failure(Buffer.concat([torchSafetensors, Buffer.alloc(1)]))).message).toMatch(
      /tensors end at byte 384, the file at 385/,
    );
  });

  const f = tensor('F32', [1], 0, 4);
  it.each<[string, Uint8Array, RegExp]>([
    ['foreign', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), /not a safetensors file.*89 50 4e 47/],
    ['another beginning', fileOf(' {}'), /should begin with '\{' \(7b\) at byte 8/],
    ['a header beyond 100 MB', fileOf('{}', 0, 100_000_001n), /header of 100000001 bytes, more than the 100000000/],
    ['a header beyond 2^53', fileOf('{}', 0, 0xffffffffffffffffn), /header of 18446744073709551615 bytes/],
    ['a header longer than the file', fileOf('{}', 0, 3n), /header should end at byte 11, the file ends at 10/],
    ['a header too short', fileOf('{}', 0, 1n), /header of 1 bytes/],
    ['not JSON', fileOf('{"a":}'), /not JSON/],
    ['not UTF-8', fileOf('{}').fill(0xff, 9), /not JSON/],
    ['more than one value', fileOf('{}{}'), /not JSON/],
    ['a name twice', fileOf(`{"a":${JSON.stringify(f)},"a":${JSON.stringify(f)}}`, 4), /has "a" twice/],
    [
      'a name twice, written in two ways',
      fileOf(`{"a":${JSON.stringify(f)},"\\u0061" :${JSON.stringify(f)}}`, 4),
      /has "a" twice/,
    ],
    [
      'a key twice within',
      fileOf('{"a":{"dtype":"F32","shape":[1],"dtype":"F64","data_offsets":[0,4]}}', 4),
      /has "dtype" twice/,
    ],
    ['no dtype', fileOf({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /tensor "a": it has no dtype/],
    ['not a tensor', fileOf({ a: null }), /tensor "a": it has no dtype/],
    ['no shape', fileOf({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /tensor "a": shape must be a list/],
    ['a negative size', fileOf({ a: tensor('F32', [-1], 0, 4) }, 4), /tensor "a": shape must be.*\[-1\]/],
    [
      'a size beyond 2^53',
      fileOf('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4),
      /tensor "a": shape must be/,
    ],
    [
      'a product beyond 2^53',
      fileOf({ a: tensor('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4),
      /tensor "a": shape \(1099511627776, 1099511627776\) of F32 takes/,
    ],
    [
      'offsets beyond 2^53',
      fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e400]}}', 4),
      /tensor "a": data_offsets must be/,
    ],
    [
      'offsets the wrong way round',
      fileOf({ a: tensor('F32', [1], 4, 0) }, 4),
      /tensor "a": data_offsets must be.*\[4,0\]/,
    ],
    [
      'three offsets',
      fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 8),
      /tensor "a": data_offsets must be/,
    ],
    ['a fraction', fileOf({ a: tensor('F32', [1], 0, 4.5) }, 4), /tensor "a": data_offsets must be/],
    [
      'shape and offsets apart',
      fileOf({ a: tensor('F32', [2], 0, 4) }, 4),
      /tensor "a": shape \(2\) of F32 takes 8 bytes, data_offsets \[0, 4\] hold 4/,
    ],
    [
      'an overlap',
      fileOf({ a: tensor('F32', [2], 0, 8), b: tensor('F32', [2], 4, 12) }, 12),
      /tensor "b" begins at byte 4 of the elements, within the one before it: it should be 8/,
    ],
    ['a shared range', fileOf({ a: f, b: f }, 4), /within the one before it/],
    [
      'a hole',
      fileOf({ a: f, b: tensor('F32', [1], 8, 12) }, 12),
      /tensor "b" begins at byte 8 of the elements, after a hole: it should be 4/,
    ],
    ['a hole in front', fileOf({ b: tensor('F32', [1], 4, 8) }, 8), /after a hole: it should be 0/],
    ['elements nobody names', fileOf({ a: f }, 8), /its tensors end at byte/],
    [
      'metadata that is no text',
      fileOf({ __metadata__: { n: 1 } }),
      /__metadata__ must map strings to strings, and "n" is 1/,
    ],
    ['metadata that is no object', fileOf({ __metadata__: ['x'] }), /__metadata__ must map strings to strings/],
    [
      'whole numbers',
      fileOf({ a: tensor('I32', [1], 0, 4) }, 4),
      /tensor "a": elements of type I32; F64, F32, F16 and BF16/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect((await failure(bytes)).message).toMatch(message);
  });

  it('missing files are told apart from damaged ones', async () => {
    await expect(readSafetensors(join(folder, 'none'))).rejects.toThrow(FileAccessError);
    await expect(readSafetensors(folder)).rejects.toThrow(FileAccessError);
  });

  it('a changed byte of the header gives tensors within the file or a typed error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 303 }), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const bytes = torchSafetensors.slice();
        bytes[at] = value;
        writeFileSync(file, bytes);
        const result = await readSafetensors(file).catch((e: unknown) => e);
        if (result instanceof Error) expect(result).toBeInstanceOf(HmatrixError);
        else
          expect(
            [...(result as Awaited<ReturnType<typeof readSafetensors>>).tensors.values()].reduce(
              (sum, { data }) => sum + data.length,
              0,
            ),
          ).toBe(20);
      }),
      { numRuns: 150 },
    );
  });
});
