/**
 * Long sums of few numbers, as gradients of weights over many samples: where a card would be left idle, each sum is cut
 * into parts that are products of their own (split-K), and a second launch adds the parts up, in their order. How many
 * there are depends on shapes alone.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import { SHORT_SUM } from '../../device/portable-kernel.js';
import { DEPTH } from '../../device/tiles.js';
import type { Block } from '../../device/work/demand.js';
import type { ProductTarget, ProductTerm } from '../../device/work/products.js';

/** Rows and columns of a tile, tiles that keep a card busy, and the shortest part of a sum that is worth a tile. */
const TILE = 64;
const WANTED_TILES = 256;
const LEAST_DEPTH = 128;

/** Targets that make up one matrix, whose sums are cut into parts. */
export interface SplitProducts {
  readonly parts: number;
  /** Numbers of a sum that a part has, the last one perhaps fewer. */
  readonly length: number;
  /** The matrix, of leading dimension `ld`. */
  readonly offset: number;
  readonly ld: number;
  readonly rows: number;
  readonly columns: number;
}

const depthOf = ({ terms }: ProductTarget): number => terms.reduce((sum, { depth }) => sum + depth, 0);

const deepest = (targets: readonly ProductTarget[]): number =>
  targets.reduce((most, target) => Math.max(most, depthOf(target)), 0);

/** How the sums are cut; undefined where they are short, tiles are many, or the targets are no matrix together. */
export function splitOf(targets: readonly ProductTarget[]): SplitProducts | undefined {
  const tiles = targets.reduce((sum, t) => sum + Math.ceil(t.rows / TILE) * Math.ceil(t.columns / TILE), 0);
  const depth = deepest(targets);
  const wanted = Math.min(Math.floor(WANTED_TILES / tiles), Math.floor(depth / LEAST_DEPTH), SHORT_SUM);
  // With fewer than four parts the second launch costs what they save.
  if (wanted < 4) return undefined;
  const length = DEPTH * Math.ceil(depth / wanted / DEPTH);
  const { ld } = targets[0].c;
  const offset = targets.reduce((least, { c }) => Math.min(least, c.offset), Infinity);
  let [rows, columns, area] = [0, 0, 0];
  for (const target of targets) {
    if (target.c.ld !== ld || target.c.transposed === true || target.lower === true) return undefined;
    const place = target.c.offset - offset;
    rows = Math.max(rows, (place % ld) + target.rows);
    columns = Math.max(columns, Math.floor(place / ld) + target.columns);
    area += target.rows * target.columns;
  }
  if (rows > ld || area !== rows * columns) return undefined;
  return { parts: Math.ceil(depth / length), length, offset, ld, rows, columns };
}

/** The block from `first` on of what is summed over: rows of B, columns of A. */
const from = ({ offset, ld, transposed }: Block, first: number, isColumns: boolean): Block => ({
  offset: offset + first * ((transposed === true) === isColumns ? 1 : ld),
  ld,
  transposed,
});

/** Numbers begin … end − 1 of a sum. */
function cutTerms(terms: readonly ProductTerm[], begin: number, end: number): ProductTerm[] {
  let at = 0;
  return terms.flatMap(({ a, b, depth }) => {
    const first = Math.max(0, begin - at);
    const count = Math.min(depth, end - at) - first;
    at += depth;
    return count > 0 ? [{ a: from(a, first, true), b: from(b, first, false), depth: count }] : [];
  });
}

/** The parts' products, one matrix after the other from `scratch` on; a part without terms is zero. */
export function partialTargets(
  targets: readonly ProductTarget[],
  { parts, length, offset, ld, rows, columns }: SplitProducts,
  scratch: number,
): ProductTarget[] {
  return Array.from({ length: parts }, (_, part) =>
    targets.map((target) => {
      const place = target.c.offset - offset;
      const to = scratch + part * rows * columns + (place % ld) + rows * Math.floor(place / ld);
      const terms = cutTerms(target.terms, part * length, (part + 1) * length);
      return { ...target, c: { offset: to, ld: rows }, terms };
    }),
  ).flat();
}

/** The matrix ← keep·matrix + the sum of its parts. */
export const JOIN: PortableKernel = {
  name: 'join',
  buffers: ['h'],
  integers: ['y', 'keep', 'parts', 'x', 'rows', 'ld', 'size'],
  sum: { terms: 'parts', text: 'value = h[x + i + k * size];', join: 'sum' },
  body: `int to = y + i % rows + ld * (i / rows);
real result = total;
if (keep > 0) { result = result + h[to]; }
h[to] = result;`,
};
