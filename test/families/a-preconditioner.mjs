/**
 * The preconditioner `neumann`: a solve with it against the residual, fewer iterations than without, and the command.
 */
import assert from 'node:assert/strict';
import { hmatrix, load } from './command.mjs';

const { entryOperator, gaussian, kernelSource, openTeam, PRECONDITIONERS, RandomStream, solve, zeros } =
  await load('index');

assert(PRECONDITIONERS.includes('neumann'));
const size = 400;
const points = { dimension: 2, count: size, coordinates: new Float64Array(2 * size) };
new RandomStream(1).fillNormal(points.coordinates);
const team = await openTeam({ workers: 2 });
try {
  const source = kernelSource(points, gaussian(0.5));
  const operator = await entryOperator(source, {}, { team });
  const b = zeros(size, 1);
  new RandomStream(2).fillNormal(b.data);
  const options = { shiftRelative: 1e-2, tolerance: 1e-8 };
  const plain = await solve(operator, b, { ...options, preconditioner: 'none' }, { team });
  const made = await solve(operator, b, { ...options, preconditioner: 'neumann' }, { team });
  assert.equal(made.outcome, 'converged');
  assert(made.residual <= 1e-8);
  assert.equal(made.preconditioner.name, 'neumann');
  assert(made.iterations < plain.iterations);
} finally {
  await team.close();
}

assert.match(hmatrix('solve', '--help').replace(/\s+/g, ' '), /"neumann"/);
const options = ['--points', 'normal:300,2', '--bandwidth', '0.5', '--shift-relative', '1e-2', '--workers', '2'];
const solved = JSON.parse(hmatrix('solve', ...options, '--preconditioner', 'neumann', '--json'));
assert.equal(solved.outcome, 'converged');
