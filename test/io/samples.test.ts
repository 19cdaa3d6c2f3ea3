/** Samples from files of every kind: rows of the file, columns of the matrix. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileFormatError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { writeNpy, type NpySource } from '#hmatrix/io/npy.js';
import { writeNpz } from '#hmatrix/io/npz.js';
import { readPoints, readSamples } from '#hmatrix/io/points.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

describe('samples from files', () => {
  it('are_the_columns_of_a_matrix_whatever_the_file', async () => {
    const rows = { shape: [3, 2], data: Float64Array.of(1, 2, 3, 4, 5, 6) };
    const turned = { shape: [3, 2], data: Float32Array.of(1, 3, 5, 2, 4, 6), fortranOrder: true };
    await writeNpy(at('c.npy'), rows);
    await writeNpy(at('f.npy'), turned);
    await writeNpz(at('one.npz'), new Map([['x', rows]]));
    await writeNpz(
      at('two.npz'),
      new Map<string, NpySource>([
        ['x', rows],
        ['y', turned],
      ]),
    );
    copyFileSync(at('one.npz'), at('unnamed'));
    writeFileSync(at('x.csv'), 'a,b\n1,2\n3,4\n5,6\n');
    // Three images of 1 × 2 bytes.
    writeFileSync(
      at('images'),
      Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 51, 102, 153, 204, 255, 0),
    );
    const files: readonly (readonly [string, { name?: string }])[] = [
      ['c.npy', {}],
      ['f.npy', {}],
      ['one.npz', {}],
      ['unnamed', {}],
      ['two.npz', { name: 'x' }],
      ['two.npz', { name: 'y' }],
      ['x.csv', {}],
    ];
    for (const [file, options] of files) {
      const samples = await readSamples(at(file), options);
      expect(samples).toMatchObject({ data: rows.data, offset: 0, rows: 2, cols: 3, ld: 2 });
      expect(samples.data.buffer).toBeInstanceOf(SharedArrayBuffer);
      const two = await readSamples(at(file), { ...options, limit: 2 });
      expect([two.rows, two.cols, ...two.data]).toEqual([2, 2, 1, 2, 3, 4]);
    }
    expect(Array.from((await readSamples(at('images'))).data)).toEqual([0.2, 0.4, 0.6, 0.8, 1, 0]);
    const columns = await readSamples(at('x.csv'), { columns: ['b'] });
    expect([columns.rows, columns.cols, ...columns.data]).toEqual([1, 3, 2, 4, 6]);
  });

  it('an_array_of_rank_one_is_samples_of_one_number', async () => {
    await writeNpz(at('line.npz'), new Map([['x', { shape: [3], data: Float64Array.of(1, 2, 3) }]]));
    const samples = await readSamples(at('line.npz'));
    expect([samples.rows, samples.cols]).toEqual([1, 3]);
  });

  it('that_cannot_be_told_are_refused_by_name', async () => {
    await expect(readSamples(at('two.npz'))).rejects.toThrow(
      /holds 2 arrays, "x" \(3, 2\), "y" \(3, 2\): say which one, .*two\.npz:x\./,
    );
    await expect(readSamples(at('two.npz'), { name: 'z' })).rejects.toThrow(
      /there is no array "z"; there are "x" \(3, 2\), "y" \(3, 2\)/,
    );
    await expect(readSamples(at('c.npy'), { name: 'x' })).rejects.toThrow(
      /name is for files that hold arrays by name, \.npz/,
    );
    await expect(readSamples(at('two.npz'), { name: 3 as never })).rejects.toThrow(OptionError);
    await expect(readSamples(at('two.npz'), { name: 'x', columns: [0] })).rejects.toThrow(OptionError);
    await expect(readSamples(at('c.npy'), { limit: 0 })).rejects.toThrow(OptionError);
    await writeNpz(at('nan.npz'), new Map([['x', { shape: [2, 2], data: Float64Array.of(1, 2, Number.NaN, 4) }]]));
    await expect(readSamples(at('nan.npz'))).rejects.toThrow(NonFiniteError);
    writeFileSync(at('text'), 'nothing of the kind');
    await expect(readSamples(at('text'))).rejects.toThrow(FileFormatError);
    await expect(readSamples(at('text'))).rejects.toThrow(/neither \.npy, nor \.npz, nor safetensors/);
    expect(await readPoints(at('unnamed'))).toMatchObject(await readPoints(at('two.npz:x')));
  });
});
