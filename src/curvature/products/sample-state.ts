/**
 * What curvature products keep per sample: the passes of a batch, over shared memory, so that every worker of a team
 * multiplies with the same ones.
 *
 * For layer ℓ and a batch of n_b samples, one a column:
 *   inputs      Ā_{ℓ−1}                                     width × n_b
 *   slope       φ′(Z_ℓ)                                     outputs × n_b      Gauss–Newton, Hessian; null where it is
 *   one, or folded into `weight` error       δ_ℓ, the gradient with respect to z_ℓ       outputs × n_b·s    Hessian
 *   (from the second layer on), Fisher (s gradients a sample, draw by draw) curvature   φ″(Z_ℓ)∘(W_{ℓ+1}ᵀ δ_{ℓ+1})  
 *               outputs × n_b      Hessian; null where φ″ vanishes
 * and at the outputs
 *   weight      φ′(Z_L)²∘diag Q (+ φ″(Z_L)∘∇loss)           where Q is diagonal: D_L = weight∘RZ_L in one pass; null
 *   where it is the number `scale` output      a_L                                          where Q is not diagonal
 *   (cross-entropy), and for gradients at targets targets     y                                            where
 *   gradients are asked
 */
import { requireMemoryLimit } from '../../core/checks.js';
import { MemoryError, OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { sharedFloat32, sharedFloat64, toShared } from '../../core/shared-array.js';
import type { RankPlace } from '../../core/sum-tree.js';
import type { FloatArray, Precision } from '../../dense/matrix.js';
import { hasUnitSlope, hasZeroCurvature } from '../../network/activations/table.js';
import { lossOf, squaredScale, type LossName } from '../../network/losses/table.js';
import { checkModel, type Model } from '../../network/model.js';
import type { Network } from '../../network/network.js';
import { cutSamples, type SampleCut } from './sample-cut.js';

/**
 * Which sum over samples: Gauss–Newton, Hessian, or outer products of gradients (at the targets, or at labels drawn
 * from the model).
 */
export type SampleSum =
  | { readonly kind: 'gauss-newton' }
  | { readonly kind: 'hessian' }
  | { readonly kind: 'gradients'; readonly draws: number; readonly seed: number | null };

/** The passes at one layer; the file's head gives shapes and meanings. */
export interface StoredLayer {
  readonly inputs: FloatArray;
  readonly slope: FloatArray | null;
  readonly error: FloatArray | null;
  readonly curvature: FloatArray | null;
}

/** The passes of a batch, and the model that they were made with. */
export interface SampleState {
  readonly network: Network;
  readonly parameters: FloatArray;
  readonly precision: Precision;
  readonly loss: LossName;
  readonly sum: SampleSum;
  /** Samples the arrays have room for. */
  readonly capacity: number;
  readonly layers: readonly StoredLayer[];
  readonly weight: FloatArray | null;
  /** Q where it is a multiple of the identity and the outputs are linear. */
  readonly scale: number;
  readonly output: FloatArray | null;
  readonly targets: FloatArray | null;
  /**
   * The last layer without its outputs, where that is cheaper (squared errors of linear outputs, Q = scale·I):
   * Σ D_L Āᵀ = scale·(W_L Σ RA Āᵀ + V_L Σ ĀĀᵀ) and W_LᵀD_L = scale·(W_LᵀW_L RA + W_LᵀV_L Ā) never form the r × n_b
   * matrix D_L. moment = Σ ĀĀᵀ of all samples, width × width; gram = W_LᵀW_L, inputs × inputs.
   */
  readonly reduced: { readonly moment: FloatArray; readonly gram: FloatArray } | null;
}

/** How many samples' passes are held at a time. */
export interface CurvatureMemory {
  /**
   * Samples read and passed forward at a time where not all passes are kept; default: as many as the memory limit
   * allows.
   */
  readonly batchSize?: number | undefined;
  /**
   * Bytes that the passes may take on each rank, 1 GiB unless given. Below what its samples need, passes are made anew
   * batch by batch in each product.
   */
  readonly memoryLimit?: number | undefined;
}

/** Columns of `error` for each sample: the gradients that a Fisher matrix sums, else one. */
export const drawsOf = (sum: SampleSum): number => (sum.kind === 'gradients' ? sum.draws : 1);

/** Whether Q is a multiple of the identity with respect to z_L. */
export const hasConstantHessian = ({
  network,
  loss,
}: {
  readonly network: Network;
  readonly loss: LossName;
}): boolean =>
  squaredScale(loss, network.outputs) !== null && hasUnitSlope(network.layers[network.layers.length - 1].activation);

/** What a layer keeps, as numbers per sample. */
interface Plan {
  readonly slope: boolean;
  readonly error: boolean;
  readonly curvature: boolean;
}

function planLayers(model: Model, sum: SampleSum): Plan[] {
  const { layers } = model.network;
  return layers.map(({ activation }, ℓ) => {
    if (sum.kind === 'gradients') return { slope: false, error: true, curvature: false };
    const folded = ℓ === layers.length - 1 && !lossOf(model.loss).softmax;
    return {
      slope: !folded && !hasUnitSlope(activation),
      error: sum.kind === 'hessian' && ℓ > 0,
      curvature: sum.kind === 'hessian' && !folded && !hasZeroCurvature(activation),
    };
  });
}

interface OutputPlan {
  readonly weight: boolean;
  readonly output: boolean;
  readonly targets: boolean;
}

function planOutput(model: Model, sum: SampleSum): OutputPlan {
  const targets = sum.kind === 'hessian' || (sum.kind === 'gradients' && sum.seed === null);
  if (sum.kind === 'gradients') return { weight: false, output: false, targets };
  const full = lossOf(model.loss).softmax;
  return { weight: !full && !hasConstantHessian(model), output: full, targets };
}

/** Numbers kept for one sample. */
function numbersPerSample(model: Model, sum: SampleSum): number {
  const { network } = model;
  const output = planOutput(model, sum);
  let numbers = network.outputs * (Number(output.weight) + Number(output.output) + Number(output.targets));
  planLayers(model, sum).forEach(({ slope, error, curvature }, ℓ) => {
    const { width, outputs } = network.layers[ℓ];
    numbers += width + outputs * (Number(slope) + drawsOf(sum) * Number(error) + Number(curvature));
  });
  return numbers;
}

/**
 * Whether the last layer is cheaper without its outputs, by the flops of a product with one vector over `count`
 * samples.
 */
function isReduced(model: Model, sum: SampleSum, count: number): boolean {
  if (sum.kind === 'gradients' || !hasConstantHessian(model)) return false;
  const { layers } = model.network;
  const { width, outputs, inputs } = layers[layers.length - 1];
  const below = layers.length > 1 ? inputs : 0;
  const direct = count * (4 * width + 4 * below) * outputs;
  const reduced = count * (4 * width + 2 * below) * below + (4 * below + 2 * width) * width * outputs;
  return reduced < direct;
}

function positiveInteger(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new OptionError(`${name} must be a whole number of at least 1, not ${describe(value)}.`, { [name]: value });
  return value;
}

/**
 * Room for the passes of the model, and how its samples are cut: of all samples that are this rank's where they fit the
 * limit, else of one batch. Throws ShapeError, OptionError, MemoryError.
 */
export function allocateState(
  model: Model,
  sum: SampleSum,
  { batchSize, memoryLimit = 2 ** 30 }: CurvatureMemory,
  place: RankPlace,
): { readonly state: SampleState; readonly cut: SampleCut } {
  checkModel(model);
  const { network, loss, data } = model;
  requireMemoryLimit(memoryLimit);
  const single = model.parameters instanceof Float32Array;
  const bytes = numbersPerSample(model, sum) * (single ? 4 : 8);
  const fitting = Math.floor(memoryLimit / bytes);
  if (fitting < 1)
    throw new MemoryError(
      `The passes of one sample take ${bytes} bytes, more than the limit of ${memoryLimit}: raise memoryLimit.`,
      { bytes, memoryLimit },
    );
  const most =
    fitting >= data.samples
      ? data.samples
      : Math.min(fitting, batchSize === undefined ? fitting : positiveInteger(batchSize, 'batchSize'));
  const cut = cutSamples(data.samples, most, place);
  const { capacity } = cut;
  const array = (numbers: number): FloatArray => (single ? sharedFloat32(numbers) : sharedFloat64(numbers));
  const layers = planLayers(model, sum).map(({ slope, error, curvature }, ℓ): StoredLayer => {
    const { width, outputs, bias } = network.layers[ℓ];
    const inputs = array(width * capacity);
    if (bias) for (let i = 1; i <= capacity; i++) inputs[i * width - 1] = 1;
    return {
      inputs,
      slope: slope ? array(outputs * capacity) : null,
      error: error ? array(outputs * capacity * drawsOf(sum)) : null,
      curvature: curvature ? array(outputs * capacity) : null,
    };
  });
  const last = network.layers[network.layers.length - 1];
  const plan = planOutput(model, sum);
  const state: SampleState = {
    network,
    parameters: toShared(model.parameters),
    precision: single ? 'f32' : 'f64',
    loss,
    sum,
    capacity,
    layers,
    weight: plan.weight ? array(network.outputs * capacity) : null,
    scale: squaredScale(loss, network.outputs) ?? 1,
    output: plan.output ? array(network.outputs * capacity) : null,
    targets: plan.targets ? array(network.outputs * capacity) : null,
    reduced: isReduced(model, sum, most) ? { moment: array(last.width ** 2), gram: array(last.inputs ** 2) } : null,
  };
  return { state, cut };
}

/** Bytes of the arrays of a state, the parameters included. */
export function bytesOf(state: SampleState): number {
  let bytes = state.parameters.byteLength;
  for (const { inputs, slope, error, curvature } of state.layers)
    for (const array of [inputs, slope, error, curvature]) bytes += array?.byteLength ?? 0;
  for (const array of [state.weight, state.output, state.targets, state.reduced?.moment, state.reduced?.gram])
    bytes += array?.byteLength ?? 0;
  return bytes;
}
