/**
 * Products out ← α·A·X + β·out with a sum A over samples, split into tasks of a team.
 * Wide blocks are split by vectors: a task packs its vectors, sums over all samples in its own memory and writes its
 * columns of the result. Blocks too narrow for that are split by samples as well: each task leaves its sums in shared
 * memory, and one task for each group of vectors adds them in order. The split depends on the sizes alone, so every
 * team gives the same bits.
 */
import { floats } from '../../core/floats.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { block } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { layerWeights } from '../../network/network.js';
import { defineTask } from '../../parallel/task.js';
import { blend, packedLayer, packVectors, sumLayout, type SumLayout } from './packed-sums.js';
import { gradientWorkspace, GradientProducts } from './gradient-products.js';
import { CurvatureRecurrence, recurrenceWorkspace } from './r-operator.js';
import type { SampleState } from './sample-state.js';

/** Tasks that a product should at least have: enough for a team to share them evenly. */
const TASKS = 8;
/** Vectors of a group: below the first, GEMMs are too narrow to be fast; above the second, wider ones are no faster. */
const FEWEST = 8;
const MOST = 32;
/** Samples of a part, and samples at a time. */
const SMALLEST_PART = 96;
const LARGEST_CHUNK = 512;
/** Numbers that the stacks of a chunk may hold: 16 MiB in double precision, about what stays near a core. */
const WORKSPACE = 2 ** 21;

/** How a product with `vectors` vectors over `samples` samples is split. */
export interface Split {
  /** Vectors of a group, and groups. */
  readonly width: number;
  readonly groups: number;
  /** Parts of the samples, and samples of a part. */
  readonly parts: number;
  readonly part: number;
  /** Samples at a time. */
  readonly chunk: number;
}

const evenly = (total: number, most: number): number => Math.ceil(total / Math.ceil(total / most));

/** How a product of so many vectors and samples is split: wide groups of vectors first, then parts of the samples. */
export function splitProduct(state: SampleState, vectors: number, samples: number): Split {
  const each = state.sum.kind === 'gradients' ? gradientWorkspace(state) : recurrenceWorkspace(state);
  const room = Math.max(1, Math.floor(WORKSPACE / (each * 256)));
  const width = Math.min(vectors, evenly(vectors, Math.min(Math.max(FEWEST, Math.ceil(vectors / TASKS)), MOST, room)));
  const groups = Math.ceil(vectors / width);
  const parts =
    2 * groups >= TASKS ? 1 : Math.max(1, Math.min(Math.ceil(TASKS / groups), Math.floor(samples / SMALLEST_PART)));
  const part = Math.ceil(samples / parts);
  const chunk = evenly(part, Math.max(1, Math.min(LARGEST_CHUNK, Math.floor(WORKSPACE / (each * width)))));
  return { width, groups, parts: Math.ceil(samples / part), part, chunk };
}

/** One product: what is multiplied, where it goes, and how it is split. */
export interface ProductArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
  /** Samples of the batch. */
  readonly samples: number;
  /** Power of two that vectors are multiplied by where they are packed; alpha is divided by it. */
  readonly scale: number;
  readonly split: Split;
  /** Sums of each (group, part), `numbers·width` apart; null where there is one part. */
  readonly partial: FloatArray | null;
}

class Product {
  readonly #state: SampleState;
  readonly #blas: Blas;
  readonly #layout: SumLayout;
  readonly #terms: CurvatureRecurrence | GradientProducts;
  #packed: FloatArray;
  #sums: FloatArray;
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
    this.#sums = this.#array(0);
    this.#row = this.#array(0);
  }

  #array(length: number): FloatArray {
    return floats(length, this.#state.precision);
  }

  /** Task (group, part), part fastest: the sums of its samples; with one part, the result of its vectors. */
  accumulate(task: number, args: ProductArguments): void {
    const {
      x,
      scale,
      samples,
      split: { width, parts, part, chunk },
      partial,
    } = args;
    const group = Math.floor(task / parts);
    const first = group * width;
    const g = Math.min(width, x.cols - first);
    this.#pack(x, first, g, width, scale);
    const { numbers } = this.#layout;
    let sums: FloatArray;
    if (partial === null) {
      if (this.#sums.length < numbers * width) this.#sums = this.#array(numbers * width);
      sums = this.#sums;
    } else {
      sums = partial.subarray(task * numbers * width, (task + 1) * numbers * width);
    }
    sums.fill(0, 0, numbers * g);
    this.#terms.begin(this.#packed, g);
    const begin = (task % parts) * part;
    const end = Math.min(samples, begin + part);
    for (let at = begin; at < end; at += chunk) this.#terms.add(at, Math.min(chunk, end - at), this.#packed, g, sums);
    if (partial === null) this.#finish(first, g, sums, args);
  }

  /** Adds a group's sums in the order of their parts, and writes the result of its vectors. */
  reduce(group: number, args: ProductArguments): void {
    const {
      x,
      scale,
      split: { width, parts },
      partial,
    } = args;
    if (partial === null) return;
    const first = group * width;
    const g = Math.min(width, x.cols - first);
    const size = this.#layout.numbers * width;
    const sums = partial.subarray(group * parts * size, (group * parts + 1) * size);
    for (let p = 1; p < parts; p++) {
      const from = (group * parts + p) * size;
      for (let k = 0; k < this.#layout.numbers * g; k++) sums[k] += partial[from + k];
    }
    this.#pack(x, first, g, width, scale);
    this.#finish(first, g, sums, args);
  }

  #pack(x: Matrix, first: number, g: number, width: number, scale: number): void {
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

/**
 * Tasks 0 … groups·parts − 1 sum; with several parts, tasks groups·parts … groups·parts + groups − 1 add and write,
 * each after its group's sums.
 */
export const productTask = defineTask<SampleState, ProductArguments>(
  import.meta.url,
  'productTask',
  (state, { blas }) => {
    const product = new Product(state, blas);
    return (task, args) => {
      const sums = args.split.groups * args.split.parts;
      if (task < sums) product.accumulate(task, args);
      else product.reduce(task - sums, args);
    };
  },
);

/** What must be done before what: edges for `taskGraph`, empty where there is one part. */
export function productEdges({ groups, parts }: Split): number[] {
  const edges: number[] = [];
  if (parts > 1)
    for (let group = 0; group < groups; group++)
      for (let p = 0; p < parts; p++) edges.push(group * parts + p, groups * parts + group);
  return edges;
}

/** Numbers per vector of the sums: the size of `partial`. */
export const sumNumbers = (state: SampleState): number => sumLayout(state).numbers;
