/** HDF5 files: what is written is read back, by the library and by h5py, and what is refused. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
import { RandomStream } from '#hmatrix/core/random.js';
import { view } from '#hmatrix/dense/matrix.js';
import { readHdf5Matrix } from '#hmatrix/io/hdf5-read.js';
import { linesOf, tileShape, tilesOf } from '#hmatrix/io/hdf5-tiles.js';
import { writeHdf5Matrix } from '#hmatrix/io/hdf5-write.js';
import { readMatrix } from '#hmatrix/io/matrix-file.js';
import { readNpyMatrix } from '#hmatrix/io/npy.js';
import { readPoints, readSamples } from '#hmatrix/io/points.js';
import { readTensors, writeTensors } from '#hmatrix/io/tensors.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { readWeights, writeWeights } from '#hmatrix/network/weights-file.js';
import { interpreterWith, runPython, without } from '../python/interpreter.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const file = at('a.h5');
const h5py = interpreterWith('h5py', 'numpy');

const product = (shape: readonly number[]): number => shape.reduce((all, n) => all * n, 1);
const counted = (length: number): Float64Array => Float64Array.from({ length }, (_, k) => k);

describe('parts of a dataset', () => {
  it('cover every element once, are whole chunks and no larger than asked, and their lines lie in C order', () => {
    const axis = fc.record({ size: fc.integer({ min: 0, max: 7 }), chunk: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(
        fc.array(axis, { maxLength: 4 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 60 }),
        (axes, chunked, most) => {
          const shape = axes.map(({ size }) => size);
          const chunks = axes.map(({ size, chunk }) => Math.max(1, Math.min(size, chunk)));
          const tile = tileShape(shape, chunked ? chunks : null, most);
          const unit = chunked ? chunks : shape.map(() => 1);
          tile.forEach((n, k) => {
            if (n < shape[k]) expect(n % unit[k]).toBe(0);
          });
          expect(product(tile)).toBeLessThanOrEqual(Math.max(most, product(unit)));
          const seen: number[] = [];
          for (const part of tilesOf(shape, tile)) {
            const { starts, length } = linesOf(shape, part);
            expect(starts.length * length).toBe(product(part.count));
            for (const start of starts) for (let k = 0; k < length; k++) seen.push(start + k);
          }
          expect(seen.sort((a, b) => a - b)).toEqual([...counted(product(shape))]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('HDF5', () => {
  it('tensors come back as they were, of any rank, in groups, and both precisions', async () => {
    const shapes = fc.record({
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
      double: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^(g|h ü)\/[a-z]{1,4}$|^[i-z.]*[i-z]$/), shapes, { maxKeys: 5 }),
        fc.nat(),
        async (given, seed) => {
          const random = new RandomStream(seed);
          const tensors = Object.entries(given).map(([name, { shape, double }]) => {
            const data = double ? new Float64Array(product(shape)) : new Float32Array(product(shape));
            random.fillNormal(data);
            return [name, { shape, data }] as const;
          });
          await writeTensors(file, new Map(tensors));
          const { tensors: found, others } = await readTensors(file);
          expect([others, [...found.keys()].sort()]).toEqual([[], tensors.map(([name]) => name).sort()]);
          for (const [name, { shape, data }] of tensors) {
            expect(found.get(name)!.shape).toEqual(shape);
            expect(found.get(name)!.data.constructor).toBe(data.constructor);
            expect([...found.get(name)!.data]).toEqual([...data]);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('a matrix of several parts, with gaps between its columns, keeps its order', async () => {
    // Rows of the dataset do not fit one part, nor do they end where parts do.
    const [rows, cols, ld] = [1201, 1013, 1210];
    const matrix = view(counted(ld * cols), 0, rows, cols, ld);
    const progress: number[] = [];
    await writeHdf5Matrix(`${at('parts.h5')}:/deep/er/m`, matrix, {
      onProgress: ({ done, total }) => progress.push(done / total),
    });
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toBe(1);
    const back = await readHdf5Matrix(at('parts.h5'));
    expect([back.rows, back.cols, back.ld]).toEqual([rows, cols, rows]);
    expect(back.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(back.data.every((value, k) => value === (k % rows) + ld * Math.floor(k / rows))).toBe(true);
    // Row i of the file is point i.
    const { coordinates } = await readPoints(at('parts.h5'), { limit: 700 });
    expect(coordinates.every((value, k) => value === Math.floor(k / cols) + ld * (k % cols))).toBe(true);
  });

  it('the dataset is told by the path, by the option name, or is the only one of numbers', async () => {
    await writeTensors(file, { K: { shape: [2, 2], data: [1, 2, 3, 4] }, 'g/x': { shape: [3], data: [5, 6, 7] } });
    expect([...(await readHdf5Matrix(`${file}:/K`)).data]).toEqual([1, 3, 2, 4]);
    expect([...(await readMatrix(`${file}:g/x`)).data]).toEqual([5, 6, 7]);
    expect([...(await readSamples(file, { name: 'K' })).data]).toEqual([1, 2, 3, 4]);
    expect([...(await readSamples(file, { name: '/g/x' })).data]).toEqual([5, 6, 7]);
    await expect(readPoints(file)).rejects.toThrow(
      /holds 2 datasets, "K" \(2, 2\), "g\/x" \(3,\): say which one, .*a\.h5:\/K/,
    );
    await expect(readHdf5Matrix(`${file}:/k`)).rejects.toThrow(/no dataset "k"; there are "K" \(2, 2\), "g\/x"/);
    await expect(readSamples(`${file}:/K`, { name: 'K' })).rejects.toThrow(/give one of them/);
    for (const read of [() => readPoints(file), () => readHdf5Matrix(`${file}:/k`)])
      await expect(read()).rejects.toThrow(OptionError);
    await writeTensors(file, { t: { shape: [2, 1, 2], data: [1, 2, 3, 4] } });
    await expect(readHdf5Matrix(file)).rejects.toThrow(/"t" has rank 3 and shape \(2, 1, 2\)/);
    await expect(readTensors(file, { shapes: { t: [4] } })).rejects.toThrow(ShapeError);
  });

  it('under another name the first bytes tell', async () => {
    const other = at('standard-input');
    await writeHdf5Matrix(file, [1, 2]);
    writeFileSync(other, readFileSync(file));
    expect([...(await readMatrix(other)).data]).toEqual([1, 2]);
    expect([...(await readPoints(other)).coordinates]).toEqual([1, 2]);
    expect((await readTensors(other)).tensors.get('matrix')!.shape).toEqual([2, 1]);
    await expect(readNpyMatrix(other)).rejects.toThrow(/It is an HDF5 file, which readMatrix/);
  });

  it('weights of a network come back', async () => {
    const network = defineNetwork({ widths: [3, 4, 2], activation: 'tanh' });
    const parameters = initialParameters(network, 1);
    for (const convention of ['pytorch', 'flax'] as const) {
      await writeWeights(at('w.h5'), network, parameters, { convention });
      expect([...(await readWeights(at('w.h5'), network)).parameters]).toEqual([...parameters]);
    }
  });

  it('is written whole or not at all', async () => {
    await writeHdf5Matrix(file, [1, 2, 3]);
    const before = readFileSync(file);
    const signal = { aborted: false };
    const aborting = writeHdf5Matrix(file, view(new Float64Array(2_400_000), 0, 2000, 1200), {
      signal,
      onProgress: () => (signal.aborted = true),
    });
    await expect(aborting).rejects.toThrow(AbortedError);
    for (const name of ['a//b', '../x', 'a/'])
      await expect(writeHdf5Matrix(`${file}:/${name}`, [1]), name).rejects.toThrow(OptionError);
    await expect(
      writeTensors(file, { a: { shape: [1], data: [1] }, 'a/b': { shape: [1], data: [1] } }),
    ).rejects.toThrow(/"a" cannot be a dataset and the group of "a\/b"/);
    await expect(writeTensors(file, { a: { shape: [2], data: [1] } })).rejects.toThrow(ShapeError);
    expect(readFileSync(file).equals(before)).toBe(true);
    await expect(writeHdf5Matrix(at('none/x.h5'), [1])).rejects.toThrow(FileAccessError);
    await expect(readHdf5Matrix(at('none.h5'))).rejects.toThrow(FileAccessError);
    expect(existsSync(at('none.h5'))).toBe(false);
  });

  it('a dataset is written into a file of its own, and replaces itself alone: other data are not lost', async () => {
    const path = at('kept.h5');
    await writeTensors(path, { a: { shape: [2], data: [1, 2] }, 'g/b': { shape: [1], data: [3] } });
    const before = readFileSync(path);
    for (const name of ['c', 'a', 'g/c', 'g'])
      await expect(writeHdf5Matrix(`${path}:/${name}`, [1]), name).rejects.toThrow(/would be lost.*replace all of it/);
    expect(readFileSync(path).equals(before)).toBe(true);
    await writeHdf5Matrix(path, [1]);
    await expect(writeHdf5Matrix(`${path}:/matrix`, [4])).resolves.toBeUndefined();
    expect([...(await readHdf5Matrix(path)).data]).toEqual([4]);
    writeFileSync(at('begun.h5'), '');
    await writeHdf5Matrix(`${at('begun.h5')}:/g/x`, [5]);
    await writeHdf5Matrix(`${at('begun.h5')}:/g/x`, [6]);
    expect([...(await readHdf5Matrix(at('begun.h5'))).data]).toEqual([6]);
    writeFileSync(at('table.h5'), 'x,y');
    await expect(writeHdf5Matrix(`${at('table.h5')}:/x`, [1])).rejects.toThrow(FileFormatError);
  });

  it('arrays by name are those of a whole file, not of a dataset', async () => {
    for (const path of [`${file}:/a`, `${file}:`]) {
      await expect(writeTensors(path, { a: { shape: [1], data: [1] } })).rejects.toThrow(
        /a whole file.*: give .*a\.h5,/,
      );
      await expect(readTensors(path)).rejects.toThrow(/a whole file.*: give .*a\.h5,/);
      expect(existsSync(path)).toBe(false);
    }
  });

  it('what is foreign, cut off or damaged is a typed error, and is read anew when it is right again', async () => {
    writeFileSync(file, 'x,y\n1,2\n');
    await expect(readHdf5Matrix(file)).rejects.toThrow(/not an HDF5 file/);
    await writeTensors(file, { 'g/x': { shape: [3, 4], data: counted(12) }, y: { shape: [5], data: counted(5) } });
    const bytes = readFileSync(file);
    const random = new RandomStream(3);
    let refused = 0;
    for (let k = 0; k < 160; k++) {
      const mutant = Buffer.from(bytes);
      for (let changes = 1 + random.integer(3); changes > 0; changes--)
        mutant[random.integer(mutant.length)] = [0, 1, 127, 128, 255][random.integer(5)];
      writeFileSync(file, k % 4 === 0 ? mutant.subarray(0, random.integer(mutant.length)) : mutant);
      const error: unknown = await readTensors(file).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) continue;
      refused++;
      expect(error).toBeInstanceOf(HmatrixError);
      // Neither a path of the machine that built the library, nor a page of it.
      expect((error as Error).message).not.toMatch(/\n|__w/);
    }
    expect(refused).toBeGreaterThanOrEqual(40);
    writeFileSync(file, bytes);
    expect([...(await readTensors(file)).tensors.get('g/x')!.data]).toEqual([...counted(12)]);
  });
});

describe(`h5py${without(h5py, 'h5py')}`, () => {
  const WRITE = `
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], 'w', libver=sys.argv[2]) as f:
    a = np.arange(-3, 9).reshape(3, 4)
    for t in ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8', 'i1', '<i2', '>i2', '<i4', '>i4', '<i8', '>i8'):
        f['types/' + t] = a.astype(t)
    for t in ('u1', '<u2', '>u4', '<u8'):
        f['types/' + t] = (a + 3).astype(t)
    f['types/b'] = a > 0
    f['column'] = np.arange(5.)[:, None]
    f['fortran'] = np.asfortranarray(a / 8)
    f['single'] = np.float64(2.5)
    big = np.arange(300000.).reshape(600, 500)
    f.create_dataset('chunks', data=big, chunks=(64, 70), compression='gzip', shuffle=True, fletcher32=True)
    f.create_dataset('lzf', data=big, compression='lzf')
    f.create_dataset('sparse', shape=(10**7, 10**7), chunks=(10, 10))
    f['text'] = 'no number'
    f['complex'] = np.array([1 + 2j])
    f['empty'] = h5py.Empty('f8')
    f['link'] = h5py.SoftLink('/fortran')
    f['dangling'] = h5py.SoftLink('/none')
    f['loop'] = h5py.SoftLink('/')
    f['other'] = h5py.ExternalLink('other.h5', '/x')
`;

  it.skipIf(h5py === undefined).each(['earliest', 'latest'])('writes what is read, of version %s', async (version) => {
    await runPython(h5py!, WRITE, [file, version]);
    const integers = Float64Array.from({ length: 12 }, (_, k) => k - 3);
    const transposed = (data: ArrayLike<number>): number[] =>
      Array.from({ length: 12 }, (_, k) => data[4 * (k % 3) + Math.floor(k / 3)]);
    const { tensors, others } = await readTensors(file, {
      shapes: Object.fromEntries(['<f2', '>f4', '>f8', '>i2', 'b', '<u8'].map((type) => [`types/${type}`, [3, 4]])),
    });
    expect(tensors.get('types/<f2')!.data).toBeInstanceOf(Float32Array);
    expect([...tensors.get('types/b')!.data]).toEqual([...integers].map((value) => Number(value > 0)));
    expect(others).toContain('text');
    for (const type of ['<f2', '>f2', '<f4', '>f4', '<f8', '>f8', 'i1', '<i2', '>i2', '<i4', '>i4', '<i8', '>i8'])
      expect([type, ...(await readHdf5Matrix(`${file}:/types/${type}`)).data]).toEqual([type, ...transposed(integers)]);
    for (const type of ['u1', '<u2', '>u4', '<u8'])
      expect([type, ...(await readHdf5Matrix(`${file}:/types/${type}`)).data]).toEqual([
        type,
        ...transposed(counted(12)),
      ]);
    for (const name of ['fortran', 'link'])
      expect([...(await readHdf5Matrix(`${file}:/${name}`)).data]).toEqual(transposed(integers.map((x) => x / 8)));
    expect((await readTensors(file, { shapes: { single: [] } })).tensors.get('single')!.data[0]).toBe(2.5);
    const { rows, data } = await readHdf5Matrix(`${file}:/chunks`);
    expect(data.every((value, k) => value === 500 * (k % rows) + Math.floor(k / rows))).toBe(true);
    expect((await readSamples(file, { name: 'chunks' })).data.every((value, k) => value === k)).toBe(true);
    const refusals: readonly (readonly [string, unknown, RegExp])[] = [
      ['lzf', FileFormatError, /filter "lzf".*compression='gzip'/],
      ['sparse', MemoryError, /dataset "sparse" needs/],
      ['text', FileFormatError, /holds texts/],
      ['complex', FileFormatError, /records or complex numbers/],
      ['empty', FileFormatError, /has no shape/],
      ['single', FileFormatError, /rank 0/],
      ['dangling', OptionError, /no dataset "dangling"/],
      ['other', OptionError, /no dataset "other"/],
    ];
    for (const [name, type, message] of refusals) {
      const error: unknown = await readHdf5Matrix(`${file}:/${name}`).catch((thrown: unknown) => thrown);
      expect(error, name).toBeInstanceOf(type);
      expect((error as Error).message).toMatch(message);
    }
  });

  const VIRTUAL = `
import os, sys, h5py, numpy as np
os.chdir(sys.argv[1])
with h5py.File('there.h5', 'w') as f:
    f['x'] = np.arange(6.).reshape(2, 3)
with h5py.File('virtual.h5', 'w') as f:
    f['own'] = np.arange(6.).reshape(2, 3)
    f['link'] = h5py.ExternalLink('there.h5', '/x')
    for name, file, source in (('whole', 'there.h5', 'x'), ('self', '.', 'own'), ('moved', '/none/there.h5', 'x'),
                               ('half', 'none.h5', 'x'), ('renamed', 'there.h5', 'y'), ('lost', '.', 'none')):
        layout = h5py.VirtualLayout((4, 3), 'f8')
        layout[:2] = h5py.VirtualSource('there.h5', 'x', (2, 3))
        layout[2:] = h5py.VirtualSource(file, source, (2, 3))
        f.create_virtual_dataset(name, layout)
`;

  it.skipIf(h5py === undefined)('virtual datasets are whole, or refused by the source that is not there', async () => {
    await runPython(h5py!, VIRTUAL, [folder]);
    const path = at('virtual.h5');
    const read = async (name: string): Promise<number[]> => [...(await readHdf5Matrix(`${path}:/${name}`)).data];
    for (const name of ['whole', 'self', 'moved'])
      expect(await read(name), name).toEqual([0, 3, 0, 3, 1, 4, 1, 4, 2, 5, 2, 5]);
    expect(await read('link')).toEqual([0, 3, 1, 4, 2, 5]);
    for (const [name, source] of [
      ['half', 'none.h5:x'],
      ['renamed', 'there.h5:y'],
      ['lost', 'none'],
    ]) {
      const error: unknown = await read(name).catch((thrown: unknown) => thrown);
      expect(error, name).toBeInstanceOf(FileAccessError);
      expect((error as Error).message).toContain(`"${name}" is put together from others, and ${source} is not there`);
    }
  });

  it.skipIf(h5py === undefined)('reads what is written', async () => {
    const random = new RandomStream(1);
    const [single, double] = [new Float32Array(24), new Float64Array(1_210_000)];
    random.fillNormal(single);
    random.fillNormal(double);
    const tensors = {
      'net/0.weight': { shape: [2, 3, 4], data: single },
      'net/big': { shape: [1100, 1100], data: double },
    };
    await writeTensors(file, tensors);
    const program = `
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    for name, out in zip(('net/0.weight', 'net/big'), sys.argv[2:]):
        d = f[name]
        print(d.dtype.str, *d.shape)
        open(out, 'wb').write(d[()].tobytes())
`;
    const [first, second] = [at('first'), at('second')];
    expect(await runPython(h5py!, program, [file, first, second])).toBe('<f4 2 3 4\n<f8 1100 1100\n');
    expect(readFileSync(first).equals(Buffer.from(single.buffer))).toBe(true);
    expect(readFileSync(second).equals(Buffer.from(double.buffer))).toBe(true);
  });
});
