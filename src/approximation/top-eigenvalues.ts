/**
 * The outermost eigenvalues of an operator, by the cheapest exact way there is: the dual form of a network's
 * Gauss–Newton matrix over few samples, a dense decomposition of a small matrix, else a block Krylov space.
 */
import { throwIfAborted } from '../core/context.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions } from '../core/known-options.js';
import { dualForm } from '../curvature/entries/dual-form.js';
import { SampleOperator } from '../curvature/products/sample-operator.js';
import { block, copyInto, zeros } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { orthonormalize } from '../lowrank/orthonormalize.js';
import { PanelAlgebra } from '../lowrank/panel-algebra.js';
import {
  krylovEigenvalues,
  resolveEigenvalues,
  TOP_EIGENVALUES_KEYS,
  verified,
  wantedOf,
  type TopEigenvalues,
  type TopEigenvaluesOptions,
} from '../lowrank/top-eigenvalues.js';
import { sharedPanel } from '../lowrank/sketch.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';

/** Largest n·r of the dual form: its decomposition takes 9(n·r)³ flops. */
const DUAL_ORDER = 1024;
/** Eigenvalues below this share of the largest one have no vectors through the dual form. */
const LEAST_SHARE = 1e-8;

/**
 * The k largest eigenvalues of a symmetric N × N operator (or the smallest, or those of largest size), the outermost
 * first, with orthonormal vectors and residuals that were verified by products: an eigenvalue lies within
 * `residuals[j]` of `values[j]`. Eigenvalues of multiplicity above `blockSize` may be found fewer times than they
 * occur. N ≤ 256, and matrices not much larger than the space, are decomposed whole by N products; Gauss–Newton
 * matrices of at most 1024 outputs in all (n·r ≤ 1024, n·r ≤ N) through their dual form. Else: at most `maxProducts`
 * products, about 4N·m flops a product and N·(m + 4·blockSize + 2k) numbers for m = max(96, 2k + 4·blockSize). The same
 * seed gives the same bits on any team. Outcomes are data. Throws ShapeError, OptionError, MemoryError,
 * FactorizationError, AbortedError.
 *
 * ```js
 * const { values, residuals, outcome } = await topEigenvalues(gaussNewton(model), 5);
 * ```
 */
export async function topEigenvalues(
  operator: LinearOperator,
  k: number,
  options: TopEigenvaluesOptions = {},
  control: Control = {},
): Promise<TopEigenvalues> {
  requireRole(operator, 'operator', 'topEigenvalues');
  requireKnownOptions(options, TOP_EIGENVALUES_KEYS, 'topEigenvalues');
  const on = await onTeam(control, 'topEigenvalues');
  const backed = { ...options, blas: options.blas ?? on.team.blas };
  requireOperator(operator, 'topEigenvalues');
  throwIfAborted(on.signal);
  const order = operator instanceof SampleOperator ? operator.samples * operator.model.network.outputs : Infinity;
  const dual =
    operator instanceof SampleOperator &&
    operator.kind === 'gauss-newton' &&
    (options.which ?? 'largest') !== 'smallest' &&
    k <= order &&
    order <= Math.min(DUAL_ORDER, operator.rows);
  return (dual ? dualEigenvalues(operator, k, backed) : undefined) ?? krylovEigenvalues(operator, k, backed, on);
}

/**
 * v = Ĵᵀu/‖Ĵᵀu‖ for the eigenvectors u of T = ĴĴᵀ; undefined where a wanted eigenvalue is too near to zero for that:
 * uᵢᵀTuⱼ/√(λᵢλⱼ) is rounding there.
 */
function dualEigenvalues(
  operator: SampleOperator,
  k: number,
  options: Parameters<typeof resolveEigenvalues>[2],
): TopEigenvalues | undefined {
  const { which, tolerance, blas, memoryLimit } = resolveEigenvalues(operator, k, options);
  const dual = dualForm(operator.model, { blas, memoryLimit });
  const u = zeros(dual.order, dual.order);
  copyInto(u, dual.matrix);
  const values = symmetricEigen(blas, u, 'the dual form');
  const wanted = wantedOf(values, k, which);
  if (!(values[wanted[k - 1]] > LEAST_SHARE * values[wanted[0]])) return undefined;
  const chosen = zeros(dual.order, k);
  wanted.forEach((from, j) => {
    copyInto(block(chosen, 0, j, dual.order, 1), block(u, 0, from, dual.order, 1));
  });
  const vectors = sharedPanel(operator.rows, k);
  dual.applyJacobianTransposed(chosen, vectors);
  orthonormalize(vectors, new PanelAlgebra(blas));
  const scale = values[dual.order - 1];
  return verified(
    operator,
    { outcome: 'converged', scale, vectors, method: 'dual', products: 0, restarts: 0 },
    tolerance,
  );
}
