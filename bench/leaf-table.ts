/**
 * The table of chosen leaf sizes in docs/benchmarks.md, made from bench/results/leaf.json alone: `node
 * dist/bench/leaf-table.js` writes it again.
 */
import { median } from '../src/core/median.js';
import { digits } from './labels.js';
import { LEAF_CASES } from './leaf-cases.js';
import type { LeafResult, LeafRow } from './leaf.js';
import { remakeSection, replaceSection } from './section.js';

type GridRow = LeafRow['grid'][number];

/** The least of those that met the tolerance; all of them where none did. */
function best({ grid }: LeafRow, of: (one: GridRow) => number): GridRow {
  const met = grid.filter((one) => one.met);
  return (met.length > 0 ? met : grid).reduce((least, one) => (of(one) < of(least) ? one : least));
}

/** What was chosen over the best of the grid, and the share of the compression that choosing took. */
export const leafRatios = (row: LeafRow): { memory: number; product: number; choosing: number } => ({
  memory: row.memory.bytes / best(row, ({ bytes }) => bytes).bytes,
  product: row.product.product / best(row, ({ product }) => product).product,
  choosing: row.memory.choosing / row.memory.seconds,
});

const told = ({ format, budget, leafSize }: GridRow): string =>
  `${format}${budget === undefined ? '' : ` ${100 * budget} %`} ${leafSize}`;

/** What all cases come to, in a sentence. */
export function leafSummary(results: readonly LeafResult[]): string {
  const rows = results.flatMap((result) => result.rows);
  const all = rows.map(leafRatios);
  const of = (value: (one: (typeof all)[number]) => number): string => {
    const values = all.map(value);
    return `median ${digits(median(values), 3)}, worst ${digits(Math.max(...values), 3)}`;
  };
  const incompressible = rows.filter(({ memory }) => memory.incompressible);
  const missed = rows.filter(({ memory }) => !(memory.error <= 1));
  return (
    `${rows.length} compressions of ${results.length} matrices. Chosen for memory: bytes beside the least of the ` +
    `grid: ${of(({ memory }) => memory)}; chosen for products: time beside the fastest of the grid: ` +
    `${of(({ product }) => product)}. The choice takes, in percent of the compression, ` +
    `${of(({ choosing }) => 100 * choosing)}. The tolerance was missed in ${missed.length}; ${incompressible.length} ` +
    'are called incompressible.'
  );
}

function line(name: string, row: LeafRow): string {
  const { tolerance, memory, product } = row;
  const least = best(row, ({ bytes }) => bytes);
  const fastest = best(row, (one) => one.product);
  const ratio = leafRatios(row);
  return `| ${[
    name.replace('leaf sizes, ', ''),
    String(tolerance),
    `${memory.leafSize}${memory.incompressible ? ' (incompressible)' : ''}`,
    digits(memory.error),
    digits(memory.bytes / 1e6, 3),
    `${digits(ratio.memory, 3)} (${told(least)})`,
    `${product.leafSize}`,
    digits(1e3 * product.product),
    `${digits(ratio.product, 3)} (${told(fastest)})`,
    digits(memory.seconds),
    digits(100 * ratio.choosing),
  ].join(' | ')} |`;
}

export function makeLeafTable(results: readonly LeafResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const measured = LEAF_CASES.flatMap(({ name }) => byName.get(name) ?? []);
  return [
    `${leafSummary(measured)} ${measured[0].blas}; ${measured[0].workers} workers.`,
    '',
    '| matrix | tolerance | leaf, for memory | error/tolerance | MB | of the least (which) | leaf, for products | ' +
      'product, ms | of the fastest (which) | compress, s | of that choosing, % |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...measured.flatMap(({ name, rows }) => rows.map((row) => line(name, row))),
  ].join('\n');
}

export function writeLeafTable(results: readonly LeafResult[]): void {
  replaceSection('leaf', makeLeafTable(results));
}

remakeSection(import.meta.url, 'leaf', writeLeafTable);
