/**
 * Hierarchical matrices as methods: in the coordinates of the matrix by format, and the one that suits.
 */
import { hessianTree } from '../../curvature/trees/hessian-tree.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { isAccuracy } from '../budget.js';
import type { Subject } from '../subject.js';
import { betterOfBoth, smallerOfBoth } from './curvature.js';
import type { UnitCosts } from './entries-or-products.js';
import { approximateHierarchical, leafSizeFor, reachHierarchical, type HierarchicalMethod } from './hierarchical.js';
import { rowsAtBoth, type Approximated, type ApproximationOptions, type Goal, type Method } from './method.js';

/** Of a network's tree where neither caller nor budget says. */
const LEAF_SIZE = 128;

/** Nested bases. */
export const hss: Method = ofFormat('hss', 'HSS');
/** A basis for each sibling block. */
export const hodlr: Method = ofFormat('hodlr', 'HODLR');
/** Nested bases and near blocks. */
export const fmm: Method = ofFormat('fmm', 'FMM');

/**
 * What suits: of curvature of a network a Kronecker sum or a hierarchical matrix in the Kronecker eigenbasis, whichever
 * errs less (or, to a tolerance, is smaller), else HSS.
 */
export const hm: Method = {
  rows: rowsAtBoth('HM'),
  make: (subject, budget, options, control) =>
    subject.gaussNewton === undefined
      ? hierarchical(subject, 'hss', budget, options, control)
      : betterOfBoth(subject.gaussNewton, budget, options, control),
  reach: (subject, accuracy, options, control) =>
    subject.gaussNewton === undefined
      ? hierarchical(subject, 'hss', accuracy, options, control)
      : smallerOfBoth(subject.gaussNewton, accuracy, options, control),
};

function ofFormat(format: HierarchicalMethod, title: string): Method {
  return {
    rows: rowsAtBoth(title),
    make: (subject, budget, options, control) => hierarchical(subject, format, budget, options, control),
    reach: (subject, accuracy, options, control) => hierarchical(subject, format, accuracy, options, control),
  };
}

async function hierarchical(
  subject: Subject,
  method: HierarchicalMethod,
  goal: Goal,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const { operator, model, source } = subject;
  const { seed = 0, memoryLimit } = options;
  const leafSize = options.leafSize ?? (isAccuracy(goal) ? undefined : leafSizeFor(goal, operator.rows));
  const tree =
    options.tree ??
    (model === undefined || source === undefined
      ? await subject.graphTree({ leafSize: leafSize ?? LEAF_SIZE, seed }, control)
      : (await hessianTree(model, source, { leafSize: leafSize ?? LEAF_SIZE, seed }, control)).tree);
  const { from = 'auto' } = options;
  const input = { operator, source, tree, seed, memoryLimit, from, costs: costsOf(subject) };
  return isAccuracy(goal)
    ? reachHierarchical({ ...input, leafSize }, method, goal, control)
    : approximateHierarchical({ ...input, leafSize: leafSize! }, method, goal, control);
}

/** Of Gauss–Newton matrices: 2n flops an entry, 8nN a product (arXiv 1910.12184). */
function costsOf({ curvature }: Subject): UnitCosts | undefined {
  return curvature === undefined
    ? undefined
    : { entry: 2 * curvature.samples, product: 8 * curvature.samples * curvature.rows };
}
