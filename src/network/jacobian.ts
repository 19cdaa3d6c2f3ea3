/**
 * Derivatives of a network's outputs with respect to its parameters: backpropagation of unit errors, one for each
 * output.
 */
import { throwIfAborted } from '../core/context.js';
import { precisionOf } from '../core/floats.js';
import type { KeysOf } from '../core/known-options.js';
import { requireMemory } from '../core/memory.js';
import { requireMemoryLimit } from '../core/checks.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type BlasOption } from '../dense/default-blas.js';
import { block, view, zeros, type FloatArray, type Matrix, type Vectors } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { availableMemory } from '../io/machine.js';
import { backpropagate } from './backward.js';
import { forward } from './forward.js';
import { perSampleGradients, type BatchOptions } from './gradient.js';
import { asInputs } from './inputs.js';
import { asNetwork, type GivenNetwork, type Model } from './model.js';
import type { Network } from './network.js';

/** Options of {@link jacobian}. */
export interface JacobianOptions extends Pick<BatchOptions, 'signal'>, BlasOption {
  /** Bytes that the result and what is needed to form it may take; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
const JACOBIAN_KEYS: KeysOf<JacobianOptions> = { signal: true, blas: true, memoryLimit: 'number' };

/** Numbers that the gradients of a batch may fill, and what passes hold for it: 64 MB of float64. */
const BATCH_NUMBERS = 2 ** 23;

/** Numbers for each sample: the gradients of its outputs, activations and slopes, and the errors of all outputs. */
function numbersPerSample({ layers, outputs, parameters }: Network): number {
  return (
    outputs * parameters +
    layers.reduce((sum, layer) => sum + layer.width + layer.outputs * (1 + outputs), 2 * outputs * outputs)
  );
}

/**
 * How many of `samples` are taken at a time (all where `asked`, else what a batch holds), and the bytes that they take
 * in the precision of the parameters.
 */
export function gradientBatch(
  network: Network,
  parameters: FloatArray,
  samples: number,
  asked = false,
): { readonly count: number; readonly bytes: number } {
  const each = numbersPerSample(network);
  const count = Math.max(1, asked ? samples : Math.min(samples, Math.floor(BATCH_NUMBERS / each)));
  return { count, bytes: parameters.BYTES_PER_ELEMENT * each * count };
}

/**
 * out (N × r·count) ← the gradients of the outputs at the columns of `inputs`, that of output k at sample i in column
 * i·r + k: the transposed Jacobian. (2 + 3r)·N flops a sample. Throws NonFiniteError.
 */
export function outputGradients(
  { network, parameters }: Pick<Model, 'network' | 'parameters'>,
  inputs: Matrix,
  out: Matrix,
  blas: Blas,
): void {
  const r = network.outputs;
  const n = inputs.cols;
  const pass = forward(network, parameters, inputs, blas);
  const unit = zeros(r, r * n, precisionOf(parameters));
  for (let k = 0; k < r; k++) for (let i = 0; i < n; i++) unit.data[k + (k * n + i) * r] = 1;
  const errors = backpropagate(network, parameters, pass, unit, { blas });
  for (let k = 0; k < r; k++) {
    const own = errors.map((error) => block(error, 0, k * n, error.rows, n));
    perSampleGradients(network, pass, own, view(out.data, out.offset + k * out.ld, out.rows, n, r * out.ld));
  }
}

/**
 * J = ∂a_L/∂θ at the columns of `inputs` (d × n, or one sample as an array of d numbers): r·n × N, row i·r + k the
 * gradient of output k at sample i, laid out like θ and in the precision of the parameters; at one sample r × N. By
 * backpropagation of r unit errors, (2 + 3r)·N flops a sample, r·n·N numbers. A model's loss and data are not looked
 * at. Throws ShapeError, OptionError, MemoryError, NonFiniteError, AbortedError.
 */
export function jacobian(model: GivenNetwork, inputs: Vectors, options: JacobianOptions = {}): Matrix {
  const { network, parameters } = asNetwork(model, 'jacobian');
  const { blas, signal, memoryLimit } = withBlas(options, JACOBIAN_KEYS, 'jacobian');
  const x = asInputs(network, inputs);
  const { outputs: r, parameters: size } = network;
  const { count, bytes } = gradientBatch(network, parameters, x.cols);
  requireMemory(
    parameters.BYTES_PER_ELEMENT * r * x.cols * size + bytes,
    memoryLimit === undefined ? availableMemory() : requireMemoryLimit(memoryLimit),
    {
      what: `The Jacobian of ${r} outputs at ${x.cols} samples by ${size} parameters needs`,
      advice: 'take fewer samples at a time, or multiply by it without forming it (gaussNewton, dualForm).',
      data: { outputs: r, samples: x.cols, parameters: size },
    },
  );
  const out = zeros(r * x.cols, size, precisionOf(parameters));
  const gradients = zeros(size, r * Math.min(count, x.cols), precisionOf(parameters));
  for (let first = 0; first < x.cols; first += count) {
    throwIfAborted(signal);
    const n = Math.min(count, x.cols - first);
    const own = block(gradients, 0, 0, size, r * n);
    outputGradients({ network, parameters }, block(x, 0, first, x.rows, n), own, blas);
    transposeInto(block(out, first * r, 0, r * n, size), own);
  }
  return out;
}
