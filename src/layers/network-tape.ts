/**
 * A network's plan at work on a slice of samples: data in, passes, what they give.
 */
import type { FloatArray, Precision } from '../core/floats.js';
import { RandomStream } from '../core/random.js';
import type { Blas } from '../dense/blas.js';
import type { Matrix } from '../dense/matrix.js';
import type { VectorMemory } from '../dense/vector-memory.js';
import type { Batch } from '../network/data-set.js';
import { Execution, type Regions } from '../tape/execution.js';
import type { Node } from '../tape/node.js';
import type { Machine } from '../tape/primitive.js';
import { aligned, type Region } from '../tape/plan/plan.js';
import { numbersEach, numbersOf, positionsOf, rowsOf } from '../tape/shape.js';
import type { InputKind } from './graph-network.js';
import { constantNumbers, type NetworkPlan, type Pass } from './network-plan.js';

/** Which samples of a batch: `order[first], …`, or `first, …` without an order. */
export interface Samples {
  readonly order: ArrayLike<number> | null;
  readonly first: number;
  readonly count: number;
}

/** What a tape works with. */
export interface TapeTools {
  readonly memory: VectorMemory;
  readonly blas: Blas;
  readonly precision: Precision;
}

/** Numbers from which on they are copied at one stroke. */
const LONG = 32;

/** Keeps the streams of masks apart from others of the same seed. */
const MASKS = 0x6d61736b;

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
    let first = 0;
    leaves.forEach((leaf, k) => {
      this.#place(leaf, this.#kinds[k].planar, inputs, first, samples);
      first += numbersEach(leaf.shape);
    });
    this.#place(wanted, false, targets, 0, samples);
    if (factor !== null) this.#execution.array(factor)[0] = scale;
  }

  /**
   * Draws the masks of a step, no noise and nothing dropped without one; `first`: the first sample's place in the
   * batch.
   */
  drawMasks(seed: number, step: number | null, first: number): void {
    this.#own.masks.forEach(({ node, share }, k) => {
      const array = this.#execution.array(node);
      if (step === null) {
        array.fill(share === null ? 0 : 1);
        return;
      }
      const rows = rowsOf(node.shape);
      const positions = positionsOf(node.shape);
      for (let b = 0; b < this.count; b++) {
        const random = new RandomStream(seed, MASKS, step, first + b, k);
        for (let p = 0; p < positions; p++) {
          const at = rows * (b + this.count * p);
          for (let i = 0; i < rows; i++)
            array[at + i] = share === null ? random.normal() : random.uniform() < share ? 0 : 1 / (1 - share);
        }
      }
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
    const rows = rowsOf(output.shape);
    const from = this.#execution.array(output);
    for (let b = 0; b < this.count; b++)
      for (let p = 0; p < positionsOf(output.shape); p++) {
        const at = rows * (b + this.count * p);
        for (let i = 0; i < rows; i++) out.data[out.offset + b * out.ld + p * rows + i] = from[at + i];
      }
  }

  #place(leaf: Node, planar: boolean, from: Matrix, firstRow: number, { order, first, count }: Samples): void {
    if (!this.#own.plan.places.has(leaf.id)) return;
    const to = this.#execution.array(leaf);
    const rows = rowsOf(leaf.shape);
    const positions = positionsOf(leaf.shape);
    const [byRow, byPosition] = planar ? [positions, 1] : [1, rows];
    const { data } = from;
    for (let b = 0; b < count; b++) {
      const column = order === null ? first + b : order[first + b];
      const begin = from.offset + column * from.ld + firstRow;
      for (let p = 0; p < positions; p++) {
        const at = rows * (b + count * p);
        const source = begin + p * byPosition;
        if (byRow === 1 && rows >= LONG) to.set(data.subarray(source, source + rows), at);
        else for (let i = 0; i < rows; i++) to[at + i] = data[source + i * byRow];
      }
    }
  }
}

/** Where an array begins, in numbers of its memory. */
const placeIn = ({ byteOffset, BYTES_PER_ELEMENT }: FloatArray): number => byteOffset / BYTES_PER_ELEMENT;
