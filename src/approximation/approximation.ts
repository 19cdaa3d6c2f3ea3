/**
 * What every approximation of a symmetric matrix answers: one interface for all methods, so that they can be compared.
 */
import type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TriedMethod } from './choose-method.js';
import type { EigenvalueEstimate, SquaredError } from './methods/method.js';
import type { ApproximationMethod } from './methods/table.js';
import type { OperatorErrorOptions } from './operator-error.js';

/** An approximation of A as an operator, with what it holds and what is known of its error. */
export interface Approximation {
  readonly method: ApproximationMethod;
  /** N × N, symmetric. */
  readonly operator: LinearOperator;
  /** Bytes of all arrays that a product reads, the vectors' own and workspaces not counted. */
  readonly bytes: number;
  /** bytes/(8N²). */
  readonly share: number;
  /** Seconds it took to make. */
  readonly seconds: number;
  /** What it was made of: rank, tolerance, leaf size, as far as the method has them. */
  readonly details: Readonly<Record<string, number | string>>;
  /** Where no method was named: what came of each, and the choice in a sentence. */
  readonly tried?: readonly TriedMethod[] | undefined;
  readonly reason?: string | undefined;
  /** What the reader of a table must know: a budget exceeded, a limit met. */
  readonly note?: string | undefined;
  /** λ_min where the form tells it without products. */
  readonly smallestEigenvalue?: EigenvalueEstimate | undefined;
  /** ‖A − Ã‖_F/‖A‖_F where the construction knows it, exactly but for rounding. */
  readonly knownError?: number | undefined;
  /** ‖A‖_F where the construction knows it, exactly but for rounding. */
  readonly exactNorm?: number | undefined;
  /**
   * (‖A − Ã‖_F/‖A‖_F)² from ‖A‖_F where the form tells it: ‖A − Ã‖_F² = ‖A‖_F² − 2⟨A, Ã⟩_F + ‖Ã‖_F². No column is
   * compared; what cancels is lost, so that squares below about 1e-12 are rounding, and may be below zero.
   */
  readonly squaredError?: SquaredError | undefined;
  /**
   * Measures ‖A − Ã‖_F/‖A‖_F against the operator, or against its entries where they are cheaper (operator-error.ts).
   */
  error(options?: OperatorErrorOptions): Promise<ErrorEstimate>;
  /** Frees what workers hold of it; it cannot multiply any more. */
  release(): void;
}
