/**
 * Vectors as rows: combinations with scalars that lie on the device, and inner products column by column.
 *
 *   Y(i, q) ← α_q·D_i·X(i, q) + β_q·Y(i, q);   s(q) = Σ_i X(i, q)·Y(i, q)
 *
 * Inner products are summed in an order that the number of rows alone determines: the same bits whoever computes them.
 */
import { demandOf, requireCount, type Demand, type Runs, type WorkDemand, type WorkLists } from './demand.js';

/**
 * A factor of each column: constant·s(numerator, q)/s(denominator, q), s the rows of `scalars`; without rows the
 * constant. Where the denominator is 0, it is 0; and, if it is to be `positive`, where numerator or denominator are not
 * positive numbers: no step is taken along a direction without curvature.
 */
export interface Coefficient {
  readonly constant: number;
  readonly numerator?: number | undefined;
  readonly denominator?: number | undefined;
  readonly positive?: boolean | undefined;
}

/** A combination, with the operands x and y, scalars where a coefficient has rows, diagonal where it is asked for. */
export interface Combination {
  readonly kind: 'combination';
  /** The first rows of X and Y, and how many rows there are. */
  readonly x: number;
  readonly y: number;
  readonly count: number;
  readonly alpha: Coefficient;
  /** Where it is the constant 0, Y is not read. */
  readonly beta: Coefficient;
  /** Whether row i of X is multiplied by number i of `diagonal`. */
  readonly diagonal?: boolean | undefined;
}

/** Inner products, with the operands x, y and out, of which x and y may be one buffer. */
export interface InnerProducts {
  readonly kind: 'innerProducts';
  /** Of rows x … x + count of X and rows y … y + count of Y, to row `to` of out. */
  readonly products: readonly {
    readonly x: number;
    readonly y: number;
    readonly count: number;
    readonly to: number;
  }[];
}

/** Rows whose products are summed by themselves, before their sums are. */
export const PARTIAL_ROWS = 1024;
/** Numbers of an inner product in `products`: x, y, count, to. */
export const INNER_PRODUCT_WORDS = 4;

const range =
  (first: number, count: number): Runs =>
  (visit) => {
    visit(first, first + count);
  };

/** Throws ShapeError unless it names rows. */
export function demandOfCombination({ x, y, count, alpha, beta, diagonal }: Combination): WorkDemand {
  requireCount(x, 'a first row of X', 0);
  requireCount(y, 'a first row of Y', 0);
  requireCount(count, 'so many rows:', 0);
  const rows = [alpha, beta].flatMap(({ numerator, denominator }) =>
    [numerator, denominator].filter((row) => row !== undefined),
  );
  for (const row of rows) requireCount(row, 'a scalar in row', 0);
  const operands: Record<string, Demand> = {
    x: demandOf('x', 'rows', { reads: range(x, count) }),
    y: demandOf('y', 'rows', { writes: range(y, count) }),
  };
  const scalars: Runs = (visit) => {
    for (const row of rows) visit(row, row + 1);
  };
  if (rows.length > 0) operands['scalars'] = demandOf('scalars', 'rows', { reads: scalars });
  if (diagonal === true) operands['diagonal'] = demandOf('diagonal', 'numbers', { reads: range(0, count) });
  return { operands, flops: (width) => (diagonal === true ? 4 : 3) * count * width };
}

/** Throws ShapeError unless no two go to one row. */
export function demandOfInnerProducts({ products }: InnerProducts): WorkDemand {
  let flops = 0;
  for (const { x, y, count, to } of products) {
    requireCount(x, 'a first row of X', 0);
    requireCount(y, 'a first row of Y', 0);
    requireCount(count, 'so many rows:', 0);
    requireCount(to, 'a sum that goes to row', 0);
    flops += 2 * count;
  }
  const each =
    (of: 'x' | 'y'): Runs =>
    (visit) => {
      for (const one of products) visit(one[of], one[of] + one.count);
    };
  const writes: Runs = (visit) => {
    for (const { to } of products) visit(to, to + 1);
  };
  const operands = {
    x: demandOf('x', 'rows', { reads: each('x') }),
    y: demandOf('y', 'rows', { reads: each('y') }),
    out: demandOf('out', 'rows', { writes }),
  };
  return { operands, flops: (width) => flops * width };
}

/** Their lists. */
export const listsOfInnerProducts = ({ products }: InnerProducts): WorkLists => ({
  products: Float64Array.from(products.flatMap(({ x, y, count, to }) => [x, y, count, to])),
});

/**
 * Inner products in two steps, as records x, y, count, to: sums of PARTIAL_ROWS rows at most, which go to rows of their
 * own, and sums of those.
 */
export function partialSums({ products }: InnerProducts): {
  readonly partials: readonly number[];
  readonly totals: readonly number[];
} {
  const partials: number[] = [];
  const totals: number[] = [];
  for (const { x, y, count, to } of products) {
    const begin = partials.length / INNER_PRODUCT_WORDS;
    for (let first = 0; first < count; first += PARTIAL_ROWS)
      partials.push(x + first, y + first, Math.min(PARTIAL_ROWS, count - first), partials.length / INNER_PRODUCT_WORDS);
    totals.push(begin, 0, partials.length / INNER_PRODUCT_WORDS - begin, to);
  }
  return { partials, totals };
}

/** Whether Y of a combination is replaced, and not read. */
export const isReplaced = ({ beta }: Combination): boolean => beta.constant === 0 && beta.numerator === undefined;

/** Rows that the partial sums of inner products take. */
export const partialRows = ({ products }: InnerProducts): number =>
  products.reduce((sum, { count }) => sum + Math.ceil(count / PARTIAL_ROWS), 0);
