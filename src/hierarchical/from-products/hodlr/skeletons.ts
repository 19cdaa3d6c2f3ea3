/**
 * From bases of sibling blocks to skeletons: a HODLR matrix in the form that hierarchical matrices are stored in.
 * U_ν = P_ν·C_ν with an identity in the skeleton's rows of P_ν; the coupling of siblings is C_α·diag(scales)·C_βᵀ.
 */
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { Blas } from '../../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';
import type { InteractionLists } from '../../../tree/interaction-lists.js';
import { BlockWriter, redundantRows, writerState, type WriterState } from '../block-writer.js';
import { layOut, type Layout } from '../../matrix/layout.js';
import type { PeeledLevel } from './peeling-steps.js';
import { mostOf, RowInterpolation } from '../row-interpolation.js';

interface SeparateState {
  readonly tree: ClusterTree;
  /** Level ℓ is levels[ℓ − 1]; its bases are overwritten by the interpolations. */
  readonly levels: readonly PeeledLevel[];
  readonly maxRank: number;
  /** What is stored, at most what was peeled off. */
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
  readonly cornerBegin: Float64Array;
  readonly corners: Float64Array;
  /** The product with signed unit vectors, the levels peeled off: the diagonal blocks, up to the signs in `units`. */
  readonly units: Matrix;
  readonly diagonal: Matrix;
  readonly writer: WriterState | null;
}

const sizeOf = ({ begin, end }: ClusterTree, ν: number): number => end[ν] - begin[ν];

/** U or P of a node; the root has none. */
function basisOf({ tree, levels, ranks }: SeparateState, ν: number): Matrix {
  const { first, bases, basisBegin } = levels[30 - Math.clz32(ν + 1)];
  return view(bases, basisBegin[ν - first], sizeOf(tree, ν), ranks[ν]);
}

const cornerOf = ({ corners, cornerBegin, ranks }: SeparateState, ν: number): Matrix =>
  view(corners, cornerBegin[ν], ranks[ν], ranks[ν]);

/** Node `task` + 1: its interpolation and skeleton. */
export const interpolateSeparate = defineTask<SeparateState>(
  import.meta.url,
  'interpolateSeparate',
  (state, { blas }) => {
    const { tree, ranks, choice, skeletons, maxRank } = state;
    const most = mostOf(
      nodesOf(tree),
      (ν) => sizeOf(tree, ν),
      (ν) => ranks[ν],
    );
    const interpolation = new RowInterpolation(blas, most.elements, most.rows, most.rank);
    return (task) => {
      const ν = task + 1;
      if (ranks[ν] === 0) return;
      interpolation.interpolate(basisOf(state, ν), cornerOf(state, ν));
      for (let j = 0; j < ranks[ν]; j++) {
        choice[ν * maxRank + j] = interpolation.pivots[j];
        skeletons[ν * maxRank + j] = tree.order[tree.begin[ν] + interpolation.pivots[j]];
      }
    };
  },
);

class BlockStorer {
  readonly #state: SeparateState;
  readonly #blas: Blas;
  readonly #writer: BlockWriter;

  constructor(state: SeparateState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#writer = new BlockWriter(state.writer!);
  }

  run(ν: number): void {
    const { tree, ranks, choice, maxRank } = this.#state;
    const leaf = ν >= firstLeaf(tree);
    const rank = ranks[ν];
    if (rank > 0) {
      const rows = leaf
        ? redundantRows(sizeOf(tree, ν), choice.subarray(ν * maxRank, ν * maxRank + rank), rank)
        : this.#writer.localPlaces(ν);
      this.#writer.basis(ν, basisOf(this.#state, ν), rows);
      if ((ν & 1) === 1) this.#coupling(ν);
    }
    if (leaf) this.#diagonal(ν);
  }

  #coupling(α: number): void {
    const { levels, ranks } = this.#state;
    const { first, scales, scaleStride } = levels[30 - Math.clz32(α + 1)];
    const rank = ranks[α];
    const scaled = view(new Float64Array(rank * rank), 0, rank, rank);
    const corner = cornerOf(this.#state, α);
    for (let j = 0, at = 0; j < rank; j++) {
      const scale = scales[((α - first) >> 1) * scaleStride + j];
      for (let i = 0; i < rank; i++, at++) scaled.data[at] = scale * corner.data[corner.offset + at];
    }
    const coupling = view(new Float64Array(rank * rank), 0, rank, rank);
    this.#blas.gemm('N', 'T', 1, scaled, cornerOf(this.#state, α + 1), 0, coupling);
    this.#writer.coupling(α, coupling);
  }

  #diagonal(ν: number): void {
    const { tree, units, diagonal } = this.#state;
    const n = sizeOf(tree, ν);
    const begin = tree.begin[ν];
    const d = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      const sign = units.data[begin + j + j * units.ld];
      for (let i = 0; i < n; i++) d[i + j * n] = sign * diagonal.data[begin + i + j * diagonal.ld];
    }
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < j; i++) {
        const mean = 0.5 * (d[i + j * n] + d[j + i * n]);
        d[i + j * n] = mean;
        d[j + i * n] = mean;
      }
    }
    this.#writer.diagonal(ν, view(d, 0, n, n));
  }
}

/** Node `task`: what it stores. */
export const storeBlocks = defineTask<SeparateState>(import.meta.url, 'storeBlocks', (state, context) => {
  const storer = new BlockStorer(state, context.blas);
  return (ν) => storer.run(ν);
});

/** What has been peeled: levels, and the last product, whose vectors are unit vectors with signs. */
export interface PeeledParts extends Pick<
  SeparateState,
  'tree' | 'levels' | 'ranks' | 'maxRank' | 'units' | 'diagonal'
> {
  readonly lists: InteractionLists;
}

/** The stored form of peeled levels, of each node's basis the first ranks[ν] vectors. */
export async function storeSeparate(
  { tree, lists, levels, ranks, maxRank, units, diagonal }: PeeledParts,
  allocate: (length: number) => FloatArray,
  control: TeamControl,
): Promise<{ layout: Layout; values: FloatArray }> {
  const nodes = nodesOf(tree);
  const cornerBegin = sharedFloat64(nodes + 1);
  for (let ν = 0; ν < nodes; ν++) cornerBegin[ν + 1] = cornerBegin[ν] + ranks[ν] * ranks[ν];
  const state: SeparateState = {
    tree,
    levels,
    maxRank,
    ranks,
    choice: sharedInt32(nodes * maxRank),
    skeletons: sharedInt32(nodes * maxRank),
    cornerBegin,
    corners: sharedFloat64(cornerBegin[nodes]),
    units,
    diagonal,
    writer: null,
  };
  await runOnce('find skeletons', interpolateSeparate, state, independentTasks(nodes - 1), control);
  const layout = layOut(tree, lists, state, false);
  const values = allocate(layout.elements.total);
  await runOnce(
    'store blocks',
    storeBlocks,
    { ...state, writer: writerState(layout, tree, lists.far, values) },
    independentTasks(nodes),
    control,
  );
  return { layout, values };
}
