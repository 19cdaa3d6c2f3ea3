/** HDF5 files where the command takes and writes matrices, points, vectors, weights: the results are those of .npy. */
import { beforeAll, describe, expect, it } from 'vitest';
import { normalPoints } from '#datasets/points.js';
import { view } from '#hmatrix/dense/matrix.js';
import { transpose } from '#hmatrix/dense/transpose.js';
import { readHdf5Matrix } from '#hmatrix/io/hdf5-read.js';
import { readNpyMatrix, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { readTensors, writeTensors } from '#hmatrix/io/tensors.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';
import { kernelSystem } from './kernel-system.js';

const folder = temporaryFolder();
// Joined as it stands: a // within is part of what is tested.
const at = (name: string): string => `${folder}/${name}`;
const size = 80;

beforeAll(async () => {
  const { coordinates, dimension, K, b } = kernelSystem(size);
  await writeTensors(at('all.h5'), {
    K: { shape: [size, size], data: K.data },
    'data/points': { shape: [size, dimension], data: coordinates },
    'data/b': { shape: [size, 2], data: transpose(b).data },
  });
  await writeNpyMatrix(at('K.npy'), K);
  await writeNpyMatrix(at('points.npy'), transpose(view(coordinates, 0, dimension, size)));
  await writeNpyMatrix(at('b.npy'), b);
});

const solve = ['--shift', '0.1', '--preconditioner', 'none', '--json', '--workers', '1'];

describe('the command', () => {
  it.each([
    ['matrix', ['--matrix', 'K.npy'], ['--matrix', 'all.h5:/K']],
    ['points', ['--points', 'points.npy', '--bandwidth', '1'], ['--points', 'all.h5:/data/points', '--bandwidth', '1']],
  ])('solves with a %s, b and x in HDF5 as with .npy', async (_, npy, hdf5) => {
    const paths = (given: readonly string[]): string[] =>
      given.map((word) => (/\.(npy|h5)/.test(word) ? at(word) : word));
    const plain = await hmatrix(['solve', ...paths([...npy, '--rhs', 'b.npy', '--out', 'x.npy']), ...solve]);
    const own = await hmatrix([
      'solve',
      ...paths([...hdf5, '--rhs', 'all.h5:/data/b', '--out', 'x.h5:/s/x']),
      ...solve,
    ]);
    expect([plain.stderr, plain.status, own.stderr, own.status]).toEqual(['', 0, '', 0]);
    expect([...(await readHdf5Matrix(at('x.h5:/s/x'))).data]).toEqual([...(await readNpyMatrix(at('x.npy'))).data]);
    const { input, rightHandSide } = JSON.parse(own.stdout) as { input: { name: string }; rightHandSide: string };
    expect([input.name, rightHandSide]).toEqual([hdf5[1], 'all.h5:/data/b']);
  });

  it('multiplies, and finds eigenvectors, into HDF5; one vector has one axis', async () => {
    const made = await hmatrix([
      'compress',
      '--matrix',
      at('all.h5:K'),
      '--out',
      at('K.hm'),
      '--quiet',
      '--workers',
      '1',
    ]);
    expect([made.stderr, made.status]).toEqual(['', 0]);
    const how = ['--workers', '1', '--quiet'];
    const product = await hmatrix(['multiply', at('K.hm'), '--x', at('x.h5'), '--out', at('y.hdf5'), ...how]);
    expect([product.stderr, product.status]).toEqual(['', 0]);
    expect([...(await readTensors(at('y.hdf5'))).tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['y', [size, 2]],
    ]);
    const eigs = await hmatrix(['eigs', '--matrix', at('all.h5:/K'), '--count', '1', '--out', at('v.h5'), ...how]);
    expect([eigs.stderr, eigs.status]).toEqual(['', 0]);
    expect((await readTensors(at('v.h5'))).tensors.get('v')!.shape).toEqual([size]);
  });

  it('trains on HDF5, and begins again with its weights', async () => {
    const { coordinates } = normalPoints(60, 3, 4);
    await writeTensors(at('samples.h5'), {
      x: { shape: [60, 3], data: coordinates },
      y: { shape: [60, 1], data: coordinates.filter((__, k) => k % 3 === 0) },
    });
    const data = ['--data', at('samples.h5'), '--targets', at('samples.h5'), '--workers', '1'];
    const run = await hmatrix(['train', ...data, '--epochs', '1', '--hidden', '4', '--out', at('w.h5'), '--quiet']);
    expect([run.stderr, run.status]).toEqual(['', 0]);
    const options = ['--network', '3-4-1', '--bias', '--activation', 'tanh', '--count', '1', '--json'];
    const eigs = await hmatrix(['eigs', ...options, ...data, '--weights', at('w.h5')]);
    expect([eigs.stderr, eigs.status]).toEqual(['', 0]);
    expect((JSON.parse(eigs.stdout) as { values: number[] }).values[0]).toBeGreaterThan(0);
  });

  it.each([
    [['solve', '--matrix', 'all.h5', ...solve], 2, /holds 3 datasets, "K" \(80, 80\), .*say which one/],
    [['solve', '--matrix', 'all.h5:/k', ...solve], 2, /no dataset "k"/],
    [['solve', '--matrix', 'all.h5:/data/b', ...solve], 1, /the matrix is 80 × 2/],
    [['solve', '--matrix', 'all.h5:/K', '--out', 'all.h5:/x', ...solve], 2, /would be lost.*Give another file/],
    [['train', '--data', 'b.npy', '--weights', 'all.h5:/data'], 2, /taken from a whole file/],
    [['solve', '--matrix', 'K.npy', '--out', 'x.h5:/a//b', ...solve], 2, /no dataset can be called "a\/\/b"/],
    [['compress', '--matrix', 'K.npy', '--out', 'K.h5'], 2, /a hierarchical matrix is written, not \.h5/],
  ])('says what is wrong: %j', async (args, status, message) => {
    const run = await hmatrix(args.map((word) => (/\.(npy|h5)/.test(word) ? at(word) : word)));
    expect(run.stderr).toMatch(message);
    expect(run.status).toBe(status);
  });
});
