/**
 * Products with the matrix that a run is about.
 */
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { entryOperator } from '../source/entry-operator.js';
import type { EntrySource } from '../source/entry-source.js';

/** The matrix of a run, one of three. */
export interface RunMatrix {
  /** Its entries. */
  readonly source?: EntrySource | undefined;
  /** The network whose Gauss–Newton matrix it is. */
  readonly model?: Model | undefined;
  /** A compressed matrix in place of both; released with its operator. */
  readonly matrix?: HierarchicalMatrix | undefined;
}

/** A matrix as an operator, and how what is held for it is let go. */
export interface OpenOperator {
  readonly operator: LinearOperator;
  readonly release: () => void;
}

/**
 * Products with a matrix: the cheapest that its entries bring (`source.operator`), else all of them. Throws what
 * `gaussNewton` and `entryOperator` throw.
 */
export async function operatorOf({ source, model, matrix }: RunMatrix, control: TeamControl): Promise<OpenOperator> {
  const { team } = control;
  if (matrix !== undefined) return released(matrix);
  if (source === undefined) return released(gaussNewton(model!, { blas: team.blas, team }));
  if (source.operator !== undefined) return { operator: source.operator, release: () => undefined };
  return released(await entryOperator(source, {}, control));
}

/** An operator that is released when the run is done with it. */
export const released = (operator: LinearOperator & { release(): void }): OpenOperator => ({
  operator,
  release: () => {
    operator.release();
  },
});
