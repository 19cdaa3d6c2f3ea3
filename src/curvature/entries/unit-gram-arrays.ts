/**
 * Per-sample quantities of a model, as entries of its Gauss–Newton Hessian read them: n-vectors, one after the other.
 * All in float64: a float32 model is widened first. Everything lies over SharedArrayBuffer, so that workers read what
 * one thread has computed.
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { batchOf } from '../../network/data-set.js';
import { forward, type ForwardPass } from '../../network/forward.js';
import { hasUnitSlope } from '../../network/activations/table.js';
import { lossOf, squaredScale } from '../../network/losses/table.js';
import type { Model } from '../../network/model.js';
import { layerWeights, type Layer, type Network } from '../../network/network.js';
import { gramClosure, gramKey, gramNumbers, isUniform, type GramArray, type GramVectorPlan } from './unit-gram-plan.js';
import { outputHessian } from '../../network/losses/output-hessian.js';

/** n = count samples; structured-cloneable. */
export interface GramArrays {
  readonly network: Network;
  readonly plan: GramVectorPlan;
  readonly count: number;
  /** W̄ᵀ of the last layer, and the scaled c·WᵀW of it where the Hessian of the loss is c·I (else empty). */
  readonly lastWeights: Float64Array;
  readonly lastGram: Float64Array;
  /** Āᵀ of each layer: n × width. */
  readonly inputs: readonly Float64Array[];
  /** φ′(Z_ℓ)ᵀ of each layer but the last: n × d_ℓ; null for ones. (The last layer's slopes are in σ and ν.) */
  readonly slopes: readonly (Float64Array | null)[];
  /** σ: n × r, or the one number it is. */
  readonly sigma: Float64Array | number;
  /** ν: n × r, where it is not zero, and φ′(Z_{L−1})ᵀ ∘ (W_Lᵀν)ᵀ: n × d_{L−1}. */
  readonly nu: Float64Array | null;
  readonly projected: Float64Array | null;
  /**
   * By `gramKey`: n × d_upper × d_lower, the unit of the upper layer before the lower one's; for upper = lower, columns
   * p ≤ p′ at p + p′(p′ + 1)/2.
   */
  readonly arrays: Readonly<Record<string, Float64Array>>;
}

/**
 * Scratch of the recursion, in numbers: bounds the samples taken at a time. Fewer than a hundred or so would make the
 * runs that are copied short.
 */
const SCRATCH_NUMBERS = 2 ** 25;
/** Samples of a forward pass at a time, at most. */
const LARGEST_BATCH = 1024;

/** Samples taken at a time by the recursion, and its scratch memory in bytes. */
export function gramBatch({ network, loss, data }: Model, plan: GramVectorPlan): { samples: number; bytes: number } {
  let perSample = 0;
  for (const layer of network.layers) perSample += 2 * (layer.width + layer.outputs);
  for (const array of gramClosure(network, loss, plan.arrays).values())
    perSample += array.lower === array.upper ? network.layers[array.lower].outputs ** 2 : gramNumbers(network, array);
  const samples = Math.max(1, Math.min(LARGEST_BATCH, data.samples, Math.floor(SCRATCH_NUMBERS / perSample)));
  return { samples, bytes: 8 * samples * perSample };
}

/**
 * Samples first … first + count − 1 of the model. Throws NonFiniteError for inputs or activations that are not finite.
 */
export function gramArrays(model: Model, plan: GramVectorPlan, blas: Blas, first: number, count: number): GramArrays {
  const { network, loss, data } = model;
  const parameters = widened(model.parameters);
  const last = network.layers.length - 1;
  const uniform = isUniform(network, loss);
  const { softmax } = lossOf(loss);
  const hidden = network.layers.slice(0, last);
  const lastLayer = network.layers[last];
  const arrays: Record<string, Float64Array> = {};
  for (const array of plan.arrays) arrays[gramKey(array)] = sharedFloat64(count * gramNumbers(network, array));
  const lastWeights = sharedFloat64(lastLayer.width * lastLayer.outputs);
  lastWeights.set(parameters.subarray(lastLayer.offset, lastLayer.offset + lastWeights.length));
  const result: GramArrays = {
    network,
    plan,
    count,
    lastWeights,
    arrays,
    lastGram:
      uniform && last > 0
        ? weightGram(lastLayer, lastWeights, squaredScale(loss, network.outputs)!, blas)
        : new Float64Array(0),
    inputs: network.layers.map((layer) => sharedFloat64(count * layer.width)),
    slopes: hidden.map((layer) => (hasUnitSlope(layer.activation) ? null : sharedFloat64(count * layer.outputs))),
    sigma: uniform ? squaredScale(loss, network.outputs)! : sharedFloat64(count * network.outputs),
    nu: softmax ? sharedFloat64(count * network.outputs) : null,
    projected: softmax && last > 0 ? sharedFloat64(count * network.layers[last - 1].outputs) : null,
  };
  const recursion = new GramRecursion(result, parameters, gramClosure(network, loss, plan.arrays), blas);
  const { samples } = gramBatch(model, plan);
  for (let at = 0; at < count; at += samples) {
    const size = Math.min(samples, count - at);
    const pass = forward(network, parameters, widenedMatrix(batchOf(data, first + at, size).inputs), blas);
    storePass(result, model, pass, at, blas);
    recursion.run(at, size);
  }
  return result;
}

/** The array itself if it is float64 already, else a float64 copy. */
export const widened = (x: FloatArray): Float64Array => (x instanceof Float64Array ? x : Float64Array.from(x));

/** The view itself if it is float64 already, else a float64 copy of its columns. */
export function widenedMatrix(a: Matrix): Matrix {
  if (a.data instanceof Float64Array) return a;
  const copy = new Float64Array(a.rows * a.cols);
  for (let j = 0; j < a.cols; j++)
    copy.set(a.data.subarray(a.offset + j * a.ld, a.offset + j * a.ld + a.rows), j * a.rows);
  return view(copy, 0, a.rows, a.cols);
}

/** c·WᵀW of the last layer, d × d with d its inputs without the bias. */
function weightGram({ inputs: d, outputs, width }: Layer, weights: Float64Array, c: number, blas: Blas): Float64Array {
  const gram = sharedFloat64(d * d);
  const w = view(weights, 0, d, outputs, width);
  blas.gemm('N', 'T', c, w, w, 0, view(gram, 0, d, d));
  return gram;
}

/** out(at + i, u) ← a(u, i) for a rows × size matrix, by blocks that stay in the cache; out is n × rows. */
function transposeInto(a: Matrix, out: Float64Array, n: number, at: number): void {
  const x = a.data;
  for (let firstRow = 0; firstRow < a.rows; firstRow += 32) {
    const endRow = Math.min(a.rows, firstRow + 32);
    for (let firstCol = 0; firstCol < a.cols; firstCol += 32) {
      const endCol = Math.min(a.cols, firstCol + 32);
      for (let u = firstRow; u < endRow; u++) {
        for (
          let i = firstCol, p = a.offset + u + firstCol * a.ld, q = u * n + at + firstCol;
          i < endCol;
          i++, p += a.ld, q++
        )
          out[q] = x[p];
      }
    }
  }
}

/** Inputs, slopes, σ, ν and W_Lᵀν of one batch. */
function storePass(to: GramArrays, model: Model, pass: ForwardPass, at: number, blas: Blas): void {
  const { network } = model;
  const last = network.layers.length - 1;
  const { count: n, sigma, nu, projected } = to;
  network.layers.forEach((_, ℓ) => {
    transposeInto(pass.inputs[ℓ], to.inputs[ℓ], n, at);
  });
  to.slopes.forEach((slope, ℓ) => {
    if (slope !== null) transposeInto(pass.slopes[ℓ]!, slope, n, at);
  });
  if (typeof sigma === 'number') return;
  const { roots, softmax } = outputHessian(model.loss, pass);
  const squares = roots.data.map((x) => x * x);
  transposeInto(view(squares, 0, roots.rows, roots.cols), sigma, n, at);
  if (softmax === null || nu === null) return;
  transposeInto(softmax.outer, nu, n, at);
  if (projected === null) return;
  const { inputs: d, outputs, width } = network.layers[last];
  // (W_Lᵀν)ᵀ = νᵀW_L: n × r by r × d.
  const out = view(projected, at, pass.count, d, n);
  blas.gemm('N', 'T', 1, view(nu, at, pass.count, outputs, n), view(to.lastWeights, 0, d, outputs, width), 0, out);
  const slope = to.slopes[last - 1];
  if (slope !== null)
    for (let p = 0; p < d; p++) for (let i = at + p * n; i < at + p * n + pass.count; i++) projected[i] *= slope[i];
}

/** Samples at … at + size of all. */
interface SampleRows {
  readonly at: number;
  readonly size: number;
}

/** Arrays of the batch made so far: of the layer above, and of this one. */
interface MadeArrays {
  readonly above: ReadonlyMap<string, Float64Array>;
  readonly level: ReadonlyMap<string, Float64Array>;
}

/** T and E of one batch of samples, from the last layer down. */
class GramRecursion {
  readonly #to: GramArrays;
  readonly #parameters: Float64Array;
  readonly #needed: readonly GramArray[];
  readonly #blas: Blas;
  readonly #scratch = new Map<string, Float64Array>();

  constructor(to: GramArrays, parameters: Float64Array, needed: ReadonlyMap<string, GramArray>, blas: Blas) {
    this.#to = to;
    this.#parameters = parameters;
    // Layers from above; within a layer the tables of two layers before the square one, which is made from the first of
    // them.
    this.#needed = [...needed.values()].sort((a, b) => b.lower - a.lower || b.upper - a.upper);
    this.#blas = blas;
  }

  run(at: number, size: number): void {
    let above = new Map<string, Float64Array>();
    let level = new Map<string, Float64Array>();
    let layer = Infinity;
    for (const array of this.#needed) {
      if (array.lower !== layer) {
        if (array.lower === layer - 1) above = level;
        level = new Map();
        layer = array.lower;
      }
      const { outputs: d } = this.#to.network.layers[array.lower];
      const values = this.#values(gramKey(array), size * d * this.#to.network.layers[array.upper].outputs);
      this.#compute(array, values, { above, level }, { at, size });
      level.set(gramKey(array), values);
      const kept = this.#to.arrays[gramKey(array)];
      if (kept !== undefined) this.#keep(array, values, kept, at, size);
    }
  }

  /** The first batch is the largest. */
  #values(key: string, length: number): Float64Array {
    let values = this.#scratch.get(key);
    if (values === undefined) this.#scratch.set(key, (values = new Float64Array(length)));
    return values;
  }

  #compute(array: GramArray, out: Float64Array, { above, level }: MadeArrays, rows: SampleRows): void {
    const { kind, lower, upper } = array;
    const last = this.#to.network.layers.length - 1;
    const { outputs: d } = this.#to.network.layers[lower];
    if (kind === 'T' && lower === upper) {
      if (lower === last - 1 && this.#to.lastGram.length > 0) this.#uniformSquare(out, rows);
      else this.#square(lower, level.get(gramKey({ kind, lower, upper: upper + 1 }))!, out, rows);
      return;
    }
    if (lower === upper - 1 && (kind === 'E' || upper === last)) {
      this.#first(kind, lower, out, rows);
      return;
    }
    const { size } = rows;
    // T_{k,ℓ+1}·W_{ℓ+1}·diag φ′, and the same for E; below the diagonal of tables, T_{ℓ+1,ℓ+1} is T_{k,ℓ+1}.
    const du = this.#to.network.layers[upper].outputs;
    const from = above.get(gramKey({ kind, lower: lower + 1, upper }))!;
    const dn = this.#to.network.layers[lower + 1].outputs;
    this.#blas.gemm('N', 'T', 1, view(from, 0, size * du, dn), this.#weights(lower + 1), 0, view(out, 0, size * du, d));
    for (let p = 0; p < d; p++) this.#scale(view(out, p * du * size, size, du), lower, p, rows.at);
  }

  /** Wᵀ, d_{ℓ−1} × d_ℓ, of a layer, without the bias. */
  #weights(ℓ: number): Matrix {
    const layer = this.#to.network.layers[ℓ];
    return block(layerWeights(layer, this.#parameters), 0, 0, layer.inputs, layer.outputs);
  }

  /** The columns of x (size × any, contiguous) times φ′ of unit p of layer ℓ at samples at … at + size. */
  #scale({ data: x, offset, rows: size, cols }: Matrix, ℓ: number, p: number, at: number): void {
    const slope = this.#to.slopes[ℓ];
    if (slope === null) return;
    const from = p * this.#to.count + at;
    for (let c = 0, q = offset; c < cols; c++) for (let i = from; i < from + size; i++) x[q++] *= slope[i];
  }

  /** E_{k−1→k} = W_k diag φ′ and T_{L,L−1} = Q̃ W_L diag φ′. */
  #first(kind: 'T' | 'E', ℓ: number, out: Float64Array, { at, size }: SampleRows): void {
    const { count: n, sigma, nu, projected } = this.#to;
    const w = this.#weights(ℓ + 1);
    const { outputs: d } = this.#to.network.layers[ℓ];
    const { outputs: du } = this.#to.network.layers[ℓ + 1];
    const slope = this.#to.slopes[ℓ];
    const vector = new Float64Array(size);
    for (let p = 0, q = 0; p < d; p++) {
      const begin = q;
      if (slope === null) vector.fill(1);
      else vector.set(slope.subarray(p * n + at, p * n + at + size));
      for (let k = 0; k < du; k++, q += size) {
        const weight = w.data[w.offset + p + k * w.ld];
        if (kind === 'E') scaledInto(out, q, weight, vector);
        else if (typeof sigma === 'number') scaledInto(out, q, weight * sigma, vector);
        else for (let i = 0, s = k * n + at; i < size; i++) out[q + i] = weight * sigma[s + i] * vector[i];
      }
      if (kind === 'E' || nu === null || projected === null) continue;
      for (let k = 0, to = begin; k < du; k++) {
        for (let i = 0, s = k * n + at, t = p * n + at; i < size; i++, to++) out[to] -= projected[t + i] * nu[s + i];
      }
    }
  }

  /** c·(W_LᵀW_L)_{pp′}·φ′_p·φ′_p′. */
  #uniformSquare(out: Float64Array, { at, size }: SampleRows): void {
    const ℓ = this.#to.network.layers.length - 2;
    const { outputs: d } = this.#to.network.layers[ℓ];
    for (let p = 0, q = 0; p < d; p++) {
      for (let k = 0; k < d; k++, q += size) {
        out.fill(this.#to.lastGram[k + p * d], q, q + size);
        this.#scale(view(out, q, size, 1), ℓ, k, at);
      }
      this.#scale(view(out, p * d * size, size, d), ℓ, p, at);
    }
  }

  /** T_{ℓ,ℓ}(p′, p) = φ′_p′·Σ_k W_{ℓ+1}(k, p′) T_{ℓ+1,ℓ}(k, p), for each p. */
  #square(ℓ: number, from: Float64Array, out: Float64Array, { at, size }: SampleRows): void {
    const { outputs: d } = this.#to.network.layers[ℓ];
    const { outputs: du } = this.#to.network.layers[ℓ + 1];
    const w = this.#weights(ℓ + 1);
    for (let p = 0; p < d; p++) {
      this.#blas.gemm('N', 'T', 1, view(from, p * du * size, size, du), w, 0, view(out, p * d * size, size, d));
      for (let k = 0; k < d; k++) this.#scale(view(out, (k + p * d) * size, size, 1), ℓ, k, at);
    }
  }

  /** Into the rows at … at + size of the stored array; of a square table the columns p ≤ p′. */
  #keep({ lower, upper }: GramArray, values: Float64Array, kept: Float64Array, at: number, size: number): void {
    const { count: n } = this.#to;
    const { outputs: d } = this.#to.network.layers[lower];
    const { outputs: du } = this.#to.network.layers[upper];
    let column = 0;
    for (let p = 0; p < d; p++) {
      const end = lower === upper ? p + 1 : du;
      for (let k = 0; k < end; k++, column++) {
        const from = (k + p * du) * size;
        kept.set(values.subarray(from, from + size), column * n + at);
      }
    }
  }
}

/** out[at …] ← α·x. */
function scaledInto(out: Float64Array, at: number, alpha: number, x: Float64Array): void {
  for (let i = 0; i < x.length; i++) out[at + i] = alpha * x[i];
}
