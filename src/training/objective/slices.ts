/**
 * A batch in slices of samples and θ in blocks of output units: the tasks of an evaluation. How they are cut depends on
 * sizes alone, so that a result has the same bits on any team.
 *
 * Slices go forward and backward, each on its own samples; blocks then sum over all samples, gradient(block) =
 * Ā_{ℓ−1}·D_ℓ(block)ᵀ, so that no worker has a gradient of its own that would have to be added.
 */
import type { Network } from '../../network/network.js';
import { taskGraph, independentTasks, type TaskGraph } from '../../parallel/task-graph.js';

/** Fewer samples than this make a GEMM that runs well below the machine's rate. */
const SAMPLES = 50;
const MOST_SLICES = 16;
/** Numbers of θ in a block, about: 128 KiB in float32. */
const NUMBERS = 32768;
const MOST_BLOCKS = 8;

/** Slices of a batch of `count` samples. */
export const sliceCount = (count: number): number => Math.max(1, Math.min(MOST_SLICES, Math.floor(count / SAMPLES)));

/** First sample of slice s; that of slice s + 1 ends it. */
export const sliceFirst = (count: number, s: number): number => Math.floor((s * count) / sliceCount(count));

/** Output units first … first + count − 1 of a layer: a range of θ. */
export interface Block {
  readonly layer: number;
  readonly first: number;
  readonly count: number;
  /** Where its numbers stand in θ. */
  readonly offset: number;
  readonly length: number;
}

/** The blocks of θ, in the order of θ. */
export function parameterBlocks(network: Network): Block[] {
  return network.layers.flatMap(({ width, outputs, offset }, layer) => {
    const parts = Math.max(1, Math.min(MOST_BLOCKS, outputs, Math.round((width * outputs) / NUMBERS)));
    return Array.from({ length: parts }, (_, k): Block => {
      const first = Math.floor((k * outputs) / parts);
      const count = Math.floor(((k + 1) * outputs) / parts) - first;
      return { layer, first, count, offset: offset + first * width, length: width * count };
    });
  });
}

/** The graphs of an objective's phases, made once for each number of slices. */
export class Graphs {
  readonly #blocks: number;
  readonly #both = new Map<number, TaskGraph>();
  readonly #slices = new Map<number, TaskGraph>();
  readonly updates: TaskGraph;

  constructor(blocks: number) {
    this.#blocks = blocks;
    this.updates = independentTasks(blocks);
  }

  /** Slices 0 … s − 1, then blocks s, s + 1, …: each block after all slices. */
  slicesAndBlocks(slices: number): TaskGraph {
    let graph = this.#both.get(slices);
    if (graph === undefined) {
      const edges: number[] = [];
      for (let s = 0; s < slices; s++) for (let b = 0; b < this.#blocks; b++) edges.push(s, slices + b);
      graph = taskGraph(slices + this.#blocks, edges);
      this.#both.set(slices, graph);
    }
    return graph;
  }

  slices(slices: number): TaskGraph {
    let graph = this.#slices.get(slices);
    if (graph === undefined) {
      graph = independentTasks(slices);
      this.#slices.set(slices, graph);
    }
    return graph;
  }
}
