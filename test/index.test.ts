/** The public names: everything a caller needs from one import, on a team that opens itself. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from './io/temporary-folder.js';

const folder = temporaryFolder();
const count = 500;
const coordinates = new Float64Array(2 * count);
new hmatrix.random.RandomStream(1).fillNormal(coordinates);
const points = { dimension: 2, count, coordinates };
const vectors = (): ReturnType<typeof hmatrix.dense.zeros> => {
  const x = hmatrix.dense.zeros(count, 2);
  new hmatrix.random.RandomStream(2).fillNormal(x.data);
  return x;
};

afterAll(() => hmatrix.teams.closeDefaultTeam());

describe('the public interface', () => {
  it('is_a_core_of_nine_names_and_namespaces_that_are_entries_of_their_own', () => {
    const core = Object.entries(hmatrix).filter(([, value]) => typeof value === 'function');
    expect(core.map(([name]) => name).sort()).toEqual(
      [
        'approximate',
        'compress',
        'denseSource',
        'factor',
        'gaussNewton',
        'HierarchicalMatrix',
        'kernelSource',
        'openTeam',
        'solve',
      ].sort(),
    );
    const namespaces = Object.keys(hmatrix).filter((name) => !core.some(([known]) => known === name));
    const entries = readdirSync(join(import.meta.dirname, '../src/public')).map((file) => file.replace(/\.ts$/, ''));
    expect(namespaces.sort()).toEqual(entries.sort());
  });

  it('compresses_multiplies_saves_and_loads_without_a_team_of_the_callers', async () => {
    const source = hmatrix.kernelSource(points, hmatrix.kernels.gaussian(hmatrix.kernels.medianBandwidth(points, 0)));
    const phases = new Set<string>();
    const matrix = await hmatrix.compress(
      source,
      { leafSize: 64, tolerance: 1e-6 },
      {
        onProgress: ({ phase }) => {
          phases.add(phase);
        },
      },
    );
    expect(matrix).toBeInstanceOf(hmatrix.HierarchicalMatrix);
    expect(phases).toContain('skeletonize');
    // Three times the tolerance: what maxRank and the sampled rows leave of it, for a kernel whose ranks are far below
    // the limit.
    expect((await matrix.estimateError(source)).relative).toBeLessThanOrEqual(3e-6);
    const path = join(folder, 'matrix.hm');
    await hmatrix.io.save(path, matrix);
    const loaded = await hmatrix.io.load(path, { kind: 'hierarchical matrix' });
    expect(Array.from(loaded.apply(vectors()).data)).toEqual(Array.from(matrix.apply(vectors()).data));
    expect((await hmatrix.io.describeMatrixFile(path)).size).toBe(count);
  });

  it('gives_the_same_bits_on_a_team_of_the_callers', async () => {
    const source = hmatrix.kernelSource(points, hmatrix.kernels.matern32(1));
    const options = { leafSize: 64, tolerance: 1e-4 };
    const shared = await hmatrix.compress(source, options);
    const team = await hmatrix.openTeam({ workers: 1 });
    try {
      const own = await hmatrix.compress(source, options, { team });
      expect(Array.from(own.apply(vectors()).data)).toEqual(Array.from(shared.apply(vectors()).data));
    } finally {
      await team.close();
    }
  });

  it('opens_another_team_after_the_shared_one_was_closed', async () => {
    const source = hmatrix.denseSource(hmatrix.dense.matrixOver(Float64Array.of(2, 1, 1, 2), 2, 2));
    const before = await hmatrix.compress(source);
    await hmatrix.teams.closeDefaultTeam();
    await hmatrix.teams.closeDefaultTeam();
    const x = hmatrix.dense.matrixOver(Float64Array.of(1, 0), 2, 1);
    expect(() => before.apply(x)).toThrow(hmatrix.errors.WorkerError);
    const after = await hmatrix.compress(source);
    expect(Array.from(after.apply(x).data)).toEqual([2, 1]);
  });

  it('lets_a_script_end_that_closes_nothing', async () => {
    const script = `import { compress, denseSource } from '#hmatrix/index.js';
import { matrixOver } from '#hmatrix/public/dense.js';
      const matrix = await compress(denseSource(matrixOver(Float64Array.of(2, 1, 1, 2), 2, 2)));
      console.log(matrix.size);`;
    // A process that never ends is killed, and its promise rejects.
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      timeout: 60_000,
    });
    expect(stdout.trim()).toBe('2');
  });

  it('finds_neighbors_and_trees', async () => {
    const source = hmatrix.kernelSource(points, hmatrix.kernels.gaussian(1));
    const { indices, count: found } = await hmatrix.trees.findNeighbors(source, 'geometric', {
      neighbors: 4,
      targetRecall: 1,
    });
    const distance = (i: number, j: number): number =>
      Math.hypot(coordinates[2 * i] - coordinates[2 * j], coordinates[2 * i + 1] - coordinates[2 * j + 1]);
    const nearest = Array.from({ length: count - 1 }, (_, k) => k + 1)
      .sort((a, b) => distance(0, a) - distance(0, b))
      .slice(0, 4);
    expect(Array.from(indices.subarray(0, found))).toEqual(nearest);
    const tree = await hmatrix.trees.buildClusterTree(source, 'geometric', { leafSize: 64 });
    expect(Array.from(tree.order).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('stops_when_aborted_and_refuses_misuse_with_typed_errors', async () => {
    const source = hmatrix.kernelSource(points, hmatrix.kernels.gaussian(1));
    await expect(hmatrix.compress(source, {}, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      hmatrix.errors.AbortedError,
    );
    await expect(hmatrix.compress(source, { tolerance: Number.NaN })).rejects.toBeInstanceOf(
      hmatrix.errors.OptionError,
    );
    expect(() => hmatrix.kernelSource(points, hmatrix.kernels.gaussian(1), { ridge: -1 })).toThrow(
      hmatrix.errors.OptionError,
    );
    expect(() => hmatrix.denseSource(hmatrix.dense.zeros(2, 3))).toThrow(hmatrix.errors.ShapeError);
  });
});
