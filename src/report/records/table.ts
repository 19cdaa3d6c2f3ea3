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
import { COMPARISON, COMPRESSION, EIGS, FACTOR, PRECONDITIONERS, SOLVE, TABLE, TRAINING, TUNE } from './run-shapes.js';
import type { Shape } from './shape.js';
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

/** A kind of record. */
interface RecordKind<R> {
  readonly title: (record: R) => string;
  readonly charts: (record: R) => Chart[];
  /** What is drawn of it. */
  readonly shape: Shape;
  /** The members that hold the numbers of its pictures. */
  readonly numbers: string;
}

const inputOf = ({ name, size }: InputDescription): string => `${name}, N = ${size.toLocaleString('en-US')}`;

const FACTORED: RecordKind<FactorRecord> = {
  title: ({ input }) => `Factorization: ${inputOf(input)}`,
  charts: factorCharts,
  shape: FACTOR,
  numbers: 'seconds and memory',
};

/** What is known of the records of each kind. */
export const RECORDS: { readonly [K in RunRecord['record']]: RecordKind<Extract<RunRecord, { readonly record: K }>> } =
  {
    compression: {
      title: ({ input }) => `Compression: ${inputOf(input)}`,
      charts: compressionCharts,
      shape: COMPRESSION,
      numbers: 'ranks, memory, error and seconds',
    },
    solve: {
      title: ({ input }) => `Solve: ${inputOf(input)}`,
      charts: solveCharts,
      shape: SOLVE,
      numbers: 'history, seconds and memory',
    },
    eigs: {
      title: ({ input }) => `Eigenvalues: ${inputOf(input)}`,
      charts: eigsCharts,
      shape: EIGS,
      numbers: 'values',
    },
    factor: FACTORED,
    logdet: FACTORED,
    tune: {
      title: ({ input }) => `Choice of options: ${inputOf(input)}`,
      charts: tuneCharts,
      shape: TUNE,
      numbers: 'chosen.tried',
    },
    table: {
      title: ({ network, size }) => `Approximations: network ${network}, N = ${size.toLocaleString('en-US')}`,
      charts: tableCharts,
      shape: TABLE,
      numbers: 'rows',
    },
    preconditioners: {
      title: () => 'Preconditioners over shifts',
      charts: preconditionerCharts,
      shape: PRECONDITIONERS,
      numbers: 'sweep and networks',
    },
    training: {
      title: ({ task, optimizer }) => `Training: ${task.network}, ${optimizer.name}`,
      charts: trainingCharts,
      shape: TRAINING,
      numbers: 'evaluations',
    },
    comparison: {
      title: ({ task }) => `Optimizers: ${task.network}`,
      charts: comparisonCharts,
      shape: COMPARISON,
      numbers: 'rows and best',
    },
  };
