/** The kernel `cauchy`: compressed on two workers against its exact entries, and in the command. */
import assert from 'node:assert/strict';
import { hmatrix, load } from './command.mjs';

const { compress, kernelFamilies, kernelOfFamily, kernelSource, matrixOver, openTeam, RandomStream } =
  await load('index');

assert(kernelFamilies.includes('cauchy'));
const kernel = kernelOfFamily('cauchy', 2);
assert.equal(kernel.name, 'cauchy, h = 2');
assert.throws(() => kernelOfFamily('cauchy', -1), /bandwidth must be a positive number/);

const count = 1200;
const random = new RandomStream(1);
const coordinates = Float64Array.from({ length: 2 * count }, () => random.normal());
const points = { dimension: 2, count, coordinates };
const x = Float64Array.from({ length: count }, () => random.normal());
const exact = new Float64Array(count);
for (let i = 0; i < count; i++)
  for (let j = 0; j < count; j++) {
    const dx = coordinates[2 * i] - coordinates[2 * j];
    const dy = coordinates[2 * i + 1] - coordinates[2 * j + 1];
    exact[i] += x[j] / (1 + (dx * dx + dy * dy) / 4);
  }
const productOn = async (workers) => {
  const team = await openTeam({ workers });
  try {
    const source = kernelSource(points, kernel);
    const matrix = await compress(source, { leafSize: 64, tolerance: 1e-5 }, { team });
    return Float64Array.from(matrix.apply(matrixOver(x, count, 1)).data);
  } finally {
    await team.close();
  }
};
const product = await productOn(2);
assert.deepEqual(await productOn(1), product);
assert(Math.hypot(...product.map((y, i) => y - exact[i])) < 1e-4 * Math.hypot(...exact));

assert.match(hmatrix('compress', '--help').replace(/\s+/g, ' '), /cosine, cauchy, or an expression/);
const args = ['--points', 'normal:600,2', '--kernel', 'cauchy', '--bandwidth', '2', '--workers', '2', '--json'];
const record = JSON.parse(hmatrix('compress', ...args));
assert.equal(record.input.kernel, 'cauchy, h = 2');
