/**
 * What Adam in Kronecker's eigenbases asks of an objective, wherever it computes: statistics and bases of the layers,
 * and steps in them.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Steps } from '../newton/steps.js';
import type { LayerUpdate, Rule } from '../objective/update.js';
import type { StepPlan } from '../optimizer.js';
import type { SideShape } from './kronecker-sides.js';

/** Adam's numbers of a step. */
export type AdamNumbers = Omit<Extract<Rule, { readonly kind: 'adam' }>, 'moments'>;

/** An objective with both of Adam's moments. */
export interface EkfacObjective {
  readonly network: ParameterLayout;
  readonly precision: Precision;
  /** Input and output of each layer: dense ones are turned. */
  readonly sides: readonly (readonly [SideShape, SideShape])[];
  /** What a checkpoint keeps: the moments, and what the sides keep. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
  /** f and ∇f of the batch; which layers the next `take` turns, null where that is not known. Throws NonFiniteError. */
  evaluate(step: number, isTurned: readonly boolean[] | null): Steps<number>;
  /** The gradient without frozen layers, at most `clip` long; its norm before. */
  clip(plan: StepPlan): Steps<number>;
  /** Statistics ← keep·statistics + (1 − keep)·those of the batch's first samples, errors drawn by the step. */
  update(keep: number, step: number, samples: number): Steps<void>;
  /** New eigenbases; the layers (from 0) for one of whose sides none was found. */
  rebase(): Steps<ReadonlySet<number>>;
  /** The first moment out of the bases of layers that are turned, or, what came out of others, into them. */
  turnFirst(isTurned: readonly boolean[], way: 'back' | 'in'): void;
  /** θ by Adam in the bases of layers that are turned, by Adam itself in the others. */
  take(isTurned: readonly boolean[], adam: AdamNumbers, layers: readonly (LayerUpdate | null)[]): void;
  /** Waits for what was asked before. */
  end(): Steps<void>;
}
