/**
 * The elimination of a matrix that several ranks have: each one's subtrees on its team, then the nodes above them, on
 * every rank that holds them, from the siblings' Schur complements.
 */
import { floats } from '../../../core/floats.js';
import type { Communicator } from '../../../distributed/communicator.js';
import type { FloatArray } from '../../../dense/matrix.js';
import { runOnce } from '../../../parallel/run-once.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { SiblingExchange } from '../../ranks/exchange.js';
import { countsFor, type Share } from '../../ranks/share.js';
import { gatherLogs } from '../rank-outcome.js';
import { copyRun, subtreeRootLevel } from '../tree.js';
import { eliminate } from './eliminate.js';
import type { UlvFactors } from './factors.js';
import { leftmostLeaf } from './plan.js';
import { eliminationGraph, type EliminationGraph } from './split-elimination.js';

/** Eliminations of one plan; their graphs are made once. */
export class ShareElimination {
  readonly #factors: UlvFactors;
  readonly #share: Share;
  readonly #communicator: Communicator;
  readonly #siblings: SiblingExchange;
  readonly #own: EliminationGraph;
  /** Of the levels above the rank's own. */
  readonly #above: readonly EliminationGraph[];

  /** With `split`, large nodes are cut into several tasks. */
  constructor(factors: UlvFactors, share: Share, communicator: Communicator, split: boolean) {
    const { data, plan } = factors;
    this.#factors = factors;
    this.#share = share;
    this.#communicator = communicator;
    this.#siblings = new SiblingExchange(communicator, share);
    this.#own = eliminationGraph(data, plan, split, { first: share.level, last: subtreeRootLevel(data) });
    this.#above = Array.from({ length: share.level }, (_, level) =>
      eliminationGraph(data, plan, split, { first: level, last: level }),
    );
  }

  /**
   * Eliminates all nodes, with room for Schur complements; then every rank has the logarithms of all of them. At most
   * ⌈log₂P⌉ messages one after the other, r²/2 numbers each.
   */
  async run(schur: FloatArray, control: TeamControl): Promise<void> {
    await this.#eliminate(this.#own, schur, control);
    for (let level = this.#share.level; level > 0; level--) {
      this.#exchange(level, schur);
      await this.#eliminate(this.#above[level - 1], schur, control);
    }
    gatherLogs(this.#factors.logs, this.#share, this.#communicator);
  }

  async #eliminate({ graph, tasks }: EliminationGraph, schur: FloatArray, control: TeamControl): Promise<void> {
    if (graph.count > 0) await runOnce('factor', eliminate, { ...this.#factors, schur, tasks }, graph, control);
  }

  /** Status and lower triangle of the Schur complement of the nodes of a level, to those who hold their parents. */
  #exchange(level: number, schur: FloatArray): void {
    const { data, plan, status } = this.#factors;
    const received = new Map<number, FloatArray>();
    this.#siblings.run(level, (ν) => {
      const k = plan.rank[ν];
      const numbers = floats(1 + (k * (k + 1)) / 2, plan.precision);
      if (this.#share.held[ν] === 0) received.set(ν, numbers);
      else {
        numbers[0] = status[ν];
        eachColumn(k, (at, packed, count) => {
          copyRun(numbers, packed, schur, plan.slotBegin[leftmostLeaf(data.tree, ν)] + at, count);
        });
      }
      return numbers;
    });
    for (const [ν, numbers] of received) {
      status[ν] = numbers[0];
      eachColumn(plan.rank[ν], (at, packed, count) => {
        copyRun(schur, plan.slotBegin[leftmostLeaf(data.tree, ν)] + at, numbers, packed, count);
      });
    }
  }
}

/** Columns of a lower triangle of order k: where each begins in its square, and packed behind one number. */
function eachColumn(k: number, act: (at: number, packed: number, count: number) => void): void {
  for (let j = 0, packed = 1; j < k; j++) {
    act(j * (k + 1), packed, k - j);
    packed += k - j;
  }
}

/** Variables that are eliminated with a negative pivot, on all ranks. Collective. */
export function negativePivots({ signs, plan }: UlvFactors, share: Share, communicator: Communicator): number {
  const count = new Float64Array(1);
  for (let ν = 0; ν < plan.rank.length; ν++) {
    if (!countsFor(share, ν)) continue;
    for (let v = plan.begin[ν]; v < plan.begin[ν + 1]; v++) if (signs[v] < 0) count[0]++;
  }
  communicator.allreduce(count, 'sum');
  return count[0];
}
