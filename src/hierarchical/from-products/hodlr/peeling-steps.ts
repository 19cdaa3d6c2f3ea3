/**
 * The steps of peeling, one task per node, pair of siblings or leaf.
 * All vectors are N × width blocks in tree order. What the levels above hold is known, and subtracted from every
 * product ("peeled off"); what is left in the rows of one sibling comes from the other alone.
 */
import { FactorizationError } from '../../../core/errors.js';
import { RandomStream } from '../../../core/random.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, fill, squaredNorm, view, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { type ClusterTree, firstLeaf } from '../../../tree/cluster-tree.js';
import { drawTestVector } from '../test-vectors.js';

/**
 * A compressed level: K(α, β) ≈ U_α·diag(scales)·U_βᵀ for its pairs of siblings; U has orthonormal columns, the scales
 * descend.
 */
export interface PeeledLevel {
  readonly first: number;
  readonly count: number;
  /** Rank of node i and its sibling that is peeled off; more than is stored in the end. */
  readonly ranks: Int32Array;
  /** U of node i, (indices) × rank in tree order, from basisBegin[i]. */
  readonly basisBegin: Float64Array;
  readonly bases: Float64Array;
  /** The scales of pair j, from element j·scaleStride. */
  readonly scales: Float64Array;
  readonly scaleStride: number;
}

/** What the steps of one level read and write. */
export interface PeelingState {
  readonly tree: ClusterTree;
  readonly seed: number;
  /** Level being compressed; depth + 1 for the leaves' diagonal blocks. */
  readonly level: number;
  readonly above: readonly PeeledLevel[];
  readonly x: Matrix;
  readonly y: Matrix;
  /** diag(scales)·U_νᵀ·X of every node above, rank × width, node by node from projectedBegin[ν]·width. */
  readonly projectedBegin: Int32Array;
  readonly projected: Float64Array;
  /** ‖Y(leaf, :)‖_F² before anything was subtracted. */
  readonly rawNorm: Float64Array;
  /** Per pair: factors of W = K(β, α)·U_α (width × width each), its singular values, Householder scalars. */
  readonly left: Float64Array;
  readonly right: Float64Array;
  readonly sigma: Float64Array;
  readonly tau: Float64Array;
  /** Where the bases go once the ranks are chosen. */
  readonly target: PeeledLevel | null;
}

const SIGNS = 0x516e;
/** Columns of different levels have different random streams. */
const LEVEL_STRIDE = 2 ** 20;

const rowsOf = (a: Matrix, tree: ClusterTree, ν: number): Matrix =>
  block(a, tree.begin[ν], 0, tree.end[ν] - tree.begin[ν], a.cols);

/** The ancestor of a leaf (a node number) at a level. */
const ancestorAt = (leaf: number, depth: number, level: number): number => ((leaf + 1) >> (depth - level)) - 1;

/** Leaf `task`: random signs right of each pair, zeros left. */
export const drawRight = defineTask<PeelingState>(
  import.meta.url,
  'drawRight',
  ({ tree, seed, level, x }) =>
    (task) => {
      const ν = firstLeaf(tree) + task;
      const begin = tree.begin[ν];
      const right = (ancestorAt(ν, tree.depth, level) & 1) === 0;
      if (!right) fill(rowsOf(x, tree, ν), 0);
      else
        for (let c = 0; c < x.cols; c++)
          drawTestVector(
            { vectors: 'signs', seed },
            { node: ν, begin },
            c + LEVEL_STRIDE * level,
            view(x.data, x.offset + begin + c * x.ld, 1, tree.end[ν] - begin),
          );
    },
);

/**
 * Leaf `task`: the identity with a random sign for each index, so that what the levels above left out adds up
 * incoherently.
 */
export const drawUnits = defineTask<PeelingState>(import.meta.url, 'drawUnits', ({ tree, seed, x }) => (task) => {
  const ν = firstLeaf(tree) + task;
  const own = rowsOf(x, tree, ν);
  fill(own, 0);
  const signs = new RandomStream(seed, SIGNS, ν);
  for (let i = 0; i < own.rows; i++) own.data[own.offset + i + i * own.ld] = (signs.uint32() & 1) === 0 ? 1 : -1;
});

/** Node `task` + 1, of a level above: diag(scales)·Uᵀ·X. */
export const project = defineTask<PeelingState>(
  import.meta.url,
  'project',
  ({ tree, above, x, projected, projectedBegin }, { blas }) =>
    (task) => {
      const ν = task + 1;
      const { first, ranks, basisBegin, bases, scales, scaleStride } = above[30 - Math.clz32(ν + 1)];
      const i = ν - first;
      const rank = ranks[i];
      if (rank === 0) return;
      const n = tree.end[ν] - tree.begin[ν];
      const out = view(projected, projectedBegin[ν] * x.cols, rank, x.cols);
      blas.gemm('T', 'N', 1, view(bases, basisBegin[i], n, rank), rowsOf(x, tree, ν), 0, out);
      const scale = (i >> 1) * scaleStride;
      for (let c = 0, at = out.offset; c < x.cols; c++)
        for (let j = 0; j < rank; j++) projected[at++] *= scales[scale + j];
    },
);

/**
 * Leaf `task`: takes the levels above off Y, where the leaf stands on `side` of the level's pairs (both, for the
 * diagonal blocks).
 */
export const subtract = defineTask<PeelingState, 'left' | 'right' | 'both'>(
  import.meta.url,
  'subtract',
  ({ tree, level, above, y, projected, projectedBegin, rawNorm }, { blas }) =>
    (task, side) => {
      const leaf = firstLeaf(tree) + task;
      if (side !== 'both' && ((ancestorAt(leaf, tree.depth, level) & 1) === 1) !== (side === 'left')) return;
      const own = rowsOf(y, tree, leaf);
      rawNorm[task] = squaredNorm(own);
      for (const { first, ranks, basisBegin, bases } of above) {
        const ν = ancestorAt(leaf, tree.depth, 31 - Math.clz32(first + 1));
        const rank = ranks[ν - first];
        if (rank === 0) continue;
        const sibling = (ν & 1) === 1 ? ν + 1 : ν - 1;
        const u = view(
          bases,
          basisBegin[ν - first] + tree.begin[leaf] - tree.begin[ν],
          own.rows,
          rank,
          tree.end[ν] - tree.begin[ν],
        );
        blas.gemm('N', 'N', -1, u, view(projected, projectedBegin[sibling] * y.cols, rank, y.cols), 1, own);
      }
    },
);

/** Pair `task`: X ← [orthonormal basis of Y(α, :); 0], each column with a random sign. */
export const orthonormalizePair = defineTask<PeelingState>(
  import.meta.url,
  'orthonormalizePair',
  ({ tree, seed, level, x, y }, { blas }) =>
    (task) => {
      const α = 2 ** level - 1 + 2 * task;
      const sample = rowsOf(y, tree, α);
      const basis = rowsOf(x, tree, α);
      const k = Math.min(sample.rows, sample.cols);
      const tau = new Float64Array(k);
      blas.geqrf(sample, tau);
      fill(basis, 0);
      fill(rowsOf(x, tree, α + 1), 0);
      const signs = new RandomStream(seed, SIGNS, α);
      for (let j = 0; j < k; j++) basis.data[basis.offset + j + j * basis.ld] = (signs.uint32() & 1) === 0 ? 1 : -1;
      blas.ormqr('L', 'N', block(sample, 0, 0, sample.rows, k), tau, block(basis, 0, 0, basis.rows, k));
    },
);

/** Columns of a pair's W, and how many singular values it has. */
export function factorShape(tree: ClusterTree, α: number, width: number): { k: number; values: number } {
  const k = Math.min(width, tree.end[α] - tree.begin[α]);
  return { k, values: Math.min(k, tree.end[α + 1] - tree.begin[α + 1]) };
}

class PairFactor {
  readonly #state: PeelingState;
  readonly #blas: Blas;
  readonly #square: Float64Array;

  constructor(state: PeelingState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#square = new Float64Array(state.x.cols ** 2);
  }

  /** W = Y(β, 1 … k) = Q·R, R = L·diag(σ)·Rᵗ; Q stays in Y as Householder vectors. */
  factor(task: number): void {
    const { tree, level, y, left, right, sigma, tau } = this.#state;
    const α = 2 ** level - 1 + 2 * task;
    const width = y.cols;
    const { k, values } = factorShape(tree, α, width);
    const w = block(rowsOf(y, tree, α + 1), 0, 0, tree.end[α + 1] - tree.begin[α + 1], k);
    const a = view(this.#square, 0, values, k);
    if (w.rows > k) {
      this.#blas.geqrf(w, tau.subarray(task * width, task * width + k));
      for (let j = 0; j < k; j++)
        for (let i = 0; i < k; i++) this.#square[i + j * k] = i <= j ? w.data[w.offset + i + j * w.ld] : 0;
    } else {
      copyInto(a, w);
    }
    const at = task * width * width;
    const info = this.#blas.gesdd(
      a,
      sigma.subarray(task * width, task * width + values),
      view(left, at, values, values),
      view(right, at, values, k),
    );
    if (info !== 0)
      throw new FactorizationError(`gesdd did not converge on the product of node ${α} (info ${info}).`, {
        routine: 'gesdd',
        info,
        node: α,
      });
  }

  /** U_β = Q·L(:, 1 … r), U_α = (basis of the sample)·R(:, 1 … r). */
  form(task: number): void {
    const { tree, level, x, y, left, right, sigma, tau } = this.#state;
    const target = this.#state.target!;
    const α = 2 ** level - 1 + 2 * task;
    const width = y.cols;
    const rank = target.ranks[2 * task];
    if (rank === 0) return;
    const { k, values } = factorShape(tree, α, width);
    const at = task * width * width;
    const rows = tree.end[α + 1] - tree.begin[α + 1];
    const ofBeta = view(target.bases, target.basisBegin[2 * task + 1], rows, rank);
    fill(ofBeta, 0);
    copyInto(block(ofBeta, 0, 0, values, rank), view(left, at, values, rank));
    if (rows > k)
      this.#blas.ormqr(
        'L',
        'N',
        block(rowsOf(y, tree, α + 1), 0, 0, rows, k),
        tau.subarray(task * width, task * width + k),
        ofBeta,
      );
    const sampled = block(rowsOf(x, tree, α), 0, 0, tree.end[α] - tree.begin[α], k);
    this.#blas.gemm(
      'N',
      'T',
      1,
      sampled,
      view(right, at, rank, k, values),
      0,
      view(target.bases, target.basisBegin[2 * task], sampled.rows, rank),
    );
    for (let j = 0; j < rank; j++) target.scales[task * target.scaleStride + j] = sigma[task * width + j];
  }
}

/** Pair `task`: the singular values of K(β, α)·U_α. */
export const factorPair = defineTask<PeelingState>(import.meta.url, 'factorPair', (state, context) => {
  const factor = new PairFactor(state, context.blas);
  return (task) => factor.factor(task);
});

/** Pair `task`, its rank chosen: both bases. */
export const formBases = defineTask<PeelingState>(import.meta.url, 'formBases', (state, context) => {
  const factor = new PairFactor(state, context.blas);
  return (task) => factor.form(task);
});
