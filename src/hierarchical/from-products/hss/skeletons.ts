/**
 * From an HSS matrix in generator form to skeletons, its ranks lowered to what the tolerance and the maximal rank ask.
 *
 * Upwards, with P_ν the leading singular vectors of the node's block row (spectra.ts) and Z_ν = (new basis)ᵀ·(old
 * basis):
 *   leaf   Q = U·P,  Z = Pᵀ;      inner node   Q·R = blockdiag(Z_l, Z_r)·U·P,  Z = Qᵀ·blockdiag(Z_l, Z_r)·U;
 *   V = Q (leaf), blockdiag(C_l, C_r)·Q (inner)  =  (interpolation with an identity in the skeleton's rows)·C.
 * Couplings become C_l·Z_l·B·Z_rᵀ·C_rᵀ. The conversion is exact but for rounding: C is a part of a matrix with
 * orthonormal columns, and interpolations have moderate entries.
 */
import { leftChild, rightChild } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { Blas } from '../../../dense/blas.js';
import { block, fill, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks, upwardTasks } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import type { InteractionLists } from '../../../tree/interaction-lists.js';
import { BlockWriter, redundantRows, writerState, type WriterState } from '../block-writer.js';
import { couplingOf, extentOf, nodeOf, rotationOf, type HssSpectra } from './spectra.js';
import { layOut, type Layout } from '../../matrix/layout.js';
import { chooseRanks, type RankChoice } from '../rank-choice.js';
import { RowInterpolation } from '../row-interpolation.js';
import { firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';

interface NestedState {
  readonly spectra: HssSpectra;
  readonly maxRank: number;
  /** The ranks to be stored; the rest as `FoundSkeletons`. */
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
  /** Interpolation of node ν, rows × rank, from slotBegin[ν]. */
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
  /** C (rank × rank) from cornerBegin[ν]; Z (rank × old rank) from projectionBegin[ν]. */
  readonly cornerBegin: Float64Array;
  readonly corners: Float64Array;
  readonly projectionBegin: Float64Array;
  readonly projections: Float64Array;
  /** There in the second phase. */
  readonly writer: WriterState | null;
}

const cornerOf = ({ ranks, corners, cornerBegin }: NestedState, ν: number): Matrix =>
  view(corners, cornerBegin[ν], ranks[ν], ranks[ν]);
const projectionOf = ({ spectra, ranks, projections, projectionBegin }: NestedState, ν: number): Matrix =>
  view(projections, projectionBegin[ν], ranks[ν], spectra.ranks[ν]);
/** Rows of a node's stored interpolation: its indices, or its children's skeletons. */
const rowsOf = ({ spectra: { tree }, ranks }: NestedState, ν: number): number =>
  ν >= firstLeaf(tree) ? tree.end[ν] - tree.begin[ν] : ranks[leftChild(ν)] + ranks[rightChild(ν)];

class Truncation {
  readonly #state: NestedState;
  readonly #blas: Blas;
  readonly #interpolation: RowInterpolation;
  readonly #projected: Float64Array;
  readonly #basis: Float64Array;
  readonly #factor: Float64Array;
  readonly #tau: Float64Array;

  constructor(state: NestedState, blas: Blas) {
    const { rows, rank } = extentOf(state.spectra.levels);
    this.#state = state;
    this.#blas = blas;
    this.#interpolation = new RowInterpolation(blas, rows * rank, rows, rank);
    this.#projected = new Float64Array(rows * rank);
    this.#basis = new Float64Array(rows * rank);
    this.#factor = new Float64Array(rows * rank);
    this.#tau = new Float64Array(rank);
  }

  run(ν: number): void {
    const state = this.#state;
    const { spectra, ranks, maxRank, choice, skeletons } = state;
    const rank = ranks[ν];
    if (ν === 0 || rank === 0) return;
    const leaf = ν >= firstLeaf(spectra.tree);
    const v = view(state.slots, state.slotBegin[ν], rowsOf(state, ν), rank);
    if (leaf) this.#leafBasis(ν, v);
    else this.#innerBasis(ν, v);
    this.#interpolation.interpolate(v, cornerOf(state, ν));
    const l = leftChild(ν);
    for (let j = 0; j < rank; j++) {
      const row = this.#interpolation.pivots[j];
      choice[ν * maxRank + j] = row;
      skeletons[ν * maxRank + j] = leaf
        ? spectra.tree.order[spectra.tree.begin[ν] + row]
        : row < ranks[l]
          ? skeletons[l * maxRank + row]
          : skeletons[(l + 1) * maxRank + row - ranks[l]];
    }
  }

  #leafBasis(ν: number, v: Matrix): void {
    const { spectra } = this.#state;
    const kept = block(rotationOf(spectra, ν), 0, 0, spectra.ranks[ν], v.cols);
    this.#blas.gemm('N', 'N', 1, nodeOf(spectra, ν).basis, kept, 0, v);
    const z = projectionOf(this.#state, ν);
    for (let j = 0; j < kept.rows; j++)
      for (let i = 0; i < kept.cols; i++) z.data[z.offset + i + j * z.ld] = kept.data[kept.offset + j + i * kept.ld];
  }

  #innerBasis(ν: number, v: Matrix): void {
    const state = this.#state;
    const { spectra, ranks } = state;
    const blas = this.#blas;
    const { rows, cols: rank } = v;
    const l = leftChild(ν);
    const { basis } = nodeOf(spectra, ν);
    const projected = view(this.#projected, 0, rows, basis.cols);
    this.#eachChild(l, spectra.ranks, (child, first, count) => {
      const to = child === l ? 0 : ranks[l];
      blas.gemm(
        'N',
        'N',
        1,
        projectionOf(state, child),
        block(basis, first, 0, count, basis.cols),
        0,
        block(projected, to, 0, ranks[child], basis.cols),
      );
    });
    const factor = view(this.#factor, 0, rows, rank);
    blas.gemm('N', 'N', 1, projected, block(rotationOf(spectra, ν), 0, 0, basis.cols, rank), 0, factor);
    const tau = this.#tau.subarray(0, rank);
    blas.geqrf(factor, tau);
    const q = view(this.#basis, 0, rows, rank);
    fill(q, 0);
    for (let j = 0; j < rank; j++) this.#basis[j + j * rows] = 1;
    blas.ormqr('L', 'N', factor, tau, q);
    blas.gemm('T', 'N', 1, q, projected, 0, projectionOf(state, ν));
    this.#eachChild(l, ranks, (child, first, count) => {
      blas.gemm(
        'N',
        'N',
        1,
        cornerOf(state, child),
        block(q, first, 0, count, rank),
        0,
        block(v, first, 0, count, rank),
      );
    });
  }

  /** The rows of both children, `counts` of them. */
  #eachChild(l: number, counts: Int32Array, act: (child: number, first: number, count: number) => void): void {
    act(l, 0, counts[l]);
    act(l + 1, counts[l], counts[l + 1]);
  }
}

class BlockStorer {
  readonly #state: NestedState;
  readonly #blas: Blas;
  readonly #writer: BlockWriter;
  readonly #left: Float64Array;
  readonly #right: Float64Array;

  constructor(state: NestedState, blas: Blas) {
    const { rank } = extentOf(state.spectra.levels);
    this.#state = state;
    this.#blas = blas;
    this.#writer = new BlockWriter(state.writer!);
    this.#left = new Float64Array(rank * rank);
    this.#right = new Float64Array(rank * rank);
  }

  run(ν: number): void {
    const { spectra, ranks, slots, slotBegin, choice, maxRank } = this.#state;
    const rank = ranks[ν];
    if (rank > 0) {
      const rows = rowsOf(this.#state, ν);
      this.#writer.basis(
        ν,
        view(slots, slotBegin[ν], rows, rank),
        redundantRows(rows, choice.subarray(ν * maxRank, ν * maxRank + rank), rank),
      );
      if ((ν & 1) === 1 && ranks[ν + 1] > 0) this.#coupling(ν);
    }
    if (ν >= firstLeaf(spectra.tree)) this.#writer.diagonal(ν, nodeOf(spectra, ν).block);
  }

  /** C_l·Z_l·B·(C_r·Z_r)ᵀ. */
  #coupling(l: number): void {
    const state = this.#state;
    const { spectra, ranks } = state;
    const blas = this.#blas;
    const side = (ν: number, out: Float64Array): Matrix => {
      const product = view(out, 0, ranks[ν], spectra.ranks[ν]);
      blas.gemm('N', 'N', 1, cornerOf(state, ν), projectionOf(state, ν), 0, product);
      return product;
    };
    const left = side(l, this.#left);
    const half = view(this.#right, 0, ranks[l], spectra.ranks[l + 1]);
    blas.gemm('N', 'N', 1, left, couplingOf(spectra, l), 0, half);
    const right = side(l + 1, this.#left);
    const coupling = view(new Float64Array(ranks[l] * ranks[l + 1]), 0, ranks[l], ranks[l + 1]);
    blas.gemm('N', 'T', 1, half, right, 0, coupling);
    this.#writer.coupling(l, coupling);
  }
}

/** Node `task`: its truncated basis, interpolation and skeleton, children first. */
export const truncateNested = defineTask<NestedState>(import.meta.url, 'truncateNested', (state, context) => {
  const truncation = new Truncation(state, context.blas);
  return (ν) => truncation.run(ν);
});

/** Node `task`: what it stores. */
export const storeNestedBlocks = defineTask<NestedState>(import.meta.url, 'storeNestedBlocks', (state, context) => {
  const storer = new BlockStorer(state, context.blas);
  return (ν) => storer.run(ν);
});

/** Singular values below this, relative to the largest of all, are rounding errors. */
const ROUNDING = 4 * Number.EPSILON;

/** Ranks of all nodes: one choice a level, each with an equal part of the budget, which covers rows and columns. */
function truncatedRanks(
  { tree, ranks: old, sigma, sigmaBegin }: HssSpectra,
  maxRank: number,
  budget: number,
): RankChoice & { ranks: Int32Array } {
  const ranks = sharedInt32(nodesOf(tree));
  const floor = ROUNDING * sigma.reduce((most, value) => Math.max(most, value), 0);
  let dropped = 0;
  let beyond = 0;
  for (let level = 1; level <= tree.depth; level++) {
    const first = 2 ** level - 1;
    const count = 2 ** level;
    const chosen = ranks.subarray(first, first + count);
    const constant = (value: number): Float64Array => new Float64Array(count).fill(value);
    const choice = chooseRanks(
      {
        sigma,
        begin: sigmaBegin.subarray(first, first + count + 1),
        cap: Int32Array.from(old.subarray(first, first + count), (rank) => Math.min(rank, maxRank)),
        scale: constant(1),
        weight: constant(2),
        floor: constant(floor),
      },
      budget / tree.depth,
      chosen,
    );
    dropped += choice.dropped;
    beyond += choice.beyond;
  }
  // A basis lies in what its children keep.
  for (let ν = firstLeaf(tree) - 1; ν > 0; ν--)
    ranks[ν] = Math.min(ranks[ν], ranks[leftChild(ν)] + ranks[rightChild(ν)]);
  return { ranks, dropped, beyond };
}

/**
 * The stored form at ranks of at most `maxRank`, `budget` being the squared error allowed for lowering them; values in
 * the precision of `allocate`'s arrays. The spectra stay as they are. Cost O(N·rank²/leaf size) flops, and what is
 * written.
 */
export async function storeNested(
  spectra: HssSpectra,
  lists: InteractionLists,
  { maxRank, budget }: { readonly maxRank: number; readonly budget: number },
  allocate: (length: number) => FloatArray,
  control: TeamControl,
): Promise<RankChoice & { readonly layout: Layout; readonly values: FloatArray }> {
  const { tree } = spectra;
  const nodes = nodesOf(tree);
  const { ranks, dropped, beyond } = truncatedRanks(spectra, maxRank, budget);
  const slotBegin = sharedFloat64(nodes + 1);
  const cornerBegin = sharedFloat64(nodes + 1);
  const projectionBegin = sharedFloat64(nodes + 1);
  for (let ν = 0; ν < nodes; ν++) {
    const rows = ν >= firstLeaf(tree) ? tree.end[ν] - tree.begin[ν] : ranks[leftChild(ν)] + ranks[rightChild(ν)];
    slotBegin[ν + 1] = slotBegin[ν] + rows * ranks[ν];
    cornerBegin[ν + 1] = cornerBegin[ν] + ranks[ν] * ranks[ν];
    projectionBegin[ν + 1] = projectionBegin[ν] + ranks[ν] * spectra.ranks[ν];
  }
  const state: NestedState = {
    spectra,
    maxRank,
    ranks,
    choice: sharedInt32(nodes * maxRank),
    skeletons: sharedInt32(nodes * maxRank),
    slotBegin,
    slots: sharedFloat64(slotBegin[nodes]),
    cornerBegin,
    corners: sharedFloat64(cornerBegin[nodes]),
    projectionBegin,
    projections: sharedFloat64(projectionBegin[nodes]),
    writer: null,
  };
  await runOnce('find skeletons', truncateNested, state, upwardTasks(nodes), control);
  const layout = layOut(tree, lists, state, true);
  const values = allocate(layout.elements.total);
  await runOnce(
    'store blocks',
    storeNestedBlocks,
    { ...state, writer: writerState(layout, tree, lists.far, values) },
    independentTasks(nodes),
    control,
  );
  return { layout, values, dropped, beyond };
}
