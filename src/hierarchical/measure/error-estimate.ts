/**
 * The measured error of approximations, from entries.
 *
 *   ε_F = ‖K − K̃‖_F/‖K‖_F
 *
 * over all columns where N is small (exact), else from a seeded sample. Errors of hierarchical matrices are heavy:
 * half of ‖K − K̃‖_F² may lie in one column of two hundred, or in one entry of ten thousand, and the mean over a
 * hundred columns drawn alike misses it oftener than not. So
 *  - each vector holds several columns j with signs, v = Σ ± e_j/√(G p_j), E‖(K − K̃)v‖² = ‖K − K̃‖_F²: entries of K
 *    are cheap beside products with K̃, and are evaluated for all of them;
 *  - K − K̃ is symmetric, and its rows in the columns drawn first, Σ_v ((K − K̃)v)_i², tell which columns are heavy
 *    before they are drawn: a quarter of the vectors is drawn with p_j ½ even and ½ by K_jj; a quarter and then a
 *    half with p_j ½ by the rows seen so far, ¼ even, ¼ by K_jj (M. Hansen, W. Hurwitz, Ann. Math. Stat. 14, 1943:
 *    probabilities proportional to size);
 *  - two indices that couple with each other and with hardly any other are easily taken for far ones, and their entry
 *    may then be most of the error, in two columns of thousands: after the first draw the rows that couple least with
 *    its columns are compared with each other, which takes an eighth more entries, and what differs counts as seen.
 * Each draw is unbiased by itself. The last one gives the estimate, which suits errors in few columns; all of them
 * together suit errors in many pairs that have nothing to do with each other, of which the rows seen so far tell
 * nothing. The interval spans those of both, and its upper end no less than any draw saw: that draw found a heavy
 * column which the others missed.
 */
import { requireWhole } from '../../core/checks.js';
import type { KeysOf } from '../../core/known-options.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { view } from '../../dense/matrix.js';
import { NORMAL_QUANTILE } from '../../krylov/mean-interval.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { decide, exactError, quotientOfNorms, sampledError, type ErrorEstimate } from './error-interval.js';
import {
  columnNorms,
  comparing,
  unitVectors,
  vectorsToCompare,
  type ColumnVectors,
  type NormsSetup,
} from './sampled-columns.js';

/** Options of `HierarchicalMatrix.estimateError`. */
export interface ErrorOptions {
  /**
   * Columns to compare; from N columns on the error is exact. Default: all up to N = 4,096, with a `tolerance` up to
   * N = 2,048; beyond, 1,024, and with a `tolerance` twice as many each time while it lies within the interval, up to
   * 4,096 (all of them where N ≤ 8,192).
   */
  readonly columns?: number | undefined;
  /** Default 0. Seeds the columns and signs that are drawn. */
  readonly seed?: number | undefined;
  /** What the error is to be compared with: see `columns`. */
  readonly tolerance?: number | undefined;
}
/** The keys of {@link ErrorOptions}. */
export const ERROR_KEYS: KeysOf<ErrorOptions> = { columns: 'number', seed: 'number', tolerance: 'number' };

/** Up to this size all columns are compared by default: without a tolerance, and with one, which a sample decides. */
export const EXACT_SIZE = 4096;
const EXACT_SIZE_TO_DECIDE = 2048;
const SAMPLED_COLUMNS = 1024;
/**
 * Samples, each twice as large as the one before, that a tolerance may take. Their intervals hold together with 95 %
 * (C. Bonferroni): 98.33 % each.
 */
const LOOKS = 3;
const LOOK_QUANTILE = 2.3939797998185104;
/** Bytes of products that are held at a time. */
const HELD_BYTES = 2 ** 28;
/** Columns of a vector at most, where so many vectors are made of the rest. */
const MOST_IN_VECTOR = 16;
const VECTORS = 64;
/** Fewer vectors are drawn at once. */
const LEAST_VECTORS = 16;
/** Share of the probabilities that is even, at least, while no error was seen. */
const EVEN = 0.5;
/** Share of the probabilities that goes by the rows that show error. */
const BY_ROWS = 0.5;
/** The entries among lonely rows, as a share of those of the columns that are drawn first. */
const LONELY_SHARE = 0.125;
/** Signed sums that lonely columns are dealt out to. */
const LONELY_VECTORS = 8;
const STREAM = 0xe5717;
const LONELY_STREAM = 0xe5718;
const PHASE = 'measure error';

/** `count` distinct numbers below `size`, ascending; all of them if count ≥ size. */
export function sampleWithoutReplacement(size: number, count: number, random: RandomStream): Int32Array {
  if (count >= size) return Int32Array.from({ length: size }, (_, i) => i);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.integer(size));
  return Int32Array.from(chosen).sort();
}

/** Throws OptionError unless `columns` is a whole number from 1 on. */
export function requireColumns(columns: number): number {
  requireWhole(columns, 'columns', 1);
  return columns;
}

/**
 * Compares K̃ with K. Cost: one product for each column, or for each vector of up to 16 of them (and eight more), and N
 * entries a column (an eighth more of a sample). The same seed gives the same numbers on a team of any size. Throws
 * OptionError, AbortedError, what the source throws.
 */
export async function estimateError(
  source: EntrySource,
  approximation: LinearOperator,
  options: ErrorOptions,
  control: TeamControl,
): Promise<ErrorEstimate> {
  const { size } = source;
  const { seed = 0, tolerance } = options;
  const exactSize = tolerance === undefined ? EXACT_SIZE : EXACT_SIZE_TO_DECIDE;
  const wanted = requireColumns(options.columns ?? (size <= exactSize ? size : SAMPLED_COLUMNS));
  if (wanted >= size) return (await compareAll(source, [approximation], control)).estimates[0];
  const looks = tolerance === undefined || options.columns !== undefined ? 1 : LOOKS;
  const sample = new ErrorSample(source, [approximation], wanted, seed, control);
  for (let look = 1; ; look++) {
    await sample.draw();
    const [estimate] = sample.estimates(looks === 1 ? NORMAL_QUANTILE : LOOK_QUANTILE, 0.05 / looks);
    if (look === looks || decide(estimate, tolerance!) !== 'undecided') return estimate;
    if (look + 1 === looks && 2 * wanted * 2 ** (looks - 1) >= size)
      return (await compareAll(source, [approximation], control)).estimates[0];
  }
}

/**
 * Estimates for several approximations from one sample of `columns` columns, all of them from N on. As
 * `estimateError`; each exact column is computed once.
 */
export async function estimateErrors(
  source: EntrySource,
  approximations: readonly LinearOperator[],
  columns: number,
  seed: number,
  control: TeamControl,
): Promise<{ readonly estimates: ErrorEstimate[]; readonly exact: Float64Array }> {
  if (columns >= source.size) return compareAll(source, approximations, control);
  const sample = new ErrorSample(source, approximations, columns, seed, control);
  await sample.draw();
  return { estimates: sample.estimates(NORMAL_QUANTILE, 0.05), exact: new Float64Array(0) };
}

/** All columns of all approximations, and the norms of K's. */
async function compareAll(
  source: EntrySource,
  approximations: readonly LinearOperator[],
  control: TeamControl,
): Promise<{ estimates: ErrorEstimate[]; exact: Float64Array }> {
  const { size } = source;
  const vectors = unitVectors(Int32Array.from({ length: size }, (_, j) => j));
  const { exact, errors } = await compareVectors(source, approximations, vectors, {}, control);
  return { estimates: errors.map((error) => exactError(error, exact)), exact };
}

/** Norms for all approximations, as many of them at a time as may be held. */
async function compareVectors(
  source: EntrySource,
  approximations: readonly LinearOperator[],
  vectors: ColumnVectors,
  { rows = [], ...others }: Omit<NormsSetup, 'width' | 'phase'>,
  control: TeamControl,
): Promise<{ exact: Float64Array; errors: Float64Array[] }> {
  const { size } = source;
  const width = Math.min(vectorsToCompare(size), vectors.columns.length / vectors.size);
  const units = view(inLargePages(sharedFloat64(size * width)), 0, size, width);
  const together = Math.max(1, Math.floor(HELD_BYTES / (8 * size * width)));
  const errors: Float64Array[] = [];
  let exact = new Float64Array(0);
  for (let first = 0; first === 0 || first < approximations.length; first += together) {
    const some = approximations.slice(first, first + together).map((one) => comparing(one, units));
    const found = await columnNorms(
      source,
      vectors,
      some,
      { ...others, width, rows: rows.slice(first, first + together), phase: PHASE },
      control,
    );
    exact = found.exact as Float64Array<ArrayBuffer>;
    errors.push(...found.errors);
  }
  control.team.collect((1 + Math.min(together, approximations.length)) * units.data.byteLength);
  return { exact, errors };
}

/** Norms of one draw: of K's part and of the errors of each vector. */
interface Draw {
  readonly exact: Float64Array;
  readonly errors: readonly Float64Array[];
  readonly columns: number;
}

/** A growing sample of vectors (see above). */
class ErrorSample {
  readonly #source: EntrySource;
  readonly #approximations: readonly LinearOperator[];
  readonly #control: TeamControl;
  readonly #random: RandomStream;
  readonly #group: number;
  /** Vectors of the first call of `draw`. */
  readonly #vectors: number;
  readonly #diagonal: Float64Array;
  readonly #unit: number;
  /** Σ over the vectors so far of the squares of (K − K̃)v's entries, of each approximation. */
  readonly #rows: readonly Float64Array[];
  /** The same among the rows that couple least with the columns drawn first, their columns once. */
  readonly #lonely: readonly Float64Array[];
  readonly #seed: number;
  readonly #draws: Draw[] = [];

  constructor(
    source: EntrySource,
    approximations: readonly LinearOperator[],
    columns: number,
    seed: number,
    control: TeamControl,
  ) {
    this.#source = source;
    this.#approximations = approximations;
    this.#control = control;
    this.#random = new RandomStream(seed, STREAM);
    this.#group = Math.min(MOST_IN_VECTOR, Math.max(1, Math.floor(columns / VECTORS)));
    this.#vectors = Math.floor(columns / this.#group);
    this.#diagonal = new Float64Array(source.size);
    source.diagonal(this.#diagonal);
    let largest = 0;
    this.#diagonal.forEach((value, i) => {
      largest = Math.max(largest, (this.#diagonal[i] = Math.abs(value)));
    });
    if (largest > 0) for (let i = 0; i < this.#diagonal.length; i++) this.#diagonal[i] /= largest;
    // 1/largest may be beyond the range.
    this.#unit = Math.min(Number.MAX_VALUE, 1 / (largest || 1));
    this.#rows = approximations.map(() => sharedFloat64(source.size));
    this.#lonely = approximations.map(() => sharedFloat64(source.size));
    this.#seed = seed;
  }

  /** Draws the first vectors, or as many again as there are. */
  async draw(): Promise<void> {
    const drawn = this.#draws.reduce((sum, { exact }) => sum + exact.length, 0);
    const count = drawn === 0 ? this.#vectors : drawn;
    if (drawn > 0 || count < LEAST_VECTORS) {
      await this.#drawVectors(count);
      return;
    }
    const quarter = Math.floor(count / 4);
    const couplings = sharedFloat64(this.#source.size);
    await this.#drawVectors(quarter, couplings);
    await this.#compareLonely(couplings);
    for (const part of [quarter, count - 2 * quarter]) await this.#drawVectors(part);
  }

  /** Rows that couple least with the columns drawn so far, for their diagonal entry: compared with each other. */
  async #compareLonely(couplings: Float64Array): Promise<void> {
    const { size } = this.#source;
    const most = Math.floor(Math.sqrt(LONELY_SHARE * this.#vectors * this.#group * size) / LONELY_VECTORS);
    const group = Math.min(most, Math.floor(size / LONELY_VECTORS));
    if (group === 0) return;
    const coupling = couplings.map((sum, i) => {
      const relative = sum / this.#diagonal[i];
      return Number.isNaN(relative) ? Infinity : relative;
    });
    const only = sharedInt32(group * LONELY_VECTORS);
    only.set(smallest(coupling, only.length));
    const random = new RandomStream(this.#seed, LONELY_STREAM);
    const columns = new Int32Array(only.length);
    only.forEach((j, t) => {
      columns[(t % LONELY_VECTORS) * group + Math.floor(t / LONELY_VECTORS)] = j;
    });
    const coefficients = Float64Array.from(columns, () => ((random.uint32() & 1) === 0 ? 1 : -1));
    await compareVectors(
      this.#source,
      this.#approximations,
      { columns, coefficients, size: group },
      { rows: this.#lonely, only, unit: this.#unit },
      this.#control,
    );
  }

  async #drawVectors(count: number, couplings?: Float64Array): Promise<void> {
    const group = this.#group;
    const probability = this.#probabilities();
    const drawn = drawByProbability(probability, count * group, this.#random);
    const columns = new Int32Array(count * group);
    const coefficients = new Float64Array(count * group);
    for (let g = 0; g < count; g++) {
      for (let t = 0; t < group; t++) {
        // Dealt out: the columns of a vector come from all over the order.
        const j = (columns[g * group + t] = drawn[g + t * count]);
        coefficients[g * group + t] = ((this.#random.uint32() & 1) === 0 ? 1 : -1) / Math.sqrt(group * probability[j]);
      }
    }
    const norms = await compareVectors(
      this.#source,
      this.#approximations,
      { columns, coefficients, size: group },
      { rows: this.#rows, couplings, unit: this.#unit },
      this.#control,
    );
    const exact = Float64Array.from({ length: count }, (_, g) =>
      Math.hypot(...Array.from({ length: group }, (__, t) => coefficients[g * group + t] * norms.exact[g * group + t])),
    );
    this.#draws.push({ exact, errors: norms.errors, columns: columns.length });
  }

  /** By the rows seen so far, of all approximations alike; the rest half even and half by the diagonal. */
  #probabilities(): Float64Array {
    const { size } = this.#source;
    const some = (weights: readonly Float64Array[]): Float64Array[] =>
      weights.filter((one) => {
        const sum = sumOf(one);
        return sum > 0 && sum < Infinity;
      });
    const vectors = Math.max(
      1,
      this.#draws.reduce((sum, { exact }) => sum + exact.length, 0),
    );
    const rows = some(this.#rows.map((sums, k) => sums.map((sum, i) => Math.max(sum / vectors, this.#lonely[k][i]))));
    const diagonal = some([this.#diagonal]);
    const others = (rows.length === 0 ? 1 : 1 - BY_ROWS) / (1 + diagonal.length);
    const probability = new Float64Array(size).fill(others / size);
    const add = (weights: Float64Array, share: number): void => {
      const scale = share / sumOf(weights);
      for (let i = 0; i < size; i++) probability[i] += scale * weights[i];
    };
    for (const one of diagonal) add(one, others);
    for (const one of rows) add(one, BY_ROWS / rows.length);
    return probability;
  }

  /** z: the normal quantile of the intervals, 1 − miss their probability. */
  estimates(z: number, miss: number): ErrorEstimate[] {
    const columns = this.#draws.reduce((sum, draw) => sum + draw.columns, 0);
    const last = this.#draws[this.#draws.length - 1];
    return this.#approximations.map((_, k) => {
      if (this.#draws.every(({ errors }) => errors[k].every((value) => value === 0)))
        return this.#unseen(columns, miss);
      const estimate = sampledError(last.errors[k], last.exact, z, columns);
      const seen = this.#draws.map(({ errors, exact }) => quotientOfNorms(errors[k], exact));
      const together = sampledError(
        joined(this.#draws.map(({ errors }) => errors[k])),
        joined(this.#draws.map(({ exact }) => exact)),
        z,
      );
      return {
        ...estimate,
        low: Math.min(estimate.low, together.low),
        high: Math.max(estimate.high, together.high, ...seen),
      };
    });
  }

  /**
   * No vector showed an error. Then with probability 1 − miss all of it lies in the rows and columns of a set A of at
   * most a = −ln(miss)·N/(EVEN·columns) indices, since each draw meets A with probability EVEN·|A|/N at least; and
   * where |K_ij| and |K̃_ij| are at most √(K_ii K_jj), as of semidefinite matrices, ‖(K − K̃)_AA‖_F ≤ 2·Σ_{i ∈ A}
   * K_ii.
   */
  #unseen(columns: number, miss: number): ErrorEstimate {
    const norm = quotientOfNorms(joined(this.#draws.map(({ exact }) => exact)), Float64Array.of(1)) * this.#unit;
    const most = Math.min(this.#source.size, Math.ceil((-Math.log(miss) * this.#source.size) / (EVEN * columns)));
    const held =
      2 *
      sumOf(
        Float64Array.from(this.#diagonal)
          .sort()
          .subarray(this.#source.size - most),
      );
    return { relative: 0, low: 0, high: held === 0 ? 0 : held / norm, exact: false, columns };
  }
}

const joined = (parts: readonly Float64Array[]): Float64Array =>
  Float64Array.from(parts.flatMap((part) => Array.from(part)));

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** The indices of the `count` smallest values, of equal ones the first; ascending. */
function smallest(values: Float64Array, count: number): Int32Array {
  const limit = values.slice().sort()[count - 1];
  let equal = count;
  for (const value of values) if (value < limit) equal--;
  const indices = new Int32Array(count);
  let found = 0;
  for (let i = 0; i < values.length && found < count; i++)
    if (values[i] < limit || (values[i] === limit && equal-- > 0)) indices[found++] = i;
  return indices;
}

/**
 * `count` draws, one from each of as many equal shares of the probability; ascending, an index may stand there more
 * than once.
 */
function drawByProbability(probability: Float64Array, count: number, random: RandomStream): Int32Array {
  const drawn = new Int32Array(count);
  const total = sumOf(probability);
  let below = 0;
  let j = 0;
  for (let t = 0; t < count; t++) {
    const place = ((t + random.uniform()) / count) * total;
    while (j < probability.length - 1 && !(below + probability[j] > place)) below += probability[j++];
    drawn[t] = j;
  }
  return drawn;
}
