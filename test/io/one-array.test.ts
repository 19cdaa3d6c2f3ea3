/** One array of an .npz archive or a safetensors file, as a vector, a matrix or points. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError, HmatrixError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, type Matrix } from '#hmatrix/dense/matrix.js';
import { fileName, splitArrayPath } from '#hmatrix/io/array-path.js';
import { isTable } from '#hmatrix/io/csv-format.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { readMatrix, writeMatrix } from '#hmatrix/io/matrix-file.js';
import { isMatrixMarket } from '#hmatrix/io/matrix-market.js';
import { readNpyMatrix, writeNpy } from '#hmatrix/io/npy.js';
import { readNpz, writeNpz } from '#hmatrix/io/npz.js';
import { readPoints, readSamples } from '#hmatrix/io/points.js';
import { writeSafetensors } from '#hmatrix/io/safetensors.js';
import { interpreterWith, runPython, without } from '../python/interpreter.js';
import { numpyDeflated, numpyStored, savedArrays } from './array-fixtures.js';
import { temporaryFolder } from './temporary-folder.js';
import { zipBytes } from './zip-bytes.js';

const folder = temporaryFolder();
const at = (name: string): string => `${folder}/${name}`;
const numpy = interpreterWith('numpy');

/** Entries of a matrix, column by column, without gaps. */
const entries = ({ data, offset, rows, cols, ld }: Matrix): number[] =>
  Array.from({ length: rows * cols }, (_, k) => data[offset + (k % rows) + ld * Math.floor(k / rows)]);

describe('names of arrays', () => {
  it('come after the ending of a file; a colon elsewhere is the name of a file', () => {
    const parts = (path: string) => [splitArrayPath(path).file, splitArrayPath(path).name, splitArrayPath(path).kind];
    expect(parts('K.npz:layer.0/weight')).toEqual(['K.npz', 'layer.0/weight', 'npz']);
    expect(parts('C:\\data\\K.NPZ')).toEqual(['C:\\data\\K.NPZ', undefined, 'npz']);
    expect(parts('C:\\data\\K.safetensors:a:b')).toEqual(['C:\\data\\K.safetensors', 'a:b', 'safetensors']);
    expect(parts('10:30/run:2.npz')).toEqual(['10:30/run:2.npz', undefined, 'npz']);
    expect(parts('K.npz:/a')).toEqual(['K.npz', '/a', 'npz']);
    expect(parts('K.h5:/g/a')).toEqual(['K.h5', 'g/a', 'hdf5']);
    expect(parts('normal:4,2')).toEqual(['normal:4,2', undefined, undefined]);
    expect(parts('.npz:a')).toEqual(['.npz:a', undefined, undefined]);
    expect(['d/K.npz:x/y', 'd/K.h5:y', 'd/K.npy'].map(fileName)).toEqual(['K.npz:x/y', 'K.h5:/y', 'K.npy']);
    expect([isTable('K.npz:a.csv'), isMatrixMarket('K.safetensors:a.mtx')]).toEqual([false, false]);
  });
});

describe.each(['npz', 'safetensors'] as const)('one array of .%s', (ending) => {
  const file = at(`one.${ending}`);
  const write = ending === 'npz' ? writeNpz : writeSafetensors;

  it('comes back as it was, whatever it is called, with gaps or without, in both precisions', async () => {
    const named = fc.oneof(
      fc.constantFrom('a.csv', 'x:y', 'layer.0.weight', 'a/b', '/a', ' ', 'Größe 漢', '__proto__', '0', 'b.npz:c'),
      fc.stringMatching(/^[a-z.:/ü]{1,9}$/),
    );
    const sizes = fc.integer({ min: 0, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        named,
        sizes,
        sizes,
        fc.integer({ min: 0, max: 2 }),
        fc.boolean(),
        async (name, m, n, gap, f) => {
          fc.pre(!/\.(npz|safetensors|h5|hdf5):/.test(name) || name === 'b.npz:c');
          const ld = m + gap;
          const data = f ? new Float32Array(ld * n + 2) : new Float64Array(ld * n + 2);
          new RandomStream(m + n).fillNormal(data);
          const matrix = view(data, 2, m, n, ld);
          // The last ending counts: such a name is told by the option alone.
          const path = name === 'b.npz:c' ? file : `${file}:${name}`;
          writeFileSync(file, '');
          await writeMatrix(path, matrix);
          const back = await readMatrix(path);
          expect([back.rows, back.cols, entries(back)]).toEqual([m, n, entries(matrix)]);
          expect(back.data.constructor).toBe(data.constructor);
          expect(back.data.buffer).toBeInstanceOf(SharedArrayBuffer);
          if (m * n === 0) return;
          const { coordinates } = await readPoints(path);
          expect([...coordinates]).toEqual(
            Array.from({ length: m * n }, (_, k) => entries(matrix)[(k % n) * m + Math.floor(k / n)]),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the one named, or the only one; of several those that there are are told, not more than eight', async () => {
    const one = { shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) };
    await write(file, new Map([['only', one]]));
    expect([...(await readMatrix(file)).data]).toEqual([1, 3, 2, 4]);
    expect([...(await readSamples(file, { name: 'only' })).data]).toEqual([1, 2, 3, 4]);
    await write(
      file,
      new Map(Array.from({ length: 11 }, (_, k) => [`a.${k}`, { shape: [k], data: new Float64Array(k) }])),
    );
    await expect(readMatrix(file)).rejects.toThrow(
      /holds 11 \w+s, "a\.0" \(0,\), .*"a\.7" \(7,\), … \(11\): say which one, .*one\.\w+:a\.0\./,
    );
    for (const path of [file, `${file}:b`, `${file}:`]) await expect(readMatrix(path)).rejects.toThrow(OptionError);
    await expect(readPoints(`${file}:b`)).rejects.toThrow(/there is no \w+ "b"; there are "a\.0" \(0,\)/);
    await expect(readSamples(`${file}:a.1`, { name: 'a.1' })).rejects.toThrow(/give one of them/);
    await write(file, new Map([['t', { shape: [2, 1, 2], data: new Float64Array(4) }]]));
    await expect(readMatrix(file)).rejects.toThrow(/one\.\w+: \w+ "t(\.npy)?".* rank 3 and shape \(2, 1, 2\)/);
    await write(file, new Map([['t', { shape: [], data: Float64Array.of(1) }]]));
    await expect(readPoints(file)).rejects.toThrow(FileFormatError);
    await write(file, new Map());
    await expect(readMatrix(file)).rejects.toThrow(/holds no \w+\./);
  });

  it('is known by its first bytes under another name', async () => {
    await writeMatrix(file, [1, 2]);
    writeFileSync(at('standard-input'), readFileSync(file));
    expect([...(await readMatrix(at('standard-input'))).data]).toEqual([1, 2]);
    expect([...(await readPoints(at('standard-input'))).coordinates]).toEqual([1, 2]);
    writeFileSync(at(`x.${ending}`), readFileSync(at('standard-input')).subarray(0, 40));
    await expect(readMatrix(at(`x.${ending}`))).rejects.toThrow(/damaged/);
    await writeNpy(at(`y.${ending}`), { shape: [1], data: Float64Array.of(1) });
    await expect(readMatrix(at(`y.${ending}`))).rejects.toThrow(/It is an \.npy array/);
  });

  it('is written into a file of its own, and replaces itself alone: other arrays are not lost', async () => {
    const path = at(`kept.${ending}`);
    await write(path, new Map(['a', 'b'].map((name) => [name, { shape: [1], data: Float64Array.of(1) }])));
    const before = readFileSync(path);
    for (const name of ['a', 'c'])
      await expect(writeMatrix(`${path}:${name}`, [1]), name).rejects.toThrow(
        /holds .*"b".* would be lost.*replace all/,
      );
    await expect(writeMatrix(`${path}:`, [1])).rejects.toThrow(OptionError);
    expect(readFileSync(path).equals(before)).toBe(true);
    await writeMatrix(path, [1]);
    await writeMatrix(`${path}:matrix`, [4]);
    expect([...(await readMatrix(`${path}:matrix`)).data]).toEqual([4]);
    writeFileSync(at(`table.${ending}`), 'x,y');
    await expect(writeMatrix(`${at(`table.${ending}`)}:x`, [1])).rejects.toThrow(FileFormatError);
    expect(readFileSync(at(`table.${ending}`), 'utf8')).toBe('x,y');
  });

  it('is written whole or not at all, piece by piece', async () => {
    await writeMatrix(file, [1]);
    const before = readFileSync(file);
    const signal = { aborted: false };
    // Rows and columns with gaps, of more than one piece.
    const [rows, cols, ld] = [2003, 1101, 2010];
    const matrix = view(
      Float64Array.from({ length: ld * cols }, (_, k) => k),
      0,
      rows,
      cols,
      ld,
    );
    await expect(writeMatrix(file, matrix, { signal, onProgress: () => (signal.aborted = true) })).rejects.toThrow(
      AbortedError,
    );
    await expect(writeMatrix(file, { ...matrix, rows: 3000 })).rejects.toThrow(ShapeError);
    await expect(writeMatrix(at(`none/x.${ending}`), [1])).rejects.toThrow(/Cannot write/);
    expect(readFileSync(file).equals(before)).toBe(true);
    const progress: number[] = [];
    await writeMatrix(file, matrix, { onProgress: ({ done, total }) => progress.push(done / total) });
    expect([progress.length > 1, progress.at(-1)]).toEqual([true, 1]);
    const back = await readMatrix(file);
    expect(back.data.every((value, k) => value === (k % rows) + ld * Math.floor(k / rows))).toBe(true);
    expect(existsSync(at('none'))).toBe(false);
  });
});

describe('writeMatrix', () => {
  it('writes what the ending says', async () => {
    for (const name of ['m.npy', 'm.mtx', 'm.npz', 'm.safetensors', 'm.h5']) {
      await writeMatrix(at(name), view(Float64Array.of(1, 2, 3, 4, 5, 6), 0, 3, 2));
      const { rows, cols, data } = await readMatrix(at(name));
      expect([name, rows, cols, ...data]).toEqual([name, 3, 2, 1, 2, 3, 4, 5, 6]);
    }
    for (const name of ['m', 'm.csv', 'm.mtx.gz', 'm.npy:a'])
      await expect(writeMatrix(at(name), [1])).rejects.toThrow(/name the file \.npy, \.npz, \.safetensors/);
  });
});

describe('members of archives', () => {
  it('whose lines are longer than a tile come in both orders, stored or deflated; damage is found', async () => {
    const [lines, width] = [3, 400_000];
    const data = Float64Array.from({ length: lines * width }, (_, k) => k % 1009);
    await writeNpy(at('wide.npy'), { shape: [lines, width], data });
    const bytes = new Uint8Array(readFileSync(at('wide.npy')));
    for (const method of [0, 8]) {
      writeFileSync(at('wide.npz'), zipBytes([{ name: 'w.npy', bytes, method }]));
      const turned = await readMatrix(at('wide.npz'));
      expect(turned.data.every((v, k) => v === data[(k % lines) * width + Math.floor(k / lines)])).toBe(true);
      expect((await readPoints(at('wide.npz'))).coordinates.every((v, k) => v === data[k])).toBe(true);
      const damaged = bytes.slice();
      damaged[bytes.length - 9] ^= 1;
      writeFileSync(at('wide.npz'), zipBytes([{ name: 'w.npy', bytes: damaged, method, crc: crc32(bytes) }]));
      for (const read of [readMatrix, readPoints])
        await expect(read(at('wide.npz'))).rejects.toThrow(/member "w\.npy": its CRC-32 is/);
    }
  });

  it.each([
    ['stored', numpyStored],
    ['deflated', numpyDeflated],
  ])('with any one flipped bit are the same or a typed error: %s', async (_, bytes) => {
    const { data, shape } = savedArrays['net/b'];
    const path = at('flipped.npz');
    for (let byte = 0; byte < bytes.length; byte += 2) {
      const wrong = bytes.slice();
      wrong[byte] ^= 1 << ((byte / 2) % 8);
      writeFileSync(path, wrong);
      const result = await readMatrix(`${path}:net/b`).catch((e: unknown) => e);
      if (result instanceof Error) expect(result, `byte ${byte}`).toBeInstanceOf(HmatrixError);
      else expect([(result as Matrix).rows, [...(result as Matrix).data]]).toEqual([shape[0], [...data]]);
    }
  });

  it('are told to be those of a hierarchical matrix where the library wrote them', async () => {
    writeFileSync(at('own.npz'), zipBytes([{ name: 'hmatrix.json', bytes: Buffer.from('{}') }]));
    for (const read of [readMatrix, readPoints])
      await expect(read(at('own.npz'))).rejects.toThrow(/It is a hierarchical matrix, which load/);
  });
});

/** What writes and reads safetensors files in Python by NumPy alone: the format's own library is not there. */
const SAFETENSORS = `
import json, struct, sys, numpy
def save(path, arrays):
    header, at = {}, 0
    for name, (dtype, array) in arrays.items():
        header[name] = {'dtype': dtype, 'shape': array.shape, 'data_offsets': [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(a.tobytes() for _, a in arrays.values()))
def load(path):
    data = open(path, 'rb').read()
    end = 8 + struct.unpack('<Q', data[:8])[0]
    types = {'F64': '<f8', 'F32': '<f4'}
    return {name: numpy.frombuffer(data[end:][slice(*one['data_offsets'])], types[one['dtype']]).reshape(one['shape'])
            for name, one in json.loads(data[8:end]).items()}
`;

describe.skipIf(numpy === undefined)(`beside NumPy${without(numpy, 'numpy')}`, () => {
  it('every type of numbers is read as NumPy converts it, in any order; others are refused', async () => {
    const types = ['f8', 'f4', 'f2', 'i8', 'i4', 'i2', 'i1', 'u8', 'u4', 'u2', 'u1', '?'];
    await runPython(
      numpy!,
      `${SAFETENSORS}
x = numpy.arange(35, dtype='f8').reshape(5, 7) * 3
arrays = {}
for t in '${types.join(' ')}'.split():
    arrays['<' + t] = x.astype('<' + t)
    arrays['>' + t] = numpy.asfortranarray(x.astype('>' + t))
numpy.savez('${at('all.npz')}', **arrays)
arrays.update(c=x + 1j, s=numpy.array(['a', 'b']), o=numpy.array([None], dtype=object))
numpy.savez_compressed('${at('packed.npz')}', **arrays)
names = dict(zip('${types.join(' ')}'.split(), 'F64 F32 F16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL'.split()))
tensors = {'<' + t: (name, x.astype('<' + t)) for t, name in names.items()}
tensors['bf'] = ('BF16', (x.astype('<f4').view('<u4') >> 16).astype('<u2'))
tensors['c'] = ('C64', x.astype('<c8'))
save('${at('all.safetensors')}', tensors)
numpy.save('${at('x.npy')}', x)
numpy.savez('${at('mixed.npz')}', names=numpy.array(['a']), x=x)`,
      [],
    );
    const expected = entries(await readNpyMatrix(at('x.npy')));
    const single = (type: string): boolean => /f[24]$|^bf$/.test(type);
    const check = async (path: string, type: string): Promise<void> => {
      const found = await readMatrix(`${path}:${type}`);
      const values = type.endsWith('?') ? expected.map((v) => (v === 0 ? 0 : 1)) : expected;
      expect([path, type, entries(found)]).toEqual([path, type, values]);
      expect(found.data instanceof Float32Array).toBe(single(type));
    };
    for (const type of types) {
      for (const order of '<>') for (const name of ['all.npz', 'packed.npz']) await check(at(name), order + type);
      await check(at('all.safetensors'), `<${type}`);
    }
    await check(at('all.safetensors'), 'bf');
    expect(entries(await readMatrix(at('mixed.npz')))).toEqual(expected);
    for (const name of ['packed.npz:c', 'packed.npz:s', 'packed.npz:o', 'all.safetensors:c']) {
      const read = readMatrix(at(name));
      await expect(read, name).rejects.toThrow(FileFormatError);
      await expect(read).rejects.toThrow(
        /(packed\.npz: member "[cso]\.npy"|all\.safetensors: tensor "c"): elements of type/,
      );
    }
  }, 30_000);

  it('reads what is written here', async () => {
    const matrix = view(
      Float64Array.from({ length: 12 }, (_, k) => k / 3),
      1,
      3,
      2,
      4,
    );
    await writeMatrix(at('w.npz:a/b'), matrix);
    await writeMatrix(at('w.safetensors:layer.0:ü'), view(Float32Array.from(matrix.data), 1, 3, 2, 4));
    const printed = await runPython(
      numpy!,
      `${SAFETENSORS}
found = [{name: a for name, a in numpy.load('${at('w.npz')}').items()}, load('${at('w.safetensors')}')]
print(json.dumps([{name: [a.dtype.str, a.tolist()] for name, a in one.items()} for one in found]))`,
      [],
    );
    const rows = (of: (value: number) => number): number[][] =>
      [0, 1, 2].map((i) => [0, 1].map((j) => of(matrix.data[1 + i + 4 * j])));
    expect(JSON.parse(printed)).toEqual([
      { 'a/b': ['<f8', rows((v) => v)] },
      { 'layer.0:ü': ['<f4', rows(Math.fround)] },
    ]);
    expect(Object.keys(Object.fromEntries(await readNpz(join(folder, 'w.npz'))))).toEqual(['a/b']);
  });
});
