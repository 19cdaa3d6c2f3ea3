/**
 * Kernel matrices compressed on the card and by the team: skeletons, measured errors, times, launches and bytes.
 */
import { normalPoints } from '../datasets/points.js';
import { openDevice } from '../src/device/open.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '../src/hierarchical/matrix/hierarchical-matrix.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian, matern32 } from '../src/source/kernels/named.js';
import { judge, tell } from './device-results.js';

/** Errors there and here are this share of one another apart, at most: rounding decides between few skeletons. */
const APART = 0.1;
const SEED = 1;

/** Compresses matrices of n points in space, and in six dimensions, where the card searches their neighbors, too. */
export async function compression(n: number, { step, smoke }: { step: string; smoke: boolean }): Promise<void> {
  const team = await Team.open(smoke ? { workers: 2 } : {});
  const device = await openDevice('cuda');
  const options = smoke
    ? { tolerance: 1e-2, leafSize: 32, maxRank: 32 }
    : { tolerance: 1e-4, leafSize: 256, maxRank: 512 };
  for (const [kernel, of, dimension] of [
    ['gaussian', gaussian(1), 3],
    ['matern32', matern32(3), 3],
    ['gaussian, six dimensions', gaussian(4), 6],
  ] as const) {
    const source = kernelSource(normalPoints(n, dimension, SEED), of, { blas: team.blas });
    const measured = async (matrix: HierarchicalMatrix): Promise<number> => {
      const { relative } = await matrix.estimateError(source, { seed: SEED });
      const { seconds, device: on } = (matrix as Awaited<ReturnType<typeof compress>>).report;
      const skeletons = matrix.data.skeletons.indices.length;
      tell({ step, n, kernel, on: on ?? 'team', ...seconds, skeletons, relative });
      matrix.release();
      return relative;
    };
    const here = await measured(await compress(source, options, { team }));
    let there = 0;
    // The second time kernels are compiled.
    for (const time of ['first', 'again']) {
      const { launches, uploaded, downloaded, flops } = device.counters;
      there = await measured(await compress(source, options, { team, device }));
      const { counters } = device;
      tell({
        step,
        n,
        kernel,
        time,
        launched: counters.launches - launches,
        uploaded: counters.uploaded - uploaded,
        downloaded: counters.downloaded - downloaded,
        flopsAsked: counters.flops - flops,
      });
    }
    const error = Math.abs(there - here) / here;
    judge({ step, n, kernel, precision: 'f64', check: 'error as by the team', error }, APART);
  }
  await device.close();
  await team.close();
}
