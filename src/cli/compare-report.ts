/**
 * A comparison of optimizers for people, made from its record alone.
 */
import type { BestOf, ComparisonRecord, Standing, Winner } from '../experiment/comparison-record.js';
import { grouped, inDigits, inPercent, inSeconds } from '../core/number-text.js';
import { sampleLines, table } from './tables.js';
import { scalesLine, taskLine } from './training-setup.js';

const settingsText = (settings: BestOf['settings']): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? inDigits(value, 4) : String(value)}`)
    .join(', ');

const targetText = ({ targets: { measure, of } }: ComparisonRecord, value: number): string =>
  measure === 'loss' ? `${of} loss ≤ ${inDigits(value)}` : `${of} accuracy ≥ ${inPercent(value)}`;

const timeText = (seconds: number | null, unit = ''): string =>
  seconds === null ? 'missed' : `${inSeconds(seconds)}${unit}`;

function row(record: ComparisonRecord, one: BestOf): string[] {
  const { measure, ratioToAdam, seconds, samples, reached, runs } = one;
  const came = measure === null ? '?' : record.targets.measure === 'loss' ? inDigits(measure, 4) : inPercent(measure);
  return [
    one.optimizer,
    timeText(seconds),
    ratioToAdam === null ? '' : inDigits(ratioToAdam, 3),
    samples === null ? '' : grouped(samples),
    `${reached} of ${runs}`,
    came,
  ];
}

/** What the table has no room for. */
function detailLine({ optimizer, settings, seconds, least, most, runs, blasShare, tied }: BestOf): string {
  const range = seconds === null || runs === 1 ? [] : [`${timeText(least, ' s')} … ${timeText(most, ' s')}`];
  const inBlas = blasShare === null ? [] : [`${inPercent(blasShare)} of steps in BLAS`];
  const tie = tied ? ['a tie with the first'] : [];
  return `  ${optimizer}: ${[settingsText(settings), ...range, ...inBlas, ...tie].join('; ')}`;
}

function standingText({ optimizer, value, adam, ties }: Standing, show: (value: number) => string): string {
  const against =
    optimizer === 'adam'
      ? ''
      : adam === null
        ? '; adam missed it'
        : `, adam's ${show(adam)} × ${inDigits(value / adam, 3)}`;
  const tied = ties.length === 0 ? '' : `, a tie with ${ties.join(', ')}`;
  return `${optimizer} (${show(value)}${against})${tied}`;
}

/** Who is first to a target, in one sentence. */
function winnerLine(record: ComparisonRecord, { target, seconds, samples }: Winner): string {
  const what = targetText(record, target);
  if (seconds === null || samples === null) return `No optimizer reached ${what} with most of its seeds.`;
  return (
    `First to ${what} in time is ${standingText(seconds, (value) => `${inSeconds(value)} s`)}; in samples ` +
    `${standingText(samples, grouped)}.`
  );
}

/** The printed report; `portable` adds that a system library would be faster. */
export function compareReport(record: ComparisonRecord, portable: boolean): string {
  const { task, targets, best, rows, skipped, winners, budget, seeds, grid, seconds, blas } = record;
  const least = targets.values.at(-1)!;
  const limit = `${inDigits(budget.seconds)} s${budget.epochs === null ? '' : ` or ${budget.epochs} epochs`}`;
  const diverged = rows.filter(({ outcome }) => outcome === 'diverged').length;
  return [
    taskLine(task, record.workers),
    ...sampleLines(record),
    `target: ${targets.values.map((value) => targetText(record, value)).join(', then ')}` +
      `${targets.chosen === null ? '' : `, ${targets.chosen}`}; ${rows.length} runs: grid ${grid}, ${seeds} ` +
      `seed${seeds === 1 ? '' : 's'} each, ${limit} a run at most`,
    `To ${targetText(record, least)}:`,
    table(
      ['optimizer', 'seconds', '× adam', 'samples', 'reached', targets.measure],
      best.map((one) => row(record, one)),
    ),
    ...best.map(detailLine),
    ...winners.map((winner) => winnerLine(record, winner)),
    'Seconds: medians over seeds (and their range), of steps and what comes before the first one; of each optimizer ' +
      'its settings that are best by time, for the first in samples by samples.',
    ...(seeds === 1 ? ['One seed does not tell a tie: --seeds 3 does.'] : []),
    ...(diverged === 0 ? [] : [`${diverged} of ${rows.length} runs diverged; they count as missed.`]),
    ...skippedLines(skipped),
    ...scalesLine(record.unevenScales),
    `in all ${inSeconds(seconds)} s; BLAS: ${blas}`,
    ...(portable ? ['No system BLAS is in use: a fast one makes all of them faster (hmatrix doctor).'] : []),
  ].join('\n');
}

/** One line for each optimizer and reason. */
function skippedLines(skipped: ComparisonRecord['skipped']): string[] {
  return [...new Set(skipped.map(({ optimizer, reason }) => `${optimizer} left out: ${reason}`))];
}
