/**
 * What a loss is, as table.ts lists it under its name. Per sample, with f ∈ ℝʳ the network's outputs and y the targets:
 * its value, the gradient g with respect to f, the Hessian Q with respect to f, which does not depend on y; and of the
 * model p(y | f) ∝ exp(−loss(f, y)), draws of g at labels from it: E g = 0, E[g gᵀ] = Q (J. Martens, "New insights and
 * perspectives on the natural gradient method", JMLR 21, 2020, §5).
 */
import type { RandomStream } from '../../core/random.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import type { OutputCurvature } from './curvature.js';

/** Targets that a loss takes: numbers from 0 to `most`. */
export interface TargetRule {
  readonly most: number;
  /** What it takes instead, for the message: "bce takes targets from 0 to 1". */
  readonly takes: string;
  /** Where the targets of a sample must sum to one: what it takes instead. */
  readonly sumToOne?: string | undefined;
}

/** out[to … to + r) ← g of `sample` at a label drawn from the model. */
export type DrawError = (sample: number, random: RandomStream, out: FloatArray, to: number) => void;

/** A loss of one sample, with all that training and curvature ask of it: one member of the table (table.ts). */
export interface Loss {
  readonly formula: string;
  /** In the command's help, behind the name. */
  readonly note?: string | undefined;
  /** q of a squared loss (q/2)‖f − y‖² of r outputs, whose Q is q·I for every sample; null for other losses. */
  readonly squared: ((outputs: number) => number) | null;
  /** Whether Q = diag(p) − ppᵀ with p = softmax(f); else Q is diagonal. */
  readonly softmax: boolean;
  /** Whether targets are classes, so that a network with it is a classifier even where it gives back what it takes. */
  readonly classes: boolean;
  /**
   * How outputs tell a class: 'largest', the one whose output is largest (then E[y | f] are probabilities of classes);
   * 'sign', for each output y = 1 where f > 0 (E[y | f] is the probability of that); null: targets are no classes.
   */
  readonly decision: 'largest' | 'sign' | null;
  /** Null where it takes every finite number. */
  readonly targets: TargetRule | null;
  /**
   * The sum over the columns of `output` (r × count) in double precision; out, if any, ← g of each sample, not divided
   * by their number. out may be `output` itself. All shapes have been checked.
   */
  evaluate(output: Matrix, targets: Matrix, out: Matrix | null): number;
  /** Q of each sample; a copy. */
  curvature(output: Matrix): OutputCurvature;
  /** Draws for the columns of `output`. */
  sampler(output: Matrix): DrawError;
  /**
   * κ_i for each column of `output` (r × n), infinite where a probability is zero in floating point. A bound on how far
   * a Monte Carlo Fisher strays: a draw of sample i is J_iᵀg, with mean square G_i = J_iᵀQ_iJ_i, and with u = J_i(:,
   * a), v = J_i(:, b) its variance is E[(uᵀg)²(vᵀg)²] − (G_i)_ab² ≤ κ_i (G_i)_aa (G_i)_bb. With s independent draws for
   * each of n samples: Var(F_ab) ≤ (1/(n²s)) Σ_i κ_i (G_i)_aa (G_i)_bb.
   */
  varianceFactors(output: Matrix): Float64Array;
}
