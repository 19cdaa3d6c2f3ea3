/**
 * What a plan of several ranks is asked for: the matrix, the ranks, and the rates of a machine.
 */
import { requirePositive, requirePrecision, requireWhole } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import { describe } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { LevelRanks } from '../../hierarchical/matrix/memory.js';
import { depthFor } from '../../tree/build.js';

/** How fast a machine is taken to be. */
export interface MachineSpeeds {
  /** Seconds from a message's start to its arrival. Default 2e-6. */
  readonly latency: number;
  /** Bytes a second that a rank sends, and as many that it receives meanwhile. Default 1e10. */
  readonly bandwidth: number;
  /** Flops a second of gemm on one core. Default 3e10. */
  readonly gemm: number;
  /** Bytes a second that one core reads from memory while all of them do. Default 4e9. */
  readonly memory: number;
}

/** Options of {@link planRanks}. */
export interface PlanOptions {
  /** N, up to 2³¹ − 1. Default 1,000,000. */
  readonly size?: number | undefined;
  /** P, up to 16,384. Default 8. */
  readonly ranks?: number | undefined;
  /** Workers of each rank, a core each. Default 16. */
  readonly workers?: number | undefined;
  /**
   * Rank r of every node, or the ranks by level of a smaller matrix with such leaves (`matrix.ranks()`): those of its
   * leaves are those of the leaves here, and so on upward; above its last level but one, below the root, they go on
   * growing as between its last two there, never less than not at all nor more than twice. Default 128.
   */
  readonly rank?: number | readonly Pick<LevelRanks, 'level' | 'mean'>[] | undefined;
  /** Most indices of a leaf, m. Default 256. */
  readonly leafSize?: number | undefined;
  /** Vectors p of the product and of the solve. Default 64. */
  readonly vectors?: number | undefined;
  /** Precision of blocks, factors and vectors. Default 'f64'. */
  readonly dtype?: Precision | undefined;
  /** Dimension of the points that the kernel is of. Default 3. */
  readonly dimension?: number | undefined;
  /** Whether every rank has all points, as a program may give them; default: of several ranks each has a part. */
  readonly wholePoints?: boolean | undefined;
  /** Neighbors κ of each index. Default 32. */
  readonly neighbors?: number | undefined;
  /** Bytes of memory that a rank has. Default 192e9. */
  readonly memory?: number | undefined;
  /** Defaults as {@link MachineSpeeds} states them. */
  readonly speeds?: Partial<MachineSpeeds> | undefined;
}
/** The keys of {@link PlanOptions}. */
const PLAN_KEYS: KeysOf<PlanOptions> = {
  size: 'number',
  ranks: 'number',
  workers: 'number',
  rank: true,
  leafSize: 'number',
  vectors: 'number',
  dtype: true,
  dimension: 'number',
  wholePoints: 'boolean',
  neighbors: 'number',
  memory: 'number',
  speeds: true,
};
const SPEED_KEYS: KeysOf<MachineSpeeds> = {
  latency: 'number',
  bandwidth: 'number',
  gemm: 'number',
  memory: 'number',
};

/** Speeds that are assumed where none are given: an InfiniBand network, and cores of a server of some 50 of them. */
export const DEFAULT_SPEEDS: MachineSpeeds = { latency: 2e-6, bandwidth: 1e10, gemm: 3e10, memory: 4e9 };
/** What is planned where nothing else is asked for. */
export const PLAN_DEFAULTS = {
  size: 1_000_000,
  ranks: 8,
  workers: 16,
  rank: 128,
  leafSize: 256,
  vectors: 64,
  dtype: 'f64',
  dimension: 3,
  wholePoints: false,
  neighbors: 32,
  memory: 192e9,
} as const;
/** Most ranks, of processes and of nodes. */
export const MOST_RANKS = 16_384;
/** Most indices. */
export const MOST_SIZE = 2 ** 31 - 1;
/** Ranks grow by this from a level to the one above it at most: those of two children. */
const MOST_GROWTH = 2;

/** What is planned, with all defaults filled in. */
export interface PlanSetup {
  readonly size: number;
  readonly ranks: number;
  readonly workers: number;
  /** Of level 0, which has none, to `depth`. */
  readonly rankOfLevel: readonly number[];
  readonly leafSize: number;
  /** Level of the leaves: ⌈log₂(N/m)⌉. */
  readonly depth: number;
  readonly vectors: number;
  readonly dtype: Precision;
  /** Bytes of a number. */
  readonly width: number;
  readonly dimension: number;
  /** Whether each of several ranks has a part of the points. */
  readonly parts: boolean;
  /** At most N − 1. */
  readonly neighbors: number;
  readonly memory: number;
  readonly speeds: MachineSpeeds;
}

/** The plan's options, checked, with their defaults. Throws OptionError. */
export function planSetup(asked: PlanOptions): PlanSetup {
  const given = requireKnownOptions(asked, PLAN_KEYS, 'planRanks');
  const speeds = { ...DEFAULT_SPEEDS, ...defined(requireKnownOptions(given.speeds ?? {}, SPEED_KEYS, 'speeds')) };
  for (const [name, value] of Object.entries(speeds)) requirePositive(value as number, name);
  const options = { ...PLAN_DEFAULTS, ...defined(given) };
  const size = requireWhole(options.size, 'size', 1, MOST_SIZE);
  const leafSize = requireWhole(options.leafSize, 'leafSize', 2, 16_384);
  const depth = depthFor(size, leafSize);
  const dtype = requirePrecision(options.dtype, 'dtype');
  const ranks = requireWhole(options.ranks, 'ranks', 1, MOST_RANKS);
  return {
    size,
    ranks,
    workers: requireWhole(options.workers, 'workers', 1, 1024),
    rankOfLevel: ranksOfLevels(options.rank, { size, depth }),
    leafSize,
    depth,
    vectors: requireWhole(options.vectors, 'vectors', 1, 65_536),
    dtype,
    width: NUMBER_BYTES[dtype],
    dimension: requireWhole(options.dimension, 'dimension', 1, 65_536),
    parts: ranks > 1 && !options.wholePoints,
    neighbors: Math.min(size - 1, requireWhole(options.neighbors, 'neighbors', 0, 65_536)),
    memory: requirePositive(options.memory, 'memory'),
    speeds,
  };
}

/** The members that are not undefined. */
const defined = <T extends object>(of: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as never;

/** Ranks of all levels, none of them above what a node's candidates allow. */
function ranksOfLevels(
  rank: NonNullable<PlanOptions['rank']>,
  { size, depth }: { readonly size: number; readonly depth: number },
): number[] {
  const asked =
    typeof rank === 'number' ? uniform(requireWhole(rank, 'rank', 1, MOST_RANKS), depth) : grown(rank, depth);
  const ranks = new Array<number>(depth + 1).fill(0);
  for (let level = depth; level > 0; level--) {
    const candidates = level === depth ? size / 2 ** depth : 2 * ranks[level + 1];
    ranks[level] = Math.min(asked[level], candidates);
  }
  return ranks;
}

const uniform = (rank: number, depth: number): number[] => new Array<number>(depth + 1).fill(rank);

/** As `PlanOptions.rank` states it. Throws OptionError. */
function grown(known: readonly Pick<LevelRanks, 'level' | 'mean'>[], depth: number): number[] {
  const refuse = (why: string): never => {
    throw new OptionError(`rank must be a whole number, or the ranks of levels 1, 2, … as { level, mean }: ${why}.`, {
      option: 'rank',
    });
  };
  if (!Array.isArray(known) || known.length === 0) return refuse(`${describe(known)} is neither`);
  known.forEach(({ level, mean }, k) => {
    if (level !== k + 1) refuse(`number ${k} is of level ${describe(level)}`);
    if (!(Number.isFinite(mean) && mean > 0)) refuse(`the mean of level ${k + 1} is ${describe(mean)}`);
  });
  const of = known.map(({ mean }) => mean);
  // Both nodes below the root have the rim of the whole: level 1 is the last one to tell growth by.
  const top = Math.min(1, of.length - 1);
  const growth = of.length < 3 ? 1 : Math.min(MOST_GROWTH, Math.max(1, of[1] / of[2]));
  const ranks = new Array<number>(depth + 1).fill(0);
  for (let level = depth; level > 0; level--) {
    const at = of.length - 1 - (depth - level);
    ranks[level] = at >= top || (at === 0 && level === 1) ? of[at] : ranks[level + 1] * growth;
  }
  return ranks;
}
