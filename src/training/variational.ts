/**
 * Variational autoencoders: an encoder and a decoder, both perceptrons, with a Gaussian code between them
 * (objective/code.ts), trained as one by the loop and the optimizers of `train`.
 */
import { requireNonNegative } from '../core/checks.js';
import { ShapeError } from '../core/errors.js';
import { precisionOf, type FloatArray } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asFloats } from '../core/numbers.js';
import type { BlasOption } from '../dense/default-blas.js';
import type { DataSet } from '../network/data-set.js';
import type { LossName } from '../network/losses/table.js';
import { checkParameters, type Network } from '../network/network.js';
import type { Control } from '../parallel/default-team.js';
import type { Code } from './objective/code.js';
import { TRAIN_KEYS } from './check-options.js';
import { putBack } from './frozen-layers.js';
import { runTraining } from './train.js';
import type { Evaluated, TrainingRun, TrainOptions } from './train-options.js';

/** A network with its parameters, in any array of numbers. */
export interface NetworkAtWork {
  readonly network: Network;
  readonly parameters: ArrayLike<number>;
}

/** What `trainVariational` trains. */
export interface VariationalModel {
  /** Its 2k outputs, linear, are the means μ and then s = log σ² of the code. */
  readonly encoder: NetworkAtWork;
  /** Takes the k numbers of the code. */
  readonly decoder: NetworkAtWork;
  /** Of the decoder's outputs: 'bce' for values from 0 to 1, or 'mse'. */
  readonly loss: LossName;
  readonly data: DataSet;
  /** β: the weight of the divergence from N(0, I). Default 1. */
  readonly divergence?: number | undefined;
}

const MODEL_KEYS: KeysOf<VariationalModel> = {
  encoder: true,
  decoder: true,
  loss: true,
  data: true,
  divergence: 'number',
};

/** Options of `train` that a pair of networks takes, too: groups, frozen layers and checkpoints it does not. */
export type VariationalOptions = Omit<TrainOptions, 'groups' | 'lastLayer' | 'augment' | 'checkpoint' | 'resume'>;

/** Parameters of both networks. */
export interface VariationalParameters {
  readonly encoder: FloatArray;
  readonly decoder: FloatArray;
}

/** A run of `trainVariational`; its losses hold the divergence. */
export interface VariationalRun extends Omit<TrainingRun, 'parameters' | 'averaged' | 'best'> {
  readonly parameters: VariationalParameters;
  readonly averaged: VariationalParameters | null;
  readonly best: { readonly parameters: VariationalParameters; readonly at: Evaluated };
}

const {
  groups: _groups,
  lastLayer: _lastLayer,
  augment: _augment,
  checkpoint: _checkpoint,
  resume: _resume,
  ...OWN_KEYS
} = TRAIN_KEYS;
const OPTION_KEYS: KeysOf<VariationalOptions> = OWN_KEYS;

/**
 * Minimises (1/n) Σ_i [loss(decoder(z_i), y_i) + β·KL(N(μ_i, σ_i²) ‖ N(0, I))], z_i = μ_i + σ_i∘ε_i with
 * (μ_i, log σ_i²) = encoder(x_i) and fresh ε_i ~ N(0, I) in each step (D. P. Kingma, M. Welling, ICLR 2014, arXiv
 * 1312.6114): with 'bce' and β = 1 the negative evidence lower bound. Options and control are those of `train`, but for
 * groups, frozen layers and checkpoints; optimizers that need the Hessian or columns of the curvature's root are
 * refused. Evaluations take one draw ε_i of their own, the same one each time. Afterwards both are ordinary networks:
 * `predict(decoder, z)` decodes. Throws as `train`.
 */
export async function trainVariational(
  given: VariationalModel,
  options: VariationalOptions = {},
  control: Control & BlasOption = {},
): Promise<VariationalRun> {
  requireKnownOptions(given, MODEL_KEYS, 'trainVariational', 'trainVariational({ encoder, decoder, loss, data })');
  const { model, code, length } = joined(given);
  requireKnownOptions(options, OPTION_KEYS, 'trainVariational');
  const run = await runTraining(model, options, control, { of: 'trainVariational', code });
  const apart = (θ: FloatArray): VariationalParameters => ({ encoder: θ.slice(0, length), decoder: θ.slice(length) });
  const { best, averaged } = run;
  return {
    ...run,
    parameters: apart(run.parameters),
    averaged: averaged && apart(averaged),
    best: { ...best, parameters: apart(best.parameters) },
  };
}

/** Both networks as one, whose layers do not fit at the code. Throws ShapeError, OptionError. */
function joined({ encoder, decoder, loss, data, divergence = 1 }: VariationalModel) {
  const [before, after] = [atWork(encoder, 'encoder'), atWork(decoder, 'decoder')];
  if (precisionOf(before.parameters) !== precisionOf(after.parameters))
    throw new ShapeError('The parameters of encoder and decoder are of different precisions: take one for both.', {});
  if (before.network.outputs !== 2 * after.network.inputs)
    throw new ShapeError(
      `The encoder has ${before.network.outputs} outputs, the decoder ${after.network.inputs} inputs: two outputs ` +
        'are needed for each input, the mean and the logarithm of the variance.',
      { outputs: before.network.outputs, inputs: after.network.inputs },
    );
  const length = before.network.parameters;
  const network: Network = {
    layers: [
      ...before.network.layers,
      ...after.network.layers.map((layer) => ({ ...layer, offset: layer.offset + length })),
    ],
    inputs: before.network.inputs,
    outputs: after.network.outputs,
    parameters: length + after.network.parameters,
  };
  const code: Code = {
    layer: before.network.layers.length - 1,
    weight: requireNonNegative(divergence, 'divergence'),
  };
  return { model: { network, parameters: putBack(before.parameters, after.parameters), loss, data }, code, length };
}

function atWork({ network, parameters }: NetworkAtWork, name: string) {
  requireRole(network, 'network', `The ${name} given to trainVariational`);
  const θ = asFloats(parameters, `parameters of the ${name}`);
  checkParameters(network, θ);
  return { network, parameters: θ };
}
