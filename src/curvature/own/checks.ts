/**
 * Whether functions that a caller gives are what they are called: linear, each other's transpose, symmetric. A few
 * products with random vectors show what is far from it.
 *
 *   J(−2v) = −2·Jv    ⟨Jv, u⟩ = ⟨v, Jᵀu⟩    H(−2u) = −2·Hu    ⟨Hu, w⟩ = ⟨u, Hw⟩
 *
 * u is Jv and a random vector of its length together: a wrong transpose shows in the first part however many outputs
 * there are, and a part of the outputs that only one of both knows in the second.
 */
import { AsymmetryError, OptionError, ShapeError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import type { Precision } from '../../dense/matrix.js';
import { finiteNumbersOf, numbersOf, type NamedFunction } from './functions.js';

const STREAM = 0x07a1;
/** Shares of norms that rounding, and sums of many terms in another order, stay below by far. */
const TOLERANCES: Readonly<Record<Precision, number>> = { f64: 1e-6, f32: 1e-3 };

/** The functions, and what vectors they take. */
export interface OwnFunctions {
  readonly parameters: number;
  readonly jvp: NamedFunction;
  readonly vjp: NamedFunction;
  /** Absent: the identity. */
  readonly lossHessian: NamedFunction | undefined;
  readonly precision: Precision;
  /** Most vectors that they take at a time. */
  readonly vectorsAtOnce: number;
}

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
};
const norm = (x: ArrayLike<number>): number => Math.sqrt(dot(x, x));

/** Returns the number of outputs. Throws OptionError, ShapeError, NonFiniteError, AsymmetryError. */
export function requireOwnFunctions(own: OwnFunctions): number {
  const { parameters, jvp, vjp, lossHessian, precision, vectorsAtOnce } = own;
  const random = new RandomStream(0, STREAM);
  const normal = (length: number): Float64Array => {
    const x = new Float64Array(length);
    random.fillNormal(x);
    // As a framework of that precision sees them.
    return precision === 'f32' ? Float64Array.from(x, Math.fround) : x;
  };
  const tolerance = TOLERANCES[precision];
  const v = normal(parameters);
  const jv = finiteNumbersOf(jvp, v);
  const outputs = jv.length;
  if (outputs === 0) throw new ShapeError(`jvp returned no numbers: a model has at least one output.`, { outputs });
  requireLinear(jvp, v, jv, tolerance);
  const u = normal(outputs);
  const scale = norm(jv) / norm(u);
  for (let i = 0; i < outputs; i++) u[i] = jv[i] + u[i] * (scale > 0 ? scale : 1);
  const jtu = finiteNumbersOf(vjp, u, parameters);
  const [left, right] = [dot(jv, u), dot(v, jtu)];
  if (Math.abs(left - right) > tolerance * Math.max(norm(jv) * norm(u), norm(v) * norm(jtu))) {
    throw new AsymmetryError(
      `vjp is not the transpose of jvp: ⟨J·v, u⟩ = ${left} and ⟨v, Jᵀ·u⟩ = ${right} for a random v and a u. Both ` +
        'must be taken at the same parameters and data, and vjp sums over what jvp spreads out.',
      { value: left, transposed: right },
    );
  }
  if (lossHessian !== undefined) requireLossHessian(lossHessian, u, normal(outputs), tolerance);
  if (vectorsAtOnce > 1) {
    requireBlocks(jvp, v, jv, tolerance);
    requireBlocks(vjp, u, jtu, tolerance);
    if (lossHessian !== undefined) requireBlocks(lossHessian, u, finiteNumbersOf(lossHessian, u, outputs), tolerance);
  }
  return outputs;
}

/** Throws OptionError unless f(−2x) = −2·f(x) = −2·fx. */
function requireLinear(f: NamedFunction, x: Float64Array, fx: Float64Array, tolerance: number): void {
  const twice = finiteNumbersOf(
    f,
    x.map((value) => -2 * value),
    fx.length,
  );
  let difference = 0;
  for (let i = 0; i < fx.length; i++) difference += (twice[i] + 2 * fx[i]) ** 2;
  if (Math.sqrt(difference) <= tolerance * Math.max(2 * norm(fx), norm(twice))) return;
  throw new OptionError(
    `${f.name} is not linear: ${f.what} of −2 times a vector is not −2 times that of the vector. It must return the ` +
      'derivative along the vector, not the value of a function there.',
    { option: f.name },
  );
}

/** Throws OptionError unless f of the two vectors −2x and x is −2·fx and then fx. */
function requireBlocks(f: NamedFunction, x: Float64Array, fx: Float64Array, tolerance: number): void {
  const twice = (values: Float64Array): Float64Array =>
    Float64Array.from([...values.map((value) => -2 * value), ...values]);
  const both = Float64Array.from(numbersOf(f, twice(x), 2, fx.length));
  const difference = twice(fx).map((value, i) => value - both[i]);
  if (norm(difference) <= tolerance * Math.max(2 * norm(fx), norm(both))) return;
  throw new OptionError(
    `${f.name} takes two vectors for something else: they lie one after the other without gaps, and ${f.what} of ` +
      'each must so, too, as many as the second argument says. Or leave vectorsAtOnce away.',
    { option: 'vectorsAtOnce', function: f.name },
  );
}

function requireLossHessian(h: NamedFunction, u: Float64Array, w: Float64Array, tolerance: number): void {
  const hu = finiteNumbersOf(h, u, u.length);
  requireLinear(h, u, hu, tolerance);
  const hw = finiteNumbersOf(h, w, u.length);
  const [left, right] = [dot(hu, w), dot(u, hw)];
  if (Math.abs(left - right) <= tolerance * Math.max(norm(hu) * norm(w), norm(u) * norm(hw))) return;
  throw new AsymmetryError(
    `lossHessian is not symmetric: ⟨H·u, w⟩ = ${left} and ⟨u, H·w⟩ = ${right} for two vectors. It is the product ` +
      'with the second derivatives of the loss in the outputs.',
    { value: left, transposed: right },
  );
}
