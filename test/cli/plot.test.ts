/** hmatrix plot and hmatrix report: pictures and pages from files, and in the terminal. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const run = (...args: readonly string[]): ReturnType<typeof hmatrix> => hmatrix(args, { cwd: folder });
const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

beforeAll(async () => {
  const points = ['--points', 'normal:500,2', '--leaf-size', '32', '--tolerance', '1e-4'];
  await run('compress', ...points, '--out', 'K.hm', '--record', 'run.json', '--quiet');
  await run('solve', '--points', 'normal:300,2', '--shift', '1', '--record', 'solve.json', '--json');
});

describe('plot', () => {
  it('writes_svg_png_and_html', async () => {
    const svg = await run('plot', 'K.hm', '-o', 'a.svg', '--singular-values', '--spectrum');
    expect(svg).toEqual({
      status: 0,
      stderr: '',
      stdout: 'blocks, ranks, memory, singular-values, spectrum: written to a.svg\n',
    });
    expect(await read('a.svg')).toMatch(/^<svg xmlns=/);
    expect((await run('plot', 'run.json', '--out', 'a.png', '--theme', 'dark', '--quiet')).stdout).toBe('');
    expect((await readFile(join(folder, 'a.png'))).subarray(1, 4).toString()).toBe('PNG');
    const html = await run('plot', 'solve.json', '--figures', 'convergence', '--out', 'a.html', '--json');
    const { out, figures } = JSON.parse(html.stdout) as { out: string; figures: { id: string; table: object }[] };
    expect([out, figures.map(({ id }) => id)]).toEqual(['a.html', ['convergence']]);
    expect(await read('a.html')).toContain('<h3>Convergence</h3>');
  });

  it('of_a_direct_solve_names_factors_not_a_preconditioner_and_tells_what_loading_took', async () => {
    expect((await run('factor', 'K.hm', '--shift', '10', '--out', 'F.hm', '--quiet')).status).toBe(0);
    for (const args of [['K.hm', '--shift', '10'], ['F.hm']]) {
      expect((await run('solve', ...args, '--record', 'direct.json', '--quiet')).status).toBe(0);
      const { stdout } = await run('plot', 'direct.json', '--json');
      const told = JSON.parse(stdout) as { figures: { id: string; table: { rows: string[][] } }[] };
      // Of saved factors nothing is left for workers to do but products, which have no phases.
      const figures = told.figures.filter(({ id }) => id !== 'workers');
      expect(told.figures.length - figures.length).toBe(args[0] === 'F.hm' ? 0 : 1);
      expect(figures.map(({ id }) => id)).toEqual(['residual', 'phases', 'memory']);
      const [, phases, memory] = figures.map(({ table }) => table.rows.map(([name]) => name));
      expect(memory).toEqual(['factors hss', 'workspace']);
      expect(phases[0]).toBe('loading');
      expect(phases.at(-1)).toBe('solve');
    }
    // As a preconditioner of an iteration that one asked for it is called so.
    await run('solve', 'K.hm', '--shift', '10', '--preconditioner', 'hss', '--record', 'iterated.json', '--quiet');
    expect((await run('plot', 'iterated.json')).stdout).toMatch(/│ iteration .*│ preconditioner hss /s);
  });

  it('without_a_file_shows_blocks_and_numbers_within_80_columns', async () => {
    for (const file of ['K.hm', 'run.json', 'solve.json']) {
      const { status, stdout } = await run('plot', file);
      expect(status).toBe(0);
      expect(Math.max(...stdout.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
      if (file !== 'solve.json') expect(stdout).toMatch(/│██/);
      // Neither colours nor cursor movements: NO_COLOR has nothing to turn off.
      expect(stdout).not.toContain('\u001b');
    }
  });

  it.each<readonly [string[], number, RegExp]>([
    [['plot', 'K.hm', '-o', 'a.pdf'], 2, /a picture is written, not \.pdf: call the file \.svg, \.png or \.html/],
    [['plot', 'K.hm', '-o', 'picture'], 2, /the name of a picture ends in \.svg, \.png or \.html/],
    [['plot', 'K.hm', '--theme', 'dark'], 2, /--theme goes with --out FILE\.svg or FILE\.png/],
    [['plot', 'K.hm', '--figures', 'rank'], 2, /--figures: There is no figure "rank" .*Did you mean ranks\?/],
    [['plot', 'run.json', '--spectrum'], 2, /--spectrum goes with a saved matrix; run\.json is the record of a run/],
    [['plot', 'none.json'], 1, /Cannot read none\.json/],
    [['plot', 'none.hm'], 1, /none\.hm/],
    [['plot', 'points.csv'], 2, /is no matrix that hmatrix compress --out wrote/],
    [['plot', 'text.json'], 2, /is no JSON/],
    [['plot', 'other.json'], 1, /other\.json: an object with a is no record of a run.*what --record writes/],
    [['plot', 'broken.json'], 1, /broken\.json: history is undefined, not a list/],
    [['plot', 'K.hm', '-o', 'none/a.svg'], 1, /its folder does not exist/],
    [['report', 'run.json', '-o', 'a.svg'], 2, /a page is written, not \.svg/],
    [['report'], 2, /missing required argument 'files'/],
    [['report', 'run.json', 'none.json'], 1, /Cannot read none\.json/],
  ])('refuses: %j', async (args, status, message) => {
    await writeFile(join(folder, 'text.json'), 'text');
    await writeFile(join(folder, 'other.json'), '{ "a": 1 }');
    await writeFile(
      join(folder, 'broken.json'),
      JSON.stringify({ ...JSON.parse(await read('solve.json')), history: undefined }),
    );
    const outcome = await run(...args);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.status).toBe(status);
  });
});

describe('report', () => {
  it('puts_records_and_matrices_on_one_page', async () => {
    const outcome = await run('report', 'run.json', 'K.hm', 'solve.json', '-o', 'all.html', '--json');
    expect(outcome.status).toBe(0);
    const told = JSON.parse(outcome.stdout) as { out: string; runs: string[]; figures: number; bytes: number };
    const html = await read('all.html');
    expect(told).toMatchObject({ out: 'all.html', bytes: Buffer.byteLength(html) });
    expect(told.runs).toEqual([
      'Compression: normal, 2 dimensions, N = 500',
      expect.stringMatching(/^K\.hm: Hierarchical matrix, \w+, N = 500$/),
      'Solve: normal, 2 dimensions, N = 300',
    ]);
    expect([...html.matchAll(/<figure /g)].length).toBe(told.figures);
    // The command, every option, the seed, the machine.
    expect(html).toContain('hmatrix solve --points normal:300,2 --shift 1<');
    for (const name of [
      'options.tolerance',
      'options.leafSize',
      'seed',
      'machine.processor',
      'versions.hmatrix',
      'blas',
    ])
      expect(html).toContain(`<th scope="row">${name}</th>`);
    // Nothing is loaded from anywhere.
    expect(html).not.toMatch(/<link|<img|<script src|url\(|@import/);
    expect([...html.matchAll(/https?:\/\/[^"'\s]+/g)].filter(([url]) => !url.includes('www.w3.org'))).toEqual([]);
    expect(html).toContain("default-src 'none'");
  });

  it('gives_the_same_bytes_again_and_is_called_report_html', async () => {
    const first = await run('report', 'run.json', '--title', 'A <title>');
    expect(first.stdout).toMatch(/^6 figures of 1 files? \(.* kB\): report\.html\n$/);
    const before = await read('report.html');
    expect(before).toContain('<title>A &lt;title&gt;</title>');
    await run('report', 'run.json', '--title', 'A <title>', '--quiet');
    expect(await read('report.html')).toBe(before);
  });
});

describe('the command of a record', () => {
  it('repeats_the_run_and_names_no_folder', async () => {
    const data = join(folder, 'data of mine');
    await mkdir(data);
    await copyFile(join(folder, 'K.hm'), join(data, "it's.hm"));
    await run('multiply', 'K.hm', '--x', 'seeded', '--vectors', '1', '--out', join(data, 'b.npy'), '--quiet');
    const args = ['solve', join(data, "it's.hm"), '--shift', '1', `--rhs=${join(data, 'b.npy')}`, '--json'];
    await run(...args, '--record', join(folder, 'repeat.json'));
    const { command } = JSON.parse(await read('repeat.json')) as { command: string };
    expect(command).toBe("hmatrix solve 'it'\\''s.hm' --shift 1 --rhs=b.npy");
  });
});
