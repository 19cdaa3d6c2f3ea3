/**
 * The interpolation of a node that this thread finds, from entries that it evaluates: what is asked is answered at
 * once. Large nodes are worked on by several workers (split-sample.ts).
 */
import type { Blas } from '../../dense/blas.js';
import { InterpolativeDecomposition, type InterpolationLimits } from '../../dense/interpolative.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import { ScaledInterpolation } from './definite-interpolation.js';
import type { NodeInterpolation } from './node-interpolation.js';
import { NodeSample } from './node-sample.js';
import type { Batch } from './row-sampler.js';
import type { SkeletonState } from './skeleton-state.js';
import type { SplitSample } from './split-sample.js';

/** Rows that were evaluated, and are part of the sample once they are kept. */
interface Tried {
  readonly batch: Batch;
  readonly a: Matrix;
  readonly certain: boolean;
}

/** Holds scratch: one per thread. */
export class OwnInterpolation implements NodeInterpolation {
  readonly #sample: NodeSample;
  readonly #products: Pick<Blas, 'gemm' | 'gemv' | 'syrk' | 'trsm'>;
  readonly #decomposition: InterpolativeDecomposition;
  readonly #scaled: ScaledInterpolation | undefined;
  readonly #ordered: Int32Array;
  #candidates: Int32Array = new Int32Array(0);
  #scale: Float64Array = new Float64Array(0);
  #tried: Tried[] = [];
  #check: Float64Array = new Float64Array(0);
  #rowErrors = new Float64Array(0);
  #refitted = 0;

  /** Room for nodes of at most `columns` candidates. */
  constructor(
    { maxRank, preserve }: Pick<SkeletonState, 'maxRank' | 'preserve'>,
    columns: number,
    source: EntrySource,
    blas: Blas,
    split: SplitSample | undefined,
  ) {
    this.#sample = new NodeSample(source, blas, split);
    this.#products = split?.products ?? blas;
    this.#decomposition = new InterpolativeDecomposition(this.#products, columns, maxRank, split?.decomposition);
    this.#scaled =
      preserve === undefined ? undefined : new ScaledInterpolation(source, columns, maxRank, preserve, blas);
    this.#ordered = new Int32Array(columns);
  }

  get rows(): number {
    return this.#sample.rows;
  }

  get cols(): number {
    return this.#sample.cols;
  }

  get rank(): number {
    return this.#decomposition.rank;
  }

  get residual(): number {
    return this.#decomposition.residual;
  }

  get columns(): Int32Array {
    return this.#decomposition.columns;
  }

  get rowErrors(): Float64Array {
    return this.#rowErrors;
  }

  get interpolation(): Float64Array {
    return this.#decomposition.interpolation.data as Float64Array;
  }

  get refitted(): number {
    return this.#refitted;
  }

  begin(columns: Int32Array, scale: Float64Array): void {
    this.#candidates = columns;
    this.#scale = scale;
    this.#sample.begin(columns, scale);
    this.#tried.length = 0;
  }

  add(batch: Batch, certain: boolean): void {
    this.#sample.keep(batch, this.#sample.evaluate(batch), certain);
  }

  countOnce(): void {
    this.#sample.countOnce();
  }

  decompose(limits: InterpolationLimits): void {
    this.#decomposition.decomposeGram(this.#sample, limits);
  }

  columnSquare(j: number): number {
    return this.#sample.columnSquare(j);
  }

  tryRows(batch: Batch, certain: boolean): void {
    const a = this.#sample.evaluate(batch);
    this.#tried.push({ batch, a, certain });
    this.#findErrors(a);
  }

  keepTried(): void {
    for (const { batch, a, certain } of this.#tried) this.#sample.keep(batch, a, certain);
    this.#tried.length = 0;
  }

  /** Where positive definiteness is preserved, T becomes that of the node's own block (definite-interpolation.ts). */
  finish(): void {
    this.#refitted = this.#scaled !== undefined && this.#refit(this.#scaled) ? this.#sampleError() : 0;
  }

  /** `rowErrors` ← those of weighted rows A: of (A(:, C) − A(:, S)·[I T])·D. */
  #findErrors(a: Matrix): void {
    const { rank: k, columns: order, interpolation } = this.#decomposition;
    const { rows: m, cols: n } = a;
    const own = (): Float64Array =>
      this.#check.length >= m * n ? this.#check : (this.#check = new Float64Array(m * n));
    const check = this.#sample.scratch(m * n, own, a);
    // Columns in the decomposition's order: skeletons, then the redundant ones.
    for (let j = 0, q = 0; j < n; j++) {
      const column = order[j];
      const scale = this.#scale[column];
      for (let p = a.offset + column * m; p < a.offset + (column + 1) * m; p++, q++) check[q] = a.data[p] * scale;
    }
    const rest = view(check, k * m, m, n - k);
    if (k > 0) this.#products.gemm('N', 'T', -1, view(check, 0, m, k), interpolation, 1, rest);
    if (this.#rowErrors.length < m) this.#rowErrors = new Float64Array(2 * m);
    for (let i = 0; i < m; i++) {
      let row = 0;
      for (let p = k * m + i; p < n * m; p += m) row += check[p] * check[p];
      this.#rowErrors[i] = row;
    }
  }

  /** ‖(W·K(R, C) − W·K(R, S)·[I T])·D‖_F² of the whole sample. */
  #sampleError(): number {
    // Its entries carry D already.
    const a = this.#sample.form();
    for (let j = 0; j < a.cols; j++)
      for (let i = 0, p = a.offset + j * a.rows; i < a.rows; i++, p++) a.data[p] /= this.#scale[j];
    this.#findErrors(a);
    let sum = 0;
    for (let i = 0; i < a.rows; i++) sum += this.#rowErrors[i];
    return sum;
  }

  /**
   * The decomposition's T, which is scaled by D, replaced by that of the node's own block; false where there is nothing
   * to interpolate.
   */
  #refit(scaled: ScaledInterpolation): boolean {
    const { rank: k, columns: order, interpolation: t } = this.#decomposition;
    const columns = this.cols;
    const redundant = columns - k;
    if (k === 0 || redundant === 0) return false;
    for (let j = 0; j < columns; j++) this.#ordered[j] = this.#candidates[order[j]];
    const own = scaled.solve(this.#ordered.subarray(0, k), this.#ordered.subarray(k, columns));
    const d = this.#scale;
    for (let j = 0; j < k; j++) {
      for (let i = 0; i < redundant; i++)
        t.data[t.offset + i + j * t.ld] = (own.data[i + j * redundant] * d[order[k + i]]) / d[order[j]];
    }
    return true;
  }
}
