/**
 * The method `mean-diagonal`: its error against that of the stored matrix, its bytes, and the command.
 */
import assert from 'node:assert/strict';
import { hmatrix, load } from './command.mjs';

const { approximate, APPROXIMATION_METHODS, denseSource, entryOperator, openTeam, RandomStream, zeros } =
  await load('index');

assert(APPROXIMATION_METHODS.includes('mean-diagonal'));
const size = 60;
const random = new RandomStream(1);
const factor = Float64Array.from({ length: size * size }, () => random.normal());
const matrix = zeros(size, size);
for (let i = 0; i < size; i++)
  for (let j = 0; j < size; j++)
    for (let k = 0; k < size; k++) matrix.data[i + j * size] += factor[i + k * size] * factor[j + k * size];
let mean = 0;
for (let i = 0; i < size; i++) mean += matrix.data[i * (size + 1)] / size;
let [rest, norm] = [0, 0];
matrix.data.forEach((value, at) => {
  norm += value ** 2;
  rest += (value - (at % (size + 1) === 0 ? mean : 0)) ** 2;
});

const team = await openTeam({ workers: 2 });
try {
  const source = denseSource(matrix);
  const operator = await entryOperator(source, {}, { team });
  const made = await approximate(operator, 'mean-diagonal', { share: 0.1 }, { source }, { team });
  assert.equal(made.bytes, 8);
  const expected = Math.sqrt(rest / norm);
  assert(Math.abs((await made.error()).relative - expected) < 1e-12);
  assert(Math.abs(Math.sqrt(await made.squaredError(Math.sqrt(norm))) - expected) < 1e-12);
  assert(Math.abs(made.smallestEigenvalue.value - mean) < 1e-9 * mean);
} finally {
  await team.close();
}

assert.match(hmatrix('table', '--help').replace(/\s+/g, ' '), /mean-diagonal/);
const options = ['--network', '196-2-196', '--samples', '30', '--epochs', '1', '--workers', '2', '--json'];
const { rows } = JSON.parse(hmatrix('table', ...options, '--methods', 'mean-diagonal,diagonal'));
assert.deepEqual(
  rows.map(({ method }) => method),
  ['mean-diagonal', 'diagonal'],
);
