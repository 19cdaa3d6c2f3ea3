/**
 * The table of choices in docs/benchmarks.md, made from bench/results/choose.json alone: `node
 * dist/bench/choose-table.js` writes it again.
 */
import { median } from '../src/core/median.js';
import { CHOOSE_CASES, type ChooseCase } from './choose-cases.js';
import type { ChooseResult, ChooseRow } from './choose.js';
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';

/** A system with what is known of it: the grid found once, and the best of it measured again beside `auto`. */
export interface ChooseMeasured extends ChooseResult {
  /** Those of the grid that ran in the same process as `auto`: all, or the best ones. */
  readonly beside: readonly ChooseRow[];
}

/** The fastest that converged. */
export const bestOf = (rows: readonly ChooseRow[]): ChooseRow | undefined =>
  rows
    .filter(({ outcome }) => outcome === 'converged')
    .reduce<ChooseRow | undefined>(
      (best, one) => (best === undefined || one.seconds < best.seconds ? one : best),
      undefined,
    );

/** Seconds of `auto` over those of the best in the same process; undefined where nothing converged. */
export function ratioOf({ beside, auto }: ChooseMeasured): number | undefined {
  const best = bestOf(beside);
  if (best === undefined) return undefined;
  return auto.outcome === 'converged' ? auto.seconds / best.seconds : Infinity;
}

interface HalfSummary {
  readonly systems: number;
  readonly median: number;
  readonly most: number;
  readonly worst: number;
  readonly within: number;
  /** Systems that some candidate solves and `auto` does not. */
  readonly missed: number;
  /** Of those that it missed, the ones that came to their limit of iterations. */
  readonly limited: number;
}

function summaryOf(results: readonly ChooseMeasured[]): HalfSummary {
  const ratios = results.flatMap((one) => ratioOf(one) ?? []).sort((a, b) => a - b);
  const missed = results.filter((one) => ratioOf(one) === Infinity);
  return {
    systems: ratios.length,
    median: median(ratios),
    most: ratios[Math.ceil(0.95 * ratios.length) - 1],
    worst: ratios[ratios.length - 1],
    within: ratios.filter((ratio) => ratio <= 2).length,
    missed: missed.length,
    limited: missed.filter(({ auto }) => auto.outcome === 'maxIterations').length,
  };
}

const HALVES = [
  ['tuning', 'tuned on'],
  ['other', 'the others'],
] as const satisfies readonly (readonly [ChooseCase['half'], string])[];

const factor = (value: number): string => (value === Infinity ? '∞' : digits(value));

/** Both halves apart, a line each. */
export function chooseSummary(results: readonly ChooseMeasured[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  return [
    '| systems | number | auto/best: median | 95 % below | worst | within 2× | not solved where a candidate is | ' +
      'of these `maxIterations` |',
    '|---|---|---|---|---|---|---|---|',
    ...HALVES.flatMap(([half, text]) => {
      const own = CHOOSE_CASES.filter((one) => one.half === half).flatMap(({ name }) => byName.get(name) ?? []);
      if (own.length === 0) return [];
      const { systems, median: middle, most, worst, within, missed, limited } = summaryOf(own);
      const cells = [text, systems, factor(middle), factor(most), factor(worst), within, missed, limited];
      return [`| ${cells.join(' | ')} |`];
    }),
  ].join('\n');
}

function row(one: ChooseMeasured): string {
  const best = bestOf(one.beside);
  const ratio = ratioOf(one);
  const { auto } = one;
  const steps = `${auto.chose}, ${auto.iterations} it.`;
  return `| ${[
    one.name.replace('choose ', ''),
    best === undefined ? 'none converged' : `${best.candidate}, ${best.iterations} it.`,
    best === undefined ? '' : digits(best.seconds),
    auto.outcome === 'converged' ? steps : `${steps}, ${auto.outcome}`,
    digits(auto.seconds),
    ratio === undefined ? '' : factor(ratio),
  ].join(' | ')} |`;
}

export function makeChooseTable(results: readonly ChooseMeasured[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  return [
    `${results[0]?.blas ?? ''}; one worker, processor seconds; the matrix's products and λ are ready beforehand. The ` +
      'grid: none, jacobi, block-jacobi, nystrom of ranks 16 to 512, cholesky, hss and hodlr at tolerances 1e-1 to ' +
      '1e-10 with leaves of 64, 128 and 256 (all of these up to N = 2,500, beyond it the neighbors of what is best ' +
      'at leaves of 128, and from N = 8,000 on some of them alone); of networks dual, kfac, ekfac, and hss of three ' +
      'shares. Odd numbers are those that constants were tuned on.',
    '',
    chooseSummary(results),
    '',
    '| number, matrix, N, λ/‖A‖ | best of the grid | s | auto | s | auto/best |',
    '|---|---|---|---|---|---|',
    ...CHOOSE_CASES.flatMap(({ name }) => byName.get(name) ?? []).map(row),
  ].join('\n');
}

export function writeChooseTable(results: readonly ChooseMeasured[]): void {
  if (results.length > 0) replaceSection('choose', makeChooseTable(results));
}

remakeSection(import.meta.url, 'choose', writeChooseTable);
