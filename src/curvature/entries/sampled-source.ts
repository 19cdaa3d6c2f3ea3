/**
 * Estimated entries of the Gauss–Newton Hessian, by importance sampling over the data points.
 * C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184, §3.2: with w_i = |ā_i(q)|‖Δ_{ℓ,i}(:,
 * p)‖·|ā_i(q′)|‖Δ_{ℓ′,i}(:, p′)‖ and g_i the summand of G_ab = (1/n) Σ_i g_i, draw c samples with P_i = w_i/Σw and take
 * the mean of g_i/(n P_i). Unbiased; since |g_i| ≤ w_i each draw is at most (Σw)/n ≤ √(G_aa G_bb) in magnitude, so the
 * root mean square error is at most √(G_aa G_bb)/√c. Diagonal entries have no variance and are exact.
 */
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { requireRole, describe } from '../../core/kind.js';
import { requireMemory } from '../../core/memory.js';
import { firstWhere } from '../../core/first-where.js';
import { copyAt } from '../../core/floats.js';
import type { Indices } from '../../core/indices.js';
import type { KeysOf } from '../../core/known-options.js';
import { asIndices } from '../../core/numbers.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64, toShared } from '../../core/shared-array.js';
import { block, view, type Matrix } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import { layerWeights } from '../../network/network.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { builtIn } from '../../parallel/built-in.js';
import type { EntrySource, SourceContext, SourceDescriptor } from '../../source/entry-source.js';
import { gramArrays, gramBatch, widened, type GramArrays } from './unit-gram-arrays.js';
import { addDiagonal, squaredUnitNorms } from './diagonal-sums.js';
import { gramNumbers, planGramVectors, type GramVectorPlan } from './unit-gram-plan.js';
import { GramVectors } from './unit-gram-vectors.js';

/** Options of {@link sampledGaussNewtonSource}. */
export interface SampledSourceOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** ε: the root mean square error of an entry is at most ε·√(G_aa G_bb), by ⌈1/ε²⌉ draws. Default 0.05. */
  readonly error?: number | undefined;
  /** Default 0. Seeds the draws. */
  readonly seed?: number | undefined;
  /**
   * Bytes that may be held. Default 2 GiB. Factored Gram vectors are stored where they fit; else those of deep pairs of
   * layers are computed at each draw.
   */
  readonly memoryLimit?: number | undefined;
  /** Exact products with the same G, handed on as the source's `operator`. */
  readonly operator?: LinearOperator | undefined;
}
/** The keys of {@link SampledSourceOptions}. */
const SAMPLED_SOURCE_KEYS: KeysOf<SampledSourceOptions> = {
  blas: true,
  error: 'number',
  seed: 'number',
  memoryLimit: 'number',
  operator: true,
};

interface SampledData {
  readonly arrays: GramArrays;
  readonly parameters: Float64Array;
  /** ‖Δ_{ℓ,i}(:, p)‖: n × d_ℓ, layer after layer. */
  readonly norms: readonly Float64Array[];
  readonly diagonal: Float64Array;
  readonly draws: number;
  readonly seed: number;
  readonly bytes: number;
}

const DEFAULT_ERROR = 0.05;
const DEFAULT_LIMIT = 2 ** 31;
const MOST_DRAWS = 2 ** 24;
/** Keeps these streams apart from others of the same seed. */
const PURPOSE = 0x656e7472;

/**
 * Estimates of all entries, as a pure and symmetric source: the draws of an entry depend on (seed, {a, b}) alone. An
 * entry costs O(n + c·cost of ⟨Δ(:, p), Δ(:, p′)⟩). The estimates of different entries are independent, so a block of
 * them is the exact one plus noise of full rank: a compressed matrix is no more accurate than ε. Throws ShapeError,
 * OptionError, NonFiniteError, MemoryError.
 */
export function sampledGaussNewtonSource(
  given: GivenModel,
  options: SampledSourceOptions = {},
): SampledGaussNewtonSource {
  const model = asModel(given, 'sampledGaussNewtonSource');
  const backed = withBlas(options, SAMPLED_SOURCE_KEYS, 'sampledGaussNewtonSource');
  checkModel(model);
  const { blas, error = DEFAULT_ERROR, seed = 0, memoryLimit = DEFAULT_LIMIT, operator } = backed;
  if (operator !== undefined) requireRole(operator, 'operator', 'The option operator of sampledGaussNewtonSource');
  if (!(error > 0 && 1 / error ** 2 <= MOST_DRAWS))
    throw new OptionError(
      `The error of sampled entries must be from ${1 / Math.sqrt(MOST_DRAWS)} (${MOST_DRAWS} draws an entry) up, ` +
        `not ${describe(error)}.`,
      { error },
    );
  const { network, loss, data } = model;
  const compact = planGramVectors(network, loss, true);
  const units = network.layers.reduce((sum, { outputs }) => sum + outputs, 0);
  const bare: GramVectorPlan = {
    pairs: compact.pairs,
    arrays: [],
    numbers: compact.arrays.reduce((numbers, array) => numbers - gramNumbers(network, array), compact.numbers),
  };
  const fixed = 8 * (2 * network.parameters + network.layers[network.layers.length - 1].width ** 2);
  const bytesOf = (plan: GramVectorPlan): number => 8 * data.samples * (plan.numbers + units) + fixed;
  const plan = bytesOf(compact) + gramBatch(model, compact).bytes <= memoryLimit ? compact : bare;
  const bytes = bytesOf(plan);
  requireMemory(bytes + gramBatch(model, compact).bytes, memoryLimit, {
    what: `Sampled entries need, for the activations of ${data.samples} samples,`,
    advice: 'take fewer samples, or raise memoryLimit.',
  });
  const arrays = gramArrays(model, plan, blas, 0, data.samples);
  const { norms, diagonal } = normsAndDiagonal(model, compact, arrays, blas);
  const stored: SampledData = {
    arrays,
    parameters: toShared(widened(model.parameters)),
    norms,
    diagonal,
    draws: Math.ceil(1 / error ** 2),
    seed,
    bytes,
  };
  return new SampledGaussNewtonSource(stored, { blas }, operator);
}

/** A worker's copy, from the descriptor's data. */
export function openSampledSource(data: SampledData, context: SourceContext): EntrySource {
  return new SampledGaussNewtonSource(data, context);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openSampledSource', openSampledSource);

/** Batch by batch, with the Gram vectors of that batch alone where not all are stored. */
function normsAndDiagonal(
  model: Model,
  compact: GramVectorPlan,
  all: GramArrays,
  blas: Blas,
): { norms: Float64Array[]; diagonal: Float64Array } {
  const { network, data } = model;
  const diagonal = sharedFloat64(network.parameters);
  const norms = network.layers.map(({ outputs }) => sharedFloat64(outputs * data.samples));
  const batch = all.plan === compact ? data.samples : gramBatch(model, compact).samples;
  for (let first = 0; first < data.samples; first += batch) {
    const size = Math.min(batch, data.samples - first);
    const arrays = all.plan === compact ? all : gramArrays(model, compact, blas, first, size);
    addDiagonal(arrays, blas, 1 / data.samples, diagonal);
    const vectors = new GramVectors(arrays);
    network.layers.forEach(({ outputs }, ℓ) => {
      const squares = new Float64Array(outputs * size);
      squaredUnitNorms(vectors, ℓ, 0, size, squares);
      for (let p = 0; p < outputs; p++)
        for (let i = 0; i < size; i++) norms[ℓ][p * data.samples + first + i] = Math.sqrt(squares[p * size + i]);
    });
  }
  return { norms, diagonal };
}

interface Weight {
  readonly layer: number;
  readonly unit: number;
  readonly input: number;
}

/** Estimates of the entries of G; the same indices and seed give the same estimate. */
export class SampledGaussNewtonSource implements EntrySource {
  readonly size: number;
  readonly form = 'sampled';
  /** Bytes held, the data set's own not counted. */
  readonly bytes: number;
  /** c, of each entry off the diagonal. */
  readonly draws: number;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor: SourceDescriptor;
  readonly #data: SampledData;
  readonly #vectors: GramVectors;
  readonly #blas: Blas;
  /** Σ_{j ≤ i} w_j. */
  readonly #cumulative: Float64Array;
  readonly #samples: Int32Array;

  constructor(data: SampledData, { blas }: SourceContext, operator?: LinearOperator) {
    this.size = data.diagonal.length;
    this.bytes = data.bytes;
    this.draws = data.draws;
    if (operator !== undefined) this.operator = operator;
    this.descriptor = { ...WORKERS_COPY, data };
    this.#data = data;
    this.#vectors = new GramVectors(data.arrays);
    this.#blas = blas;
    this.#cumulative = new Float64Array(data.arrays.count);
    this.#samples = new Int32Array(data.draws);
  }

  /** √(G_aa G_bb)/√c: no less than the root mean square error of the estimate of G_ab (which is 0 for a = b). */
  bound(a: number, b: number): number {
    const { diagonal } = this.#data;
    return (Math.sqrt(diagonal[a]) * Math.sqrt(diagonal[b])) / Math.sqrt(this.draws);
  }

  /**
   * The estimate of G_ab; with another seed, an independent one. Throws ShapeError for a weight that does not exist.
   */
  entry(a: number, b: number, seed: number = this.#data.seed): number {
    const { diagonal, arrays, norms } = this.#data;
    const u = this.#weight(Math.min(a, b));
    const v = this.#weight(Math.max(a, b));
    if (a === b) return diagonal[a];
    const n = arrays.count;
    const total = accumulate(
      { data: arrays.inputs[u.layer], at: u.input * n },
      { data: norms[u.layer], at: u.unit * n },
      { data: arrays.inputs[v.layer], at: v.input * n },
      { data: norms[v.layer], at: v.unit * n },
      this.#cumulative,
    );
    if (total === 0) return 0;
    if (!Number.isFinite(total))
      throw new NonFiniteError(`The weights of the data points overflow for entry (${a}, ${b}).`, {
        row: a,
        column: b,
      });
    const random = new RandomStream(seed, PURPOSE, Math.min(a, b), Math.max(a, b));
    for (let t = 0; t < this.draws; t++) this.#samples[t] = this.#find(random.uniform() * total);
    const grams = this.#grams(u, v);
    let sum = 0;
    for (let t = 0; t < this.draws; t++) {
      const i = this.#samples[t];
      // g_i/w_i: the signs of the inputs, and the cosine between the two columns of Δ.
      const sign =
        Math.sign(arrays.inputs[u.layer][u.input * n + i]) * Math.sign(arrays.inputs[v.layer][v.input * n + i]);
      sum += (sign * grams[t]) / (norms[u.layer][u.unit * n + i] * norms[v.layer][v.unit * n + i]);
    }
    return (sum / this.draws) * (total / n);
  }

  entries(givenRows: Indices, givenCols: Indices, out: Matrix): void {
    const rows = asIndices(givenRows, 'rows');
    const cols = asIndices(givenCols, 'cols');
    for (let b = 0; b < cols.length; b++)
      for (let a = 0; a < rows.length; a++) out.data[out.offset + a + b * out.ld] = this.entry(rows[a], cols[b]);
  }

  diagonal(out: Float64Array): void {
    out.set(this.#data.diagonal);
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    copyAt(this.#data.diagonal, indices, out);
  }

  #weight(index: number): Weight {
    const { layers, parameters } = this.#data.arrays.network;
    if (!(index >= 0 && index < parameters))
      throw new ShapeError(`Weight ${index} does not exist: the network has ${parameters} parameters.`, {
        index,
        parameters,
      });
    let layer = layers.length - 1;
    while (index < layers[layer].offset) layer--;
    const { offset, width } = layers[layer];
    const unit = Math.floor((index - offset) / width);
    return { layer, unit, input: index - offset - unit * width };
  }

  /** The first i with cumulative[i] > u: never one of probability zero. */
  #find(u: number): number {
    const cumulative = this.#cumulative;
    return firstWhere(0, cumulative.length - 1, (i) => cumulative[i] > u);
  }

  /** m_i of the two units at the samples drawn. */
  #grams(u: Weight, v: Weight): Float64Array {
    const grams = new Float64Array(this.draws);
    const { plan } = this.#data.arrays;
    if (plan.arrays.length > 0 || this.#vectors.form(u.layer, v.layer).kind === 'closed') {
      this.#vectors.select(u.layer, u.unit, v.layer, v.unit);
      for (let t = 0; t < this.draws; t++) {
        if (this.#vectors.load(this.#samples[t], 1)) grams[t] = this.#vectors.data[this.#vectors.offset];
      }
      return grams;
    }
    const x = this.#towardsOutput(u);
    const y = this.#towardsOutput(v);
    this.#outputProducts(x, y, grams);
    return grams;
  }

  /** ∂z_L/∂z_ℓ(p) at the samples drawn: draws × r, all by one GEMM a layer. */
  #towardsOutput({ layer, unit }: Weight): Float64Array {
    const { draws } = this;
    const { arrays, parameters } = this.#data;
    const { layers } = arrays.network;
    let ℓ = layer;
    let v = new Float64Array(draws * layers[ℓ].outputs);
    v.fill(1, unit * draws, (unit + 1) * draws);
    for (; ℓ < layers.length - 1; ℓ++) {
      this.#scaleBySlopes(v, ℓ);
      const above = layers[ℓ + 1];
      const next = new Float64Array(draws * above.outputs);
      this.#blas.gemm(
        'N',
        'N',
        1,
        view(v, 0, draws, above.inputs),
        block(layerWeights(above, parameters), 0, 0, above.inputs, above.outputs),
        0,
        view(next, 0, draws, above.outputs),
      );
      v = next;
    }
    return v;
  }

  #scaleBySlopes(v: Float64Array, ℓ: number): void {
    const { slopes, count: n, network } = this.#data.arrays;
    const slope = slopes[ℓ];
    if (slope === null) return;
    const { draws } = this;
    for (let p = 0, at = 0; p < network.layers[ℓ].outputs; p++)
      for (let t = 0; t < draws; t++, at++) v[at] *= slope[p * n + this.#samples[t]];
  }

  /** xᵀ(diag σ − ννᵀ)y for each draw. */
  #outputProducts(x: Float64Array, y: Float64Array, out: Float64Array): void {
    const { sigma, nu, count: n, network } = this.#data.arrays;
    for (let t = 0; t < this.draws; t++) {
      const i = this.#samples[t];
      let sum = 0;
      let alongX = 0;
      let alongY = 0;
      for (let k = 0; k < network.outputs; k++) {
        const a = x[t + k * this.draws];
        const b = y[t + k * this.draws];
        sum += (typeof sigma === 'number' ? sigma : sigma[k * n + i]) * a * b;
        if (nu === null) continue;
        alongX += nu[k * n + i] * a;
        alongY += nu[k * n + i] * b;
      }
      out[t] = sum - alongX * alongY;
    }
  }
}

/** Numbers of an array from `at` on. */
interface Segment {
  readonly data: Float64Array;
  readonly at: number;
}

/** out[i] ← Σ_{j ≤ i} |x|·norm·|x′|·norm′; returns the total. */
function accumulate(
  { data: x, at: xAt }: Segment,
  { data: norm, at: normAt }: Segment,
  { data: y, at: yAt }: Segment,
  { data: other, at: otherAt }: Segment,
  out: Float64Array,
): number {
  let sum = 0;
  for (let i = 0; i < out.length; i++) {
    sum += Math.abs(x[xAt + i] * norm[normAt + i] * y[yAt + i] * other[otherAt + i]);
    out[i] = sum;
  }
  return sum;
}
