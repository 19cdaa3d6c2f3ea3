/**
 * Where tapes of one plan lie: slices whose numbers are kept, what every worker works in, θ and vectors laid out like
 * it, all in one linear memory that a team shares.
 */
import { NUMBER_BYTES, type FloatArray, type Precision } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import { VectorMemory } from '../dense/vector-memory.js';
import type { GraphNetwork, InputKind } from './graph-network.js';
import type { NetworkPlan } from './network-plan.js';
import { keptNumbers, NetworkTape, workNumbers } from './network-tape.js';

/** The places, in bytes. It is structured-cloneable: the plan stands first, its nodes behind their inputs. */
export interface TapeLayout {
  readonly plan: NetworkPlan;
  readonly memory: object;
  readonly inputKinds: readonly InputKind[];
  readonly precision: Precision;
  /** Of each slice that is held. */
  readonly kept: readonly number[];
  /** Of each worker. */
  readonly work: readonly number[];
  readonly parameters: { readonly at: number; readonly length: number };
  readonly vectors: { readonly at: readonly number[]; readonly length: number };
}

/** What a memory is laid out for. */
export interface TapeMemoryOptions {
  readonly network: GraphNetwork;
  readonly plan: NetworkPlan;
  readonly precision: Precision;
  readonly slices: number;
  readonly workers: number;
  /** Vectors laid out like what is trained of θ. */
  readonly vectors: number;
}

/** Bytes that a slice keeps. */
export const sliceBytes = (plan: NetworkPlan, precision: Precision): number =>
  VectorMemory.bytesOf(keptNumbers(plan), precision);

/** Bytes of everything but the slices. */
export const otherBytes = ({ network, plan, precision, workers, vectors }: TapeMemoryOptions): number =>
  VectorMemory.bytesOf(network.parameters, precision) +
  vectors * VectorMemory.bytesOf(network.trained, precision) +
  workers * VectorMemory.bytesOf(workNumbers(plan), precision);

/** A memory with its layout, θ copied into it. Throws MemoryError, saying that `what` wanted it. */
export function openTapeMemory(options: TapeMemoryOptions, parameters: FloatArray, what: string): TapeLayout {
  const { network, plan, precision, slices, workers, vectors } = options;
  const bytes = otherBytes(options) + slices * sliceBytes(plan, precision) + 64 * NUMBER_BYTES[precision];
  const memory = VectorMemory.open(bytes, what);
  const take = (length: number): number => memory.take(length, precision).byteOffset;
  const many = (count: number, length: number): number[] => Array.from({ length: count }, () => take(length));
  const θ = memory.take(network.parameters, precision);
  θ.set(parameters);
  return {
    plan,
    memory: memory.memory,
    inputKinds: network.inputKinds,
    precision,
    kept: many(slices, keptNumbers(plan)),
    work: many(workers, workNumbers(plan)),
    parameters: { at: θ.byteOffset, length: θ.length },
    vectors: { at: many(vectors, network.trained), length: network.trained },
  };
}

/** One worker's side of such a memory. */
export class Tapes {
  readonly memory: VectorMemory;
  readonly parameters: FloatArray;
  readonly #layout: TapeLayout;
  readonly #blas: Blas;
  readonly #worker: number;
  readonly #tapes: NetworkTape[] = [];
  readonly #vectors: FloatArray[] = [];

  constructor(layout: TapeLayout, blas: Blas, worker: number) {
    const { memory, parameters, precision } = layout;
    this.#layout = layout;
    this.#blas = blas;
    this.#worker = worker;
    this.memory = VectorMemory.over(memory);
    this.parameters = this.memory.at(parameters.at, parameters.length, precision);
  }

  /** The tape of a slice that is held, θ bound; made once, so that its arrays are. */
  tape(slice: number): NetworkTape {
    let tape = this.#tapes[slice] as NetworkTape | undefined;
    if (tape === undefined) {
      const { plan, inputKinds, precision, kept, work } = this.#layout;
      const { memory } = this;
      tape = new NetworkTape(
        plan,
        inputKinds,
        { memory, blas: this.#blas, precision },
        {
          kept: memory.at(kept[slice], keptNumbers(plan), precision),
          work: memory.at(work[this.#worker], workNumbers(plan), precision),
        },
      );
      tape.bind('parameters', this.parameters);
      this.#tapes[slice] = tape;
    }
    return tape;
  }

  /** One of the vectors. */
  vector(k: number): FloatArray {
    const { at, length } = this.#layout.vectors;
    return (this.#vectors[k] ??= this.memory.at(at[k], length, this.#layout.precision));
  }
}
