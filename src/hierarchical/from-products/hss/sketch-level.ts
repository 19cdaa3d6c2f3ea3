/**
 * The two steps of black-box HSS compression at a node: its basis from the sketch, and the sketch of its parent.
 *
 * For a node with q rows, test matrix Ω (q × s) and sketch Y = A_ℓ(node, :)·Ω_all (q × s), both kept transposed:
 *   Ωᵀ = Q·R;  Z = the last s − q columns of Q, so Ω·Z = 0: *block nullification* leaves Y·Z = (what lies outside the
 *   diagonal block)·(a random matrix); U = the leading left singular vectors of Y·Z;  F = Y·Ω⁺ = (Qᵀ·Yᵀ)ᵀ R⁻ᵀ;
 *   D = (I − P)·F·(I − P) + E·Uᵀ + U·Eᵀ,  E = (I − P)·F·U,  P = U·Uᵀ,  the first term symmetrised (an average, as A is
 *   symmetric); upwards: Uᵀ·Ω and Uᵀ·(Y − D·Ω) = Uᵀ·Y − Eᵀ·Ω.
 * J. Levitt, P.-G. Martinsson, arXiv 2205.02990, section 4, for A = Aᵀ; there s is fixed, here the rank of each node
 * follows from the tolerance between the two steps.
 */
import { FactorizationError } from '../../../core/errors.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, squaredNorm, view, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import type { ClusterTree } from '../../../tree/cluster-tree.js';
import { mostRows, type GeneratorLevel } from './generators.js';
import { drawTestVector, type TestVectors } from '../test-vectors.js';

/** What the two steps of one level read and write. */
export interface SketchLevelState {
  readonly tree: ClusterTree;
  readonly level: GeneratorLevel;
  /** The first node that tasks are for: ranks share a level's nodes. */
  readonly firstNode: number;
  /** Columns of the test matrix, s. */
  readonly columns: number;
  readonly seed: number;
  readonly vectors: TestVectors;
  /** Leaves: Y, N × s in tree order; Ω is drawn again. */
  readonly leafSketch: Float64Array | null;
  /** Inner nodes: Ωᵀ and Yᵀ, s × (rows of the level). */
  readonly omega: Float64Array;
  readonly y: Float64Array;
  /** Results of the first step: singular values of Y·Z, rowBegin[i] + j, and ‖Y‖_F². */
  readonly sigma: Float64Array;
  readonly sketchNorm: Float64Array;
  /** Second step: where the sketches of the level above go, s × (sum of ranks), node i from column upBegin[i] on. */
  readonly upBegin: Int32Array;
  readonly upOmega: Float64Array;
  readonly upY: Float64Array;
}

/**
 * The sketch of a node, transposed: a leaf's is drawn and gathered, an inner node's is where the level below left
 * them.
 */
class NodeSketch {
  omega: Matrix;
  y: Matrix;
  readonly #state: SketchLevelState;
  readonly #omega: Float64Array;
  readonly #y: Float64Array;

  constructor(state: SketchLevelState) {
    this.#state = state;
    const length = state.leafSketch === null ? 0 : state.columns * mostRows(state.level.rowBegin);
    this.#omega = new Float64Array(length);
    this.#y = new Float64Array(length);
    this.omega = this.y = view(this.#omega, 0, 0, 0);
  }

  load(i: number): void {
    const { tree, level, columns, leafSketch, omega, y } = this.#state;
    const rows = level.rowBegin[i + 1] - level.rowBegin[i];
    if (leafSketch === null) {
      const at = columns * level.rowBegin[i];
      this.omega = view(omega, at, columns, rows);
      this.y = view(y, at, columns, rows);
      return;
    }
    const ν = level.first + i;
    const begin = tree.begin[ν];
    for (let c = 0; c < columns; c++) {
      drawTestVector(this.#state, { node: ν, begin }, c, view(this.#omega, c, 1, rows, columns));
      for (let r = 0, from = begin + c * tree.size, to = c; r < rows; r++, to += columns)
        this.#y[to] = leafSketch[from + r];
    }
    this.omega = view(this.#omega, 0, columns, rows);
    this.y = view(this.#y, 0, columns, rows);
  }
}

class BasisFinder {
  readonly #state: SketchLevelState;
  readonly #blas: Blas;
  readonly #sketch: NodeSketch;
  readonly #omega: Float64Array;
  readonly #y: Float64Array;
  readonly #tau: Float64Array;
  readonly #square: Float64Array;
  readonly #left: Float64Array;
  readonly #right: Float64Array;

  constructor(state: SketchLevelState, blas: Blas) {
    const rows = mostRows(state.level.rowBegin);
    this.#state = state;
    this.#blas = blas;
    this.#sketch = new NodeSketch(state);
    this.#omega = new Float64Array(state.columns * rows);
    this.#y = new Float64Array(state.columns * rows);
    this.#tau = new Float64Array(rows);
    this.#square = new Float64Array(rows * rows);
    this.#left = new Float64Array(rows * rows);
    this.#right = new Float64Array(rows * rows);
  }

  run(i: number): void {
    const { level, columns, sketchNorm } = this.#state;
    const q = level.rowBegin[i + 1] - level.rowBegin[i];
    if (q === 0) return;
    const blas = this.#blas;
    this.#sketch.load(i);
    const omega = view(this.#omega, 0, columns, q);
    const y = view(this.#y, 0, columns, q);
    copyInto(omega, this.#sketch.omega);
    copyInto(y, this.#sketch.y);
    sketchNorm[i] = squaredNorm(y);
    const tau = this.#tau.subarray(0, q);
    blas.geqrf(omega, tau);
    blas.ormqr('L', 'T', omega, tau, y);
    if (level.first > 0) this.#findBasis(i, block(y, q, 0, columns - q, q));
    const f = block(y, 0, 0, q, q);
    blas.trsm('L', 'U', 'N', 'N', 1, block(omega, 0, 0, q, q), f);
    copyInto(view(level.blocks, level.blockBegin[i], q, q), f);
  }

  /** Singular values, and as many left singular vectors of Y·Z as there is room for; its transpose is overwritten. */
  #findBasis(i: number, outside: Matrix): void {
    const { level, sigma } = this.#state;
    const q = outside.cols;
    let a = outside;
    if (outside.rows > q) {
      const tau = this.#tau.subarray(0, q);
      this.#blas.geqrf(outside, tau);
      a = view(this.#square, 0, q, q);
      copyInto(a, block(outside, 0, 0, q, q));
      for (let j = 0; j < q; j++) this.#square.fill(0, j * q + j + 1, (j + 1) * q);
    }
    const k = a.rows;
    const found = sigma.subarray(level.rowBegin[i], level.rowBegin[i] + k);
    const right = view(this.#right, 0, k, q);
    const info = this.#blas.gesdd(a, found, view(this.#left, 0, k, k), right);
    if (info !== 0)
      throw new FactorizationError(`gesdd did not converge on the sample of node ${level.first + i} (info ${info}).`, {
        routine: 'gesdd',
        info,
        node: level.first + i,
      });
    const columns = Math.min(level.cap[i], k);
    for (let j = 0, to = level.basisBegin[i]; j < columns; j++)
      for (let r = 0; r < q; r++) level.bases[to++] = this.#right[j + r * k];
  }
}

class SketchPasser {
  readonly #state: SketchLevelState;
  readonly #blas: Blas;
  readonly #sketch: NodeSketch;
  readonly #fu: Float64Array;
  readonly #x: Float64Array;
  readonly #corner: Float64Array;
  readonly #square: Float64Array;

  constructor(state: SketchLevelState, blas: Blas) {
    const rows = mostRows(state.level.rowBegin);
    this.#state = state;
    this.#blas = blas;
    this.#sketch = new NodeSketch(state);
    this.#fu = new Float64Array(rows * rows);
    this.#x = new Float64Array(rows * rows);
    this.#corner = new Float64Array(rows * rows);
    this.#square = new Float64Array(rows * rows);
  }

  run(i: number): void {
    const { level, columns, upBegin, upOmega, upY } = this.#state;
    const q = level.rowBegin[i + 1] - level.rowBegin[i];
    if (q === 0) return;
    const r = level.ranks[i];
    const f = view(level.blocks, level.blockBegin[i], q, q);
    if (r === 0) {
      this.#settle(f, null);
      return;
    }
    const blas = this.#blas;
    const u = view(level.bases, level.basisBegin[i], q, r);
    const e = this.#splitOff(f, u);
    this.#sketch.load(i);
    const { omega, y } = this.#sketch;
    const at = columns * upBegin[i];
    blas.gemm('N', 'N', 1, omega, u, 0, view(upOmega, at, columns, r));
    const above = view(upY, at, columns, r);
    blas.gemm('N', 'N', 1, y, u, 0, above);
    blas.gemm('N', 'N', -1, omega, e, 1, above);
  }

  /**
   * D in place of Fᵀ; returns E. With G = (F + Fᵀ)·U/2 and H = UᵀG, D = (F + Fᵀ)/2 + X·Uᵀ + U·Xᵀ, X = E − G + U·H/2.
   */
  #splitOff(f: Matrix, u: Matrix): Matrix {
    const blas = this.#blas;
    const { rows: q, cols: r } = u;
    const e = view(this.#fu, 0, q, r);
    const x = view(this.#x, 0, q, r);
    const corner = view(this.#corner, 0, r, r);
    blas.gemm('T', 'N', 1, f, u, 0, e);
    blas.gemm('N', 'N', 1, f, u, 0, x);
    for (let k = 0; k < q * r; k++) this.#x[k] = -0.5 * (this.#x[k] + this.#fu[k]);
    blas.gemm('T', 'N', 1, u, e, 0, corner);
    blas.gemm('N', 'N', -1, u, corner, 1, e);
    for (let k = 0; k < q * r; k++) this.#x[k] += this.#fu[k];
    for (let j = 0; j < r; j++) {
      for (let k = 0; k <= j; k++) {
        const h = 0.25 * (this.#corner[k + j * r] + this.#corner[j + k * r]);
        this.#corner[k + j * r] = h;
        this.#corner[j + k * r] = h;
      }
    }
    blas.gemm('N', 'N', 1, u, corner, 1, x);
    const product = view(this.#square, 0, q, q);
    blas.gemm('N', 'T', 1, x, u, 0, product);
    this.#settle(f, product);
    return e;
  }

  /** F ← (F + Fᵀ)/2 + M + Mᵀ, the same bits on both sides of the diagonal. */
  #settle(f: Matrix, m: Matrix | null): void {
    const q = f.rows;
    const { data, offset } = f;
    for (let j = 0; j < q; j++) {
      for (let i = j; i < q; i++) {
        const lower = offset + i + j * q;
        const upper = offset + j + i * q;
        const mean = 0.5 * (data[lower] + data[upper]);
        const sum = m === null ? mean : mean + (m.data[i + j * q] + m.data[j + i * q]);
        data[lower] = sum;
        data[upper] = sum;
      }
    }
  }
}

/**
 * Node `firstNode` + `task` of the level: the singular values of what lies outside its diagonal block, the leading
 * basis vectors, and F.
 */
export const findBasis = defineTask<SketchLevelState>(import.meta.url, 'findBasis', (state, context) => {
  const finder = new BasisFinder(state, context.blas);
  return (task) => finder.run(state.firstNode + task);
});

/** Node `firstNode` + `task` of the level, its rank chosen: D, and its part of the sketches of the level above. */
export const passUp = defineTask<SketchLevelState>(import.meta.url, 'passUp', (state, context) => {
  const passer = new SketchPasser(state, context.blas);
  return (task) => passer.run(state.firstNode + task);
});

/** Draws the test matrix columns first … first + x.cols of leaf `task` into x, N × columns in tree order. */
export const drawLeaf = defineTask<
  { readonly tree: ClusterTree; readonly seed: number; readonly vectors: TestVectors },
  { readonly x: Matrix; readonly first: number }
>(import.meta.url, 'drawLeaf', (state) => (leaf, { x, first }) => {
  const { tree } = state;
  const ν = 2 ** tree.depth - 1 + leaf;
  const begin = tree.begin[ν];
  for (let c = 0; c < x.cols; c++)
    drawTestVector(
      state,
      { node: ν, begin },
      first + c,
      view(x.data, x.offset + begin + c * x.ld, 1, tree.end[ν] - begin),
    );
});
