/**
 * Matrices of low rank in files: U and s of U·diag(s)·Uᵀ.
 */
import { kindOf } from '../core/kind.js';
import { view } from '../dense/matrix.js';
import type { FileKind } from '../operator/file-kind.js';
import { LowRankOperator } from './low-rank-operator.js';

/** Operators of `nystrom` and `randomizedSvd` in files. */
export const lowRankFile: FileKind<LowRankOperator> = {
  content: 'low rank',
  holds: (value) =>
    kindOf(value) === 'operator' &&
    ['vectors', 'values', 'rank'].every((member) => member in (value as LowRankOperator)),

  keep: ({ rows, rank, vectors, values }) => ({
    header: { size: rows, rank },
    arrays: { vectors: vectors.data, values },
  }),

  restore(contents, team) {
    const size = contents.count(contents.header['size'], 'size');
    const rank = contents.count(contents.header['rank'], 'rank');
    const vectors = view(contents.finite('vectors', size * rank), 0, size, rank);
    return new LowRankOperator(vectors, contents.finite('values', rank, 'f64'), team.blas, team);
  },
};
