/**
 * A training run for people, made from its record alone.
 */
import type { TrainingRecord } from '../experiment/training-run.js';
import { optimizerOf, type OptimizerName } from '../training/optimizers/table.js';
import type { Evaluated } from '../training/train-options.js';
import { grouped, inBytes, inDigits, inPercent, inSeconds } from '../core/number-text.js';
import { sampleLines, table } from './tables.js';
import { scalesLine, taskLine } from './training-setup.js';

/** Most lines of the table of evaluations. */
const LINES = 12;

/** The first, the last and the best evaluation, and some between. */
export function shownEvaluations(evaluations: readonly Evaluated[], best: Evaluated): Evaluated[] {
  const last = evaluations.length - 1;
  const shown = new Set<number>();
  const kept = evaluations.findIndex(({ step }) => step === best.step);
  const lines = last < LINES ? last + 1 : LINES - 1;
  for (let k = 0; k < lines; k++) shown.add(Math.round((k * last) / Math.max(1, lines - 1)));
  if (kept >= 0) shown.add(kept);
  return [...shown].sort((a, b) => a - b).map((k) => evaluations[k]);
}

const inLoss = (loss: number): string => (Number.isFinite(loss) ? inDigits(loss, 4) : String(loss));

const lossCell = (loss: number | null): string | null => (loss === null ? null : inLoss(loss));

/** Columns by name; those without any cell are left out. */
const COLUMNS: Readonly<Record<string, (at: Evaluated) => string | null>> = {
  epoch: ({ epoch }) => String(epoch),
  step: ({ step }) => grouped(step),
  seconds: ({ seconds }) => inSeconds(seconds),
  'loss of batches': ({ loss }) => lossCell(loss),
  'of all training data': ({ trainingLoss }) => lossCell(trainingLoss),
  'of validation': ({ validationLoss }) => lossCell(validationLoss),
  'of the average': ({ averagedLoss }) => lossCell(averagedLoss),
  accuracy: ({ validationAccuracy, trainingAccuracy }) => {
    const accuracy = validationAccuracy ?? trainingAccuracy;
    return accuracy === null ? null : inPercent(accuracy);
  },
};

function evaluationTable({ evaluations, best }: TrainingRecord): string {
  const shown = shownEvaluations(evaluations, best);
  const columns = Object.entries(COLUMNS).filter(([, of]) => shown.some((at) => of(at) !== null));
  return table(
    ['', ...columns.map(([name]) => name)],
    shown.map((at) => [at.step === best.step ? 'best' : '', ...columns.map(([, of]) => of(at) ?? '')]),
  );
}

const targetText = ({ targets: { loss, accuracy } }: TrainingRecord): string =>
  [loss === null ? [] : `loss ${inDigits(loss)}`, accuracy === null ? [] : `accuracy ${inPercent(accuracy)}`]
    .flat()
    .join(' or ');

/** How it ended. */
function outcomeText(record: TrainingRecord): string {
  const { outcome, epochs, failure, reached } = record;
  const missed = reached === false ? `; the target, ${targetText(record)}, was MISSED` : '';
  switch (outcome) {
    case 'diverged':
      return `DIVERGED: ${failure ?? ''} What is kept is that of the last good evaluation`;
    case 'target':
      return `the target, ${targetText(record)}, was reached`;
    case 'patience':
      return `stopped: no evaluation was better for as long as --patience waits${missed}`;
    case 'seconds':
      return `stopped after the seconds that were given${missed}`;
    default:
      return `finished ${epochs} epoch${epochs === 1 ? '' : 's'}${missed}`;
  }
}

/** Which rules layers go by, where not all go by one; of a network of layers how many blocks of parameters by which. */
function ruleLine({ optimizer: { rules }, task: { model } }: TrainingRecord): string[] {
  if (new Set(rules).size < 2) return [];
  if (model !== undefined) {
    const counted = [...new Set(rules)].map((rule) => `${rules.filter((own) => own === rule).length} ${rule}`);
    return [`blocks of parameters: ${counted.join('; ')}`];
  }
  return [`layers: ${rules.map((rule, ℓ) => `${ℓ + 1} ${rule}`).join('; ')}`];
}

function teamText({ device, team: { threads, soloMilliseconds, teamMilliseconds } }: TrainingRecord): string {
  if (device !== undefined && !device.startsWith('cpu')) return `steps on ${device}`;
  const measured =
    soloMilliseconds === null || teamMilliseconds === null
      ? ''
      : ` (a gradient took ${inDigits(soloMilliseconds, 3)} ms on one, ${inDigits(teamMilliseconds, 3)} ms on all)`;
  return `steps on ${threads} thread${threads === 1 ? '' : 's'}${measured}`;
}

const memoryText = ({ memory: { bytes, recomputes } }: TrainingRecord): string =>
  `${inBytes(bytes)} of memory${recomputes ? ', forward passes made again' : ''}`;

const optimizerText = ({ optimizer: { name, settings }, batchSize }: TrainingRecord): string => {
  const usual = optimizerOf(name as OptimizerName).settings;
  const told = Object.entries(settings).filter(
    ([key, value]) => value !== null && (key === 'learningRate' || value !== usual[key]),
  );
  const shown = told.map(([key, value]) => `${key} ${typeof value === 'number' ? inDigits(value, 4) : String(value)}`);
  return `${name}, batches of ${grouped(batchSize)}${shown.length > 0 ? `; ${shown.join(', ')}` : ''}`;
};

/** BLEU, and the first sentences with what they became. */
function translationLines({ translation }: TrainingRecord): string[] {
  if (translation === undefined) return [];
  const { bleu, beams, pairs, examples } = translation;
  const how = beams === 1 ? 'the likeliest next word' : `beam search, ${beams} hypotheses`;
  return [
    `BLEU ${bleu.toFixed(3)} of ${grouped(pairs)} sentences that were kept apart, by ${how}`,
    ...examples.map(
      ({ source, target, translation: found }) =>
        `  ${source} → ${found}${found === target ? ' (right)' : ` (wanted: ${target})`}`,
    ),
  ];
}

/** The printed report; `out`: the file the weights went to. */
export function trainReport(record: TrainingRecord, out?: string): string {
  const { task, kept, steps, samplesPerSecond, seconds, best, lastStep, blas } = record;
  const of = task.validation > 0 ? 'validation' : 'training';
  const value = (loss: number, accuracy: number | null): string =>
    `loss ${inLoss(loss)}${accuracy === null ? '' : `, accuracy ${inPercent(accuracy)}`}`;
  const which = {
    best: `best evaluation (epoch ${best.epoch}, step ${grouped(best.step)})`,
    last: 'last step',
    average: 'average over steps',
  }[kept.which];
  const damping = lastStep?.damping === undefined ? '' : `; λ at the end ${inDigits(lastStep.damping, 3)}`;
  return [
    taskLine(task, record.workers),
    ...sampleLines(record),
    optimizerText(record),
    ...ruleLine(record),
    evaluationTable(record),
    `${outcomeText(record)}; ${grouped(steps)} step${steps === 1 ? '' : 's'} in ${inSeconds(seconds.steps)} s, ` +
      `${grouped(samplesPerSecond)} samples/s, ${inSeconds(seconds.total)} s in all; ` +
      `${teamText(record)}, ${memoryText(record)}${damping}`,
    `weights of the ${which}: ` +
      `${value(kept.loss, kept.accuracy)} of ${of} data${task.standardized ? ", in the data's own units" : ''}` +
      (out === undefined ? '' : `; written to ${out}`),
    ...translationLines(record),
    ...(task.standardized ? ['Losses of the table are of standardized data.'] : []),
    ...scalesLine(record.unevenScales),
    `BLAS: ${blas}`,
  ].join('\n');
}
