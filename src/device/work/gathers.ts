/**
 * Gathers: numbers that move from one place to another, piece by piece, in one launch,
 *
 *   to[t + r_i + c_j] ← keep·to[…] + α·from[f + ρ_i + γ_j],   i < rows, j < columns,
 *
 * with offsets r, c, ρ, γ of each piece's rows and columns: copies of blocks, transposed ones, submatrices by chosen
 * rows and columns, diagonals, and a scalar added to many places.
 */
import { ShapeError } from '../../core/errors.js';
import { demandOf, requireCount, type Runs, type WorkDemand, type WorkLists } from './demand.js';

/** Where the entries of a piece stand, on one side. */
export interface Places {
  readonly offset: number;
  /** Offset of each row and of each column, ≥ 0. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** What is moved: both sides have the same shape. */
export interface Piece {
  readonly from: Places;
  readonly to: Places;
}

/** What is one launch, with the operands from and to. */
export interface Gathers {
  readonly kind: 'gathers';
  readonly alpha: number;
  /** Whether what stands in the places is added to, or replaced. */
  readonly keep: boolean;
  readonly pieces: readonly Piece[];
}

/** Numbers of a piece in `pieces`: rows, columns, t, where r and c begin in `offsets`, f, where ρ and γ do. */
export const PIECE_WORDS = 8;

/** first, first + step, …: the offsets of neighbors. */
export const steps = (count: number, step: number, first = 0): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => first + i * step);

/** The places of a block, rows × columns, as it stands. */
export const placesOfBlock = (offset: number, ld: number, rows: number, columns: number): Places => ({
  offset,
  rows: steps(rows, 1),
  columns: steps(columns, ld),
});

const runsOf =
  (pieces: readonly Piece[], side: 'from' | 'to'): Runs =>
  (visit) => {
    for (const { [side]: places } of pieces) {
      const { offset, rows, columns } = places;
      // Neighbors among the rows: first, last, first, last, …
      const neighbors: number[] = [];
      for (let i = 0; i < rows.length; i++) {
        if (i === 0 || rows[i] !== rows[i - 1] + 1) neighbors.push(rows[i], rows[i]);
        else neighbors[neighbors.length - 1]++;
      }
      for (const column of columns)
        for (let k = 0; k < neighbors.length; k += 2)
          visit(offset + column + neighbors[k], offset + column + neighbors[k + 1] + 1);
    }
  };

/** Throws ShapeError unless both sides of each piece have one shape. */
export function demandOfGathers({ pieces, keep }: Gathers): WorkDemand {
  let moved = 0;
  for (const { from, to } of pieces) {
    const [rows, columns] = [to.rows.length, to.columns.length];
    if (from.rows.length !== rows || from.columns.length !== columns)
      throw new ShapeError(
        `A piece of ${from.rows.length} × ${from.columns.length} numbers goes to ${rows} × ${columns} places: both ` +
          'must have one shape.',
      );
    for (const { offset, ...offsets } of [from, to]) {
      requireCount(offset, 'a piece that begins at', 0);
      for (const list of [offsets.rows, offsets.columns])
        for (const one of list) requireCount(one, 'a row or column of a piece at', 0);
    }
    moved += rows * columns;
  }
  const operands = {
    from: demandOf('from', 'numbers', { reads: runsOf(pieces, 'from') }),
    to: demandOf('to', 'numbers', { writes: runsOf(pieces, 'to') }),
  };
  return { operands, flops: () => (keep ? moved : 0) };
}

/** Their lists: offsets that several pieces share stand once. */
export function listsOfGathers({ pieces }: Gathers): WorkLists {
  const begins = new Map<Int32Array, number>();
  const offsets: number[] = [];
  const placeOf = (list: Int32Array): number => {
    let begin = begins.get(list);
    if (begin === undefined) {
      begins.set(list, (begin = offsets.length));
      for (const one of list) offsets.push(one);
    }
    return begin;
  };
  const words: number[] = [];
  for (const { from, to } of pieces)
    words.push(
      to.rows.length,
      to.columns.length,
      ...[to, from].flatMap(({ offset, rows, columns }) => [offset, placeOf(rows), placeOf(columns)]),
    );
  return { pieces: Float64Array.from(words), offsets: Float64Array.from(offsets) };
}
