/**
 * Sums over samples by groups that their number alone determines, added by the tree of ../core/sum-tree.ts: the ranks
 * of a communicator each sum their groups, and all get the bits that a single one makes.
 */
import type { FloatArray } from '../core/floats.js';
import { groupsOf, leafSteps, nodesOfRank, rankFirst, sumPlaces, type SumNode } from '../core/sum-tree.js';
import type { Communicator } from './communicator.js';
import { add } from './node-sums.js';
import { exchangeNumbers, SampleRanks, type Shares } from './sample-ranks.js';
import { together } from './together.js';

/** Fewest samples of a group: to add groups of fewer takes more than 6 % of the time of products with many vectors. */
const GROUP_SAMPLES = 192;

/** Groups of so many samples: a power of two. */
export const sampleGroups = (samples: number): number => groupsOf(samples, GROUP_SAMPLES);

/** First sample of group g; that of group g + 1 ends it. */
export const sampleGroupFirst = (samples: number, g: number): number =>
  Math.floor((g * samples) / sampleGroups(samples));

/** How samples are shared out by groups. */
export const GROUP_SHARES: Shares = {
  nodes: (samples, place) => nodesOfRank(sampleGroups(samples), place),
  firstSlice: (samples, { rank, ranks }) => rankFirst(sampleGroups(samples), ranks, rank),
  firstSample: sampleGroupFirst,
};

/** Samples first … end − 1. */
export interface SampleRange {
  readonly first: number;
  readonly end: number;
}

/** A sum over samples. */
export interface SampleSumOf {
  readonly samples: number;
  /** Numbers of the sum. */
  readonly numbers: number;
  /** The ranks that share the samples; none, or one: all of them are summed here. */
  readonly communicator: Communicator | undefined;
  /** sums ← sums + the terms of these samples, one group of all; nothing is communicated in it. */
  readonly add: (range: SampleRange, sums: Float64Array) => void;
}

/**
 * Σ of the terms of all samples, in double precision, with the same bits for any number of ranks. Collective; throws on
 * all ranks what `add` throws on one. Up to six times its numbers are held, and as many as are exchanged.
 */
export function sumSamples({ samples, numbers, communicator, add: addTerms }: SampleSumOf): Float64Array {
  const many = communicator !== undefined && communicator.size > 1;
  const exchange = many ? new Float64Array(exchangeNumbers(numbers)) : null;
  const ranks = new SampleRanks(communicator, GROUP_SHARES, exchange);
  const spare: Float64Array[] = [];
  const sumOf = (node: SumNode): Float64Array => {
    const own = new Float64Array(numbers);
    const placeOf = (place: number): Float64Array =>
      place === 0 ? own : (spare[place - 1] ??= new Float64Array(numbers));
    for (const { leaf, place, adds } of leafSteps(node)) {
      const sums = placeOf(place);
      if (place > 0) sums.fill(0);
      addTerms({ first: sampleGroupFirst(samples, leaf), end: sampleGroupFirst(samples, leaf + 1) }, sums);
      for (const to of adds) add(placeOf(to), placeOf(to + 1));
    }
    return own;
  };
  const parts: FloatArray[] = together(communicator, () => GROUP_SHARES.nodes(samples, ranks.place).map(sumOf));
  if (!many) return parts[0] as Float64Array;
  const sum = new Float64Array(numbers);
  ranks.sum(samples, parts, sum);
  return sum;
}

/** Most places that a sum over the groups of so many samples uses. */
export const groupPlaces = (samples: number): number => sumPlaces(sampleGroups(samples));
