/**
 * The ULV factorization of an HSS matrix as a factorization engine.
 */
import type { Communicator } from '../../../distributed/communicator.js';
import { NUMBER_BYTES, sharedFloats } from '../../../core/floats.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import { inLargePages } from '../../../dense/large-pages.js';
import type { FloatArray, Precision } from '../../../dense/matrix.js';
import type { TaskDefinition } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { taskGraph } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { isolatedOf, nodesOf } from '../../../tree/cluster-tree.js';
import { type HierarchicalData } from '../../matrix/data.js';
import { ROOT } from '../../ranks/gather.js';
import { countsFor } from '../../ranks/share.js';
import {
  freshFactors,
  logDeterminantOf,
  nodeByNode,
  type Breakdown,
  type FactorEngine,
  type FactorsByFormat,
  type Inertia,
  type KeptBlock,
  type KeptPlaces,
  type PlaceFactors,
  type RankSolveParts,
} from '../engine.js';
import type { PassArguments, PassVectors } from '../pass.js';
import { agreedBreakdown } from '../rank-outcome.js';
import { setIsolated, taskNodes } from '../tree.js';
import { breakdownOfUlv } from './breakdown.js';
import { eliminate } from './eliminate.js';
import type { UlvFactors } from './factors.js';
import { invertSelected } from './inverse.js';
import { UlvPass, ulvPassTask, ulvRankTask, type UlvPassState } from './pass.js';
import { basisIn, planUlv } from './plan.js';
import { negativePivots, ShareElimination } from './share-elimination.js';
import { eliminationGraph, type EliminationGraph } from './split-elimination.js';

/** Bytes that factoring allocates. Throws OptionError where the matrix is not HSS. */
export function ulvFactorBytes(data: HierarchicalData, precision: Precision): number {
  const { factorLength, slotLength, splitLength } = planUlv(data, precision);
  return NUMBER_BYTES[precision] * (factorLength + slotLength + splitLength);
}

/** Factors for matrices of format 'hss'. */
export class UlvEngine implements FactorEngine {
  readonly precision: Precision;
  readonly indefinite: boolean;
  readonly bytes: number;
  readonly passTask = ulvPassTask as TaskDefinition<never, PassArguments>;
  readonly rankSolve: RankSolveParts;
  readonly #factors: UlvFactors;
  /** Schur complements, kept from the second factorization on: fresh memory costs as much as a fifth of it. */
  #schur: FloatArray | undefined;
  #graph: EliminationGraph | undefined;
  #ranks: ShareElimination | undefined;
  /** Negative pivots, where several ranks have them. */
  #negative = 0;
  #factored = false;

  /** Throws OptionError where the matrix is not HSS. */
  constructor(data: HierarchicalData, precision: Precision, indefinite: boolean, place: PlaceFactors = freshFactors) {
    const plan = planUlv(data, precision);
    const allocate = (length: number): FloatArray => inLargePages(sharedFloats(length, precision));
    const { basis, basisBegin, copied } = basisIn(data, precision, allocate);
    const nodes = nodesOf(data.tree);
    this.precision = precision;
    this.indefinite = indefinite;
    this.#factors = {
      data,
      plan,
      basis,
      basisBegin,
      factors: place('factors', plan.factorLength, precision),
      signs: place('signs', indefinite ? data.tree.size : 0, precision),
      logs: place('logs', nodes, 'f64') as Float64Array,
      status: sharedInt32(nodes),
      shift: place('shift', 1, 'f64') as Float64Array,
    };
    const { begin } = data.skeletons;
    this.rankSolve = {
      task: ulvRankTask as RankSolveParts['task'],
      open: (state, blas) => {
        const { skeletons } = state as UlvPassState;
        const pass = new UlvPass(state as UlvPassState, blas);
        return { pass, above: nodeByNode(pass, (ν, p) => skeletons.subarray(begin[ν] * p, begin[ν + 1] * p)) };
      },
    };
    const { factors, signs, logs, status } = this.#factors;
    const arrays = [
      factors,
      signs,
      logs,
      status,
      plan.begin,
      plan.factorBegin,
      plan.slotBegin,
      plan.pairOf,
      ...(copied ? [basis, basisBegin] : []),
    ];
    this.bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  get byFormat(): FactorsByFormat {
    return { format: 'ulv', factors: this.#factors };
  }

  get kept(): FactorEngine['kept'] {
    const { factors, signs, logs, shift } = this.#factors;
    return { factors, signs, logs, shift };
  }

  /** Factors of held nodes with their signs; of the logarithms all ranks have all. */
  places(whole: HierarchicalData): KeptPlaces {
    const { data, plan, logs, shift, signs } = this.#factors;
    const all = planUlv(whole, this.precision);
    const share = data.share!;
    const blocks: KeptBlock[] = [];
    for (let ν = 0; ν < logs.length; ν++) {
      if (share.held[ν] === 0) continue;
      const counts = countsFor(share, ν);
      const r = plan.begin[ν + 1] - plan.begin[ν];
      const [here, there] = [plan.factorBegin[ν], all.factorBegin[ν]];
      blocks.push({ name: 'factors', here, there, length: r * (r + plan.rank[ν]), counts });
      if (signs.length > 0) blocks.push({ name: 'signs', here: plan.begin[ν], there: all.begin[ν], length: r, counts });
    }
    const known = { here: 0, there: 0, counts: share.rank === ROOT };
    blocks.push({ name: 'logs', length: logs.length, ...known }, { name: 'shift', length: 1, ...known });
    const lengths = {
      factors: all.factorLength,
      signs: signs.length,
      logs: logs.length,
      shift: shift.length,
    };
    return { lengths, blocks };
  }

  agree(communicator: Communicator): void {
    if (this.indefinite) this.#negative = negativePivots(this.#factors, this.#factors.data.share!, communicator);
  }

  get logdet(): number {
    return logDeterminantOf(this.#factors, isolatedOf(this.#factors.data.tree));
  }

  get inertia(): Inertia {
    const {
      signs,
      shift,
      data: { tree, share },
    } = this.#factors;
    const isolated = isolatedOf(tree);
    let negative = shift[0] < 0 ? isolated : 0;
    if (share !== undefined) negative += this.#negative;
    else for (let i = isolated; i < signs.length; i++) if (signs[i] < 0) negative++;
    return { positive: tree.size - negative, negative };
  }

  async refactor(shift: number, control: TeamControl): Promise<Breakdown | undefined> {
    const {
      data: { tree },
      plan,
    } = this.#factors;
    const isolated = isolatedOf(tree);
    this.#factors.shift[0] = shift;
    if (isolated > 0 && (shift === 0 || (shift < 0 && !this.indefinite)))
      return { node: 0, level: 0, pivot: 0, index: tree.order[0] };
    const scratch = this.indefinite ? 0 : plan.splitLength;
    const schur = this.#schur ?? inLargePages(sharedFloats(plan.slotLength + scratch, this.precision));
    // Who factors twice will do so again.
    if (this.#factored) this.#schur = schur;
    this.#factored = true;
    const { share } = this.#factors.data;
    if (share !== undefined) {
      const { communicator } = control.team;
      const ranks = (this.#ranks ??= new ShareElimination(this.#factors, share, communicator, !this.indefinite));
      await ranks.run(schur, control);
      this.agree(communicator);
      return agreedBreakdown(breakdownOfUlv(this.#factors.data, this.#factors.status), communicator);
    }
    const { graph, tasks } = (this.#graph ??= eliminationGraph(this.#factors.data, plan, !this.indefinite));
    await runOnce('factor', eliminate, { ...this.#factors, schur, tasks }, graph, control);
    return breakdownOfUlv(this.#factors.data, this.#factors.status);
  }

  get bytesOfVector(): number {
    const { tree, skeletons } = this.#factors.data;
    return NUMBER_BYTES[this.precision] * (2 * tree.size + skeletons.indices.length);
  }

  passState(vectors: PassVectors): UlvPassState {
    const skeletons = sharedFloats(vectors.width * this.#factors.data.skeletons.indices.length, this.precision);
    return { ...this.#factors, ...vectors, skeletons };
  }

  async diagonalOfInverse(control: TeamControl): Promise<Float64Array> {
    const {
      data: { tree },
      plan,
      shift,
    } = this.#factors;
    const out = sharedFloat64(tree.size);
    setIsolated(out, this.#factors.data, 1 / shift[0]);
    const nodes = taskNodes(this.#factors.data);
    const edges: number[] = [];
    for (let ν = 1; ν < nodes; ν++) edges.push((ν - 1) >> 1, ν);
    const state = { ...this.#factors, inverse: sharedFloats(plan.slotLength, this.precision), out };
    await runOnce('selected inversion', invertSelected, state, taskGraph(nodes, edges), control);
    return out;
  }
}
