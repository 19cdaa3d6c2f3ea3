/**
 * Gram matrices M_i = Δ_iᵀΔ_i of the backpropagated errors of each sample at one layer, in the form that is cheapest
 * there. Δ_{L,i} = S_iᵀ D_{L,i} and Δ_{ℓ−1,i} = Δ_{ℓ,i} W_ℓ D_{ℓ−1,i} with Q_i = S_i S_iᵀ and D_{ℓ,i} = diag
 * φ′(z_{ℓ,i}), so M_i is d_ℓ × d_ℓ: the Hessian of sample i's loss with respect to z_ℓ, Gauss–Newton for what lies
 * above it (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671). What K-FAC and its corrected eigenvalues need of it is
 * here: the sum over samples, and the squares along given directions.
 */
import type { Blas } from '../../dense/blas.js';
import { mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import type { SoftmaxPart } from '../../network/losses/output-hessian.js';
import type { GramWork, Scratch } from './scratch.js';

/** M_i for the samples of a slab, d = d_ℓ. Matrices of this module are contiguous and in double precision. */
export type ErrorGrams = DiagonalGrams | DenseGrams;

/** Gram matrices of `count` samples that are all diagonal (d × d). */
export type DiagonalGrams =
  /** M_i = scale·I. */
  | { readonly form: 'uniform'; readonly scale: number }
  /** M_i = diag(roots_i²), roots d × count. */
  | { readonly form: 'diagonal'; readonly roots: Matrix };

/** Gram matrices of `count` samples that are not diagonal (d × d). */
export type DenseGrams =
  /** M_i = D_i (diag(p_i) − p_i p_iᵀ) D_i at the last layer. */
  | { readonly form: 'softmax'; readonly roots: Matrix; readonly softmax: SoftmaxPart }
  /** M_i = D_i F Fᵀ D_i with one F for all samples: factor d × c, gram FFᵀ, slopes d × count (null: D_i = I). */
  | { readonly form: 'shared'; readonly factor: Matrix; readonly gram: Matrix; readonly slopes: Matrix | null }
  /** M_i = X_i X_iᵀ, X_i the columns i·each … (i + 1)·each − 1. */
  | { readonly form: 'columns'; readonly columns: Matrix; readonly each: number }
  /** M_i itself, the columns i·d … (i + 1)·d − 1. */
  | { readonly form: 'grams'; readonly grams: Matrix };

/** diagonal ← diagonal + Σ_i diag M_i over the `count` samples of the slab. */
export function addDiagonalGrams(grams: DiagonalGrams, count: number, diagonal: Float64Array): void {
  if (grams.form === 'uniform') for (let k = 0; k < diagonal.length; k++) diagonal[k] += count * grams.scale;
  else addSquares(grams.roots, diagonal, 0);
}

/** The lower triangle of out (d × d, contiguous) ← itself + Σ_i M_i. */
export function addGrams(grams: DenseGrams, count: number, out: Matrix, work: GramWork): void {
  const { blas, scratch } = work;
  const sum = out.data as Float64Array;
  const d = out.rows;
  switch (grams.form) {
    case 'softmax':
      addSoftmax(grams.softmax, grams.roots, out, work);
      return;
    case 'shared': {
      const { gram, slopes } = grams;
      if (slopes === null) {
        for (let i = 0; i < d * d; i++) sum[i] += count * gram.data[i];
        return;
      }
      // Σ_i D_i (FFᵀ) D_i = FFᵀ ∘ Σ_i φ′_i φ′_iᵀ.
      const products = scratch.matrix('sum', d, d);
      blas.syrk('L', 'N', 1, slopes, 0, products);
      for (let j = 0; j < d; j++)
        for (let i = j * (d + 1); i < (j + 1) * d; i++) sum[i] += gram.data[i] * products.data[i];
      return;
    }
    case 'columns':
      blas.syrk('L', 'N', 1, grams.columns, 1, out);
      return;
    case 'grams': {
      const m = grams.grams.data;
      for (let i = 0, p = grams.grams.offset; i < count; i++) for (let k = 0; k < d * d; k++) sum[k] += m[p++];
    }
  }
}

/** Off the diagonal −Σ u uᵀ; on it p(1 − p)φ′², whose difference form would cancel for confident models. */
function addSoftmax(
  { complements, outer }: SoftmaxPart,
  roots: Matrix,
  out: Matrix,
  { blas, scratch }: GramWork,
): void {
  const r = out.rows;
  const products = scratch.matrix('sum', r, r);
  blas.syrk('L', 'N', 1, outer, 0, products);
  const sum = out.data;
  for (let j = 0; j < r; j++) for (let i = j * (r + 1) + 1; i < (j + 1) * r; i++) sum[i] -= products.data[i];
  for (let i = 0, p = 0; i < roots.cols; i++)
    for (let k = 0; k < r; k++, p++) sum[k * (r + 1)] += roots.data[p] ** 2 * complements.data[p];
}

/** out[at + k] += Σ_j x_kj². */
function addSquares({ data, rows, cols, offset }: Matrix, out: Float64Array, at: number): void {
  for (let j = 0, p = offset; j < cols; j++) for (let k = 0; k < rows; k++, p++) out[at + k] += data[p] * data[p];
}

/**
 * squares (d × count, contiguous) ← diag M_i: `projectSquares` along the unit vectors, the eigenvectors of these forms.
 */
export function diagonalSquares(grams: DiagonalGrams, squares: Matrix): void {
  const { data, offset } = squares;
  const length = squares.rows * squares.cols;
  if (grams.form === 'uniform') data.fill(grams.scale, offset, offset + length);
  else for (let i = 0, from = grams.roots.offset; i < length; i++) data[offset + i] = grams.roots.data[from + i] ** 2;
}

/**
 * squares (d × count, contiguous) ← diag(Uᵀ M_i U) for each sample i: the squares of its errors along the columns of
 * the orthogonal U = basis.
 */
export function projectSquares(grams: DenseGrams, basis: Matrix, squares: Matrix, work: GramWork): void {
  switch (grams.form) {
    case 'softmax':
      projectSoftmax(grams.softmax, grams.roots, basis, squares, work);
      return;
    case 'shared':
      projectShared(grams.factor, grams.slopes, basis, squares, work);
      return;
    case 'columns':
      projectColumns(grams.columns, grams.each, basis, squares, work);
      return;
    case 'grams':
      projectGrams(grams.grams, basis, squares, work);
  }
}

/**
 * (Uᵀ M_i U)_qq = Σ_k p_k (x_k − x̄)² with x = φ′∘U(:, q) and x̄ = Σ p_k x_k: a variance, which does not cancel in this
 * form. r²·count steps.
 */
function projectSoftmax(
  { roots, outer }: SoftmaxPart,
  slopedRoots: Matrix,
  basis: Matrix,
  squares: Matrix,
  { blas, scratch }: GramWork,
): void {
  const { rows: r, cols: count } = squares;
  const means = scratch.matrix('projected', r, count);
  blas.gemm('T', 'N', 1, basis, outer, 0, means);
  const root = roots.data;
  const sloped = slopedRoots.data;
  const u = basis.data;
  for (let i = 0, at = 0; i < count; i++, at += r) {
    for (let q = 0; q < r; q++) {
      const column = basis.offset + q * r;
      const mean = means.data[at + q];
      let sum = 0;
      for (let k = 0; k < r; k++) {
        // √p_k (φ′_k U_kq − x̄).
        const deviation = sloped[at + k] * u[column + k] - root[at + k] * mean;
        sum += deviation * deviation;
      }
      squares.data[squares.offset + at + q] = sum;
    }
  }
}

function projectShared(factor: Matrix, slopes: Matrix | null, basis: Matrix, squares: Matrix, work: GramWork): void {
  const { scratch } = work;
  const { rows: d, cols: count } = squares;
  if (slopes === null) {
    projectColumns(factor, factor.cols, basis, columnsOf(squares, 0, 1), work);
    for (let i = 1; i < count; i++) squares.data.copyWithin(squares.offset + i * d, squares.offset, squares.offset + d);
    return;
  }
  // A few samples at a time, so that their columns stay in cache.
  const few = Math.max(1, Math.floor(2 ** 17 / (d * factor.cols)));
  for (let first = 0; first < count; first += few) {
    const some = Math.min(few, count - first);
    projectColumns(
      expandShared(factor, columnsOf(slopes, first, some), scratch),
      factor.cols,
      basis,
      columnsOf(squares, first, some),
      work,
    );
  }
}

function projectColumns(
  columns: Matrix,
  each: number,
  basis: Matrix,
  squares: Matrix,
  { blas, scratch }: GramWork,
): void {
  const { rows: d, cols: count } = squares;
  const projected = scratch.matrix('projected', d, columns.cols);
  blas.gemm('T', 'N', 1, basis, columns, 0, projected);
  const w = squares.data as Float64Array;
  w.fill(0, squares.offset, squares.offset + d * count);
  for (let i = 0; i < count; i++) addSquares(columnsOf(projected, i * each, each), w, squares.offset + i * d);
}

function projectGrams(grams: Matrix, basis: Matrix, squares: Matrix, { blas, scratch }: GramWork): void {
  const { rows: d, cols: count } = squares;
  const w = squares.data;
  const u = basis.data;
  const product = scratch.matrix('projected', d, d);
  for (let i = 0; i < count; i++) {
    blas.gemm('N', 'N', 1, columnsOf(grams, i * d, d), basis, 0, product);
    for (let p = 0; p < d; p++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += product.data[p * d + k] * u[basis.offset + p * d + k];
      // Rounding must not take a square below zero.
      w[squares.offset + i * d + p] = Math.max(0, sum);
    }
  }
}

/** The columns D_i F of all samples of the slab. */
export function expandShared(factor: Matrix, slopes: Matrix, scratch: Scratch): Matrix {
  const { rows: d, cols: each } = factor;
  const columns = scratch.matrix('expanded', d, slopes.cols * each);
  const x = columns.data;
  for (let i = 0, p = 0; i < slopes.cols; i++) {
    const slope = slopes.offset + i * d;
    for (let k = 0; k < each; k++) {
      const from = factor.offset + k * factor.ld;
      for (let a = 0; a < d; a++) x[p++] = slopes.data[slope + a] * factor.data[from + a];
    }
  }
  return columns;
}

/** M_i = X_i X_iᵀ, both triangles, from a slab's columns. */
export function gramsOfColumns(columns: Matrix, each: number, out: Matrix, blas: Blas): void {
  const d = columns.rows;
  for (let i = 0; i < columns.cols / each; i++) {
    const m = columnsOf(out, i * d, d);
    blas.syrk('L', 'N', 1, columnsOf(columns, i * each, each), 0, m);
    mirrorLower(m);
  }
}

/** A contiguous view of `count` of the columns of a contiguous matrix. */
export const columnsOf = (a: Matrix, first: number, count: number): Matrix =>
  view(a.data, a.offset + first * a.rows, a.rows, count);
