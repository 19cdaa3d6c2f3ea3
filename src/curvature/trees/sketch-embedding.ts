/**
 * A point for each weight of a network such that distances are those of its Gauss–Newton Hessian: rows of a random
 * sketch of the Jacobian. G = ĴᵀĴ with Ĵ of n·r rows; for a k × n·r matrix R of random signs, the columns of R·Ĵ/√k are
 * points x_a ∈ ℝᵏ with E⟨x_a, x_b⟩ = G_ab and Var⟨x_a, x_b⟩ ≤ (G_aa G_bb + G_ab²)/k (W. B. Johnson, J. Lindenstrauss,
 * 1984; signs: D. Achlioptas, J. Comput. Syst. Sci. 66(4), 2003). One row is one product with Jᵀ: the gradient for the
 * output errors S_iξ_i, ξ_i the signs of sample i.
 */
import { requireWhole } from '../../core/checks.js';
import { throwIfAborted, type RunControl } from '../../core/context.js';
import type { KeysOf } from '../../core/known-options.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import { zeros, type Matrix } from '../../dense/matrix.js';
import { accumulateGradient, backpropagate } from '../../network/backward.js';
import { batchOf } from '../../network/data-set.js';
import { forward } from '../../network/forward.js';
import { applyLossFactor } from '../../network/losses/evaluate.js';
import { checkModel, asModel, type GivenModel } from '../../network/model.js';
import type { Points } from '../../source/entry-source.js';
import { widened, widenedMatrix } from '../entries/unit-gram-arrays.js';

/** Options of {@link sketchEmbedding}. */
export interface EmbeddingOptions extends RunControl {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** k: the squared distance of two weights has a relative standard deviation of at most √(2/k). Default 32. */
  readonly dimension?: number | undefined;
  /** Default 0. Seeds the signs. */
  readonly seed?: number | undefined;
  /** Samples at a time. Default 512. The result does not depend on it beyond rounding. */
  readonly batchSize?: number | undefined;
}
/** The keys of {@link EmbeddingOptions}, and `team`. */
const EMBEDDING_KEYS: KeysOf<EmbeddingOptions & { readonly team?: unknown | undefined }> = {
  blas: true,
  dimension: 'number',
  seed: 'number',
  batchSize: 'number',
  signal: true,
  onProgress: 'function',
  team: true,
};

const DEFAULT_DIMENSION = 32;
const DEFAULT_BATCH = 512;
const LARGEST_DIMENSION = 4096;
/** Keeps these streams apart from others of the same seed. */
const PURPOSE = 0x736b6574;

/**
 * N points of `dimension` coordinates whose inner products estimate G_ab, so that squared distances estimate the Gram
 * distances G_aa + G_bb − 2G_ab. Weights that no sample uses are at the origin. Cost: (4k + 2)nN flops and 16kN bytes,
 * for any number of outputs. In float64 (a float32 model is widened). Throws OptionError, ShapeError, NonFiniteError,
 * AbortedError.
 */
export function sketchEmbedding(given: GivenModel, options: EmbeddingOptions = {}): Points {
  const model = asModel(given, 'sketchEmbedding');
  const backed = withBlas(options, EMBEDDING_KEYS, 'sketchEmbedding');
  checkModel(model);
  const { network, loss, data } = model;
  const { blas, dimension: k = DEFAULT_DIMENSION, seed = 0, batchSize = DEFAULT_BATCH, signal, onProgress } = backed;
  requireWhole(k, 'dimension', 1, LARGEST_DIMENSION);
  requireWhole(batchSize, 'batchSize', 1);
  const parameters = widened(model.parameters);
  const size = network.parameters;
  const scale = 1 / Math.sqrt(k * data.samples);
  const rows = Array.from({ length: k }, () => new Float64Array(size));
  for (let first = 0; first < data.samples; first += batchSize) {
    const count = Math.min(batchSize, data.samples - first);
    const pass = forward(network, parameters, widenedMatrix(batchOf(data, first, count).inputs), blas);
    const signs = zeros(network.outputs, count);
    const errors = zeros(network.outputs, count);
    let deltas: Matrix[] | undefined;
    for (let row = 0; row < k; row++) {
      throwIfAborted(signal);
      fillSigns(signs, seed, row, first);
      applyLossFactor(loss, pass.output, 'N', signs, errors);
      deltas = backpropagate(network, parameters, pass, errors, { blas, reuse: deltas });
      accumulateGradient(network, pass, deltas, rows[row], { blas, alpha: scale });
      onProgress?.({ phase: 'sketch', done: first * k + (row + 1) * count, total: data.samples * k });
    }
  }
  return { dimension: k, count: size, coordinates: interleaved(rows, size) };
}

/** The signs of a row and a sample depend on the seed and these two alone, not on the batch. */
function fillSigns(out: Matrix, seed: number, row: number, first: number): void {
  const { data, rows: r, cols } = out;
  for (let i = 0; i < cols; i++) {
    const random = new RandomStream(seed, PURPOSE, row, first + i);
    for (let c = 0, bits = 0; c < r; c++, bits >>>= 1) {
      if ((c & 31) === 0) bits = random.uint32();
      data[i * r + c] = (bits & 1) === 0 ? 1 : -1;
    }
  }
}

/** Coordinates point by point from the sketch's rows, by blocks that stay in the cache. */
function interleaved(rows: readonly Float64Array[], size: number): Float64Array {
  const k = rows.length;
  const coordinates = sharedFloat64(k * size);
  for (let first = 0; first < size; first += 256) {
    const end = Math.min(size, first + 256);
    for (let c = 0; c < k; c++) {
      const row = rows[c];
      for (let a = first; a < end; a++) coordinates[a * k + c] = row[a];
    }
  }
  return coordinates;
}
