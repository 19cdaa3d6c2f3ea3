/** The measurement of a card runs where nothing but the packed files and a card is, here on what stands for CUDA. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NO_COMPILER, STAND_IN } from '../device/cuda-stand-in/stand-in.js';
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
    expect(judged).toHaveLength(2 + 2 * (15 + 2 + 7 + 3 + 2 + 7) + 3 + 3);
    expect(judged.filter(({ right }) => right !== true)).toEqual([]);
    const rates = lines.filter(({ step }) => step === 'rates');
    expect(rates.every(({ value }) => typeof value === 'number' && value > 0)).toBe(true);
    const multiplied = lines.filter(({ step }) => step === 'gemms') as Record<string, number>[];
    expect(multiplied.map(({ forms }) => forms)).toEqual([...FORMS, ...FORMS, FORMS[6], FORMS[6]]);
    for (const { ownMs, cublasMs, ratio } of multiplied) expect((ratio * cublasMs) / ownMs).toBeCloseTo(1, 2);
    // What networks launch, beside cuBLAS.
    const launched = lines.filter(({ launches, gemmRate }) => launches !== undefined && gemmRate !== undefined);
    expect(launched).toHaveLength(2 * 2 + 2);
    for (const { flops, launchMs, flopsPerSecond, share, gemmRate } of launched as Record<string, number>[]) {
      expect(flopsPerSecond / ((1000 * flops) / launchMs)).toBeCloseTo(1, 2);
      expect((share * gemmRate) / flopsPerSecond).toBeCloseTo(1, 2);
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
