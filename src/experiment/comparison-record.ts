/**
 * What a comparison of optimizers tells, and what follows from its runs: medians over seeds, the best settings of each
 * optimizer, ties.
 */
import type { Setting } from '../training/optimizer.js';
import type { OptimizerName } from '../training/optimizers/table.js';
import type { Evaluated, TrainingOutcome } from '../training/train-options.js';
import type { circumstances, TableReading } from './record.js';
import type { TaskRecord } from './training-task.js';

/** What is to be reached: losses falling, or accuracies rising, the last one the hardest. */
export interface ComparisonTargets {
  readonly measure: 'loss' | 'accuracy';
  readonly values: readonly number[];
  /** Of which data the measure is. */
  readonly of: 'validation' | 'training';
  /** Null where they were given; else how they came about. */
  readonly chosen: string | null;
}

/** When a target was first met. Seconds with what comes before the first step. */
export interface Reached {
  readonly target: number;
  readonly seconds: number;
  readonly samples: number;
}

/** One run. */
export interface ComparisonRow {
  readonly optimizer: OptimizerName;
  /** What its grid says, `batchSize` included. */
  readonly settings: Readonly<Record<string, Setting>>;
  readonly seed: number;
  /** Whether the last target was reached; then seconds, samples, epochs, loss and accuracy are those of that moment. */
  readonly reached: boolean;
  /** Of steps, and of what comes before the first one (turning inputs, memory). */
  readonly seconds: number;
  readonly samples: number;
  readonly epochs: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** Share of the steps' time in BLAS, of a short run of its own on one thread. */
  readonly blasShare: number | null;
  readonly preparation: number;
  readonly outcome: TrainingOutcome;
  readonly failure: string | null;
  readonly times: readonly Reached[];
}

/** An optimizer with those of its settings that reached the last target first, by the median over seeds. */
export interface BestOf {
  readonly optimizer: OptimizerName;
  readonly settings: Readonly<Record<string, Setting>>;
  /** Median; null where most seeds missed the target. */
  readonly seconds: number | null;
  readonly least: number | null;
  readonly most: number | null;
  readonly samples: number | null;
  /** Seconds over those of Adam's best; null where either missed the target. */
  readonly ratioToAdam: number | null;
  readonly reached: number;
  readonly runs: number;
  /** Median loss (accuracy where that is the target) at the end of its runs. */
  readonly measure: number | null;
  readonly blasShare: number | null;
  /** Whether its range over seeds overlaps that of the first. */
  readonly tied: boolean;
}

/** Who is first to a target, by time and by samples. */
export interface Winner {
  readonly target: number;
  readonly seconds: Standing | null;
  readonly samples: Standing | null;
}

/** Who is first, Adam's value, and who cannot be told apart. */
export interface Standing {
  readonly optimizer: OptimizerName;
  readonly value: number;
  readonly adam: number | null;
  readonly ties: readonly OptimizerName[];
}

/** A run with all its evaluations, as the record's file has it. */
export type RecordedRow = ComparisonRow & { readonly evaluations: readonly Evaluated[] };

/** A comparison. */
export interface ComparisonRecord {
  readonly record: 'comparison';
  readonly date: string;
  readonly task: TaskRecord;
  readonly tables?: readonly TableReading[] | undefined;
  readonly targets: ComparisonTargets;
  readonly budget: { readonly seconds: number; readonly epochs: number | null };
  readonly grid: string;
  readonly seeds: number;
  readonly rows: readonly RecordedRow[];
  readonly best: readonly BestOf[];
  readonly winners: readonly Winner[];
  /** Settings that the task or the memory does not allow, and why. */
  readonly skipped: readonly {
    readonly optimizer: OptimizerName;
    readonly settings: Readonly<Record<string, Setting>>;
    readonly reason: string;
  }[];
  readonly unevenScales: string | null;
  readonly seconds: number;
  readonly blas: string;
  readonly workers: number;
  readonly machine: ReturnType<typeof circumstances>['machine'];
  readonly versions: ReturnType<typeof circumstances>['versions'];
}

/** The median; of values that are missing, Infinity, where they make half. NaN of none. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Rows of the same optimizer and settings: the seeds of one point of its grid. */
function points(rows: readonly ComparisonRow[]): ComparisonRow[][] {
  const found = new Map<string, ComparisonRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.optimizer, row.settings]);
    const own = found.get(key);
    if (own === undefined) found.set(key, [row]);
    else own.push(row);
  }
  return [...found.values()];
}

interface Spread {
  readonly rows: readonly ComparisonRow[];
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

function spreadOf(rows: readonly ComparisonRow[], of: (row: ComparisonRow) => number): Spread {
  const values = rows.map(of);
  return { rows, median: medianOf(values), least: Math.min(...values), most: Math.max(...values) };
}

/** Of each optimizer the point with the least median; where medians are infinite, the first in `fallback`'s order. */
function leading(
  rows: readonly ComparisonRow[],
  of: (row: ComparisonRow) => number,
  fallback: (row: ComparisonRow) => number,
): Map<OptimizerName, Spread> {
  const best = new Map<OptimizerName, Spread>();
  for (const own of points(rows)) {
    const spread = spreadOf(own, of);
    const { optimizer } = own[0];
    const before = best.get(optimizer);
    const better =
      before === undefined ||
      spread.median < before.median ||
      (spread.median === before.median && medianOf(own.map(fallback)) < medianOf(before.rows.map(fallback)));
    if (better) best.set(optimizer, spread);
  }
  return best;
}

/** Whether two ranges over more than one seed overlap. */
const overlap = (a: Spread, b: Spread): boolean =>
  a.rows.length > 1 && b.rows.length > 1 && b.least <= a.most && a.least <= b.most;

const secondsOf =
  (target: number) =>
  ({ times }: ComparisonRow): number =>
    times.find((one) => one.target === target)?.seconds ?? Infinity;
const samplesOf =
  (target: number) =>
  ({ times }: ComparisonRow): number =>
    times.find((one) => one.target === target)?.samples ?? Infinity;

/** What is told of the optimizers, the first one first; those that missed by what they came to. */
export function bestOf(rows: readonly ComparisonRow[], { measure, values }: ComparisonTargets): BestOf[] {
  const sign = measure === 'loss' ? 1 : -1;
  const came = (row: ComparisonRow): number => sign * (row[measure] ?? sign * Infinity);
  const last = values.at(-1)!;
  const best = leading(rows, secondsOf(last), came);
  const order = [...best.entries()].sort(
    ([, a], [, b]) =>
      (a.median === b.median ? 0 : a.median - b.median) || medianOf(a.rows.map(came)) - medianOf(b.rows.map(came)) || 0,
  );
  const adam = best.get('adam')?.median ?? Infinity;
  const [first] = order;
  return order.map(([optimizer, spread]) => {
    const { rows: own, median, least, most } = spread;
    const shares = own.flatMap(({ blasShare }) => (blasShare === null ? [] : [blasShare]));
    return {
      optimizer,
      settings: own[0].settings,
      seconds: finite(median),
      least: finite(least),
      most: finite(most),
      samples: finite(medianOf(own.map(samplesOf(last)))),
      ratioToAdam: finite(median / adam) === 0 ? null : finite(median / adam),
      reached: own.filter(({ reached }) => reached).length,
      runs: own.length,
      measure: finite(sign * medianOf(own.map(came))),
      blasShare: shares.length === 0 ? null : medianOf(shares),
      tied: spread !== first[1] && Number.isFinite(median) && overlap(first[1], spread),
    };
  });
}

function standing(rows: readonly ComparisonRow[], of: (row: ComparisonRow) => number): Standing | null {
  const best = [...leading(rows, of, () => 0).entries()].sort(([, a], [, b]) =>
    a.median === b.median ? 0 : a.median - b.median,
  );
  if (best.length === 0 || !Number.isFinite(best[0][1].median)) return null;
  const [[optimizer, first], ...others] = best;
  return {
    optimizer,
    value: first.median,
    adam: finite(best.find(([name]) => name === 'adam')?.[1].median ?? Infinity),
    ties: others.flatMap(([name, spread]) => (Number.isFinite(spread.median) && overlap(first, spread) ? [name] : [])),
  };
}

/** Who is first to each target. */
export const winnersOf = (rows: readonly ComparisonRow[], { values }: ComparisonTargets): Winner[] =>
  values.map((target) => ({
    target,
    seconds: standing(rows, secondsOf(target)),
    samples: standing(rows, samplesOf(target)),
  }));
