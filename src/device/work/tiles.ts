/**
 * How work is cut for kernels whose groups of threads share it out.
 */
import { DEPTH } from '../tiles.js';
import type { BlockProducts, ProductTarget } from './products.js';

/** Rows and columns of a tile of block products. */
const TILE_SIZES = [64, 32, 16] as const;
/** Of each size. */
export type TileSize = (typeof TILE_SIZES)[number];

/** What a multiply–add of a small tile costs beside one of a large one, which reads its blocks more seldom. */
const EFFORT: Readonly<Record<TileSize, number>> = { 64: 1, 32: 1.5, 16: 2.5 };
/** Tiles that fill a large card: with fewer, what is idle costs as much as what works. */
const FULL: Readonly<Record<TileSize, number>> = { 64: 128, 32: 256, 16: 512 };
/** What a launch costs, in flops of a large tile: some 3 µs on a card that does 10¹³ a second. */
const LAUNCH = 2 ** 25;

/** Tiles of one size: a launch. */
export interface ProductTiles {
  readonly size: TileSize;
  /** The targets that are cut into them, all terms of each. */
  readonly work: BlockProducts;
  /** Target, row, column, …. */
  readonly tiles: readonly number[];
  /** Flops with those of tiles that are not full. */
  readonly padded: number;
}

/** The tiles of that size of a target, row, column, …: of a lower triangle those that reach the diagonal. */
function tilesOf({ rows, columns, lower }: ProductTarget, size: TileSize): number[] {
  const tiles: number[] = [];
  for (let column = 0; column < columns; column += size)
    for (let row = 0; row < rows; row += size) if (!(lower === true && row + size <= column)) tiles.push(row, column);
  return tiles;
}

const paddedFlops = ({ terms }: ProductTarget, size: TileSize, tiles: number): number =>
  2 * size * size * tiles * terms.reduce((sum, { depth }) => sum + DEPTH * Math.ceil(depth / DEPTH), 0);

/** A launch for each size that a target has. */
function arrange(work: BlockProducts, sizeOf: (target: ProductTarget) => TileSize): ProductTiles[] {
  const groups = new Map<TileSize, { targets: ProductTarget[]; tiles: number[]; padded: number }>();
  for (const target of work.targets) {
    const size = sizeOf(target);
    let group = groups.get(size);
    if (group === undefined) groups.set(size, (group = { targets: [], tiles: [], padded: 0 }));
    const own = tilesOf(target, size);
    for (let i = 0; i < own.length; i += 2) group.tiles.push(group.targets.length, own[i], own[i + 1]);
    group.targets.push(target);
    group.padded += paddedFlops(target, size, own.length / 2);
  }
  return [...groups].map(([size, { targets, tiles, padded }]) => ({ size, work: { ...work, targets }, tiles, padded }));
}

/** What an arrangement costs, in flops of a large tile. */
export const productCost = (groups: readonly ProductTiles[]): number =>
  groups.reduce((sum, { size, tiles, padded }) => {
    const idle = Math.max(1, FULL[size] / (tiles.length / 3));
    return sum + LAUNCH + EFFORT[size] * padded * idle;
  }, 0);

/** The size that costs least for one target. */
function sizeFor(target: ProductTarget): TileSize {
  const cost = (size: TileSize): number => EFFORT[size] * paddedFlops(target, size, tilesOf(target, size).length / 2);
  return TILE_SIZES.reduce((best, size) => (cost(size) < cost(best) ? size : best));
}

/** All arrangements: each size alone, and of each target its own. */
export const productArrangements = (work: BlockProducts): ProductTiles[][] =>
  [...TILE_SIZES.map((size) => () => size), sizeFor].map((sizeOf) => arrange(work, sizeOf));

/** The arrangement that costs least: every number of every target in one tile of one launch. */
export const productTiles = (work: BlockProducts): ProductTiles[] =>
  productArrangements(work).reduce((best, groups) => (productCost(groups) < productCost(best) ? groups : best));

/** Parts of at most `most` of each of several things: its number and the first of the part, … */
export function partsOf(counts: readonly number[], most: number): number[] {
  const parts: number[] = [];
  counts.forEach((count, number) => {
    for (let first = 0; first < count; first += most) parts.push(number, first);
  });
  return parts;
}
