/**
 * What a run trains: a network that fits its data, the data split and in one precision.
 */
import type { FloatArray } from '../core/floats.js';
import type { Precision } from '../dense/matrix.js';
import type { ActivationName } from '../network/activations/table.js';
import type { DataSet } from '../network/data-set.js';
import { initialParameters } from '../network/initialize.js';
import { lossOf, type LossName } from '../network/losses/table.js';
import { defineNetwork, type Network } from '../network/network.js';
import { readWeights } from '../network/weights-file.js';
import type { RunControl } from '../core/context.js';
import { splitData } from '../training/data/split.js';
import type { Setting } from '../training/optimizer.js';
import { networkData, type NetworkSamples } from './network-data.js';
import type { NamedFile } from './sample-table.js';
import { copiedData, fromRaw, standardizationOf, toRaw, unevenScales, type Standardization } from './standardize.js';

/** A network and its data, as they are asked for. */
export interface TaskSetup {
  /** Left out: those of `weights`, else what fits the data, with `hidden` units between. */
  readonly widths?: readonly number[] | undefined;
  readonly hidden?: readonly number[] | undefined;
  readonly activation: ActivationName | readonly ActivationName[];
  /** Left out: cross-entropy of labels, else mse. */
  readonly loss?: LossName | undefined;
  readonly bias: boolean;
  readonly data: NetworkSamples & { readonly name: string };
  readonly samples: number;
  readonly precision: Precision;
  /** Share of the samples that is kept apart. */
  readonly validation: number;
  readonly standardize: boolean;
  readonly seed: number;
  readonly weights?: NamedFile | undefined;
}

/** A task that is ready. */
export interface TrainingTask {
  readonly network: Network;
  readonly loss: LossName;
  /** As steps see it, and as it was read. */
  readonly training: DataSet;
  readonly validation: DataSet | null;
  readonly rawTraining: DataSet;
  readonly rawValidation: DataSet | null;
  /** θ to begin from for a seed, in the precision and the scales of `training`. */
  readonly initial: (seed: number) => FloatArray;
  /** θ as the raw data asks for it. */
  readonly raw: (θ: FloatArray) => FloatArray;
  readonly standardization: Standardization | null;
  /** Which columns lie far apart, where they do and are not standardized. */
  readonly unevenScales: string | null;
}

/** The task, as records have it. */
export interface TaskRecord {
  readonly network: string;
  /** Of a network of layers: its name, and the sizes and ways that were taken. */
  readonly model?: { readonly name: string; readonly settings: Readonly<Record<string, Setting>> } | undefined;
  readonly size: number;
  /** null: of layers, which have their own. */
  readonly activation: string | null;
  readonly loss: string;
  readonly bias: boolean | null;
  readonly data: string;
  readonly training: number;
  readonly validation: number;
  readonly precision: Precision;
  readonly standardized: boolean;
  readonly weights: string | null;
  readonly seed: number;
}

/** Widths between inputs and outputs where none are named. */
function hiddenOf(inputs: number, autoencoder: boolean): number[] {
  if (autoencoder) return inputs > 256 ? [128, 32, 128] : [Math.ceil(inputs / 2)];
  return [inputs > 100 ? 100 : 32];
}

/** Classes of labels, of which the largest is there; at least two. */
export const classesOf = (labels: ArrayLike<number>): number =>
  1 + Array.from(labels).reduce((most, label) => Math.max(most, label), 1);

/** Widths and loss: those of the setup, else what fits the data. */
export function chooseNetwork({ widths, hidden, loss, data }: TaskSetup): { widths: number[]; loss: LossName } {
  const isTable = 'inputs' in data;
  const labeled = !isTable && data.labels !== undefined;
  const square = widths !== undefined && widths[0] === widths.at(-1);
  const chosen = loss ?? (labeled && !square ? 'cross-entropy' : 'mse');
  if (widths !== undefined) return { widths: [...widths], loss: chosen };
  const { classes } = lossOf(chosen);
  const inputs = isTable ? data.inputs.dimension : data.images.dimension;
  const wanted = isTable ? data.targets : undefined;
  const outputs = (): number => {
    if (wanted !== undefined)
      return classes && wanted.dimension === 1 ? classesOf(wanted.coordinates) : wanted.dimension;
    return classes && labeled ? classesOf(data.labels!) : inputs;
  };
  const autoencoder = wanted === undefined && !classes;
  return { widths: [inputs, ...(hidden ?? hiddenOf(inputs, autoencoder)), outputs()], loss: chosen };
}

/** The widths of the weights' file, where they are to come from there. */
async function widthsOfFile(
  { weights, hidden }: TaskSetup,
  control: RunControl,
): Promise<readonly number[] | undefined> {
  if (weights === undefined || hidden !== undefined) return undefined;
  return (await readWeights(weights.path, undefined, { signal: control.signal })).widths;
}

/** Names of a table's columns, inputs then targets. */
const columnNames = (data: NetworkSamples): string[] | null =>
  'inputs' in data ? data.tables.flatMap(({ table }) => table.names) : null;

/**
 * The network, its data and its first parameters. Throws OptionError, ShapeError, and what reading weights throws.
 */
export async function openTask(setup: TaskSetup, control: RunControl): Promise<TrainingTask> {
  const { activation, bias, data, samples, precision, seed, weights, standardize } = setup;
  const { widths, loss } = chooseNetwork({ ...setup, widths: setup.widths ?? (await widthsOfFile(setup, control)) });
  const network = defineNetwork({ widths, activation, bias });
  const whole = networkData(network, loss, data, samples);
  const { training, validation } =
    setup.validation === 0 ? { training: whole, validation: null } : splitData(whole, setup.validation, seed);
  const by = standardize ? standardizationOf(network, loss, training) : null;
  const given =
    weights === undefined
      ? null
      : (await readWeights(weights.path, network, { signal: control.signal, precision })).parameters;
  const names = columnNames(data);
  return {
    network,
    loss,
    rawTraining: training,
    rawValidation: validation,
    training: copiedData(training, precision, by),
    validation: validation === null ? null : copiedData(validation, precision, by),
    initial: (own) => {
      if (given === null) return initialParameters(network, own, { precision });
      return by === null ? given.slice() : fromRaw(network, given, by);
    },
    raw: (θ) => (by === null ? θ : toRaw(network, θ, by)),
    standardization: by,
    unevenScales: by === null && names !== null ? unevenScales(training, names) : null,
  };
}

/** The record of a task. */
export function taskRecord(setup: TaskSetup, { network, loss, training, validation }: TrainingTask): TaskRecord {
  const { activation, bias, data, precision, standardize, weights, seed } = setup;
  return {
    network: [network.inputs, ...network.layers.map(({ outputs }) => outputs)].join('-'),
    size: network.parameters,
    activation: typeof activation === 'string' ? activation : activation.join(','),
    loss,
    bias,
    data: data.name,
    training: training.samples,
    validation: validation?.samples ?? 0,
    precision,
    standardized: standardize,
    weights: weights?.name ?? null,
    seed,
  };
}
