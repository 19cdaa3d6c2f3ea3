/**
 * Charts that records of several kinds share.
 */
import { inBytes, inPercent, inPowers, inSeconds } from '../../core/number-text.js';
import type { ErrorEstimate } from '../../hierarchical/measure/error-interval.js';
import { MEMORY_PARTS, type LevelRanks } from '../../hierarchical/matrix/memory.js';
import type { BlockStructure } from '../../hierarchical/matrix/block-structure.js';
import { plainPower, type Axis, type BlockChart, type CurveChart, type Span, type SpanChart } from '../charts/chart.js';

/** A number of a record; NaN and ∞ are null in JSON. */
export const known = (value: number | null): number => value ?? Number.NaN;

/** Time. */
export const SECONDS: Axis = { label: 'time (s)', fromZero: true };

/** The unit of an amount of memory, and its factor. */
function unitOf(bytes: number): { readonly unit: string; readonly factor: number } {
  const [unit, factor] = bytes >= 1e9 ? ['GB', 1e9] : bytes >= 1e6 ? ['MB', 1e6] : ['kB', 1e3];
  return { unit: unit as string, factor: factor as number };
}

/** Phases of a smaller share of the time are left out. */
export const SHORTEST_PHASE = 1e-3;

/** Phases that follow each other, as a timeline. */
export function phaseChart(phases: readonly (readonly [name: string, seconds: number])[], title: string): SpanChart {
  let at = 0;
  const all = phases.reduce((sum, [, seconds]) => sum + seconds, 0);
  const spans: Span[] = phases
    .filter(([, seconds]) => seconds > SHORTEST_PHASE * all)
    .map(([row, seconds]) => {
      const start = at;
      at += seconds;
      return { row, start, end: at, label: `${inSeconds(seconds)} s` };
    });
  const longest = [...phases].sort(([, a], [, b]) => b - a)[0];
  return {
    kind: 'spans',
    id: 'phases',
    title,
    alt:
      `A timeline of ${spans.length} phases, ${inSeconds(at)} s in all; the longest is ${longest[0]} with ` +
      `${inSeconds(longest[1])} s.`,
    caption: spans.length < phases.length ? 'What took less than a thousandth of the time is left out.' : undefined,
    x: SECONDS,
    spans,
  };
}

/** Amounts of memory. */
export function memoryChart(parts: readonly (readonly [name: string, bytes: number])[], caption?: string): SpanChart {
  const used = parts.filter(([, bytes]) => bytes > 0);
  const all = used.reduce((sum, [, bytes]) => sum + bytes, 0);
  const { unit, factor } = unitOf(Math.max(...used.map(([, bytes]) => bytes), 1));
  return {
    kind: 'spans',
    id: 'memory',
    title: 'Memory by part',
    alt:
      `Bars of memory: ${used.map(([name, bytes]) => `${name} ${inBytes(bytes)}`).join(', ')}; ` +
      `${inBytes(all)} in all.`,
    caption,
    x: { label: `memory (${unit})`, fromZero: true },
    spans: used.map(([row, bytes]) => ({ row, start: 0, end: bytes / factor, label: inBytes(bytes) })),
  };
}

/** The parts of a hierarchical matrix, and its factors where they take any bytes. */
export const partsChart = (
  parts: Readonly<Record<keyof typeof MEMORY_PARTS, number>>,
  { bytes, share }: { readonly bytes: number; readonly share: number },
  factors = 0,
): SpanChart =>
  memoryChart(
    [
      ...Object.entries(MEMORY_PARTS).map(([part, name]) => [name, parts[part as keyof typeof MEMORY_PARTS]] as const),
      ['factors', factors],
    ],
    `${factors > 0 ? 'The matrix takes ' : ''}${inBytes(bytes)} in all, ${inPercent(share)} of the dense matrix.`,
  );

/** Ranks from level to level. */
export function rankChart(ranks: readonly LevelRanks[]): CurveChart {
  const most = ranks.reduce((found, { max }) => Math.max(found, max), 0);
  return {
    kind: 'curves',
    id: 'ranks',
    title: 'Rank by level',
    alt: `The largest and the mean rank of each of ${ranks.length} levels, level 1 next to the root; at most ${most}.`,
    x: { label: 'level', whole: true },
    y: { label: 'rank', fromZero: true },
    curves: [
      { name: 'largest', points: ranks.map(({ level, max }) => ({ x: level, y: max })) },
      { name: 'mean', points: ranks.map(({ level, mean }) => ({ x: level, y: mean })) },
    ],
  };
}

/** The partition, where there is more than one block. */
export function blocksChart(structure: BlockStructure): BlockChart {
  const { size, near, far, leafBegin, errors } = structure;
  const leaves = leafBegin.length - 1;
  return {
    kind: 'blocks',
    id: 'blocks',
    title: `Blocks of the ${size.toLocaleString('en-US')} × ${size.toLocaleString('en-US')} matrix`,
    alt:
      `The matrix in tree order as a square: ${leaves} dense blocks on the diagonal, ${near.length / 2} near blocks ` +
      `stored densely and ${far.length / 2} blocks of low rank, each with its mirror image.`,
    caption:
      'Colours tell dense blocks from ranks; numbers are ranks. Pointing at a block tells its rank, its bytes (bases ' +
      `are shared and not counted)${errors === undefined ? '' : ' and its relative error, from a few columns of it'}.`,
    structure,
  };
}

/** A measured error with its interval, beside what was asked. */
export function errorChart(error: ErrorEstimate & { readonly tolerance: number }): SpanChart {
  const { exact, columns, tolerance } = error;
  const [relative, low, high] = [error.relative, error.low, error.high].map(known);
  const how = exact ? 'all columns compared' : `95 % interval from ${columns} columns`;
  return {
    kind: 'spans',
    id: 'error',
    title: 'Measured error',
    alt:
      `Relative error ${inPowers(relative)}${exact ? '' : `, between ${inPowers(low)} and ${inPowers(high)}`} ` +
      `(${how}); asked ${tolerance}.`,
    caption: `Frobenius norm of K minus its approximation over that of K; ${how}.`,
    x: { label: 'relative error', scale: 'log' },
    spans: [{ row: 'measured', start: low, end: high, point: relative, label: inPowers(relative) }],
    rules: [{ along: 'x', value: tolerance, label: `asked ${plainPower(tolerance)}` }],
  };
}
