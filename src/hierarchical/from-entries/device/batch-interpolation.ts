/**
 * The interpolation of a node that a device finds: what the node asks for is noted, and answered together with what
 * other nodes ask for (level-launches.ts). Of its rows there are numbers and weights alone here.
 */
import type { InterpolationLimits } from '../../../dense/interpolative.js';
import type { NodeInterpolation } from '../node-interpolation.js';
import type { Batch } from '../row-sampler.js';

/** Rows, their weights, and whether they count once: those of a sampler change. */
interface OwnBatch extends Batch {
  certain: boolean;
}

/** What a node has asked for. */
export type Asked = 'decompose' | 'errors' | 'interpolation';

/** Rows and columns of a matrix to evaluate, each with a factor. */
export interface SampledBlock {
  readonly rows: Int32Array;
  readonly rowFactors: Float64Array;
  readonly columns: Int32Array;
  readonly columnFactors: Float64Array;
}

/** Room for T on a device: columns of so many numbers, from a place on. */
export interface InterpolationPlace {
  readonly offset: number;
  readonly ld: number;
}

const copyOf = ({ rows, weights }: Batch, certain: boolean): OwnBatch => ({
  rows: rows.slice(),
  weights: weights.slice(),
  certain,
});

/** One for each node that is under way. */
export class BatchInterpolation implements NodeInterpolation {
  rows = 0;
  rank = 0;
  residual = 0;
  columns: Int32Array = new Int32Array(0);
  rowErrors: Float64Array = new Float64Array(0);
  interpolation: Float64Array = new Float64Array(0);
  readonly refitted = 0;
  /** Squared norms of the sample's columns, by the candidates' numbers. */
  columnSquares: Float64Array = new Float64Array(0);
  /** Undefined where nothing is asked for. */
  asked: Asked | undefined;
  limits: InterpolationLimits = { threshold: 0, maxRank: 0 };
  place: InterpolationPlace = { offset: 0, ld: 0 };
  #candidates: Int32Array = new Int32Array(0);
  #scale: Float64Array = new Float64Array(0);
  #batches: OwnBatch[] = [];
  #tried: OwnBatch[] = [];

  get cols(): number {
    return this.#candidates.length;
  }

  begin(columns: Int32Array, scale: Float64Array): void {
    this.#candidates = columns;
    this.#scale = scale;
    this.#batches = [];
    this.#tried = [];
    this.rows = 0;
    this.rank = 0;
    this.residual = 0;
    this.columns = Int32Array.from(columns, (_, j) => j);
  }

  add(batch: Batch, certain: boolean): void {
    this.#keep(copyOf(batch, certain));
  }

  countOnce(): void {
    for (const batch of this.#batches) {
      batch.weights.fill(1);
      batch.certain = true;
    }
  }

  decompose(limits: InterpolationLimits): void {
    this.limits = limits;
    this.asked = 'decompose';
  }

  columnSquare(j: number): number {
    return this.columnSquares[j];
  }

  tryRows(batch: Batch, certain: boolean): void {
    this.#tried.push(copyOf(batch, certain));
    this.asked = 'errors';
  }

  keepTried(): void {
    for (const batch of this.#tried) this.#keep(batch);
    this.#tried = [];
  }

  finish(): void {
    this.asked = 'interpolation';
  }

  /** Whether the sample has no rows or no columns: nothing is to be evaluated then, and the rank is 0. */
  isEmpty(): boolean {
    return this.rows === 0 || this.cols === 0;
  }

  /** The sample, W·K(R, C)·D. */
  sample(): SampledBlock {
    const rows = new Int32Array(this.rows);
    const rowFactors = new Float64Array(this.rows);
    const spread = this.#batches.reduce((sum, batch) => sum + (batch.certain ? 0 : batch.rows.length), 0);
    let at = 0;
    for (const batch of this.#batches) {
      const share = batch.certain ? 1 : Math.sqrt(batch.rows.length / spread);
      rows.set(batch.rows, at);
      batch.weights.forEach((weight, i) => (rowFactors[at + i] = weight * share));
      at += batch.rows.length;
    }
    return { rows, rowFactors, columns: this.#candidates, columnFactors: this.#scale };
  }

  /** The rows tried last, of skeletons and of redundant candidates. */
  tried(): readonly [SampledBlock, SampledBlock] {
    const { rows, weights } = this.#tried.at(-1)!;
    const of = (numbers: Int32Array): SampledBlock => ({
      rows,
      rowFactors: weights,
      columns: numbers.map((j) => this.#candidates[j]),
      columnFactors: Float64Array.from(numbers, (j) => this.#scale[j]),
    });
    return [of(this.columns.subarray(0, this.rank)), of(this.columns.subarray(this.rank, this.cols))];
  }

  #keep(batch: OwnBatch): void {
    if (batch.rows.length === 0) return;
    this.#batches.push(batch);
    this.rows += batch.rows.length;
  }
}
