/**
 * What a preconditioner of (A + λI) x = b is asked for, and what it answers: one interface for all of them, so that
 * they can be compared.
 */
import type { KeysOf } from '../../core/known-options.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';

/**
 * - `none`: the identity;
 * - `jacobi`, `block-jacobi`: the inverse of the diagonal, of blocks on it (leaves of the tree; layers of a network
 *   where they fit);
 * - `kfac`, `ekfac`: damped inverses of Kronecker factors; they need a network;
 * - `nystrom`: low rank by a random sketch, the rest taken for its smallest eigenvalue; up to a factor, which conjugate
 *   gradients do not see;
 * - `dual`: the inverse of a network's Gauss–Newton matrix plus λI itself, by the dual form, where n·r is small and λ >
 *   0;
 * - `hodlr`, `hss`: a factored hierarchical matrix: of a network's matrix by `hss` positive definite by construction;
 *   else factored at the smallest shift that works, where λ does not, and `note` says so.
 */
export type PreconditionerName =
  'none' | 'jacobi' | 'block-jacobi' | 'kfac' | 'ekfac' | 'nystrom' | 'dual' | 'hodlr' | 'hss';

/** All values of {@link PreconditionerName}. */
export const PRECONDITIONERS: readonly PreconditionerName[] = [
  'none',
  'jacobi',
  'block-jacobi',
  'kfac',
  'ekfac',
  'nystrom',
  'dual',
  'hodlr',
  'hss',
];

export type { Subject } from '../../approximation/subject.js';

/** How a preconditioner is made; each reads what concerns it. */
export interface PreconditionerOptions {
  /** Tolerance of hierarchical matrices; default 1e-2: a preconditioner need not be accurate. */
  readonly tolerance?: number | undefined;
  readonly leafSize?: number | undefined;
  readonly maxRank?: number | undefined;
  /**
   * What the matrix of a network may store by `hss`, as a share of the dense matrix (kroneckerHierarchical); its
   * factors take twice that. Default: as there, 0.02 or what a small network's basis needs.
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
  tolerance: true,
  leafSize: true,
  maxRank: true,
  share: true,
  tree: true,
  rank: true,
  seed: true,
  memoryLimit: true,
};

/** M ≈ (A + λI)⁻¹: symmetric positive definite as an operator, whatever it was made from. */
export interface Preconditioner {
  readonly name: PreconditionerName;
  /** M; absent for `none`. */
  readonly operator?: LinearOperator | undefined;
  readonly shift: number;
  /** Bytes of all arrays that a product with M reads. */
  readonly bytes: number;
  /** Of making what does not depend on λ, and of factoring for it. */
  readonly seconds: { readonly compress: number; readonly factor: number };
  /** What it was made of: rank, leaf size, tolerance, as far as it has them. */
  readonly details: Readonly<Record<string, number | string>>;
  readonly note?: string | undefined;
  /** Behind `hodlr` and `hss`. */
  readonly factorization?: Factorization | undefined;
  /** Another one, for another λ and without compressing again; this one stays as it is. */
  reshift(shift: number): Promise<Preconditioner>;
  release(): void;
}
