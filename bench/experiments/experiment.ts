/**
 * What an experiment of training is: data, runs, and what was expected of them, told in words.
 */
import type { FloatArray } from '../../src/core/floats.js';
import type { GivenGraphModel } from '../../src/layers/graph-model.js';
import type { DataSet } from '../../src/network/data-set.js';
import { accuracy } from '../../src/network/predict.js';
import { initialParameters } from '../../src/network/initialize.js';
import { lossOf } from '../../src/network/losses/table.js';
import { meanLoss } from '../../src/network/gradient.js';
import type { GivenModel, Model } from '../../src/network/model.js';
import { defineNetwork, type NetworkOptions } from '../../src/network/network.js';
import { train } from '../../src/training/train.js';
import type { Setting } from '../../src/training/optimizer.js';
import type { TrainingRun, TrainOptions } from '../../src/training/train-options.js';
import { rounded } from '../record.js';

/** What an experiment is told. */
export interface Setup {
  /** Folder with mnist/ and tabular/; what is not there is generated. */
  readonly data: string;
  /** Small and short: to see that it works, not what comes of it. */
  readonly quick: boolean;
  readonly seed: number;
  /** Told what was done so far. */
  readonly say: (line: string) => void;
}

/** Something that was expected of the runs, and whether it came. */
export interface Check {
  readonly expected: string;
  readonly met: boolean;
  readonly seen: string;
}

/** Rows of text under titles. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What an experiment gives. */
export interface Outcome {
  /** What the data was: real or generated, and how many samples. */
  readonly data: string;
  readonly tables: readonly Table[];
  readonly checks: readonly Check[];
  /** What the record keeps besides. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Pictures to keep, grey values by row. */
  readonly pictures?: Readonly<Record<string, Picture>>;
}

/** Grey values from 0 to 255, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** An experiment, by its name in the table of experiments. */
export interface Experiment {
  readonly what: string;
  readonly run: (setup: Setup) => Promise<Outcome>;
}

/** One run as records keep it. */
export interface RunRow {
  readonly label: string;
  readonly optimizer: string;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly batchSize: number | 'all' | null;
  readonly outcome: string;
  readonly failure: string | null;
  readonly steps: number;
  readonly seconds: number;
  /** At the end of each epoch, or as the run was evaluated. */
  readonly epochs: readonly EpochRow[];
}

/** An evaluation. */
export interface EpochRow {
  readonly epoch: number;
  /** Seen in steps so far. */
  readonly samples: number;
  readonly seconds: number;
  /** Of the batches, as their steps saw it. */
  readonly loss: number | null;
  readonly validationLoss: number | null;
  readonly accuracy: number | null;
}

const orNull = (value: number | null): number | null => (value === null ? null : rounded(value));

/** A run's record. */
export const rowOf = (
  label: string,
  run: Omit<TrainingRun, 'parameters' | 'averaged' | 'best'>,
  { batchSize }: Pick<TrainOptions, 'batchSize'> = {},
): RunRow => ({
  label,
  optimizer: run.optimizer.name,
  settings: run.optimizer.settings,
  batchSize: batchSize ?? null,
  outcome: run.outcome,
  failure: run.failure,
  steps: run.steps,
  seconds: rounded(run.seconds),
  epochs: run.evaluations.map(({ epoch, samples, seconds, loss, validationLoss, validationAccuracy }) => ({
    epoch,
    samples,
    seconds: rounded(seconds),
    loss: orNull(loss),
    validationLoss: orNull(validationLoss),
    accuracy: orNull(validationAccuracy),
  })),
});

/** A network and a way to train it. */
export interface Trial {
  readonly label: string;
  readonly options: TrainOptions;
}

/** A trained network, and its record. */
export interface Trained {
  readonly row: RunRow;
  readonly run: TrainingRun;
}

/** A model at its seeded beginning, in float32 unless said. */
export function startOf(
  shape: NetworkOptions,
  given: Pick<Model, 'loss' | 'data'>,
  seed: number,
  precision: 'f32' | 'f64' = 'f32',
): Model {
  const network = defineNetwork(shape);
  const initial = initialParameters(network, seed);
  return { ...given, network, parameters: precision === 'f32' ? Float32Array.from(initial) : initial };
}

/** Trains one model each way, always from the same beginning. */
export async function trials(
  { say }: Setup,
  start: GivenModel | GivenGraphModel,
  those: readonly Trial[],
  common: TrainOptions,
): Promise<Trained[]> {
  const done: Trained[] = [];
  for (const { label, options } of those) {
    const all = { ...common, ...options };
    const run = await train(start, all);
    const row = rowOf(label, run, all);
    say(`${label}: ${run.outcome}, ${row.steps} steps, ${row.seconds} s`);
    done.push({ row, run });
  }
  return done;
}

/** Mean loss, and accuracy where there is one, of parameters on data. */
export function scoreOf(
  model: Model,
  parameters: FloatArray,
  data: DataSet,
): { loss: number; accuracy: number | null } {
  const at = { ...model, parameters, data };
  return { loss: meanLoss(at), accuracy: lossOf(model.loss).decision === null ? null : accuracy(at) };
}

/** A share as per cent with two decimals. */
export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? '–' : `${(100 * share).toFixed(2)} %`;

/** A number with four digits. */
export const digits = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : Number.isFinite(value) ? String(rounded(value)) : 'not finite';

/** The last evaluation that a run had; of a diverged one the last good one. */
export const lastOf = ({ epochs }: RunRow): EpochRow | undefined => epochs.at(-1);

/** The table as text, columns aligned. */
export function tableText({ title, columns, rows }: Table): string {
  const cells = [columns, ...rows.map((row) => row.map(String))];
  const widths = columns.map((_, k) => Math.max(...cells.map((row) => [...(row[k] ?? '')].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join('  ');
  return [title, line(columns), widths.map((width) => '-'.repeat(width)).join('  '), ...cells.slice(1).map(line)].join(
    '\n',
  );
}
