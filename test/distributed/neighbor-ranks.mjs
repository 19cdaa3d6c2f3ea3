/** Neighbors that ranks which are threads search together, for test/distributed/neighbors.test.ts. */
import { uniformPoints } from '#datasets/points.js';
import { recorded } from '#hmatrix/distributed/recorded.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { findNeighborRows, findNeighbors } from '#hmatrix/tree/neighbors.js';

/** Lists of all ranks' rows as lists by index; how many were here. */
function byIndex({ count, indices, rowOf, members, recall, iterations }, size, communicator) {
  const lists = new Int32Array(size * count);
  const put = (i, row) => lists.set(indices.subarray(row * count, (row + 1) * count), i * count);
  if (members === undefined) rowOf.forEach((row, i) => put(i, row));
  else members.forEach(put);
  // Each index is one rank's: all others have zeros there.
  communicator.allreduce(lists, 'sum');
  return { indices: lists, distances: new Float64Array(0), recall, iterations, held: indices.length };
}

/** Points whose neighbors are hard to tell, or stand far apart. */
const CHANGED = {
  /** Many at one place, and at the same distance from others. */
  'on a grid': (x) => Math.floor(12 * x) / 12,
  /** Most within a millionth of the width. */
  'in clusters': (x, i) => (i % 5 === 0 ? x : (i % 3) + 1e-6 * x),
};

/** Lists of this rank, what they say of themselves, and what was sent. */
export async function lists(among, data) {
  const { size, dimension, neighbors, targetRecall, maxIterations, distances } = data;
  const communicator = recorded(among);
  const team = await Team.open({ workers: 1, communicator });
  const points = uniformPoints(size, dimension, 3);
  const change = CHANGED[data.stand];
  if (change !== undefined)
    points.coordinates.forEach((x, k) => {
      points.coordinates[k] = change(x, Math.floor(k / dimension));
    });
  const source = kernelSource(points, gaussian(1), { blas: team.blas });
  communicator.phase('search');
  const rows = distances ? undefined : await findNeighborRows(source, 'geometric', { neighbors, seed: 5 }, { team });
  const found = distances
    ? await findNeighbors(source, 'geometric', { neighbors, targetRecall, maxIterations, seed: 5 }, { team })
    : undefined;
  communicator.phase('told');
  const all = found ?? byIndex(rows, size, communicator);
  const { traffic } = communicator;
  await team.close();
  return { ...all, traffic: traffic.search };
}
