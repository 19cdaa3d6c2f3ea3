/**
 * A plan at work: its regions of one linear memory, and the machine that primitives run on.
 */
import type { FloatArray, Precision } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import type { TensorKernels } from '../dense/tensor-kernels.js';
import type { VectorKernels, VectorMemory } from '../dense/vector-memory.js';
import type { Node } from './node.js';
import type { Plan, Region } from './plan/plan.js';
import type { Machine } from './primitive.js';
import { primitiveOf } from './primitives/table.js';
import { numbersOf } from './shape.js';

/** Where regions begin, in numbers of the memory. */
export type Regions = Record<Region | 'scratch', number>;

/** A plan on a memory. */
export class Execution implements Machine {
  readonly blas: Blas;
  readonly vectors: VectorKernels;
  readonly tensors: TensorKernels;
  readonly precision: Precision;
  readonly heap: FloatArray;
  readonly #plan: Plan;
  readonly #memory: VectorMemory;
  readonly #width: number;
  readonly #regions: Regions;
  readonly #arrays: (FloatArray | undefined)[] = [];
  readonly #inRegion = new Map<Region, readonly number[]>();
  readonly #indices = new Map<number, Int32Array>();
  readonly #parts = new Map<number, Map<number, FloatArray>>();
  #count = 0;

  constructor(
    plan: Plan,
    { memory, blas, precision }: { readonly memory: VectorMemory; readonly blas: Blas; readonly precision: Precision },
    regions: Regions,
  ) {
    this.#plan = plan;
    this.#memory = memory;
    this.blas = blas;
    this.precision = precision;
    this.vectors = memory.kernels(precision);
    this.tensors = memory.tensorKernels(precision);
    this.heap = memory.all(precision);
    this.#width = this.heap.BYTES_PER_ELEMENT;
    this.#regions = { ...regions };
  }

  get count(): number {
    return this.#count;
  }

  get scratch(): number {
    return this.#regions.scratch;
  }

  /** Samples of the batch, up to the plan's capacity. */
  setCount(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    this.#parts.clear();
    this.#indices.clear();
  }

  /** Lets a region begin elsewhere. */
  move(region: Region, at: number): void {
    if (this.#regions[region] === at) return;
    this.#regions[region] = at;
    for (const id of this.#members(region)) this.#arrays[id] = undefined;
  }

  /** The nodes that stand in a region. */
  #members(region: Region): readonly number[] {
    let members = this.#inRegion.get(region);
    if (members === undefined) {
      members = [...this.#plan.places].flatMap(([id, place]) => (place.region === region ? [id] : []));
      this.#inRegion.set(region, members);
    }
    return members;
  }

  at({ id, name }: Node): number {
    const place = this.#plan.places.get(id);
    if (place === undefined) throw new RangeError(`${name} has no place in the plan.`);
    return this.#regions[place.region] + place.at;
  }

  array(node: Node): FloatArray {
    return (this.#arrays[node.id] ??= this.#open(this.at(node), numbersOf(node.shape, this.#plan.capacity)));
  }

  indices(node: Node): Int32Array {
    return this.#indicesAt(this.at(node), numbersOf(node.shape, this.#count));
  }

  scratchIndices(length: number): Int32Array {
    return this.#indicesAt(this.scratch, length);
  }

  part(at: number, length: number): FloatArray {
    let known = this.#parts.get(at);
    if (known === undefined) this.#parts.set(at, (known = new Map()));
    let part = known.get(length);
    if (part === undefined) known.set(length, (part = this.#open(at, length)));
    return part;
  }

  /** Computes a phase. */
  run(phase: number): void {
    for (const { node, beta, together } of this.#plan.phases[phase]) primitiveOf(node).run(this, node, beta, together);
  }

  #open(at: number, length: number): FloatArray {
    return this.#memory.at(at * this.#width, length, this.precision);
  }

  #indicesAt(at: number, length: number): Int32Array {
    let known = this.#indices.get(at);
    if (known?.length !== length) this.#indices.set(at, (known = this.#memory.indicesAt(at * this.#width, length)));
    return known;
  }
}
