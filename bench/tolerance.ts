/**
 * One case of bench/tolerance-cases.ts in a process of its own: `node dist/bench/tolerance.js NAME [FIRST SEEDS]`
 * compresses points of SEEDS seeds from FIRST on, on one worker, and prints one JSON line.
 */
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { RandomStream } from '../src/core/random.js';
import { compressEntries } from '../src/hierarchical/from-entries/compress.js';
import { NEAR_LIMIT } from '../src/hierarchical/matrix/tolerance-limits.js';
import { EXACT_SIZE } from '../src/hierarchical/measure/error-estimate.js';
import { Team } from '../src/parallel/team.js';
import type { EntrySource, Points } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { kernelOfFamily } from '../src/source/kernels/table.js';
import { gatherInClusters, stretchTails } from './clouds.js';
import { rounded } from './record.js';
import { TOLERANCE_CASES, TOLERANCE_SEEDS, type ToleranceCase, type ToleranceCloud } from './tolerance-cases.js';

/** One compression. */
export interface ToleranceRun {
  readonly seed: number;
  /** ‖K − K̃‖_F/(tolerance·‖K‖_F), and the upper end of its 95 % interval, the same where all columns were compared. */
  readonly error: number;
  readonly upper: number;
  /** Largest rank, and whether it is at its limit: then nothing is promised. */
  readonly rank: number;
  readonly limited: boolean;
  /** `report.met`, and whether it was false: said to be met, and missed beyond the interval, or the reverse. */
  readonly met: boolean;
  readonly wrong: 'no' | 'met' | 'missed';
  /** Nodes that missed their share, and entries evaluated for each of the N², processor seconds of skeletons. */
  readonly missed: number;
  readonly entries: number;
  readonly seconds: number;
}

export interface ToleranceResult {
  readonly name: string;
  readonly runs: readonly ToleranceRun[];
}

const STREAM = 0x701;

function pointsOf(cloud: ToleranceCloud, count: number, dimension: number, seed: number): Points {
  if (cloud === 'uniform') return uniformPoints(count, dimension, seed);
  const points = normalPoints(count, dimension, seed);
  if (cloud === 'tails') stretchTails(points);
  if (cloud === 'clusters') gatherInClusters(points, new RandomStream(seed, STREAM));
  return points;
}

const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

async function measured(one: ToleranceCase, seed: number, team: Team): Promise<ToleranceRun> {
  const { family, h, cloud, size, dimension, options } = one;
  const source = kernelSource(pointsOf(cloud, size, dimension, seed), kernelOfFamily(family, h), { blas: team.blas });
  let entries = 0;
  const counted: EntrySource = {
    size,
    points: source.points,
    diagonal: (out) => source.diagonal(out),
    entries: (rows, columns, out) => {
      entries += rows.length * columns.length;
      source.entries(rows, columns, out);
    },
  };
  const at: Record<string, number> = {};
  const onProgress = ({ phase }: { readonly phase: string }): void => {
    at[phase] ??= processor();
  };
  const matrix = await compressEntries(counted, { ...options, seed }, { team, onProgress });
  const { tolerance, maxRank } = options;
  const columns = source.size <= EXACT_SIZE ? source.size : undefined;
  const { relative, low, high } = await matrix.estimateError(source, { tolerance, columns });
  const { met, missed } = matrix.report;
  const rank = Math.max(0, ...matrix.ranks().map(({ max }) => max));
  matrix.release();
  return {
    seed,
    error: rounded(relative / tolerance),
    upper: rounded(high / tolerance),
    rank,
    limited: rank >= NEAR_LIMIT * maxRank,
    met: met === true,
    wrong: met && low > tolerance ? 'met' : !met && high <= tolerance ? 'missed' : 'no',
    missed,
    entries: rounded(entries / size ** 2),
    seconds: rounded(at['compare columns'] - at['estimate norm']),
  };
}

const [name, first = '0', seeds = String(TOLERANCE_SEEDS)] = process.argv.slice(2);
const chosen = TOLERANCE_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(
    `No case of tolerance is called ${name}; there are ${TOLERANCE_CASES.map((one) => one.name).join('; ')}.`,
  );
const team = await Team.open({ workers: 1 });
const runs: ToleranceRun[] = [];
for (let s = 0; s < Number(seeds); s++) runs.push(await measured(chosen, Number(first) + s, team));
console.log(JSON.stringify({ name: chosen.name, runs } satisfies ToleranceResult));
await team.close();
