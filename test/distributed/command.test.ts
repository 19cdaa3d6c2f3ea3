/** The command under mpirun: said once, and refused where it does not run on several ranks. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { uniformPoints } from '#datasets/points.js';
import { openRanks } from '#hmatrix/cli/ranks.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { LAUNCHERS, run, runRanks, type Ended } from './launchers.js';

const folder = temporaryFolder();
const main = resolve(import.meta.dirname, '../../dist/command/hmatrix.js');

/** One library is enough where only what is exchanged counts: that is the same. */
const first = LAUNCHERS.find(({ missing }) => missing === undefined);

for (const launcher of LAUNCHERS) {
  const { family, missing, command } = launcher;
  if (missing !== undefined) it.skip(`the command under mpirun (${family}): ${missing}`, () => undefined);
  else
    describe(`the command under mpirun (${family})`, () => {
      const hmatrix = (...args: string[]) => run([...command, '-n', '3', process.execPath, main, ...args]);

      it('doctor_tells_once_who_started_how_many', async () => {
        const { status, stdout } = await hmatrix('doctor', '--json', '--workers', '1');
        expect(status).toBe(0);
        const { mpi } = JSON.parse(stdout) as { mpi: { library: string; search: { usable: boolean }[] } };
        expect(mpi).toMatchObject({ launcher: { rank: 0, size: 3, name: expect.stringMatching(/mpirun/) as string } });
        expect(mpi.library).toMatch(launcher.library);
        expect(mpi.search.some(({ usable }) => usable)).toBe(true);
      });

      it('train_writes_the_weights_of_one_process', async () => {
        const weights = (name: string): string => join(folder, `${family}-${name}.safetensors`);
        const how = ['train', '--samples', '600', '--hidden', '20', '--batch-size', '500', '--steps', '3'];
        const args = (name: string): string[] => [...how, '--optimizer', 'kfac', '--json', '--out', weights(name)];
        const { status, stdout, stderr } = await hmatrix(...args('ranks'));
        expect([status, stderr]).toEqual([0, '']);
        expect(JSON.parse(stdout)).toMatchObject({ steps: 3 });
        await run([process.execPath, main, ...args('alone')]);
        expect(readFileSync(weights('ranks'))).toEqual(readFileSync(weights('alone')));
      });

      it('a_library_that_cannot_be_opened_is_told_by_ranks_as_their_own', async () => {
        const env = { HMATRIX_MPI: '/nonexistent.so' };
        const { status, stderr } = await run([...command, '-n', '2', process.execPath, main, 'tune'], { env });
        expect(status).toBe(1);
        expect(stderr).toMatch(/^hmatrix \(rank 0 of 2\): Cannot open the library/m);
        expect(stderr).not.toMatch(/^hmatrix: /m);
      });

      it('rank_0_alone_writes_results_and_others_say_who_they_are', async () => {
        const { status, stdout, stderr } = await runRanks(launcher, 3, ['command-ranks.mjs', '0']);
        expect([status, stdout]).toEqual([0, 'the sum is 6\n']);
        expect(stderr).toBe('hmatrix (rank 1 of 3): what this rank has to say\n');
      });

      it('a_rank_that_fails_ends_the_others_with_its_status', async () => {
        const { status, stderr } = await runRanks(launcher, 3, ['command-ranks.mjs', '4']);
        expect(status).toBe(4);
        expect(stderr).toMatch(/^hmatrix \(rank 1 of 3\): what this rank has to say$/m);
      });

      if (launcher !== first) return;

      it.each([[['--version']], [['help', 'train']], [['train', '--help']]])('%j_is_written_once', async (args) => {
        const once = await run([process.execPath, main, ...args]);
        expect(once.stdout.length).toBeGreaterThan(3);
        const { status, stdout } = await hmatrix(...args);
        // Open MPI gives ranks a terminal, of another width.
        const words = (text: string): string[] => text.split(/\s+/);
        expect([status, words(stdout)]).toEqual([0, words(once.stdout)]);
      });

      it('a_command_of_one_process_refuses_once', async () => {
        const { status, stdout, stderr } = await hmatrix('demo', '--samples', '10');
        expect([status, stdout]).toEqual([2, '']);
        const refusals = stderr.match(/hmatrix: hmatrix demo runs in one process, and .* has started 3: .*/g);
        expect(refusals).toEqual([
          expect.stringMatching(/HMATRIX_MPI=self .* On several ranks run: compress, .*sample\./),
        ]);
      });

      it('compress_multiply_factor_and_solve_write_what_one_process_writes', async () => {
        const path = (name: string): string => join(folder, `${family}-${name}`);
        // Each rank reads its part, and the bandwidth is that of all.
        const coordinates = uniformPoints(760, 2, 3).coordinates;
        await writeNpy(path('points.npy'), { shape: [760, 2], data: coordinates });
        const points = ['--points', path('points.npy'), '--limit', '729', '--kernel', 'matern32'];
        const compress = ['compress', ...points, '--vectors', '2'];
        const written = async (runs: (...args: string[]) => Promise<Ended>, name: string): Promise<Buffer[]> => {
          const file = path(`${name}.hm`);
          const [y, x, again] = ['y', 'x', 'again'].map((what) => path(`${name}-${what}.npy`));
          const factors = path(`${name}-factors.hm`);
          const { status, stdout } = await runs(...compress, '--leaf-size', '64', '--out', file);
          expect(status).toBe(0);
          expect(stdout.match(/3 ranks of \d+ workers? each/g) ?? []).toHaveLength(name === 'ranks' ? 1 : 0);
          expect((await runs('multiply', file, '--x', 'seeded', '--out', y, '--quiet')).status).toBe(0);
          expect((await runs('solve', file, '--shift', '0.1', '--out', x, '--quiet')).status).toBe(0);
          expect((await runs('factor', file, '--shift', '0.1', '--out', factors, '--quiet')).status).toBe(0);
          expect((await runs('solve', factors, '--out', again, '--quiet')).status).toBe(0);
          return [y, x, again].map((result) => readFileSync(result));
        };
        const alone = (...args: string[]) => run([process.execPath, main, ...args]);
        expect(await written(hmatrix, 'ranks')).toEqual(await written(alone, 'alone'));
      });

      it('standard_input_which_one_rank_has_is_refused', async () => {
        const { status, stdout, stderr } = await hmatrix('compress', '--points', '-', '--tolerance', '1e-2');
        expect([status, stdout]).toEqual([2, '']);
        expect(stderr).toMatch(/Standard input reaches one rank alone: give a file/);
      });

      it('a_missed_tolerance_is_told_by_the_status_when_all_is_written', async () => {
        const how = ['--named', 'K02', '--size', '400', '--leaf-size', '50', '--max-rank', '3', '--tolerance', '1e-9'];
        const { status, stdout, stderr } = await hmatrix('compress', ...how, '--json');
        expect(status).toBe(3);
        expect(JSON.parse(stdout)).toMatchObject({ error: { decision: 'missed' } });
        expect(stderr.match(/the asked tolerance was missed/g)).toHaveLength(1);
      });

      it('a_failure_of_all_ranks_is_told_once', async () => {
        const { status, stderr } = await hmatrix('compress', '--points', 'nowhere.npy');
        expect(status).not.toBe(0);
        expect(stderr.match(/Cannot open nowhere\.npy/g)).toHaveLength(1);
      });

      it('wrong_usage_is_told_once', async () => {
        const { status, stdout, stderr } = await hmatrix('table', '--methods', 'kfacc');
        expect([status, stdout]).toEqual([2, '']);
        expect(stderr.match(/There is no method "kfacc"/g)).toHaveLength(1);
      });
    });
}

const NETWORK = ['--network', '196-3-10', '--loss', 'cross-entropy', '--samples', '400', '--epochs', '1', '--quiet'];

if (first === undefined) it.skip('commands on networks under mpirun: no launcher', () => undefined);
else
  it.each([
    ['tune', ['--named', 'MATERN', '--size', '400', '--quiet'], ['chosen']],
    ['eigs', [...NETWORK, '--count', '2'], ['values', 'residuals', 'products']],
    ['sample', [...NETWORK, '--shift', '1e-2', '--count', '3', '--out', 'OUT'], ['residual', 'logdet', 'share']],
    [
      'table',
      [...NETWORK, '--low', '0.3', '--high', '0.6', '--methods', 'kfac,hss'],
      ['network', 'budgets', 'skipped'],
    ],
    [
      'compare',
      [...NETWORK, '--seconds', '20', '--optimizers', 'adam', '--target-loss', '2.6', '--grid', 'default'],
      ['targets', 'skipped'],
    ],
  ])('%s_on_two_ranks_tells_what_one_process_tells', { timeout: 120_000 }, async (command, options, keys) => {
    const told = async (ranks: readonly string[], name: string): Promise<unknown> => {
      const out = join(folder, `${command}-${name}.npz`);
      const given = options.map((option) => (option === 'OUT' ? out : option));
      const { status, stdout } = await run([...ranks, process.execPath, main, command, ...given, '--json']);
      expect(status).toBe(0);
      const record = JSON.parse(stdout) as Record<string, unknown>;
      for (const key of keys) expect(record[key]).toBeDefined();
      const rows = (record['rows'] ?? []) as { method?: string; error?: unknown; loss?: unknown }[];
      return {
        told: keys.map((key) => record[key]),
        rows: rows.map(({ method, error, loss }) => ({ method, error, loss })),
        written: options.includes('OUT') ? readFileSync(out).toString('base64') : null,
      };
    };
    expect(await told([...first.command, '-n', '2'], 'ranks')).toEqual(await told([], 'alone'));
  });

it('without_a_launcher_every_command_runs_alone', async () => {
  await expect(openRanks('solve')).resolves.toBe(true);
});
