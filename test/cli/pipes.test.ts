/** Standard input and output in the place of files: the same bytes as with files, and what cannot be is said. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { zeros, view } from '#hmatrix/dense/matrix.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { readNpyMatrix, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const main = resolve(import.meta.dirname, '../../dist/command/hmatrix.js');
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const SIZE = 200;

interface PipedOutcome {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The command as a process of its own that reads `input`; temporary files go to a folder of the test's. */
function piped(args: readonly string[], input: Uint8Array): Promise<PipedOutcome> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [main, ...args, '--workers', '1'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', fail);
    child.on('close', (status) => done({ status, stdout: Buffer.concat(chunks), stderr }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

beforeAll(async () => {
  const points = new Float64Array(SIZE);
  new RandomStream(1).fillNormal(points);
  const matrix = zeros(SIZE, SIZE);
  for (let j = 0; j < SIZE; j++)
    for (let i = 0; i < SIZE; i++)
      matrix.data[i + j * SIZE] = Math.exp(-Math.abs(points[i] - points[j])) + (i === j ? 0.5 : 0);
  await writeNpyMatrix(at('K.npy'), matrix);
  await writeNpyMatrix(at('b.npy'), view(points, 0, SIZE, 1));
});

describe('standard input and output', () => {
  it('a_matrix_is_read_compressed_and_written_as_with_files', async () => {
    const how = ['--tolerance', '1e-6', '--leaf-size', '32'];
    const { status, stdout, stderr } = await piped(
      ['compress', '--matrix', '-', '--out', '-', ...how],
      readFileSync(at('K.npy')),
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.subarray(0, 2).toString()).toBe('PK');
    writeFileSync(at('K.hm'), stdout);
    // Into another command, which solves with it; and the same with files.
    const solved = await piped(['solve', '-', '--rhs', at('b.npy'), '--out', '-'], stdout);
    expect(solved.status).toBe(0);
    const files = await piped(['solve', at('K.hm'), '--rhs', at('b.npy'), '--out', at('x.npy')], new Uint8Array(0));
    expect(files.status).toBe(0);
    expect(solved.stdout.equals(readFileSync(at('x.npy')))).toBe(true);
    expect((await readNpyMatrix(at('x.npy'))).rows).toBe(SIZE);
    const multiplied = await piped(['multiply', at('K.hm'), '--x', '-', '--out', '-'], readFileSync(at('x.npy')));
    writeFileSync(at('y.npy'), multiplied.stdout);
    const [y, b] = [await readNpyMatrix(at('y.npy')), await readNpyMatrix(at('b.npy'))];
    const difference = Math.hypot(...y.data.map((value, i) => value - b.data[i]));
    // solve's tolerance is 1e-6 of ‖b‖.
    expect(difference).toBeLessThan(1e-6 * Math.hypot(...b.data));
  });

  it('what_is_saved_and_what_a_run_printed_are_drawn', async () => {
    const saved = readFileSync(at('K.hm'));
    const page = await piped(['report', '-', '--out', '-'], saved);
    expect({ status: page.status, stderr: page.stderr }).toEqual({ status: 0, stderr: '' });
    await piped(['report', at('K.hm'), '--out', at('K.html'), '--quiet'], new Uint8Array(0));
    const named = readFileSync(at('K.html'), 'utf8').replaceAll('K.hm', 'standard-input');
    expect(page.stdout.toString()).toBe(named);
    const record = await piped(['solve', at('K.hm'), '--shift', '1', '--json'], new Uint8Array(0));
    const drawn = await piped(['plot', '-'], record.stdout);
    expect({ status: drawn.status, stderr: drawn.stderr }).toEqual({ status: 0, stderr: '' });
    expect(drawn.stdout.toString()).toMatch(/^Solve: K\.hm, N = 200\n\nResidual of the direct solution/);
  });

  it('nothing_is_left_behind', () => {
    expect(readdirSync(folder).filter((name) => name.startsWith('hmatrix-'))).toEqual([]);
  });

  it.each<readonly [readonly string[], Uint8Array, number, RegExp]>([
    [['solve', '-', '--rhs', '-'], new Uint8Array(0), 2, /Standard input is one file: give another for --rhs\./],
    [['compress', '--matrix', '-', '--record', '-'], new Uint8Array(0), 2, /--record -: .* goes to a file.*--json/],
    [['plot', '-', '--out', '-'], new Uint8Array(0), 2, /a picture ends in \.svg/],
    [['compress', '--matrix', '-', '--out', '-', '--json'], new Uint8Array(0), 2, /--json and --out - both write/],
    [['compress', '--matrix', '-', '--out', '-'], new Uint8Array(0), 1, /^hmatrix: standard input: not an \.npy file/],
    [['compress', '--matrix', '-', '--out', '-'], Buffer.from('1,2\n3,4\n'), 1, /not an \.npy file/],
    [['multiply', '-', '--x', 'seeded'], Buffer.from('PK'), 1, /not a zip archive|not a hierarchical matrix/],
  ])('%j_is_refused', async (args, input, expected, message) => {
    const { status, stdout, stderr } = await piped(args, input);
    expect(stderr).toMatch(message);
    expect(status).toBe(expected);
    expect(stdout).toHaveLength(0);
  });
});
