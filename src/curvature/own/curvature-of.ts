/**
 * The Gauss–Newton operator of a caller's own model, from three functions of vectors:
 *
 *   G = Jᵀ·H·J,   J = ∂f/∂θ (outputs × parameters), H = ∂²ℓ/∂f² (outputs × outputs),
 *
 * outputs those of all samples together, the loss's mean or sum over samples in H (N. Schraudolph, *Fast curvature
 * matrix-vector products for second-order gradient descent*, Neural Computation 14, 2002). Models of another framework,
 * or written by hand, are all the same to it.
 */
import { requirePrecision, requireWhole } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { describe, kindOf, requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { block, type Matrix, type Precision } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { derived } from '../../operator/self-check.js';
import { requireOwnFunctions } from './checks.js';
import { numbersOf, type NamedFunction, type VectorFunction } from './functions.js';

/** What {@link curvatureOf} takes: the model at its parameters θ and its data, which the functions know. */
export interface OwnModel {
  /** How many parameters there are; or the parameters, of which only their number counts. */
  readonly parameters: number | ArrayLike<number>;
  /** J·v: how all outputs change as the parameters go along v. Forward mode, `jvp` of JAX. */
  readonly jvp: VectorFunction;
  /** Jᵀ·u: the gradient in the parameters of Σᵢ uᵢ·fᵢ. Reverse mode, `vjp` of JAX. */
  readonly vjp: VectorFunction;
  /** H·u: the loss's second derivatives in the outputs, times u. Default: u itself, half the sum of squared errors. */
  readonly lossHessian?: VectorFunction | undefined;
  /**
   * Most vectors that the functions take at a time, 1 unless given: then they are called with fewer, too, and the
   * number of vectors is their second argument.
   */
  readonly vectorsAtOnce?: number | undefined;
  /** What the functions compute in: 'f32' allows for its rounding wherever they are checked. Default 'f64'. */
  readonly precision?: Precision | undefined;
  /** Flops of G·v for one vector, by which methods compare their costs. Default: not known. */
  readonly flops?: number | undefined;
}
/** The keys of {@link OwnModel}. */
const OWN_KEYS: KeysOf<OwnModel> = {
  parameters: true,
  jvp: 'function',
  vjp: 'function',
  lossHessian: 'function',
  vectorsAtOnce: 'number',
  precision: true,
  flops: 'number',
};

/** A Gauss–Newton operator, symmetric, positive semidefinite where the loss is convex in the outputs. */
export interface OwnCurvature extends LinearOperator {
  /** Rows of J: the outputs of all samples. */
  readonly outputs: number;
}

const EXAMPLE = 'curvatureOf({ parameters: θ.length, jvp: (v) => …, vjp: (u) => …, lossHessian: (u) => … })';

/** The number of parameters. Throws OptionError. */
function countOf(parameters: number | ArrayLike<number>): number {
  if (kindOf(parameters) === 'numbers') return requireWhole((parameters as ArrayLike<number>).length, 'parameters', 1);
  if (typeof parameters === 'number') return requireWhole(parameters, 'parameters', 1);
  throw new OptionError(
    `parameters of curvatureOf must be their number, or the numbers themselves in one array, not ` +
      `${describe(parameters)}.`,
    { option: 'parameters' },
  );
}

/**
 * G = Jᵀ·H·J of a model that the caller differentiates: `jvp`, `vjp` and `lossHessian` take vectors as a Float64Array
 * and return numbers at once, by a library for automatic differentiation or by hand. G has products alone, in blocks
 * of any number of vectors, one call of each function for each `vectorsAtOnce`; `solve`, `approximate`,
 * `compressOperator`, the methods of `krylov` and `operatorError` take it. Nothing of it is computed on a team. The
 * functions are tried on random vectors first (two calls of jvp, one of vjp, three of lossHessian; with vectorsAtOnce
 * one more of each with two vectors, and a fourth of lossHessian): what is not linear or takes two vectors for
 * something else (OptionError), not each other's transpose or not symmetric (AsymmetryError), of another length
 * (ShapeError), NaN or infinite (NonFiniteError) is refused; so it should be called anew where θ or the data change.
 * What the functions throw is thrown. Ranks of a team that compress G call them for other vectors each, where they take
 * one at a time: they must not communicate. Memory: a block of vectors and of outputs.
 */
export function curvatureOf(model: OwnModel): OwnCurvature {
  requireKnownOptions(model, OWN_KEYS, 'curvatureOf', EXAMPLE);
  const { vectorsAtOnce = 1, precision = 'f64', flops } = model;
  const parameters = countOf(model.parameters);
  for (const name of ['jvp', 'vjp'] as const) requireRole(model[name], 'function', `${name} of curvatureOf`);
  requireWhole(vectorsAtOnce, 'vectorsAtOnce', 1);
  requirePrecision(precision);
  if (flops !== undefined && !(flops >= 0 && flops < Infinity))
    throw new OptionError(`flops of curvatureOf must be a number ≥ 0, not ${describe(flops)}.`, { option: 'flops' });
  const jvp: NamedFunction = { name: 'jvp', what: 'J·v', call: model.jvp };
  const vjp: NamedFunction = { name: 'vjp', what: 'Jᵀ·u', call: model.vjp };
  const lossHessian: NamedFunction | undefined =
    model.lossHessian === undefined ? undefined : { name: 'lossHessian', what: 'H·u', call: model.lossHessian };
  const outputs = requireOwnFunctions({ parameters, jvp, vjp, lossHessian, precision, vectorsAtOnce });
  let vectors = new Float64Array(0);
  let images = new Float64Array(0);

  /** out ← α·G·X + β·out for as many vectors as the functions take. */
  const multiply = (out: Matrix, x: Matrix, alpha: number, beta: number): void => {
    const count = x.cols;
    if (vectors.length !== parameters * count) vectors = new Float64Array(parameters * count);
    if (images.length !== outputs * count) images = new Float64Array(outputs * count);
    for (let j = 0; j < count; j++) {
      const from = x.offset + j * x.ld;
      vectors.set(x.data.subarray(from, from + parameters), j * parameters);
    }
    images.set(numbersOf(jvp, vectors, count, outputs));
    if (lossHessian !== undefined) images.set(numbersOf(lossHessian, images, count, outputs));
    const products = numbersOf(vjp, images, count, parameters);
    for (let j = 0, p = 0; j < count; j++) {
      let at = out.offset + j * out.ld;
      if (beta === 0) for (let i = 0; i < parameters; i++) out.data[at++] = alpha * products[p++];
      else for (let i = 0; i < parameters; i++, at++) out.data[at] = alpha * products[p++] + beta * out.data[at];
    }
  };
  return derived({
    rows: parameters,
    cols: parameters,
    outputs,
    symmetric: true,
    precision,
    columnwise: vectorsAtOnce === 1 ? true : undefined,
    flops: flops === undefined ? undefined : (count: number): number => flops * count,
    applyUnchecked: (out: Matrix, x: Matrix, alpha: number, beta: number): void => {
      for (let first = 0; first < x.cols; first += vectorsAtOnce) {
        const count = Math.min(vectorsAtOnce, x.cols - first);
        multiply(block(out, 0, first, parameters, count), block(x, 0, first, parameters, count), alpha, beta);
      }
    },
  });
}
