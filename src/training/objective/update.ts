/**
 * The update of a block of θ by a first-order rule, in one pass over its numbers, right after their gradient was
 * summed. Formulas: ../optimizers/first-order.ts.
 */
import type { FloatArray } from '../../core/floats.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { LayerBlock, ParameterLayout } from '../../network/parameter-layout.js';
import type { Block } from './slices.js';
import type { Span, Workspace } from './workspace.js';

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

/** What an update works on; `part`: a block's part of a vector. */
export interface Blockwise {
  readonly workspace: Pick<Workspace, 'parameters' | 'gradient'> & { readonly network: ParameterLayout };
  readonly kernels: VectorKernels;
  readonly part: (vector: Span, block: Block) => FloatArray;
}

/** θ(block) by the update from the block's gradient. */
export function updateBlock({ workspace, kernels, part }: Blockwise, block: Block, { rule, layers }: Update): void {
  const own = layers[block.layer];
  if (own === null) return;
  const { rate } = own;
  const n = block.length;
  const g = part(workspace.gradient, block);
  const θ = part(workspace.parameters, block);
  const moments = 'moments' in rule ? rule.moments.map((span) => part(span, block)) : [];
  decayBlock(kernels, own, workspace.network.layers[block.layer], block, θ);
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
      kernels.adam(n, { beta1, beta2, step, epsilon: epsilon * root }, g, moments[0], moments[1], θ);
    }
  }
}

/** θ ← (1 − decay)·θ on the block's weights. */
export function decayBlock(
  kernels: VectorKernels,
  { decay, decayBias }: LayerUpdate,
  { width, inputs }: LayerBlock,
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
