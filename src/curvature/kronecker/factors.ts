/**
 * Kronecker factors of the Gauss–Newton Hessian's diagonal blocks, summed over the data in double precision.
 *   A_{ℓ−1} = (1/n) Σ_i ā_{ℓ−1,i} ā_{ℓ−1,i}ᵀ    and    Γ_ℓ = (1/n) Σ_i Δ_{ℓ,i}ᵀ Δ_{ℓ,i}
 * (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671; with exact errors after F. Dangel, S. Harmeling, P. Hennig,
 * AISTATS 2020, arXiv 1902.01813). The one is a syrk a batch; the other comes from `layer-gram-walk.ts`.
 */
import { NonFiniteError, OptionError } from '../../core/errors.js';
import { quoted, describe } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import type { WithBlas } from '../../dense/default-blas.js';
import { mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import type { Communicator } from '../../distributed/communicator.js';
import { sumSamples, type SampleRange } from '../../distributed/sample-groups.js';
import { batchOf } from '../../network/data-set.js';
import { forward, type ForwardPass } from '../../network/forward.js';
import { checkModel, type Model } from '../../network/model.js';
import type { Team } from '../../parallel/team.js';
import { addDiagonalGrams, addGrams } from './layer-grams.js';
import { planErrorGrams } from './layer-gram-plan.js';
import { walkErrorGrams, type ErrorGramModel } from './layer-gram-walk.js';
import { lossOf } from '../../network/losses/table.js';
import { Scratch } from './scratch.js';

/**
 * A symmetric factor, kept as its diagonal where it is a diagonal matrix by construction (Γ_L of all losses but the
 * cross-entropy).
 */
export type SymmetricFactor =
  { readonly kind: 'dense'; readonly matrix: Matrix } | { readonly kind: 'diagonal'; readonly values: Matrix['data'] };

/** Options of {@link kfac} and {@link ekfac}. */
export interface KroneckerOptions {
  /** 'exact': Q_i itself (type-2); 'monte-carlo': errors at labels drawn from the model. Default 'exact'. */
  readonly variant?: 'exact' | 'monte-carlo' | undefined;
  /** Draws for each sample ('monte-carlo'). Default 1. */
  readonly draws?: number | undefined;
  /** Default 0. Seeds the draws; those of a sample depend on it and the sample's number alone. */
  readonly seed?: number | undefined;
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Samples read at a time. Default: up to 1024, fewer for wide networks. */
  readonly batchSize?: number | undefined;
  /** Ranks of its communicator share the samples, all of them together; its backend is the default. */
  readonly team?: Team | undefined;
}
/** The keys of {@link KroneckerOptions}. */
export const KRONECKER_KEYS: KeysOf<KroneckerOptions> = {
  variant: true,
  draws: 'number',
  seed: 'number',
  blas: true,
  batchSize: 'number',
  team: true,
};

/** A checked model with what a walk over its data needs. */
export interface CurvatureWalk {
  readonly model: Model;
  readonly grams: ErrorGramModel;
  readonly blas: Blas;
  readonly scratch: Scratch;
  readonly batchSize: number;
  /** The ranks that share the samples. */
  readonly communicator: Communicator | undefined;
  /** What sums over samples (and draws) are divided by. */
  readonly inputWeight: number;
  readonly outputWeight: number;
}

/** What is drawn: nothing, or so many vectors for each sample. Throws OptionError. */
export function samplingOf({
  variant = 'exact',
  draws = 1,
  seed = 0,
}: KroneckerOptions): { readonly draws: number; readonly seed: number } | null {
  if (variant !== 'exact' && variant !== 'monte-carlo')
    throw new OptionError(`Unknown variant ${quoted(variant)} of the Kronecker factors: choose exact or monte-carlo.`, {
      variant,
    });
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`The seed is a whole number, not ${describe(seed)}.`, { seed });
  return variant === 'exact' ? null : { draws: checkCount(draws, 'draws: the labels drawn for each data point'), seed };
}

/** Numbers that a batch's activations and slopes may fill by default. */
const BATCH_NUMBERS = 2 ** 23;

/** Throws ShapeError and OptionError. */
export function openWalk(
  model: Model,
  { variant = 'exact', draws: asked = 1, seed = 0, blas, batchSize, team }: WithBlas<KroneckerOptions>,
): CurvatureWalk {
  checkModel(model);
  const sampling = samplingOf({ variant, draws: asked, seed });
  const draws = sampling === null ? null : sampling.draws;
  const { network, loss, data } = model;
  const parameters = model.parameters instanceof Float64Array ? model.parameters : Float64Array.from(model.parameters);
  const plan = planErrorGrams(network, parameters, loss, draws, blas);
  const numbers = network.layers.reduce((sum, { width, outputs }) => sum + width + 2 * outputs, 0);
  return {
    model,
    blas,
    scratch: new Scratch(),
    grams: { network, parameters, loss, plan, sampling },
    batchSize:
      batchSize === undefined
        ? Math.max(1, Math.min(1024, Math.floor(BATCH_NUMBERS / numbers)))
        : checkCount(batchSize, 'batchSize: the samples read at a time'),
    communicator: team?.communicator,
    inputWeight: 1 / data.samples,
    outputWeight: 1 / (data.samples * (draws ?? 1)),
  };
}

/** `count`, where it is a whole number of at least 1. Throws OptionError that says `what` it is. */
export function checkCount(count: number, what: string): number {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new OptionError(`${what} must be a whole number of at least 1, not ${describe(count)}.`, { value: count });
  return count;
}

/**
 * Calls `visit` with the forward pass of each batch of these samples, in order, with φ″ where asked; the pass is valid
 * until it returns. Throws NonFiniteError.
 */
export function eachPass(
  { model: { network, data }, grams: { parameters }, batchSize, blas }: CurvatureWalk,
  range: SampleRange,
  visit: (pass: ForwardPass, first: number) => void,
  curvatures = false,
): void {
  let reuse: ForwardPass | undefined;
  for (let { first } = range; first < range.end; first += batchSize) {
    const count = Math.min(batchSize, range.end - first);
    const { inputs } = batchOf(data, first, count);
    reuse = forward(network, parameters, inputs, blas, {
      curvatures,
      reuse: reuse?.count === count ? reuse : undefined,
    });
    visit(reuse, first);
  }
}

/** A (width × width) and Γ (outputs × outputs) of one layer. */
export interface KroneckerFactors {
  readonly input: Matrix;
  readonly output: SymmetricFactor;
}

/**
 * A_{ℓ−1} (width × width) and Γ_ℓ (outputs × outputs) of each layer, symmetric in both triangles. Throws NonFiniteError
 * where a sum overflows. Collective over the walk's ranks.
 */
export function sumKroneckerFactors(walk: CurvatureWalk): KroneckerFactors[] {
  const {
    model: { network, loss },
    grams,
    blas,
    scratch,
  } = walk;
  const last = network.layers.length - 1;
  const diagonal = grams.sampling === null && !lossOf(loss).softmax;
  /** The factors one after another, `take` giving the numbers of each. */
  const factorsIn = (take: (length: number) => Float64Array): KroneckerFactors[] =>
    network.layers.map(({ width, outputs }, ℓ) => ({
      input: view(take(width ** 2), 0, width, width),
      output:
        diagonal && ℓ === last
          ? { kind: 'diagonal', values: take(outputs) }
          : { kind: 'dense', matrix: view(take(outputs ** 2), 0, outputs, outputs) },
    }));
  const work = { blas, scratch };
  const add = (range: SampleRange, sums: Float64Array): void => {
    const factors = factorsIn(takeFrom(sums));
    eachPass(walk, range, (pass, first) => {
      factors.forEach(({ input }, ℓ) => blas.syrk('L', 'N', 1, pass.inputs[ℓ], 1, input));
      walkErrorGrams(
        grams,
        pass,
        first,
        (ℓ, errors, _, count) => {
          const { output } = factors[ℓ];
          if (errors.form === 'uniform' || errors.form === 'diagonal') {
            if (output.kind === 'diagonal') addDiagonalGrams(errors, count, output.values as Float64Array);
          } else if (output.kind === 'dense') {
            addGrams(errors, count, output.matrix, work);
          }
        },
        work,
      );
    });
  };
  let numbers = 0;
  factorsIn((length) => {
    numbers += length;
    return new Float64Array(0);
  });
  const sums = sumSamples({ samples: walk.model.data.samples, numbers, communicator: walk.communicator, add });
  const take = takeFrom(sums);
  const factors = factorsIn((length) => take(length).slice());
  factors.forEach(({ input, output }, ℓ) => {
    finish(input, walk.inputWeight, `inputs of layer ${ℓ + 1}`);
    if (output.kind === 'dense') finish(output.matrix, walk.outputWeight, `errors of layer ${ℓ + 1}`);
    else for (let k = 0; k < output.values.length; k++) output.values[k] *= walk.outputWeight;
  });
  return factors;
}

/** Parts of an array, one after another. */
export function takeFrom(array: Float64Array): (length: number) => Float64Array {
  let at = 0;
  return (length) => array.subarray(at, (at += length));
}

/** A sum of outer products, lower triangle, times its weight and mirrored. Throws NonFiniteError. */
export function finish(factor: Matrix, weight: number, what: string): void {
  const { data, rows } = factor;
  for (let i = 0; i < data.length; i++) data[i] *= weight;
  for (let k = 0; k < rows; k++) {
    const value = data[k * (rows + 1)];
    if (!Number.isFinite(value))
      throw new NonFiniteError(
        `The second moments of the ${what} overflow (${value} at unit ${k}): the parameters or the data are too ` +
          'large; scale them.',
        { unit: k, value },
      );
  }
  mirrorLower(factor);
}
