/**
 * What is trained in the place of a model: its data split, its frozen first layers taken as part of the data, its
 * inputs turned; and the way back.
 */
import { OptionError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import type { DataSet } from '../network/data-set.js';
import { isGraphNetwork, type GraphModel } from '../layers/graph-model.js';
import type { GraphNetwork } from '../layers/graph-network.js';
import type { Model } from '../network/model.js';
import type { Network } from '../network/network.js';
import type { Breath } from './breath.js';
import type { TrainSettings } from './check-options.js';
import { convertedData, mappedData } from './data/mapped.js';
import { splitData } from './data/split.js';
import { activations, putBack, splitNetwork } from './frozen-layers.js';
import { layerPlans } from './groups.js';
import type { LayerPlan } from './optimizer.js';
import { inputBasis, rotatedNetwork, rotateParameters, rotation } from './rotate-inputs.js';

/** Beyond so many inputs, their eigenbasis is made only where it is asked for. */
const MOST_ROTATED = 2048;

/** A network that is trained: a perceptron, or one of layers. */
export type AnyNetwork = Network | GraphNetwork;

/** What tells a trained network's place in the whole one. */
export interface Place {
  /** The whole network. */
  readonly network: AnyNetwork;
  /** θ of its frozen first layers. */
  readonly frozen: FloatArray | null;
  /** How many layers those are. */
  readonly prefix: number;
  /** U of the trained network's inputs. */
  readonly basis: Matrix | null;
}

/** The network that is trained before its inputs are turned. */
const partOf = ({ network, prefix }: Place): AnyNetwork =>
  prefix === 0 || isGraphNetwork(network) ? network : splitNetwork(network, prefix).after;

/** The network that is trained. */
export const trainedNetwork = (place: Place): AnyNetwork => {
  const network = partOf(place);
  return place.basis === null || isGraphNetwork(network) ? network : rotatedNetwork(network);
};

/** θ of the whole network, a new vector, from that of the trained one. */
export function wholeParameters(place: Place, trained: FloatArray, blas: Blas): FloatArray {
  const { frozen, basis } = place;
  const network = partOf(place);
  if (isGraphNetwork(network)) return trained.slice();
  const θ = basis === null ? trained.slice() : rotateParameters(network, basis, trained, blas, true);
  return frozen === null ? θ : putBack(frozen, θ);
}

/** A run's subject. */
export interface Subject {
  readonly place: Place;
  readonly network: AnyNetwork;
  /** θ to begin from. */
  readonly parameters: FloatArray;
  readonly training: DataSet;
  /** null where there is none; `training` itself where it was given as such. */
  readonly validation: DataSet | null;
  /** Of the trained layers. */
  readonly plans: readonly (LayerPlan | null)[];
}

/** Sizes and choices that are known before the data is looked at. */
export interface Outline {
  readonly training: DataSet;
  readonly validation: DataSet | null;
  readonly plans: readonly (LayerPlan | null)[];
  readonly prefix: number;
  readonly rotated: boolean;
}

/** Splits the data and looks at the groups. Throws OptionError. */
export function outline(model: Model | GraphModel, settings: TrainSettings): Outline {
  const { data } = model;
  const { validation, seed } = settings;
  const rest = isGraphModel(model) ? graphOutline(model, settings) : perceptronOutline(model, settings);
  if (typeof validation !== 'number') return { ...rest, training: data, validation };
  return validation === 0
    ? { ...rest, training: data, validation: null }
    : { ...rest, ...splitData(data, validation, seed) };
}

const isGraphModel = (model: Model | GraphModel): model is GraphModel => isGraphNetwork(model.network);

function perceptronOutline(
  { network, loss }: Model,
  settings: TrainSettings,
): Pick<Outline, 'plans' | 'prefix' | 'rotated'> {
  const { rotateInputs, optimizer, augment } = settings;
  const { plans, prefix } = layerPlans(network.layers.length, settings);
  const turns = augment === null && optimizer.rotateInputs(loss) && network.layers[prefix].width <= MOST_ROTATED;
  const rotated = rotateInputs ?? turns;
  if (augment !== null && (rotated || prefix > 0))
    throw new OptionError(
      `augment moves images, and ${rotated ? 'rotateInputs' : 'the frozen first layers'} would leave none: take one ` +
        'without the other.',
      { rotateInputs: rotated, prefix },
    );
  return { plans, prefix, rotated };
}

/** Scales and shifts do not decay, statistics have no gradient. Throws OptionError. */
function graphOutline({ network }: GraphModel, settings: TrainSettings): Pick<Outline, 'plans' | 'prefix' | 'rotated'> {
  const { rotateInputs, dropout, optimizer } = settings;
  if (rotateInputs === true)
    throw new OptionError('rotateInputs is for perceptrons: the inputs of networks of layers stay as they are.', {});
  if (dropout > 0)
    throw new OptionError('dropout of train is for perceptrons: put dropout(share) between the layers instead.', {
      dropout,
    });
  if (network.trained === 0)
    throw new OptionError('The network has no parameters that are trained: give it a layer with weights.', {});
  const { plans } = layerPlans(network.layers.length, settings);
  if (optimizer.curvature !== 'none' && plans.includes(null))
    throw new OptionError(
      `${optimizer.name} uses curvature, and takes no frozen layers of a network of layers: take adam.`,
      { optimizer: optimizer.name },
    );
  const own = network.layers.map(({ kind, offset }, ℓ): LayerPlan | null => {
    const plan = plans[ℓ];
    if (plan === null || offset >= network.trained) return null;
    return kind === 'vector' && !plan.decayBias ? { ...plan, decay: 0 } : plan;
  });
  return { plans: own, prefix: 0, rotated: false };
}

/** What a subject is made with. */
export interface PrepareTools {
  readonly blas: Blas;
  readonly breath: Breath;
  readonly known: Matrix | null;
}

/**
 * The subject of a run. `known` holds the basis of a run that is gone on with. Throws NonFiniteError,
 * FactorizationError, AbortedError.
 */
export async function prepare(
  model: Model,
  outline: Outline,
  tools: PrepareTools,
): Promise<Subject & { readonly network: Network }>;
/** The same of any network. */
export async function prepare(model: Model | GraphModel, outline: Outline, tools: PrepareTools): Promise<Subject>;
/** Both. */
export async function prepare(
  { network, parameters }: Model | GraphModel,
  { training, validation, plans, prefix, rotated }: Outline,
  { blas, breath, known }: PrepareTools,
): Promise<Subject> {
  const onPrecision = (data: DataSet): Promise<DataSet> => convertedData(data, precisionOf(parameters), breath);
  if (isGraphNetwork(network)) {
    const place: Place = { network, frozen: null, prefix: 0, basis: null };
    return { network, parameters, ...(await onData({ training, validation }, onPrecision)), plans, place };
  }
  let subject: Omit<Subject, 'place' | 'plans' | 'network'> & { readonly network: Network } = {
    network,
    parameters,
    training,
    validation,
  };
  let frozen: FloatArray | null = null;
  let basis: Matrix | null = null;
  if (prefix > 0) {
    const { before, after } = splitNetwork(network, prefix);
    frozen = parameters.slice(0, before.parameters);
    const map = activations(before, frozen, blas);
    subject = {
      ...(await onData(subject, (data) => mappedData(data, map, breath))),
      network: after,
      parameters: parameters.slice(before.parameters),
    };
  }
  if (rotated) {
    basis = known ?? (await inputBasis(subject.network, subject.training, blas, breath));
    const map = rotation(subject.network, basis, parameters, blas);
    subject = {
      ...(await onData(subject, (data) => mappedData(data, map, breath))),
      network: rotatedNetwork(subject.network),
      parameters: rotateParameters(subject.network, basis, subject.parameters, blas),
    };
  }
  subject = {
    ...subject,
    ...(await onData(subject, onPrecision)),
  };
  return { ...subject, plans: plans.slice(prefix), place: { network, frozen, prefix, basis } };
}

async function onData<T extends Pick<Subject, 'training' | 'validation'>>(
  subject: T,
  map: (data: DataSet) => Promise<DataSet>,
): Promise<T> {
  const training = await map(subject.training);
  const { validation } = subject;
  if (validation === null) return { ...subject, training };
  return { ...subject, training, validation: validation === subject.training ? training : await map(validation) };
}
