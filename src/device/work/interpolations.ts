/**
 * Interpolative decompositions: many in one launch,
 *
 *   A ≈ A(:, S)·[I T]   up to the order of columns,   |S| = k,
 *
 * by QR with column pivoting: of every block skeleton columns S, as many as its error asks for, and interpolation T
 * (k × (columns − k)). A is overwritten. Source: H. Cheng, Z. Gimbutas, P.-G. Martinsson, V. Rokhlin, SIAM J. Sci.
 * Comput. 26(4), 2005.
 */
import { ShapeError } from '../../core/errors.js';
import { demandOf, requireCount, visitBlock, type Runs, type WorkDemand, type WorkLists } from './demand.js';

/** Columns of a block at most. */
export const MOST_COLUMNS = 1024;
/** A decomposition ends where what is left of A is so many units of rounding of it: that is noise. */
export const NOISE = 16;

/** A block, its limits, and where what is found goes. */
export interface InterpolationBlock {
  /** A, its columns side by side. */
  readonly a: { readonly offset: number; readonly ld: number };
  readonly rows: number;
  /** At most MOST_COLUMNS. */
  readonly columns: number;
  /** Ends where ‖A − A(:, S)·[I T]‖_F ≤ threshold, absolute, or at rank `maxRank`. */
  readonly threshold: number;
  readonly maxRank: number;
  /** Where the numbers of all columns go: S in the order of pivots, then the others, ascending. */
  readonly order: number;
  /** Where T goes, a row for each of S, a column for each other one; ld ≥ the smallest of maxRank, rows and columns. */
  readonly t: { readonly offset: number; readonly ld: number };
  /**
   * Where the rank goes, and behind it ‖A − A(:, S)·[I T]‖_F; NaN where A holds what is no finite number,
   * on cards also where the square of ‖A‖ is none. Numbers whose squares vanish there count as zeros.
   */
  readonly outcome: number;
}

/** What is one launch, with the operands values, order, interpolations and outcomes. */
export interface Interpolations {
  readonly kind: 'interpolations';
  readonly blocks: readonly InterpolationBlock[];
}

/** Numbers of a block in `blocks`: of A offset and ld, rows, columns, most rank, order, of T offset and ld, outcome. */
export const INTERPOLATION_WORDS = 9;

/** The most columns that can be chosen. */
const mostRank = ({ rows, columns, maxRank }: InterpolationBlock): number => Math.min(rows, columns, maxRank);

/** Throws ShapeError unless shapes fit and blocks are apart. */
export function demandOfInterpolations({ blocks }: Interpolations): WorkDemand {
  let flops = 0;
  for (const block of blocks) {
    const { rows, columns, threshold, maxRank, order, outcome } = block;
    requireCount(rows, 'a block whose rows are', 1);
    requireCount(columns, 'a block whose columns are', 1);
    requireCount(maxRank, 'a rank of at most', 0);
    requireCount(order, 'an order at', 0);
    requireCount(outcome, 'an outcome at', 0);
    if (columns > MOST_COLUMNS)
      throw new ShapeError(`The launch has a block of ${columns} columns to interpolate: at most ${MOST_COLUMNS}.`, {
        columns,
      });
    if (!(threshold >= 0))
      throw new ShapeError(`The launch has a threshold ${threshold}: a number ≥ 0.`, { threshold });
    // If all ranks are the largest.
    const k = mostRank(block);
    flops += 4 * rows * columns * k - 2 * (rows + columns) * k ** 2 + (4 * k ** 3) / 3 + (columns - k) * k ** 2;
  }
  const each =
    (visit: (block: InterpolationBlock, to: Parameters<Runs>[0]) => void): Runs =>
    (to) => {
      for (const block of blocks) visit(block, to);
    };
  const written = {
    values: each(({ a, rows, columns }, to) => {
      visitBlock(a, rows, columns, to);
    }),
    order: each(({ order, columns }, to) => {
      to(order, order + columns);
    }),
    interpolations: each((block, to) => {
      if (mostRank(block) > 0) visitBlock(block.t, mostRank(block), block.columns, to);
    }),
    outcomes: each(({ outcome }, to) => {
      to(outcome, outcome + 2);
    }),
  };
  const operands = Object.entries(written).map(([name, writes]) => [name, demandOf(name, 'numbers', { writes })]);
  return { operands: Object.fromEntries(operands) as WorkDemand['operands'], flops: () => flops };
}

/** Their lists; thresholds stand by themselves. */
export const listsOfInterpolations = ({ blocks }: Interpolations): WorkLists => ({
  blocks: Float64Array.from(
    blocks.flatMap((block) => [
      block.a.offset,
      block.a.ld,
      block.rows,
      block.columns,
      mostRank(block),
      block.order,
      block.t.offset,
      block.t.ld,
      block.outcome,
    ]),
  ),
  thresholds: Float64Array.from(blocks, ({ threshold }) => threshold),
});
