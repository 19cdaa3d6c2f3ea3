/**
 * Passes with a factorization that several ranks have: each passes over its own subtrees; of solves siblings'
 * right-hand sides are exchanged above them. Vectors are whole on every rank, before and after, or each rank has its
 * own rows of them.
 */
import { levelOf } from '../../core/indices.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { TaskBody } from '../../parallel/task.js';
import type { Shared, Team } from '../../parallel/team.js';
import { isolatedOf } from '../../tree/cluster-tree.js';
import type { HierarchicalData } from '../matrix/data.js';
import { gatherVectors, PANEL, transposeOut, transposeRows } from '../matrix/transposed-vectors.js';
import { ownNodes, RankPasses, type OwnNodes } from '../ranks/pass.js';
import type { Share } from '../ranks/share.js';
import type { RankSolveParts } from './engine.js';
import type { NodePass, PassArguments, PassVectors, RankPassArguments } from './pass.js';
import { subtreeRootLevel, walkDown, walkUp, type SharedTree } from './tree.js';

/** Runs tasks of the phases. */
export function rankPassBody(
  data: SharedTree,
  { staging, place }: PassVectors,
  pass: NodePass,
): TaskBody<RankPassArguments> {
  const { tree } = data;
  const roots = subtreeRootLevel(data);
  return (task, { phase, nodes, kind, x, out, alpha, beta, own }) => {
    const p = x.cols;
    const ν = nodes[task];
    if (phase === 'out') transposeOut(task * PANEL, out, alpha, beta, { values: staging, place: own?.place ?? place });
    else if (phase === 'down') walkDown(data, ν, (μ) => pass.down(μ, p, kind));
    else if (kind !== 'solve') walkUp(data, ν, (μ) => pass.take(μ, x));
    else {
      if (levelOf(ν) === roots) gatherVectors(staging, x, own?.begin ?? tree.order, tree.begin[ν], tree.end[ν]);
      walkUp(data, ν, (μ) => pass.up(μ, p));
    }
  };
}

/** Passes over a rank's share. */
export class RankSolve {
  readonly #team: Team;
  readonly #data: HierarchicalData;
  readonly #parts: RankSolveParts;
  readonly #own: OwnNodes;
  readonly #passes: RankPasses;
  #opened: (ReturnType<RankSolveParts['open']> & { readonly state: PassVectors }) | undefined;

  constructor(data: HierarchicalData, share: Share, parts: RankSolveParts, team: Team) {
    this.#team = team;
    this.#data = data;
    this.#parts = parts;
    this.#own = ownNodes(share, subtreeRootLevel(data));
    this.#passes = new RankPasses(data.tree, share, team.communicator);
  }

  /**
   * out ← α·(pass of x) + β·out, both over shared memory; called by all ranks, with the same x. With `own` they get the
   * rows of their own, and give those alone to a solve. Of nested bases passes but solves send nothing before the
   * result is gathered.
   */
  run(shared: Shared<PassVectors>, args: PassArguments): void {
    const { state } = shared;
    const { x, kind, own } = args;
    const { tree } = this.#data;
    const p = x.cols;
    const solves = kind === 'solve';
    const phase = (phase: RankPassArguments['phase'], graph: TaskGraph): void => {
      if (graph.count > 0)
        this.#team.runSync(this.#parts.task, shared as Shared<never>, graph, {
          ...args,
          phase,
          nodes: this.#own.nodes,
        });
    };
    if (this.#opened?.state !== state) this.#opened = { state, ...this.#parts.open(state, this.#team.blas) };
    const { pass, above } = this.#opened;
    this.#passes.run(
      {
        up: () => phase('up', this.#own.up),
        down: () => phase('down', this.#own.down),
        levelUp: (level, nodes, siblings) => {
          if (solves) above.up(level, nodes, p, siblings);
          else for (const ν of nodes) pass.take(ν, x);
        },
        levelDown: (level, nodes, siblings) => above.down(level, nodes, p, kind, siblings),
      },
      state.staging,
      p,
      own === undefined,
    );
    // Of own rows the first rank has those of isolated indices.
    if (own === undefined || (own.begin === 0 && own.end > 0)) {
      const isolated = isolatedOf(tree);
      if (solves) gatherVectors(state.staging, x, own?.begin ?? tree.order, 0, isolated);
      else transposeRows(state.ordered, 0, x, 0, isolated);
      pass.isolated(p, kind);
    }
    phase('out', this.#passes.outTasks(args.out.rows));
  }
}
