/**
 * The kinds of launches besides block rows. A kind is its lists, what it asks of its operands, and a kernel of each
 * device: to add one, write a file beside this one, a line here, and a kernel in each device's table.
 */
import type { WorkDemand, WorkLists } from './demand.js';
import { demandOfGathers, listsOfGathers, type Gathers } from './gathers.js';
import { demandOfInterpolations, listsOfInterpolations, type Interpolations } from './interpolations.js';
import { demandOfProducts, listsOfProducts, type BlockProducts } from './products.js';
import { demandOfQrs, listsOfQrs, type Qrs } from './qr.js';
import {
  demandOfCholeskys,
  demandOfSubstitutions,
  listsOfCholeskys,
  listsOfSubstitutions,
  type Choleskys,
  type Substitutions,
} from './triangles.js';
import {
  demandOfCombination,
  demandOfInnerProducts,
  listsOfInnerProducts,
  type Combination,
  type InnerProducts,
} from './vectors.js';

/** Each kind's description, by name. */
export interface WorkKinds {
  readonly products: BlockProducts;
  readonly gathers: Gathers;
  readonly cholesky: Choleskys;
  readonly substitutions: Substitutions;
  readonly qr: Qrs;
  readonly interpolations: Interpolations;
  readonly combination: Combination;
  readonly innerProducts: InnerProducts;
}
/** Each kind's operands, B the buffers of a device. */
export interface WorkOperands<B> {
  readonly products: { readonly a: B; readonly b: B; readonly c: B };
  readonly gathers: { readonly from: B; readonly to: B };
  readonly cholesky: { readonly values: B; readonly status: B };
  readonly substitutions: { readonly triangles: B; readonly x: B };
  readonly qr: { readonly values: B; readonly triangles: B };
  readonly interpolations: { readonly values: B; readonly order: B; readonly interpolations: B; readonly outcomes: B };
  readonly combination: {
    readonly x: B;
    readonly y: B;
    readonly scalars?: B | undefined;
    readonly diagonal?: B | undefined;
  };
  readonly innerProducts: { readonly x: B; readonly y: B; readonly out: B };
}
/** The name of a kind. */
export type WorkKind = keyof WorkKinds;
/** Work of any kind. */
export type Work = WorkKinds[WorkKind];

const WORK_TABLE: {
  readonly [K in WorkKind]: {
    readonly demand: (work: WorkKinds[K]) => WorkDemand;
    readonly lists: (work: WorkKinds[K]) => WorkLists;
  };
} = {
  products: { demand: demandOfProducts, lists: listsOfProducts },
  gathers: { demand: demandOfGathers, lists: listsOfGathers },
  cholesky: { demand: demandOfCholeskys, lists: listsOfCholeskys },
  substitutions: { demand: demandOfSubstitutions, lists: listsOfSubstitutions },
  qr: { demand: demandOfQrs, lists: listsOfQrs },
  interpolations: { demand: demandOfInterpolations, lists: listsOfInterpolations },
  combination: { demand: demandOfCombination, lists: () => ({}) },
  innerProducts: { demand: demandOfInnerProducts, lists: listsOfInnerProducts },
};

/** What it asks of its operands, checked. Throws ShapeError where it contradicts itself. */
export const demandOfWork = <K extends WorkKind>(work: WorkKinds[K] & { readonly kind: K }): WorkDemand =>
  WORK_TABLE[work.kind].demand(work);

/** Its lists, as kernels read them. */
export const listsOfWork = <K extends WorkKind>(work: WorkKinds[K] & { readonly kind: K }): WorkLists =>
  WORK_TABLE[work.kind].lists(work);
