/**
 * What one HSS compression from products leaves for the next one of the same operator: the reference's products and the
 * sketch's depend on tree, size and seed of the sketch, not on the tolerance.
 */
import type { Matrix, Precision } from '../../dense/matrix.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { Sketch } from './hss/sketch.js';

/** x and A·x in tree order: random vectors that no basis was found from, or all columns. */
export interface Reference {
  readonly x: Matrix;
  readonly y: Matrix;
  readonly complete: boolean;
  readonly norm: number;
}

/** What the products depend on. */
export interface ProductsOf {
  readonly tree: ClusterTree;
  readonly columns: number;
  readonly seed: number;
  readonly precision: Precision;
}

/** The products with what they were multiplied by. */
export interface MadeProducts {
  readonly reference: Reference;
  readonly factor: number;
  /** Absent where the reference has all columns. */
  readonly sketch?: Sketch | undefined;
}

/** Belongs to one operator; compressions that are given it multiply once, with the same bits. */
export class KeptProducts {
  #of: ProductsOf | undefined;
  #made: MadeProducts | undefined;

  /** The products of an earlier compression, where they are the same. */
  take({ tree, columns, seed, precision }: ProductsOf): MadeProducts | undefined {
    const kept = this.#of;
    const same = kept?.tree === tree && kept.columns === columns && kept.seed === seed && kept.precision === precision;
    return same ? this.#made : undefined;
  }

  keep(of: ProductsOf, made: MadeProducts): void {
    this.#of = of;
    this.#made = made;
  }
}
