/**
 * The recursive factorization of a HODLR matrix as a factorization engine.
 */
import { NUMBER_BYTES, sharedFloats } from '../../../core/floats.js';
import { firstOfLevel, leftChild, levelOf } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { FloatArray, Precision } from '../../../dense/matrix.js';
import type { TaskDefinition } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks, upwardTasks } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { isolatedOf, firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';
import { type HierarchicalData } from '../../matrix/data.js';
import {
  freshFactors,
  logDeterminantOf,
  type Breakdown,
  type FactorEngine,
  type Inertia,
  type PlaceFactors,
} from '../engine.js';
import type { PassArguments, PassVectors } from '../pass.js';
import { setIsolated, taskNodes } from '../tree.js';
import { factorHodlr, type HodlrFactors } from './factor.js';
import { addInverseDiagonal } from './inverse.js';
import { hodlrPassTask, type HodlrPassState } from './pass.js';
import { planHodlr } from './plan.js';
import { splitCoupling } from './split.js';

/** Bytes that factoring allocates. Throws OptionError where far pairs are not the siblings. */
export function hodlrFactorBytes(data: HierarchicalData, precision: Precision): number {
  const { splitLength, basisLength, factorLength, triangleLength } = planHodlr(data, precision);
  return NUMBER_BYTES[precision] * (splitLength + basisLength + factorLength + triangleLength);
}

/** Factors for matrices of format 'hodlr'. */
export class HodlrEngine implements FactorEngine {
  readonly precision: Precision;
  readonly indefinite = false;
  readonly bytes: number;
  readonly rankSolve = undefined;
  readonly places = undefined;
  readonly passTask = hodlrPassTask as TaskDefinition<never, PassArguments>;
  readonly #factors: HodlrFactors;
  /** R of each node: k × k, little beside its basis. */
  #triangles: FloatArray | undefined;
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
      plan.triangleBegin,
      plan.factorBegin,
      plan.pairOf,
    ].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  get kept(): FactorEngine['kept'] {
    const { splits, bases, factors, logs, shift } = this.#factors;
    return { splits, bases, factors, logs, shift };
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
    const {
      data: { tree },
      plan,
      status,
    } = this.#factors;
    this.#factors.shift[0] = shift;
    if (isolatedOf(tree) > 0 && shift === 0) return { node: 0, level: 0, pivot: 0, index: tree.order[0] };
    if (!this.#split) {
      await runOnce('split couplings', splitCoupling, this.#factors, independentTasks(firstLeaf(tree)), control);
      this.#split = true;
    }
    this.#triangles ??= sharedFloats(plan.triangleLength, this.precision);
    await runOnce(
      'factor',
      factorHodlr,
      { ...this.#factors, triangles: this.#triangles },
      upwardTasks(taskNodes(this.#factors.data)),
      control,
    );
    // The deepest, leftmost failure: which nodes fail does not depend on the team.
    for (let level = tree.depth; level >= 0; level--) {
      for (let ν = firstOfLevel(level); ν < firstOfLevel(level + 1); ν++) if (status[ν] > 0) return this.#breakdown(ν);
    }
    return undefined;
  }

  get bytesOfVector(): number {
    const { plan, data } = this.#factors;
    return NUMBER_BYTES[this.precision] * (2 * data.tree.size + plan.begin[nodesOf(data.tree)]);
  }

  passState(vectors: PassVectors): HodlrPassState {
    return {
      ...this.#factors,
      ...vectors,
      projections: sharedFloats(
        vectors.width * this.#factors.plan.begin[nodesOf(this.#factors.data.tree)],
        this.precision,
      ),
    };
  }

  async diagonalOfInverse(control: TeamControl): Promise<Float64Array> {
    const {
      data: { tree },
      shift,
    } = this.#factors;
    const { team } = control;
    const out = sharedFloat64(tree.size);
    setIsolated(out, this.#factors.data, 1 / shift[0]);
    const shared = await team.share({ ...this.#factors, out });
    try {
      for (let level = 0; level <= tree.depth; level++) {
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

  /**
   * At an inner node a pivot is a combination of the right child's basis vectors; its first skeleton stands for them.
   */
  #breakdown(ν: number): Breakdown {
    const {
      data: { tree, skeletons },
      status,
    } = this.#factors;
    const pivot = status[ν];
    const index =
      ν >= firstLeaf(tree)
        ? tree.order[tree.begin[ν] + pivot - 1]
        : skeletons.indices[skeletons.begin[leftChild(ν) + 1]];
    return { node: ν, level: levelOf(ν), pivot, index };
  }
}
