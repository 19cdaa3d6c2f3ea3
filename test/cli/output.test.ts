/** What the command writes, and where it cannot: full devices, control characters, no memory. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crc32 } from '#hmatrix/io/crc32.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { writeNpz } from '#hmatrix/io/npz.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, type Outcome } from './command.js';

const folder = temporaryFolder();
const main = resolve(import.meta.dirname, '../../dist/command/hmatrix.js');
const small = ['--points', 'normal:150,3', '--leaf-size', '64', '--workers', '1'];

/** A line of the shell in which $H is the command; it is ended after a minute. */
function shell(line: string): Outcome {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    encoding: 'utf8',
    cwd: folder,
    timeout: 60_000,
    env: { ...process.env, H: `${process.execPath} ${main}`, NODE: process.execPath, MAIN: main },
  });
  return { status, stdout, stderr };
}

const linux = process.platform === 'linux';

describe.skipIf(!linux || !existsSync('/dev/full'))('a full device', () => {
  it.each([
    'doctor --json',
    '--help',
    `compress ${small.join(' ')} --json`,
    `compress ${small.join(' ')}`,
    `solve ${small.join(' ')} --shift 1 --json`,
  ])('standard output of %s: said in one line, exit status 1', (args) => {
    const { status, stderr } = shell(`$H ${args} > /dev/full`);
    expect(stderr).toBe('hmatrix: Cannot write standard output: no space left on the device (ENOSPC).\n');
    expect(status).toBe(1);
  });

  it.each(['--out', '--record'])('%s: refused before the run', async (option) => {
    const { status, stderr } = await hmatrix(['compress', ...small, option, '/dev/full']);
    expect(stderr).toBe('hmatrix: Cannot write /dev/full: it is not a regular file; give the name of a file.\n');
    expect(status).toBe(1);
  });

  it('standard error: the run ends as it would', () => {
    expect(shell(`$H compress ${small.join(' ')} --json 2> /dev/full`).status).toBe(0);
    expect(shell('$H compress 2> /dev/full').status).toBe(2);
  });
});

describe('control characters', () => {
  const clear = '\u001b[2J';
  // ESC, CSI as one character, DEL, backspace, carriage return, a mark that reorders text.
  const hostile = `a${clear}b\u009b31mc\u007fd\be\rf\u202eg`;
  const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

  it.skipIf(process.platform === 'win32')(
    'of a file name, of a name within a file, of an argument: shown, never sent to the terminal',
    async () => {
      const inner = join(folder, hostile);
      mkdirSync(inner);
      await writeNpy(join(inner, 'k.npy'), { shape: [2, 3], data: new Float64Array(6) });
      await writeNpy(join(inner, 'points.npy'), {
        shape: [80, 2],
        data: Float64Array.from({ length: 160 }, (_, k) => Math.sin(k)),
      });
      writeFileSync(join(inner, 'p.csv'), `x,y\n1,${clear}2\n`);
      await writeNpz(
        join(folder, 'w.npz'),
        new Map([
          [`${hostile}/weight`, { shape: [2, 2], data: new Float64Array(4) }],
          [`${hostile}/${hostile}`, { shape: [2], data: new Float64Array(2) }],
        ]),
      );
      writeFileSync(join(inner, 'bad.hm'), 'no');
      const calls: [string[], RegExp][] = [
        [['compress', '--matrix', join(inner, 'k.npy')], /\\u001b\[2J.*2 × 3/],
        [['compress', '--points', join(inner, 'p.csv')], /\\u001b\[2J/],
        [['compress', '--points', join(inner, 'none.npy')], /\\u001b\[2J.*no such file/],
        [['info', join(inner, 'bad.hm')], /\\u001b\[2J.*not a hierarchical matrix file/],
        [
          ['solve', '--network', '784-2-784', '--samples', '2', '--shift', '1', '--weights', join(folder, 'w.npz')],
          /\\u001b\[2J.*neither weight, kernel nor bias/,
        ],
        [['compress', `--${hostile}`], /unknown option.*\\u001b\[2J/],
        [['compress', '--points', 'normal:100,3', '--kernel', `exp(-r)${hostile}`], /\\u001b\[2J/],
        [
          ['compress', '--points', join(inner, 'points.npy'), '--leaf-size', '40', '--out', join(inner, 'k.hm')],
          /saved to .*\\u001b\[2J/,
        ],
        [['compress', '--points', join(inner, 'points.npy'), '--leaf-size', '40', '--json'], /"name": "points.npy"/],
      ];
      for (const [args, shown] of calls) {
        const { stdout, stderr } = await hmatrix(args);
        expect(stdout + stderr, args.join(' ')).not.toMatch(obeyed);
        expect(stdout + stderr).toMatch(shown);
      }
    },
  );

  it('of JSON are escapes of JSON: what is parsed holds them', async () => {
    const path = join(folder, `k${clear}\u009b1m.npy`);
    await writeNpy(path, { shape: [60, 2], data: Float64Array.from({ length: 120 }, (_, k) => Math.cos(k * k)) });
    const { stdout } = await hmatrix(['compress', '--points', path, '--leaf-size', '40', '--json']);
    expect(stdout).not.toMatch(obeyed);
    expect((JSON.parse(stdout) as { input: { name: string } }).input.name).toBe(`k${clear}\u009b1m.npy`);
  });

  it('nothing but terminal.ts writes to the terminal', () => {
    const cli = resolve(import.meta.dirname, '../../src/cli');
    const files = readdirSync(cli, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const writers = files.filter((name) =>
      /process\.std(out|err)\.write|console\./.test(readFileSync(join(cli, name), 'utf8')),
    );
    expect(writers).toEqual(['terminal.ts']);
  });
});

describe('memory that is not there', () => {
  it.each(['normal:2000000000,1000000', 'uniform:9999999999,9999999', 'normal:1,9999999999'])(
    '%s is refused with what it would need',
    async (points) => {
      const { status, stderr } = await hmatrix(['compress', '--points', points]);
      expect(stderr).toMatch(
        new RegExp(
          /^hmatrix: (normalPoints|uniformPoints): \d+ points in \d+ dimensions needs \d.*/.source +
            / GB of memory, and .* are available\.\n$/.source +
            /|--points .*must come the number/.source,
        ),
      );
      expect([1, 2]).toContain(status);
    },
  );

  it.skipIf(!linux).each(['', 'HMATRIX_BLAS=portable'])(
    'ulimit -v below what WebAssembly reserves: a sentence with the remedy, which helps %s',
    (environment) => {
      const run = `compress ${small.join(' ')} --json`;
      const refused = shell(`ulimit -v 6000000; ${environment} $H ${run}`);
      expect(refused.stderr).toMatch(
        /^hmatrix: WebAssembly.* gets no memory .*ulimit -v.*--disable-wasm-trap-handler.*\n$/,
      );
      expect(refused.status).toBe(1);
      const helped = shell(`ulimit -v 8000000; ${environment} $NODE --disable-wasm-trap-handler $MAIN ${run}`);
      expect(helped.stderr).toBe('');
      expect(helped.status).toBe(0);
    },
  );

  it.skipIf(!linux)('an address space that is too small for the data is known before they are read', async () => {
    const path = join(folder, 'large.npz');
    const bytes = new Uint8Array(4 * 1024 * 1024);
    writeFileSync(path, announcing(bytes, 1000 * bytes.length));
    const { status, stderr } = shell(
      `ulimit -v 4000000; $H solve --network 784-2-784 --samples 2 --shift 1 --weights ${path}`,
    );
    expect(stderr).toMatch(/unpacking 1 of its arrays needs 4\.19 GB of memory, and .* are available/);
    expect(status).toBe(1);
  });
});

/** An archive of one deflated array that announces more bytes than it can have in a small address space. */
function announcing(bytes: Uint8Array, size: number): Buffer {
  const name = Buffer.from('weight.npy');
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(8, 4);
  fields.writeUInt32LE(crc32(bytes), 10);
  fields.writeUInt32LE(bytes.length, 14);
  fields.writeUInt32LE(size, 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, name, bytes]);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\0\0'), fields, Buffer.alloc(14), name]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}
