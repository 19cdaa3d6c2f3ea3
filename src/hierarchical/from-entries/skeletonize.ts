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
 * so that the errors of all nodes, rows and columns, add up to t·‖K‖_F. A node is then verified on fresh uniform rows
 * and decomposed anew from a larger sample where it misses. Departs from GOFMM (SC17) in the weights, the
 * amplification, the threshold and the verification.
 */
import { NonFiniteError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import { leftChild, levelOf, rightChild } from '../../core/indices.js';
import { InterpolativeDecomposition } from '../../dense/interpolative.js';
import { block, squaredNorm, view, type Precision } from '../../dense/matrix.js';
import { defineTask, type WorkerContext } from '../../parallel/task.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, type SourceHandle } from '../../source/share-source.js';
import { RowSampler, type RowSamplerState } from './row-sampler.js';
import { ScaledInterpolation } from './definite-interpolation.js';
import { NEAR_LIMIT } from '../matrix/tolerance-limits.js';
import { firstLeaf } from '../../tree/cluster-tree.js';

/** What skeletonization reads and writes. */
export interface SkeletonState extends RowSamplerState {
  readonly source: SourceHandle;
  readonly maxRank: number;
  readonly leafSize: number;
  readonly seed: number;
  /** Interpolations that keep K̃ positive semidefinite in storage of this precision (definite-interpolation.ts). */
  readonly preserve: Precision | undefined;
  /** t²·‖K‖_F²/(2·levels·N): a node's squared threshold is this times its size. */
  readonly thresholdPerIndex: number;
  /** 1 where a far pair of the node or of an ancestor needs a basis. */
  readonly needed: Int32Array;
  /**
   * Results, slot ν: maxRank entries each. `choice` numbers the candidates, `skeletons` are indices, `amplification`
   * their d_j.
   */
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
  readonly amplification: Float64Array;
  /** Tᵀ, redundant × rank, from element slotBegin[ν] of `slots`. */
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
  /** Estimated ‖K(outside, ν) − interpolated‖_F² on fresh rows, and how many samples were drawn for the node. */
  readonly missed: Float64Array;
  readonly attempts: Int32Array;
}

/**
 * Rows sampled to begin with: so many per candidate column, and some more that small nodes need; doubled for each new
 * attempt.
 */
const OVERSAMPLING = 3;
const EXTRA_ROWS = 256;
/** Rows that the first sample of a node with so many candidate columns asks for. */
export const firstRowCount = (columns: number): number => Math.ceil(OVERSAMPLING * columns) + EXTRA_ROWS;
const MOST_ATTEMPTS = 2;
/** Rows outside the sample that a node's interpolation is verified on. */
export const FRESH_ROWS = 48;
/** Rows compared at a time: somewhat more than the fresh ones asked for may be drawn. */
const CHECKED_ROWS = 2 * FRESH_ROWS;
/** The sample is decomposed to this share of the threshold: rows that were not sampled fit somewhat worse. */
const SAFETY = 0.5;
/** A node is resampled when fresh rows estimate its error beyond this multiple of its threshold. */
const ACCEPT = 3;
const STREAM = 0x5e1e;

/** Most columns a node can have, and most rows it can sample. */
export const candidateLimit = (leafSize: number, maxRank: number): number => Math.max(leafSize, 2 * maxRank);
/** Most rows that any node of a tree over `size` indices can sample. */
export const rowLimit = (leafSize: number, maxRank: number, size: number): number =>
  Math.min(size, 2 ** (MOST_ATTEMPTS - 1) * firstRowCount(candidateLimit(leafSize, maxRank)));

const rowStream = (seed: number, ν: number): RandomStream => new RandomStream(seed, STREAM, ν);

/** Rows that attempt 1, 2, … asks for. */
const wantedRows = (columns: number, attempt: number): number => 2 ** (attempt - 1) * firstRowCount(columns);

/**
 * Draws the rows that the skeleton of node ν, of `columns` candidates, was found from at last: `sampler` must have the
 * same tree and room for rowLimit rows.
 */
export function drawAgain(sampler: RowSampler, ν: number, columns: number, attempts: number, seed: number): void {
  const random = rowStream(seed, ν);
  for (let attempt = 1; ; attempt++) {
    sampler.draw(ν, wantedRows(columns, attempt), random);
    if (attempt >= attempts) return;
    sampler.drawFresh(FRESH_ROWS, random);
  }
}

class NodeSkeletonizer {
  readonly #state: SkeletonState;
  readonly #source: EntrySource;
  readonly #context: WorkerContext;
  readonly #sampler: RowSampler;
  readonly #decomposition: InterpolativeDecomposition;
  readonly #candidates: Int32Array;
  readonly #amplification: Float64Array;
  readonly #fresh: Int32Array;
  readonly #sample: Float64Array;
  readonly #check: Float64Array;
  readonly #scaled: ScaledInterpolation | undefined;

  constructor(state: SkeletonState, context: WorkerContext) {
    const columns = candidateLimit(state.leafSize, state.maxRank);
    const rows = rowLimit(state.leafSize, state.maxRank, state.tree.size);
    this.#state = state;
    this.#context = context;
    this.#source = openHandle(state.source, context);
    this.#sampler = new RowSampler(state, rows);
    this.#decomposition = new InterpolativeDecomposition(context.blas, columns, state.maxRank);
    this.#candidates = new Int32Array(columns);
    this.#amplification = new Float64Array(columns);
    this.#fresh = new Int32Array(columns);
    this.#sample = new Float64Array(rows * columns);
    this.#check = new Float64Array(CHECKED_ROWS * columns);
    this.#scaled =
      state.preserve === undefined
        ? undefined
        : new ScaledInterpolation(this.#source, columns, state.maxRank, state.preserve, context.blas);
  }

  run(ν: number): void {
    const state = this.#state;
    const { tree, maxRank } = state;
    if (state.needed[ν] === 0) return;
    const columns = this.#collect(ν);
    const threshold = Math.sqrt(state.thresholdPerIndex * (tree.end[ν] - tree.begin[ν]));
    const random = rowStream(state.seed, ν);
    const decomposition = this.#decomposition;
    const limit = Math.min(maxRank, columns);
    let attempts = 0;
    let missed = 0;
    for (;;) {
      attempts++;
      this.#sampler.draw(ν, wantedRows(columns, attempts), random);
      this.#decompose(columns, SAFETY * threshold);
      if (!Number.isFinite(decomposition.residual)) throw this.#nonFinite(ν, columns);
      if (this.#sampler.count === this.#sampler.certain) {
        // All rows outside were seen: there is nothing fresh, and nothing to gain.
        missed = decomposition.residual ** 2;
        break;
      }
      missed = this.#verify(columns, random);
      if (!Number.isFinite(missed)) throw this.#nonFinite(ν, columns);
      // Near its limit a node has no rank left to spend on more rows.
      if (attempts === MOST_ATTEMPTS || decomposition.rank >= NEAR_LIMIT * limit || missed <= (ACCEPT * threshold) ** 2)
        break;
    }
    if (this.#scaled !== undefined && this.#interpolateScaled(columns, this.#scaled)) {
      // Another interpolation than the one that was verified, and a worse fit: all rows that the skeleton was found
      // from are looked at.
      drawAgain(this.#sampler, ν, columns, attempts, state.seed);
      missed = Math.max(missed, this.#sampledError(columns));
    }
    state.attempts[ν] = attempts;
    state.missed[ν] = missed;
    this.#store(ν, columns);
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

  /** Candidate columns: their indices and amplifications. Returns how many. */
  #collect(ν: number): number {
    const { tree, maxRank, ranks, skeletons, amplification } = this.#state;
    if (ν >= firstLeaf(tree)) {
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

  /** Evaluates K(R, C) and decomposes W·K(R, C)·D. */
  #decompose(columns: number, threshold: number): void {
    const { rows, count, certain, uniformWeight } = this.#sampler;
    const a = view(this.#sample, 0, count, columns);
    this.#source.entries(rows.subarray(0, count), this.#candidates.subarray(0, columns), a);
    const weights = { split: certain, rowWeight: uniformWeight, columnScale: this.#amplification };
    this.#decomposition.decompose(a, { threshold, maxRank: this.#state.maxRank }, weights);
  }

  /** Estimates ‖(K(outside, C) − K(outside, S)·[I T])·D‖_F² on fresh uniform rows. */
  #verify(columns: number, random: RandomStream): number {
    if (columns === this.#decomposition.rank) return 0;
    const sampler = this.#sampler;
    sampler.drawFresh(FRESH_ROWS, random);
    return this.#sampledError(columns);
  }

  /** ‖W·(K(R, C) − K(R, S)·[I T])·D‖_F² on the sampler's rows. */
  #sampledError(columns: number): number {
    const { rows, count, certain, uniformWeight } = this.#sampler;
    const decomposition = this.#decomposition;
    const k = decomposition.rank;
    // Columns in the decomposition's order: skeletons, then the redundant ones.
    for (let j = 0; j < columns; j++) this.#fresh[j] = this.#candidates[decomposition.columns[j]];
    let sum = 0;
    for (let first = 0; first < count; first += CHECKED_ROWS) {
      const m = Math.min(CHECKED_ROWS, count - first);
      const a = view(this.#check, 0, m, columns);
      this.#source.entries(rows.subarray(first, first + m), this.#fresh.subarray(0, columns), a);
      const sure = Math.max(0, Math.min(m, certain - first));
      for (let j = 0; j < columns; j++) {
        const scale = this.#amplification[decomposition.columns[j]];
        for (let i = j * m; i < j * m + sure; i++) this.#check[i] *= scale;
        for (let i = j * m + sure; i < (j + 1) * m; i++) this.#check[i] *= scale * uniformWeight;
      }
      const rest = block(a, 0, k, m, columns - k);
      if (k > 0) this.#context.blas.gemm('N', 'T', -1, block(a, 0, 0, m, k), decomposition.interpolation, 1, rest);
      sum += squaredNorm(rest);
    }
    return sum;
  }

  /**
   * The decomposition's T, which is scaled by D, replaced by that of the node's own block; false where there is nothing
   * to interpolate.
   */
  #interpolateScaled(columns: number, scaled: ScaledInterpolation): boolean {
    const { rank: k, columns: order, interpolation: t } = this.#decomposition;
    const redundant = columns - k;
    if (k === 0 || redundant === 0) return false;
    for (let j = 0; j < columns; j++) this.#fresh[j] = this.#candidates[order[j]];
    const own = scaled.solve(this.#fresh.subarray(0, k), this.#fresh.subarray(k, columns));
    const d = this.#amplification;
    for (let j = 0; j < k; j++) {
      for (let i = 0; i < redundant; i++)
        t.data[t.offset + i + j * t.ld] = (own.data[i + j * redundant] * d[order[k + i]]) / d[order[j]];
    }
    return true;
  }

  /** Writes rank, skeleton, amplification and Tᵀ, the scaling by D undone. */
  #store(ν: number, columns: number): void {
    const { maxRank, ranks, choice, skeletons, amplification, slotBegin, slots } = this.#state;
    const decomposition = this.#decomposition;
    const k = decomposition.rank;
    const redundant = columns - k;
    const d = this.#amplification;
    const t = decomposition.interpolation;
    ranks[ν] = k;
    const begin = slotBegin[ν];
    for (let j = 0; j < k; j++) {
      const column = decomposition.columns[j];
      const dj = d[column];
      let sum = dj * dj;
      for (let i = 0; i < redundant; i++) {
        const scaled = t.data[i + j * redundant] * dj;
        sum += scaled * scaled;
        slots[begin + i + j * redundant] = scaled / d[decomposition.columns[k + i]];
      }
      choice[ν * maxRank + j] = column;
      skeletons[ν * maxRank + j] = this.#candidates[column];
      amplification[ν * maxRank + j] = Math.sqrt(sum);
    }
  }
}

/** Skeletonizes node `task`. */
export const skeletonizeNode = defineTask<SkeletonState>(import.meta.url, 'skeletonizeNode', (state, context) => {
  const skeletonizer = new NodeSkeletonizer(state, context);
  return (ν) => skeletonizer.run(ν);
});

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
