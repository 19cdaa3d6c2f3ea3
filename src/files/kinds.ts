/**
 * The kinds of things that files keep, by what the header's `content` says.
 */
import { eigenbasisFile } from '../curvature/eigenbasis/file.js';
import { kroneckerFactorizationFile } from '../curvature/eigenbasis/factorization-file.js';
import type { KroneckerFactorization } from '../curvature/eigenbasis/factorization.js';
import type { KroneckerHierarchicalMatrix } from '../curvature/eigenbasis/matrix.js';
import { kroneckerSumFile } from '../curvature/kronecker-sum/file.js';
import type { KroneckerSumMatrix } from '../curvature/kronecker-sum/matrix.js';
import { factorizationFile } from '../hierarchical/factor/file.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import { matrixFile } from '../hierarchical/matrix/file.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import { lowRankFile } from '../lowrank/file.js';
import type { LowRankOperator } from '../lowrank/low-rank-operator.js';
import type { FileKind } from '../operator/file-kind.js';

/** What files keep, by kind: matrices of `compress`, `kroneckerSum`, `kroneckerHierarchical`, `nystrom`, … */
export interface SavedKinds {
  readonly 'hierarchical matrix': HierarchicalMatrix;
  readonly 'kronecker sum': KroneckerSumMatrix;
  readonly 'kronecker eigenbasis': KroneckerHierarchicalMatrix;
  readonly 'low rank': LowRankOperator;
  readonly factorization: Factorization;
  readonly 'kronecker factorization': KroneckerFactorization;
}
/** The name of a kind. */
export type SavedKind = keyof SavedKinds;
/** Anything that `save` writes and `load` reads: all are linear operators. */
export type Saved = SavedKinds[SavedKind];

/** By kind what is written and read. */
export const FILE_KINDS: { readonly [K in SavedKind]: FileKind<SavedKinds[K]> } = {
  'hierarchical matrix': matrixFile,
  'kronecker sum': kroneckerSumFile,
  'kronecker eigenbasis': eigenbasisFile,
  'low rank': lowRankFile,
  factorization: factorizationFile,
  'kronecker factorization': kroneckerFactorizationFile,
};

/** The kind that a value is of; undefined where files keep no such thing. */
export const kindHolding = (value: unknown): FileKind<Saved> | undefined =>
  (Object.values(FILE_KINDS) as readonly unknown[] as readonly FileKind<Saved>[]).find(({ holds }) => holds(value));
