/** The measurement of a card runs where nothing but the packed files and a card is, here on what stands for CUDA. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { gemm } from '../../dist/bench/device-rates.js';
import { findCard } from '../../dist/src/device/cuda/open.js';
import {
  failAt,
  liveHandles,
  liveObjects,
  NO_COMPILER,
  STAND_IN,
  useStandIn,
} from '../device/cuda-stand-in/stand-in.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const script = resolve(import.meta.dirname, '../../bench/device.sh');
const missing = STAND_IN === undefined ? ` (skipped: ${NO_COMPILER})` : '';

/** How cuBLAS is called for each work of the step gemms. */
const FORMS = ['one', 'one', 'strided', 'batched', 'grouped', 'one', 'batched, one, strided'];

type Line = Readonly<Record<string, unknown>>;
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe.skipIf(STAND_IN === undefined)('the rate of cuBLAS', () => {
  useStandIn();
  it(`frees_what_it_took_where_a_call_is_refused${missing}`, async () => {
    failAt('cublasDgemm_v2', 2, 13);
    const { value, reason } = await gemm(findCard(), 'f64', 64);
    expect(value).toBeNaN();
    expect(reason).toContain('cublasDgemm_v2 ends with CUBLAS_STATUS_EXECUTION_FAILED (13)');
    expect([liveObjects(), liveHandles()]).toEqual([0, 0]);
    expect((await gemm(findCard(), 'f64', 64)).value).toBeGreaterThan(0);
  });
  it(`frees_what_it_took_where_memory_is_short${missing}`, async () => {
    failAt('cuMemAlloc_v2', 1, 2);
    await expect(gemm(findCard(), 'f64', 64)).rejects.toThrow(MemoryError);
    expect([liveObjects(), liveHandles()]).toEqual([0, 0]);
  });
});

describe.skipIf(STAND_IN === undefined)('bench/device.sh', () => {
  const folder = temporaryFolder();
  const smoke = (env: Readonly<Record<string, string>>): Promise<{ status: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const options = { env: { ...process.env, HMATRIX_CUDA: STAND_IN, ...env } };
      execFile('sh', [script, 'smoke'], options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });

  it(`measures_every_step_and_finds_every_result_right${missing}`, async () => {
    const { status, stdout, stderr } = await smoke({ OUT: folder });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = linesOf(stdout);
    expect(readFileSync(join(folder, 'device.jsonl'), 'utf8')).toBe(stdout);
    expect([...new Set(lines.map(({ step }) => step))]).toEqual([
      'describe',
      'checks',
      'rates',
      'gemms',
      'factors',
      'work',
      'curvature',
      'training transformer',
      'training resnet-18',
      'apply',
      'solve',
      'compress',
      'table',
    ]);
    const judged = lines.filter((line) => 'right' in line);
    // Both precisions: 15 checks, two of work, of products one with transfers and one of each width, one of blocks that
    // are evaluated there, a factorization of each format, loss, product and Newton step of the autoencoder, steps of
    // both trained networks. Of the table products with the Hessian, and with the hierarchical matrix at both shares.
    // Three matrices that are compressed. By cuBLAS, too: products of five kinds, a triangle, and leaves, rounded too.
    // By cuSOLVER, too: two triangles, and four pivots that fail.
    expect(judged).toHaveLength(2 + 2 * (15 + 2 + 7 + 6 + 3 + 2 + 7) + 3 + 3);
    expect(judged.filter(({ right }) => right !== true)).toEqual([]);
    const rates = lines.filter(({ step }) => step === 'rates');
    expect(rates.every(({ value }) => typeof value === 'number' && value > 0)).toBe(true);
    // Those that were called, which is none where our own kernels multiply.
    const multiplied = lines.filter(({ step }) => step === 'gemms');
    expect(multiplied.map(({ forms }) => forms)).toEqual([...FORMS, ...FORMS, FORMS[6], FORMS[6]]);
    expect(multiplied.map(({ ownForms }) => ownForms)).toEqual(multiplied.map(() => ''));
    const factored = lines.filter(({ step, order }) => step === 'factors' && order !== undefined);
    expect(factored.map(({ calls }) => calls)).toEqual([5, 5, 5, 5]);
    // What networks launch, beside cuBLAS.
    const launched = lines.filter(({ launches, gemmRate }) => launches !== undefined && gemmRate !== undefined);
    expect(launched).toHaveLength(2 * 2 + 2);
    for (const { flops, padded } of launched) expect(padded).toBeGreaterThanOrEqual(Number(flops));
    // Of the autoencoder products with weights and sums over samples, once and back: 2nW flops each.
    const [widths, samples] = [[9, 7, 5, 7, 9], 40];
    const weights = widths.slice(1).reduce((sum, width, ℓ) => sum + width * widths[ℓ], 0);
    const ofAutoencoder = launched.filter(({ network }) => network === widths.join('-'));
    expect(ofAutoencoder).toHaveLength(2 * 2);
    for (const { flops } of ofAutoencoder) {
      expect(flops).toBeGreaterThan(4 * samples * weights);
      expect(flops).toBeLessThan(12 * samples * weights);
    }
    const rows = lines.filter(({ step, method, check }) => step === 'table' && method !== undefined && !check);
    expect(rows.filter(({ error }) => error !== undefined)).toHaveLength(6);
    for (const width of [1, 64, 512])
      expect(lines.filter((line) => line['width'] === width && Number(line['bytesPerSecond']) > 0)).toHaveLength(2);
  });

  it(`goes_on_where_a_step_fails_and_says_so${missing}`, async () => {
    const { status, stdout } = await smoke({ HMATRIX_CUDA: 'none', OUT: '', STEPS: 'describe,training,table' });
    expect(status).toBe(1);
    const lines = linesOf(stdout);
    expect(lines[0]).toMatchObject({ step: 'describe', devices: [{ device: 'cuda', usable: false }, {}, {}] });
    expect(lines.slice(1)).toEqual(
      ['training transformer', 'training resnet-18', 'table'].map((step) => ({
        step: `${step} --smoke`,
        failed: true,
        exit: 1,
        limitSeconds: 60,
      })),
    );
  });

  it('says_how_it_is_called', () => {
    const { status, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/bench\/device\.sh pack FILE\.tar\.gz/);
    expect(execFileSync('sh', ['-n', script], { encoding: 'utf8' })).toBe('');
  });
});
