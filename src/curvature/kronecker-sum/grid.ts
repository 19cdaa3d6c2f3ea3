/**
 * What a Kronecker sum may keep: groups of modes, and of each group the blocks of its S_j.
 * The directions of a layer are divided into blocks of about 16. The modes of a pair of layers are grouped, the first
 * ones alone, then two by two, and so on: modes of a group keep the same blocks, so that one GEMM multiplies with all
 * of them (product.ts). The rows of S_j are the directions of the layer with fewer of them.
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import type { PairModes } from './modes.js';

/** Directions in a block, about, and modes in a group, at most. */
const BLOCK = 16;
const MOST_MODES = 8;

/** A pair of layers as its modes are stored. */
export interface SumPair {
  /** Layers of the rows and of the columns of S_j; M_j is units of the row × units of the column. */
  readonly row: number;
  readonly column: number;
  /** M_j is diagonal, and only its diagonal is stored. */
  readonly diagonal: boolean;
}

/** Modes first … first + count of a pair, which keep the same blocks. */
export interface ModeGroup {
  readonly pair: number;
  readonly first: number;
  readonly count: number;
  /** Numbers of its M_j. */
  readonly mixing: number;
  /** Σ σ_j². */
  readonly energy: number;
  /** Where its energies of blocks begin: row block a, column block b at a + rows·b. */
  readonly begin: number;
}

/** All that may be kept. */
export interface SumGrid {
  readonly pairs: readonly SumPair[];
  /** By falling energy for a mode. */
  readonly groups: readonly ModeGroup[];
  /** By layer: where its blocks of directions begin, and the end. */
  readonly blocks: readonly Int32Array[];
  /** Energy of G in the blocks of each group, both triangles counted; filled by energies.ts. */
  readonly energies: Float64Array;
}

/** Boundaries of blocks of nearly one size. */
function blockBounds(directions: number): Int32Array {
  const count = Math.ceil(directions / BLOCK);
  return Int32Array.from({ length: count + 1 }, (_, k) => (count === 0 ? 0 : Math.floor((k * directions) / count)));
}

/** Sizes of the groups of so many modes. */
export function groupSizes(modes: number): number[] {
  const sizes: number[] = [];
  for (let left = modes, size = 1; left > 0; size = Math.min(MOST_MODES, sizes.length % 2 === 0 ? 2 * size : size)) {
    sizes.push(Math.min(size, left));
    left -= Math.min(size, left);
  }
  return sizes;
}

/** Which of two layers has the rows of S_j: that with fewer directions. */
export const orientation = (
  layers: readonly { readonly directions: number }[],
  lower: number,
  upper: number,
): { readonly row: number; readonly column: number } =>
  layers[lower].directions <= layers[upper].directions ? { row: lower, column: upper } : { row: upper, column: lower };

/** The grid over all modes; its energies are zero yet. */
export function sumGrid({ layers }: Pick<RotatedTables, 'layers'>, modes: readonly PairModes[]): SumGrid {
  const blocks = layers.map(({ directions }) => blockBounds(directions));
  const pairs = modes.map(({ lower, upper, form }): SumPair => {
    return { ...orientation(layers, lower, upper), diagonal: form === 'diagonal' };
  });
  const groups: Omit<ModeGroup, 'begin'>[] = [];
  modes.forEach(({ count, energies }, pair) => {
    const { row, column, diagonal } = pairs[pair];
    const numbers = diagonal ? layers[row].units : layers[row].units * layers[column].units;
    let first = 0;
    for (const size of groupSizes(count)) {
      const energy = energies.subarray(first, first + size).reduce((sum, e) => sum + e, 0);
      groups.push({ pair, first, count: size, mixing: size * numbers, energy });
      first += size;
    }
  });
  groups.sort((a, b) => b.energy / b.count - a.energy / a.count || a.pair - b.pair || a.first - b.first);
  let begin = 0;
  const placed = groups.map((group): ModeGroup => {
    const { row, column } = pairs[group.pair];
    const place = { ...group, begin };
    begin += (blocks[row].length - 1) * (blocks[column].length - 1);
    return place;
  });
  return { pairs, groups: placed, blocks, energies: sharedFloat64(begin) };
}
