/** hmatrix solve by other methods than conjugate gradients. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { randomVectors } from '#hmatrix/experiment/compression-run.js';
import { readNpyMatrix, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { norm2, residualOf } from '../krylov/systems.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const blas = openBlas();

it('an_indefinite_matrix_is_solved_by_minimal_residuals', async () => {
  const indefinite = join(folder, 'signs.npy');
  // Eigenvalues −0.8, 1 and 1.9.
  const dense = zeros(20, 20);
  for (let i = 0; i < 20; i++) dense.data[21 * i] = 1;
  for (const [i, j, value] of [
    [0, 1, 0.9],
    [0, 2, 0.9],
    [1, 2, -0.9],
  ])
    dense.data[i + 20 * j] = dense.data[j + 20 * i] = value;
  await writeNpyMatrix(indefinite, dense);
  const x = join(folder, 'signs-x.npy');
  const run = ['solve', '--matrix', indefinite, '--method', 'minres', '--out', x, '--json'];
  const { status, stdout } = await hmatrix(run);
  const { outcome, preconditioner, residual } = JSON.parse(stdout) as SolveRecord;
  expect({ status, outcome, name: preconditioner.name }).toEqual({ status: 0, outcome: 'converged', name: 'none' });
  expect(residual).toBeLessThan(1e-8);
  const solution = await readNpyMatrix(x);
  expect(residualOf(dense, randomVectors(20, 1, 0), solution, blas) / norm2(randomVectors(20, 1, 0))).toBeLessThan(
    1e-8,
  );
});

describe('a stored matrix with a negative diagonal', () => {
  const negative = join(folder, 'negative.npy');
  beforeAll(async () => {
    const dense = zeros(12, 12);
    for (let i = 0; i < 12; i++) dense.data[13 * i] = i % 2 === 0 ? 2 : -1;
    await writeNpyMatrix(negative, dense);
  });

  it.each(['--method minres', '--shift 1.5', '--shift-relative 1'])('is_solved_with %s', async (options) => {
    const { stdout } = await hmatrix(['solve', '--matrix', negative, '--json', ...options.split(' ')]);
    const { outcome, reason } = JSON.parse(stdout) as SolveRecord;
    expect(outcome).toBe('converged');
    expect(reason).not.toMatch(/none, as asked/);
  });

  it('is_refused_without', async () => {
    const { status, stderr } = await hmatrix(['solve', '--matrix', negative]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/Diagonal entry \(1, 1\) is -1.* more \(--shift of solve\)/);
  });
});

it('options_of_a_preconditioner_need_one_beside_minres', async () => {
  const run = ['solve', '--points', 'normal:40,2', '--method', 'minres', '--rank', '5'];
  const { status, stderr } = await hmatrix(run);
  expect(status).toBe(2);
  expect(stderr).toMatch(/--rank is of a preconditioner/);
  expect((await hmatrix([...run, '--preconditioner', 'nystrom', '--ridge', '1'])).status).toBe(0);
});
