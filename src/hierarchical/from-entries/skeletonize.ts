/**
 * Skeletonization, one task per node, children before parents.
 *
 * For node ν with candidate columns C (a leaf's indices; a parent's: its children's skeletons) and sampled rows R
 * outside it,
 *   W·K(R, C)·D ≈ W·K(R, S)·[I T]·D,  S ⊂ C,
 * W the sample's weights (row-sampler.ts) and D the amplification d_j = ‖row j of the interpolation below‖₂: an error
 * in a skeleton's row reaches every index interpolated from it. The interpolative decomposition stops at the node's
 * share of the asked tolerance,
 *   τ_ν² = t²·‖K‖_F²·(n_ν/N)/(2·levels),
 * so that the errors of all nodes, rows and columns, add up to t·‖K‖_F. A node begins with a few rows for each unit of
 * the rank that is forecast for it: a leaf's from a few leaves that are done first, an inner node's from its own
 * children. Where they are too few for the rank that is found, or fresh rows miss τ_ν, rows are added, the fresh
 * ones among them, until all are. Where the drawn rows fit, the rows around those that err most are tried as well
 * (surroundings.ts), and those around them, as long as the error rises: a few rows that hold it are found by its
 * slope. Departs from GOFMM (SC17) in the number of rows, the weights, the amplification, the threshold and the
 * verification.
 */
import { NonFiniteError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import { leftChild, levelOf, rightChild } from '../../core/indices.js';
import { placesOfLargest } from '../../core/largest.js';
import { view } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { NodeInterpolation } from './node-interpolation.js';
import { Partners } from './partners.js';
import type { RowPools } from './row-pools.js';
import { RowSampler, type Batch } from './row-sampler.js';
import type { SharedNode, SkeletonState } from './skeleton-state.js';
import { Surroundings } from './surroundings.js';
import { NEAR_LIMIT } from '../matrix/tolerance-limits.js';
import { firstLeaf } from '../../tree/cluster-tree.js';

/** Rows to begin with, for each unit of the rank that is forecast, and some more. */
const ROWS_PER_RANK = 4;
/** Rows to begin with for each candidate of an inner node: its rank is a half to all of them. */
const ROWS_PER_CANDIDATE = 2;
const EXTRA_ROWS = 48;
/** Rows without which a skeleton is not even verified, for each of its indices. */
const LEAST_PER_RANK = 2;
/**
 * Rows that are cheap need not be scarce: a sample has at least LEAST_ROWS, where these are no more than LARGE entries,
 * and SMALL entries in any case; a verification half as many. Errors that stand in few rows are found by them.
 */
const LEAST_ROWS = 512;
const LARGE = 2 ** 15;
const SMALL = 2 ** 13;
const leastRows = (columns: number): number => Math.max(Math.min(LEAST_ROWS, LARGE / columns), SMALL / columns);
/** Where ranks are low and even (`evenRanks`), this share of them will do. */
const EVEN_SHARE = 1 / 4;
/** Low: at most this share of a leaf. Even: from the lowest to LEAPS times as much and as many more. */
const LOW_SHARE = 1 / 8;
const LEAPS = 1.5;
/** Rank that is forecast where nothing is known. */
const FIRST_GUESS = 16;
/** Share of the rows that neighbors may fill: outliers are found by them. */
const NEIGHBOR_SHARE = 0.5;
/** The same where the rank limit decides: errors stand everywhere then, and more of the other rows are better. */
const LIMITED_NEIGHBOR_SHARE = 0.3;
/** Share of the first rows that lonely ones may fill. */
const LONER_SHARE = 1 / 4;
/** So many lonely rows more are tried, for each fresh one. */
const FRESH_LONER_SHARE = 1 / 3;
/** Most rows in a sample: so many for each candidate, or so many entries. */
const MOST_PER_CANDIDATE = 16;
const MOST_ENTRIES = 2 ** 21;
/** Rows outside the sample that a node's interpolation is verified on, at least. */
export const FRESH_ROWS = 48;
/** A large sample is verified on this share of its rows. */
const FRESH_SHARE = 1 / 8;
/** Of pools a sample that grows leaves this share, and half of them before it grows, to be verified on. */
const LEFT_SHARE = 1 / 4;
/** An error that fewer fresh rows show, in effect, than these is not believed before a sample has all least rows. */
const SHOWING_ROWS = 6;
/** The sample is decomposed to this share of the threshold: rows that were not sampled fit somewhat worse. */
const SAFETY = 0.5;
/** Standard deviations, of the sum over a level, by which a node is to stay below its threshold. */
const DEVIATIONS = 1;
/**
 * From so many of the fresh rows that err most one goes on to the rows around them, and from those that err more than
 * all before to the ones around these, so many steps at most: errors that stand in a few rows are found by slopes.
 */
const STARTS = 4;
const NEAREST_AROUND = 8;
const STEPS = 6;
const STREAM = 0x5e1e;

/** Rows that the first sample of a leaf asks for where `rank` is forecast, `least` at least. */
const rowsForRank = (rank: number, columns: number, least: number): number =>
  Math.ceil(Math.max(Math.min(ROWS_PER_RANK * rank, ROWS_PER_CANDIDATE * columns) + EXTRA_ROWS, least));
/** Rows that the first sample of an inner node with so many candidate columns asks for. */
export const firstRowCount = (columns: number, least = leastRows(columns)): number =>
  Math.ceil(Math.max(ROWS_PER_CANDIDATE * columns + EXTRA_ROWS, least));
/**
 * Rows that a node of so many candidates has looked at when it is done, of about as many: its first sample, which is
 * doubled once, and those that are tried.
 */
export const usualRows = (columns: number): number => (2 + FRESH_SHARE) * firstRowCount(columns);
/** Whether these ranks of leaves are low and much alike, as those of kernels that are smooth on the scale of a leaf. */
export function evenRanks(ranks: readonly number[], leafSize: number): boolean {
  const least = Math.min(...ranks);
  const most = Math.max(...ranks);
  return most > 0 && most <= LOW_SHARE * leafSize && most <= LEAPS * (least + 1);
}
/** Rows of pools (row-pools.ts), at least: the most that a node samples, but for few candidates. */
export const leastPool = (columns: number): number => MOST_PER_CANDIDATE * columns;
/** Most rows that a node of so many candidate columns samples. */
export const mostRows = (columns: number): number =>
  Math.ceil(Math.max(MOST_PER_CANDIDATE * columns, MOST_ENTRIES / columns));

/** Most columns a node of N indices' tree can have. */
export const candidateLimit = (size: number, leafSize: number, maxRank: number): number =>
  Math.min(size, Math.max(leafSize, 2 * maxRank));

/** An estimated sum of squares, and the variance of the estimate. */
interface Estimate {
  readonly sum: number;
  readonly variance: number;
}

/** What a node does; where it stops it has asked its interpolation for something, which is there when it goes on. */
export type Steps<T = void> = Generator<undefined, T, undefined>;

/** Skeletonizes one node at a time. Holds scratch: one for each node that is under way. */
export class NodeSkeletonizer {
  readonly #state: SkeletonState;
  readonly #source: EntrySource;
  readonly #found: NodeInterpolation;
  readonly #sampler: RowSampler;
  readonly #around: Surroundings;
  readonly #partners: Partners;
  readonly #candidates: Int32Array;
  readonly #amplification: Float64Array;
  /** Squares of the errors of the rows that were tried last, without their weights. */
  #rowErrors = new Float64Array(0);

  constructor(state: SkeletonState, source: EntrySource, interpolation: NodeInterpolation) {
    const columns = candidateLimit(state.tree.size, state.leafSize, state.maxRank);
    this.#state = state;
    this.#source = source;
    this.#found = interpolation;
    this.#sampler = new RowSampler(state);
    this.#around = new Surroundings(source);
    this.#partners = new Partners(state, source);
    this.#candidates = new Int32Array(columns);
    this.#amplification = new Float64Array(columns);
  }

  /**
   * Node ν, unless it is done or needs none; `known` tells what several ranks told each other of it, `pools` what rows
   * are read from in place of the state's.
   */
  *steps(ν: number, known?: SharedNode, pools?: RowPools): Steps {
    const state = this.#state;
    const { tree, maxRank, ranksOnly } = state;
    if (state.needed[ν] === 0 || state.done[ν] !== 0) return;
    const columns = this.#collect(ν);
    const threshold = Math.sqrt(state.thresholdPerIndex * (tree.end[ν] - tree.begin[ν]));
    const random = new RandomStream(state.seed, STREAM, ν);
    const found = this.#found;
    const sampler = this.#sampler;
    sampler.open(ν, known?.votes, pools);
    found.begin(this.#candidates.subarray(0, columns), this.#amplification.subarray(0, columns));
    const guess = state.forecast[0] > 0 ? state.forecast[0] : FIRST_GUESS;
    const fair = leastRows(columns);
    const least = state.forecast[1] === 1 ? EVEN_SHARE * fair : fair;
    const first = this.#isWhole(ν) ? rowsForRank(guess, columns, least) : firstRowCount(columns, least);
    if (first < sampler.population) {
      const share = columns >= 2 * NEAR_LIMIT * maxRank ? LIMITED_NEIGHBOR_SHARE : NEIGHBOR_SHARE;
      const neighbors = Math.min(first, Math.floor(share * Math.max(first, fair)));
      this.#add(sampler.takeNeighbors(neighbors), true);
      this.#add(sampler.takeLoners(Math.floor(LONER_SHARE * first)), true);
      this.#add(sampler.takeWitnesses(), true);
    }
    this.#growTo(first + sampler.witnessed, random);
    let attempts = 0;
    let estimate: Estimate = { sum: 0, variance: 0 };
    for (;;) {
      attempts++;
      found.decompose({ threshold: SAFETY * threshold, maxRank });
      yield;
      const { rank, residual } = found;
      if (!Number.isFinite(residual)) throw this.#nonFinite(ν, columns);
      const seen = residual ** 2;
      if (sampler.complete || rank === columns) {
        // All rows outside were seen, or nothing is interpolated.
        estimate = { sum: rank === columns ? 0 : seen, variance: 0 };
        break;
      }
      const enough = Math.ceil(LEAST_PER_RANK * rank + EXTRA_ROWS / 2);
      if (found.rows < enough && !sampler.isScarce) {
        this.#growTo(Math.max(2 * found.rows, Math.ceil(ROWS_PER_RANK * rank + EXTRA_ROWS)), random);
        continue;
      }
      if (ranksOnly) break;
      const from = sampler.count;
      const wanted = Math.ceil(Math.max(FRESH_ROWS, least / 2, FRESH_SHARE * found.rows));
      if (sampler.isWhole && wanted >= sampler.population - from) sampler.takeRest();
      else sampler.takeSpread(wanted, random);
      const batch = sampler.batch(from);
      const fresh = yield* this.#errorOf(batch, false);
      if (!Number.isFinite(fresh.sum)) throw this.#nonFinite(ν, columns);
      estimate = { sum: fresh.sum + seen, variance: fresh.variance };
      const isMet = ({ sum, variance }: Estimate): boolean =>
        sum + DEVIATIONS * Math.sqrt(variance / 2 ** levelOf(ν)) <= threshold ** 2;
      // An error that few rows show may stand in others as well.
      const few = least < fair && fresh.sum ** 2 < SHOWING_ROWS * fresh.variance;
      const drawnMet = isMet(estimate) && !(few && found.rows < fair);
      if (drawnMet) estimate = { ...estimate, sum: estimate.sum + (yield* this.#climb(batch)) };
      if (drawnMet && isMet(estimate)) {
        const lonely = yield* this.#tryLoners(Math.ceil(FRESH_LONER_SHARE * wanted));
        estimate = { ...estimate, sum: estimate.sum + lonely };
      }
      if (drawnMet && isMet(estimate)) {
        const partners = yield* this.#tryPartners({ allowed: threshold ** 2, most: wanted, known });
        estimate = { ...estimate, sum: estimate.sum + partners };
      }
      // Near its limit a node has no rank left to spend on more rows.
      const isLast = rank >= NEAR_LIMIT * maxRank || found.rows >= mostRows(columns) || sampler.isScarce;
      if ((drawnMet && isMet(estimate)) || isLast) break;
      found.keepTried();
      if (sampler.complete) found.countOnce();
      // Rows that drawn ones did not show are part of the sample now: that is enough to decompose it anew.
      else if (!drawnMet) this.#growTo(Math.min(Math.max(2 * found.rows, Math.ceil(fair)), mostRows(columns)), random);
    }
    if (!ranksOnly) {
      found.finish();
      yield;
      // Of another interpolation than the one that was verified, and a worse fit, all rows that the skeleton was found
      // from are looked at.
      estimate = { ...estimate, sum: Math.max(estimate.sum, found.refitted) };
      this.#store(ν, columns);
    }
    state.attempts[ν] += attempts;
    state.missed[ν] = estimate.sum;
    state.variance[ν] = estimate.variance;
    state.ranks[ν] = found.rank;
    state.done[ν] = 1;
  }

  /**
   * The errors, squared, of rows around those of a batch that err most, and so on where they err more. The rows' errors
   * of that batch are those found last.
   */
  *#climb({ rows }: Batch): Steps<number> {
    let sum = 0;
    let starts = this.#worst(rows.length, 0);
    let height = starts.length === 0 ? 0 : this.#rowErrors[starts[0]];
    let at = starts.map((r) => rows[r]);
    for (let step = 0; step < STEPS && at.length > 0; step++) {
      const from = this.#sampler.count;
      if (this.#around.take(this.#sampler, at, NEAREST_AROUND) === 0) break;
      sum += yield* this.#tryTaken(from);
      const around = this.#sampler.batch(from).rows;
      starts = this.#worst(around.length, height);
      if (starts.length > 0) height = this.#rowErrors[starts[0]];
      at = starts.map((r) => around[r]);
    }
    return sum;
  }

  /** The errors, squared, of the next lonely rows, `most` at most. */
  *#tryLoners(most: number): Steps<number> {
    const from = this.#sampler.count;
    this.#sampler.takeLoners(most);
    return yield* this.#tryTaken(from);
  }

  /**
   * The errors, squared, of rows that a column is coupled to more than its sampled rows make believe: an index whose
   * one partner outside was not drawn looks as if it had none, and hands a partner on to all that is interpolated from
   * it.
   */
  *#tryPartners(limits: Parameters<Partners['take']>[2]): Steps<number> {
    const from = this.#sampler.count;
    const found = this.#found;
    const candidates = this.#candidates.subarray(0, found.cols);
    const columns = { candidates, amplification: this.#amplification, square: (j: number) => found.columnSquare(j) };
    this.#partners.take(this.#sampler, columns, limits);
    return yield* this.#tryTaken(from);
  }

  /** The errors, squared, of the rows that were taken from the one numbered so on. */
  *#tryTaken(from: number): Steps<number> {
    if (this.#sampler.count === from) return 0;
    return (yield* this.#errorOf(this.#sampler.batch(from), true)).sum;
  }

  /** ‖W·(K(R, C) − K(R, S)·[I T])·D‖_F² of rows that are tried, and the variance of that sum over rows. */
  *#errorOf(batch: Batch, certain: boolean): Steps<Estimate> {
    const found = this.#found;
    found.tryRows(batch, certain);
    yield;
    const { weights } = batch;
    const m = weights.length;
    if (this.#rowErrors.length < m) this.#rowErrors = new Float64Array(2 * m);
    let sum = 0;
    let variance = 0;
    for (let i = 0; i < m; i++) {
      const row = found.rowErrors[i];
      sum += row;
      variance += row * row;
      this.#rowErrors[i] = row / weights[i] ** 2;
    }
    return { sum, variance };
  }

  /** The numbers of the `count` rows tried last that err most, more than `least`, the worst first. */
  #worst(count: number, least: number): number[] {
    return placesOfLargest(this.#rowErrors.subarray(0, count), STARTS, { least });
  }

  /** Adds rows until there are `wanted`, or all there are. */
  #growTo(wanted: number, random: RandomStream): void {
    const sampler = this.#sampler;
    if (sampler.complete) return;
    if (sampler.isWhole && wanted >= sampler.population) {
      this.#add(sampler.takeRest(), true);
      this.#found.countOnce();
    } else {
      this.#add(sampler.takeSpread(wanted - this.#found.rows, random, LEFT_SHARE), false);
      if (sampler.complete) this.#found.countOnce();
    }
  }

  /** Adds the `count` rows that were taken last. */
  #add(count: number, certain: boolean): void {
    if (count > 0) this.#found.add(this.#sampler.batch(this.#sampler.count - count), certain);
  }

  /** Why the sample of node ν has no finite squared norm. */
  #nonFinite(ν: number, columns: number): NonFiniteError {
    const sample = this.#sampler;
    const column = new Float64Array(sample.count);
    for (let j = 0; j < columns; j++) {
      this.#source.entries(
        sample.rows.subarray(0, sample.count),
        this.#candidates.subarray(j, j + 1),
        view(column, 0, sample.count, 1),
      );
      const i = column.findIndex((value) => !Number.isFinite(value));
      if (i >= 0)
        return new NonFiniteError(
          `Entry (${sample.rows[i]}, ${this.#candidates[j]}) is ${column[i]}; every entry must be a finite number.`,
          { row: sample.rows[i], column: this.#candidates[j], value: column[i] },
        );
    }
    return new NonFiniteError(
      `The squares of the entries in the columns of node ${ν} (level ${levelOf(ν)}) overflow: the matrix is too ` +
        'large; scale it.',
      { node: ν },
    );
  }

  /** Whether all indices of the node are candidates, not only its children's skeletons. */
  #isWhole(ν: number): boolean {
    return this.#state.ranksOnly || ν >= firstLeaf(this.#state.tree);
  }

  /** Candidate columns: their indices and amplifications. Returns how many. */
  #collect(ν: number): number {
    const { tree, maxRank, ranks, skeletons, amplification } = this.#state;
    if (this.#isWhole(ν)) {
      const n = tree.end[ν] - tree.begin[ν];
      this.#candidates.set(tree.order.subarray(tree.begin[ν], tree.end[ν]));
      this.#amplification.fill(1, 0, n);
      return n;
    }
    let n = 0;
    for (const child of [leftChild(ν), rightChild(ν)]) {
      for (let j = 0; j < ranks[child]; j++, n++) {
        this.#candidates[n] = skeletons[child * maxRank + j];
        this.#amplification[n] = amplification[child * maxRank + j];
      }
    }
    return n;
  }

  /** Writes skeleton, amplification and Tᵀ, the scaling by D undone. */
  #store(ν: number, columns: number): void {
    const { maxRank, choice, skeletons, amplification, slotBegin, slots } = this.#state;
    const { rank: k, columns: order, interpolation: t } = this.#found;
    const redundant = columns - k;
    const d = this.#amplification;
    const begin = slotBegin[ν];
    for (let j = 0; j < k; j++) {
      const column = order[j];
      const dj = d[column];
      let sum = dj * dj;
      for (let i = 0; i < redundant; i++) {
        const scaled = t[i + j * redundant] * dj;
        sum += scaled * scaled;
        slots[begin + i + j * redundant] = scaled / d[order[k + i]];
      }
      choice[ν * maxRank + j] = column;
      skeletons[ν * maxRank + j] = this.#candidates[column];
      amplification[ν * maxRank + j] = Math.sqrt(sum);
    }
  }
}

/** Levels that carry bases: levels 1 … depth. */
export const basisLevels = (needed: Int32Array): number => {
  let levels = 0;
  let last = -1;
  for (let ν = 1; ν < needed.length; ν++) {
    if (needed[ν] !== 0 && levelOf(ν) !== last) {
      last = levelOf(ν);
      levels++;
    }
  }
  return Math.max(1, levels);
};
