/**
 * Cells: the atoms that leaves over a rotated Hessian are made of.
 * Indices (ℓ, q, p) stand direction by direction, by falling eigenvalue, and in a direction unit by unit. A cell is a
 * part of one direction's units, or a few whole directions where there are few units; it never crosses layers.
 */
import { sharedInt32 } from '../../core/shared-array.js';

/** What the order of cells depends on. */
export interface LayerShape {
  readonly directions: number;
  readonly units: number;
}

/** The division of a rotated Hessian's indices into cells. */
export interface Cells {
  readonly count: number;
  /** First cell of each layer, and the count. */
  readonly begin: readonly number[];
  /** Directions of a layer's cell (1 where cells are parts of a direction), and cells of a direction. */
  readonly group: readonly number[];
  readonly parts: readonly number[];
  /** By layer: the cell of direction q and unit p at q + directions·p. */
  readonly cellOf: readonly Int32Array[];
  /** Indices in each cell. */
  readonly sizes: Int32Array;
}

/** Cells of about `cellSize` indices. */
export function makeCells(layers: readonly LayerShape[], cellSize: number): Cells {
  const begin = [0];
  const group: number[] = [];
  const parts: number[] = [];
  const cellOf: Int32Array[] = [];
  for (const [ℓ, { directions, units }] of layers.entries()) {
    const part = Math.max(1, Math.round(units / cellSize));
    const together = Math.max(1, Math.round(cellSize / Math.max(1, units)));
    const cells = sharedInt32(directions * units);
    for (let p = 0, at = 0; p < units; p++) {
      const place = Math.floor((p * part) / units);
      for (let q = 0; q < directions; q++)
        cells[at++] = begin[ℓ] + (part > 1 ? q * part + place : Math.floor(q / together));
    }
    parts.push(part);
    group.push(part > 1 ? 1 : together);
    cellOf.push(cells);
    begin.push(begin[ℓ] + (units === 0 ? 0 : part > 1 ? directions * part : Math.ceil(directions / together)));
  }
  const count = begin[layers.length];
  const sizes = sharedInt32(count);
  for (const cells of cellOf) for (const cell of cells) sizes[cell]++;
  return { count, begin, group, parts, cellOf, sizes };
}

/** The layer of each cell. */
export function layersOfCells({ begin, count }: Cells): Int32Array {
  const layerOf = new Int32Array(count);
  for (let ℓ = 0; ℓ + 1 < begin.length; ℓ++) layerOf.fill(ℓ, begin[ℓ], begin[ℓ + 1]);
  return layerOf;
}

/** Calls `visit` with the direction and unit of each index of a layer's cell, in order. */
export function eachIndex(
  { begin, group, parts }: Cells,
  { directions, units }: LayerShape,
  layer: number,
  cell: number,
  visit: (q: number, p: number) => void,
): void {
  const local = cell - begin[layer];
  const part = parts[layer];
  const first = part > 1 ? Math.floor(local / part) : local * group[layer];
  const last = Math.min(first + group[layer], directions);
  const place = part > 1 ? local % part : 0;
  for (let q = first; q < last; q++)
    for (let p = Math.ceil((place * units) / part); p < units && Math.floor((p * part) / units) === place; p++)
      visit(q, p);
}
