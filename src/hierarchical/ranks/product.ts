/**
 * Products with a matrix that several ranks have: each passes over its own subtrees, and siblings' skeleton weights
 * are exchanged above them. Vectors are whole on every rank, before and after, or each rank has its own rows of them.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import type { Matrix } from '../../dense/matrix.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import { defineTask } from '../../parallel/task.js';
import type { Shared, Team } from '../../parallel/team.js';
import { isolatedOf, type ClusterTree } from '../../tree/cluster-tree.js';
import { NodeProduct, type ApplyArguments, type ApplyState } from '../matrix/apply.js';
import type { HierarchicalData } from '../matrix/data.js';
import { gatherVectors, PANEL, transposeOut } from '../matrix/transposed-vectors.js';
import { exchangeHalo } from './halo.js';
import type { OwnRows } from './own-rows.js';
import { ownNodes, RankPasses, type OwnNodes } from './pass.js';
import type { Share } from './share.js';

/** One phase of a product; `nodes` are those of its tasks. */
interface PhaseArguments extends ApplyArguments {
  readonly phase: 'up' | 'down' | 'out';
  readonly nodes: Int32Array;
}

/** Runs a task of a phase. */
export const rankProductTask = defineTask<ApplyState, PhaseArguments>(
  import.meta.url,
  'rankProductTask',
  (state, context) => {
    const product = new NodeProduct(state, context.blas);
    return (task, { phase, nodes, x, out, alpha, beta, own }) => {
      const place = own?.place ?? state.place;
      if (phase === 'up') product.up(nodes[task], x, own?.begin);
      else if (phase === 'down') product.down(nodes[task], x.cols);
      else transposeOut(task * PANEL, out, alpha, beta, { values: state.output, place });
    };
  },
);

/** Products over a rank's share. */
export class RankProduct {
  readonly #team: Team;
  readonly #share: Share;
  readonly #own: OwnNodes;
  readonly #passes: RankPasses;
  #product: { readonly state: ApplyState; readonly above: NodeProduct } | undefined;

  constructor({ tree }: HierarchicalData, share: Share, team: Team) {
    this.#team = team;
    this.#share = share;
    this.#own = ownNodes(share, tree.depth);
    this.#passes = new RankPasses(tree, share, team.communicator);
  }

  /**
   * out ← α·K̃·x + β·out, both over shared memory; called by all ranks, with the same x, or with `own` each with the
   * rows of its own.
   */
  run(shared: Shared<ApplyState>, args: ApplyArguments): void {
    const { state } = shared;
    const { own } = args;
    const { input, up, upBegin, output, data } = state;
    const p = args.x.cols;
    const phase = (phase: PhaseArguments['phase'], graph: TaskGraph): void => {
      if (graph.count > 0)
        this.#team.runSync(rankProductTask, shared, graph, { ...args, phase, nodes: this.#own.nodes });
    };
    const above = this.#above(state, this.#team.blas);
    const numbers = (ν: number): FloatArray => up.subarray(upBegin[ν] * p, upBegin[ν + 1] * p);
    this.#passes.run(
      {
        up: () => {
          phase('up', this.#own.up);
          this.#gatherNear(input, args.x, data.tree, own);
        },
        down: () => phase('down', this.#own.down),
        levelUp: (level, nodes, siblings) => {
          siblings.run(level + 1, numbers);
          for (const ν of nodes) above.up(ν, args.x);
        },
        levelDown: (_, nodes) => {
          for (const ν of nodes) above.down(ν, p);
        },
        halo: numbers,
      },
      output,
      p,
      own === undefined,
    );
    // Rows of isolated indices are zero.
    output.fill(0, 0, isolatedOf(data.tree) * p);
    phase('out', this.#passes.outTasks(args.out.rows));
  }

  /** Other ranks' leaves that are near to own ones: from x, or of their own rows by a message from each. */
  #gatherNear(input: FloatArray, x: Matrix, { order, begin, end }: ClusterTree, own: OwnRows | undefined): void {
    const { leaves } = this.#share.halo;
    const p = x.cols;
    if (own === undefined) {
      for (const { receives } of leaves) for (const ν of receives) gatherVectors(input, x, order, begin[ν], end[ν]);
    } else exchangeHalo(this.#team.communicator, leaves, (ν) => input.subarray(begin[ν] * p, end[ν] * p));
  }

  #above(state: ApplyState, blas: Blas): NodeProduct {
    if (this.#product?.state !== state) this.#product = { state, above: new NodeProduct(state, blas) };
    return this.#product.above;
  }
}
