/**
 * What is shown of one run or one matrix: a title, charts, and the facts that a reader needs to judge and repeat it.
 */
import { kindOf, describe } from '../core/kind.js';
import { inDigits } from '../core/number-text.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import type { RunControl } from '../core/context.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { SolveResult } from '../solve/options.js';
import type { TrainingRun } from '../training/train-options.js';
import type { Chart } from './charts/chart.js';
import { showsSomething } from './charts/draw.js';
import { checkedRecord, isRecord } from './records/check.js';
import { matrixCharts, type MatrixPictures } from './records/matrix.js';
import { CONVERGENCE, EVALUATIONS } from './records/run-shapes.js';
import { convergenceChart } from './records/runs.js';
import { members, text, type Refuse } from './records/shape.js';
import { RECORDS, type RunRecord } from './records/table.js';
import { evaluationCharts } from './records/training.js';

/**
 * What can be drawn: a matrix, a factorization with its matrix, the record of a run (as JSON.parse gives it), or what
 * `solve` or `train` returned.
 */
export type Subject = HierarchicalMatrix | Factorization | RunRecord | SolveResult | TrainingRun;

/** A name and a value, as it is written. */
export type Fact = readonly [name: string, value: string];

/** What is shown of a subject. */
export interface View {
  readonly title: string;
  readonly charts: readonly Chart[];
  readonly facts: readonly Fact[];
  /** What is to be said of it beneath its title, in words. */
  readonly note?: string | undefined;
  /** The command that repeats the run, where its record tells it. */
  readonly command?: string | undefined;
  /** When it ran, where its record tells it. */
  readonly date?: string | undefined;
}

/** Longer lists are left to the charts. */
const LONGEST_LIST = 16;
/** Told elsewhere on the page. */
const TOLD = ['record', 'date', 'command', 'blocks'];

const isPlain = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** All single values of an object and its members, and short lists of them, by their path. */
export function factsOf(value: object, prefix = ''): Fact[] {
  return Object.entries(value).flatMap(([key, member]: [string, unknown]): Fact[] => {
    if (prefix === '' && TOLD.includes(key)) return [];
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (isPlain(member)) return [[name, String(member)]];
    if (Array.isArray(member))
      return member.length > 0 && member.length <= LONGEST_LIST && member.every(isPlain)
        ? [[name, member.join(', ')]]
        : [];
    return typeof member === 'object' ? factsOf(member, name) : [];
  });
}

/** The charts that show something. Throws FileFormatError where none does: `numbers` are what they are drawn of. */
function shown(charts: readonly Chart[], numbers: string, of: string): Chart[] {
  const found = charts.filter(showsSomething);
  if (found.length > 0) return found;
  throw new FileFormatError(`${of}: there is nothing to draw, for ${numbers} hold no number that an axis can show.`, {
    of,
  });
}

function recordView(record: RunRecord, of: string): View {
  const { title, charts, numbers } = RECORDS[record.record] as {
    readonly title: (record: RunRecord) => string;
    readonly charts: (record: RunRecord) => Chart[];
    readonly numbers: string;
  };
  const { command } = record;
  return {
    title: title(record),
    charts: shown(charts(record), numbers, of),
    facts: factsOf(record),
    command: typeof command === 'string' ? command : undefined,
    date: typeof record.date === 'string' ? record.date : undefined,
  };
}

async function matrixView(matrix: HierarchicalMatrix, options: MatrixPictures, control: RunControl): Promise<View> {
  matrix.requireUsable();
  const size = matrix.size.toLocaleString('en-US');
  return {
    title: `Hierarchical matrix, ${matrix.data.format}, N = ${size}`,
    charts: await matrixCharts(matrix, options, control),
    facts: factsOf(matrix.report),
  };
}

/** Throws OptionError: what is wrong with a result that is called `of`. */
const refusal =
  (of: string, by: string): Refuse =>
  (what) => {
    throw new OptionError(`${of}: ${what}, as ${by} returns it.`, { of });
  };

function solveView(result: SolveResult, of: string): View {
  members(CONVERGENCE)(result, '', refusal(of, 'solve'));
  const { x: _, history, residuals: _residuals, ...rest } = result;
  return {
    title: 'Solve',
    charts: shown([convergenceChart({ history, tolerance: rest.tolerance })], 'history', of),
    facts: factsOf(rest),
  };
}

function trainingView(run: TrainingRun, of: string): View {
  members({ evaluations: EVALUATIONS, optimizer: members({ name: text }) })(run, '', refusal(of, 'train'));
  const { evaluations, epochs, samples, outcome, optimizer } = run;
  return {
    title: `Training, ${optimizer.name}`,
    charts: shown(evaluationCharts(evaluations), 'evaluations', of),
    facts: factsOf({ outcome, epochs, samples, optimizer }),
  };
}

/** Of a factorization its matrix, and what it adds to that. */
async function factorizationView(
  factorization: Factorization,
  options: MatrixPictures,
  control: RunControl,
): Promise<View> {
  const { kept, size, shift, precision, indefinite, bytes, logdet } = factorization;
  const { matrix } = kept;
  return {
    title: `Factorization with λ = ${inDigits(shift)}, ${matrix.data.format}, N = ${size.toLocaleString('en-US')}`,
    charts: await matrixCharts(matrix, options, control, bytes),
    facts: [...factsOf({ shift, precision, indefinite, logdet, factorBytes: bytes }), ...factsOf(matrix.report)],
  };
}

/** What is shown of `subject`, which messages call `of`. Throws FileFormatError and OptionError for what is none. */
export async function viewOf(
  subject: Subject,
  of: string,
  options: MatrixPictures,
  control: RunControl,
): Promise<View> {
  if (kindOf(subject) === 'hierarchical matrix') return matrixView(subject as HierarchicalMatrix, options, control);
  if (kindOf(subject) === 'factorization' && 'indefinite' in (subject as Factorization))
    return factorizationView(subject as Factorization, options, control);
  if (isRecord(subject)) return recordView(checkedRecord(subject, of), of);
  const own: Readonly<Record<string, unknown>> = typeof subject === 'object' ? { ...(subject as object) } : {};
  if (own['history'] !== undefined) return solveView(subject as SolveResult, of);
  if (own['evaluations'] !== undefined) return trainingView(subject as TrainingRun, of);
  throw new OptionError(
    `${of} takes a hierarchical matrix or its factorization, the record of a run, or what solve or train returned, ` +
      `not ${describe(subject)}.`,
    { of },
  );
}
