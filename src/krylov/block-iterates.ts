/**
 * The iterates of block conjugate gradients.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, view, zeros, type Matrix } from '../dense/matrix.js';
import type { VectorRows } from '../operator/row-share.js';
import { BlockDirections } from './block-directions.js';
import { TallBlocks } from './tall-blocks.js';

/**
 * Iterates, residuals and what is known of them, by place: columns change places, so that those at work stand in front.
 */
export class BlockIterates {
  readonly capacity: number;
  readonly x: Matrix;
  readonly r: Matrix;
  readonly tall: TallBlocks;
  readonly directions: BlockDirections;
  /** Column of the group that stands at each place of x and r. */
  readonly order: Int32Array;
  readonly scales: Float64Array;
  readonly lengths: Float64Array;
  readonly targets: Float64Array;
  /** By place: estimated (or true) norms of residuals; true norms at the last restart. */
  readonly norms: Float64Array;
  readonly before: Float64Array;
  /** rᵀMr. */
  readonly energies: Float64Array;
  /**
   * The x of least estimated residual in the cycle as far as it was kept, that residual, and the last one estimated.
   */
  readonly best: Matrix;
  readonly least: Float64Array;
  readonly estimates: Float64Array;
  /** x as a later cycle began; the first begins at the guess. */
  start: Matrix | undefined;

  constructor(size: number, capacity: number, blas: Blas, rows: VectorRows) {
    this.capacity = capacity;
    this.tall = new TallBlocks(rows, blas);
    this.x = view(sharedFloat64(size * capacity), 0, size, capacity);
    this.r = view(sharedFloat64(size * capacity), 0, size, capacity);
    this.directions = new BlockDirections(size, capacity, blas, this.tall);
    this.order = new Int32Array(capacity);
    this.scales = new Float64Array(capacity);
    this.lengths = new Float64Array(capacity);
    this.targets = new Float64Array(capacity);
    this.norms = new Float64Array(capacity);
    this.before = new Float64Array(capacity);
    this.energies = new Float64Array(capacity);
    this.best = zeros(size, capacity);
    this.least = new Float64Array(capacity);
    this.estimates = new Float64Array(capacity);
  }

  /** The first columns of x are where a later cycle begins. */
  keepStart(count: number): void {
    const { rows } = this.x;
    const start = (this.start ??= zeros(rows, this.capacity));
    copyInto(block(start, 0, 0, rows, count), block(this.x, 0, 0, rows, count));
  }

  /** x_j is the best of its column so far. */
  keep(j: number): void {
    const { rows } = this.x;
    copyInto(block(this.best, 0, j, rows, 1), block(this.x, 0, j, rows, 1));
    this.least[j] = this.norms[j];
  }

  /** x_j and the best one change places. */
  exchange(j: number): void {
    const { rows } = this.x;
    const [x, y] = [this.x.data, this.best.data];
    for (let i = j * rows; i < (j + 1) * rows; i++) [x[i], y[i]] = [y[i], x[i]];
  }

  /** Columns at places i and j change places. */
  swap(i: number, j: number): void {
    if (i === j) return;
    for (const { data, rows } of [this.x, this.r, this.best, ...(this.start === undefined ? [] : [this.start])]) {
      for (let k = 0; k < rows; k++) {
        const kept = data[k + i * rows];
        data[k + i * rows] = data[k + j * rows];
        data[k + j * rows] = kept;
      }
    }
    for (const list of [
      this.order,
      this.scales,
      this.lengths,
      this.targets,
      this.norms,
      this.before,
      this.least,
      this.estimates,
    ]) {
      const kept = list[i];
      list[i] = list[j];
      list[j] = kept;
    }
    this.directions.swap(i, j);
  }

  /** The largest relative residual of the first `count` places, as far as the norms are known. */
  worst(count: number): number {
    let worst = 0;
    for (let j = 0; j < count; j++) if (this.lengths[j] > 0) worst = Math.max(worst, this.norms[j] / this.lengths[j]);
    return worst;
  }

  /**
   * Moves columns that meet their tolerance (or are below `least` of their right-hand side) behind the others; returns
   * how many are left in front.
   */
  park(active: number, least: number): number {
    let left = active;
    for (let j = active - 1; j >= 0; j--) {
      if (this.norms[j] <= Math.max(this.targets[j], least * this.lengths[j])) this.swap(j, --left);
    }
    return left;
  }
}
