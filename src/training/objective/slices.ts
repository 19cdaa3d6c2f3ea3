/**
 * A batch in slices of samples and θ in blocks of output units: the tasks of an evaluation. How they are cut depends on
 * sizes alone, so that a result has the same bits on any team.
 *
 * Slices go forward and backward, each on its own samples; blocks then sum over all samples, gradient(block) =
 * Ā_{ℓ−1}·D_ℓ(block)ᵀ, so that no worker has a gradient of its own that would have to be added. That sum is one over
 * groups of whole slices, added by the tree of ../../core/sum-tree.ts: ranks that have some of the groups each make the
 * same bits.
 */
import { groupsOf } from '../../core/sum-tree.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { independentTasks, taskGraph, type TaskGraph } from '../../parallel/task-graph.js';

/** Fewer samples than this make a GEMM that runs well below the machine's rate. */
const SAMPLES = 50;
const MOST_SLICES = 16;
/** Numbers of θ in a block, about: 128 KiB in float32. */
const NUMBERS = 32768;
const MOST_BLOCKS = 8;
/** Units that tiles of GEMM's kernels divide: 48 columns take the time of 43. */
export const TILE = 16;

/** Slices of a batch of `count` samples. */
export const sliceCount = (count: number): number => Math.max(1, Math.min(MOST_SLICES, Math.floor(count / SAMPLES)));

/** First sample of slice s; that of slice s + 1 ends it. */
export const sliceFirst = (count: number, s: number): number => Math.floor((s * count) / sliceCount(count));

/** To add groups of fewer samples takes more than 4 % of the time of their products. */
const GROUP_SAMPLES = 500;

/** Groups of a batch of `count` samples: a power of two. */
export const groupCount = (count: number): number => groupsOf(count, GROUP_SAMPLES);

/** First slice of group g; that of group g + 1 ends it. */
export const groupSlice = (count: number, g: number): number => Math.floor((g * sliceCount(count)) / groupCount(count));

/** First sample of group g. */
export const groupFirst = (count: number, g: number): number => sliceFirst(count, groupSlice(count, g));

/** Output units first … first + count − 1 of a layer: a range of θ. */
export interface Block {
  /** Which of θ's blocks it is. */
  readonly index: number;
  readonly layer: number;
  readonly first: number;
  readonly count: number;
  /** Where its numbers stand in θ. */
  readonly offset: number;
  readonly length: number;
}

/** First unit of part k of `outputs`, at a multiple of TILE where parts are large. */
function bound(k: number, parts: number, outputs: number): number {
  const at = (k * outputs) / parts;
  return outputs < 2 * TILE * parts || k === parts ? Math.floor(at) : TILE * Math.round(at / TILE);
}

/** The blocks of θ, in the order of θ. */
export function parameterBlocks(network: ParameterLayout): Block[] {
  const cut = network.layers.flatMap(({ width, outputs, offset }, layer) => {
    const parts = Math.max(1, Math.min(MOST_BLOCKS, outputs, Math.round((width * outputs) / NUMBERS)));
    return Array.from({ length: parts }, (_, k): Omit<Block, 'index'> => {
      const first = bound(k, parts, outputs);
      const count = bound(k + 1, parts, outputs) - first;
      return { layer, first, count, offset: offset + first * width, length: width * count };
    });
  });
  return cut.map((block, index) => ({ ...block, index }));
}

/** The graphs of an objective's phases, each made once. */
export class Graphs {
  readonly #blocks: number;
  readonly #both = new Map<number, TaskGraph>();
  readonly #independent = new Map<number, TaskGraph>();

  constructor(blocks: number) {
    this.#blocks = blocks;
  }

  /** One task a block. */
  get blocks(): TaskGraph {
    return this.independent(this.#blocks);
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

  /** `count` tasks in any order. */
  independent(count: number): TaskGraph {
    let graph = this.#independent.get(count);
    if (graph === undefined) {
      graph = independentTasks(count);
      this.#independent.set(count, graph);
    }
    return graph;
  }
}
