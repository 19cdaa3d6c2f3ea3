/**
 * One call for every way to approximate a symmetric matrix within a budget of memory.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { requireKnownOptions } from '../core/known-options.js';
import { hessianTree } from '../curvature/trees/hessian-tree.js';
import { kroneckerHierarchical } from '../curvature/eigenbasis/compress.js';
import { SampleOperator } from '../curvature/products/sample-operator.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import {
  APPROXIMATION_METHODS,
  type Approximated,
  type Approximation,
  type ApproximationMethod,
  type ApproximationOptions,
  type Budget,
} from './approximation.js';
import { bytesOfBudget, denseBytes, percent } from './budget.js';
import type { UnitCosts } from './methods/entries-or-products.js';
import { approximateHierarchical, leafSizeFor, type HierarchicalMethod } from './methods/hierarchical.js';
import {
  approximateBlockDiagonal,
  approximateDiagonal,
  approximateEkfac,
  approximateKfac,
} from './methods/kronecker.js';
import { approximateLowRank } from './methods/low-rank.js';
import { OPERATOR_ERROR_KEYS, operatorError } from './operator-error.js';
import { subjectOf, type Subject } from './subject.js';

/**
 * Approximates the symmetric N × N operator A by Ã that stores at most budget.share of 8N² bytes, everything that a
 * product reads counted. Of the methods with a rank or a tolerance the most accurate that fits; K-FAC and the other
 * methods whose memory the network decides take what they take, and a note says where that exceeds the budget.
 * `kfac`, `kfac-mc`, `ekfac` and `block-diagonal` need a network: a Gauss–Newton operator brings its own, else
 * `options.model`. `diagonal` and `fmm` need entries. Cost: rsvd (q + 2)(r + 10) products, nystrom r + 10; kfac, ekfac
 * one and two passes over the data; hss, hodlr, fmm two to five compressions. Throws OptionError (no such method, a
 * share too small for it: the message names the least one), ShapeError, MemoryError, AbortedError, and what the methods
 * throw.
 */
export async function approximate(
  operator: LinearOperator,
  method: ApproximationMethod,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximation> {
  const { rows: size, cols, symmetric } = operator;
  if (size !== cols || size === 0)
    throw new ShapeError(
      `Only square operators with at least one row can be approximated; this one is ${size} × ${cols}.`,
      { rows: size, cols },
    );
  if (!symmetric)
    throw new OptionError('Only symmetric operators can be approximated; this one says that it is not symmetric.', {
      option: 'operator',
    });
  if (!APPROXIMATION_METHODS.includes(method))
    throw new OptionError(`There is no method "${String(method)}"; there are ${APPROXIMATION_METHODS.join(', ')}.`, {
      option: 'methods',
      method,
    });
  const most = bytesOfBudget(budget, size);
  throwIfAborted(control.signal);
  const began = performance.now();
  const subject = subjectOf(operator, options, control);
  const made = await dispatch(subject, method, budget, options, control);
  const seconds = (performance.now() - began) / 1000;
  const share = made.bytes / denseBytes(size);
  const excess =
    made.bytes > most
      ? `takes ${percent(share)} of the dense matrix, more than the budget of ${percent(budget.share)}`
      : undefined;
  const note = [made.note, excess].filter((text) => text !== undefined).join('; ');
  const { operator: approximation, details = {}, release } = made;
  return {
    method,
    operator: approximation,
    bytes: made.bytes,
    share,
    seconds,
    details,
    ...(note === '' ? {} : { note }),
    smallestEigenvalue: made.smallestEigenvalue,
    knownError: made.knownError,
    exactNorm: made.exactNorm,
    squaredError: made.squaredError,
    error: async (how = {}) => {
      requireKnownOptions(how, OPERATOR_ERROR_KEYS, 'error');
      return operatorError(subject.source ?? operator, approximation, how, control);
    },
    release: () => {
      release?.();
    },
  };
}

async function dispatch(
  subject: Subject,
  method: ApproximationMethod,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const { operator, model, source } = subject;
  const { seed = 0 } = options;
  const { blas } = control.team;
  // What these say of ⟨A, Ã⟩ holds for the Gauss–Newton matrix of the model, not for another operator beside it.
  const ofCurvature = (made: Approximated): Approximated =>
    subject.gaussNewton === undefined ? { ...made, squaredError: undefined } : made;
  switch (method) {
    case 'rsvd':
    case 'nystrom':
      return approximateLowRank(operator, method, budget, options, control);
    case 'kfac':
      return ofCurvature(approximateKfac(needed(model, method), 'exact', seed, blas));
    case 'kfac-mc':
      return ofCurvature(approximateKfac(needed(model, method), 'monte-carlo', seed, blas));
    case 'ekfac':
      return ofCurvature(approximateEkfac(needed(model, method), blas));
    case 'diagonal':
      return approximateDiagonal(entriesFor(source, method));
    case 'block-diagonal':
      return approximateBlockDiagonal(needed(model, method), entriesFor(source, method), budget, control);
    case 'hss':
    case 'hodlr':
    case 'fmm':
      return hierarchical(subject, method, budget, options, control);
    case 'hm':
      return subject.gaussNewton === undefined
        ? hierarchical(subject, 'hss', budget, options, control)
        : inKroneckerBasis(subject.gaussNewton, budget, options, control);
  }
}

async function inKroneckerBasis(
  model: Model,
  { share }: Budget,
  { leafSize, memoryLimit }: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const matrix = await kroneckerHierarchical(model, { share, leafSize, memoryLimit }, control);
  const { report } = matrix;
  return {
    operator: matrix,
    bytes: matrix.memory().bytes,
    knownError: report.error,
    exactNorm: report.norm,
    release: () => {
      matrix.release();
    },
    details: { basis: 'kronecker', order: report.keptSize, leafSize: report.leafSize, blocks: report.blocks },
  };
}

async function hierarchical(
  { operator, model, source }: Subject,
  method: HierarchicalMethod,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  const { seed = 0, memoryLimit } = options;
  const leafSize = options.leafSize ?? leafSizeFor(budget, operator.rows);
  const tree =
    options.tree ??
    (model === undefined || source === undefined
      ? undefined
      : (await hessianTree(model, source, { leafSize, seed }, control)).tree);
  const { from = 'auto' } = options;
  if (!['auto', 'entries', 'products'].includes(from))
    throw new OptionError(`from must be auto, entries or products, not "${String(from)}".`, { option: 'from', from });
  return approximateHierarchical(
    { operator, source, tree, leafSize, seed, memoryLimit, from, costs: costsOf(operator) },
    method,
    budget,
    control,
  );
}

/** Of Gauss–Newton matrices: 2n flops an entry, 8nN a product (arXiv 1910.12184). */
function costsOf(operator: LinearOperator): UnitCosts | undefined {
  return operator instanceof SampleOperator
    ? { entry: 2 * operator.samples, product: 8 * operator.samples * operator.rows }
    : undefined;
}

function needed(model: Model | undefined, method: ApproximationMethod): Model {
  if (model === undefined)
    throw new OptionError(
      `Method '${method}' follows the layers of a network, and this operator brings none: pass the model, or the ` +
        'Gauss–Newton operator of one.',
      { option: 'model', method },
    );
  return model;
}

function entriesFor(source: EntrySource | undefined, method: ApproximationMethod): EntrySource {
  if (source === undefined)
    throw new OptionError(
      `Method '${method}' needs entries of the matrix, and this operator has products alone: pass a source.`,
      { option: 'source', method },
    );
  return source;
}
