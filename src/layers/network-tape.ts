/**
 * A network's plan at work on a slice of samples: data in, passes, what they give.
 */
import type { FloatArray, Precision } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { VectorMemory } from '../dense/vector-memory.js';
import type { Batch } from '../network/data-set.js';
import { Execution, type Regions } from '../tape/execution.js';
import type { Node } from '../tape/node.js';
import type { Machine } from '../tape/primitive.js';
import { aligned, type Region } from '../tape/plan/plan.js';
import { numbersEach, numbersOf } from '../tape/shape.js';
import type { InputKind } from './graph-network.js';
import { drawMask } from './mask.js';
import { constantNumbers, type NetworkPlan, type Pass } from './network-plan.js';
import { placeSamples, takeSamples, type PlacedRows, type Samples } from './place-samples.js';

/** What a tape works with. */
export interface TapeTools {
  readonly memory: VectorMemory;
  readonly blas: Blas;
  readonly precision: Precision;
}

/** Numbers that a tape keeps of its samples. */
export const keptNumbers = ({ plan }: NetworkPlan): number => aligned(plan.kept);

/** Numbers that tapes which do not run at the same time may share. */
export const workNumbers = (own: NetworkPlan): number => {
  const { work, scratch } = own.plan;
  return aligned(work) + aligned(scratch) + aligned(constantNumbers(own));
};

/** A plan over memory of its own and vectors of the caller. */
export class NetworkTape {
  readonly #own: NetworkPlan;
  readonly #kinds: readonly InputKind[];
  readonly #execution: Execution;

  /** `kept` and `work` numbers are arrays of `keptNumbers` and `workNumbers` of the memory. */
  constructor(
    own: NetworkPlan,
    kinds: readonly InputKind[],
    tools: TapeTools,
    place: { readonly kept: FloatArray; readonly work: FloatArray },
  ) {
    this.#own = own;
    this.#kinds = kinds;
    const { work, scratch } = own.plan;
    const begin = placeIn(place.work);
    const constants = begin + aligned(work) + aligned(scratch);
    const regions: Regions = {
      kept: placeIn(place.kept),
      work: begin,
      scratch: begin + aligned(work),
      constants,
      parameters: 0,
      gradient: 0,
      direction: 0,
      result: 0,
    };
    this.#execution = new Execution(own.plan, tools, regions);
    for (const { at: first, values } of own.constants) this.#execution.heap.set(values, constants + first);
  }

  /** Samples of the slice. */
  get count(): number {
    return this.#execution.count;
  }

  /** Goes on with what another tape over the same memory has loaded and kept. */
  resume(count: number): void {
    this.#execution.setCount(count);
  }

  /** Lets a vector of the caller be one of the regions. */
  bind(region: Exclude<Region, 'kept' | 'work' | 'constants'>, vector: FloatArray): void {
    this.#execution.move(region, placeIn(vector));
  }

  /** Takes samples of a batch; `scale` multiplies their losses. */
  load({ inputs, targets }: Batch, samples: Samples, scale: number): void {
    const { inputs: leaves, targets: wanted, scale: factor } = this.#own;
    this.#execution.setCount(samples.count);
    let firstRow = 0;
    leaves.forEach((leaf, k) => {
      this.#place(leaf, inputs, { ...samples, firstRow, planar: this.#kinds[k].planar });
      firstRow += numbersEach(leaf.shape);
    });
    this.#place(wanted, targets, { ...samples, firstRow: 0, planar: false });
    if (factor !== null) this.#execution.array(factor)[0] = scale;
  }

  /**
   * Draws the masks of a step, no noise and nothing dropped without one; `first`: the first sample's place in the
   * batch.
   */
  drawMasks(seed: number, step: number | null, first: number): void {
    const draw = step === null ? null : { seed, step, first };
    this.#own.masks.forEach((mask, k) => {
      drawMask(this.#execution.array(mask.node), mask, { count: this.count, k, draw });
    });
  }

  /** The first phase; the sum of the samples' losses, without the scale. */
  run(): number {
    this.#execution.run(0);
    const { loss } = this.#own;
    const values = this.#execution.array(loss);
    let total = 0;
    for (let k = 0; k < numbersOf(loss.shape, this.count); k++) total += values[k];
    return total;
  }

  /** A pass at the point of the last `run`. */
  pass(pass: Pass): void {
    this.#execution.run(this.#own.phases.get(pass)!);
  }

  /** What its nodes are computed with. */
  get machine(): Machine {
    return this.#execution;
  }

  /** A node's numbers; those of a smaller slice come first. */
  array(node: Node): FloatArray {
    return this.#execution.array(node);
  }

  /** A node's numbers of this slice. */
  numbers(node: Node): FloatArray {
    return this.#execution.part(this.#execution.at(node), numbersOf(node.shape, this.count));
  }

  /** out ← the output of every sample, a column each, in the order of data sets. */
  readOutput(out: Matrix): void {
    const { output } = this.#own;
    takeSamples(view(out.data, out.offset, out.rows, this.count, out.ld), output.shape, this.#execution.array(output));
  }

  #place(leaf: Node, from: Matrix, rows: PlacedRows): void {
    if (this.#own.plan.places.has(leaf.id)) placeSamples(this.#execution.array(leaf), leaf.shape, from, rows);
  }
}

/** Where an array begins, in numbers of its memory. */
const placeIn = ({ byteOffset, BYTES_PER_ELEMENT }: FloatArray): number => byteOffset / BYTES_PER_ELEMENT;
