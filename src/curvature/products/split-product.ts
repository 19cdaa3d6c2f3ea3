/**
 * Products out ← α·A·X + β·out with a sum A over samples, split into tasks of a team.
 * Wide blocks are split by vectors: a task packs its vectors, sums over all samples in its own memory and writes its
 * columns of the result. Blocks too narrow for that are split by groups of samples as well, and so are those of several
 * ranks and of several batches: each task leaves its sums in shared memory, and one task for each group of vectors adds
 * them. Sums are those of sample-cut.ts, which depends on the sizes alone: every team gives the same bits, and so do
 * any number of ranks.
 */
import { floats } from '../../core/floats.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { block } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { add } from '../../distributed/node-sums.js';
import { groupPlaces } from '../../distributed/sample-groups.js';
import { layerWeights } from '../../network/network.js';
import { defineTask } from '../../parallel/task.js';
import { blend, packedLayer, packVectors, sumLayout, type SumLayout } from './packed-sums.js';
import { gradientWorkspace, GradientProducts } from './gradient-products.js';
import { CurvatureRecurrence, recurrenceWorkspace } from './r-operator.js';
import type { SumStep } from './sample-cut.js';
import type { SampleState } from './sample-state.js';

/** Tasks that a product should at least have: enough for a team to share them evenly. */
const TASKS = 8;
/**
 * Vectors of a group: below the first, GEMMs are too narrow to be fast; above the second, wider ones are no faster. The
 * least is what networks have whose sums take much memory.
 */
const LEAST = 4;
const FEWEST = 8;
const MOST = 32;
/** Samples at a time. */
const LARGEST_CHUNK = 512;
/** Numbers that the stacks of a chunk may hold: 16 MiB in double precision, about what stays near a core. */
const WORKSPACE = 2 ** 21;
/** Numbers that the sums of a task should hold at the most, all places together: 256 MiB in double precision. */
const SUMS = 2 ** 25;

/** How a product with `vectors` vectors is split, whoever makes it. */
export interface Split {
  /** Vectors of a group, and samples at a time. */
  readonly width: number;
  readonly chunk: number;
}

const evenly = (total: number, most: number): number => Math.ceil(total / Math.ceil(total / most));

/** How a product of so many vectors is split, whose samples come in segments of up to `segment` of `samples`. */
export function splitProduct(
  state: SampleState,
  vectors: number,
  { samples, segment }: { readonly samples: number; readonly segment: number },
): Split {
  const each = state.sum.kind === 'gradients' ? gradientWorkspace(state) : recurrenceWorkspace(state);
  const fitting = Math.floor(SUMS / (sumNumbers(state) * groupPlaces(samples)));
  const room = Math.max(1, Math.min(Math.floor(WORKSPACE / (each * 256)), Math.max(LEAST, fitting)));
  const width = Math.min(vectors, evenly(vectors, Math.min(Math.max(FEWEST, Math.ceil(vectors / TASKS)), MOST, room)));
  const chunk = evenly(segment, Math.max(1, Math.min(LARGEST_CHUNK, Math.floor(WORKSPACE / (each * width)))));
  return { width, chunk };
}

/** Parts of the samples, so that with so many groups of vectors a team has enough tasks. */
export const partsWanted = (groups: number): number => (2 * groups >= TASKS ? 1 : Math.ceil(TASKS / groups));

/** One product: what is multiplied, where it goes, and how it is split. */
export interface ProductArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
  /** Power of two that vectors are multiplied by where they are packed; alpha is divided by it. */
  readonly scale: number;
  readonly split: Split;
  /** Groups of vectors. */
  readonly groups: number;
  /** What of the batch that is held is summed, for each part of the samples. */
  readonly steps: readonly (readonly SumStep[])[];
  /**
   * Sums over shared memory, by place, part and vector; null: with a single part, of which all samples are held, tasks
   * keep their own and write the result.
   */
  readonly partial: FloatArray | null;
  /** Whether all places of sums are in `partial`, for batches to come, or the first alone. */
  readonly keepsPlaces: boolean;
  /** Additions of parts, after which the first ones hold the sums of the rank's nodes. */
  readonly combine: readonly { readonly to: number; readonly from: number }[];
  /** The sums of all samples, by vector, of which the result is made; null where some are missing. */
  readonly total: FloatArray | null;
  /** Whether tasks make the result from them, and sum nothing. */
  readonly finishes: boolean;
}

/** Columns of a group of vectors. */
interface Group {
  readonly first: number;
  readonly g: number;
}

class Product {
  readonly #state: SampleState;
  readonly #blas: Blas;
  readonly #layout: SumLayout;
  readonly #terms: CurvatureRecurrence | GradientProducts;
  #packed: FloatArray;
  /** By place. */
  readonly #sums: FloatArray[] = [];
  /** One layer's part of the result for one vector. */
  #row: FloatArray;

  constructor(state: SampleState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#layout = sumLayout(state);
    this.#terms =
      state.sum.kind === 'gradients'
        ? new GradientProducts(state, this.#layout, blas)
        : new CurvatureRecurrence(state, this.#layout, blas);
    this.#packed = this.#array(0);
    this.#row = this.#array(0);
  }

  #array(length: number): FloatArray {
    return floats(length, this.#state.precision);
  }

  /** Task (group, part), part fastest: the sums of its samples; where they are those of all, the result. */
  accumulate(task: number, args: ProductArguments): void {
    const { partial, steps, split, keepsPlaces } = args;
    const part = task % steps.length;
    const group = groupOf(Math.floor(task / steps.length), args);
    const { first, g } = group;
    this.#pack(args, group);
    const length = this.#layout.numbers * g;
    const placeOf = (place: number): FloatArray =>
      partial !== null && (place === 0 || keepsPlaces)
        ? this.#shared(partial, place * steps.length + part, group, args)
        : this.#own(place, length, split.width);
    this.#terms.begin(this.#packed, g);
    for (const { at, count, place, begins, adds } of steps[part]) {
      const sums = placeOf(place);
      if (begins) sums.fill(0);
      for (let k = 0; k < count; k += split.chunk)
        this.#terms.add(at + k, Math.min(split.chunk, count - k), this.#packed, g, sums);
      for (const to of adds) add(placeOf(to), placeOf(to + 1));
    }
    if (partial === null) this.#finish(first, g, placeOf(0), args);
  }

  /** Adds the parts of a group's sums, and writes the result of its vectors where these are the sums of all. */
  combine(task: number, args: ProductArguments): void {
    const { partial, combine, total } = args;
    if (partial === null) return;
    const group = groupOf(task, args);
    for (const { to, from } of combine)
      add(this.#shared(partial, to, group, args), this.#shared(partial, from, group, args));
    if (total !== null) this.finish(task, args);
  }

  /** The result of a group of vectors from the sums of all samples. */
  finish(task: number, args: ProductArguments): void {
    const group = groupOf(task, args);
    this.#pack(args, group);
    this.#finish(group.first, group.g, this.#shared(args.total!, 0, group, args), args);
  }

  /** Sums number k of a group of vectors. */
  #shared(all: FloatArray, k: number, { first, g }: Group, { x }: ProductArguments): FloatArray {
    const { numbers } = this.#layout;
    const at = numbers * (k * x.cols + first);
    return all.subarray(at, at + numbers * g);
  }

  #own(place: number, length: number, width: number): FloatArray {
    const most = this.#layout.numbers * width;
    if ((this.#sums[place]?.length ?? -1) < most) this.#sums[place] = this.#array(most);
    return this.#sums[place].subarray(0, length);
  }

  #pack({ x, scale, split: { width } }: ProductArguments, { first, g }: Group): void {
    const { network } = this.#state;
    if (this.#packed.length < network.parameters * width) this.#packed = this.#array(network.parameters * width);
    packVectors(block(x, 0, first, x.rows, g), network.layers, this.#packed, scale);
  }

  #finish(first: number, g: number, sums: FloatArray, { out, alpha, beta }: ProductArguments): void {
    const {
      network: { layers },
      reduced,
    } = this.#state;
    layers.forEach(({ width, outputs, offset }, ℓ) => {
      const size = width * outputs;
      const completed = ℓ === layers.length - 1 && reduced !== null;
      const direct = this.#layout.direct[ℓ];
      for (let j = 0; j < g; j++) {
        const sum = completed
          ? view(this.#completeReduced(j, g, sums), 0, size, 1)
          : view(sums, direct * g + j * size, size, 1);
        blend(block(out, offset, first + j, size, 1), sum, alpha, beta);
      }
    });
  }

  /** scale·((Σ Ā RAᵀ) W_Lᵀ + (Σ ĀĀᵀ) V_Lᵀ), plus what was summed directly, for vector j. */
  #completeReduced(j: number, g: number, sums: FloatArray): FloatArray {
    const {
      network: { layers },
      parameters,
      reduced,
      scale,
    } = this.#state;
    const ℓ = layers.length - 1;
    const layer = layers[ℓ];
    const { width, inputs, outputs } = layer;
    const size = width * outputs;
    if (this.#row.length < size) this.#row = this.#array(size);
    const row = view(this.#row, 0, width, outputs);
    const vector = packedLayer(this.#packed, layer, g);
    const direct = this.#layout.direct[ℓ];
    if (direct >= 0) this.#row.set(sums.subarray(direct * g + j * size, direct * g + (j + 1) * size));
    this.#blas.gemm(
      'N',
      'N',
      scale,
      view(reduced!.moment, 0, width, width),
      view(vector.data, vector.offset + j * size, width, outputs),
      direct >= 0 ? 1 : 0,
      row,
    );
    if (this.#layout.reduced >= 0) {
      const passed = view(sums, this.#layout.reduced * g + j * width * inputs, width, inputs);
      this.#blas.gemm('N', 'N', scale, passed, block(layerWeights(layer, parameters), 0, 0, inputs, outputs), 1, row);
    }
    return this.#row;
  }
}

const groupOf = (group: number, { x, split: { width } }: ProductArguments): Group => ({
  first: group * width,
  g: Math.min(width, x.cols - group * width),
});

/**
 * Tasks 0 … groups·parts − 1 sum; after them tasks groups·parts … groups·parts + groups − 1, where there are these, add
 * parts. Tasks that finish are groups.
 */
export const productTask = defineTask<SampleState, ProductArguments>(
  import.meta.url,
  'productTask',
  (state, { blas }) => {
    const product = new Product(state, blas);
    return (task, args) => {
      const sums = args.groups * args.steps.length;
      if (args.finishes) product.finish(task, args);
      else if (task < sums) product.accumulate(task, args);
      else product.combine(task - sums, args);
    };
  },
);

/** What must be done before what: edges for `taskGraph`. */
export function productEdges(groups: number, parts: number): number[] {
  const edges: number[] = [];
  for (let group = 0; group < groups; group++)
    for (let p = 0; p < parts; p++) edges.push(group * parts + p, groups * parts + group);
  return edges;
}

/** Numbers per vector of the sums. */
export const sumNumbers = (state: SampleState): number => sumLayout(state).numbers;
