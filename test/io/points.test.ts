import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileFormatError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { readPoints, readSamples, type PointTable } from '#hmatrix/io/points.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import type { Points } from '#hmatrix/source/entry-source.js';
import { realData, temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const images = realData('mnist/t10k-images-idx3-ubyte.gz');
const births = realData('tabular/birth_rate.csv');

describe('points from files', () => {
  it('.npy, C and Fortran order, float32 and integers, CSV and TSV, name or no name: the same points', async () => {
    const expected = { dimension: 2, count: 3, coordinates: Float64Array.of(1, 2, 3, 4, 5, 6) };
    await writeNpy(at('c.npy'), { shape: [3, 2], data: Float64Array.of(1, 2, 3, 4, 5, 6) });
    await writeNpy(at('f.npy'), { shape: [3, 2], data: Float32Array.of(1, 3, 5, 2, 4, 6), fortranOrder: true });
    await writeNpy(at('i.npy'), { shape: [3, 2], data: Int32Array.of(1, 2, 3, 4, 5, 6) });
    copyFileSync(at('c.npy'), at('unnamed'));
    writeFileSync(at('x.csv'), 'x,y\n1,2\n3,4\n5,6\n');
    writeFileSync(at('x.tsv'), '1\t2\n3\t4\n5\t6\n');
    for (const name of ['c.npy', 'f.npy', 'i.npy', 'unnamed', 'x.csv', 'x.tsv']) {
      const points: Points & PointTable = await readPoints(at(name));
      expect(points.coordinates.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(points).toMatchObject({ ...expected, total: 3 });
      // Of a table, what follows the limit is not read.
      const total = /sv$/.test(name) ? undefined : 3;
      const two = { dimension: 2, count: 2, coordinates: Float64Array.of(1, 2, 3, 4) };
      expect(await readPoints(at(name), { limit: 2 })).toMatchObject({ ...two, total });
    }
  });

  it('of_a_rank_its_part_and_no_others_of_an_npy_file_in_C_order_are_read', async () => {
    const all = Float64Array.from({ length: 14 }, (_, k) => k + 1);
    const turned = Float64Array.from(all, (_, k) => all[2 * (k % 7) + Math.floor(k / 7)]);
    await writeNpy(at('p.npy'), { shape: [7, 2], data: all });
    await writeNpy(at('pf.npy'), { shape: [7, 2], data: turned, fortranOrder: true });
    await writeNpy(at('p1.npy'), { shape: [7], data: all.slice(0, 7) });
    const rows = Array.from({ length: 7 }, (_, i) => `${all[2 * i]},${all[2 * i + 1]},${i}\n`).join('');
    writeFileSync(at('p.csv'), `x,y,z\n${rows}1,,2\n`);
    for (const [name, dimension, options] of [
      ['p.npy', 2, {}],
      ['pf.npy', 2, {}],
      ['p1.npy', 1, {}],
      ['p.csv', 2, { columns: ['x', 'y'], values: 'z', incompleteRows: 'skip' }],
    ] as const)
      for (const [limit, size] of [
        [undefined, 3],
        [5, 3],
        [undefined, 9],
        [undefined, 1],
      ] as const) {
        const parts: PointTable[] = [];
        for (let rank = 0; rank < size; rank++)
          parts.push(await readPoints(at(name), { ...options, limit, part: { rank, size } }));
        const count = limit ?? 7;
        expect(parts.map((part) => part.count)).toEqual(
          parts.map((_, r) => Math.floor(((r + 1) * count) / size) - Math.floor((r * count) / size)),
        );
        const joined = parts.flatMap(({ coordinates }) => Array.from(coordinates));
        expect(joined).toEqual(Array.from(all.subarray(0, count * dimension)));
        if ('values' in options) {
          const numbers = Array.from({ length: count }, (_, i) => i);
          expect(parts.flatMap(({ values }) => Array.from(values!))).toEqual(numbers);
          expect(parts.flatMap(({ keptRows }) => Array.from(keptRows!))).toEqual(numbers);
        }
      }
    // A point of another rank's is not looked at; an own one is named by its row in the file.
    await writeNpy(at('nan.npy'), { shape: [4, 1], data: Float64Array.of(1, 2, 3, NaN) });
    expect((await readPoints(at('nan.npy'), { part: { rank: 0, size: 2 } })).coordinates).toEqual(
      Float64Array.of(1, 2),
    );
    await expect(readPoints(at('nan.npy'), { part: { rank: 1, size: 2 } })).rejects.toThrow('row 3, column 0');
    for (const part of [{ rank: 2, size: 2 }, { rank: 0.5, size: 2 }, { rank: 0 }])
      await expect(readPoints(at('nan.npy'), { part: part as never })).rejects.toThrow(/part must say which/);
  });

  it('of a table the columns that were taken are said', async () => {
    writeFileSync(at('train.csv'), 'x1;x2;y\n1,5;2;nan\n3;4,25;5\n');
    expect(await readPoints(at('train.csv'), { decimal: ',', columns: ['x2', 'x1'] })).toMatchObject({
      dimension: 2,
      coordinates: Float64Array.of(2, 1.5, 4.25, 3),
      table: { columns: [1, 0], names: ['x2', 'x1'], header: true, delimiter: ';', decimal: ',', skippedRows: 0 },
    });
    expect(await readPoints(at('train.csv'), { decimal: ',', incompleteRows: 'skip' })).toMatchObject({
      dimension: 3,
      count: 1,
      table: { names: ['x1', 'x2', 'y'], skippedRows: 1 },
    });
    expect((await readPoints(at('c.npy'))).table).toBeUndefined();
  });

  it('values_are_a_column_of_the_same_rows_and_the_rows_kept_are_told', async () => {
    writeFileSync(
      at('gp.csv'),
      'x1,x2,city,y\n1,2,Ulm,3\n4,,Bonn,6\n\n7,8,,9\n1,1,Kiel,NA\nnull,2,Jena,1\n5,6,Köln,7\n',
    );
    const skip = { incompleteRows: 'skip' } as const;
    const points = await readPoints(at('gp.csv'), { columns: ['x2', 'x1'], values: 'y', ...skip });
    expect(points).toMatchObject({
      dimension: 2,
      count: 3,
      total: 3,
      coordinates: Float64Array.of(2, 1, 8, 7, 6, 5),
      values: Float64Array.of(3, 9, 7),
      keptRows: Int32Array.of(0, 2, 5),
      table: { columns: [1, 0], names: ['x2', 'x1'], valuesName: 'y', leftOut: ['city'], skippedRows: 3 },
    });
    // By default all other columns are coordinates; the values are judged alone where that says so.
    writeFileSync(at('all.csv'), '1,2,3\n4,,6\n7,8,9\n');
    const all = await readPoints(at('all.csv'), { values: 2, ...skip, limit: 2 });
    expect([all.dimension, ...all.coordinates, ...all.values]).toEqual([2, 1, 2, 7, 8, 3, 9]);
    expect(Array.from((await readPoints(at('all.csv'), { columns: [0] })).keptRows!)).toEqual([0, 1, 2]);
    const samples = await readSamples(at('gp.csv'), { columns: ['x1'], values: 'y', ...skip });
    expect(samples).toMatchObject({ rows: 1, cols: 4, data: Float64Array.of(1, 4, 7, 5), table: { skippedRows: 2 } });
    expect([Array.from(samples.values), Array.from(samples.keptRows!)]).toEqual([
      [3, 6, 9, 7],
      [0, 1, 2, 5],
    ]);
    await expect(readPoints(at('gp.csv'), { columns: ['x1'], values: 'y' })).rejects.toThrow(
      /no value .*Taken: columns? "x1", values "y" \(named by the first row; left out: "x2", "city"\)/,
    );
  });

  it('values_that_cannot_be_taken_are_refused_by_name', async () => {
    const refused = (options: object): Promise<unknown> =>
      readPoints(at('gp.csv'), options).catch((error: unknown) => error);
    for (const [options, message] of [
      [{ columns: 'x1,x2' }, /columns must be an array .*columns: \['x1', 'x2'\], not the text "x1,x2"/],
      [{ columns: ['x1', null] }, /columns must be an array/],
      [{ columns: ['X1'] }, /no column "X1"; .*Did you mean "x1"\?/],
      [{ columns: ['citty'] }, /Did you mean "city"\?/],
      [{ columns: ['x3'] }, /0 to 3\)\.$/],
      [{ values: ['y'] }, /values must be the name of one column/],
      [{ values: 'Y' }, /Did you mean "y"\?/],
      [{ columns: ['x1', 'y'], values: 'y' }, /"y" is asked for as values and among the columns/],
    ] as const) {
      const error = await refused(options);
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message).toMatch(message);
    }
    writeFileSync(at('one.csv'), 'y\n1\n');
    await expect(readPoints(at('one.csv'), { values: 'y' })).rejects.toThrow(/"y" is the only column/);
    await expect(readPoints(at('c.npy'), { values: 1 })).rejects.toThrow(/option values is for tables/);
  });

  it('a vector is points on a line', async () => {
    await writeNpy(at('v.npy'), { shape: [3], data: Float64Array.of(1, 2, 3) });
    expect(await readPoints(at('v.npy'))).toMatchObject({ dimension: 1, count: 3 });
  });

  it('images: one point each, bytes scaled to [0, 1]', async () => {
    const bytes = Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 51, 102, 255]);
    for (const [name, content] of [
      ['plain-idx3-ubyte', bytes],
      ['packed-idx3-ubyte.gz', gzipSync(bytes)],
    ] as const) {
      writeFileSync(at(name), content);
      const points = await readPoints(at(name));
      expect([points.count, points.dimension]).toEqual([2, 2]);
      expect(Array.from(points.coordinates)).toEqual([0, 0.2, 0.4, 1]);
    }
  });

  it('a value that is not finite is named by row and column', async () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      await writeNpy(at('n.npy'), { shape: [3, 2], data: Float64Array.of(1, 3, 5, 2, value, 6), fortranOrder: true });
      const error: unknown = await readPoints(at('n.npy')).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(NonFiniteError);
      expect((error as NonFiniteError).data).toMatchObject({ row: 1, column: 1 });
      expect((error as Error).message).toMatch(/row 1, column 1/);
    }
  });

  it('what is not points is refused', async () => {
    writeFileSync(at('labels'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 7, 2]));
    await expect(readPoints(at('labels'))).rejects.toThrow(/labels.*idx3/);
    writeFileSync(at('noise.bin'), 'hello');
    await expect(readPoints(at('noise.bin'))).rejects.toThrow(/neither \.npy.*68 65 6c 6c 6f/);
    writeFileSync(at('bad.npy'), 'hello, world');
    await expect(readPoints(at('bad.npy'))).rejects.toThrow(FileFormatError);
    await writeNpy(at('empty.npy'), { shape: [0, 3], data: new Float64Array(0) });
    await expect(readPoints(at('empty.npy'))).rejects.toThrow(/nothing in it/);
    await expect(readPoints(at('empty.npy'), { limit: 1.5 })).rejects.toThrow(OptionError);
    await expect(readPoints(at('empty.npy'), { columns: ['x'] })).rejects.toThrow(/option columns is for tables/);
  });

  it.skipIf(!images.there)(`MNIST${images.note}`, async () => {
    const { dimension, count, coordinates } = await readPoints(images.path, { limit: 1000 });
    expect([dimension, count, coordinates.length]).toEqual([784, 1000, 784_000]);
    expect(coordinates.reduce((a, b) => Math.max(a, b))).toBe(1);
    expect(coordinates.reduce((a, b) => Math.min(a, b))).toBe(0);
  });

  it.skipIf(!births.there)(`birth_rate.csv${births.note}`, async () => {
    expect(await readPoints(births.path, { columns: [1, 2] })).toMatchObject({ dimension: 2, count: 190 });
  });
});
