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
export interface DrawRequest {
  readonly shape: Shape;
  readonly count: number;
  readonly outputs: FloatArray;
  readonly targets: Matrix;
  readonly out: FloatArray;
  /** The signs depend on seed, step and sample alone; `first` is the slice's first sample. */
  readonly random: { readonly seed: number; readonly step: number; readonly first: number };
}

/** out ← Q^{1/2}ξ at every sample and position. */
export function drawAtOutputs(loss: GraphLoss, { shape, count, outputs, targets, out, random }: DrawRequest): void {
  const rows = rowsOf(shape);
  const positions = positionsOf(shape);
  const scale = typeof loss === 'string' ? squaredScale(loss, numbersEach(shape)) : null;
  for (let b = 0; b < count; b++) {
    const signs = new RandomStream(random.seed, SIGNS, random.step, random.first + b);
    for (let p = 0; p < positions; p++) {
      const at = rows * (b + count * p);
      const ξ = (): number => (signs.uniform() < 0.5 ? -1 : 1);
      if (scale !== null) for (let k = at; k < at + rows; k++) out[k] = Math.sqrt(scale) * ξ();
      else if (loss === 'bce')
        for (let k = at; k < at + rows; k++) {
          const q = 1 / (1 + Math.exp(-outputs[k]));
          out[k] = Math.sqrt(q * (1 - q)) * ξ();
        }
      else if (typeof loss !== 'string' && targets.data[targets.offset + b * targets.ld + p] === loss.padding)
        out.fill(0, at, at + rows);
      else softmaxErrors(rows, at, outputs, out, ξ);
    }
  }
}

/** (diag √p − p√pᵀ)ξ of one column. */
function softmaxErrors(rows: number, at: number, f: FloatArray, out: FloatArray, ξ: () => number): void {
  let most = -Infinity;
  for (let k = at; k < at + rows; k++) most = Math.max(most, f[k]);
  let total = 0;
  for (let k = at; k < at + rows; k++) total += Math.exp(f[k] - most);
  let along = 0;
  for (let k = at; k < at + rows; k++) {
    out[k] = Math.sqrt(Math.exp(f[k] - most) / total) * ξ();
    along += out[k];
  }
  for (let k = at; k < at + rows; k++) out[k] -= (Math.exp(f[k] - most) / total) * along;
}
