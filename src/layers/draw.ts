/**
 * Errors at the outputs that are drawn: Q^{1/2}ξ of signs ξ, whose second moment is Q, the Hessian of a sample's loss
 * in its outputs (training/objective/r-pass.ts has the formulas).
 */
import type { FloatArray } from '../core/floats.js';
import { RandomStream } from '../core/random.js';
import type { Matrix } from '../dense/matrix.js';
import type { GraphLoss } from './losses.js';
import { squaredScale } from '../network/losses/table.js';
import { numbersEach, positionsOf, rowsOf, type Shape } from '../tape/shape.js';

/** Keeps the signs' streams apart from others of the same seed. */
const SIGNS = 0x7369676e;

/** Outputs of a slice, laid out as tapes have them, and where the errors go. */
export interface RootRequest {
  readonly shape: Shape;
  readonly count: number;
  readonly outputs: FloatArray;
  readonly targets: Matrix;
  readonly out: FloatArray;
}

/** A request for errors that are drawn. */
export interface DrawRequest extends RootRequest {
  /** The signs depend on seed, step and sample alone; `first` is the slice's first sample. */
  readonly random: { readonly seed: number; readonly step: number; readonly first: number };
}

/** out ← Q^{1/2}ξ at every sample and position, ξ of signs. */
export function drawAtOutputs(loss: GraphLoss, { random, ...request }: DrawRequest): void {
  rootAtOutputs(loss, request, (b) => {
    const signs = new RandomStream(random.seed, SIGNS, random.step, random.first + b);
    return () => (signs.uniform() < 0.5 ? -1 : 1);
  });
}

/** ξ of a sample: number k of position p, asked for in their order. */
export type SampleVector = (k: number, p: number) => number;

/** out ← Q^{1/2}ξ at every sample and position; Q^{1/2} is one root of Q, not the symmetric one. */
export function rootAtOutputs(
  loss: GraphLoss,
  { shape, count, outputs, targets, out }: RootRequest,
  vectorOf: (sample: number) => SampleVector,
): void {
  const rows = rowsOf(shape);
  const scale = typeof loss === 'string' ? squaredScale(loss, numbersEach(shape)) : null;
  for (let b = 0; b < count; b++) {
    const ξ = vectorOf(b);
    for (let p = 0; p < positionsOf(shape); p++) {
      const at = rows * (b + count * p);
      if (scale !== null) for (let k = 0; k < rows; k++) out[at + k] = Math.sqrt(scale) * ξ(k, p);
      else if (loss === 'bce')
        for (let k = 0; k < rows; k++) {
          const q = 1 / (1 + Math.exp(-outputs[at + k]));
          out[at + k] = Math.sqrt(q * (1 - q)) * ξ(k, p);
        }
      else if (typeof loss !== 'string' && targets.data[targets.offset + b * targets.ld + p] === loss.padding)
        out.fill(0, at, at + rows);
      else softmaxErrors(rows, outputs.subarray(at, at + rows), out.subarray(at, at + rows), (k) => ξ(k, p));
    }
  }
}

/** (diag √p − p√pᵀ)ξ of one column. */
function softmaxErrors(rows: number, f: FloatArray, out: FloatArray, ξ: (k: number) => number): void {
  let most = -Infinity;
  for (let k = 0; k < rows; k++) most = Math.max(most, f[k]);
  let total = 0;
  for (let k = 0; k < rows; k++) total += Math.exp(f[k] - most);
  let along = 0;
  for (let k = 0; k < rows; k++) {
    out[k] = Math.sqrt(Math.exp(f[k] - most) / total) * ξ(k);
    along += out[k];
  }
  for (let k = 0; k < rows; k++) out[k] -= (Math.exp(f[k] - most) / total) * along;
}
