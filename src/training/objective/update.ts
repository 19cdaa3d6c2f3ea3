/**
 * The update of a block of θ by a first-order rule, in one pass over its numbers, right after their gradient was
 * summed. Formulas: ../optimizers/first-order.ts.
 */
import type { FloatArray } from '../../core/floats.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { Layer } from '../../network/network.js';
import type { Span } from './workspace.js';
import type { Block } from './slices.js';

/** A rule with the numbers of this step; its moments are vectors laid out like θ. */
export type Rule =
  | { readonly kind: 'sgd' }
  | { readonly kind: 'momentum'; readonly beta: number; readonly nesterov: boolean; readonly moments: readonly [Span] }
  | { readonly kind: 'adagrad'; readonly epsilon: number; readonly moments: readonly [Span] }
  | {
      readonly kind: 'rmsprop';
      readonly rho: number;
      readonly epsilon: number;
      readonly moments: readonly [Span];
    }
  | {
      readonly kind: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      /** 1 − β₁ᵗ and 1 − β₂ᵗ of step t. */
      readonly correction1: number;
      readonly correction2: number;
      readonly moments: readonly [Span, Span];
    };

/** A rule, and of each layer its rate (null: its parameters stay as they are) and decoupled decay. */
export interface Update {
  readonly rule: Rule;
  readonly layers: readonly (LayerUpdate | null)[];
}

/** Rate and decay of one layer. */
export interface LayerUpdate {
  readonly rate: number;
  /** θ ← θ − decay·θ before the step; on weights alone unless `decayBias`. */
  readonly decay: number;
  readonly decayBias: boolean;
}

/** θ(block) by the update; g, θ and the moments are the block's parts of the vectors. */
export function updateBlock(
  kernels: VectorKernels,
  update: Update,
  { layer, block }: { readonly layer: Layer; readonly block: Block },
  { g, θ, moments }: { readonly g: FloatArray; readonly θ: FloatArray; readonly moments: readonly FloatArray[] },
): void {
  const own = update.layers[block.layer];
  if (own === null) return;
  const { rate } = own;
  const n = block.length;
  decayBlock(kernels, own, layer, block, θ);
  const { rule } = update;
  switch (rule.kind) {
    case 'sgd':
      kernels.sgd(n, rate, g, θ);
      break;
    case 'momentum':
      kernels.momentum(n, rate, rule.beta, rule.nesterov, g, moments[0], θ);
      break;
    case 'adagrad':
      kernels.adagrad(n, rate, rule.epsilon, g, moments[0], θ);
      break;
    case 'rmsprop':
      kernels.rmsprop(n, rate, rule.rho, rule.epsilon, g, moments[0], θ);
      break;
    case 'adam': {
      const { beta1, beta2, epsilon, correction1, correction2 } = rule;
      // The corrections of both moments, folded into step and epsilon.
      const root = Math.sqrt(correction2);
      const step = (rate * root) / correction1;
      kernels.adam(n, { beta1, beta2, step, epsilon: epsilon * root, decay: 0 }, g, moments[0], moments[1], θ);
    }
  }
}

/** θ ← (1 − decay)·θ on the block's weights. */

export function decayBlock(
  kernels: VectorKernels,
  { decay, decayBias }: LayerUpdate,
  { width, inputs }: Layer,
  block: Block,
  θ: FloatArray,
): void {
  if (decay === 0) return;
  if (decayBias || width === inputs) {
    kernels.combine(block.length, 1 - decay, θ, 0, θ);
    return;
  }
  for (let p = 0; p < block.count; p++) {
    const unit = θ.subarray(p * width, p * width + inputs);
    kernels.combine(inputs, 1 - decay, unit, 0, unit);
  }
}
