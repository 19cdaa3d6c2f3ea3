/**
 * What a method has to say of itself to stand in the table (table.ts): what it makes within a budget, and its rows in
 * tables that compare methods.
 */
import type { KeysOf } from '../../core/known-options.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { Model } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { requireEntries, requireModel, requireNetwork, type Subject } from '../subject.js';

/** What may be stored: a share of the 8N² bytes of the dense matrix in float64, 0 < share ≤ 1. */
export interface Budget {
  readonly share: number;
}
/** An error to keep to, ‖A − Ã‖_F ≤ tolerance·‖A‖_F, 0 < tolerance < 1, in as few bytes as the method can. */
export interface Accuracy {
  readonly tolerance: number;
}
/** What an approximation is to keep to: memory, or an error. */
export type Goal = Budget | Accuracy;
/** The keys of {@link Goal}. */
export const GOAL_KEYS: KeysOf<Budget & Accuracy> = { share: 'number', tolerance: 'number' };

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
  seed: 'number',
  powerPasses: 'number',
  leafSize: 'number',
  memoryLimit: 'number',
};

/** An eigenvalue lies within the bound of the value. */
export interface EigenvalueEstimate {
  readonly value: number;
  readonly bound: number;
}

/** (‖A − Ã‖_F/‖A‖_F)², given ‖A‖_F. */
export type SquaredError = (exactNorm: number) => Promise<number>;

/** What a method makes; `approximate` adds what all have in common. */
export interface Approximated {
  readonly operator: LinearOperator;
  readonly bytes: number;
  readonly details?: Readonly<Record<string, number | string>> | undefined;
  readonly note?: string | undefined;
  /** What else would be smaller: said of a method that was asked for. */
  readonly offer?: string | undefined;
  readonly smallestEigenvalue?: EigenvalueEstimate | undefined;
  readonly knownError?: number | undefined;
  readonly exactNorm?: number | undefined;
  readonly squaredError?: SquaredError | undefined;
  release?(): void;
}

/** A row of a table that compares methods at two shares of the dense matrix's memory. */
export interface MethodRow {
  readonly name: string;
  readonly share: 'low' | 'high';
}

/** One entry of the table of methods. */
export interface Method {
  /** Both shares where the budget decides its memory, one where the matrix does. */
  readonly rows: readonly MethodRow[];
  /** The method under whose name tables show it too, where it is a variant of that. */
  readonly variantOf?: string | undefined;
  /**
   * The most accurate approximation that fits; a method whose memory the matrix decides takes what it takes. Throws
   * OptionError where the subject does not have what it needs or nothing fits, MemoryError, AbortedError.
   */
  make(
    subject: Subject,
    budget: Budget,
    options: ApproximationOptions,
    control: TeamControl,
  ): Approximated | Promise<Approximated>;
  /**
   * The smallest approximation of that error, as far as the method finds it; a note says where it was missed. Undefined
   * where the matrix decides memory and error. Throws as `make`.
   */
  reach?(
    subject: Subject,
    accuracy: Accuracy,
    options: ApproximationOptions,
    control: TeamControl,
  ): Promise<Approximated>;
}

/** Rows at both shares: `title`-low, `title`-high. */
export const rowsAtBoth = (title: string): readonly MethodRow[] => [
  { name: `${title}-low`, share: 'low' },
  { name: `${title}-high`, share: 'high' },
];

/** The network behind the matrix. Throws OptionError where there is none. */
export const modelOf = (subject: Subject, method: string): Model =>
  requireModel(subject, { who: `Method '${method}'`, data: { option: 'model', method } });

/** The same, a perceptron's or of layers. Throws OptionError where there is none. */
export const networkOf = (subject: Subject, method: string): Model | GraphModel =>
  requireNetwork(subject, { who: `Method '${method}'`, data: { option: 'model', method } });

/** Entries of the matrix. Throws OptionError where there are none. */
export const entriesOf = (subject: Subject, method: string): EntrySource =>
  requireEntries(subject, { who: `Method '${method}'`, data: { option: 'source', method } });

/** What K-FAC and EKFAC say of ⟨A, Ã⟩ holds for the Gauss–Newton matrix of the model, not for another one beside it. */
export const ofCurvature = ({ gaussNewton }: Subject, made: Approximated): Approximated =>
  gaussNewton === undefined ? { ...made, squaredError: undefined } : made;

/**
 * Of parts of A that are kept as they are in some orthonormal basis of the matrices, ⟨A, Ã⟩_F = ‖Ã‖_F², which is the
 * sum of their squares: 1 − ‖Ã‖_F²/‖A‖_F².
 */
export const withoutPart =
  (parts: readonly ArrayLike<number>[]): SquaredError =>
  async (norm) => {
    let square = 1;
    for (const part of parts) for (let i = 0; i < part.length; i++) square -= (part[i] / norm) ** 2;
    return square;
  };

/** The least of some numbers; ∞ of none. */
export function leastNumber(values: ArrayLike<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) least = Math.min(least, values[i]);
  return least;
}

/** The least of eigenvalues that are known exactly. */
export const leastOf = (values: readonly number[]): EigenvalueEstimate => ({ value: Math.min(...values), bound: 0 });
