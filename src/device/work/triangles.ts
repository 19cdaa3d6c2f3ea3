/**
 * Lower triangles: many Cholesky factorizations in one launch, and substitutions with them.
 *
 *   A_i = L_i·L_iᵀ in place;   X_i ← L_i⁻¹·X_i  or  L_i⁻ᵀ·X_i
 *
 * of blocks (a transposed one is X·L⁻ᵀ or X·L⁻¹ of what stands there) or of rows of vectors. What stands above the
 * diagonals is neither read nor kept.
 */
import { flag } from './products.js';
import {
  demandOf,
  requireCount,
  visitBlock,
  type Block,
  type Demand,
  type Runs,
  type WorkDemand,
  type WorkLists,
} from './demand.js';

/** A triangle: its order, and where it stands. */
export interface TrianglePlace {
  readonly offset: number;
  readonly ld: number;
  readonly order: number;
}

/** Cholesky factorizations in place, with the operands values and status. */
export interface Choleskys {
  readonly kind: 'cholesky';
  /**
   * status[s] of a triangle with that `status` becomes 0; or p > 0, where the p-th pivot, counted from 1, is not
   * positive or not a number: the factorization of that triangle ends there.
   */
  readonly triangles: readonly (TrianglePlace & { readonly status: number })[];
}

/** X of a substitution: a block of `columns` columns, or rows first, first + 1, … of vectors. */
export type SubstitutionTarget =
  | { readonly block: Block; readonly columns: number; readonly first?: undefined }
  | { readonly first: number; readonly block?: undefined };

/** Substitutions, with the operands triangles and x. All of a launch have blocks, or all have rows of vectors. */
export interface Substitutions {
  readonly kind: 'substitutions';
  /** Whether L⁻ᵀ·X is meant. */
  readonly transposed: boolean;
  readonly systems: readonly { readonly triangle: TrianglePlace; readonly x: SubstitutionTarget }[];
}

/** Numbers of a triangle in `triangles`: offset, ld, order, status. */
export const TRIANGLE_WORDS = 4;
/** Numbers of a system in `systems`: of L offset, ld, order, of X offset or first row, ld, transposed, columns. */
export const SYSTEM_WORDS = 7;

const requireTriangle = ({ order }: TrianglePlace): void => {
  requireCount(order, 'a triangle whose order is', 1);
};

/** Throws ShapeError unless the triangles are apart. */
export function demandOfCholeskys({ triangles }: Choleskys): WorkDemand {
  for (const triangle of triangles) {
    requireTriangle(triangle);
    requireCount(triangle.status, 'a status at place', 0);
  }
  const writes: Runs = (visit) => {
    for (const place of triangles) visitBlock(place, place.order, place.order, visit);
  };
  const status: Runs = (visit) => {
    for (const { status: place } of triangles) visit(place, place + 1);
  };
  const flops = triangles.reduce((sum, { order }) => sum + order ** 3 / 3, 0);
  const operands = {
    values: demandOf('values', 'numbers', { writes }),
    status: demandOf('status', 'numbers', { writes: status }),
  };
  return { operands, flops: () => flops };
}

/** Their lists. */
export const listsOfCholeskys = ({ triangles }: Choleskys): WorkLists => ({
  triangles: Float64Array.from(triangles.flatMap(({ offset, ld, order, status }) => [offset, ld, order, status])),
});

/** Whether the substitutions are of rows of vectors. */
export const ofRows = ({ systems }: Substitutions): boolean => systems[0]?.x.first !== undefined;

/** Throws ShapeError unless shapes fit and targets are apart. */
export function demandOfSubstitutions(work: Substitutions): WorkDemand {
  const { systems } = work;
  const rows = ofRows(work);
  let squares = 0;
  let flops = 0;
  for (const { triangle, x } of systems) {
    requireTriangle(triangle);
    if ((x.first !== undefined) !== rows) requireCount(NaN, 'blocks beside rows of vectors:', 1);
    squares += triangle.order ** 2;
    if (x.block === undefined) requireCount(x.first, 'vectors at row', 0);
    else {
      requireCount(x.columns, 'a block whose columns are', 1);
      flops += triangle.order ** 2 * x.columns;
    }
  }
  const reads: Runs = (visit) => {
    for (const { triangle } of systems) visitBlock(triangle, triangle.order, triangle.order, visit);
  };
  const writes: Runs = (visit) => {
    for (const { triangle, x } of systems)
      if (x.block === undefined) visit(x.first, x.first + triangle.order);
      else visitBlock(x.block, triangle.order, x.columns, visit);
  };
  const unit: Demand['unit'] = rows ? 'rows' : 'numbers';
  const operands = {
    triangles: demandOf('triangles', 'numbers', { reads }),
    x: demandOf('x', unit, { writes }),
  };
  return { operands, flops: (width) => (rows ? squares * width : flops) };
}

/** Their lists. */
export const listsOfSubstitutions = ({ systems }: Substitutions): WorkLists => ({
  systems: Float64Array.from(
    systems.flatMap(({ triangle: { offset, ld, order }, x }) => [
      offset,
      ld,
      order,
      ...(x.block === undefined
        ? [x.first, 0, 0, 0]
        : [x.block.offset, x.block.ld, flag(x.block.transposed), x.columns]),
    ]),
  ),
});
