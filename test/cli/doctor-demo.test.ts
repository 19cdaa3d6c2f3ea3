/** hmatrix doctor and hmatrix demo. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hmatrix } from './command.js';

describe('doctor', () => {
  it('tells_what_is_there_and_what_was_tried', async () => {
    const { status, stdout } = await hmatrix(['doctor', '--json', '--workers', '1']);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as { search: { usable: boolean }[]; blas: { kind: string; dgemmGflops: number } };
    expect(found).toMatchObject({
      node: process.versions.node, workers: 1, wasm: { simd: true }, gpu: { used: false, drivers: expect.any(Array) },
      memory: { totalBytes: expect.any(Number), availableBytes: expect.any(Number) }, blas: { description: expect.any(String), choice: process.env['HMATRIX_BLAS'] ?? null },
    });
    expect(found.blas.dgemmGflops).toBeGreaterThan(0);
    if (process.env['HMATRIX_BLAS'] === undefined) expect(found.blas.kind === 'openblas').toBe(found.search.some(({ usable }) => usable));
  });

  it('says_how_to_get_a_fast_library_where_the_portable_backend_is_used', async () => {
    const { status, stdout } = await hmatrix(['doctor'], { env: { HMATRIX_BLAS: 'portable' } });
    expect(status).toBe(0);
    expect(stdout).toMatch(/built-in backend is in use.*apt-get install/);
    expect(stdout).toContain('not used by this version');
  });
});

describe('demo', () => {
  const sentence = /relative error of .* the asked tolerance of .* where the dense matrix would take .*\.$/;

  it('ends_in_one_sentence_on_error_and_memory', async () => {
    const { status, stdout } = await hmatrix(['demo', '--size', '1200', '--leaf-size', '128', '--max-rank', '128']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('1,200 images');
    expect(lines.at(-1)).toMatch(sentence);
    expect(lines.at(-1)).toContain(status === 0 ? 'meets' : 'misses');
    expect([0, 3]).toContain(status);
  });

  const images = resolve(import.meta.dirname, '../../../shared/data/mnist/t10k-images-idx3-ubyte.gz');
  const there = existsSync(images);
  it.skipIf(!there)(`runs_on_real_images${there ? '' : ' (skipped: the MNIST images are not in the shared data folder)'}`, async () => {
    const { stdout } = await hmatrix(['demo', '--size', '1200', '--images', images]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('t10k-images-idx3-ubyte.gz');
    expect(lines.at(-1)).toMatch(sentence);
  });
});
