/**
 * Records of runs by their kind: what each must hold to be drawn, what it is called, and its charts.
 */
import type { ComparisonRecord } from '../../experiment/comparison-record.js';
import type { EigsRecord } from '../../experiment/eigs-run.js';
import type { FactorRecord } from '../../experiment/factor-run.js';
import type { PreconditionerRecord } from '../../experiment/preconditioner-record.js';
import type { CompressionRecord, InputDescription } from '../../experiment/record.js';
import type { SolveRecord } from '../../experiment/solve-run.js';
import type { TableRecord } from '../../experiment/table-record.js';
import type { TrainingRecord } from '../../experiment/training-run.js';
import type { TuneRecord } from '../../experiment/tune-run.js';
import type { Chart } from '../charts/chart.js';
import { preconditionerCharts, tableCharts } from './approximations.js';
import { compressionCharts, eigsCharts, factorCharts, solveCharts, tuneCharts } from './runs.js';
import { comparisonCharts, trainingCharts } from './training.js';

/** The records of all kinds, as `--record` and `--json` write them; the command's have its command line too. */
export type RunRecord = (
  | CompressionRecord
  | SolveRecord
  | EigsRecord
  | FactorRecord
  | TuneRecord
  | TableRecord
  | PreconditionerRecord
  | TrainingRecord
  | ComparisonRecord
) & { readonly command?: string | undefined };

/** What a member is. */
export type MemberKind = 'number' | 'text' | 'object' | 'list' | 'numbers';

/** A kind of record. */
interface RecordKind<R> {
  readonly title: (record: R) => string;
  readonly charts: (record: R) => Chart[];
  /** What is drawn of it, by its path; that of a list's items after "[]". */
  readonly needs: Readonly<Record<string, MemberKind>>;
}

const inputOf = ({ name, size }: InputDescription): string => `${name}, N = ${size.toLocaleString('en-US')}`;
const INPUT = { 'input.name': 'text', 'input.size': 'number' } as const;
const ERROR = {
  'error.relative': 'number',
  'error.low': 'number',
  'error.high': 'number',
  'error.columns': 'number',
  'error.tolerance': 'number',
} as const;
const SWEPT = {
  size: 'number',
  tolerance: 'number',
  'rows[].preconditioner': 'text',
  'rows[].seconds': 'object',
} as const;
const within = <K extends MemberKind>(list: string, needs: Readonly<Record<string, K>>): Record<string, K> =>
  Object.fromEntries(Object.entries(needs).map(([path, kind]) => [`${list}[].${path}`, kind]));

const FACTOR: RecordKind<FactorRecord> = {
  title: ({ input }) => `Factorization: ${inputOf(input)}`,
  charts: factorCharts,
  needs: { ...INPUT, seconds: 'object', 'memory.matrix': 'number', 'memory.factors': 'number', logdet: 'number' },
};

/** What is known of the records of each kind. */
export const RECORDS: { readonly [K in RunRecord['record']]: RecordKind<Extract<RunRecord, { readonly record: K }>> } =
  {
    compression: {
      title: ({ input }) => `Compression: ${inputOf(input)}`,
      charts: compressionCharts,
      needs: {
        ...INPUT,
        ...ERROR,
        seconds: 'object',
        'ranks[].level': 'number',
        'ranks[].max': 'number',
        'ranks[].mean': 'number',
        'memory.bytes': 'number',
        'memory.share': 'number',
        'memory.parts': 'object',
      },
    },
    solve: {
      title: ({ input }) => `Solve: ${inputOf(input)}`,
      charts: solveCharts,
      needs: {
        ...INPUT,
        history: 'numbers',
        tolerance: 'number',
        seconds: 'object',
        memory: 'object',
        'preconditioner.name': 'text',
      },
    },
    eigs: {
      title: ({ input }) => `Eigenvalues: ${inputOf(input)}`,
      charts: eigsCharts,
      needs: { ...INPUT, values: 'numbers', residuals: 'numbers' },
    },
    factor: FACTOR,
    logdet: FACTOR,
    tune: {
      title: ({ input }) => `Choice of options: ${inputOf(input)}`,
      charts: tuneCharts,
      needs: { ...INPUT, 'chosen.tried[].leafSize': 'number', 'chosen.measured': 'list', 'chosen.leafSize': 'number' },
    },
    table: {
      title: ({ network, size }) => `Approximations: network ${network}, N = ${size.toLocaleString('en-US')}`,
      charts: tableCharts,
      needs: {
        network: 'text',
        size: 'number',
        budgets: 'object',
        'rows[].method': 'text',
        'rows[].share': 'number',
        'rows[].error.relative': 'number',
        'rows[].seconds.build': 'number',
      },
    },
    preconditioners: {
      title: () => 'Preconditioners over shifts',
      charts: preconditionerCharts,
      needs: {
        ...within('sweep', { matrix: 'text', ...SWEPT }),
        ...within('networks', { network: 'text', ...SWEPT }),
      },
    },
    training: {
      title: ({ task, optimizer }) => `Training: ${task.network}, ${optimizer.name}`,
      charts: trainingCharts,
      needs: {
        'task.network': 'text',
        'task.training': 'number',
        'optimizer.name': 'text',
        'evaluations[].samples': 'number',
        'evaluations[].seconds': 'number',
        targets: 'object',
      },
    },
    comparison: {
      title: ({ task }) => `Optimizers: ${task.network}`,
      charts: comparisonCharts,
      needs: {
        'task.network': 'text',
        'task.training': 'number',
        'targets.values': 'numbers',
        'targets.measure': 'text',
        'rows[].optimizer': 'text',
        'rows[].preparation': 'number',
        'rows[].evaluations[].samples': 'number',
        'best[].optimizer': 'text',
      },
    },
  };
