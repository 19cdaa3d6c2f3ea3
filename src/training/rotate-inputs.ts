/**
 * The inputs turned into the eigenbasis of their second moment: with U of UΛUᵀ = (1/n) Σ x̄x̄ᵀ, x̄ = [x; 1] where the
 * first layer has a bias, else x, that layer sees x′ = Uᵀx̄ and has the weights W′ = W̄U: W′x′ = W̄x̄. It has no bias
 * of its own then; θ keeps its layout. What the network computes stays the same but for rounding, while methods
 * that don't commute with rotations take other steps: E x′x′ᵀ = Λ is diagonal from the beginning.
 */
import { checkInputs } from '../network/sample-order.js';
import { precisionOf } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, zeros, type FloatArray, type Matrix } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { batchOf, type DataSet } from '../network/data-set.js';
import { layerWeights, type Network } from '../network/network.js';
import type { Breath } from './breath.js';
import { MAP_CHUNK, type InputMap } from './data/mapped.js';

/** x̄ of some samples in double precision. */
function extended(x: Matrix, width: number, room: Matrix): Matrix {
  const out = block(room, 0, 0, width, x.cols);
  copyInto(block(out, 0, 0, x.rows, x.cols), x);
  if (width > x.rows) for (let i = 0; i < x.cols; i++) out.data[out.offset + x.rows + i * out.ld] = 1;
  return out;
}

/** U, width × width in double precision. (n + 9·width)·width² flops. Throws FactorizationError, AbortedError. */
export async function inputBasis({ layers }: Network, data: DataSet, blas: Blas, breath: Breath): Promise<Matrix> {
  const { width } = layers[0];
  const moment = zeros(width, width);
  const room = zeros(width, Math.min(MAP_CHUNK, data.samples));
  for (let first = 0; first < data.samples; first += MAP_CHUNK) {
    const { inputs } = batchOf(data, first, Math.min(MAP_CHUNK, data.samples - first));
    checkInputs(inputs, first);
    blas.syrk('L', 'N', 1 / data.samples, extended(inputs, width, room), 1, moment);
    await breath.takeIfDue();
  }
  symmetricEigen(blas, moment, 'the second moment of the inputs');
  return moment;
}

/** The network that takes x′. */
export function rotatedNetwork(network: Network): Network {
  const [first, ...others] = network.layers;
  return { ...network, inputs: first.width, layers: [{ ...first, inputs: first.width, bias: false }, ...others] };
}

/** x′ = Uᵀx̄, computed in double precision. */
export function rotation(network: Network, basis: Matrix, parameters: FloatArray, blas: Blas): InputMap {
  const { width } = network.layers[0];
  const room = zeros(width, MAP_CHUNK);
  const turned = zeros(width, MAP_CHUNK);
  return {
    rows: width,
    precision: precisionOf(parameters),
    apply: (x, out) => {
      const part = block(turned, 0, 0, width, x.cols);
      blas.gemm('T', 'N', 1, basis, extended(x, width, room), 0, part);
      copyInto(out, part);
    },
  };
}

/**
 * A copy of θ with the first layer's W′ in the place of W̄, or, with `back`, W̄ in that of W′. 2·width²·outputs flops
 * in double precision.
 */
export function rotateParameters(
  network: Network,
  basis: Matrix,
  parameters: FloatArray,
  blas: Blas,
  back = false,
): FloatArray {
  const layer = network.layers[0];
  const result = parameters.slice();
  const given = zeros(layer.width, layer.outputs);
  copyInto(given, layerWeights(layer, parameters));
  const turned = zeros(layer.width, layer.outputs);
  blas.gemm(back ? 'N' : 'T', 'N', 1, basis, given, 0, turned);
  copyInto(layerWeights(layer, result), turned);
  return result;
}
