/** hmatrix doctor and hmatrix demo. */
import { existsSync } from 'node:fs';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, hmatrixProcess } from './command.js';

describe('doctor', () => {
  it('tells_what_is_there_and_what_was_tried', async () => {
    const { status, stdout } = await hmatrix(['doctor', '--json', '--workers', '1']);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as { search: { usable: boolean }[]; blas: { kind: string; dgemmGflops: number } };
    expect(found).toMatchObject({
      node: process.versions.node,
      workers: 1,
      wasm: { simd: true },
      mpi: { launcher: null, choice: null, library: 'one process', search: expect.any(Array) },
      gpu: { drivers: expect.any(Array) },
      devices: [
        { device: 'cuda', usable: expect.any(Boolean) },
        { device: 'webgpu', usable: expect.any(Boolean) },
        { device: 'tfjs', usable: expect.any(Boolean) },
      ],
      memory: { totalBytes: expect.any(Number), availableBytes: expect.any(Number) },
      blas: { description: expect.any(String), choice: process.env['HMATRIX_BLAS'] ?? null },
    });
    expect(found.blas.dgemmGflops).toBeGreaterThan(0);
    if (process.env['HMATRIX_BLAS'] === undefined)
      expect(found.blas.kind === 'openblas').toBe(found.search.some(({ usable }) => usable));
  });

  it.each(['nonsense', process.execPath])('says_that_HMATRIX_MPI_names_no_library: %s', async (path) => {
    const env = { HMATRIX_MPI: path };
    const told = await hmatrixProcess(['doctor', '--json', '--workers', '1'], { env });
    const { mpi } = JSON.parse(told.stdout) as { mpi: { search: unknown[] } };
    expect(mpi).toMatchObject({ choice: path, library: null });
    expect(mpi.search[0]).toMatchObject({ family: null, library: path, usable: false, reason: expect.any(String) });
    const { stdout } = await hmatrixProcess(['doctor', '--workers', '1'], { env });
    expect(stdout).toContain(`openMpi takes no library that is here (chosen: ${path})`);
  });

  it('says_how_to_get_a_fast_library_where_the_portable_backend_is_used', async () => {
    const { status, stdout } = await hmatrixProcess(['doctor'], { env: { HMATRIX_BLAS: 'portable' } });
    expect(status).toBe(0);
    expect(stdout).toMatch(/built-in backend is in use.*apt-get install/);
    expect(stdout).toMatch(/cuda: (usable, |not usable\. )\S+/);
    expect(stdout).toMatch(/webgpu: (usable, |not usable\. )\S+/);
    expect(stdout).toMatch(/tfjs: (usable, |not usable\. )\S+/);
  });
});

describe('doctor --calibrate', () => {
  const folder = temporaryFolder();

  it('writes_the_rates_that_solve_takes', async () => {
    const file = join(folder, 'rates.json');
    const told = await hmatrix(['doctor', '--calibrate', file]);
    expect(told.status).toBe(0);
    expect(told.stdout).toMatch(/rates beside those that solve predicts with: memory \S+, entries \S+, steps \S+\n/);
    const rates = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
    expect(Object.keys(rates)).toEqual(['memory', 'entries', 'steps']);
    const solve = ['solve', '--named', 'K02', '--size', '256', '--shift-relative', '1e-3', '--json'];
    const { status, stdout } = await hmatrix([...solve, '--rates', file]);
    expect({ status, outcome: (JSON.parse(stdout) as { outcome: string }).outcome }).toEqual({
      status: 0,
      outcome: 'converged',
    });
    await writeFile(file, '{ "memory": 1, "entries": -1, "steps": 1 }');
    const refused = await hmatrix([...solve, '--rates', file]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/--rates .*rates\.entries must be a number above 0/);
    expect((await hmatrix([...solve, '--rates', join(folder, 'none.json')])).status).not.toBe(0);
    const plain = await hmatrix(['doctor', '--json', '--calibrate']);
    expect(JSON.parse(plain.stdout)).toMatchObject({
      calibration: { rates: { memory: expect.any(Number) as number } },
    });
  });
});

describe('demo', () => {
  const folder = temporaryFolder();
  const demo = (...args: readonly string[]): ReturnType<typeof hmatrix> =>
    hmatrix(['demo', ...small, ...args], { cwd: folder });
  const sentence =
    /^Of the .* Gauss–Newton Hessian, which stored densely takes .* keeps the most: .* with a relative error of .*\.$/;
  const small = ['--network', '196-4-196', '--samples', '60', '--high', '0.1'];

  it('tells_what_it_does_prints_the_table_and_ends_in_one_sentence', async () => {
    const { status, stdout, stderr } = await demo();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('196-4-196 units sees 60 images');
    for (const part of [
      '%K',
      'ε_F',
      'λ_min',
      'HM-low',
      'RSVD-high',
      'KFAC-high',
      'EKFAC',
      'Nystrom-low',
      'mean loss',
      'G itself, without a matrix',
      'BLAS',
    ])
      expect(stdout).toContain(part);
    expect(lines.at(-2)).toMatch(sentence);
    const [, page] = /^Pictures of it, with all numbers and options: (.*)$/.exec(lines.at(-1)!) ?? [];
    expect(page).toBe(join(await realpath(folder), 'hmatrix-demo.html'));
    const html = await readFile(page, 'utf8');
    expect(html).toContain('Error at equal memory, 196-4-196');
    expect(html).toContain('hmatrix demo --network 196-4-196 --samples 60 --high 0.1');
  });

  it('prints_one_object_or_nothing_where_asked', async () => {
    const { stdout } = await demo('--methods', 'diagonal', '--json', '--report', 'other.html');
    expect(await readFile(join(folder, 'other.html'), 'utf8')).toContain('diagonal');
    expect(JSON.parse(stdout)).toMatchObject({ record: 'table', network: '196-4-196' });
    expect((await demo('--methods', 'diagonal', '--quiet')).stdout).toBe('');
  });

  const images = resolve(import.meta.dirname, '../../../shared/data/mnist/t10k-images-idx3-ubyte.gz');
  const there = existsSync(images);
  it.skipIf(!there)(
    `runs_on_real_images${there ? '' : ' (skipped: the MNIST images are not in the shared data folder)'}`,
    async () => {
      const { stdout } = await demo('--images', images);
      const lines = stdout.trimEnd().split('\n');
      expect(lines[0]).toContain('t10k-images-idx3-ubyte.gz');
      expect(lines.at(-2)).toMatch(sentence);
    },
  );
});
