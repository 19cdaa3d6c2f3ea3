/** hmatrix eigs: of entries, networks and saved matrices, against dense decompositions. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import type { EigsRecord } from '#hmatrix/experiment/eigs-run.js';
import { readNpyMatrix, writeNpy } from '#hmatrix/io/npy.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { eigenvaluesOf } from '../solve/subjects.js';
import { denseOf, normalPoints } from '../support.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const points = ['--points', 'normal:600,2', '--kernel', 'gaussian', '--bandwidth', '1'];

async function record(args: readonly string[], expected = 0): Promise<EigsRecord> {
  const { status, stdout, stderr } = await hmatrix(['eigs', ...args, '--json']);
  expect({ status, stderr: expected === 0 ? stderr : '' }).toEqual({ status: expected, stderr: '' });
  return JSON.parse(stdout) as EigsRecord;
}

describe('hmatrix eigs', () => {
  it('are_those_of_the_dense_matrix_within_their_residuals', async () => {
    const blas = openBlas();
    const given = normalPoints(600, 2, 1);
    await writeNpy(at('points.npy'), { shape: [600, 2], data: given.coordinates });
    const args = ['--points', at('points.npy'), '--kernel', 'gaussian', '--bandwidth', '1'];
    const dense = denseOf(kernelSource(given, gaussian(1)));
    const exact = eigenvaluesOf(dense, blas);
    for (const which of ['largest', 'smallest', 'magnitude'] as const) {
      const found = await record([...args, '--count', '4', '--which', which]);
      expect(found).toMatchObject({ record: 'eigs', which, outcome: 'converged', met: true, valuesOf: 'matrix' });
      expect(found.values).toHaveLength(4);
      for (const [i, value] of found.values.entries()) {
        const near = Math.min(...exact.map((one) => Math.abs(one - value)));
        expect(near).toBeLessThanOrEqual(found.residuals[i] + 1e-12 * exact[599]);
        expect(found.residuals[i]).toBeLessThanOrEqual(1e-6 * exact[599] * 1.01);
      }
      if (which !== 'smallest') expect(Math.abs(found.values[0] - exact[599])).toBeLessThan(1e-9 * exact[599]);
    }
  });

  it('takes_saved_matrices_and_networks_and_writes_vectors_and_record', async () => {
    const compress = ['compress', ...points, '--tolerance', '1e-8', '--out', at('k.hm'), '--quiet'];
    expect((await hmatrix(compress)).status).toBe(0);
    const whole = await record([...points, '--count', '3']);
    const saved = await record([at('k.hm'), '--count', '3', '--out', at('v.npy'), '--record', at('run.json')]);
    expect(saved.valuesOf).toBe('compressed');
    expect(JSON.parse(await readFile(at('run.json'), 'utf8'))).toEqual({
      ...saved,
      command: 'hmatrix eigs k.hm --count 3 --out v.npy',
    });
    saved.values.forEach((value, i) => {
      expect(Math.abs(value - whole.values[i])).toBeLessThan(1e-5 * whole.values[0]);
    });
    const vectors = await readNpyMatrix(at('v.npy'));
    expect([vectors.rows, vectors.cols]).toEqual([600, 3]);
    const network = await record(['--network', '196-4-196', '--samples', '20', '--epochs', '1', '--count', '2']);
    expect(network).toMatchObject({ outcome: 'converged', input: { kind: 'network' } });
    expect(network.values[0]).toBeGreaterThan(network.values[1]);
  });

  it('reports_for_people_and_gives_the_same_bits_on_any_team', async () => {
    const { status, stdout } = await hmatrix(['eigs', ...points, '--count', '2']);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /eigenvalues of A, largest, to 1\.00e-6·‖A‖: converged by a block Krylov space, \d+ products/,
    );
    const small = await hmatrix(['eigs', '--points', 'normal:60,2', '--count', '2']);
    expect(small.stdout).toMatch(/: converged by decomposing the matrix whole, \d+ products/);
    const [one, two] = [await record([...points, '--workers', '1']), await record([...points, '--workers', '2'])];
    expect(two.values).toEqual(one.values);
  });

  it('a_missed_tolerance_is_status_3_and_says_what_to_do', async () => {
    const args = ['eigs', ...points, '--count', '3', '--max-products', '8'];
    const { status, stderr } = await hmatrix(args);
    expect(status).toBe(3);
    expect(stderr).toMatch(/missed \(maxProducts, asked 0\.000001·‖A‖\).*allow more \(--max-products\)/);
  });

  it.each([
    [[], /Give one of --matrix FILE/],
    [['x.csv'], /no matrix that hmatrix compress --out wrote/],
    [['k.hm', '--named', 'K02'], /--named does not go with k\.hm/],
    [[...points, '--which', 'middle'], /--which/],
    [[...points, '--count', '601'], /number of eigenvalues/],
  ] as [string[], RegExp][])('refuses: %j', async (args, message) => {
    const { status, stderr } = await hmatrix(['eigs', ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
