/**
 * The distance `correlation`: neighbors against all distances, a tree that compresses, on two workers; the command.
 */
import assert from 'node:assert/strict';
import { hmatrix, load } from './command.mjs';

const { buildClusterTree, compress, DISTANCES, findNeighbors, kernelSource, openTeam, polynomial, RandomStream } =
  await load('index');
const { zeros } = await load('dense/matrix');

assert(DISTANCES.includes('correlation'));
const count = 700;
const random = new RandomStream(2);
const coordinates = Float64Array.from({ length: 3 * count }, () => random.normal());
// K has entries of both signs, which the angle does not tell apart.
const source = kernelSource({ dimension: 3, count, coordinates }, polynomial(2, 3));
const all = Int32Array.from({ length: count }, (_, i) => i);
const k = zeros(count, count);
source.entries(all, all, k);
const distance = (i, j) => 1 - k.data[i + j * count] / Math.sqrt(k.data[i + i * count] * k.data[j + j * count]);

const team = await openTeam({ workers: 2 });
try {
  const { count: found, distances } = await findNeighbors(source, 'correlation', { neighbors: 8 }, { team });
  for (let i = 0; i < count; i++) {
    const nearest = Array.from(all, (j) => (j === i ? Infinity : Math.max(0, distance(i, j)))).sort((a, b) => a - b);
    for (let p = 0; p < found; p++) assert(Math.abs(distances[i * found + p] - nearest[p]) < 1e-12);
  }
  const tree = await buildClusterTree(source, 'correlation', { leafSize: 32 }, { team });
  assert.deepEqual(Int32Array.from(tree.order).sort(), all);
  const errorBy = async (name) => {
    const options = { leafSize: 32, maxRank: 12, tolerance: 0, distance: name };
    const matrix = await compress(source, options, { team });
    return (await matrix.estimateError(source)).relative;
  };
  assert((await errorBy('correlation')) < 0.5 * (await errorBy('random')));
  await assert.rejects(compress({ ...source, size: count, points: undefined }, { distance: 'geometric' }, { team }));
} finally {
  await team.close();
}

assert.match(hmatrix('compress', '--help').replace(/\s+/g, ' '), /"random", "correlation"/);
const args = ['--points', 'normal:600,2', '--distance', 'correlation', '--workers', '2', '--json'];
assert.equal(JSON.parse(hmatrix('compress', ...args)).options.distance, 'correlation');
