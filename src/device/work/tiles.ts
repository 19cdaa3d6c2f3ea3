/**
 * How work is cut for kernels whose groups of threads share it out.
 */
import { DEPTH } from '../tiles.js';
import type { BlockProducts } from './products.js';

/** Rows and columns of a tile of block products. */
const TILE_SIZES = [64, 16] as const;
/** Of each size. */
export type TileSize = (typeof TILE_SIZES)[number];

/** What a multiply–add of a small tile costs beside one of a large one, which reads its blocks a quarter as often. */
const EFFORT: Readonly<Record<TileSize, number>> = { 64: 1, 16: 2.5 };

/** The tiles of block products: target, row, column, …, and flops with those of tiles that are not full. */
export interface ProductTiles {
  readonly size: TileSize;
  readonly tiles: readonly number[];
  readonly padded: number;
}

/** The tiles of that size; of lower triangles those that reach the diagonal. */
function tilesOf({ targets }: BlockProducts, size: TileSize): ProductTiles {
  const tiles: number[] = [];
  let padded = 0;
  targets.forEach(({ rows, columns, lower, terms }, target) => {
    const depth = terms.reduce((sum, term) => sum + DEPTH * Math.ceil(term.depth / DEPTH), 0);
    for (let column = 0; column < columns; column += size) {
      for (let row = 0; row < rows; row += size) {
        if (lower === true && row + size <= column) continue;
        tiles.push(target, row, column);
        padded += 2 * size * size * depth;
      }
    }
  });
  return { size, tiles, padded };
}

/** The tiles of the size that costs less. */
export const productTiles = (work: BlockProducts): ProductTiles =>
  TILE_SIZES.map((size) => tilesOf(work, size)).reduce((best, one) =>
    EFFORT[one.size] * one.padded < EFFORT[best.size] * best.padded ? one : best,
  );

/** Parts of at most `most` of each of several things: its number and the first of the part, … */
export function partsOf(counts: readonly number[], most: number): number[] {
  const parts: number[] = [];
  counts.forEach((count, number) => {
    for (let first = 0; first < count; first += most) parts.push(number, first);
  });
  return parts;
}
