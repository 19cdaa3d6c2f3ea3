/**
 * The recursive factorization of a HODLR matrix as a factorization engine.
 */
import { NUMBER_BYTES, sharedFloats } from '../../../core/floats.js';
import { firstOfLevel } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { FloatArray, Precision } from '../../../dense/matrix.js';
import type { TaskDefinition } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks, upwardTasks } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { isolatedOf, firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';
import { type HierarchicalData } from '../../matrix/data.js';
import { ROOT } from '../../ranks/gather.js';
import { eachRun } from '../../ranks/own-blocks.js';
import { countsFor } from '../../ranks/share.js';
import {
  freshFactors,
  logDeterminantOf,
  type Breakdown,
  type FactorEngine,
  type FactorsByFormat,
  type Inertia,
  type KeptBlock,
  type KeptPlaces,
  type RankSolveParts,
  type PlaceFactors,
} from '../engine.js';
import type { PassArguments, PassVectors } from '../pass.js';
import { agreedBreakdown, gatherLogs } from '../rank-outcome.js';
import { setIsolated, taskNodes } from '../tree.js';
import { breakdownOfHodlr } from './breakdown.js';
import { factorHodlr } from './factor.js';
import type { HodlrFactors } from './factors.js';
import { addInverseDiagonal, invertAbove } from './inverse.js';
import { hodlrPassTask, hodlrRankTask, openHodlrPass, type HodlrPassState } from './pass.js';
import { planHodlr } from './plan.js';
import { factorAbove } from './factor-above.js';
import { splitCoupling } from './split.js';

/** Bytes that factoring allocates. Throws OptionError where far pairs are not the siblings. */
export function hodlrFactorBytes(data: HierarchicalData, precision: Precision): number {
  const { splitLength, basisLength, factorLength, triangleLength, slotLength } = planHodlr(data, precision);
  return NUMBER_BYTES[precision] * (splitLength + basisLength + factorLength + triangleLength + slotLength);
}

/** Factors for matrices of format 'hodlr'. */
export class HodlrEngine implements FactorEngine {
  readonly precision: Precision;
  readonly indefinite = false;
  readonly bytes: number;
  readonly rankSolve: RankSolveParts = {
    task: hodlrRankTask as RankSolveParts['task'],
    open: (state, blas) => openHodlrPass(state as HodlrPassState, blas),
  };
  readonly passTask = hodlrPassTask as TaskDefinition<never, PassArguments>;
  readonly #factors: HodlrFactors;
  /** R of each node: k × k, little beside its basis. */
  #triangles: FloatArray | undefined;
  /** Scratch, kept from the second factorization on. */
  #slots: FloatArray | undefined;
  #factored = false;
  #split: boolean;

  /** Throws OptionError where far pairs are not the siblings. */
  constructor(data: HierarchicalData, precision: Precision, place: PlaceFactors = freshFactors) {
    const plan = planHodlr(data, precision);
    const nodes = nodesOf(data.tree);
    this.precision = precision;
    this.#factors = {
      data,
      plan,
      splits: place('splits', plan.splitLength, precision),
      bases: place('bases', plan.basisLength, precision),
      factors: place('factors', plan.factorLength, precision),
      logs: place('logs', nodes, 'f64') as Float64Array,
      status: sharedInt32(nodes),
      shift: place('shift', 1, 'f64') as Float64Array,
    };
    this.#split = place !== freshFactors;
    const { splits, bases, factors, logs, status } = this.#factors;
    this.bytes = [
      splits,
      bases,
      factors,
      logs,
      status,
      plan.begin,
      plan.splitBegin,
      plan.basisBegin,
      plan.slotBegin,
      plan.sumBegin,
      plan.triangleBegin,
      plan.factorBegin,
      plan.pairOf,
    ].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  get byFormat(): FactorsByFormat {
    return { format: 'hodlr', factors: this.#factors };
  }

  get kept(): FactorEngine['kept'] {
    const { splits, bases, factors, logs, shift } = this.#factors;
    return { splits, bases, factors, logs, shift };
  }

  /** Splits, bases and factors of held nodes; of the logarithms all ranks have all. */
  places(whole: HierarchicalData): KeptPlaces {
    const { data, plan, logs, shift } = this.#factors;
    const all = planHodlr(whole, this.precision);
    const { begin, end } = data.tree;
    const share = data.share!;
    const { rows } = share;
    const blocks: KeptBlock[] = [];
    const add = (name: string, ν: number, begins: 'splitBegin' | 'factorBegin', length: number): void => {
      blocks.push({ name, here: plan[begins][ν], there: all[begins][ν], length, counts: countsFor(share, ν) });
    };
    for (let ν = 0; ν < logs.length; ν++) {
      if (share.held[ν] === 0) continue;
      const after = (lengths: Float64Array, total: number): number => (lengths[ν + 1] ?? total) - lengths[ν];
      add('splits', ν, 'splitBegin', after(plan.splitBegin, plan.splitLength));
      add('factors', ν, 'factorBegin', after(plan.factorBegin, plan.factorLength));
      const size = {
        rows: rows.end[ν] - rows.begin[ν],
        all: end[ν] - begin[ν],
        first: rows.begin[ν] - begin[ν],
        cols: plan.begin[ν + 1] - plan.begin[ν],
      };
      eachRun(size, (here, there, length, isWhole) => {
        const counts = !isWhole || countsFor(share, ν);
        const [own, other] = [plan.basisBegin[ν] + here, all.basisBegin[ν] + there];
        blocks.push({ name: 'bases', here: own, there: other, length, counts });
      });
    }
    const known = { here: 0, there: 0, counts: share.rank === ROOT };
    blocks.push({ name: 'logs', length: logs.length, ...known }, { name: 'shift', length: 1, ...known });
    const { splitLength: splits, basisLength: bases, factorLength: factors } = all;
    return { lengths: { splits, bases, factors, logs: logs.length, shift: shift.length }, blocks };
  }

  get logdet(): number {
    return logDeterminantOf(this.#factors, isolatedOf(this.#factors.data.tree));
  }

  get inertia(): Inertia {
    return { positive: this.#factors.data.tree.size, negative: 0 };
  }

  /** Nothing: log det is known from `logs`, and no eigenvalue is negative. */
  agree(): void {
    return;
  }

  async refactor(shift: number, control: TeamControl): Promise<Breakdown | undefined> {
    const { data, plan } = this.#factors;
    const { tree } = data;
    this.#factors.shift[0] = shift;
    if (isolatedOf(tree) > 0 && shift === 0) return { node: 0, level: 0, pivot: 0, index: tree.order[0] };
    if (!this.#split) {
      await runOnce('split couplings', splitCoupling, this.#factors, independentTasks(firstLeaf(tree)), control);
      this.#split = true;
    }
    this.#triangles ??= sharedFloats(plan.triangleLength, this.precision);
    const slots = this.#slots ?? sharedFloats(plan.slotLength, this.precision);
    // Who factors twice will do so again.
    if (this.#factored) this.#slots = slots;
    this.#factored = true;
    const state = { ...this.#factors, triangles: this.#triangles, slots };
    await runOnce('factor', factorHodlr, state, upwardTasks(taskNodes(data)), control);
    if (data.share === undefined) return breakdownOfHodlr(data, state.status);
    const { communicator, blas } = control.team;
    factorAbove(state, data.share, communicator, blas);
    gatherLogs(state.logs, data.share, communicator);
    return agreedBreakdown(breakdownOfHodlr(data, state.status), communicator);
  }

  get bytesOfVector(): number {
    const { plan, data } = this.#factors;
    const nodes = nodesOf(data.tree);
    return NUMBER_BYTES[this.precision] * (2 * data.tree.size + plan.begin[nodes] + plan.sumBegin[nodes]);
  }

  passState(vectors: PassVectors): HodlrPassState {
    const { plan, data } = this.#factors;
    const nodes = nodesOf(data.tree);
    const allocate = (numbers: number): FloatArray => sharedFloats(vectors.width * numbers, this.precision);
    return {
      ...this.#factors,
      ...vectors,
      sums: allocate(plan.sumBegin[nodes]),
      projections: allocate(plan.begin[nodes]),
    };
  }

  async diagonalOfInverse(control: TeamControl): Promise<Float64Array> {
    const {
      data: { tree },
      shift,
    } = this.#factors;
    const { team } = control;
    const { data, plan } = this.#factors;
    const out = sharedFloat64(tree.size);
    setIsolated(out, this.#factors.data, 1 / shift[0]);
    const state = { ...this.#factors, out, slots: sharedFloats(plan.slotLength, this.precision) };
    const shared = await team.share(state);
    try {
      if (data.share !== undefined) invertAbove(state, data.share, team.communicator, team.blas);
      for (let level = data.share?.level ?? 0; level <= tree.depth; level++) {
        await team.run(
          'diagonal of the inverse',
          addInverseDiagonal,
          shared,
          independentTasks(2 ** level),
          { first: firstOfLevel(level) },
          control,
        );
      }
    } finally {
      team.release(shared);
    }
    return out;
  }
}
