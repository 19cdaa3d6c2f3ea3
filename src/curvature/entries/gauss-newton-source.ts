/**
 * The Gauss–Newton Hessian G = (1/n) Σ_i J_iᵀQ_iJ_i of a network as a source of entries.
 * C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, "Fast evaluation and approximation of the Gauss–Newton Hessian
 * matrix for the multilayer perceptron", SIAM J. Matrix Anal. Appl. 42(1), 2021, arXiv 1910.12184. Where it departs
 * from them: no r × d_ℓ matrices per sample (unit-gram-plan.ts), and entries of whole blocks by GEMM (entry-blocks.ts).
 */
import { requireRole, quoted } from '../../core/kind.js';
import { requireMemoryLimit } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { refuseMemory } from '../../core/memory.js';
import { copyAt } from '../../core/floats.js';
import type { Indices } from '../../core/indices.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { asIndices } from '../../core/numbers.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas, type WithBlas } from '../../dense/default-blas.js';
import { fill, type Matrix } from '../../dense/matrix.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import type { Network } from '../../network/network.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { builtIn } from '../../parallel/built-in.js';
import type { EntrySource, SourceContext, SourceDescriptor } from '../../source/entry-source.js';
import { SymmetricBlocks } from '../../source/symmetric-block.js';
import { addUniformBlock, ENTRY_STRATEGIES, EntryBlocks, type EntryStrategy } from './entry-blocks.js';
import { gramArrays, gramBatch, type GramArrays } from './unit-gram-arrays.js';
import { addDiagonal, addLastInputGram } from './diagonal-sums.js';
import { isUniform, planGramVectors, type GramVectorPlan } from './unit-gram-plan.js';
import { sampledGaussNewtonSource, type SampledSourceOptions } from './sampled-source.js';
import { weightList } from './weight-list.js';

/**
 * What a source holds per sample, n samples in all:
 *   stored      Āᵀ, slopes, and Gram vectors of every pair of units that has no closed form: entries read them where
 *   they lie; factored    as stored, but the Gram vectors of some pairs of layers as factors through the narrowest
 *   layer above: less memory, more work an entry; recomputed  nothing: each call of `entries` runs all data through the
 *   network again, batch by batch (2nN flops and more a call, on the calling thread); sampled     inputs, slopes and
 *   norms: entries are estimates (sampled-source.ts).
 * For one hidden layer and squared errors of linear outputs everything has a closed form, and *stored* is the data and
 * the activations alone.
 */
export type GaussNewtonForm = 'stored' | 'factored' | 'recomputed' | 'sampled';

/** What else a program can do where entries do not fit. */
const BEYOND = " Or pass beyondMemory: 'recompute' or 'sample'.";

/** Entries of G. */
export interface GaussNewtonSource extends EntrySource {
  /** How its Gram vectors are held. */
  readonly form: GaussNewtonForm;
  /** Bytes held, the data set's own not counted. */
  readonly bytes: number;
}

/** Options of {@link gaussNewtonSource}. */
export interface GaussNewtonSourceOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Bytes that the precomputation may take. Default 2 GiB. */
  readonly memoryLimit?: number | undefined;
  /**
   * What to do where neither stored nor factored Gram vectors fit: recompute them in each call (default), sample, or
   * throw MemoryError.
   */
  readonly beyondMemory?: 'recompute' | 'sample' | 'refuse' | undefined;
  /** Error and seed of the estimates, for `beyondMemory: 'sample'`. */
  readonly sampling?: Pick<SampledSourceOptions, 'error' | 'seed'> | undefined;
  /** Exact products with the same G, handed on as the source's `operator`. */
  readonly operator?: LinearOperator | undefined;
  /** One strategy for all blocks instead of the fastest for each: for tests and measurements. */
  readonly strategy?: EntryStrategy | undefined;
}
/** The keys of `sampling`. */
const SAMPLING_KEYS: KeysOf<Pick<SampledSourceOptions, 'error' | 'seed'>> = { error: 'number', seed: 'number' };
/** The keys of {@link GaussNewtonSourceOptions}. */
const GAUSS_NEWTON_SOURCE_KEYS: KeysOf<GaussNewtonSourceOptions> = {
  blas: true,
  memoryLimit: 'number',
  beyondMemory: true,
  sampling: true,
  operator: true,
  strategy: true,
};

/** Default of `memoryLimit`. */
export const DEFAULT_MEMORY_LIMIT = 2 ** 31;

/** What workers build their copies from. */
interface StoredData {
  readonly arrays: GramArrays;
  readonly diagonal: Float64Array;
  readonly lastBlock: Float64Array;
  readonly form: GaussNewtonForm;
  readonly bytes: number;
  readonly strategy: EntryStrategy | undefined;
}

/**
 * G as a source: an entry of weights (ℓ, p, q), (ℓ′, p′, q′) is (1/n) Σ_i ā_i(q) ā_i(q′)⟨Δ_{ℓ,i}(:, p), Δ_{ℓ′,i}(:,
 * p′)⟩, in float64 (a float32 model is widened), to a few n·eps of √(G_aa G_bb). Cost of a block: 2n|I||J| flops by
 * GEMM and O(n(|I| + |J|)) more, for each term of a closed form; O(1) an entry in the last layer under squared errors.
 * Rows of weights that no sample uses (G_aa = 0) cost nothing. The data is read once, except in the form *recomputed*.
 * Throws ShapeError, OptionError, NonFiniteError (inputs or activations), MemoryError (see `beyondMemory`; always, if
 * not even one sample fits).
 */
export function gaussNewtonSource(given: GivenModel, options: GaussNewtonSourceOptions = {}): GaussNewtonSource {
  const model = asModel(given, 'gaussNewtonSource');
  const backed = withBlas(options, GAUSS_NEWTON_SOURCE_KEYS, 'gaussNewtonSource');
  if (options.sampling !== undefined)
    requireKnownOptions(options.sampling, SAMPLING_KEYS, 'gaussNewtonSource (sampling)');
  checkModel(model);
  const { network, loss, data } = model;
  const { blas, operator, strategy, memoryLimit = DEFAULT_MEMORY_LIMIT, beyondMemory = 'recompute' } = backed;
  checkOptions(memoryLimit, beyondMemory, strategy);
  if (operator !== undefined) requireRole(operator, 'operator', 'The option operator of gaussNewtonSource');
  const tables = planGramVectors(network, loss, false);
  const compact = planGramVectors(network, loss, true);
  const needed = (plan: GramVectorPlan, samples: number): number =>
    8 * samples * plan.numbers + gramBatch(model, plan).bytes + fixedBytes(network);
  for (const plan of [tables, compact]) {
    const bytes = needed(plan, data.samples);
    if (bytes > memoryLimit) continue;
    const arrays = gramArrays(model, plan, blas, 0, data.samples);
    const sums = emptySums(network);
    addSums(arrays, isUniform(network, loss), blas, 1 / data.samples, sums);
    const form = plan.pairs.some((pair) => pair.kind === 'factored') ? 'factored' : 'stored';
    return new StoredSource(
      { arrays, ...sums, form, bytes: bytes - gramBatch(model, plan).bytes, strategy },
      { blas },
      operator,
    );
  }
  const refuse = (least: number, what: string): never =>
    refuseMemory(least, memoryLimit, {
      what: `Entries of this Gauss–Newton Hessian need, ${what},`,
      advice: `take fewer samples, or raise memoryLimit.${BEYOND}`,
      data: { libraryOnly: BEYOND },
    });
  if (beyondMemory === 'refuse') return refuse(needed(compact, data.samples), `for ${data.samples} samples`);
  if (beyondMemory === 'sample')
    return sampledGaussNewtonSource(model, {
      ...options.sampling,
      blas,
      memoryLimit,
      operator,
    });
  const batch = Math.floor(
    (memoryLimit - fixedBytes(network) - gramBatch(model, compact).bytes) / (8 * compact.numbers),
  );
  if (batch < 1) return refuse(needed(compact, 1), 'for a single sample');
  return new RecomputedSource(model, compact, Math.min(batch, data.samples), backed);
}

/** A worker's copy, from the descriptor's data. */
export function openGaussNewtonSource(data: StoredData, context: SourceContext): EntrySource {
  return new StoredSource(data, context);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openGaussNewtonSource', openGaussNewtonSource);

function checkOptions(memoryLimit: number, beyondMemory: string, strategy: EntryStrategy | undefined): void {
  requireMemoryLimit(memoryLimit);
  if (!['recompute', 'sample', 'refuse'].includes(beyondMemory))
    throw new OptionError(`Unknown beyondMemory ${quoted(beyondMemory)}: choose recompute, sample or refuse.`, {
      beyondMemory,
    });
  if (strategy !== undefined && !ENTRY_STRATEGIES.includes(strategy))
    throw new OptionError(`Unknown strategy ${quoted(strategy)}: choose ${ENTRY_STRATEGIES.join(', ')}.`, {
      strategy,
    });
}

/** What does not grow with n: the diagonal, the last layer's weights, WᵀW and A. */
function fixedBytes({ parameters, layers }: Network): number {
  const { inputs, width, outputs } = layers[layers.length - 1];
  return 8 * (parameters + width * outputs + inputs ** 2 + width ** 2);
}

interface Sums {
  readonly diagonal: Float64Array;
  readonly lastBlock: Float64Array;
}

function emptySums({ parameters, layers }: Network): Sums {
  return { diagonal: sharedFloat64(parameters), lastBlock: sharedFloat64(layers[layers.length - 1].width ** 2) };
}

function addSums(arrays: GramArrays, uniform: boolean, blas: Blas, scale: number, { diagonal, lastBlock }: Sums): void {
  addDiagonal(arrays, blas, scale, diagonal);
  if (uniform) addLastInputGram(arrays, blas, scale * (arrays.sigma as number), lastBlock);
}

class StoredSource implements GaussNewtonSource {
  readonly size: number;
  readonly form: GaussNewtonForm;
  readonly bytes: number;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor: SourceDescriptor;
  readonly #data: StoredData;
  readonly #evaluator: EntryBlocks;
  readonly #uniform: boolean;
  readonly #symmetric = new SymmetricBlocks((rows, cols, out) => {
    this.#block(rows, cols, out);
  });

  constructor(data: StoredData, { blas }: SourceContext, operator?: LinearOperator) {
    this.size = data.diagonal.length;
    this.form = data.form;
    this.bytes = data.bytes;
    if (operator !== undefined) this.operator = operator;
    this.descriptor = { ...WORKERS_COPY, data };
    this.#data = data;
    this.#uniform = typeof data.arrays.sigma === 'number';
    this.#evaluator = new EntryBlocks(data.arrays, this.#uniform, blas, data.strategy);
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#symmetric.fill(asIndices(rows, 'rows'), asIndices(cols, 'cols'), out);
  }

  diagonal(out: Float64Array): void {
    out.set(this.#data.diagonal);
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    copyAt(this.#data.diagonal, indices, out);
  }

  #block(rows: Indices, cols: Indices, out: Matrix): void {
    const { arrays, diagonal, lastBlock } = this.#data;
    fill(out, 0);
    const zero = (index: number): boolean => diagonal[index] === 0;
    const left = weightList(arrays.network, rows, zero);
    const right = weightList(arrays.network, cols, zero);
    this.#evaluator.add(left, right, 1 / arrays.count, out);
    if (this.#uniform) addUniformBlock(arrays.network, lastBlock, left, right, out);
  }
}

class RecomputedSource implements GaussNewtonSource {
  readonly size: number;
  readonly form = 'recomputed';
  readonly bytes: number;
  readonly operator?: LinearOperator | undefined;
  readonly #model: Model;
  readonly #plan: GramVectorPlan;
  readonly #batch: number;
  readonly #blas: Blas;
  readonly #strategy: EntryStrategy | undefined;
  readonly #sums: Sums;
  readonly #uniform: boolean;
  readonly #symmetric = new SymmetricBlocks((rows, cols, out) => {
    this.#block(rows, cols, out);
  });

  constructor(
    model: Model,
    plan: GramVectorPlan,
    batch: number,
    { blas, operator, strategy }: WithBlas<GaussNewtonSourceOptions>,
  ) {
    this.size = model.network.parameters;
    if (operator !== undefined) this.operator = operator;
    this.#model = model;
    this.#plan = plan;
    this.#batch = batch;
    this.#blas = blas;
    this.#strategy = strategy;
    this.#uniform = isUniform(model.network, model.loss);
    this.#sums = emptySums(model.network);
    this.#forEachBatch((arrays) => {
      addSums(arrays, this.#uniform, blas, 1 / model.data.samples, this.#sums);
    });
    this.bytes = 8 * (this.#sums.diagonal.length + this.#sums.lastBlock.length);
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#symmetric.fill(asIndices(rows, 'rows'), asIndices(cols, 'cols'), out);
  }

  diagonal(out: Float64Array): void {
    out.set(this.#sums.diagonal);
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    copyAt(this.#sums.diagonal, indices, out);
  }

  #forEachBatch(visit: (arrays: GramArrays) => void): void {
    const { samples } = this.#model.data;
    for (let first = 0; first < samples; first += this.#batch) {
      visit(gramArrays(this.#model, this.#plan, this.#blas, first, Math.min(this.#batch, samples - first)));
    }
  }

  #block(rows: Indices, cols: Indices, out: Matrix): void {
    const { network, data } = this.#model;
    const { diagonal, lastBlock } = this.#sums;
    fill(out, 0);
    const zero = (index: number): boolean => diagonal[index] === 0;
    const left = weightList(network, rows, zero);
    const right = weightList(network, cols, zero);
    this.#forEachBatch((arrays) => {
      new EntryBlocks(arrays, this.#uniform, this.#blas, this.#strategy).add(left, right, 1 / data.samples, out);
    });
    if (this.#uniform) addUniformBlock(network, lastBlock, left, right, out);
  }
}
