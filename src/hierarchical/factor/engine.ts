/**
 * What a format's factorization provides; `Factorization` (factorization.ts) is the same for all.
 */
import { sharedFloats } from '../../core/floats.js';
import { inLargePages } from '../../dense/large-pages.js';
import type { Communicator } from '../../distributed/communicator.js';
import type { Blas } from '../../dense/blas.js';
import type { FloatArray, Precision } from '../../dense/matrix.js';
import type { TaskDefinition } from '../../parallel/task.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { HierarchicalData } from '../matrix/data.js';
import type { SiblingExchange } from '../ranks/exchange.js';
import type { HodlrFactors } from './hodlr/factors.js';
import type { NodePass, PassArguments, PassKind, PassVectors, RankPassArguments } from './pass.js';
import type { UlvFactors } from './ulv/factors.js';

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

/**
 * Memory for an array of the factors, of so many numbers: `name` tells those apart that a file keeps. What a file held
 * has its numbers in it.
 */
export type PlaceFactors = (name: string, length: number, precision: Precision) => FloatArray;

/** Fresh memory, for factors that are to be computed. */
export const freshFactors: PlaceFactors = (_, length, precision) => inLargePages(sharedFloats(length, precision));

/**
 * log |det(K̃ + λI)| of what `kept` holds: `logs` of each node's eliminated variables, and log |λ| of each of the
 * `isolated` indices.
 */
export const logDeterminantOf = (
  { logs, shift }: { readonly logs: Float64Array; readonly shift: Float64Array },
  isolated: number,
): number => logs.reduce((sum, log) => sum + log, isolated > 0 ? isolated * Math.log(Math.abs(shift[0])) : 0);

/** What a pass of several ranks does at the nodes of a level above those that they share, on all that hold them. */
export interface AbovePass {
  /** Once the level below is done. Collective. */
  up(level: number, nodes: Int32Array, p: number, siblings: SiblingExchange): void;
  /** Once the level above is done. Collective. */
  down(level: number, nodes: Int32Array, p: number, kind: PassKind, siblings: SiblingExchange): void;
}

/** A pass of several ranks: its tasks, and on the calling thread single nodes and the levels above the share. */
export interface RankSolveParts {
  readonly task: TaskDefinition<never, RankPassArguments>;
  open(state: PassVectors, blas: Blas): { readonly pass: NodePass; readonly above: AbovePass };
}

/** A pass above a share where a parent needs what `numbers` gives of its children, upward, and nothing else. */
export const nodeByNode = (pass: NodePass, numbers: (ν: number, p: number) => FloatArray): AbovePass => ({
  up(level, nodes, p, siblings) {
    siblings.run(level + 1, (ν) => numbers(ν, p));
    for (const ν of nodes) pass.up(ν, p);
  },
  down(_, nodes, p, kind) {
    for (const ν of nodes) pass.down(ν, p, kind);
  },
});

/** A block of an array that a rank keeps. */
export interface KeptBlock {
  /** The array's name. */
  readonly name: string;
  /** Its first number here, and in the array that one process keeps. */
  readonly here: number;
  readonly there: number;
  readonly length: number;
  /** Whether this rank is the first of those that have it. */
  readonly counts: boolean;
}

/** Where what a rank keeps of the factors stands among what one process keeps. */
export interface KeptPlaces {
  /** How long the arrays of one process are. */
  readonly lengths: Readonly<Record<string, number>>;
  readonly blocks: readonly KeptBlock[];
}

/** Status of a node that was not factored because one below it failed. */
export const SKIPPED = -1;

/** The factors by their format, for what reads them as they stand. */
export type FactorsByFormat =
  | { readonly format: 'ulv'; readonly factors: UlvFactors }
  | { readonly format: 'hodlr'; readonly factors: HodlrFactors };

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
  /** The factors themselves. */
  readonly byFormat: FactorsByFormat;
  /** What a file keeps of the factors: the arrays that were placed, by name. */
  readonly kept: Readonly<Record<string, FloatArray>>;
  /**
   * Where several ranks have the matrix, which is `whole` in one process: where this one's part of what is kept stands.
   */
  places(whole: HierarchicalData): KeptPlaces;
  /** Collective, where several ranks have the factors and they are placed: what all know of the others'. */
  agree(communicator: Communicator): void;
  /** Refactors for a new λ from the leaves, in place. Resolves to where it broke down, if it did. */
  refactor(shift: number, control: TeamControl): Promise<Breakdown | undefined>;
  /** Bytes of the state of passes for each vector. */
  readonly bytesOfVector: number;
  /** State for passes over `vectors`, and the definition of the tasks that run them. */
  passState(vectors: PassVectors): PassVectors;
  readonly passTask: TaskDefinition<never, PassArguments>;
  /** What passes are made of where several ranks have the matrix. */
  readonly rankSolve: RankSolveParts;
  /**
   * diag((K̃ + λI)⁻¹) in the caller's order, exactly but for rounding. Of several ranks each gets that of its own rows,
   * and zeros elsewhere.
   */
  diagonalOfInverse(control: TeamControl): Promise<Float64Array>;
}
