/**
 * Triangles of any order, by panels of as many columns or rows as a kernel holds: what the panels before have to do
 * with one is a block product, or block rows, and what is left of it a small triangle.
 *
 *   Cholesky:      A(p:, p) −= L(p:, :p)·L(p, :p)ᵀ,   A(p, p) = L·Lᵀ,   A(below, p) ← A(below, p)·L⁻ᵀ
 *   substitution:  X(p) −= L(p, :p)·X(:p),   X(p) ← L(p, p)⁻¹·X(p)
 *
 * Of large triangles some 512 columns at once get what all before them have to do with them, a product of large
 * matrices; a panel then has what those of its 512 columns have.
 */
import { BlockRowsBuilder, type BlockRows } from '../block-rows.js';
import type { Block } from './demand.js';
import type { BlockProducts, ProductTarget } from './products.js';
import { ofRows, type Choleskys, type Substitutions, type TrianglePlace } from './triangles.js';

/** A triangle of the diagonal: the place of its status, and how many pivots of the whole triangle come before. */
export interface DiagonalBlock {
  readonly triangle: TrianglePlace;
  readonly status: number;
  readonly before: number;
}

/** Numbers of a block in `listOfDiagonals`: offset, ld, order, status, before. */
export const DIAGONAL_WORDS = 5;

/** The list of triangles of the diagonal. */
export const listOfDiagonals = (diagonals: readonly DiagonalBlock[]): Float64Array =>
  Float64Array.from(
    diagonals.flatMap(({ triangle: { offset, ld, order }, status, before }) => [offset, ld, order, status, before]),
  );

/** A panel of all factorizations that have one, in order: operands a, b and c of updates, triangles and x are one. */
export interface CholeskyPanel {
  readonly updates: BlockProducts;
  readonly diagonals: readonly DiagonalBlock[];
  readonly solves: Substitutions;
}

/** A panel of all substitutions that have one, in order: block products c −= a·x, or block rows, then solves. */
export interface SubstitutionPanel {
  readonly updates: BlockProducts | undefined;
  readonly rows: BlockRows | undefined;
  readonly solves: Substitutions;
}

/** Columns of a large triangle that are brought together, at least: whole panels. */
const LEAST_WIDE = 512;
const wideOf = (order: number): number => order * Math.ceil(LEAST_WIDE / order);

const panelsOf = (orders: readonly number[], order: number): number => Math.ceil(Math.max(0, ...orders) / order);

const minus = (targets: readonly ProductTarget[]): BlockProducts => ({ kind: 'products', alpha: -1, beta: 1, targets });

/** The block from row `first` on. */
const below = (block: Block, first: number): Block => ({
  ...block,
  offset: block.offset + (block.transposed === true ? first * block.ld : first),
});

/** Factorizations by panels of that order. */
export function choleskyPanels({ triangles }: Choleskys, order: number): CholeskyPanel[] {
  const count = panelsOf(
    triangles.map((place) => place.order),
    order,
  );
  const most = wideOf(order);
  return Array.from({ length: count }, (_, panel) => {
    const before = panel * order;
    // The first of so many columns brings what stands before all of them.
    const isFirst = before % most === 0;
    const first = isFirst ? 0 : before - (before % most);
    const diagonals: DiagonalBlock[] = [];
    const updates: ProductTarget[] = [];
    const systems: Substitutions['systems'][number][] = [];
    for (const { offset, ld, order: whole, status } of triangles) {
      if (whole <= before) continue;
      const diagonal = offset + before * (ld + 1);
      const columns = Math.min(order, whole - before);
      const triangle = { offset: diagonal, ld, order: columns };
      diagonals.push({ triangle, status, before });
      const rows = whole - before;
      const a = { offset: offset + before + first * ld, ld };
      const c = { offset: diagonal, ld };
      const terms = [{ a, b: { ...a, transposed: true }, depth: before - first }];
      const wide = isFirst ? Math.min(most, rows) : columns;
      if (before > first) updates.push({ c, rows, columns: wide, lower: true, terms });
      const rest = rows - columns;
      const block = { offset: diagonal + columns, ld, transposed: true };
      if (rest > 0) systems.push({ triangle, x: { block, columns: rest } });
    }
    return { updates: minus(updates), diagonals, solves: { kind: 'substitutions', transposed: false, systems } };
  });
}

/** Substitutions by panels of that order. */
export function substitutionPanels(work: Substitutions, order: number): SubstitutionPanel[] {
  const { systems, transposed } = work;
  const count = panelsOf(
    systems.map(({ triangle }) => triangle.order),
    order,
  );
  return Array.from({ length: count }, (_, panel) => {
    const first = order * (transposed ? count - 1 - panel : panel);
    const updates: ProductTarget[] = [];
    const rows = new BlockRowsBuilder(true, -1);
    const solves: Substitutions['systems'][number][] = [];
    for (const { triangle, x } of systems) {
      const { offset, ld, order: whole } = triangle;
      if (whole <= first) continue;
      const width = Math.min(order, whole - first);
      const end = first + width;
      const small = { offset: offset + first * (ld + 1), ld, order: width };
      // Rows that are done, and the block of L that they meet: L(p, :p), or L(below, p)ᵀ.
      const done = transposed ? { from: end, depth: whole - end } : { from: 0, depth: first };
      const l = { offset: offset + (transposed ? end + first * ld : first), ld, transposed };
      if (x.block === undefined) {
        solves.push({ triangle: small, x: { first: x.first + first } });
        if (done.depth > 0)
          rows.add(x.first + first, width, [{ ...l, source: x.first + done.from, terms: done.depth }]);
      } else {
        const c = below(x.block, first);
        solves.push({ triangle: small, x: { block: c, columns: x.columns } });
        const terms = [{ a: l, b: below(x.block, done.from), depth: done.depth }];
        if (done.depth > 0) updates.push({ c, rows: width, columns: x.columns, terms });
      }
    }
    return {
      updates: ofRows(work) ? undefined : minus(updates),
      rows: rows.targets === 0 ? undefined : rows.build(),
      solves: { kind: 'substitutions', transposed, systems: solves },
    };
  });
}
