/** Compressions of which something is wrong on one rank alone, for test/distributed/failing.test.ts. */
import { uniformPoints } from '#datasets/points.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';

const SIZE = 9000;

/** What a compression throws. `wrong` is done to rank 1 alone, an abort in phase `phase`, or at once. */
export async function failing(communicator, { wrong, phase, dimension = 2, after }) {
  const team = await Team.open({ workers: 1, communicator });
  const isWrong = communicator.rank === 1;
  const points = uniformPoints(SIZE, dimension, isWrong && wrong === 'points' ? 2 : 1);
  const ridge = isWrong && wrong === 'diagonal' ? 0.5 : 0;
  const source = kernelSource(points, gaussian(0.3), { blas: team.blas, ridge });
  const aborter = new AbortController();
  if (isWrong && wrong === 'abort' && phase === undefined) aborter.abort();
  let calls = 0;
  /** Entries alone, of rank 1 a number of times only. */
  const counted = {
    size: SIZE,
    diagonal: (out) => source.diagonal(out),
    entries: (rows, cols, out) => {
      if (isWrong && calls++ === after) throw new RangeError('a source that fails');
      source.entries(rows, cols, out);
    },
  };
  const broken = {
    size: SIZE,
    points: source.points,
    diagonal: (out) => source.diagonal(out),
    entries: (rows, cols, out) => {
      source.entries(rows, cols, out);
      // The columns of a leaf.
      if (cols.length > 100 && cols.length < 200) throw new RangeError('a source that fails');
    },
  };
  const options = { tolerance: 1e-3, leafSize: 256, maxRank: isWrong && wrong === 'options' ? 20 : 40, neighbors: 8 };
  let thrown;
  try {
    const given = after !== undefined ? counted : isWrong && wrong === 'source' ? broken : source;
    await compress(given, options, {
      team,
      signal: aborter.signal,
      onProgress: (progress) => {
        if (isWrong && wrong === 'abort' && progress.phase === phase) aborter.abort();
      },
    });
  } catch (error) {
    thrown = { name: error.name, message: error.message };
  }
  await team.close();
  return thrown;
}
