/** Run records: complete, consistent with the matrix they describe, and without names of the machine. */
import { readFile, readdir } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError } from '#hmatrix/core/errors.js';
import { normalPoints } from '#datasets/points.js';
import { randomVectors, runCompression, type CompressionRun } from '#hmatrix/experiment/compression-run.js';
import { median } from '#hmatrix/core/median.js';
import { measureDgemm } from '#hmatrix/experiment/dgemm-rate.js';
import { writeRecord } from '#hmatrix/experiment/record.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';

const folder = temporaryFolder();
const size = 600;
const input = {
  kind: 'points',
  name: 'normal, 3 dimensions',
  size,
  dimension: 3,
  kernel: 'gaussian, h = 2',
  bandwidth: 2,
};
const options = { leafSize: 64, maxRank: 64, tolerance: 1e-3, seed: 4 };
let team: Team;
let source: EntrySource;
let run: CompressionRun;

beforeAll(async () => {
  team = await sharedTeam(2);
  source = kernelSource(normalPoints(size, 3, 1), gaussian(2), { blas: team.blas });
  run = await runCompression({ source, input, options, vectors: 5 }, { team });
});

describe('the record of a run', () => {
  it('agrees_with_the_matrix_it_describes', async () => {
    const { matrix, record } = run;
    const { bytes, share, ...parts } = matrix.memory();
    expect(record.memory).toMatchObject({ bytes, share, parts });
    expect(record.memory.wholePeakBytes).toBeGreaterThanOrEqual(record.memory.peakBytes);
    expect(record.memory.peakBytes).toBeGreaterThan(bytes);
    expect(record.ranks).toEqual(matrix.ranks());
    // Rate times time is work.
    expect(record.gflops.apply * record.seconds.apply * 1e9).toBeCloseTo(matrix.flops(5), -1);
    expect(record.error).toMatchObject({ ...(await matrix.estimateError(source, { seed: 4 })), tolerance: 1e-3 });
    expect(record.error.met).toBe(record.error.high <= 1e-3);
    expect(record.error.decision).toBe(record.error.met ? 'met' : 'missed');
    expect(record).toMatchObject({
      record: 'compression',
      input,
      seed: 4,
      workers: 2,
      vectors: 5,
      blas: team.blas.description,
      options: { leafSize: 64, maxRank: 64, tolerance: 1e-3, format: 'hss', dtype: 'f64' },
    });
    const { neighbors, tree, skeletonization, fill, compress, apply } = record.seconds;
    expect(compress).toBeGreaterThanOrEqual(neighbors + tree + skeletonization + fill);
    expect(Math.min(neighbors, tree, skeletonization, fill, apply)).toBeGreaterThan(0);
  });

  it('is_json_without_names_of_hosts_users_or_folders', async () => {
    const path = join(folder, 'record.json');
    await writeRecord(path, run.record);
    const text = await readFile(path, 'utf8');
    expect(JSON.parse(text)).toEqual(run.record);
    for (const name of [hostname(), homedir(), process.cwd()]) if (name.length > 3) expect(text).not.toContain(name);
  });

  it('is_the_same_for_equal_seeds_but_for_times_and_memory', async () => {
    const again = await runCompression({ source, input, options, vectors: 5 }, { team });
    expect(again.record.error).toEqual(run.record.error);
    expect(again.record.ranks).toEqual(run.record.ranks);
    expect(again.record.memory.bytes).toBe(run.record.memory.bytes);
    again.matrix.release();
  });

  it('is_refused_for_no_vectors_and_not_made_for_an_aborted_run', async () => {
    await expect(runCompression({ source, input, options, vectors: 0 }, { team })).rejects.toBeInstanceOf(OptionError);
    const signal = AbortSignal.abort();
    await expect(runCompression({ source, input, options }, { team, signal })).rejects.toBeInstanceOf(AbortedError);
    const controller = new AbortController();
    const duringProducts = runCompression(
      { source, input, options },
      {
        team,
        signal: controller.signal,
        onProgress: ({ phase }) => {
          if (phase === 'apply') controller.abort();
        },
      },
    );
    await expect(duringProducts).rejects.toBeInstanceOf(AbortedError);
    await expect(writeRecord(join(folder, 'aborted.json'), run.record, { signal })).rejects.toBeInstanceOf(
      AbortedError,
    );
    expect(await readdir(folder)).not.toContain('aborted.json');
  });
});

describe('what records are made with', () => {
  it('dgemm_is_measured_on_every_worker_at_once', async () => {
    const rate = await measureDgemm(team);
    expect(Number.isFinite(rate)).toBe(true);
    // Every worker multiplied: a team's rate is a sum of positive ones, and a scalar loop in an interpreter would be
    // below this.
    expect(rate).toBeGreaterThan(0.1);
  });

  it('fewer_random_vectors_are_the_first_of_more', () => {
    const few = randomVectors(40, 2, 9);
    const more = randomVectors(40, 5, 9);
    expect(Array.from(more.data.subarray(0, 80))).toEqual(Array.from(few.data));
    expect(Array.from(randomVectors(40, 2, 10).data)).not.toEqual(Array.from(few.data));
    const single = randomVectors(40, 2, 9, 'f32');
    expect(Array.from(single.data)).toEqual(Array.from(few.data, Math.fround));
  });

  it('the_median_halves_the_values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9, 100])).toBe(10);
  });
});
