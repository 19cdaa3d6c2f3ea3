/**
 * What a slice of samples goes through: forward Z_ℓ = W̄_ℓ Ā_{ℓ−1}, A_ℓ = φ(Z_ℓ); backward D_ℓ = φ′∘(W_{ℓ+1}ᵀ D_{ℓ+1});
 * and the loss alone, which keeps nothing. Formulas as in network/forward.ts and network/backward.ts; here everything
 * lies in one memory, elementwise work runs in SIMD, and a pass is kept for the curvature at its point.
 */
import { RandomStream } from '../../core/random.js';
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { LossKind, VectorKernels } from '../../dense/vector-memory.js';
import { hasUnitSlope } from '../../network/activations/table.js';
import { lossOf, squaredScale, type LossName } from '../../network/losses/table.js';
import { codeErrors, sampleCode, sampleCodeInPlace } from './code.js';
import type { SliceViews, WeightViews } from './slice-views.js';
import type { Workspace } from './workspace.js';

/** Keeps the masks' streams apart from others of the same seed. */
const MASKS = 0x6d61736b;

/** The loss as the kernels know it: its kind, and the scale of a squared one. */
export interface KernelLoss {
  readonly kind: LossKind;
  readonly scale: number;
}

const KERNEL_LOSSES: Partial<Record<LossName, LossKind>> = { 'cross-entropy': 'softmax', bce: 'bce' };

/** The kernels' name of a loss of r = `outputs` outputs; null for one that they do not know: it evaluates itself. */
export function kernelLoss(loss: LossName, outputs: number): KernelLoss | null {
  const scale = squaredScale(loss, outputs);
  if (scale !== null) return { kind: 'squared', scale };
  const kind = KERNEL_LOSSES[loss];
  return kind === undefined ? null : { kind, scale: 1 };
}

/** Passes over slices of one worker. */
export class Passes {
  readonly #workspace: Workspace;
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #loss: KernelLoss | null;
  readonly #last: number;

  constructor(workspace: Workspace, kernels: VectorKernels, blas: Blas) {
    this.#workspace = workspace;
    this.#kernels = kernels;
    this.#blas = blas;
    this.#loss = kernelLoss(workspace.loss, workspace.network.outputs);
    this.#last = workspace.network.layers.length - 1;
  }

  /**
   * Forward and backward; returns the slice's sum of losses, NaN where something on the way is not finite. `step` tells
   * the dropout masks, null drops nothing, and the draws of the code, if any.
   */
  evaluate(slice: SliceViews, weights: readonly WeightViews[], step: number | null): number {
    const divergence = this.#forward(slice, weights, step);
    const loss = this.#outputErrors(slice) + divergence;
    this.#backward(slice, weights);
    const finite = slice.layers.every(({ errors }) => this.#kernels.finite(errors.array.length, errors.array));
    return finite ? loss : Number.NaN;
  }

  /** Returns the sum of the code's divergences. */
  #forward(slice: SliceViews, weights: readonly WeightViews[], step: number | null): number {
    const { dropout } = this.#workspace;
    let divergence = 0;
    slice.layers.forEach(({ layer, inputs, z, zArray, slopes, second }, ℓ) => {
      this.#blas.gemm('T', 'N', 1, weights[ℓ].full, inputs, 0, z);
      if (!hasUnitSlope(layer.activation))
        this.#kernels.activate(
          layer.activation,
          layer.outputs,
          slice.count,
          zArray,
          z.ld,
          slopes?.array ?? null,
          second?.array ?? null,
        );
      if (ℓ === slice.code?.layer) divergence = sampleCode(slice.code, step);
      else if (dropout > 0 && step !== null && ℓ < this.#last) {
        const arrays = [slopes, second].flatMap((part) => (part === null ? [] : [part.array]));
        this.#drop(slice, ℓ, step, [
          { data: zArray, ld: z.ld },
          ...arrays.map((data) => ({ data, ld: layer.outputs })),
        ]);
      }
    });
    return divergence;
  }

  /**
   * Inverted dropout of layer ℓ's units: A, φ′ and φ″ times a mask of 0 and 1/(1 − p), which depends on seed, step,
   * layer and sample alone (N. Srivastava et al., JMLR 15, 2014).
   */
  #drop(
    slice: SliceViews,
    ℓ: number,
    step: number,
    targets: readonly { readonly data: FloatArray; readonly ld: number }[],
  ): void {
    const { dropout, seed } = this.#workspace;
    const { outputs } = slice.layers[ℓ].layer;
    const keep = 1 / (1 - dropout);
    const limit = Math.round(dropout * 2 ** 32);
    for (let i = 0; i < slice.count; i++) {
      const random = new RandomStream(seed, MASKS, step, ℓ, slice.first + i);
      for (let k = 0; k < outputs; k++) {
        const mask = random.uint32() < limit ? 0 : keep;
        for (const { data, ld } of targets) data[i * ld + k] *= mask;
      }
    }
  }

  /** D_L from the loss's gradient; second_L ← φ″∘∇loss. Returns the sum of losses. */
  #outputErrors({ count, layers, output, targets }: SliceViews): number {
    const { errors, slopes, second } = layers[this.#last];
    const kernels = this.#kernels;
    const loss = this.#lossGradient(count, output.array, targets.array, errors.array);
    if (second !== null) kernels.multiply(second.array.length, errors.array, second.array);
    if (slopes !== null) kernels.multiply(slopes.array.length, slopes.array, errors.array);
    return loss;
  }

  #backward({ layers, code }: SliceViews, weights: readonly WeightViews[]): void {
    const kernels = this.#kernels;
    for (let ℓ = this.#last; ℓ > 0; ℓ--) {
      const { errors, slopes, second } = layers[ℓ - 1];
      const to = code !== null && code.layer === ℓ - 1 ? code.between : errors;
      this.#blas.gemm('N', 'N', 1, weights[ℓ].weights, layers[ℓ].errors.matrix, 0, to.matrix);
      if (to !== errors) codeErrors(code!, errors.array);
      if (second !== null) kernels.multiply(second.array.length, errors.array, second.array);
      if (slopes !== null) kernels.multiply(slopes.array.length, slopes.array, errors.array);
    }
  }

  /**
   * The sum of losses and, of losses whose targets are classes, how many samples are right, by a pass that keeps
   * nothing of what `evaluate` left. `step` as there. The outputs stand in `slice.turns[(L − 1) mod 2]` afterwards.
   */
  measure(slice: SliceViews, weights: readonly WeightViews[], step: number | null): { loss: number; right: number } {
    const kernels = this.#kernels;
    const { network, loss, dropout } = this.#workspace;
    let from: Matrix = slice.layers[0].inputs;
    let outputs: FloatArray = slice.turns[0];
    let divergence = 0;
    network.layers.forEach((layer, ℓ) => {
      const next = network.layers[ℓ + 1];
      const array = slice.turns[ℓ % 2];
      const coded = ℓ === slice.code?.layer;
      let rows = coded ? layer.outputs : (next?.width ?? layer.outputs);
      const z = view(array, 0, layer.outputs, slice.count, rows);
      this.#blas.gemm('T', 'N', 1, weights[ℓ].full, from, 0, z);
      if (!hasUnitSlope(layer.activation))
        kernels.activate(layer.activation, layer.outputs, slice.count, array, rows, null, null);
      if (coded) {
        rows = next.width;
        divergence = sampleCodeInPlace(slice.code!, array, rows, step);
      } else if (dropout > 0 && step !== null && ℓ < this.#last)
        this.#drop(slice, ℓ, step, [{ data: array, ld: rows }]);
      if (next?.bias) for (let i = 1; i <= slice.count; i++) array[i * rows - 1] = 1;
      from = view(array, 0, rows, slice.count);
      outputs = array;
    });
    const r = network.outputs;
    const right = countRight(lossOf(loss).decision, r, slice.count, outputs, slice.targets.array);
    return { loss: this.#lossGradient(slice.count, outputs, slice.targets.array, outputs) + divergence, right };
  }

  /** The sum of losses of `count` outputs f; out ← their gradients. out may be f. */
  #lossGradient(count: number, f: FloatArray, y: FloatArray, out: FloatArray): number {
    const { network, loss } = this.#workspace;
    const r = network.outputs;
    if (this.#loss !== null) return this.#kernels.lossGradient(this.#loss.kind, this.#loss.scale, r, count, f, y, out);
    return lossOf(loss).evaluate(view(f, 0, r, count), view(y, 0, r, count), view(out, 0, r, count));
  }
}

/** How many samples' outputs tell the class of their targets (network/predict.ts says how). */

function countRight(
  decision: 'largest' | 'sign' | null,
  r: number,
  count: number,
  f: FloatArray,
  y: FloatArray,
): number {
  if (decision === null) return 0;
  let right = 0;
  for (let at = 0; at < r * count; at += r) {
    if (decision === 'largest') {
      let p = 0;
      let q = 0;
      for (let k = 1; k < r; k++) {
        if (f[at + k] > f[at + p]) p = k;
        if (y[at + k] > y[at + q]) q = k;
      }
      if (p === q) right++;
    } else {
      let same = true;
      for (let k = 0; k < r; k++) if (f[at + k] > 0 !== y[at + k] > 0.5) same = false;
      if (same) right++;
    }
  }
  return right;
}
