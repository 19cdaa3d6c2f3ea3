/**
 * Arrays of .npz and safetensors files where the command takes and writes matrices, points, vectors, samples: the
 * results are those of .npy.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { view } from '#hmatrix/dense/matrix.js';
import { transpose } from '#hmatrix/dense/transpose.js';
import { readMatrix, writeMatrix } from '#hmatrix/io/matrix-file.js';
import { readTensors, writeTensors } from '#hmatrix/io/tensors.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';
import { kernelSystem } from './kernel-system.js';

const folder = temporaryFolder();
const at = (name: string): string => `${folder}/${name}`;
const size = 80;
/** Arguments with files in the folder. */
const paths = (given: readonly string[]): string[] =>
  given.map((word) => (/\.(npy|npz|safetensors|hm)/.test(word) ? at(word) : word));

beforeAll(async () => {
  const { coordinates, dimension, K, b } = kernelSystem(size);
  for (const ending of ['npz', 'safetensors'])
    await writeTensors(at(`all.${ending}`), {
      K: { shape: [size, size], data: K.data },
      'data.points': { shape: [size, dimension], data: coordinates },
      'data/b:2': { shape: [size, 2], data: transpose(b).data },
      x: { shape: [size, 2], data: coordinates },
      y: { shape: [size, 1], data: coordinates.filter((_, k) => k % 2 === 0) },
      cube: { shape: [2, 2, 2], data: new Float64Array(8) },
    });
  await writeMatrix(at('K.npy'), K);
  await writeMatrix(at('points.npy'), transpose(view(coordinates, 0, dimension, size)));
  await writeMatrix(at('b.npy'), b);
});

const solve = ['--shift', '0.1', '--preconditioner', 'none', '--json', '--workers', '1'];
const quiet = ['--workers', '1', '--quiet'];

describe.each(['npz', 'safetensors'] as const)('the command, with .%s', (ending) => {
  it.each([
    ['matrix', ['--matrix', 'K.npy'], ['--matrix', `all.${ending}:K`]],
    [
      'points',
      ['--points', 'points.npy', '--bandwidth', '1'],
      ['--points', `all.${ending}:data.points`, '--bandwidth', '1'],
    ],
  ])('solves with a %s, b and x in it as with .npy', async (_, npy, own) => {
    const plain = await hmatrix(['solve', ...paths([...npy, '--rhs', 'b.npy', '--out', 'x.npy']), ...solve]);
    const given = [...own, '--rhs', `all.${ending}:data/b:2`, '--out', `x.${ending}:s/x.0`];
    const run = await hmatrix(['solve', ...paths(given), ...solve]);
    expect([plain.stderr, plain.status, run.stderr, run.status]).toEqual(['', 0, '', 0]);
    expect([...(await readMatrix(at(`x.${ending}:s/x.0`))).data]).toEqual([...(await readMatrix(at('x.npy'))).data]);
    const { input, rightHandSide } = JSON.parse(run.stdout) as { input: { name: string }; rightHandSide: string };
    expect([input.name, rightHandSide]).toEqual([own[1], `all.${ending}:data/b:2`]);
  });

  it('multiplies, and finds eigenvectors, into it; one vector has one axis', async () => {
    const made = await hmatrix(['compress', ...paths(['--matrix', `all.${ending}:K`, '--out', 'K.hm']), ...quiet]);
    const files = ['K.hm', '--x', `all.${ending}:data/b:2`, '--out', `y.${ending}`];
    const product = await hmatrix(['multiply', ...paths(files), ...quiet]);
    const eigs = await hmatrix([
      'eigs',
      ...paths(['--matrix', `all.${ending}:K`, '--out', `v.${ending}`]),
      '--count',
      '1',
      ...quiet,
    ]);
    for (const { stderr, status } of [made, product, eigs]) expect([stderr, status]).toEqual(['', 0]);
    const shapes = async (name: string) =>
      [...(await readTensors(at(`${name}.${ending}`))).tensors].map(([own, { shape }]) => [own, shape]);
    expect([await shapes('y'), await shapes('v')]).toEqual([[['y', [size, 2]]], [['v', [size]]]]);
  });

  it('trains on the arrays of the usual names, or on those that are named', async () => {
    const how = ['--epochs', '1', '--hidden', '3', ...quiet];
    const train = async (data: string, targets: string, out: string): Promise<void> => {
      const files = paths(['--data', data, '--targets', targets, '--out', out]);
      const run = await hmatrix(['train', ...files, ...how]);
      expect([run.stderr, run.status]).toEqual(['', 0]);
    };
    await train(`all.${ending}`, `all.${ending}`, `w.${ending}`);
    await train(`all.${ending}:data.points`, `all.${ending}:y`, `w2.${ending}`);
    expect(readFileSync(at(`w2.${ending}`)).equals(readFileSync(at(`w.${ending}`)))).toBe(true);
  });

  it.each([
    [['--matrix', `all.${ending}`], 2, /holds 6 \w+s, "K" \(80, 80\), .*say which one, .*:K\./],
    [['--matrix', `all.${ending}:k`], 2, /no \w+ "k"; there are "K" \(80, 80\)/],
    [['--matrix', `all.${ending}:data/b:2`], 1, /the matrix is 80 × 2/],
    [['--points', `all.${ending}:cube`], 1, /all\.\w+: \w+ "cube.* rank 3 and shape \(2, 2, 2\)/],
    [['--matrix', `none.${ending}:K`], 1, /Cannot open .*no such file/],
    [['--matrix', 'K.npy', '--out', `all.${ending}:x2`], 2, /would be lost.*Give another file/],
    [['--matrix', 'K.npy', '--out', `new.${ending}:`], 2, /name/],
    [['--matrix', 'K.npy', '--record', `new.${ending}:r.json`], 2, /the record of the run in JSON is written, not/],
  ] as [string[], number, RegExp][])('says what is wrong: %j', async (args, status, message) => {
    const run = await hmatrix(['solve', ...paths(args), ...solve]);
    expect(run.stderr).toMatch(message);
    expect([run.status, run.stdout]).toEqual([status, '']);
  });

  it('writes matrices and weights into files of their own, not as arrays of one', async () => {
    const compress = await hmatrix(['compress', ...paths(['--matrix', 'K.npy', '--out', 'k.npz:a'])]);
    expect([compress.status, compress.stderr]).toEqual([2, expect.stringMatching(/takes a file of its own.*k\.npz/)]);
    const train = await hmatrix(['train', ...paths(['--data', 'b.npy', '--out', `w.${ending}:a.${ending}`])]);
    expect([train.status, train.stderr]).toEqual([
      2,
      expect.stringMatching(/a file of weights takes a file of its own/),
    ]);
  });
});
