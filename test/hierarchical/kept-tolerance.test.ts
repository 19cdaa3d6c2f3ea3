/**
 * The promise of a compression: ‖K − K̃‖_F ≤ tolerance·‖K‖_F wherever no rank limit was hit, measured on dense copies.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { Points } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { kernelOfFamily } from '#hmatrix/source/kernels/table.js';
import { denseOf, normalPoints, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

function uniformPoints(count: number, dimension: number, seed: number): Points {
  const coordinates = sharedFloat64(count * dimension);
  const random = new RandomStream(seed);
  for (let i = 0; i < coordinates.length; i++) coordinates[i] = random.uniform();
  return { dimension, count, coordinates };
}

interface Configuration {
  readonly family: Parameters<typeof kernelOfFamily>[0];
  readonly h: number;
  readonly size: number;
  readonly dimension: number;
  readonly normal?: boolean;
  readonly options: CompressOptions;
}

const of = (
  family: Configuration['family'],
  h: number,
  [size, dimension]: readonly [number, number],
  options: CompressOptions,
  normal = false,
): Configuration => ({ family, h, size, dimension, options, normal });

const CONFIGURATIONS: readonly Configuration[] = [
  of('gaussian', 0.1, [2000, 1], { format: 'hss', leafSize: 64, tolerance: 1e-10 }),
  of('gaussian', 0.1, [2000, 1], { format: 'hodlr', leafSize: 64, tolerance: 1e-10 }),
  of('matern52', 0.1, [1500, 1], { format: 'hss', leafSize: 32, tolerance: 1e-8 }),
  of('matern52', 0.1, [1500, 1], { format: 'hodlr', leafSize: 32, tolerance: 1e-6 }),
  of('matern32', 0.1, [2000, 1], { format: 'hss', leafSize: 128, tolerance: 1e-10 }),
  // Few neighbors by a distance from entries, and outliers among the points.
  of('laplace', 0.5, [800, 1], { distance: 'gram', neighbors: 4, leafSize: 32, tolerance: 1e-10 }, true),
  of('laplace', 0.5, [800, 1], { format: 'hodlr', neighbors: 4, leafSize: 32, tolerance: 1e-8 }, true),
  of('laplace', 0.2, [1200, 1], { format: 'fmm', budget: 0.1, leafSize: 32, tolerance: 1e-6 }, true),
  // A few rows between leaves of unlike density, or at the rim of the cloud, hold all of the error.
  of('gaussian', 0.02, [4096, 1], { format: 'hss', leafSize: 64, tolerance: 1e-6 }, true),
  of('matern52', 0.2, [2500, 2], { format: 'hss', leafSize: 64, tolerance: 1e-6 }, true),
  of('imq', 0.3, [1500, 1], { format: 'hss', leafSize: 64, neighbors: 8, tolerance: 1e-8 }),
  of('matern32', 0.1, [2000, 2], { format: 'hss', leafSize: 64, tolerance: 1e-4 }),
  of('matern32', 0.1, [2000, 2], { format: 'hodlr', leafSize: 64, tolerance: 1e-4 }),
  of('matern32', 0.1, [2000, 2], { format: 'fmm', budget: 0.1, leafSize: 64, tolerance: 1e-6 }),
  of('gaussian', 0.3, [1500, 2], { format: 'hss', leafSize: 64, tolerance: 1e-8 }, true),
  of('gaussian', 1, [1000, 2], { format: 'hodlr', leafSize: 64, tolerance: 1e-10 }, true),
  of('rationalQuadratic', 0.3, [1500, 2], { format: 'hss', leafSize: 64, tolerance: 1e-6 }, true),
  of('imq', 0.5, [1500, 2], { format: 'fmm', budget: 0.05, leafSize: 64, tolerance: 1e-8 }),
  of('laplace', 1, [1000, 2], { format: 'hss', leafSize: 64, tolerance: 1e-2 }, true),
  of('laplace', 1, [1500, 3], { format: 'hss', leafSize: 64, tolerance: 1e-2 }),
  of('laplace', 1, [1500, 3], { format: 'fmm', budget: 0.1, leafSize: 64, tolerance: 1e-4 }),
  of('matern52', 0.5, [1500, 3], { format: 'hss', leafSize: 64, tolerance: 1e-4 }),
  of('gaussian', 0.5, [1200, 3], { format: 'hodlr', leafSize: 64, tolerance: 1e-3 }),
  of('gaussian', 2, [1000, 6], { format: 'hss', leafSize: 64, tolerance: 1e-2 }, true),
  of('gaussian', 2, [1000, 6], { format: 'fmm', budget: 0.2, leafSize: 64, tolerance: 1e-2 }, true),
  of('rationalQuadratic', 3, [1000, 6], { format: 'hodlr', leafSize: 64, tolerance: 1e-3 }, true),
  of('imq', 2, [600, 6], { format: 'hss', leafSize: 32, tolerance: 1e-4 }, true),
];

describe('the asked tolerance is kept where ranks are free', () => {
  it.each(CONFIGURATIONS)(
    '$family h=$h, N = $size in $dimension dimensions: $options',
    async ({ family, h, size, dimension, normal = false, options }) => {
      for (const seed of [0, 1]) {
        const points = normal ? normalPoints(size, dimension, seed + 5) : uniformPoints(size, dimension, seed + 5);
        const source = kernelSource(points, kernelOfFamily(family, h), { blas: team.blas });
        const matrix = await compress(source, { ...options, maxRank: 700, seed }, { team });
        const error = relativeError(matrix.toDense(), denseOf(source));
        expect(matrix.report.limits).toEqual([]);
        expect(error).toBeLessThanOrEqual(options.tolerance! + 1e-14);
        matrix.release();
      }
    },
  );
});

/** Single pairs of outliers hold all of the error: a sample that passes one row by shows none of it. */
it.each([
  [100, 1e-6],
  [101, 1e-4],
  [102, 1e-3],
  [103, 1e-6],
])('and_of_narrow_kernels_by_what_is_chosen: seed %s, %s', async (seed, tolerance) => {
  const points = normalPoints(2500, 3, seed);
  const source = kernelSource(points, kernelOfFamily('gaussian', 0.1), { blas: team.blas });
  const matrix = await compress(source, { tolerance, seed }, { team });
  expect(relativeError(matrix.toDense(), denseOf(source))).toBeLessThanOrEqual(tolerance);
  matrix.release();
});
