/**
 * Passes of a network of layers over slices of samples, split into tasks of a team: forward passes, one slice a task,
 * and products with curvature, one vector and one part of the slices a task. A part adds its slices in order into a
 * vector of its own. The split depends on the sizes alone, so every team gives the same bits.
 */
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import { defineTask } from '../../parallel/task.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { Tapes, type TapeLayout } from '../../layers/tape-memory.js';
import type { ProductPass } from '../../layers/network-plan.js';
import { drawLabels } from '../../layers/draw.js';
import type { GraphLoss } from '../../layers/losses.js';

/** What every worker knows. It is structured-cloneable, its layout first. */
export interface GraphPasses {
  readonly layout: TapeLayout;
  readonly pass: ProductPass;
  readonly loss: GraphLoss;
  /** Of drawn labels. */
  readonly seed: number;
  readonly samples: number;
  /** Most samples of a slice. */
  readonly slice: number;
  readonly workers: number;
  /** Vectors of a product at a time. */
  readonly width: number;
  /** Sums of losses of the slices that are held. */
  readonly losses: Float64Array;
}

/** Slices `first` … `last` − 1 are held: those are passed forward, or their terms are added. */
export interface PassArguments {
  readonly first: number;
  readonly last: number;
  /** Parts of all slices in a product; null: a forward pass. */
  readonly parts: number | null;
}

/** Tasks that a product should at least have: enough for a team to share them evenly. */
const TASKS = 8;
/** Most vectors of a product at a time, and numbers that they may have: 128 MiB in double precision. */
const VECTORS = 16;
const NUMBERS = 2 ** 24;

/** Samples of a slice where there are few: enough columns for multiplications of matrices. */
const FEW_SAMPLES = 16;

/** Most samples of a slice: as many as the network's slices have, but enough slices for a team. */
export const sliceFor = (network: GraphNetwork, samples: number): number =>
  Math.min(sliceSamples(network), Math.max(FEW_SAMPLES, Math.ceil(samples / TASKS)));

/** Vectors of a product at a time. */
export const productWidth = (size: number): number => Math.max(1, Math.min(VECTORS, Math.floor(NUMBERS / size)));

/** Parts of the slices in a product with so many vectors of `size` numbers. */
export function productParts(size: number, vectors: number, slices: number): number {
  if (2 * vectors >= TASKS) return 1;
  return Math.max(1, Math.min(Math.ceil(TASKS / vectors), slices, Math.floor((2 * NUMBERS) / (size * vectors))));
}

/** First slice of a part; that of the next one ends it. */
const partFirst = (slices: number, parts: number, part: number): number => Math.floor((part * slices) / parts);

/** Which of the memory's vectors are what. */
export const vectorsOf = ({ workers, width }: Pick<GraphPasses, 'workers' | 'width'>): VectorPlaces => ({
  direction: (worker) => 2 * worker,
  result: (worker) => 2 * worker + 1,
  given: (j) => 2 * workers + j,
  sum: (j, part, parts) => 2 * workers + width + j * parts + part,
  count: 2 * workers + width + Math.max(width, TASKS + 1),
});

/** Numbers of vectors in a memory. */
export interface VectorPlaces {
  /** What a worker's passes go along, and what they give. */
  readonly direction: (worker: number) => number;
  readonly result: (worker: number) => number;
  /** Vector j of a product. */
  readonly given: (j: number) => number;
  readonly sum: (j: number, part: number, parts: number) => number;
  readonly count: number;
}

/** Tasks of forward passes are slices that are held; those of products are (vector, part), parts fastest. */
export const graphPassTask = defineTask<GraphPasses, PassArguments>(
  import.meta.url,
  'graphPassTask',
  ({ layout, pass, loss, seed, samples, slice, losses, ...sizes }, { blas, worker }) => {
    const tapes = new Tapes(layout, blas, worker);
    const kernels = tapes.memory.kernels(layout.precision);
    const places = vectorsOf(sizes);
    const slices = graphSlices(samples, slice);
    const [direction, result] = [places.direction(worker), places.result(worker)].map((k) => tapes.vector(k));
    const n = direction.length;
    const countOf = (s: number): number => graphSliceFirst(samples, slice, s + 1) - graphSliceFirst(samples, slice, s);

    return (task, { first, last, parts }) => {
      if (parts === null) {
        const tape = tapes.tape(task);
        tape.resume(countOf(first + task));
        losses[task] = tape.run();
        const { plan } = layout;
        if (plan.errors.length > 0)
          drawLabels({ loss, plan, tape, seed, first: graphSliceFirst(samples, slice, first + task) });
        return;
      }
      const [vector, part] = [Math.floor(task / parts), task % parts];
      const begin = partFirst(slices, parts, part);
      const sum = tapes.vector(places.sum(vector, part, parts));
      kernels.combine(n, 1, tapes.vector(places.given(vector)), 0, direction);
      for (let s = Math.max(first, begin); s < Math.min(last, partFirst(slices, parts, part + 1)); s++) {
        const tape = tapes.tape(s - first);
        tape.resume(countOf(s));
        tape.bind('direction', direction);
        tape.bind('result', result);
        tape.pass(pass);
        kernels.combine(n, 1, result, s === begin ? 0 : 1, sum);
      }
    };
  },
);
