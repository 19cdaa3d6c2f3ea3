/**
 * Block products: many small products of blocks of any shape in one launch,
 *
 *   C_i ← β·C_i + α·Σ_t A_t·B_t.
 *
 * The blocks of A, B and C may lie in one buffer or in three. Transposed blocks are Aᵀ, and also rows of vectors, so
 * that the same launch serves what vectors as rows have to do with each other: δ·Xᵀ summed over a batch. A sum runs in
 * the order of its terms.
 */
import {
  demandOf,
  requireCount,
  visitBlock,
  type Block,
  type Runs,
  type WorkDemand,
  type WorkLists,
} from './demand.js';

/** A term: A is rows × depth, B is depth × columns. */
export interface ProductTerm {
  readonly a: Block;
  readonly b: Block;
  readonly depth: number;
}

/** What C of one target becomes. */
export interface ProductTarget {
  readonly c: Block;
  readonly rows: number;
  readonly columns: number;
  /** Whether its lower triangle alone is asked for; what then stands above the diagonal is not to be read. */
  readonly lower?: boolean | undefined;
  readonly terms: readonly ProductTerm[];
}

/** What is one launch, with the operands a, b and c. */
export interface BlockProducts {
  readonly kind: 'products';
  readonly alpha: number;
  /** With β = 0, what stands in the targets is not read. */
  readonly beta: number;
  readonly targets: readonly ProductTarget[];
}

/** Numbers of a target in `targets`: of C offset, ld, transposed; rows, columns, lower, its terms' begin and end. */
export const PRODUCT_TARGET_WORDS = 8;
/** Numbers of a term in `terms`: of A offset, ld, transposed, of B the same, depth. */
export const PRODUCT_TERM_WORDS = 7;

/** Throws ShapeError unless blocks and shapes fit. */
export function demandOfProducts({ targets }: BlockProducts): WorkDemand {
  let flops = 0;
  for (const { rows, columns, lower, terms } of targets) {
    requireCount(rows, 'a target whose rows are', 1);
    requireCount(columns, 'a target whose columns are', 1);
    for (const { depth } of terms) {
      requireCount(depth, 'a term whose depth is', 1);
      const most = Math.min(rows, columns);
      flops += (lower === true ? most * (2 * rows - most + 1) : 2 * rows * columns) * depth;
    }
  }
  const readsA: Runs = (visit) => {
    for (const { rows, terms } of targets) for (const { a, depth } of terms) visitBlock(a, rows, depth, visit);
  };
  const readsB: Runs = (visit) => {
    for (const { columns, terms } of targets) for (const { b, depth } of terms) visitBlock(b, depth, columns, visit);
  };
  const writes: Runs = (visit) => {
    for (const { c, rows, columns } of targets) visitBlock(c, rows, columns, visit);
  };
  const operands = {
    a: demandOf('a', 'numbers', { reads: readsA }),
    b: demandOf('b', 'numbers', { reads: readsB }),
    c: demandOf('c', 'numbers', { writes }),
  };
  return { operands, flops: () => flops };
}

/** A yes in the lists. */
export const flag = (value: boolean | undefined): number => (value === true ? 1 : 0);

/** Their lists. */
export function listsOfProducts({ targets }: BlockProducts): WorkLists {
  const ofTargets: number[] = [];
  const ofTerms: number[] = [];
  for (const { c, rows, columns, lower, terms } of targets) {
    const begin = ofTerms.length / PRODUCT_TERM_WORDS;
    for (const { a, b, depth } of terms)
      ofTerms.push(a.offset, a.ld, flag(a.transposed), b.offset, b.ld, flag(b.transposed), depth);
    const shape = [rows, columns, flag(lower), begin, begin + terms.length];
    ofTargets.push(c.offset, c.ld, flag(c.transposed), ...shape);
  }
  return { targets: Float64Array.from(ofTargets), terms: Float64Array.from(ofTerms) };
}
