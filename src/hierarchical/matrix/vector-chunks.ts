/**
 * How many vectors a product or a solve takes at a time: its workspace grows with them, and is narrower where N is
 * large or memory is short.
 */
import { view, copyInto, type Matrix } from '../../dense/matrix.js';
import { agreedLeast } from '../../distributed/agreed.js';
import type { Communicator } from '../../distributed/communicator.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { availableMemory, totalMemory } from '../../io/machine.js';

/** Vectors at a time at most: gemm packs the stored blocks once a chunk, and by 256 columns that costs little. */
const MOST_VECTORS = 256;
/** Vectors at a time, however many numbers each takes, where memory is not short. */
const LEAST_VECTORS = 16;
/** A workspace takes no more of the machine's memory, and of what is left of it, than these shares. */
const SHARE_OF_ALL = 1 / 16;
const SHARE_OF_AVAILABLE = 1 / 4;

/**
 * A power of two of vectors, from 1 to 256, each of which takes `bytes` of workspace, where a machine has so many bytes
 * of memory and so many of them are free; default: this machine.
 */
export function vectorsAtATime(bytes: number, total = totalMemory(), available = availableMemory()): number {
  const most = Math.min(
    Math.max(total * SHARE_OF_ALL, LEAST_VECTORS * bytes),
    available * SHARE_OF_AVAILABLE,
    MOST_VECTORS * bytes,
  );
  return 2 ** Math.floor(Math.log2(Math.max(1, most / Math.max(1, bytes))));
}

/** Chunks of columns, and copies over shared memory of those that workers cannot see. */
export class VectorChunks {
  readonly #rows: number;
  /** Bytes of workspace of a vector, those copies included. */
  readonly #bytes: number;
  /** Ranks that multiply together take as many at a time. */
  readonly #communicator: Communicator;
  #most: number | undefined;
  #staging: { x: Float64Array; out: Float64Array } | undefined;

  /** `bytes`: what a vector takes besides the copies. */
  constructor(rows: number, bytes: number, communicator: Communicator) {
    this.#rows = rows;
    this.#communicator = communicator;
    this.#bytes = bytes + 2 * rows * Float64Array.BYTES_PER_ELEMENT;
  }

  /** Vectors that a workspace for so many should hold; fewer than asked for where they come in chunks. */
  width(vectors: number): number {
    this.#most ??= agreedLeast(this.#communicator, vectorsAtATime(this.#bytes));
    return Math.min(this.#most, 2 ** Math.ceil(Math.log2(Math.max(1, vectors))));
  }

  /**
   * Runs `pass` on chunks of at most `width` columns of x and out, both over shared memory; what it adds to is in its
   * out where `adds`.
   */
  run(out: Matrix, x: Matrix, width: number, adds: boolean, pass: (out: Matrix, x: Matrix) => void): void {
    const direct = out.data.buffer instanceof SharedArrayBuffer;
    for (let first = 0; first < x.cols; first += width) {
      const p = Math.min(width, x.cols - first);
      const xs = this.#sharedInput(view(x.data, x.offset + first * x.ld, x.rows, p, x.ld));
      const target = view(out.data, out.offset + first * out.ld, out.rows, p, out.ld);
      const ys = direct ? target : view(this.#stage(p).out, 0, out.rows, p);
      if (!direct && adds) copyInto(ys, target);
      pass(ys, xs);
      if (!direct) copyInto(target, ys);
    }
  }

  /** Lets the copies go. */
  release(): void {
    this.#staging = undefined;
  }

  #sharedInput(x: Matrix): Matrix {
    if (x.data.buffer instanceof SharedArrayBuffer) return x;
    const copy = view(this.#stage(x.cols).x, 0, x.rows, x.cols);
    copyInto(copy, x);
    return copy;
  }

  #stage(vectors: number): { x: Float64Array; out: Float64Array } {
    const length = this.#rows * this.width(vectors);
    if (this.#staging === undefined || this.#staging.x.length < length)
      this.#staging = { x: sharedFloat64(length), out: sharedFloat64(length) };
    return this.#staging;
  }
}
