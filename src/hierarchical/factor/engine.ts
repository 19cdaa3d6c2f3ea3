/**
 * What a format's factorization provides; `Factorization` (factorization.ts) is the same for all.
 */
import type { Precision } from '../../dense/matrix.js';
import type { TaskDefinition } from '../../parallel/task.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { PassArguments, PassVectors } from './pass.js';

/**
 * Where elimination stopped: the i-th variable that `node` eliminates (from 1), index `index` of the caller's
 * numbering.
 */
export interface Breakdown {
  readonly node: number;
  readonly level: number;
  readonly pivot: number;
  readonly index: number;
}

/** Signs of the eigenvalues; a factorization has none that are zero. */
export interface Inertia {
  readonly positive: number;
  readonly negative: number;
}

/** Status of a node that was not factored because one below it failed. */
export const SKIPPED = -1;

/** The factorization of one format: refactors, solves by passes over vectors, gives the inverse's diagonal. */
export interface FactorEngine {
  readonly precision: Precision;
  /** Whether L·J·Lᵀ with signs J is made instead of a Cholesky factorization. */
  readonly indefinite: boolean;
  /** Bytes of what the factorization stores besides the matrix. */
  readonly bytes: number;
  /** log |det(K̃ + λI)| and inertia of the last successful factorization. */
  readonly logdet: number;
  readonly inertia: Inertia;
  /** Refactors for a new λ from the leaves, in place. Resolves to where it broke down, if it did. */
  refactor(shift: number, control: TeamControl): Promise<Breakdown | undefined>;
  /** Bytes of the state of passes for each vector. */
  readonly bytesOfVector: number;
  /** State for passes over `vectors`, and the definition of the tasks that run them. */
  passState(vectors: PassVectors): PassVectors;
  readonly passTask: TaskDefinition<never, PassArguments>;
  /** diag((K̃ + λI)⁻¹) in the caller's order, exactly but for rounding. */
  diagonalOfInverse(control: TeamControl): Promise<Float64Array>;
}
