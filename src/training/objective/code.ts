/**
 * A Gaussian code between two layers of a network, as variational autoencoders have it (D. P. Kingma, M. Welling, ICLR
 * 2014, arXiv 1312.6114). The layer before it has 2k linear outputs (μ, s = log σ²), the layer after it sees
 *
 *   z = μ + σ∘ε,  ε ~ N(0, I),  σ = e^{s/2},
 *
 * and the loss of a sample holds β·KL(N(μ, σ²) ‖ N(0, I)) = (β/2) Σ_j (μ_j² + σ_j² − 1 − s_j) besides that of the
 * outputs. With δ the error at z and h = ½σ∘ε = ∂z/∂s the errors are
 *
 *   ∂/∂μ = δ + βμ,  ∂/∂s = h∘δ + (β/2)(σ² − 1),
 *
 * and the Gauss–Newton matrix has Q = β·diag(1, ½σ²) of the divergence at (μ, s) besides that of the outputs. ε depends
 * on seed, step and sample alone; evaluations (no step) have draws of their own, the same ones each time.
 */
import { RandomStream } from '../../core/random.js';
import type { FloatArray } from '../../core/floats.js';
import type { Matrix } from '../../dense/matrix.js';
import type { Network } from '../../network/network.js';
import { OptionError } from '../../core/errors.js';

/** Where a network has its code. */
export interface Code {
  /** The layer whose outputs are μ and s; the next one takes half as many inputs. */
  readonly layer: number;
  /** β. */
  readonly weight: number;
}

/** A slice's part in the code: k numbers a sample, of `outputs` 2k. */
export interface SliceCode extends Code {
  readonly size: number;
  readonly seed: number;
  /** Of the batch's samples the slice's first one. */
  readonly first: number;
  readonly count: number;
  /** μ and s. */
  readonly outputs: FloatArray;
  /** h. */
  readonly slopes: FloatArray;
  /** σ². */
  readonly variances: FloatArray;
  /** δ, or a tangent of z: k × count. */
  readonly between: { readonly matrix: Matrix; readonly array: FloatArray };
  /** z, where the next layer has its inputs. */
  readonly z: Matrix;
}

/** Keep streams of ε, of those for evaluations, and of the divergence's signs apart from others of the same seed. */
const NOISE = 0x636f6465;
const EVALUATION = 0x6576616c;
const SIGNS = 0x6b6c7369;

const noiseOf = (seed: number, step: number | null, sample: number): RandomStream =>
  step === null ? new RandomStream(seed, EVALUATION, sample) : new RandomStream(seed, NOISE, step, sample);

/** Throws OptionError unless the network's layers fit the code, and where the Hessian is asked for. */
export function checkCode({ layers }: Network, { layer, weight }: Code, curvature?: string): void {
  if (curvature === 'hessian')
    throw new OptionError(
      'The Hessian of a network with a code is not known, its Gauss–Newton matrix is: take an optimizer that does ' +
        'with that (ekfacAdam, kfacOptimizer, gaussNewtonCg, hessianFree).',
      { curvature },
    );
  const before = layers[layer];
  const after = layers[layer + 1];
  if (before?.outputs !== 2 * after?.inputs || before.activation !== 'linear')
    throw new OptionError(
      `The code stands behind layer ${layer}, which needs linear outputs, two for each input of the next layer.`,
      { layer, outputs: before?.outputs, inputs: after?.inputs, activation: before?.activation },
    );
  if (!(weight >= 0 && weight < Infinity))
    throw new OptionError(`The weight of the code's divergence is ${weight}: it is a number of at least 0.`, {
      weight,
    });
}

/** z, h and σ² from μ and s; returns the slice's sum of β·KL. */
export function sampleCode(code: SliceCode, step: number | null): number {
  const { size, seed, weight, outputs, slopes, variances, z } = code;
  let divergence = 0;
  for (let i = 0; i < code.count; i++) {
    const random = noiseOf(seed, step, code.first + i);
    for (let j = 0; j < size; j++) {
      const μ = outputs[2 * size * i + j];
      const s = outputs[2 * size * i + size + j];
      const σ = Math.exp(s / 2);
      const noise = σ * random.normal();
      z.data[z.offset + i * z.ld + j] = μ + noise;
      slopes[size * i + j] = noise / 2;
      variances[size * i + j] = σ * σ;
      divergence += μ * μ + σ * σ - 1 - s;
    }
  }
  return (weight / 2) * divergence;
}

/**
 * The same for a pass that keeps nothing: `array` has 2k numbers a sample, μ and s, and then `rows` = k or k + 1 with z
 * in the first k of them. They never go ahead of what is still to be read.
 */
export function sampleCodeInPlace(code: SliceCode, array: FloatArray, rows: number, step: number | null): number {
  const { size, seed, weight } = code;
  let divergence = 0;
  for (let i = 0; i < code.count; i++) {
    const random = noiseOf(seed, step, code.first + i);
    for (let j = 0; j < size; j++) {
      const μ = array[2 * size * i + j];
      const s = array[2 * size * i + size + j];
      const σ = Math.exp(s / 2);
      array[rows * i + j] = μ + σ * random.normal();
      divergence += μ * μ + σ * σ - 1 - s;
    }
  }
  return (weight / 2) * divergence;
}

/** out (2k × count) ← the errors at μ and s from δ in `between`. */
export function codeErrors(code: SliceCode, out: FloatArray): void {
  const { weight, outputs, variances } = code;
  back(code, out, (at, own, j) => {
    out[own] += weight * outputs[own];
    out[own + j] += (weight / 2) * (variances[at] - 1);
  });
}

/** `between` ← the tangent of z from that of μ and s. */
export function codeTangent({ size, count, slopes, between }: SliceCode, tangents: FloatArray): void {
  for (let i = 0; i < count; i++)
    for (let j = 0; j < size; j++) {
      const at = size * i + j;
      const own = 2 * size * i + j;
      between.array[at] = tangents[own] + slopes[at] * tangents[own + size];
    }
}

/** out ← Q·(tangents of μ and s, which stand in out) + the errors from δ in `between`. */
export function codeCurvature(code: SliceCode, out: FloatArray): void {
  const { size, count, weight, variances, slopes, between } = code;
  for (let i = 0; i < count; i++)
    for (let j = 0; j < size; j++) {
      const at = size * i + j;
      const own = 2 * size * i + j;
      const δ = between.array[at];
      out[own] = weight * out[own] + δ;
      out[own + size] = (weight / 2) * variances[at] * out[own + size] + slopes[at] * δ;
    }
}

/** out ← the errors from a draw's δ in `between` and Q^{1/2} of signs of the divergence's own. */
export function codeDraw(code: SliceCode, out: FloatArray, step: number): void {
  const { size, seed, weight, variances } = code;
  const [first, second] = [Math.sqrt(weight), Math.sqrt(weight / 2)];
  let random = new RandomStream(seed);
  back(code, out, (at, own, k) => {
    if (at % size === 0) random = new RandomStream(seed, SIGNS, step, code.first + at / size);
    const bits = random.uint32();
    out[own] += (bits & 1 ? 1 : -1) * first;
    out[own + k] += (bits & 2 ? 1 : -1) * second * Math.sqrt(variances[at]);
  });
}

/** out ← [δ; h∘δ]; `add` sees the place of each number in δ and in out, and k. */
function back(
  { size, count, slopes, between }: SliceCode,
  out: FloatArray,
  add: (at: number, own: number, size: number) => void,
): void {
  for (let i = 0; i < count; i++)
    for (let j = 0; j < size; j++) {
      const at = size * i + j;
      const own = 2 * size * i + j;
      out[own] = between.array[at];
      out[own + size] = slopes[at] * between.array[at];
      add(at, own, size);
    }
}

/** Σ_i uᵢᵀQᵢwᵢ of tangents u and w of μ and s, 2k numbers a sample. */
export function codeForm(
  { size, weight }: { readonly size: number; readonly weight: number },
  variances: FloatArray,
  u: Float64Array,
  w: Float64Array,
): number {
  let sum = 0;
  for (let begin = 0, at = 0; begin < u.length; begin += 2 * size)
    for (let own = begin; own < begin + size; own++, at++)
      sum += u[own] * w[own] + (variances[at] / 2) * u[own + size] * w[own + size];
  return weight * sum;
}
