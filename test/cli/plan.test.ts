/** hmatrix plan. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RanksPlan } from '#hmatrix/experiment/plan/plan-ranks.js';
import type { PublishedComparison } from '#hmatrix/experiment/plan/published.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

interface Printed extends RanksPlan {
  readonly content: 'plan';
  readonly published: readonly PublishedComparison[];
}

async function planned(args: readonly string[]): Promise<Printed> {
  const { status, stdout, stderr } = await hmatrix(['plan', ...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Printed;
}

describe('hmatrix plan', () => {
  it('has_defaults_that_fit_a_rank_and_prints_within_80_columns', async () => {
    const { setup, memory, published } = await planned([]);
    for (const parts of Object.values(memory))
      expect(parts.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0)).toBeLessThan(setup.memory);
    expect(published).toEqual([]);
    for (const args of [
      [],
      ['--size', '2e9', '--ranks', '16384', '--workers', '64'],
      ['--size', '100', '--ranks', '1'],
    ]) {
      const { status, stdout, stderr } = await hmatrix(['plan', ...args], { broken: true });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
    }
  });

  it('says_what_does_not_fit_and_stands_beside_the_published_figures_of_its_size', async () => {
    const args = ['--size', '67e6', '--ranks', '128', '--workers', '48', '--vectors', '512'];
    const { published } = await planned(args);
    expect(published.map(({ figure }) => figure.stage)).toEqual(['compress', 'product', 'factor', 'solve']);
    const { stdout } = await hmatrix(['plan', ...args]);
    expect(stdout).toMatch(/DOES NOT FIT in 192 GB of a rank: product, \d+ GB; solve, \d+ GB\./);
    expect(stdout).toMatch(/solve of 64 \(MCSoC 2019\) +│ +< 0\.1 s │/);
  });

  it('takes_rates_and_what_the_record_of_a_compression_says_of_ranks', async () => {
    const compress = ['--points', 'uniform:2000,2', '--kernel', 'matern32', '--bandwidth', '0.2', '--dtype', 'f32'];
    const more = ['--leaf-size', '100', '--tolerance', '1e-3', '--quiet', '--record', at('run.json')];
    expect((await hmatrix(['compress', ...compress, ...more])).status).toBe(0);
    const plan = await planned(['--from', at('run.json'), '--size', '2000', '--gemm', '5e10', '--latency', '1e-6']);
    expect(plan.setup).toMatchObject({ leafSize: 100, dtype: 'f32', speeds: { gemm: 5e10, latency: 1e-6 } });
    expect(new Set(plan.setup.rankOfLevel).size).toBeGreaterThan(2);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a_size', ['--size', '1.5'], /--size.*whole number from 1 to 2147483647/],
    ['ranks', ['--ranks', '0'], /--ranks.*whole number from 1 to 16384/],
    ['a_rate', ['--latency', '-1'], /--latency.*positive number/],
    ['an_option', ['--nodes', '3'], /unknown option.*--nodes/],
    ['ranks_twice', ['--rank', '3', '--from', 'run.json'], /--rank and --from both say/],
    ['a_file', ['file.hm'], /takes options alone, no arguments/],
  ])('refuses_%s_with_status_2', async (_, args, wanted) => {
    const { status, stdout, stderr } = await hmatrix(['plan', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(wanted);
  });

  it('refuses_records_of_other_runs_and_files_that_are_none', async () => {
    const run = ['--points', 'normal:200,2', '--kernel', 'gaussian', '--bandwidth', '1', '--count', '2', '--quiet'];
    expect((await hmatrix(['eigs', ...run, '--record', at('eigs.json')])).status).toBe(0);
    const other = await hmatrix(['plan', '--from', at('eigs.json')]);
    expect(other.status).toBe(2);
    expect(other.stderr).toMatch(/it is the record of eigs; compress --record writes the one/);
    await writeFile(at('none.json'), '{}');
    expect((await hmatrix(['plan', '--from', at('none.json')])).stderr).toMatch(/is no record of a run/);
    const missing = await hmatrix(['plan', '--from', at('missing.json')]);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/missing\.json/);
  });
});
