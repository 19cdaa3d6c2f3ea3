/** What ranks that are threads communicate and store, counted for test/distributed/plan.test.ts. */
import { uniformPoints } from '#datasets/points.js';
import { view } from '#hmatrix/dense/matrix.js';
import { recorded } from '#hmatrix/distributed/recorded.js';
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { partitionedKernelSource } from '#hmatrix/source/partitioned-kernel.js';

/** Compresses, multiplies, factors and solves; the traffic of each phase, and what this rank has. */
export async function counts({ world, rank, data }) {
  const { size, dimension, rank: maxRank, leafSize, vectors, neighbors, precision } = data;
  const communicator = recorded(threadCommunicator(world, rank));
  const team = await Team.open({ workers: 1, communicator });
  const points = uniformPoints(size, dimension, 1);
  const source = kernelSource(points, matern32(0.05), { blas: team.blas });
  const options = { format: 'hss', leafSize, maxRank, tolerance: 1e-13, neighbors, dtype: precision };
  const seconds = {};
  const timed = async (name, act) => {
    communicator.phase(name);
    const began = performance.now();
    const result = await act();
    seconds[name] = (performance.now() - began) / 1000;
    return result;
  };
  const x = new Float64Array(size * vectors);
  for (let k = 0; k < x.length; k++) x[k] = Math.sin(1.7 * k);
  const matrix = await timed('compress', () => compress(source, options, { team }));
  await timed('first', () => matrix.apply(x.slice(0, size)));
  await timed('product of one', () => matrix.apply(x.slice(0, size)));
  await timed('product', () => matrix.apply(view(x, 0, size, vectors)));
  const factors = await timed('factor', () => factor(matrix, { shift: size, precision }, { team }));
  await timed('first solve', () => factors.solve(x.slice(0, size)));
  await timed('solve', () => factors.solve(view(x, 0, size, vectors)));
  const { traffic } = communicator;
  await team.close();
  communicator.close();
  return {
    traffic,
    seconds,
    phases: matrix.report.seconds,
    ranks: matrix.ranks(),
    values: matrix.data.values.byteLength,
    factors: factors.bytes,
    flops: [matrix.flops(1), factors.flops(1)],
  };
}

/** The same points whole and in parts, compressed in formats hss and fmm: the traffic of each. */
export async function compressions({ world, rank, data }) {
  const { size, dimension, rank: maxRank, leafSize, neighbors, seed } = data;
  const communicator = recorded(threadCommunicator(world, rank));
  const team = await Team.open({ workers: 1, communicator });
  const points = uniformPoints(size, dimension, 1);
  const [first, end] = [rank, rank + 1].map((r) => Math.floor((r * size) / communicator.size));
  const own = points.coordinates.slice(dimension * first, dimension * end);
  const kernel = matern32(0.05);
  const { blas } = team;
  const sources = {
    whole: kernelSource(points, kernel, { blas }),
    parts: await partitionedKernelSource(
      { dimension, count: end - first, coordinates: own },
      kernel,
      { blas },
      { team },
    ),
  };
  for (const format of ['hss', 'fmm'])
    for (const [name, source] of Object.entries(sources)) {
      communicator.phase(`${format} ${name}`);
      const options = { format, leafSize, maxRank, tolerance: 1e-13, neighbors, seed };
      await compress(source, { ...options, ...(format === 'fmm' ? { budget: 0.03 } : {}) }, { team });
    }
  const { traffic } = communicator;
  await team.close();
  communicator.close();
  return { traffic };
}
