/**
 * Exit statuses: 0 done, 1 the run failed, 2 wrong usage, 3 the asked tolerance was missed; and what is left behind.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { zeros } from '#hmatrix/dense/matrix.js';
import { writeNpyMatrix } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, hmatrixProcess } from './command.js';

const folder = temporaryFolder();
const points = ['--points', 'normal:200,3'];

describe('wrong usage has status 2 and names the option', () => {
  it.each([
    [['compress'], /--matrix.*--points.*--named/],
    [['compress', ...points, '--named', 'K02', '--size', '1024'], /--points and --named/],
    [['compress', '--named', 'K02'], /--size/],
    [['compress', '--named', 'K02', '--size', '1000'], /--size.*square.*961 and 1024/],
    [['compress', '--named', 'K99', '--size', '1024'], /--named.*K02, K13, K15/],
    [['compress', '--named', 'K02', '--size', '1024', '--kernel', 'gaussian'], /--kernel goes with --points/],
    [['compress', '--points', 'normal:100'], /--points normal:100.*normal:4096,6/],
    [['compress', '--points', 'normal:0,3'], /--points/],
    [['compress', ...points, '--kernel', 'gausian'], /--kernel.*gaussian, laplace/],
    [['compress', ...points, '--kernel', 'exp(-q)'], /exp\(-q\).*unknown symbol, q/],
    [['compress', ...points, '--bandwidth', '0'], /--bandwidth.*positive number/],
    [['compress', ...points, '--bandwidth', 'NaN'], /--bandwidth.*positive number/],
    [['compress', ...points, '--degree', '3'], /--degree/],
    [['compress', ...points, '--alpha', '2'], /--alpha goes with --kernel rationalQuadratic/],
    [['compress', ...points, '--kernel', 'exp(-r)', '--period', '2'], /--period goes with --kernel periodic/],
    [['compress', ...points, '--kernel', 'periodic', '--period', '0'], /--period.*positive number/],
    [['compress', ...points, '--format', 'h2'], /--format.*hss, hodlr, fmm/],
    [['compress', ...points, '--leaf-size', '1'], /--leaf-size.*from 2/],
    [['compress', ...points, '--max-rank', '1.5'], /--max-rank.*whole number/],
    [['compress', ...points, '--tolerance', 'NaN'], /--tolerance.*\[0, 1\)/],
    [['compress', ...points, '--tolerance', '-1e-3'], /--tolerance.*\[0, 1\)/],
    [['compress', ...points, '--neighbors', '0'], /--neighbors.*from 1/],
    [['compress', ...points, '--budget', '2'], /--budget.*\[0, 1\]/],
    [['compress', ...points, '--budget', '0.1', '--format', 'hss'], /--budget.*fmm/],
    [['compress', ...points, '--distance', 'euclid'], /--distance.*auto, geometric/],
    [['compress', ...points, '--dtype', 'f16'], /--dtype.*f64, f32/],
    [['compress', ...points, '--vectors', '0'], /--vectors/],
    [['compress', ...points, '--workers', '0'], /--workers/],
    [['compress', ...points, '--seed', '-1'], /--seed/],
    [['compress', ...points, '--memory-limit', 'much'], /--memory-limit.*bytes/],
    [['compress', ...points, '--limit', 'all'], /--limit/],
    [['compress', ...points, '--frobnicate'], /--frobnicate/],
    [['compress', ...points, 'extra'], /argument/],
    [['multiply', 'k.hm'], /--x/],
    [['info'], /file/],
    [['frobnicate'], /frobnicate/],
    [[], /Usage: hmatrix/],
  ] as [string[], RegExp][])('%j', async (args, named) => {
    const { status, stdout, stderr } = await hmatrix(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(named);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('help and version have status 0', () => {
  it.each([['--help'], ['help'], ['compress', '--help'], ['--version']])('%s', async (...args) => {
    const { status, stdout, stderr } = await hmatrix(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });
});

describe('a run that fails has status 1, a message, and leaves nothing', () => {
  const fails = async (args: string[], named: RegExp, env?: Record<string, string>): Promise<void> => {
    const before = await readdir(folder);
    const { status, stdout, stderr } = await (env === undefined ? hmatrix(args) : hmatrixProcess(args, { env }));
    expect(stderr).toMatch(named);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(await readdir(folder)).toEqual(before);
  };
  const out = ['--out', join(folder, 'never.hm'), '--json'];

  it('for_files_that_are_not_there', async () => {
    await fails(['compress', '--points', join(folder, 'absent.npy'), ...out], /absent\.npy.*no such file/);
    await fails(['compress', '--matrix', folder, ...out], /folder/);
    await fails(['info', join(folder, 'absent.hm')], /absent\.hm.*no such file/);
    await fails(['multiply', join(folder, 'absent.hm'), '--x', 'seeded'], /absent\.hm.*no such file/);
  });

  it('for_files_that_are_not_what_they_should_be', async () => {
    const matrix = join(folder, 'k.npy');
    const k = zeros(60, 60);
    for (let i = 0; i < 60; i++) k.data[61 * i] = 1;
    await writeNpyMatrix(matrix, k);
    const hm = join(folder, 'k.hm');
    expect((await hmatrix(['compress', '--matrix', matrix, '--out', hm, '--quiet'])).status).toBe(0);
    for (const [name, whole] of [
      ['cut.npy', matrix],
      ['cut.hm', hm],
    ]) {
      const bytes = await readFile(whole);
      await writeFile(join(folder, name), bytes.subarray(0, bytes.length - 100));
    }
    await writeFile(join(folder, 'foreign.npy'), 'not an array at all');
    await fails(['compress', '--matrix', join(folder, 'cut.npy'), ...out], /cut\.npy.*truncated/);
    await fails(['compress', '--matrix', join(folder, 'foreign.npy'), ...out], /foreign\.npy/);
    await fails(['info', join(folder, 'cut.hm')], /cut\.hm.*truncated/);
    // Its name says nothing of another kind.
    await writeFile(join(folder, 'foreign.hm'), await readFile(matrix));
    await fails(['info', join(folder, 'foreign.hm')], /not a hierarchical matrix file/);
    await fails(['multiply', join(folder, 'cut.hm'), '--x', 'seeded'], /cut\.hm.*truncated/);
  });

  it('for_matrices_that_cannot_be_compressed', async () => {
    const bad = join(folder, 'bad.npy');
    const k = zeros(50, 50);
    for (let i = 0; i < 50; i++) k.data[51 * i] = 1;
    await writeNpyMatrix(bad, zeros(50, 40));
    await fails(['compress', '--matrix', bad, ...out], /50 × 40/);
    k.data[3] = 0.5;
    await writeNpyMatrix(bad, k);
    await fails(['compress', '--matrix', bad, ...out], /not symmetric/);
    k.data[3] = Number.NaN;
    await writeNpyMatrix(bad, k);
    await fails(['compress', '--matrix', bad, ...out], /NaN/);
    k.data[3] = 0;
    k.data[51] = -1;
    await writeNpyMatrix(bad, k);
    await fails(['compress', '--matrix', bad, ...out], /positive semidefinite/);
  });

  it('for_a_place_that_cannot_be_written_to', async () => {
    await fails(['compress', ...points, '--out', join(folder, 'absent', 'k.hm')], /folder does not exist/);
    await fails(['compress', ...points, '--record', folder], /is a folder/);
  });

  it('for_a_library_that_is_not_there_and_for_too_little_memory', async () => {
    await fails(['compress', ...points, '--blas', join(folder, 'libnothing.so')], /libnothing\.so/);
    await fails(['doctor'], /libnothing\.so/, { HMATRIX_BLAS: join(folder, 'libnothing.so') });
    await fails(
      ['compress', ...points, '--memory-limit', '1k', ...out],
      /available: lower --max-rank, --leaf-size or --budget, use --dtype f32, or raise --memory-limit/,
    );
  });
});

describe('a missed tolerance has status 3', () => {
  it('and_is_done_all_the_same', async () => {
    const hm = join(folder, 'missed.hm');
    const { status, stdout, stderr } = await hmatrix([
      'compress',
      '--points',
      'normal:600,6',
      '--bandwidth',
      '1',
      '--leaf-size',
      '64',
      '--max-rank',
      '8',
      '--tolerance',
      '1e-6',
      '--out',
      hm,
      '--json',
    ]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/tolerance was missed: .*Levels 1–\d are at rank 8: --max-rank 32/);
    // Said once: what the library would warn of is what the command has measured.
    expect(stderr.match(/missed/g)).toHaveLength(1);
    expect((JSON.parse(stdout) as { error: { relative: number; met: boolean } }).error).toMatchObject({ met: false });
    expect((await hmatrix(['info', hm])).status).toBe(0);
  });
});

describe('a process of its own', () => {
  it.each([
    [0, ['compress', '--help']],
    [0, ['--version']],
    [1, ['info', join(folder, 'absent.hm')]],
    [2, ['compress', ...points, '--tolerance', 'NaN']],
    [2, ['frobnicate']],
    [2, []],
  ] as [number, string[]][])(
    'ends with status %i and says what the command says within one: %j',
    async (status, args) => {
      const outcome = await hmatrixProcess(args);
      expect(outcome).toEqual(await hmatrix(args));
      expect(outcome.status).toBe(status);
    },
  );

  it('has_no_more_to_say_of_a_missed_tolerance', async () => {
    const args = ['compress', '--points', 'normal:600,6', '--bandwidth', '1', '--leaf-size', '64', '--max-rank', '8'];
    const outcome = await hmatrixProcess([...args, '--tolerance', '1e-6', '--quiet']);
    expect(outcome).toEqual(await hmatrix([...args, '--tolerance', '1e-6', '--quiet']));
    expect([outcome.status, outcome.stdout]).toEqual([3, '']);
  });
});

describe('Ctrl-C', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s_ends_a_run_with_status_1_and_leaves_no_files', async (signal) => {
    const before = await readdir(folder);
    let sent = false;
    const { status, stderr, stdout } = await hmatrixProcess(['demo', '--record', join(folder, 'interrupted.json')], {
      cwd: folder,
      watch: (child, output) => {
        // The first line is printed when the run begins.
        if (!sent && output !== '') sent = child.kill(signal);
      },
    });
    expect(sent).toBe(true);
    expect(status).toBe(1);
    expect(stderr).toContain('interrupted; nothing was written');
    expect(stdout).not.toContain('ε_F');
    expect(await readdir(folder)).toEqual(before);
  });

  it('twice_ends_it_at_once', async () => {
    let sent = 0;
    let ended: NodeJS.Signals | null = null;
    const { status } = await hmatrixProcess(['demo'], {
      cwd: folder,
      watch: (child, output, errors) => {
        if (sent === 0 && output !== '') {
          sent = Number(child.kill('SIGINT'));
          child.once('exit', (_, signal) => (ended = signal));
        } else if (sent === 1 && errors.includes('stopping')) sent += Number(child.kill('SIGINT'));
      },
    });
    // Where the second one comes after Node has taken the handlers down, on its way out, the system ends the process.
    expect(ended ?? status).toBeOneOf([1, 'SIGINT']);
    expect(sent).toBeGreaterThanOrEqual(1);
  });
});
