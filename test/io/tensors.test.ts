import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FileAccessError,
  FileFormatError,
  HmatrixError,
  NonFiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { writeNpz } from '#hmatrix/io/npz.js';
import { readSamples } from '#hmatrix/io/points.js';
import { writeSafetensors } from '#hmatrix/io/safetensors.js';
import { readTensors, writeTensors } from '#hmatrix/io/tensors.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const file = join(folder, 'model.safetensors');

const numbers = (length: number, seed: number): Float32Array => {
  const data = new Float32Array(length);
  new RandomStream(seed).fillNormal(data);
  return data;
};

/** A safetensors file with one float tensor, and one of 64-bit whole numbers, which the writer does not write. */
function writeWithCount(): void {
  const header = JSON.stringify({
    'bn.weight': { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    'bn.num_batches_tracked': { dtype: 'I64', shape: [], data_offsets: [8, 16] },
  });
  const bytes = new Uint8Array(8 + header.length + 16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 8 + header.length);
  writeFileSync(file, bytes);
}

const failureOf = async (call: () => Promise<unknown>): Promise<HmatrixError> => {
  const error: unknown = await call().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(HmatrixError);
  return error as HmatrixError;
};

describe('tensors by name', () => {
  it('come back as they were, of any rank and both precisions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.stringMatching(/^[a-z.]{1,8}$/),
          fc.record({ shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), double: fc.boolean() }),
          { maxKeys: 5 },
        ),
        fc.nat(),
        async (shapes, seed) => {
          const tensors = Object.entries(shapes).map(([name, { shape, double }]) => {
            const data = numbers(
              shape.reduce((product, n) => product * n, 1),
              seed,
            );
            return [name, { shape, data: double ? Float64Array.from(data) : data }] as const;
          });
          await writeTensors(file, new Map(tensors));
          const { tensors: found, others } = await readTensors(file);
          expect(others).toEqual([]);
          expect([...found.keys()].sort()).toEqual(tensors.map(([name]) => name).sort());
          for (const [name, { shape, data }] of tensors) {
            expect(found.get(name)!.shape).toEqual(shape);
            expect(found.get(name)!.data.constructor).toBe(data.constructor);
            expect([...found.get(name)!.data]).toEqual([...data]);
          }
          await writeTensors(file, Object.fromEntries(tensors));
          expect((await readTensors(file)).tensors.size).toBe(tensors.length);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are read by name and shape, others are listed', async () => {
    const shapes = { 'conv1.weight': [4, 3, 2, 2], 'bn1.running_mean': [4], 'attention.in_proj_weight': [6, 2] };
    const sizes = { 'conv1.weight': 48, 'bn1.running_mean': 4, 'attention.in_proj_weight': 12 };
    const tensors = Object.entries(shapes).map(
      ([name, shape], k) => [`module.${name}`, { shape, data: numbers(sizes[name as keyof typeof sizes], k) }] as const,
    );
    await writeTensors(file, new Map([...tensors, ['head.weight', { shape: [1], data: numbers(1, 9) }] as const]));
    const read = await readTensors(file, { shapes, prefix: 'module.' });
    expect([...read.tensors.keys()].sort()).toEqual(Object.keys(shapes).sort());
    expect(read.others).toEqual(['head.weight']);
    expect([...read.tensors.get('conv1.weight')!.data]).toEqual([...tensors[0][1].data]);
    const all = await readTensors(file, { prefix: 'module.' });
    expect([...all.tensors.keys()].sort()).toEqual(Object.keys(shapes).sort());
    const one = await readTensors(file, { shapes: { 'bn1.running_mean': [4] }, prefix: 'module.' });
    expect(one.tensors.size).toBe(1);
    expect(one.others).toHaveLength(3);
  });

  it('that are counts are left out, and refused where they are asked for', async () => {
    writeWithCount();
    const { tensors, others } = await readTensors(file);
    expect([...tensors.keys()]).toEqual(['bn.weight']);
    expect(others).toEqual(['bn.num_batches_tracked']);
    const failure = await failureOf(() => readTensors(file, { shapes: { 'bn.num_batches_tracked': [] } }));
    expect(failure).toBeInstanceOf(FileFormatError);
    expect(failure.message).toMatch(/elements of type I64/);
  });

  it('of NumPy are turned to C order', async () => {
    const npz = join(folder, 'model.npz');
    const data = numbers(6, 1);
    const arrays = new Map([['w', { shape: [2, 3], data, fortranOrder: true }]]);
    await writeNpz(npz, arrays);
    const { tensors } = await readTensors(npz, { shapes: { w: [2, 3] } });
    // Element (i, j) stood at i + 2j, and stands at 3i + j.
    expect([...tensors.get('w')!.data]).toEqual([0, 2, 4, 1, 3, 5].map((k) => data[k]));
    expect((await failureOf(() => readTensors(npz, { shapes: { w: [3, 2] } }))).message).toMatch(
      /"w" has shape \(2, 3\); \(3, 2\) is needed\. It would fit with its axes in the reverse order/,
    );
  });

  it('of any rank stand in archives of NumPy, of Fortran order too, and come back in C order', async () => {
    const npz = join(folder, 'ranks.npz');
    const shape = [2, 3, 4];
    const data = numbers(24, 2);
    const single = { shape: [], data: Float64Array.of(2.5) };
    await writeTensors(npz, { a: { shape, data }, single, none: { shape: [0, 2, 2], data: [] } });
    const { tensors } = await readTensors(npz);
    expect(tensors.get('a')).toEqual({ shape, data });
    expect(tensors.get('single')).toEqual(single);
    expect(tensors.get('none')!.shape).toEqual([0, 2, 2]);
    await writeNpz(npz, new Map([['a', { shape, data, fortranOrder: true }]]));
    // Element (i, j, k) stood at i + 2j + 6k.
    const expected = [...data].map((_, at) => data[Math.floor(at / 12) + 2 * (Math.floor(at / 4) % 3) + 6 * (at % 4)]);
    expect([...(await readTensors(npz)).tensors.get('a')!.data]).toEqual(expected);
    await expect(readSamples(npz)).rejects.toThrow(
      /"a\.npy": an array of rank 3 and shape \(2, 3, 4\); rank 1 or 2 is needed/,
    );
  });

  it('that are missing, of another shape, or not finite are named', async () => {
    const data = numbers(24, 1);
    await writeTensors(file, { 'a.weight': { shape: [2, 3, 4], data } });
    const missing = await failureOf(() => readTensors(file, { shapes: { 'b.weight': [2] } }));
    expect(missing).toBeInstanceOf(FileFormatError);
    expect(missing.message).toMatch(/"b\.weight" is missing; there are "a\.weight"/);
    for (const shape of [[2, 3], [2, 4, 3], [24], []]) {
      const failure = await failureOf(() => readTensors(file, { shapes: { 'a.weight': shape } }));
      expect(failure).toBeInstanceOf(ShapeError);
      expect(failure.message).toMatch(/"a\.weight" has shape \(2, 3, 4\)/);
    }
    const wrong = data.slice();
    wrong[1 * 12 + 2 * 4 + 3] = Number.NaN;
    await writeSafetensors(file, new Map([['a.weight', { shape: [2, 3, 4], data: wrong }]]));
    const failure = await failureOf(() => readTensors(file));
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure.message).toMatch(/"a\.weight"\[1, 2, 3\] is NaN/);
    for (const shapes of [[], 'w', { w: 3 }, { w: [-1] }])
      expect(await failureOf(() => readTensors(file, { shapes: shapes as never }))).toBeInstanceOf(OptionError);
    expect(await failureOf(() => readTensors(join(folder, 'none.npz')))).toBeInstanceOf(FileAccessError);
  });

  it('that are none are not written, and what was there stays', async () => {
    const before = readFileSync(file);
    const cases: readonly (readonly [unknown, unknown, RegExp])[] = [
      [{ w: [1, 2] }, OptionError, /"w" of writeTensors must be \{ shape, data \}/],
      [{ w: { shape: [3], data: [1, 2] } }, ShapeError, /shape \(3\) does not describe 2/],
      [{ w: { shape: [1], data: ['1'] } }, ShapeError, /"w"\.data\[0\] must be a number/],
      [undefined, OptionError, /not undefined/],
    ];
    for (const [tensors, type, message] of cases) {
      const failure = await failureOf(() => writeTensors(file, tensors as never));
      expect(failure).toBeInstanceOf(type as typeof ShapeError);
      expect(failure.message).toMatch(message);
    }
    expect(readFileSync(file)).toEqual(before);
    expect(await failureOf(() => writeTensors(join(folder, 'model.pt'), {}))).toBeInstanceOf(OptionError);
    expect(existsSync(join(folder, 'model.pt'))).toBe(false);
  });
});
