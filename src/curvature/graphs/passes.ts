/**
 * Passes of a network of layers over slices of samples, split into tasks of a team: forward passes, one slice a task,
 * and products with curvature, one vector and one part of the slices a task. A part is a node of the tree over groups
 * of slices (layers/groups.ts), which depends on the sizes alone: every team gives the same bits, and so do any number
 * of ranks.
 */
import type { FloatArray } from '../../core/floats.js';
import { sumPlaces, type SumNode } from '../../core/sum-tree.js';
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import { defineTask } from '../../parallel/task.js';
import { graphSliceFirst } from '../../layers/slices.js';
import { Tapes, type TapeLayout } from '../../layers/tape-memory.js';
import type { ProductPass } from '../../layers/network-plan.js';
import { drawLabels } from '../../layers/draw.js';
import type { GraphLoss } from '../../layers/losses.js';
import { cutNodes, type SumStep } from '../products/sample-cut.js';

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
  readonly room: SumRoom;
  /** Sums of losses of the slices that are held. */
  readonly losses: Float64Array;
}

/** Slices of samples that are held, from slice `first` on: they are passed forward, or their terms are added. */
export interface PassArguments {
  readonly first: number;
  /** Vectors of a product. */
  readonly vectors: number;
  /** What is added of them, for each part of a product's groups; null: a forward pass. */
  readonly steps: readonly (readonly SumStep[])[] | null;
  /** Whether sums go on with the next slices: all their places are the product's then, not the worker's. */
  readonly goesOn: boolean;
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

/** Parts of the groups of slices that a product with so many vectors of `size` numbers should have. */
export function partsWanted(size: number, vectors: number): number {
  if (2 * vectors >= TASKS) return 1;
  return Math.max(1, Math.min(Math.ceil(TASKS / vectors), Math.floor((2 * NUMBERS) / (size * vectors))));
}

/** What products sum into. */
export interface SumRoom {
  /** Vectors of sums, and places of a sum beside them that each worker has. */
  readonly sums: number;
  readonly spare: number;
}

/** Room for products with up to `width` vectors over a rank's nodes of groups. */
export function roomFor(nodes: readonly SumNode[], size: number, goesOn: boolean): SumRoom {
  let sums = 0;
  let spare = 0;
  for (let vectors = 1; vectors <= productWidth(size); vectors++) {
    const parts = cutNodes(nodes, partsWanted(size, vectors)).nodes;
    const places = Math.max(1, ...parts.map(({ count }) => sumPlaces(count)));
    sums = Math.max(sums, vectors * parts.length * (goesOn ? places : 1));
    spare = Math.max(spare, goesOn ? 0 : places - 1);
  }
  return { sums, spare };
}

/** Which of the memory's vectors are what. */
export function vectorsOf({
  workers,
  width,
  room: { sums, spare },
}: Pick<GraphPasses, 'workers' | 'width' | 'room'>): VectorPlaces {
  const each = 2 + spare;
  return {
    direction: (worker) => each * worker,
    result: (worker) => each * worker + 1,
    spare: (worker, place) => each * worker + 1 + place,
    given: (j) => each * workers + j,
    sum: (k) => each * workers + width + k,
    count: each * workers + width + sums,
  };
}

/** Numbers of vectors in a memory. */
export interface VectorPlaces {
  /** What a worker's passes go along, and what they give. */
  readonly direction: (worker: number) => number;
  readonly result: (worker: number) => number;
  /** A worker's places of a sum, from the second on. */
  readonly spare: (worker: number, place: number) => number;
  /** Vector j of a product. */
  readonly given: (j: number) => number;
  readonly sum: (k: number) => number;
  readonly count: number;
}

/** Number of a vector's sum: of so many vectors and parts, by place, part and vector. */
export const sumNumber = (
  { place, part, vector }: { readonly place: number; readonly part: number; readonly vector: number },
  { parts, vectors }: { readonly parts: number; readonly vectors: number },
): number => (place * parts + part) * vectors + vector;

/** Tasks of forward passes are slices that are held; those of products are (vector, part), parts fastest. */
export const graphPassTask = defineTask<GraphPasses, PassArguments>(
  import.meta.url,
  'graphPassTask',
  ({ layout, pass, loss, seed, samples, slice, losses, ...sizes }, { blas, worker }) => {
    const tapes = new Tapes(layout, blas, worker);
    const kernels = tapes.memory.kernels(layout.precision);
    const places = vectorsOf(sizes);
    const [direction, result] = [places.direction(worker), places.result(worker)].map((k) => tapes.vector(k));
    const n = direction.length;
    const countOf = (s: number): number => graphSliceFirst(samples, slice, s + 1) - graphSliceFirst(samples, slice, s);

    return (task, { first, vectors, steps, goesOn }) => {
      if (steps === null) {
        const tape = tapes.tape(task);
        tape.resume(countOf(first + task));
        losses[task] = tape.run();
        const { plan } = layout;
        if (plan.errors.length > 0)
          drawLabels({ loss, plan, tape, seed, first: graphSliceFirst(samples, slice, first + task) });
        return;
      }
      const parts = steps.length;
      const [vector, part] = [Math.floor(task / parts), task % parts];
      const sumAt = (place: number): FloatArray =>
        tapes.vector(
          place === 0 || goesOn
            ? places.sum(sumNumber({ place, part, vector }, { parts, vectors }))
            : places.spare(worker, place),
        );
      kernels.combine(n, 1, tapes.vector(places.given(vector)), 0, direction);
      for (const { at, count, place, begins, adds } of steps[part]) {
        for (let s = at; s < at + count; s++) {
          const tape = tapes.tape(s);
          tape.resume(countOf(first + s));
          tape.bind('direction', direction);
          tape.bind('result', result);
          tape.pass(pass);
          kernels.combine(n, 1, result, begins && s === at ? 0 : 1, sumAt(place));
        }
        for (const to of adds) kernels.combine(n, 1, sumAt(to + 1), 1, sumAt(to));
      }
    };
  },
);
