/** Files of another kind than a reader takes: each names what the file is, and what reads it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { load } from '#hmatrix/files/load.js';
import { CONTAINER_MAGIC } from '#hmatrix/io/foreign-file.js';
import { readLabels } from '#hmatrix/io/labels.js';
import { writeNpy, readNpyMatrix } from '#hmatrix/io/npy.js';
import { readPoints, readSamples } from '#hmatrix/io/points.js';
import { writeSafetensors } from '#hmatrix/io/safetensors.js';
import { readWeights } from '#hmatrix/network/weights-file.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const data = Float64Array.of(1, 2, 3, 4);

beforeAll(async () => {
  await writeNpy(at('x.npy'), { shape: [4], data });
  await writeSafetensors(at('net.safetensors'), new Map([['w', { shape: [2, 2], data }]]));
  await writeFile(at('c.txt'), '1 2\n3 4\n');
  await writeFile(at('t.xlsx'), Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0));
  await writeFile(at('a.bin'), Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0));
  await writeFile(at('a.hm'), Uint8Array.of(...CONTAINER_MAGIC, ...new Uint8Array(60)));
});

describe('a file of another kind', () => {
  it.each<readonly [string, (path: string) => Promise<unknown>, RegExp]>([
    ['x.npy', (path) => readWeights(path), /It is an \.npy array, which readNpyMatrix/],
    ['x.npy', (path) => load(path), /It is an \.npy array/],
    ['net.safetensors', (path) => readLabels(path), /a .safetensors file, and readLabels reads IDX/],
    ['net.safetensors', (path) => readNpyMatrix(path), /It is a safetensors file/],
    ['net.safetensors', (path) => load(path), /It is a safetensors file/],
    ['c.txt', (path) => readPoints(path), /It is text: if it is a table of numbers, call it \.csv/],
    ['t.xlsx', (path) => readPoints(path), /It is a spreadsheet: save its sheet as \.csv/],
    ['t.xlsx', (path) => readNpyMatrix(path), /It is a spreadsheet/],
    ['a.bin', (path) => readNpyMatrix(path), /It is an HDF5 file, which readMatrix/],
    ['a.bin', (path) => load(path), /It is an HDF5 file/],
    ['a.hm', (path) => readSamples(path), /It is a hierarchical matrix, which load/],
    ['a.hm', (path) => readWeights(path), /It is a hierarchical matrix/],
    ['a.hm', (path) => readNpyMatrix(path), /It is a hierarchical matrix/],
  ])('%s is named (%#)', async (name, read, message) => {
    await expect(read(at(name))).rejects.toThrow(message);
  });
});
