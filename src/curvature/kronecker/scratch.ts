/**
 * Work arrays that are kept between batches.
 */
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';

/** What functions over a batch compute with. */
export interface GramWork {
  readonly blas: Blas;
  readonly scratch: Scratch;
}

/**
 * Named contiguous matrices in double precision; a name's array grows to the largest size asked for. Contents are
 * undefined.
 */
export class Scratch {
  readonly #arrays = new Map<string, Float64Array>();

  matrix(name: string, rows: number, cols: number): Matrix {
    let array = this.#arrays.get(name);
    if (array === undefined || array.length < rows * cols)
      this.#arrays.set(name, (array = new Float64Array(rows * cols)));
    return view(array, 0, rows, cols);
  }
}
