/**
 * Block rows cut into tiles, one a workgroup: tall ones, which read a row of vectors once for many rows, and short ones
 * for what is left. A launch has tiles of one height, so that heights that few rows need are padded away: a launch
 * costs as much as some millions of flops.
 */
import type { BlockRows } from './block-rows.js';

/** Rows of a tile. */
export const TILE_HEIGHTS = [64, 16] as const;
/** Of each height. */
export type TileHeight = (typeof TILE_HEIGHTS)[number];

/** Vectors of a tile. */
export const TILE_WIDTHS = [1, 4, 16, 64] as const;
/** Of each width. */
export type TileWidth = (typeof TILE_WIDTHS)[number];

/** The narrowest tiles that hold `width` vectors side by side, or the widest. */
export const tileWidthOf = (width: number): TileWidth => TILE_WIDTHS.find((most) => width <= most) ?? 64;

/** Terms that a kernel takes at a time: what a sum lacks to a multiple is padded with zeros. */
export const DEPTH = 16;

/** What a launch costs, in multiply–adds of one vector: some 5 µs on a card that does 10¹² a second with 8 of them. */
const LAUNCH = 2 ** 19;
/** What a multiply–add of a short tile costs beside one of a tall tile, which reads its vectors a quarter as often. */
const EFFORT: Readonly<Record<TileHeight, number>> = { 64: 1, 16: 1.5 };

/** The tiles of one launch: of each its target, and its first row within it. */
export interface TileGroup {
  readonly height: TileHeight;
  /** target, row, target, row, …: the tiles with the longest sums first. */
  readonly tiles: Uint32Array;
  /** Multiply–adds for a vector, those of rows and terms that are none included. */
  readonly padded: number;
}

/** Terms of a target, each rounded up to what a kernel takes at a time. */
export function depthOf({ termBegin, terms }: BlockRows, b: number): number {
  let depth = 0;
  for (let t = termBegin[b]; t < termBegin[b + 1]; t++) depth += DEPTH * Math.ceil(terms[t] / DEPTH);
  return depth;
}

/** Heights of the tiles of `count` rows, where heights are chosen among `heights`, which hold the tall one first. */
function* heightsOf(count: number, heights: readonly TileHeight[]): Generator<TileHeight> {
  const [tall, short] = heights;
  let rest = count;
  // Three short tiles do the work of most of a tall one; four of all of it.
  for (; short === undefined ? rest > 0 : rest > 3 * short; rest -= tall) yield tall;
  for (; rest > 0; rest -= short) yield short;
}

/** The groups of an arrangement with those heights; groups without tiles are left out. */
function arrange(rows: BlockRows, heights: readonly TileHeight[]): TileGroup[] {
  const found = new Map<TileHeight, { target: number; row: number; depth: number }[]>();
  for (let target = 0; target < rows.count.length; target++) {
    const depth = depthOf(rows, target);
    let row = 0;
    for (const height of heightsOf(rows.count[target], heights)) {
      const tiles = found.get(height) ?? [];
      tiles.push({ target, row, depth });
      found.set(height, tiles);
      row += height;
    }
  }
  return [...found].map(([height, tiles]) => {
    tiles.sort((a, b) => b.depth - a.depth);
    return {
      height,
      tiles: Uint32Array.from(tiles.flatMap(({ target, row }) => [target, row])),
      padded: tiles.reduce((sum, { depth }) => sum + height * depth, 0),
    };
  });
}

/** What an arrangement costs, in multiply–adds of a tall tile. */
export const tilesCost = (groups: readonly TileGroup[]): number =>
  groups.reduce((sum, { height, padded }) => sum + LAUNCH + EFFORT[height] * padded, 0);

/** All arrangements: both heights, and each alone. */
export const arrangements = (rows: BlockRows): TileGroup[][] =>
  [TILE_HEIGHTS, ...TILE_HEIGHTS.map((height) => [height])].map((heights) => arrange(rows, heights));

/** The arrangement that costs least: every row of every target in one tile of one group. */
export const cutIntoTiles = (rows: BlockRows): TileGroup[] =>
  arrangements(rows).reduce((best, groups) => (tilesCost(groups) < tilesCost(best) ? groups : best));
