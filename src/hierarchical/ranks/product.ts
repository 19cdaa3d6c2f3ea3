/**
 * Products with a matrix that several ranks have: each passes over its own subtrees, and siblings' skeleton weights
 * are exchanged above them. Vectors are whole on every rank, before and after.
 */
import type { Blas } from '../../dense/blas.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import { defineTask } from '../../parallel/task.js';
import type { Shared, Team } from '../../parallel/team.js';
import { isolatedOf } from '../../tree/cluster-tree.js';
import { NodeProduct, type ApplyArguments, type ApplyState } from '../matrix/apply.js';
import type { HierarchicalData } from '../matrix/data.js';
import { gatherVectors, PANEL, transposeOut } from '../matrix/transposed-vectors.js';
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
    return (task, { phase, nodes, x, out, alpha, beta }) => {
      if (phase === 'up') product.up(nodes[task], x);
      else if (phase === 'down') product.down(nodes[task], x.cols);
      else transposeOut(task * PANEL, out, alpha, beta, { values: state.output, place: state.place });
    };
  },
);

/** Products over a rank's share. */
export class RankProduct {
  readonly #team: Team;
  readonly #share: Share;
  readonly #own: OwnNodes;
  readonly #out: TaskGraph;
  readonly #passes: RankPasses;
  #product: { readonly state: ApplyState; readonly above: NodeProduct } | undefined;

  constructor({ tree }: HierarchicalData, share: Share, team: Team) {
    this.#team = team;
    this.#share = share;
    this.#own = ownNodes(share, tree.depth);
    this.#out = independentTasks(Math.ceil(tree.size / PANEL));
    this.#passes = new RankPasses(tree, share, team.communicator);
  }

  /** out ← α·K̃·x + β·out, both over shared memory; called by all ranks, with the same x. */
  run(shared: Shared<ApplyState>, args: ApplyArguments): void {
    const { state } = shared;
    const { up, output, data } = state;
    const { begin } = data.skeletons;
    const p = args.x.cols;
    const phase = (phase: PhaseArguments['phase'], graph: TaskGraph): void => {
      if (graph.count > 0)
        this.#team.runSync(rankProductTask, shared, graph, { ...args, phase, nodes: this.#own.nodes });
    };
    const above = this.#above(state, this.#team.blas);
    const { tree } = data;
    for (const ν of this.#share.halo.leaves) gatherVectors(state.input, args.x, tree.order, tree.begin[ν], tree.end[ν]);
    this.#passes.run(
      {
        up: () => phase('up', this.#own.up),
        down: () => phase('down', this.#own.down),
        nodeUp: (ν) => above.up(ν, args.x),
        nodeDown: (ν) => above.down(ν, p),
        numbers: (ν) => up.subarray(begin[ν] * p, begin[ν + 1] * p),
        halo: true,
      },
      output,
      p,
    );
    // Rows of isolated indices are zero.
    output.fill(0, 0, isolatedOf(tree) * p);
    phase('out', this.#out);
  }

  #above(state: ApplyState, blas: Blas): NodeProduct {
    if (this.#product?.state !== state) this.#product = { state, above: new NodeProduct(state, blas) };
    return this.#product.above;
  }
}
