/**
 * What a preconditioner has to say of itself to stand in the table (table.ts): how it is made, what it costs.
 */
import type { KeysOf } from '../../core/known-options.js';
import { requireEntries, requireModel, requireNetwork, type Subject } from '../../approximation/subject.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { Model } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { Measured } from '../measured.js';

/** How a preconditioner is made; each reads what concerns it. */
export interface PreconditionerOptions {
  /** Of hierarchical matrices; default: an error of about λ. */
  readonly tolerance?: number | undefined;
  readonly leafSize?: number | undefined;
  readonly maxRank?: number | undefined;
  /**
   * Of a network's matrix by `hss`: what it may store, as a share of the dense matrix (kroneckerHierarchical); its
   * factors take twice that. Default: as there, 0.02 or what a small network's basis needs. By `kronecker-sum` what the
   * sum may store; the factors of its `hss` take as much again, so that both take what `hss` alone takes.
   */
  readonly share?: number | undefined;
  readonly tree?: ClusterTree | undefined;
  /** Rank of `nystrom`; default 256, at most N/4. */
  readonly rank?: number | undefined;
  /** Default 0. Seeds every random choice. */
  readonly seed?: number | undefined;
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link PreconditionerOptions}. */
export const PRECONDITIONER_KEYS: KeysOf<PreconditionerOptions> = {
  tolerance: 'number',
  leafSize: 'number',
  maxRank: 'number',
  share: 'number',
  tree: true,
  rank: 'number',
  seed: 'number',
  memoryLimit: 'number',
};

/** M for one λ. */
export interface Inverse {
  /** Absent for the identity. */
  readonly operator?: LinearOperator | undefined;
  /** Bytes of all arrays that a product with M reads. */
  readonly bytes: number;
  readonly note?: string | undefined;
  readonly factorization?: Factorization | undefined;
  release?(): void;
}

/** What does not depend on λ, and how M comes from it. */
export interface Invertible {
  /** What it was made of: rank, leaf size, tolerance, as far as it has them. */
  readonly details: Readonly<Record<string, number | string>>;
  readonly invert: (shift: number) => Inverse | Promise<Inverse>;
}

/** What a preconditioner is expected to take. */
export interface Prediction {
  /** Flops of making it. */
  readonly setup: number;
  /** Flops of an iteration, for all right-hand sides. */
  readonly step: number;
  readonly iterations: number;
  /** Whether it may take more iterations, nobody knows how many: the spectrum is not resolved down to λ. */
  readonly atLeast: boolean;
  /** What it was predicted with; may be empty. */
  readonly details: string;
  /** Options that it was predicted with. */
  readonly making?: PreconditionerOptions | undefined;
}

/** Flops in all. */
export const totalOf = ({ setup, step, iterations }: Pick<Prediction, 'setup' | 'step' | 'iterations'>): number =>
  setup + step * iterations;

/** What a cost of which only a bound is known may be, in units of the bound. */
const UNKNOWN = 1.25;

/** Flops in all; of a bound so many times as many as that. */
export const expectedOf = (prediction: Pick<Prediction, 'setup' | 'step' | 'iterations' | 'atLeast'>): number =>
  (prediction.atLeast ? UNKNOWN : 1) * totalOf(prediction);

/** One entry of the table. */
export interface PreconditionerKind {
  /** It needs the network behind the matrix. */
  readonly ofNetworks?: boolean | undefined;
  /** It takes `rank`, which tables and the command write behind its name: nystrom-64. */
  readonly ranked?: boolean | undefined;
  /** Of a network's matrix in tables that compare preconditioners. */
  readonly tableOptions?: PreconditionerOptions | undefined;
  /**
   * What is kept for all λ ≥ 0; `shift` is the first of them. M has to be symmetric positive definite. Throws
   * OptionError where the subject does not have what it needs, NotPositiveDefiniteError, MemoryError, AbortedError.
   */
  make(
    subject: Subject,
    shift: number,
    options: PreconditionerOptions,
    control: TeamControl,
  ): Invertible | Promise<Invertible>;
  /**
   * What it would take, each way that is worth a try; empty where it cannot be made. Without it 'auto' never chooses
   * it. Of what takes more than `most` flops nobody needs to know how much more.
   */
  predict?(
    subject: Subject,
    measured: Measured,
    options: PreconditionerOptions & { readonly most: number },
    control: TeamControl,
  ): readonly Prediction[] | Promise<readonly Prediction[]>;
  /** Flops that it takes at least: where something else takes less it is not predicted, which costs something too. */
  floor?(subject: Subject, measured: Measured): number;
}

/** Entries of the subject. Throws OptionError where there are none. */
export const entriesOf = (subject: Subject, name: string): EntrySource =>
  requireEntries(
    subject,
    { who: `Preconditioner '${name}'`, data: { option: 'preconditioner', name } },
    ", or choose 'nystrom'",
  );

/** The network behind the matrix, a perceptron or one of layers. Throws OptionError where there is none. */
export const networkOf = (subject: Subject, name: string): Model | GraphModel =>
  requireNetwork(subject, { who: `Preconditioner '${name}'`, data: { option: 'preconditioner', name } });

/** The perceptron behind the matrix. Throws OptionError where there is none. */
export const modelOf = (subject: Subject, name: string): Model =>
  requireModel(subject, { who: `Preconditioner '${name}'`, data: { option: 'preconditioner', name } });
