/**
 * Leaf size and rank limit of a compression whose caller named none, by the ranks of a few nodes (rank-pilot.ts).
 *
 * Of leaf sizes 64, 128, …, 2048 the one is taken whose predicted memory, product or factorization is least
 * (`objective`; where it is memory, the fastest product of those that need little more). The rank limit is well above
 * all ranks that are forecast. It is lower only where such ranks would not fit in memory, or take too long; and where
 * no hierarchical matrix is much smaller than the dense one: then leaves are as large as they may be, or, for many
 * indices, ranks as low as leaves. The format is that of the caller: HSS took least memory of all formats and budgets
 * that were compared (`bench --only "leaf sizes"`).
 */
import { NUMBER_BYTES } from '../../core/floats.js';
import { availableMemory } from '../../io/machine.js';
import { depthFor } from '../../tree/build.js';
import type { ChosenOptions, CompressionObjective, LeafCosts } from '../matrix/chosen-options.js';
import { leafCosts } from './leaf-costs.js';
import type { AskedOptions } from './options.js';
import type { PilotRanks } from './rank-pilot.js';

/** Leaf sizes that are compared; the smallest is that of the tree that ranks are tried on. */
export const LEAF_SIZES = [64, 128, 256, 512, 1024, 2048] as const;
/** Leaf size and rank limit where the tolerance cannot be kept by any ranks that are allowed. */
const LIMITED = 256;
/** Least memory is as good as so many times as much, where products are faster. */
const NEARLY_LEAST = 1.2;
/**
 * The rank limit, of the largest rank that is forecast, in multiples of RANK_STEP and at least LIMITED: where it is hit
 * all is made anew.
 */
const ABOVE_FORECAST = 2;
const RANK_STEP = 64;
/** A matrix is incompressible where at least this share of the dense one (half of it, symmetric) is needed, */
const INCOMPRESSIBLE = 0.6;
/** and is stored all the same where it has so many indices at most. */
const MOST_INCOMPRESSIBLE = 16_384;
/** The rank of the whole matrix, of that of a node below the root, about; and when a matrix of it is worth a word. */
const WHOLE = 1.4;
const LOW_RANK_SHARE = 0.8;
/** Skeletonization, interpolations and blocks together take so many times the bytes of the blocks. */
const PEAK = 2.5;
/** Flops of skeletonization that need no rank limit: some minutes. */
const MOST_FLOPS = 2e13;

/** What is chosen for. */
export interface Choosable {
  /** N without isolated indices. */
  readonly size: number;
  /** The level at which the leaves of the tree stand that the ranks are of. */
  readonly depth: number;
  /** Candidates that a device takes of a node, its indices or the skeletons of both of its children. Default: any. */
  readonly mostCandidates?: number | undefined;
}

/** The choice; `pilot` has ranks of all levels of the tree. */
export function chooseOptions(
  { size, depth, mostCandidates = Infinity }: Choosable,
  pilot: PilotRanks,
  options: AskedOptions,
): ChosenOptions {
  const { objective, dtype } = options;
  const width = NUMBER_BYTES[dtype];
  const memory = options.memoryLimit ?? availableMemory();
  const sizes: readonly number[] =
    options.leafSize === undefined
      ? LEAF_SIZES.filter((m, i) => i === 0 || (2 * m <= size && m <= mostCandidates))
      : [options.leafSize];
  const costsAt = (maxRank: number): LeafCosts[] =>
    sizes.map((leafSize) =>
      leafCosts({ size, leafSize, depth: options.tree === undefined ? depthFor(size, leafSize) : depth }, pilot.ranks, {
        maxRank,
        width,
      }),
    );
  const free = costsAt(options.maxRank ?? size);
  const dense = (width * size * (size + 1)) / 2;
  const least = Math.min(...free.map(({ bytes }) => bytes));
  const incompressible = size > LEAF_SIZES[0] && least >= INCOMPRESSIBLE * dense;
  const top = Math.ceil(WHOLE * Math.max(...free.map(({ depth: at }) => (at === 0 ? size : pilot.ranks[1]))));
  const lowRank = { rank: top, bytes: width * size * top };
  const common = {
    objective,
    measured: pilot.measured,
    tried: free,
    incompressible,
    lowRank: !incompressible && lowRank.bytes < LOW_RANK_SHARE * least ? lowRank : undefined,
  };
  // A node below the root holds half of the indices at most.
  const ofDevice = Math.floor(mostCandidates / 2);
  const mostRank = Math.max(1, Math.min(Math.ceil(size / 2), ofDevice));
  const roomFor = (rank: number): number =>
    Math.min(mostRank, Math.max(LIMITED, RANK_STEP * Math.ceil((ABOVE_FORECAST * rank) / RANK_STEP)));
  if (incompressible && options.maxRank === undefined) {
    if (size > MOST_INCOMPRESSIBLE || PEAK * least > memory) {
      const leafSize = options.leafSize ?? LIMITED;
      const limitedBy = PEAK * least > memory ? 'memory' : 'time';
      return { ...common, leafSize, maxRank: Math.min(leafSize, ofDevice), limitedBy };
    }
    const best = bestOf(free, 'product');
    return {
      ...common,
      leafSize: best.leafSize,
      maxRank: mostRank,
      limitedBy: ofDevice < size / 2 ? 'device' : undefined,
    };
  }
  let maxRank = options.maxRank ?? roomFor(Math.max(...free.map(({ rank }) => rank)));
  let limitedBy: ChosenOptions['limitedBy'];
  for (let costs = free; ; costs = costsAt(maxRank)) {
    const best = bestOf(costs, objective);
    if (options.maxRank === undefined) {
      const over = PEAK * best.bytes > memory ? 'memory' : best.skeletonization > MOST_FLOPS ? 'time' : undefined;
      if (over !== undefined && maxRank > LIMITED) {
        limitedBy = over;
        maxRank = Math.max(LIMITED, Math.ceil(maxRank / 2));
        continue;
      }
      if (limitedBy === undefined) {
        maxRank = roomFor(best.rank);
        if (best.rank > ofDevice) limitedBy = 'device';
      }
    }
    return { ...common, leafSize: best.leafSize, maxRank, limitedBy };
  }
}

/** The costs that are least. */
function bestOf(costs: readonly LeafCosts[], objective: CompressionObjective): LeafCosts {
  const leastBy = (of: (one: LeafCosts) => number, among = costs): LeafCosts =>
    among.reduce((best, one) => (of(one) < of(best) ? one : best));
  if (objective === 'product') return leastBy(({ product }) => product);
  if (objective === 'solve') return leastBy(({ factor }) => factor);
  const { bytes } = leastBy((one) => one.bytes);
  return leastBy(
    ({ product }) => product,
    costs.filter((one) => one.bytes <= NEARLY_LEAST * bytes),
  );
}
