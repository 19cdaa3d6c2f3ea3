/**
 * Saving and loading beside plain writing and reading of as many bytes: `npm run bench -- --only files [--write]` makes
 * a hierarchical matrix of about one gigabyte, and saves and loads it, by turns with a file of the same bytes that is
 * written and read in pieces of 8 MiB: to a new name, synchronized to the device and renamed, as saving is. Read is
 * what the system keeps in memory: the device decides nothing. bench/results/files.json and docs/benchmarks.md hold
 * the medians.
 */
import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uniformPoints } from '../datasets/points.js';
import { median } from '../src/core/median.js';
import { load } from '../src/files/load.js';
import { save } from '../src/files/save.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian } from '../src/source/kernels/named.js';
import { rounded, writeRecord } from './record.js';
import { replaceSection } from './section.js';

const PIECE = 8 * 1024 * 1024;
const TURNS = 7;

type Work = 'write' | 'save' | 'read' | 'load';
type OfEach = Readonly<Record<Work, number>>;

/** Medians of the turns. */
/** What files.json holds of each run: rates, and what the processor took. */
export interface FilesResult {
  readonly bytes: number;
  readonly turns: number;
  readonly gigabytesPerSecond: OfEach;
  /** Processor seconds a gigabyte, of all threads: what neighbors on the machine change less. */
  readonly processor: OfEach;
}

/** Seconds of the clock and of the processor. */
async function seconds(work: () => Promise<unknown>): Promise<{ readonly wall: number; readonly processor: number }> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, processor: (user + system) / 1e6 };
}

async function writePlain(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(`${path}.new`, 'w');
  for (let at = 0; at < bytes.length; at += PIECE)
    await handle.write(bytes, at, Math.min(PIECE, bytes.length - at), at);
  await handle.sync();
  await handle.close();
  await rename(`${path}.new`, path);
}

async function readPlain(path: string, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  const handle = await open(path, 'r');
  for (let at = 0; at < size; at += PIECE) await handle.read(bytes, at, Math.min(PIECE, size - at), at);
  await handle.close();
  return bytes;
}

const folder = await mkdtemp(join(tmpdir(), 'hmatrix-bench-'));
const team = await Team.open({ workers: 2 });
try {
  const source = kernelSource(uniformPoints(49_000, 3, 1), gaussian(0.2), { blas: team.blas });
  const options = { format: 'fmm', budget: 0.24, leafSize: 512, maxRank: 64, tolerance: 1e-2 } as const;
  const matrix = await compress(source, options, { team });
  const [saved, plain] = [join(folder, 'saved.npz'), join(folder, 'plain')];
  await save(saved, matrix);
  const { size } = await stat(saved);
  const bytes = await readPlain(saved, size);
  const works: Readonly<Record<Work, () => Promise<unknown>>> = {
    write: () => writePlain(plain, bytes),
    save: () => save(saved, matrix),
    read: () => readPlain(plain, size),
    load: () => load(saved, { team }),
  };
  const turns: Record<Work, Awaited<ReturnType<typeof seconds>>>[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const [write, saving, read, loading] = [
      await seconds(works.write),
      await seconds(works.save),
      await seconds(works.read),
      await seconds(works.load),
    ];
    turns.push({ write, save: saving, read, load: loading });
  }
  const ofEach = (value: (work: Work) => number): OfEach => ({
    write: rounded(value('write')),
    save: rounded(value('save')),
    read: rounded(value('read')),
    load: rounded(value('load')),
  });
  const result: FilesResult = {
    bytes: size,
    turns: TURNS,
    gigabytesPerSecond: ofEach((work) => size / median(turns.map((turn) => turn[work].wall)) / 1e9),
    processor: ofEach((work) => (1e9 * median(turns.map((turn) => turn[work].processor))) / size),
  };
  console.log(JSON.stringify(result));
  if (process.argv.includes('--write')) {
    console.log(writeRecord('files', { results: [result] }));
    const { gigabytesPerSecond: speed, processor } = result;
    const row = (own: Work, other: Work): string =>
      `| ${other}, ${own} | ${speed[other]} | ${speed[own]} | ${processor[other]} | ${processor[own]} |`;
    replaceSection(
      'files',
      [
        `| ${(size / 1e9).toFixed(2)} GB | plain, GB/s | hmatrix, GB/s | plain, processor s/GB ` +
          '| hmatrix, processor s/GB |',
        '|---|---|---|---|---|',
        row('save', 'write'),
        row('load', 'read'),
      ].join('\n'),
    );
  }
} finally {
  await team.close();
  await rm(folder, { recursive: true, force: true });
}
