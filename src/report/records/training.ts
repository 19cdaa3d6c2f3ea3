/**
 * Charts of training: losses and accuracies against epochs and seconds, of one run and of several optimizers.
 */
import { inDigits } from '../../core/number-text.js';
import type { BestOf, ComparisonRecord, RecordedRow } from '../../experiment/comparison-record.js';
import type { TrainingRecord } from '../../experiment/training-run.js';
import type { Evaluated } from '../../training/train-options.js';
import type { Axis, Chart, Curve, CurveChart, Rule } from '../charts/chart.js';

/** A number of an evaluation; null where there is none. */
type Measure = (evaluation: Evaluated) => number | null;

/** How far a run has come. */
interface Progress {
  readonly id: string;
  readonly axis: Axis;
  readonly of: (evaluation: Evaluated) => number;
}

/** Epochs, or samples where nobody tells how many an epoch has, and seconds. */
const progresses = (samples: number | undefined): Progress[] => [
  samples === undefined
    ? { id: 'samples', axis: { label: 'samples', fromZero: true }, of: (evaluation) => evaluation.samples }
    : { id: 'epochs', axis: { label: 'epochs', fromZero: true }, of: (evaluation) => evaluation.samples / samples },
  { id: 'seconds', axis: { label: 'time of steps (s)', fromZero: true }, of: ({ seconds }) => seconds },
];

const curveOf = (name: string, evaluations: readonly Evaluated[], x: Progress['of'], y: Measure): Curve => ({
  name,
  points: evaluations.flatMap((evaluation) => {
    const value = y(evaluation);
    return value === null ? [] : [{ x: x(evaluation), y: value }];
  }),
});

/** Measures of a run: several curves of one picture. */
const LOSSES: Readonly<Record<string, Measure>> = {
  'training batches': ({ loss }) => loss,
  training: ({ trainingLoss }) => trainingLoss,
  validation: ({ validationLoss }) => validationLoss,
  'validation, averaged': ({ averagedLoss }) => averagedLoss,
};
const ACCURACIES: Readonly<Record<string, Measure>> = {
  training: ({ trainingAccuracy }) => trainingAccuracy,
  validation: ({ validationAccuracy }) => validationAccuracy,
  'validation, averaged': ({ averagedAccuracy }) => averagedAccuracy,
};

/** A run's losses, or its accuracies, against one kind of progress; undefined where it has none. */
function runChart(
  evaluations: readonly Evaluated[],
  measure: 'loss' | 'accuracy',
  { id, axis, of }: Progress,
  target: number | null,
): CurveChart | undefined {
  const curves = Object.entries(measure === 'loss' ? LOSSES : ACCURACIES)
    .map(([name, y]) => curveOf(name, evaluations, of, y))
    .filter(({ points }) => points.length > 0);
  if (curves.length === 0) return undefined;
  const ends = curves.map(({ name, points }) => `${name} ${inDigits(points.at(-1)!.y, 4)}`);
  return {
    kind: 'curves',
    id: `${measure}-by-${id}`,
    title: `${measure === 'loss' ? 'Loss' : 'Accuracy'} by ${id}`,
    alt: `${measure === 'loss' ? 'Mean loss' : 'Accuracy'} against ${id}; at the end ${ends.join(', ')}.`,
    x: axis,
    y: measure === 'loss' ? { label: 'mean loss', scale: 'log' } : { label: 'accuracy (share)' },
    curves,
    rules: target === null ? [] : [{ along: 'y', value: target, label: `target ${target}` }],
  };
}

/** What a run of `train` has come to; `samples` is how many an epoch has, where that is known. */
export const evaluationCharts = (
  evaluations: readonly Evaluated[],
  samples?: number,
  targets: TrainingRecord['targets'] = { loss: null, accuracy: null },
): Chart[] =>
  progresses(samples)
    .flatMap((progress) => [
      runChart(evaluations, 'loss', progress, targets.loss) ?? [],
      runChart(evaluations, 'accuracy', progress, targets.accuracy) ?? [],
    ])
    .flat();

/** Of `hmatrix train`. */
export const trainingCharts = ({ evaluations, task, targets }: TrainingRecord): Chart[] =>
  evaluationCharts(evaluations, task.training, targets);

/** Optimizers in one picture, at most: the first ones. */
const MOST_OPTIMIZERS = 8;

/** The run of an optimizer's best settings whose time is the median one of its seeds. */
function medianRun(rows: readonly RecordedRow[], { optimizer, settings }: BestOf): RecordedRow | undefined {
  const same = JSON.stringify(settings);
  const own = rows.filter((row) => row.optimizer === optimizer && JSON.stringify(row.settings) === same);
  const time = ({ reached, seconds }: RecordedRow): number => (reached ? seconds : Infinity);
  return own.sort((a, b) => (time(a) === time(b) ? 0 : time(a) - time(b)))[(own.length - 1) >> 1];
}

/** Of `hmatrix compare`. */
export function comparisonCharts({ rows, best, targets, task }: ComparisonRecord): Chart[] {
  const { measure, of, values } = targets;
  const value: Measure = (evaluation) => {
    if (measure === 'accuracy')
      return of === 'validation' ? evaluation.validationAccuracy : evaluation.trainingAccuracy;
    return of === 'validation' ? evaluation.validationLoss : evaluation.trainingLoss;
  };
  const runs = best.slice(0, MOST_OPTIMIZERS).flatMap((one) => medianRun(rows, one) ?? []);
  const rules = values.map((target): Rule => ({ along: 'y', value: target, label: `target ${target}` }));
  const left = best.length - MOST_OPTIMIZERS;
  // The time of a run begins with what comes before its first step, as in the table.
  const shown = progresses(task.training).map((one) =>
    one.id === 'seconds' ? { ...one, axis: { ...one.axis, label: 'time (s)' } } : one,
  );
  return shown.map(({ id, axis, of: progress }): CurveChart => ({
    kind: 'curves',
    id: `optimizers-by-${id}`,
    title: `Optimizers by ${id}`,
    alt:
      `The ${of} ${measure} of ${runs.length} optimizers, each with its best settings, against ${id}: ` +
      `${runs.map(({ optimizer }) => optimizer).join(', ')}, the first one first.`,
    caption:
      `Each with its best settings, the run of median time over ${rows.length} runs in all.` +
      (left > 0 ? ` ${left} slower ones are left out.` : ''),
    x: axis,
    y: measure === 'loss' ? { label: `${of} loss`, scale: 'log' } : { label: `${of} accuracy (share)` },
    curves: runs.map(({ optimizer, evaluations, preparation }) => {
      const before = id === 'seconds' ? preparation : 0;
      return curveOf(optimizer, evaluations, (evaluation) => before + progress(evaluation), value);
    }),
    rules,
  }));
}
