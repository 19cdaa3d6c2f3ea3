/**
 * Where a network's units lie: points whose distances are those of their errors and of their activations.
 * Johnson–Lindenstrauss sketches over the samples: input q of layer ℓ is at n^{−1/2}(Ā_{ℓ−1} Ω)(q, :), output unit p at
 * n^{−1/2}(D_ℓ Ω)(p, :), Ω n × k with independent normal entries of variance 1/k and D_ℓ the errors backpropagated from
 * S_i ξ_i, ξ_i random signs, so that E⟨point(p), point(p′)⟩ = (1/n) Σ_i ⟨Δ_i(:, p), Δ_i(:, p′)⟩.
 */
import { precisionOf } from '../../core/floats.js';
import { RandomStream } from '../../core/random.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { backpropagate } from '../../network/backward.js';
import { batchOf } from '../../network/data-set.js';
import { forward } from '../../network/forward.js';
import { applyLossFactor } from '../../network/losses/evaluate.js';
import type { Model } from '../../network/model.js';
import type { Points } from '../../source/entry-source.js';

/** Points for the inputs and output units of one layer. */
export interface LayerFeatures {
  /** One point for each of the layer's inputs, its bias last where it has one. */
  readonly inputs: Points;
  /** One point for each output unit. */
  readonly units: Points;
}

/** Coordinates of a point: enough to tell which units are alike. */
const DIMENSION = 32;
const BATCH = 512;
const STREAM = 0xfea7;

/**
 * Features of every layer; one forward and one backward pass over the data, 2k(width + outputs)·n flops a layer more.
 * Throws NonFiniteError.
 */
export function unitFeatures({ network, parameters, loss, data }: Model, seed: number, blas: Blas): LayerFeatures[] {
  const precision = precisionOf(parameters);
  const sums = network.layers.map(({ width, outputs }) => ({
    inputs: zeros(DIMENSION, width, precision),
    units: zeros(DIMENSION, outputs, precision),
  }));
  for (let first = 0; first < data.samples; first += BATCH) {
    const count = Math.min(BATCH, data.samples - first);
    const pass = forward(network, parameters, batchOf(data, first, count).inputs, blas);
    const projection = zeros(DIMENSION, count, precision);
    const signs = zeros(network.outputs, count, precision);
    for (let i = 0; i < count; i++) {
      const random = new RandomStream(seed, STREAM, first + i);
      random.fillNormal(projection.data.subarray(i * DIMENSION, (i + 1) * DIMENSION));
      for (let k = 0; k < network.outputs; k++) signs.data[i * network.outputs + k] = random.uint32() & 1 ? 1 : -1;
    }
    applyLossFactor(loss, pass.output, 'N', signs, signs);
    const errors = backpropagate(network, parameters, pass, signs, { blas });
    const scale = 1 / Math.sqrt(DIMENSION * data.samples);
    sums.forEach(({ inputs, units }, ℓ) => {
      blas.gemm('N', 'T', scale, projection, pass.inputs[ℓ], 1, inputs);
      blas.gemm('N', 'T', scale, projection, errors[ℓ], 1, units);
    });
  }
  return sums.map(({ inputs, units }) => ({ inputs: pointsOf(inputs), units: pointsOf(units) }));
}

function pointsOf({ data, cols }: Matrix): Points {
  return { dimension: DIMENSION, count: cols, coordinates: doubles(view(data, 0, DIMENSION, cols).data) };
}

const doubles = (data: FloatArray): Float64Array => (data instanceof Float64Array ? data : Float64Array.from(data));
