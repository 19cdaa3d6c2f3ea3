/**
 * What skeletons cost and keep: `node dist/bench/skeletons.js NAME REPEATS` compresses one of the matrices below
 * REPEATS times on one worker, each time with the next seed, and prints the records as JSON lines: entries, processor
 * seconds of skeletons and blocks, estimated error over tolerance. Run in turns with an earlier checkout's it compares
 * the two; bench/results/skeletons.json holds such a comparison.
 */
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { compressEntries } from '../src/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '../src/hierarchical/from-entries/options.js';
import { Team } from '../src/parallel/team.js';
import type { EntrySource, Points } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { kernelOfFamily } from '../src/source/kernels/table.js';

type Family = Parameters<typeof kernelOfFamily>[0];
type Case = readonly [points: () => Points, family: Family, h: number, options: CompressOptions];

const line = (): Points => uniformPoints(100_000, 1, 1);
const fine = { tolerance: 1e-10, leafSize: 256 } as const;
const CASES: Readonly<Record<string, Case>> = {
  'gaussian-1d-hodlr': [line, 'gaussian', 0.1, { ...fine, format: 'hodlr' }],
  'gaussian-1d-hss': [line, 'gaussian', 0.1, { ...fine, format: 'hss' }],
  'matern52-1d-hodlr': [line, 'matern52', 0.1, { ...fine, format: 'hodlr' }],
  'matern52-1d-hss': [line, 'matern52', 0.1, { ...fine, format: 'hss' }],
  'matern32-2d': [
    () => uniformPoints(100_000, 2, 1),
    'matern32',
    0.1,
    { format: 'hss', tolerance: 1e-6, leafSize: 128, maxRank: 512 },
  ],
  'laplace-3d': [
    () => uniformPoints(30_000, 3, 1),
    'laplace',
    1,
    { format: 'hss', tolerance: 1e-4, leafSize: 256, maxRank: 1024 },
  ],
  'gaussian-6d': [
    () => normalPoints(16_384, 6, 1),
    'gaussian',
    1,
    { format: 'hss', tolerance: 1e-5, leafSize: 256, maxRank: 256 },
  ],
};

const [name = '', repeats = '1'] = process.argv.slice(2);
if (!(name in CASES)) throw new Error(`No case "${name}": ${Object.keys(CASES).join(', ')}.`);
const [points, family, h, options] = CASES[name];
const team = await Team.open({ workers: 1 });
const source = kernelSource(points(), kernelOfFamily(family, h), { blas: team.blas });
let entries = 0;
const counted: EntrySource = {
  size: source.size,
  points: source.points,
  diagonal: (out) => source.diagonal(out),
  entries: (rows, columns, out) => {
    entries += rows.length * columns.length;
    source.entries(rows, columns, out);
  },
};
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
for (let seed = 0; seed < Number(repeats); seed++) {
  entries = 0;
  const at: Record<string, number> = {};
  const onProgress = ({ phase }: { readonly phase: string }): void => {
    at[phase] ??= processor();
  };
  const matrix = await compressEntries(counted, { ...options, seed }, { team, onProgress });
  const seconds = at['compare columns'] - at['estimate norm'];
  const evaluated = entries;
  const { relative } = await matrix.estimateError(source);
  const { missed, resampled, met } = matrix.report;
  const error = relative / (options.tolerance ?? NaN);
  console.log(JSON.stringify({ name, seed, entries: evaluated, seconds, error, missed, resampled, met }));
  matrix.release();
}
await team.close();
