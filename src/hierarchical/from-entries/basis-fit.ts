/**
 * HODLR's bases: the interpolation of all indices of an inner node from its skeleton, by least squares.
 *
 *   T = argmin ‖W·(K(R, ν) − K(R, S)·T)‖_F,   T(:, S) = I,
 *
 * over rows R and weights W drawn anew as for skeletons (row-sampler.ts), 4·rank + 64 of them: only where the bases
 * below missed their share of the tolerance, so that this fit is nearer than what is composed of them
 * (compose-basis.ts). Solved by QR; where the columns, each scaled to 1, are dependent to rounding, as those that the
 * rows of a sparse matrix do not see, by the pseudoinverse instead (G. Golub, C. Van Loan, *Matrix Computations*, 4th
 * ed., section 5.5), which leaves out what the rows do not determine.
 */
import { NonFiniteError } from '../../core/errors.js';
import { levelOf } from '../../core/indices.js';
import { RandomStream } from '../../core/random.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { BlockOffsets, Skeletons } from '../matrix/data.js';
import { requireFiniteValues } from '../matrix/finite-values.js';
import { RowSampler, type RowSamplerState } from './row-sampler.js';
import { LIMITED_NEIGHBOR_SHARE } from './skeletonize.js';

/** What fitting a basis reads: the row sampler's state and the layout. */
export interface BasisFitState extends Omit<RowSamplerState, 'tree' | 'loners'> {
  /** The tree in apply order, and as it stood when rows were sampled. */
  readonly tree: ClusterTree;
  readonly sampledTree: ClusterTree;
  readonly skeletons: Skeletons;
  readonly offsets: BlockOffsets;
  readonly values: FloatArray;
  readonly maxRank: number;
  readonly leafSize: number;
  readonly seed: number;
}

/** Rows for each skeleton, and some more. */
const ROWS_PER_RANK = 4;
const EXTRA_ROWS = 64;
const STREAM = 0xf17;
/** A fit takes neighbors and drawn rows only. */
const NO_LONERS = new Int32Array(0);

/** Indices that one task fits. */
export const FIT_PANEL = 1024;

/** Fits the bases of one node after another, a panel at a time. */
export class BasisFit {
  readonly #state: BasisFitState;
  readonly #source: EntrySource;
  readonly #blas: Blas;
  readonly #sampler: RowSampler;
  readonly #tau: Float64Array;
  readonly #inverse: Float64Array;
  readonly #solution: Float64Array;
  #factor: Float64Array = new Float64Array(0);
  #panel: Float64Array = new Float64Array(0);
  #node = -1;
  /** Where #inverse holds the pseudoinverse of R. */
  #dependent = false;
  /** The number of each skeleton index of the node. */
  #numberOf = new Map<number, number>();

  constructor(state: BasisFitState, source: EntrySource, blas: Blas) {
    const { maxRank } = state;
    this.#state = state;
    this.#source = source;
    this.#blas = blas;
    this.#sampler = new RowSampler({ ...state, tree: state.sampledTree, loners: NO_LONERS });
    this.#tau = new Float64Array(maxRank);
    this.#inverse = new Float64Array(maxRank * maxRank);
    this.#solution = new Float64Array(maxRank * FIT_PANEL);
  }

  /** Writes the rows of ν's basis from position `position` of the tree on, FIT_PANEL at most. Throws NonFiniteError. */
  run(ν: number, position: number): void {
    const { tree } = this.#state;
    if (this.#node !== ν) this.#factorize(ν);
    this.#fit(ν, position, Math.min(FIT_PANEL, tree.end[ν] - position));
  }

  #fit(ν: number, position: number, count: number): void {
    const { tree, skeletons, offsets, values } = this.#state;
    const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
    const rows = this.#sampler.count;
    const factor = view(this.#factor, 0, rows, k);
    const panel = view(this.#panel, 0, rows, count);
    const members = tree.order.subarray(position, position + count);
    this.#weighted(members, panel);
    this.#blas.ormqr('L', 'T', factor, this.#tau.subarray(0, k), panel);
    let t = block(panel, 0, 0, k, count);
    if (this.#dependent) {
      const solution = view(this.#solution, 0, k, count);
      this.#blas.gemm('N', 'N', 1, view(this.#inverse, 0, k, k), t, 0, solution);
      t = solution;
    } else {
      this.#blas.trsm('L', 'U', 'N', 'N', 1, block(factor, 0, 0, k, k), t);
    }
    const n = tree.end[ν] - tree.begin[ν];
    const begin = offsets.basis[ν] + position - tree.begin[ν];
    for (let i = 0; i < count; i++) {
      const own = this.#numberOf.get(members[i]);
      const from = t.offset + i * t.ld;
      for (let j = 0; j < k; j++) values[begin + i + j * n] = own === undefined ? t.data[from + j] : own === j ? 1 : 0;
    }
    for (let j = 0; j < k; j++) {
      requireFiniteValues(
        values,
        begin + j * n,
        count,
        () => `basis of node ${ν} (level ${levelOf(ν)})`,
        (i) => `row of index ${members[i]}`,
      );
    }
  }

  /** QR of W·K(R, S). */
  #factorize(ν: number): void {
    const {
      seed,
      skeletons: { begin, indices },
    } = this.#state;
    const skeleton = indices.subarray(begin[ν], begin[ν + 1]);
    const k = skeleton.length;
    const sampler = this.#sampler;
    sampler.open(ν);
    const wanted = ROWS_PER_RANK * k + EXTRA_ROWS;
    if (wanted >= sampler.population) sampler.takeRest();
    else {
      const neighbors = sampler.takeNeighbors(Math.floor(LIMITED_NEIGHBOR_SHARE * wanted));
      sampler.takeWitnesses();
      sampler.takeSpread(wanted - neighbors, new RandomStream(seed, STREAM, ν));
    }
    if (this.#factor.length < sampler.count * k) this.#factor = new Float64Array(sampler.count * k);
    if (this.#panel.length < sampler.count * FIT_PANEL) this.#panel = new Float64Array(sampler.count * FIT_PANEL);
    const factor = view(this.#factor, 0, sampler.count, k);
    this.#weighted(skeleton, factor);
    this.#blas.geqrf(factor, this.#tau.subarray(0, k));
    this.#invertIfDependent(ν, block(factor, 0, 0, k, k), Math.max(sampler.count, k) * Number.EPSILON);
    this.#numberOf = new Map(Array.from(skeleton, (index, j) => [index, j]));
    this.#node = ν;
  }

  /**
   * Where R with its columns scaled to 1 is singular to `rounding`: #inverse ← its pseudoinverse, the scaling undone.
   * Cost O(k³).
   */
  #invertIfDependent(ν: number, r: Matrix, rounding: number): void {
    const k = r.cols;
    const inverse = view(this.#inverse, 0, k, k);
    const scale = new Float64Array(k);
    const scaled = view(new Float64Array(k * k), 0, k, k);
    for (let j = 0; j < k; j++) {
      const from = r.offset + j * r.ld;
      let most = 0;
      for (let i = 0; i <= j; i++) most = Math.max(most, Math.abs(r.data[from + i]));
      if (most - most !== 0)
        throw new NonFiniteError(
          `The basis of node ${ν} (level ${levelOf(ν)}) cannot be fitted: the matrix has entries that are not ` +
            'finite, or whose squares overflow. Scale it, or mend the entry.',
          { node: ν },
        );
      scale[j] = most > 0 ? most : 1;
      for (let i = 0; i <= j; i++) scaled.data[i + j * k] = r.data[from + i] / scale[j];
    }
    inverse.data.fill(0, 0, k * k);
    for (let j = 0; j < k; j++) inverse.data[j + j * k] = 1;
    this.#blas.trsm('L', 'U', 'N', 'N', 1, scaled, inverse);
    // Columns of R have norms from 1 to √k: a large entry of the inverse is the reciprocal of a small singular value,
    // nearly.
    let largest = 0;
    for (let i = 0; i < k * k; i++) largest = Math.max(largest, Math.abs(inverse.data[i]));
    this.#dependent = !(largest * rounding < 1);
    if (!this.#dependent) return;
    const u = view(new Float64Array(k * k), 0, k, k);
    const vt = view(new Float64Array(k * k), 0, k, k);
    const sigma = new Float64Array(k);
    const info = this.#blas.gesdd(scaled, sigma, u, vt);
    if (info !== 0)
      throw new NonFiniteError(
        `The basis of node ${ν} (level ${levelOf(ν)}) cannot be fitted: the singular values of its skeleton's ` +
          'columns do not converge.',
        { node: ν, info },
      );
    for (let i = 0; i < k; i++) {
      const reciprocal = sigma[i] > rounding * sigma[0] ? 1 / sigma[i] : 0;
      for (let j = 0; j < k; j++) vt.data[i + j * k] *= reciprocal;
    }
    this.#blas.gemm('T', 'T', 1, vt, u, 0, inverse);
    for (let j = 0; j < k; j++) for (let i = 0; i < k; i++) inverse.data[i + j * k] /= scale[i];
  }

  #weighted(columns: Int32Array, out: Matrix): void {
    const { rows, weights, count } = this.#sampler;
    this.#source.entries(rows.subarray(0, count), columns, out);
    for (let j = 0; j < columns.length; j++)
      for (let i = 0, p = out.offset + j * out.ld; i < count; i++, p++) out.data[p] *= weights[i];
  }
}
