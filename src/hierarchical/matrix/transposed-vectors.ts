/**
 * Blocks of vectors as products and solves hold them inside: transposed, p × N, the p values of an index contiguous.
 */
import { sharedInt32 } from '../../core/shared-array.js';
import { middleOfNode } from '../../parallel/task-graph.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';

/** Indices transposed by one task. */
export const PANEL = 512;
/** Rows of a tile: its transposed columns stay in the first- or second-level cache. */
const TILE = 32;

/**
 * Numbers of the tasks of a pass up and down over `nodes` nodes: their upward and downward tasks first, then the panels
 * in, the panels out, and the two joints between.
 */
export function passNumbers(
  nodes: number,
  size: number,
): {
  readonly nodes: number;
  readonly panels: number;
  readonly panelIn: number;
  readonly panelOut: number;
  readonly began: number;
  readonly ended: number;
} {
  const panels = Math.ceil(size / PANEL);
  return {
    nodes,
    panels,
    panelIn: 2 * nodes,
    panelOut: 2 * nodes + panels,
    began: 2 * nodes + 2 * panels,
    ended: 2 * nodes + 2 * panels + 1,
  };
}

/** Where the data of those tasks lie (task-graph.ts): of nodes by their range, of panels by their indices. */
export function passPlaces({ nodes, panels, panelIn, panelOut, ended }: ReturnType<typeof passNumbers>): Float64Array {
  const places = new Float64Array(ended + 1);
  for (let ν = 0; ν < nodes; ν++) places[ν] = places[nodes + ν] = middleOfNode(ν);
  for (let panel = 0; panel < panels; panel++)
    places[panelIn + panel] = places[panelOut + panel] = (panel + 0.5) / panels;
  return places;
}

/**
 * place[order[position]] = position, over shared memory. Threads that scatter single numbers by `order` write to each
 * other's cache lines, an order of magnitude slower than to their own: they write in tree order, and who needs the
 * caller's order gathers by `place`.
 */
export function placesOf(order: Int32Array): Int32Array {
  const place = sharedInt32(order.length);
  for (let position = 0; position < order.length; position++) place[order[position]] = position;
  return place;
}

/**
 * into(:, place(panel)) ← x(panel, :)ᵀ, the panel beginning at row `first`; without places, in x's order. Of one vector
 * in the caller's order nothing is to be done: `gatherVectors` reads it in place.
 */
export function transposeIn(
  first: number,
  { data, offset, cols: p, ld, rows }: Matrix,
  into: FloatArray,
  place?: Int32Array,
): void {
  const last = Math.min(first + PANEL, rows);
  for (let row = first; row < last; row += TILE) {
    const end = Math.min(row + TILE, last);
    for (let q = 0; q < p; q++) {
      const column = offset + q * ld;
      if (place === undefined) for (let i = row, to = row * p + q; i < end; i++, to += p) into[to] = data[column + i];
      else for (let i = row; i < end; i++) into[place[i] * p + q] = data[column + i];
    }
  }
}

/** out(panel, :) ← α·values(:, place(panel))ᵀ + β·out(panel, :), the panel beginning at row `first`. */
export function transposeOut(
  first: number,
  { data, offset, cols: p, ld, rows }: Matrix,
  alpha: number,
  beta: number,
  { values, place }: { readonly values: FloatArray; readonly place: Int32Array },
): void {
  const last = Math.min(first + PANEL, rows);
  for (let row = first; row < last; row += TILE) {
    const end = Math.min(row + TILE, last);
    for (let q = 0; q < p; q++) {
      const column = offset + q * ld;
      if (beta === 0) for (let i = row; i < end; i++) data[column + i] = alpha * values[place[i] * p + q];
      else
        for (let i = row; i < end; i++) data[column + i] = alpha * values[place[i] * p + q] + beta * data[column + i];
    }
  }
}

/**
 * into(:, begin … end) ← x(order[begin … end), :)ᵀ; of vectors whose rows stand in the order of positions `order` is
 * the position of the first.
 */
export function gatherVectors(
  into: FloatArray,
  { data, offset, cols: p, ld }: Matrix,
  order: Int32Array | number,
  begin: number,
  end: number,
): void {
  if (typeof order === 'number') {
    const from = offset - order;
    for (let first = begin; first < end; first += TILE) {
      const last = Math.min(end, first + TILE);
      for (let q = 0; q < p; q++)
        for (let position = first, to = first * p + q; position < last; position++, to += p)
          into[to] = data[from + q * ld + position];
    }
    return;
  }
  if (p === 1) {
    for (let position = begin; position < end; position++) into[position] = data[offset + order[position]];
    return;
  }
  for (let first = begin; first < end; first += TILE) {
    const last = Math.min(end, first + TILE);
    for (let q = 0; q < p; q++)
      for (let position = first, to = first * p + q; position < last; position++, to += p)
        into[to] = data[offset + q * ld + order[position]];
  }
}

/** into(at + 0, 1, …) ← x(begin … end, :)ᵀ: rows of x as they stand. */
export function transposeRows(
  into: FloatArray,
  at: number,
  { data, offset, cols: p, ld }: Matrix,
  begin: number,
  end: number,
): void {
  for (let row = begin; row < end; row += TILE) {
    const last = Math.min(row + TILE, end);
    for (let q = 0; q < p; q++)
      for (let i = row, to = (at + row - begin) * p + q; i < last; i++, to += p) into[to] = data[offset + q * ld + i];
  }
}
