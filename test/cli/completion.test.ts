/** Completion in shells: scripts that shells take, and what they are told. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrixProcess } from './command.js';

const folder = temporaryFolder();
beforeAll(() => {
  for (const name of ['K.hm', 'K2.hm', 'run.json', '.hidden']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'table.csv'), '');
});

/** What a shell is offered behind these words. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const { status, stdout, stderr } = await hmatrixProcess(['complete', '--', ...words], { cwd: folder });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith(':'))
    .map((line) => line.split('\t')[0]);
}

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('has_a_script_for_%s_that_asks_the_command', async (shell) => {
    const { status, stdout } = await hmatrixProcess(['completion', shell], { broken: true });
    expect(status).toBe(0);
    expect(stdout).toContain('hmatrix complete -- ');
    const there = spawnSync(shell, ['--version']).status === 0;
    if (there) expect(spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' }).stderr).toBe('');
  });

  it('offers_commands_options_choices_and_files', async () => {
    expect(await offered('co')).toEqual(expect.arrayContaining(['compress', 'compare']));
    expect(await offered('compress', '--tol')).toEqual(['--tolerance']);
    expect(await offered('compress', '--format', '')).toEqual(['hss', 'hodlr', 'fmm']);
    expect(await offered('plot', '--theme', 'd')).toEqual(['dark']);
    expect(await offered('plot', 'K')).toEqual(['K.hm', 'K2.hm']);
    expect(await offered('plot', '')).toEqual(['K.hm', 'K2.hm', 'data/', 'run.json']);
    expect(await offered('report', 'run.json', 'data/')).toEqual(['data/table.csv']);
    expect(await offered('solve', 'K.hm', '--record', 'r')).toEqual(['run.json']);
    expect(await offered('solve', 'K.hm', '--rhs', 'r')).toEqual(['run.json']);
    expect(await offered('plot', 'none/')).toEqual([]);
  });

  it('of_another_shell_or_of_none_is_wrong_usage', async () => {
    expect(await hmatrixProcess(['completion', 'tcsh'])).toMatchObject({ status: 2, stdout: '' });
    expect(await hmatrixProcess(['completion'])).toMatchObject({ status: 2, stdout: '' });
  });

  it('is_listed_among_the_commands', async () => {
    expect((await hmatrixProcess(['help'])).stdout).toMatch(/completion <shell>/);
  });
});
