/**
 * The partition of a hierarchical matrix: dense blocks, and blocks of low rank by their rank.
 */
import { inBytes } from '../../core/number-text.js';
import { levelOf } from '../../core/indices.js';
import { leavesBelow, type BlockStructure } from '../../hierarchical/matrix/block-structure.js';
import { plainNumber, type BlockChart, type ChartTable } from './chart.js';
import { FIGURE_WIDTH, type LegendEntry } from './legend.js';
import { DENSE_COLOUR, stepColour } from './palette.js';
import type { Drawing, Mark, Plot } from './plot-library.js';

/** Classes of ranks, at most. */
const MOST_CLASSES = 5;
/** Classes grow by a ratio where the largest rank is so many times the least. */
const WIDE_RATIO = 12;
const MARGIN = { top: 8, right: 18, bottom: 36, left: 52 } as const;
/** A rank is written in blocks of this many pixels. */
const WRITTEN_SIDE = 22;
/** Blocks thinner than this are too many for lines between them. */
const OUTLINED_SIDE = 3;

/** A block in tree order: positions of rows, positions of columns. */
export interface Block {
  readonly kind: 'diagonal' | 'near' | 'far';
  readonly level: number;
  readonly rows: readonly [number, number];
  readonly cols: readonly [number, number];
  /** Of a far block: of its rows' and of its columns' basis, 0 where it is zero. */
  readonly ranks: readonly [number, number];
  /** Of its numbers; bases are shared and not counted. */
  readonly bytes: number;
  readonly error: number | null;
}

/** Every stored block: of two that mirror each other the one above the diagonal. */
export function blocksOf(structure: BlockStructure): Block[] {
  const { leafBegin, ranks, near, far, zeros, numberBytes, errors } = structure;
  const leaves = leafBegin.length - 1;
  const depth = Math.log2(leaves);
  const leaf = (k: number): readonly [number, number] => [leafBegin[k], leafBegin[k + 1]];
  const node = (ν: number): readonly [number, number] => {
    const { first, last } = leavesBelow(ν, leaves);
    return [leafBegin[first], leafBegin[last]];
  };
  const area = ([a, b]: readonly [number, number], [c, d]: readonly [number, number]): number => (b - a) * (d - c);
  const triangle = ([a, b]: readonly [number, number]): number => ((b - a) * (b - a + 1)) / 2;
  const dense = (kind: 'diagonal' | 'near', a: number, b: number): Block => ({
    kind,
    level: depth,
    rows: leaf(a),
    cols: leaf(b),
    ranks: [0, 0],
    // Of a diagonal block one triangle is stored.
    bytes: numberBytes * (a === b ? triangle(leaf(a)) : area(leaf(a), leaf(b))),
    error: 0,
  });
  const zero = new Set(zeros);
  return [
    ...Array.from({ length: leaves }, (_, k) => dense('diagonal', k, k)),
    ...pairsOf(near).map(([a, b]) => dense('near', a, b)),
    ...pairsOf(far).map(([α, β], f): Block => {
      const found: readonly [number, number] = zero.has(f) ? [0, 0] : [ranks[α], ranks[β]];
      return {
        kind: 'far',
        level: levelOf(α),
        rows: node(α),
        cols: node(β),
        ranks: found,
        bytes: numberBytes * found[0] * found[1],
        error: errors?.[f] ?? null,
      };
    }),
  ];
}

const pairsOf = (flat: readonly number[]): (readonly [number, number])[] =>
  Array.from({ length: flat.length / 2 }, (_, k) => [flat[2 * k], flat[2 * k + 1]] as const);

/** The rank that a far block has at most. */
export const rankOf = ({ ranks }: Block): number => Math.min(...ranks);

/** Bounds of classes of the ranks from `least` ≥ 1 to `most`, each (bound before, bound]: even, or by ratio. */
export function rankClasses(least: number, most: number): number[] {
  const count = Math.min(MOST_CLASSES, most - least + 1);
  const wide = most / least > WIDE_RATIO;
  const bounds = Array.from({ length: count }, (_, k) => {
    const share = (k + 1) / count;
    return Math.round(wide ? least * (most / least) ** share : least - 1 + share * (most - least + 1));
  });
  return [...new Set(bounds)];
}

const className = (from: number, to: number): string => (from === to ? `rank ${from}` : `rank ${from}–${to}`);

/** Blocks that are drawn alike. */
interface BlockClass {
  readonly name: string;
  readonly colour: string;
  readonly blocks: readonly Block[];
}

/** The kinds of blocks that there are: dense ones, zeros, and ranks. */
export function classesOf(structure: BlockStructure): BlockClass[] {
  const all = blocksOf(structure);
  const far = all.filter(({ kind }) => kind === 'far');
  const ranks = far.map(rankOf).filter((rank) => rank > 0);
  const least = ranks.reduce((found, rank) => Math.min(found, rank), Infinity);
  const bounds =
    ranks.length === 0
      ? []
      : rankClasses(
          least,
          ranks.reduce((found, rank) => Math.max(found, rank), 0),
        );
  return [
    { name: 'dense', colour: DENSE_COLOUR, blocks: all.filter(({ kind }) => kind !== 'far') },
    ...bounds.map((bound, k) => ({
      name: className(k === 0 ? least : bounds[k - 1] + 1, bound),
      colour: stepColour(k, bounds.length),
      blocks: far.filter((block) => rankOf(block) > (bounds[k - 1] ?? 0) && rankOf(block) <= bound),
    })),
    { name: 'zero', colour: 'none', blocks: far.filter((block) => rankOf(block) === 0) },
  ].filter(({ blocks }) => blocks.length > 0);
}

function noteOf({ kind, level, ranks: [a, b], bytes, error }: Block): string {
  if (kind !== 'far') return `${kind}, dense, ${inBytes(bytes)}`;
  const rank = a === 0 ? 'zero' : `rank ${a === b ? a : `${a} × ${b}`}, ${inBytes(bytes)}`;
  return `level ${level}, ${rank}${error === null ? '' : `, error ${error.toExponential(1)}`}`;
}

/** The block and its mirror image, as Plot's rectangles. */
const mirrored = (block: Block): Block[] =>
  block.kind === 'diagonal' ? [block] : [block, { ...block, rows: block.cols, cols: block.rows }];

/** The partition, drawn by Plot: rows from the top. */
export function drawBlocks(plot: Plot, { structure }: BlockChart): Drawing {
  const { size } = structure;
  const side = FIGURE_WIDTH - MARGIN.left - MARGIN.right;
  const pixels = ([from, to]: readonly [number, number]): number => ((to - from) * side) / size;
  const classes = classesOf(structure);
  const rectangle = {
    x1: (block: Block) => block.cols[0],
    x2: (block: Block) => block.cols[1],
    y1: (block: Block) => block.rows[0],
    y2: (block: Block) => block.rows[1],
  };
  const thinnest = Math.min(...classes.flatMap(({ blocks }) => blocks.map(({ rows }) => pixels(rows))));
  const marks = classes.flatMap(({ colour, blocks }): Mark[] => [
    plot.rect(blocks.flatMap(mirrored), {
      ...rectangle,
      fill: colour,
      title: noteOf,
      ...(thinnest < OUTLINED_SIDE ? {} : { stroke: 'currentColor', strokeWidth: 0.4, strokeOpacity: 0.6 }),
    }),
  ]);
  const labelled = classes
    .flatMap(({ blocks }) => blocks)
    .filter((block) => block.kind === 'far' && Math.min(pixels(block.rows), pixels(block.cols)) >= WRITTEN_SIDE);
  const middle = ([from, to]: readonly [number, number]): number => (from + to) / 2;
  return {
    height: side + MARGIN.top + MARGIN.bottom,
    marginLeft: MARGIN.left,
    marginRight: MARGIN.right,
    marginTop: MARGIN.top,
    marginBottom: MARGIN.bottom,
    x: { domain: [0, size], label: 'column, in tree order', labelAnchor: 'center', labelArrow: 'none', ticks: 4 },
    y: { domain: [0, size], reverse: true, label: 'row', labelArrow: 'none', ticks: 4 },
    marks: [
      ...marks,
      plot.frame({ stroke: 'currentColor', strokeOpacity: 0.6 }),
      plot.text(labelled.flatMap(mirrored), {
        x: ({ cols }: Block) => middle(cols),
        y: ({ rows }: Block) => middle(rows),
        text: (block: Block) => String(rankOf(block)),
        fill: '#fff',
        stroke: '#222',
        strokeWidth: 3,
        fontSize: 11,
      }),
    ],
  };
}

/** What the colours of the blocks mean. */
export const blockLegend = ({ structure }: BlockChart): LegendEntry[] =>
  classesOf(structure).map(({ name, colour }) => ({ name, colour }));

/** Blocks by level and kind. */
export function blockTable({ structure }: BlockChart): ChartTable {
  const blocks = blocksOf(structure);
  const levels = [...new Set(blocks.map(({ level }) => level))].sort((a, b) => a - b);
  const rows = levels.flatMap((level) =>
    (['far', 'near', 'diagonal'] as const).flatMap((kind) => {
      const those = blocks.filter((block) => block.level === level && block.kind === kind);
      if (those.length === 0) return [];
      const sum = (of: (block: Block) => number): number => those.reduce((total, block) => total + of(block), 0);
      const ranks = those.map(rankOf);
      const far = kind === 'far';
      return [
        [
          String(level),
          kind,
          plainNumber(those.length),
          far ? String(ranks.reduce((least, rank) => Math.min(least, rank), Infinity)) : '',
          far ? plainNumber(sum(rankOf) / those.length) : '',
          far ? String(ranks.reduce((most, rank) => Math.max(most, rank), 0)) : '',
          inBytes(sum(({ bytes }) => bytes)),
        ],
      ];
    }),
  );
  return { head: ['level', 'blocks', 'count', 'least rank', 'mean', 'largest', 'bytes'], rows };
}
