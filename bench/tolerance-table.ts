/**
 * The table of kept tolerances in docs/benchmarks.md, made from bench/results/tolerance.json alone: `node
 * dist/bench/tolerance-table.js` writes it again.
 */
import { median } from '../src/core/median.js';
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';
import { TOLERANCE_CASES } from './tolerance-cases.js';
import type { ToleranceResult, ToleranceRun } from './tolerance.js';

const counted = (runs: readonly ToleranceRun[], is: (run: ToleranceRun) => boolean): number => runs.filter(is).length;

/** What all runs of some cases come to, in a sentence. */
export function toleranceSummary(results: readonly ToleranceResult[]): string {
  const all = results.flatMap(({ runs }) => runs);
  const free = all.filter(({ limited }) => !limited);
  if (free.length === 0) return `${all.length} runs, all of them at a rank limit.`;
  return (
    `${all.length} runs of ${results.length} configurations, ${all.length - free.length} of them at a rank limit ` +
    `(not counted). Error/tolerance: median ${digits(median(free.map(({ error }) => error)))}, worst ` +
    `${digits(Math.max(...free.map(({ error }) => error)))} (${digits(Math.max(...free.map(({ upper }) => upper)))} ` +
    `by the upper end of its interval); above 1 in ${counted(free, ({ error }) => error > 1)} runs, by the upper end ` +
    `in ${counted(free, ({ upper }) => upper > 1)}. Said to be met and was not: ` +
    `${counted(all, ({ wrong }) => wrong === 'met')}; said to be missed and was met: ` +
    `${counted(all, ({ wrong }) => wrong === 'missed')}.`
  );
}

function row({ name, runs }: ToleranceResult): string {
  const free = runs.filter(({ limited }) => !limited);
  const of = (value: (run: ToleranceRun) => number, from = free): string =>
    from.length === 0 ? '' : digits(median(from.map(value)));
  const worst = free.length === 0 ? '' : digits(Math.max(...free.map(({ upper }) => upper)));
  return `| ${[
    name.replace('tolerance ', ''),
    of(({ error }) => error),
    worst,
    String(runs.length - free.length),
    `${counted(runs, ({ met }) => met)} (${counted(runs, ({ wrong }) => wrong !== 'no')})`,
    of(({ rank }) => rank, [...runs]),
    of(({ missed }) => missed, [...runs]),
    of(({ entries }) => 100 * entries, [...runs]),
    of(({ seconds }) => seconds, [...runs]),
  ].join(' | ')} |`;
}

export function makeToleranceTable(results: readonly ToleranceResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const measured = TOLERANCE_CASES.flatMap(({ name }) => byName.get(name) ?? []);
  return [
    `${toleranceSummary(measured)} One worker; points and samples of each run have a seed of their own. All columns ` +
      'were compared up to N = 4,096, beyond it a sample of them, whose upper end counts for the worst.',
    '',
    '| kernel, h, points, N, format, tolerance | error/tolerance, median | worst | at a rank limit | ' +
      'met (wrongly said) | largest rank | nodes missed | entries, % of N² | skeletons + blocks, s |',
    '|---|---|---|---|---|---|---|---|---|',
    ...measured.map(row),
  ].join('\n');
}

export function writeToleranceTable(results: readonly ToleranceResult[]): void {
  replaceSection('tolerance', makeToleranceTable(results));
}

remakeSection(import.meta.url, 'tolerance', writeToleranceTable);
