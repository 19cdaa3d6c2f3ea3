/**
 * Launches as operations of TensorFlow.js. Tensors do not change: a launch gathers what it reads, by lists of places
 * that lie on the device, computes on batches of equal shapes, and makes what it writes anew, around what it leaves.
 */
import type { TfOperations, TfTensor } from './api.js';

/** Numbers that a launch reads beside its operands. */
export interface NumberList {
  readonly values: Int32Array | Float32Array;
  readonly shape: readonly number[];
}

/** A launch. */
export interface TfProgram {
  readonly lists: readonly NumberList[];
  /** Flops done for vectors of that width, padding included. */
  readonly padded: (width: number) => number;
  /** What the operands hold that it writes; `lists` are those above, as tensors. */
  readonly run: (
    tf: TfOperations,
    lists: readonly TfTensor[],
    operands: Readonly<Record<string, TfTensor>>,
    width: number,
  ) => Readonly<Record<string, TfTensor>>;
}

/** A launch that has nothing to do. */
export const NOTHING: TfProgram = { lists: [], padded: () => 0, run: () => ({}) };

/** What makes views or constants, and computes nothing. */
const VIEWS: ReadonlySet<unknown> = new Set(['slice', 'reshape', 'zeros', 'ones']);

/** Operations that a launch is, views aside: it is run with tensors that are none. */
export function operationsOf({ run }: TfProgram): number {
  let count = 0;
  const none = {} as TfTensor;
  const operations = new Proxy({} as TfOperations, {
    get: (_, name) => () => {
      if (!VIEWS.has(name)) count++;
      return none;
    },
  });
  run(operations, [], {}, 1);
  return count;
}

/** Puts lists together; each is known by its number. */
export class NumberLists {
  readonly all: NumberList[] = [];

  /** The next list. */
  add(values: NumberList['values'], shape: readonly number[] = [values.length]): number {
    this.all.push({ values, shape });
    return this.all.length - 1;
  }
}

/** Rows begin … end − 1 of `width` numbers each; without an end, all from there on. */
export const rowsOf = (tf: TfOperations, x: TfTensor, begin: number, end: number, width: number): TfTensor =>
  tf.reshape(tf.slice(x, [begin * width], [(end - begin) * width]), [end - begin, width]);

/** Numbers, or rows of `width` of them, behind a zero, or a row of zeros: place i stands at i + 1. */
export const behindZero = (tf: TfOperations, x: TfTensor, width?: number): TfTensor =>
  tf.concat([tf.zeros(width === undefined ? [1] : [1, width]), x], 0);

/** Where results go: number from[u] of the results, one or a row, to place to[u]. No place is written twice. */
export class Placement {
  /** The results, by their numbers u, in the order of their places. */
  readonly order: Int32Array;
  readonly #begin: number;
  readonly #end: number;
  readonly #select: number;
  /** The places from `begin` on, and what stands between them then; undefined where they are all. */
  readonly #between: { readonly places: number; readonly mixed: number } | undefined;

  constructor(lists: NumberLists, to: Int32Array, from: Int32Array) {
    let [begin, end] = [Infinity, 0];
    for (const at of to) {
      begin = Math.min(begin, at);
      end = Math.max(end, at + 1);
    }
    const results = new Int32Array(end - begin).fill(-1);
    for (let u = 0; u < to.length; u++) results[to[u] - begin] = u;
    this.order = results.filter((u) => u >= 0);
    this.#begin = begin;
    this.#end = end;
    this.#select = lists.add(this.order.map((u) => from[u]));
    if (to.length === results.length) return;
    const places = new Int32Array(to.length);
    const mixed = new Int32Array(results.length);
    let number = 0;
    for (let i = 0; i < results.length; i++) {
      mixed[i] = results[i] < 0 ? i : results.length + number;
      if (results[i] >= 0) places[number++] = i;
    }
    this.#between = { places: lists.add(places), mixed: lists.add(mixed) };
  }

  /** The results in the order of their places. */
  select(tf: TfOperations, lists: readonly TfTensor[], results: readonly TfTensor[]): TfTensor {
    return tf.gather(results.length === 1 ? results[0] : tf.concat(results, 0), lists[this.#select]);
  }

  /** What stands in the places. */
  current(tf: TfOperations, lists: readonly TfTensor[], x: TfTensor, width: number): TfTensor {
    const rows = rowsOf(tf, x, this.#begin, this.#end, width);
    return this.#between === undefined ? rows : tf.gather(rows, lists[this.#between.places]);
  }

  /** x with `updates`, in the order of the places, in them. */
  put(
    tf: TfOperations,
    lists: readonly TfTensor[],
    x: TfTensor,
    [updates, width]: readonly [TfTensor, number],
  ): TfTensor {
    const [begin, end] = [this.#begin, this.#end];
    if (this.#between === undefined) return around(tf, x, [begin * width, end * width], updates);
    const both = tf.concat([rowsOf(tf, x, begin, end, width), updates], 0);
    return around(tf, x, [begin * width, end * width], tf.gather(both, lists[this.#between.mixed]));
  }
}

/** x with other numbers from begin to end. */
export const around = (
  tf: TfOperations,
  x: TfTensor,
  [begin, end]: readonly [number, number],
  numbers: TfTensor,
): TfTensor => tf.concat([tf.slice(x, [0], [begin]), tf.reshape(numbers, [-1]), tf.slice(x, [end])], 0);

/** Shapes that are computed with at once, as the largest of them. */
export interface Batch {
  readonly members: readonly number[];
  readonly shape: readonly number[];
}

/** 1, 2, 3, 4, 6, 8, 12, 16, 24, …: at most half of a size is padding. */
function rounded(size: number): number {
  const power = 2 ** Math.ceil(Math.log2(size));
  return 4 * size <= 3 * power ? 0.75 * power : power;
}

/** Batches of alike shapes, all of as many sizes ≥ 1. */
export function batchesOf(shapes: readonly (readonly number[])[]): Batch[] {
  const found = new Map<string, number[]>();
  shapes.forEach((shape, i) => {
    const key = shape.map(rounded).join();
    const members = found.get(key);
    if (members === undefined) found.set(key, [i]);
    else members.push(i);
  });
  return [...found.values()].map((members) => ({
    members,
    shape: shapes[members[0]].map((_, size) => Math.max(...members.map((i) => shapes[i][size]))),
  }));
}
