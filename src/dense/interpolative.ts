/**
 * Interpolative decomposition by column-pivoted QR, all of its work in level-3 BLAS.
 *
 *   A ≈ A(:, S)·[I T]   up to the order of columns, |S| = k: skeleton columns S, interpolation T (k × r, r = n − k).
 *
 * The pivots of QR with column pivoting are those of Cholesky with diagonal pivoting on the Gram matrix AᵀA (N. Higham,
 * *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 10.3), where the remaining diagonal holds the
 * squared norms of the residual columns. The Gram matrix costs one syrk and forgets what lies below √eps; so a pass
 * goes down to the error asked for where the Gram matrix still holds it, and stops at PASS_DEPTH below where it began
 * where not: then the residual A − A(:, S)·T is formed exactly, and the next pass goes on with it. ID: H. Cheng,
 * Z. Gimbutas, P.-G. Martinsson, V. Rokhlin, SIAM J. Sci. Comput. 26(4), 2005.
 */
import type { Blas } from './blas.js';
import { view, type Matrix } from './matrix.js';

/**
 * A pass ends when the largest squared residual column has fallen by this factor: the Gram matrix still holds four
 * digits of it.
 */
const PASS_DEPTH = 1e-11;
/**
 * Unless the error asked for lies above this share of the whole, squared: then one pass goes down to it, where the Gram
 * matrix still tells the remaining error to some tenths, and T, which errs by ε‖A‖²/σ_k, is as good.
 */
const LAST_DEPTH = 1e-14;
/** A residual column this share of the largest, squared, is lost in rounding. */
const LOST = 1e-15;
/** A later pass starts from a residual whose part in the span of the skeleton is below this share of ‖A‖_F. */
const SPAN_ERROR = 1e-8;
/** Residuals below this share of ‖A‖_F are rounding errors. */
const ROUNDING = 16 * Number.EPSILON;
/** Columns eliminated between two updates of the Gram matrix. */
export const PANEL = 48;

/** A matrix known by its Gram matrix, which is formed only where a second pass needs it. */
export interface GramMatrix {
  readonly rows: number;
  readonly cols: number;
  /** The lower triangle of `out` ← AᵀA. */
  gram(out: Matrix): void;
  /** A, in memory that may be overwritten. */
  form(): Matrix;
}

/** Where an interpolative decomposition stops: at an error, or at a rank. */
export interface InterpolationLimits {
  /** Stop when ‖A − A(:, S)·[I T]‖_F ≤ threshold (absolute). */
  readonly threshold: number;
  /** Most skeleton columns. */
  readonly maxRank: number;
}

/**
 * Where a decomposition of at most `cols` columns and rank k works: cols², cols·k, k², cols·k and cols·k numbers. In
 * shared memory its products may be done by several threads.
 */
export interface DecompositionMemory {
  readonly gram: Float64Array;
  readonly factor: Float64Array;
  readonly corner: Float64Array;
  readonly work: Float64Array;
  readonly interpolation: Float64Array;
}

const ownMemory = (cols: number, k: number): DecompositionMemory => ({
  gram: new Float64Array(cols * cols),
  factor: new Float64Array(cols * k),
  corner: new Float64Array(k * k),
  work: new Float64Array(cols * k),
  interpolation: new Float64Array(cols * k),
});

/** Workspace and result of decompositions of matrices of at most `cols` columns; reused from call to call. */
export class InterpolativeDecomposition {
  /** Skeleton columns, in pivot order: entries 0 … rank − 1. Then the redundant columns, ascending. */
  readonly columns: Int32Array;
  rank = 0;
  /** ‖A − A(:, S)·[I T]‖_F, from the last pass's remaining diagonal. */
  residual = 0;
  readonly #blas: Pick<Blas, 'gemm' | 'gemv' | 'syrk' | 'trsm'>;
  readonly #gram: Float64Array;
  readonly #factor: Float64Array;
  readonly #corner: Float64Array;
  readonly #work: Float64Array;
  readonly #diagonal: Float64Array;
  readonly #column: Float64Array;
  readonly #row: Float64Array;
  readonly #chosen: Uint8Array;
  readonly #interpolation: Float64Array;
  readonly #earlier: Float64Array;
  readonly #pivots: Int32Array;
  readonly #active: Int32Array;
  #cols = 0;
  /** Squared residual to reach, and ‖A‖_F². */
  #target = 0;
  #whole = 0;

  constructor(
    blas: Pick<Blas, 'gemm' | 'gemv' | 'syrk' | 'trsm'>,
    cols: number,
    maxRank: number,
    memory: DecompositionMemory = ownMemory(cols, Math.min(cols, maxRank)),
  ) {
    const k = Math.min(cols, maxRank);
    this.#blas = blas;
    this.columns = new Int32Array(cols);
    this.#gram = memory.gram;
    this.#factor = memory.factor;
    this.#corner = memory.corner;
    this.#work = memory.work;
    this.#interpolation = memory.interpolation;
    this.#diagonal = new Float64Array(cols);
    this.#column = new Float64Array(cols);
    this.#row = new Float64Array(PANEL);
    this.#chosen = new Uint8Array(cols);
    this.#earlier = new Float64Array(k * k);
    this.#pivots = new Int32Array(cols);
    this.#active = new Int32Array(cols);
  }

  /**
   * Tᵀ as an r × k view, its rows in the order of the redundant columns, its columns in pivot order. Valid until the
   * next call.
   */
  get interpolation(): Matrix {
    return view(this.#interpolation, 0, this.#cols - this.rank, this.rank);
  }

  /** Decomposes A (m × n, overwritten). Zero columns are never chosen. */
  decompose(a: Matrix, limits: InterpolationLimits): void {
    const gram = (out: Matrix): void => this.#blas.syrk('L', 'T', 1, a, 0, out);
    this.decomposeGram({ rows: a.rows, cols: a.cols, gram, form: () => a }, limits);
  }

  /** As `decompose`, of a matrix that has its Gram matrix at hand. */
  decomposeGram(a: GramMatrix, limits: InterpolationLimits): void {
    const n = a.cols;
    const maxRank = Math.min(limits.maxRank, n, a.rows);
    this.#target = limits.threshold * limits.threshold;
    this.#cols = n;
    this.rank = 0;
    for (let j = 0; j < n; j++) this.columns[j] = j;
    a.gram(view(this.#gram, 0, n, n));
    let active: Matrix | undefined;
    for (let left = n; ;) {
      const found = this.#pass(left, maxRank - this.rank);
      if (found === 0) return;
      // A pass that stopped of its own accord may have reached the target or only the depth of its Gram matrix.
      const more = this.rank + found < maxRank && n - this.rank > found && this.residual * this.residual > this.#target;
      this.#interpolate(left, found);
      if (more) active = this.#formResidual(active ?? a.form(), found);
      this.#compose(left, found);
      this.rank += found;
      if (!more) return;
      left -= found;
      this.#blas.syrk('L', 'T', 1, active!, 0, view(this.#gram, 0, left, left));
    }
  }

  /**
   * Diagonal-pivoted Cholesky of EᵀE (n × n, in #gram); fills #factor (n × found, rows in E's column order), #pivots
   * and #chosen; returns how many pivots.
   */
  #pass(n: number, limit: number): number {
    const blas = this.#blas;
    const gram = this.#gram;
    const factor = this.#factor;
    const diagonal = this.#diagonal;
    const column = this.#column;
    const row = this.#row;
    const chosen = this.#chosen;
    const pivots = this.#pivots;
    let total = 0;
    let largest = 0;
    let pivot = -1;
    for (let j = 0; j < n; j++) {
      const d = gram[j + j * n];
      diagonal[j] = d;
      chosen[j] = 0;
      total += d;
      if (d > largest) {
        largest = d;
        pivot = j;
      }
    }
    // Below a few units of rounding of A there is only noise to pick from.
    if (this.rank === 0) {
      this.#target = Math.max(this.#target, ROUNDING * ROUNDING * total);
      this.#whole = total;
    }
    const target = this.#target;
    const floor = (target >= LAST_DEPTH * total ? LOST : PASS_DEPTH) * largest;
    let k = 0;
    let panel = 0;
    const c = view(column, 0, n, 1);
    while (k < limit && pivot >= 0 && total > target && largest > floor) {
      // The pivot's column of the Gram matrix (lower triangle only), less what this panel has eliminated.
      for (let i = 0, p = pivot; i < pivot; i++, p += n) column[i] = gram[p];
      for (let i = pivot, p = pivot + pivot * n; i < n; i++, p++) column[i] = gram[p];
      const width = k - panel;
      if (width > 0) {
        for (let q = 0, p = pivot + panel * n; q < width; q++, p += n) row[q] = factor[p];
        blas.gemv('N', -1, view(factor, panel * n, n, width), view(row, 0, width, 1), 1, c);
      }
      pivots[k] = pivot;
      chosen[pivot] = 1;
      const root = Math.sqrt(largest);
      const scale = 1 / root;
      total = 0;
      let next = -1;
      let nextLargest = 0;
      for (let i = 0, p = k * n; i < n; i++, p++) {
        if (chosen[i] !== 0) {
          factor[p] = i === pivot ? root : 0;
          continue;
        }
        const l = column[i] * scale;
        factor[p] = l;
        const d = diagonal[i] - l * l;
        diagonal[i] = d;
        if (d > 0) {
          total += d;
          if (d > nextLargest) {
            nextLargest = d;
            next = i;
          }
        }
      }
      k++;
      pivot = next;
      largest = nextLargest;
      if (k - panel === PANEL && k < limit) {
        blas.syrk('L', 'N', -1, view(factor, panel * n, n, PANEL), 1, view(gram, 0, n, n));
        panel = k;
      }
    }
    this.residual = Math.sqrt(Math.max(0, total));
    return k;
  }

  /** #work ← Y = T₂ᵀ = L_R·L_S⁻¹ of a pass, #corner ← L_S. */
  #interpolate(n: number, found: number): void {
    const rest = n - found;
    const factor = this.#factor;
    const pivots = this.#pivots;
    const active = this.#active;
    for (let i = 0, r = 0; i < n; i++) if (this.#chosen[i] === 0) active[r++] = i;
    const y = view(this.#work, 0, rest, found);
    const corner = view(this.#corner, 0, found, found);
    for (let q = 0, to = 0, at = 0; q < found; q++) {
      const column = q * n;
      for (let i = 0; i < found; i++) this.#corner[to++] = factor[column + pivots[i]];
      for (let i = 0; i < rest; i++) this.#work[at++] = factor[column + active[i]];
    }
    this.#blas.trsm('R', 'L', 'N', 'N', 1, corner, y);
  }

  /**
   * E_R ← E_R − E_S·T₂, compacted to the leading columns of E. T₂ comes from a Gram matrix, so part of that residual
   * lies in the span of E_S and no new column is needed for it: where that is not far below the target, one step of
   * refinement, ΔT₂ᵀ = (E_Rᵀ·E_S)·(L_S·L_Sᵀ)⁻¹, takes it out.
   */
  #formResidual(e: Matrix, found: number): Matrix {
    const blas = this.#blas;
    const rest = e.cols - found;
    const data = e.data as Float64Array;
    const skeleton = view(new Float64Array(e.rows * found), 0, e.rows, found);
    for (let q = 0; q < found; q++) {
      const from = e.offset + this.#pivots[q] * e.ld;
      (skeleton.data as Float64Array).set(data.subarray(from, from + e.rows), q * e.rows);
    }
    for (let i = 0, p = 0; i < e.cols; i++) {
      if (this.#chosen[i] !== 0) continue;
      const from = e.offset + i * e.ld;
      data.copyWithin(e.offset + p++ * e.ld, from, from + e.rows);
    }
    const residual = view(data, e.offset, e.rows, rest, e.ld);
    const y = view(this.#work, 0, rest, found);
    blas.gemm('N', 'T', -1, skeleton, y, 1, residual);
    if (this.#target >= SPAN_ERROR * SPAN_ERROR * this.#whole) return residual;
    const correction = view(new Float64Array(rest * found), 0, rest, found);
    blas.gemm('T', 'N', 1, residual, skeleton, 0, correction);
    const corner = view(this.#corner, 0, found, found);
    blas.trsm('R', 'L', 'T', 'N', 1, corner, correction);
    blas.trsm('R', 'L', 'N', 'N', 1, corner, correction);
    blas.gemm('N', 'T', -1, skeleton, correction, 1, residual);
    for (let i = 0; i < rest * found; i++) this.#work[i] += correction.data[i];
    return residual;
  }

  /**
   * Adds a pass's pivots to the skeleton: with X = Tᵀ before (rows S₂ and the rest R) and Y = T₂ᵀ of this pass, the new
   * Tᵀ is [X_R − Y·X_S₂, Y].
   */
  #compose(n: number, found: number): void {
    const before = this.rank;
    const rest = n - found;
    const { columns } = this;
    const chosen = this.#chosen;
    const pivots = this.#pivots;
    const y = view(this.#work, 0, rest, found);
    // Rows of the earlier interpolation: compact the rest in place, keep those of the new skeleton aside.
    const x = this.#interpolation;
    const xs = this.#earlier;
    for (let q = 0; q < before; q++) {
      const from = q * n;
      for (let i = 0; i < found; i++) xs[i + q * found] = x[from + pivots[i]];
      for (let i = 0, p = q * rest; i < n; i++) if (chosen[i] === 0) x[p++] = x[from + i];
    }
    if (before > 0 && rest > 0)
      this.#blas.gemm('N', 'N', -1, y, view(xs, 0, found, before), 1, view(x, 0, rest, before));
    x.set(this.#work.subarray(0, rest * found), rest * before);
    // The order of columns: earlier skeleton, this pass's pivots, the rest ascending.
    const active = this.#active;
    active.set(columns.subarray(before, before + n));
    for (let i = 0; i < found; i++) columns[before + i] = active[pivots[i]];
    for (let i = 0, p = before + found; i < n; i++) if (chosen[i] === 0) columns[p++] = active[i];
  }
}
