/** The experiments of training, small, on generated data: that they run, not what comes of them. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { closeDefaultTeam } from '#hmatrix/parallel/default-team.js';
import { normalQuantile } from '../../dist/bench/experiments/variational.js';
import { EXPERIMENTS } from '../../dist/bench/experiments/table.js';
import { makeTrainingTables } from '../../dist/bench/training-table.js';

const root = resolve(import.meta.dirname, '../..');
const results = join(root, 'bench/experiments/results');
const kept = (): string[] => (existsSync(results) ? readdirSync(results) : []);
const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(root, 'dist/bench/experiments/run.js'), ...args], { encoding: 'utf8' });

afterAll(closeDefaultTeam);

describe('an experiment', () => {
  it.each(Object.entries(EXPERIMENTS))('runs on generated data: %s', async (_, { run }) => {
    const said: string[] = [];
    const setup = { data: '/nowhere', quick: true, seed: 0, say: (line: string) => void said.push(line) };
    const { data, tables, checks, pictures = {} } = await run(setup);
    expect(data).toMatch(/generated/);
    expect(checks.length).toBeGreaterThan(0);
    expect(checks.every(({ expected, seen }) => expected !== '' && seen !== '')).toBe(true);
    for (const { columns, rows } of tables) {
      expect(rows.length).toBeGreaterThan(1);
      for (const row of rows) expect(row.length).toBe(columns.length);
    }
    for (const { width, height, pixels } of Object.values(pictures)) {
      expect(pixels.length).toBe(width * height);
      expect(new Set(pixels).size).toBeGreaterThan(10);
    }
  });

  it('is_chosen_by_name_and_writes_nothing_unless_told_to', () => {
    const before = kept();
    const { status, stdout } = command('transfer', '--quick', '--data', '/nowhere');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^transfer: /);
    expect(stdout).toMatch(/generated digits/);
    expect(kept()).toEqual(before);
  });

  it.each([[], ['transfer', 'clasifier'], ['--what'], ['transfer', '--seed', 'x'], ['transfer', '--quick', '--write']])(
    'refuses_misuse_with_the_names: %s %s',
    (...args) => {
      const { status, stdout, stderr } = command(...args);
      expect([status, stdout]).toEqual([2, '']);
      for (const name of Object.keys(EXPERIMENTS)) expect(stderr).toContain(name);
    },
  );
});

describe('what_the_bench_of_training_shows', () => {
  it('says_which_target_was_not_reached_and_what_share_of_the_time_of_Adam_another_took', () => {
    const racer = { batchSize: 100, learningRate: 1e-3, seeds: 3, epochs: [5, null], validationLoss: 6 };
    const text = makeTrainingTables([
      {
        name: 'training-autoencoder',
        kind: 'race',
        data: 'some images',
        blas: 'some BLAS',
        tried: [],
        racers: [
          { ...racer, method: 'Adam', tuned: true, seconds: [8, null] },
          { ...racer, method: 'ekfac-adam', tuned: false, seconds: [2, 4] },
        ],
      },
    ]);
    expect(text).toMatch(/Adam, batch 100, rate 0.001, tuned \| 8 \| not reached/);
    expect(text).toMatch(/ekfac-adam, batch 100, rate 0.001 \| 2 \(0.25\) \| 4 \|/);
  });
});

describe('quantiles_of_the_normal_distribution', () => {
  it('are_those_of_tables', () => {
    for (const [p, z] of [
      [0.5, 0],
      [0.975, 1.959964],
      [0.01, -2.326348],
    ])
      expect(normalQuantile(p)).toBeCloseTo(z, 4);
  });
});
