/**
 * What every approximation of a symmetric matrix is asked for, and what it answers: one interface for all methods, so
 * that they can be compared.
 */
import type { KeysOf } from '../core/known-options.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import type { EntrySource } from '../source/entry-source.js';
import type { ClusterTree } from '../tree/cluster-tree.js';
import type { OperatorErrorOptions } from './operator-error.js';

/**
 * - `hm`: the hierarchical matrix that suits the operator: of curvature in the Kronecker eigenbasis where there is a
 *   model, else `hss`;
 * - `rsvd`, `nystrom`: low rank by random sketches;
 * - `kfac`, `kfac-mc`, `ekfac`: Kronecker factors of the layers' blocks, exact or from one draw of labels a sample;
 * - `diagonal`, `block-diagonal`: entries as they are;
 * - `hss`, `hodlr`, `fmm`: hierarchical matrices in the coordinates of the matrix.
 */
export type ApproximationMethod =
  'hm' | 'rsvd' | 'nystrom' | 'kfac' | 'kfac-mc' | 'ekfac' | 'diagonal' | 'block-diagonal' | 'hss' | 'hodlr' | 'fmm';

/** All values of {@link ApproximationMethod}. */
export const APPROXIMATION_METHODS: readonly ApproximationMethod[] = [
  'hm',
  'rsvd',
  'nystrom',
  'kfac',
  'kfac-mc',
  'ekfac',
  'diagonal',
  'block-diagonal',
  'hss',
  'hodlr',
  'fmm',
];

/** Methods whose memory the matrix decides, not the budget. */
export const FIXED_METHODS: readonly ApproximationMethod[] = ['kfac', 'kfac-mc', 'ekfac', 'diagonal', 'block-diagonal'];

/** What may be stored: a share of the 8N² bytes of the dense matrix in float64, 0 < share ≤ 1. */
export interface Budget {
  readonly share: number;
}
/** The keys of {@link Budget}. */
export const BUDGET_KEYS: KeysOf<Budget> = { share: true };

/** Options of {@link approximate}. */
export interface ApproximationOptions {
  /** The network behind the operator; default: the operator's own, where it is a Gauss–Newton operator of one. */
  readonly model?: Model | undefined;
  /** Entries of the same matrix; default: of the model, else none. */
  readonly source?: EntrySource | undefined;
  /**
   * Cluster tree of the hierarchical formats; default: of a network the best of those by structure and by distance
   * (curvature/trees/hessian-tree.ts), of other entries one by distance, else the order of the indices.
   */
  readonly tree?: ClusterTree | undefined;
  /**
   * What hierarchical formats are made from; 'auto' (default): products where predicted flops allow it, they give the
   * more accurate bases (approximation/methods/entries-or-products.ts).
   */
  readonly from?: 'auto' | 'entries' | 'products' | undefined;
  /** Default 0. Seeds every random choice. */
  readonly seed?: number | undefined;
  /** Power passes of `rsvd`. Default 1. */
  readonly powerPasses?: number | undefined;
  /** Largest leaf of the hierarchical formats; default by the budget. */
  readonly leafSize?: number | undefined;
  /** Bytes an approximation may use while it is made; default: what is available. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link ApproximationOptions}. */
export const APPROXIMATION_KEYS: KeysOf<ApproximationOptions> = {
  model: true,
  source: true,
  tree: true,
  from: true,
  seed: true,
  powerPasses: true,
  leafSize: true,
  memoryLimit: true,
};

/** An eigenvalue lies within the bound of the value. */
export interface EigenvalueEstimate {
  readonly value: number;
  readonly bound: number;
}

/** (‖A − Ã‖_F/‖A‖_F)², given ‖A‖_F. */
export type SquaredError = (exactNorm: number) => Promise<number>;

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

/** What a method makes; `approximate` adds what all have in common. */
export interface Approximated {
  readonly operator: LinearOperator;
  readonly bytes: number;
  readonly details?: Readonly<Record<string, number | string>> | undefined;
  readonly note?: string | undefined;
  readonly smallestEigenvalue?: EigenvalueEstimate | undefined;
  readonly knownError?: number | undefined;
  readonly exactNorm?: number | undefined;
  readonly squaredError?: SquaredError | undefined;
  release?(): void;
}
