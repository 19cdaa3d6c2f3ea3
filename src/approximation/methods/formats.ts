/**
 * Hierarchical matrices as methods: in the coordinates of the matrix by format, and the one that suits.
 */
import { hessianTree } from '../../curvature/trees/hessian-tree.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Subject } from '../subject.js';
import { betterOfBoth } from './curvature.js';
import type { UnitCosts } from './entries-or-products.js';
import { approximateHierarchical, leafSizeFor, type HierarchicalMethod } from './hierarchical.js';
import { rowsAtBoth, type Approximated, type ApproximationOptions, type Budget, type Method } from './method.js';

/** Nested bases. */
export const hss: Method = ofFormat('hss', 'HSS');
/** A basis for each sibling block. */
export const hodlr: Method = ofFormat('hodlr', 'HODLR');
/** Nested bases and near blocks. */
export const fmm: Method = ofFormat('fmm', 'FMM');

/**
 * What suits: of curvature of a network a Kronecker sum or a hierarchical matrix in the Kronecker eigenbasis, whichever
 * errs less, else HSS.
 */
export const hm: Method = {
  rows: rowsAtBoth('HM'),
  make: (subject, budget, options, control) =>
    subject.gaussNewton === undefined
      ? hierarchical(subject, 'hss', budget, options, control)
      : betterOfBoth(subject.gaussNewton, budget, options, control),
};

function ofFormat(format: HierarchicalMethod, title: string): Method {
  return {
    rows: rowsAtBoth(title),
    make: (subject, budget, options, control) => hierarchical(subject, format, budget, options, control),
  };
}

async function hierarchical(
  subject: Subject,
  method: HierarchicalMethod,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const { operator, model, source } = subject;
  const { seed = 0, memoryLimit } = options;
  const leafSize = options.leafSize ?? leafSizeFor(budget, operator.rows);
  const tree =
    options.tree ??
    (model === undefined || source === undefined
      ? undefined
      : (await hessianTree(model, source, { leafSize, seed }, control)).tree);
  const { from = 'auto' } = options;
  return approximateHierarchical(
    { operator, source, tree, leafSize, seed, memoryLimit, from, costs: costsOf(subject) },
    method,
    budget,
    control,
  );
}

/** Of Gauss–Newton matrices: 2n flops an entry, 8nN a product (arXiv 1910.12184). */
function costsOf({ curvature }: Subject): UnitCosts | undefined {
  return curvature === undefined
    ? undefined
    : { entry: 2 * curvature.samples, product: 8 * curvature.samples * curvature.rows };
}
