/**
 * From the command's options to a network whose Gauss–Newton matrix is wanted: trained here, or with weights of a file.
 */
import { basename } from 'node:path';
import type { InputDescription } from '../experiment/record.js';
import type { TrainingSetup } from '../experiment/table-run.js';
import type { CsvFormat } from '../io/csv-format.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { NetworkOptions } from './command-options.js';
import { NETWORK_DEFAULTS } from './options/network-defaults.js';
import { EPOCHS, openData, samplesOf, tellAssumed } from './samples.js';

/** What belongs to --network. */
export const NETWORK_ONLY = [
  'activation',
  'loss',
  'bias',
  'samples',
  'epochs',
  'learningRate',
  'batchSize',
  'images',
  'labels',
  'data',
  'targets',
  'target',
  'weights',
] as const satisfies readonly (keyof NetworkOptions)[];

/** A network at its parameters, and how the record describes it. */
export interface OpenNetwork {
  readonly model: Model;
  readonly input: InputDescription;
}

/** Trains the network of --network, or reads its weights. Throws what reading and training throw. */
export async function openNetwork(
  options: NetworkOptions & Omit<CsvFormat, 'values'> & { readonly quiet?: boolean | undefined },
  widths: readonly number[],
  seed: number,
  control: TeamControl,
): Promise<OpenNetwork> {
  const { trainedModel } = await import('../experiment/table-run.js');
  const { weights } = options;
  const {
    activation = NETWORK_DEFAULTS.activation,
    loss = NETWORK_DEFAULTS.loss,
    bias = NETWORK_DEFAULTS.bias,
    samples: most = NETWORK_DEFAULTS.samples,
  } = options;
  const { learningRate = NETWORK_DEFAULTS.learningRate, batchSize = NETWORK_DEFAULTS.batchSize } = options;
  tellAssumed(options, options.activation !== undefined);
  const data = await openData({ ...options, samples: most, seed }, control);
  const samples = samplesOf(data, most, options.samples !== undefined);
  const setup: TrainingSetup = {
    widths,
    activation: activation.length === 1 ? activation[0] : activation,
    loss,
    bias,
    data,
    samples,
    learningRate,
    batchSize,
    seed,
    epochs: options.epochs ?? (weights === undefined ? EPOCHS : 0),
    weights: weights === undefined ? undefined : { path: weights, name: basename(weights) },
  };
  const { model } = await trainedModel(setup, control);
  return {
    model,
    input: {
      kind: 'network',
      name:
        `${widths.join('-')} (${activation.join(',')}, ${loss}${bias ? ', biases' : ''}), n = ${samples} of ` +
        `${data.name}${setup.weights === undefined ? '' : `, weights of ${setup.weights.name}`}`,
      tables: data.tables,
      size: model.network.parameters,
    },
  };
}
