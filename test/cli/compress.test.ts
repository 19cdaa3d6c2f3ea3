/** hmatrix compress, multiply, info: the contract of the JSON output, and matrices that go to files and come back. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runReport } from '#hmatrix/cli/tables.js';
import { squaredNorm, view, zeros } from '#hmatrix/dense/matrix.js';
import { randomVectors } from '#hmatrix/experiment/compression-run.js';
import type { CompressionRecord } from '#hmatrix/experiment/record.js';
import { load } from '#hmatrix/files/load.js';
import { readNpy, readNpyMatrix, writeNpy, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { STAND_IN } from '../device/cuda-stand-in/stand-in.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';
import { hmatrix, hmatrixProcess } from './command.js';

const folder = temporaryFolder();
const size = 400;

/** exp(−(x_i − x_j)²) for shuffled points of a line: smooth, so that ranks are small. */
function lineKernel(): ReturnType<typeof zeros> {
  const k = zeros(size, size);
  const x = Float64Array.from({ length: size }, (_, i) => ((i * 157) % size) / 40);
  for (let j = 0; j < size; j++) for (let i = 0; i < size; i++) k.data[i + j * size] = Math.exp(-((x[i] - x[j]) ** 2));
  return k;
}

describe('compress --json', () => {
  it('prints_one_object_with_the_keys_that_scripts_rely_on', async () => {
    const { status, stdout, stderr } = await hmatrix([
      'compress',
      '--points',
      'normal:600,3',
      '--kernel',
      'gaussian',
      '--bandwidth',
      '2',
      '--leaf-size',
      '64',
      '--max-rank',
      '64',
      '--tolerance',
      '1e-2',
      '--neighbors',
      '16',
      '--distance',
      'gram',
      '--vectors',
      '8',
      '--workers',
      '2',
      '--seed',
      '3',
      '--json',
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as Record<string, never>;
    const positive = {
      neighbors: expect.any(Number),
      tree: expect.any(Number),
      skeletonization: expect.any(Number),
      compress: expect.any(Number),
      apply: expect.any(Number),
    };
    expect(result).toMatchObject({
      seconds: positive,
      gflops: { apply: expect.any(Number), dgemm: expect.any(Number) },
      error: { relative: expect.any(Number), low: expect.any(Number), high: expect.any(Number), exact: true },
      memory: { bytes: expect.any(Number), share: expect.any(Number), peakBytes: expect.any(Number) },
      blas: expect.any(String),
      workers: 2,
      seed: 3,
      vectors: 8,
      options: {
        format: 'hss',
        leafSize: 64,
        maxRank: 64,
        tolerance: 0.01,
        neighbors: 16,
        distance: 'gram',
        dtype: 'f64',
      },
    });
    for (const level of result['ranks'] as { level: number; max: number; mean: number }[]) {
      expect(level.mean).toBeLessThanOrEqual(level.max);
      expect(level.max).toBeLessThanOrEqual(64);
    }
    expect((result['error'] as { relative: number }).relative).toBeLessThanOrEqual(0.01);
  });

  it('takes_parameters_of_families_and_the_median_distance_of_mapped_points', async () => {
    const run = async (...args: string[]): Promise<{ kernel: string; bandwidth: number }> => {
      const { status, stdout } = await hmatrix(['compress', '--points', 'normal:300,2', '--json', '--quiet', ...args]);
      expect(status).toBe(0);
      return (JSON.parse(stdout) as { input: { kernel: string; bandwidth: number } }).input;
    };
    const fast = ['--leaf-size', '64', '--max-rank', '64', '--tolerance', '0.5', '--vectors', '1', '--workers', '1'];
    const mixture = await run('--kernel', 'rationalQuadratic', '--alpha', '0.5', '--bandwidth', '2', ...fast);
    expect(mixture.kernel).toBe('rationalQuadratic, h = 2, α = 0.5');
    const { kernel, bandwidth } = await run('--kernel', 'periodic', '--period', '0.5', ...fast);
    expect(kernel).toBe(`periodic, h = ${bandwidth}, period 0.5`);
    // On two circles of radius 1, all around which the points lie: the median of ‖u − v‖² = 4 Σ sin² is 4.
    expect(Math.abs(bandwidth - 2)).toBeLessThan(0.1);
  });

  it('says_where_skeletons_were_found_and_refuses_a_device_that_is_not_there', async () => {
    const args = ['--leaf-size', '32', '--max-rank', '32', '--tolerance', '1e-2', '--vectors', '1', '--workers', '2'];
    const of = ['compress', '--points', 'normal:200,2', '--bandwidth', '2', ...args];
    const plain = JSON.parse((await hmatrix([...of, '--json'])).stdout) as Record<string, unknown>;
    const { stdout } = await hmatrix([...of, '--device', 'cpu', '--json']);
    const { device, error } = JSON.parse(stdout) as Record<string, unknown>;
    expect(device).toMatch(/^cpu: /);
    expect(plain).not.toHaveProperty('device');
    expect(error).toEqual(plain['error']);
    const report = await hmatrix([...of, '--device', 'cpu']);
    expect(report.stdout).toContain(`skeletons found on ${String(device)}`);
    const refused = await hmatrixProcess([...of, '--device', 'cuda'], { env: { HMATRIX_CUDA: 'none' } });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/HMATRIX_CUDA/);
  });

  it.skipIf(STAND_IN === undefined)('finds_skeletons_on_a_card_and_says_who_searched_neighbors', async () => {
    const args = ['--leaf-size', '16', '--max-rank', '16', '--tolerance', '1e-2', '--vectors', '1'];
    const of = ['compress', '--points', 'normal:60,2', '--bandwidth', '2', '--device', 'cuda', ...args];
    const env = { HMATRIX_CUDA: STAND_IN! };
    const { status, stdout, stderr } = await hmatrixProcess([...of, '--json'], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const record = JSON.parse(stdout) as CompressionRecord;
    expect(record).toMatchObject({ neighborsOn: 'few-points', error: { met: true } });
    expect(record.device).toMatch(/^cuda: /);
    const report = await hmatrixProcess(of, { env });
    const why = 'neighbors by the team: all points were compared with all';
    expect(report.stdout).toContain(`skeletons found on ${record.device!}; ${why}`);
    const both = runReport({ ...record, neighborsOn: 'device' }, false);
    expect(both).toContain(`skeletons and neighbors found on ${record.device!}`);
  });

  it('gives_equal_results_for_equal_seeds_whatever_the_number_of_workers', async () => {
    const run = async (workers: string): Promise<unknown> => {
      const { stdout } = await hmatrix([
        'compress',
        '--points',
        'uniform:500,2',
        '--kernel',
        'exp(-r/h)',
        '--bandwidth',
        'median',
        '--leaf-size',
        '64',
        '--tolerance',
        '1e-2',
        '--format',
        'fmm',
        '--budget',
        '0.2',
        '--workers',
        workers,
        '--json',
      ]);
      const { error, ranks, memory, input } = JSON.parse(stdout) as {
        error: unknown;
        ranks: unknown;
        memory: { bytes: number };
        input: unknown;
      };
      return { error, ranks, bytes: memory.bytes, input };
    };
    expect(await run('2')).toEqual(await run('1'));
  });

  it.each([
    ['hodlr', 'f64'],
    ['fmm', 'f32'],
  ])('takes_format_%s_in_%s_and_a_test_matrix', async (format, dtype) => {
    const { status, stdout } = await hmatrix([
      'compress',
      '--named',
      'k02',
      '--size',
      '1024',
      '--leaf-size',
      '64',
      '--tolerance',
      '1e-1',
      '--format',
      format,
      '--dtype',
      dtype,
      '--json',
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      input: { kind: 'named', name: 'K02', size: 1024 },
      options: { format, dtype },
    });
  });
});

describe('compress for people', () => {
  it('prints_tables_with_phases_ranks_memory_and_error', async () => {
    const { status, stdout, stderr } = await hmatrixProcess(
      ['compress', '--points', 'normal:600,3', '--bandwidth', '3', '--leaf-size', '64', '--tolerance', '1e-2'],
      { env: { HMATRIX_BLAS: 'portable' } },
    );
    expect(status).toBe(0);
    // No terminal, no progress bar.
    expect(stderr).toBe('');
    for (const word of [
      'neighbors',
      'cluster tree',
      'skeletonization',
      'of dgemm',
      'largest rank',
      'interpolation',
      'of dense',
      'relative error',
      'portable',
      'libopenblas',
    ])
      expect(stdout).toContain(word);
  });

  it('prints_nothing_when_quiet', async () => {
    const { status, stdout, stderr } = await hmatrix([
      'compress',
      '--points',
      'normal:300,3',
      '--bandwidth',
      '3',
      '--tolerance',
      '1e-2',
      '--quiet',
    ]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe('a matrix that goes to a file', () => {
  it('comes_back_bit_for_bit_through_info_and_multiply', async () => {
    const [k, hm, x, y, record] = ['k.npy', 'k.hm', 'x.npy', 'y.npy', 'record.json'].map((name) => join(folder, name));
    const dense = lineKernel();
    await writeNpyMatrix(k, dense);
    const compressed = await hmatrix([
      'compress',
      '--matrix',
      k,
      '--leaf-size',
      '32',
      '--tolerance',
      '1e-6',
      '--out',
      hm,
      '--record',
      record,
      '--json',
    ]);
    const result = JSON.parse(compressed.stdout) as {
      error: { relative: number };
      memory: { bytes: number; parts: object };
      ranks: unknown;
    };
    const { command, blocks, ...kept } = JSON.parse(await readFile(record, 'utf8')) as Record<string, unknown>;
    expect(kept).toEqual(result);
    expect(command).toBe('hmatrix compress --matrix k.npy --leaf-size 32 --tolerance 1e-6 --out k.hm');
    expect(blocks).toMatchObject({
      size: 400,
      far: expect.any(Array) as unknown,
      errors: expect.any(Array) as unknown,
    });

    const info = JSON.parse((await hmatrix(['info', hm, '--json'])).stdout) as {
      size: number;
      ranks: unknown;
      memory: { bytes: number };
    };
    expect(info).toMatchObject({
      size,
      ranks: result.ranks,
      memory: { bytes: result.memory.bytes, ...result.memory.parts },
    });
    const people = await hmatrix(['info', hm]);
    expect(people.status).toBe(0);
    expect(people.stdout).toContain('400 × 400');

    const vectors = randomVectors(size, 3, 7);
    await writeNpyMatrix(x, vectors);
    const multiplied = await hmatrix(['multiply', hm, '--x', x, '--out', y, '--json', '--workers', '1']);
    expect(multiplied.status).toBe(0);
    const product = await readNpyMatrix(y);
    expect([product.rows, product.cols]).toEqual([size, 3]);
    const team = await sharedTeam(2);
    const matrix = await load(hm, { kind: 'hierarchical matrix', team });
    const here = matrix.apply(vectors);
    expect(Array.from(product.data)).toEqual(Array.from(here.data));
    // ‖(K − K̃)X‖_F ≤ ‖K − K̃‖_F·‖X‖_F, and the error was measured exactly.
    const exact = zeros(size, 3);
    team.blas.gemm('N', 'N', 1, dense, vectors, 0, exact);
    const difference = view(
      exact.data.map((value, i) => value - product.data[i]),
      0,
      size,
      3,
    );
    expect(Math.sqrt(squaredNorm(difference))).toBeLessThanOrEqual(
      1.001 * result.error.relative * Math.sqrt(squaredNorm(dense)) * Math.sqrt(squaredNorm(vectors)) + 1e-10,
    );

    const seeded = JSON.parse(
      (await hmatrix(['multiply', hm, '--x', 'seeded', '--vectors', '3', '--seed', '7', '--json'])).stdout,
    ) as { norm: unknown; vectors: number };
    const given = JSON.parse(multiplied.stdout) as { norm: unknown };
    expect(seeded).toMatchObject({ vectors: 3, norm: given.norm });
    expect((await readdir(folder)).sort()).toEqual(['k.hm', 'k.npy', 'record.json', 'x.npy', 'y.npy']);
  });

  it('gives_products_in_the_shape_of_the_vectors', async () => {
    const [hm, x, y] = ['k.hm', 'v.npy', 'w.npy'].map((name) => join(folder, name));
    const data = Float64Array.from(randomVectors(size, 2, 7).data);
    const columns: number[][] = [];
    for (const [shape, length] of [
      [[size], size],
      [[size, 1], size],
      [[size, 2], 2 * size],
    ] as const) {
      await writeNpy(x, { shape, data: data.slice(0, length), fortranOrder: true });
      expect((await hmatrix(['multiply', hm, '--x', x, '--out', y, '--quiet'])).status).toBe(0);
      const product = await readNpy(y);
      expect(product.shape).toEqual(shape);
      columns.push(Array.from(product.data.subarray(0, size)));
    }
    expect(columns[1]).toEqual(columns[0]);
  });

  it('is_multiplied_only_with_vectors_that_fit_and_are_finite', async () => {
    const hm = join(folder, 'k.hm');
    const bad = join(folder, 'bad.npy');
    await writeNpy(bad, { shape: [size - 1], data: new Float64Array(size - 1) });
    const short = await hmatrix(['multiply', hm, '--x', bad]);
    expect(short.status).toBe(1);
    expect(short.stderr).toContain(`${size - 1} rows`);
    await writeNpy(bad, { shape: [size], data: new Float64Array(size).fill(Number.NaN, 5, 6) });
    const nan = await hmatrix(['multiply', hm, '--x', bad]);
    expect(nan.status).toBe(1);
    expect(nan.stderr).toContain('row 5');
  });
});
