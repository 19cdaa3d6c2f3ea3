/**
 * The workspace of an operator: a block of vectors that is kept between products.
 * It lies over shared memory, so that operators on a team take it without a copy, and holds at most `CHUNK` vectors:
 * products with more are done in chunks of columns. It grows with the widest product so far; a second product of the
 * same width allocates nothing.
 */
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../dense/matrix.js';

/** Most vectors multiplied at a time where a workspace stands between. */
export const CHUNK = 256;

/** One buffer in each precision, grown on demand and taken again by every product. */
export class BlockWorkspace {
  #double: Float64Array | undefined;
  #single: Float32Array | undefined;

  /** A contiguous rows × cols block in the precision of `like`; its contents are whatever was left there. */
  take(rows: number, cols: number, like: FloatArray): Matrix {
    const length = rows * cols;
    if (like instanceof Float64Array) {
      if (this.#double === undefined || this.#double.length < length) this.#double = sharedFloat64(length);
      return view(this.#double, 0, rows, cols);
    }
    if (this.#single === undefined || this.#single.length < length) this.#single = sharedFloat32(length);
    return view(this.#single, 0, rows, cols);
  }
}

/** Calls `multiply` for at most CHUNK columns of out and x at a time. */
export function byChunks(out: Matrix, x: Matrix, multiply: (out: Matrix, x: Matrix) => void): void {
  if (x.cols <= CHUNK) {
    multiply(out, x);
    return;
  }
  for (let first = 0; first < x.cols; first += CHUNK) {
    const p = Math.min(CHUNK, x.cols - first);
    multiply(block(out, 0, first, out.rows, p), block(x, 0, first, x.rows, p));
  }
}

const DOUBLE = new Float64Array(0);

/**
 * Vectors of an operator whose tasks read and write float64 over shared memory: themselves where they lie there, else
 * copies in a workspace that is kept.
 */
export class StagedVectors {
  readonly #input = new BlockWorkspace();
  readonly #output = new BlockWorkspace();

  /** Calls `multiply` with out and x so placed, for at most CHUNK columns at a time; with β = 0, out is not read. */
  run(out: Matrix, x: Matrix, beta: number, multiply: (out: Matrix, x: Matrix) => void): void {
    byChunks(out, x, (y, z) => {
      const input = staged(z, this.#input);
      if (input !== z) copyInto(input, z);
      const output = staged(y, this.#output);
      if (output !== y && beta !== 0) copyInto(output, y);
      multiply(output, input);
      if (output !== y) copyInto(y, output);
    });
  }

  /** As `run`, for a `multiply` that gives the event loop its turns; one call at a time. */
  async runInTurns(
    out: Matrix,
    x: Matrix,
    beta: number,
    multiply: (out: Matrix, x: Matrix) => Promise<void>,
  ): Promise<void> {
    for (let first = 0; first < x.cols; first += CHUNK) {
      const p = Math.min(CHUNK, x.cols - first);
      const [y, z] = [block(out, 0, first, out.rows, p), block(x, 0, first, x.rows, p)];
      const input = staged(z, this.#input);
      if (input !== z) copyInto(input, z);
      const output = staged(y, this.#output);
      if (output !== y && beta !== 0) copyInto(output, y);
      await multiply(output, input);
      if (output !== y) copyInto(y, output);
    }
  }
}

function staged(a: Matrix, workspace: BlockWorkspace): Matrix {
  return a.data instanceof Float64Array && a.data.buffer instanceof SharedArrayBuffer
    ? a
    : workspace.take(a.rows, a.cols, DOUBLE);
}
