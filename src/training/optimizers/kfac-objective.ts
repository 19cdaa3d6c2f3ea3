/**
 * What K-FAC asks of an objective, wherever it computes: Kronecker factors of the layers, their eigenbases, the
 * gradient through the inverse, and the quadratic model of a few vectors.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import { factoredShifts, mean } from '../newton/factored-damping.js';
import type { NewtonObjective } from '../newton/newton-objective.js';
import type { Steps } from '../newton/steps.js';
import type { Space } from '../newton/vectors.js';
import type { SideShape } from './kronecker-sides.js';

/** How λ enters: by every pair of eigenvalues, or by one shift a side. */
export type DampingKind = 'exact' | 'factored';

/** A gradient through the inverse. */
export interface InverseRequest {
  readonly from: FloatArray;
  readonly to: FloatArray;
  /** Two vectors that are overwritten. */
  readonly places: readonly [FloatArray, FloatArray];
  /** What each layer's result is multiplied by; null: it is zero. */
  readonly factors: readonly (number | null)[];
  readonly damping: number;
  readonly kind: DampingKind;
}

/** Factors and eigenbases of an objective's layers. */
export interface KroneckerState {
  /** Input and output of each layer. */
  readonly sides: readonly (readonly [SideShape, SideShape])[];
  /** What a checkpoint keeps of them. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
  /** Factors ← keep·factors + (1 − keep)·those of the batch's first samples, errors drawn by the step. */
  update(keep: number, step: number, samples: number): Steps<void>;
  /** New eigenbases; the layers (from 0) for one of whose sides none was found. */
  rebase(): Steps<ReadonlySet<number>>;
  /** to ← factor·(K + λ)⁻¹·from, layer by layer. */
  solve(request: InverseRequest): void;
}

/** An objective as K-FAC sees it, with vectors in S. */
export interface KfacObjective<S extends Space = Space> extends NewtonObjective<S> {
  readonly precision: Precision;
  readonly regularization: number;
  readonly usesBatchStatistics: boolean;
  /** Takes the memory of the factors. */
  kronecker(): KroneckerState;
  /** As `Objective.quadratic`. */
  quadratic(vectors: readonly FloatArray[], samples: number): Steps<Float64Array>;
}

/** What is added to eigenvalues of both sides, and to their products: λ, or shifts by means of the eigenvalues. */
export function shiftsOf(
  { damping, kind }: Pick<InverseRequest, 'damping' | 'kind'>,
  inputs: FloatArray,
  outputs: FloatArray,
): { readonly inputShift: number; readonly outputShift: number; readonly shift: number } {
  if (kind === 'exact') return { inputShift: 0, outputShift: 0, shift: damping };
  const [inputShift, outputShift] = factoredShifts(mean(inputs), mean(outputs), damping);
  return { inputShift, outputShift, shift: 0 };
}
