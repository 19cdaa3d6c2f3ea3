/**
 * The elementwise kernels of training: updates, activations, losses and optimizers over arrays of one linear memory.
 * What each computes, in terms of its arguments alone: the bits of a result do not depend on where an array lies, on
 * how a range is split, or on the thread. `vector-memory.ts` has the memory.
 *
 * All arrays are typed arrays over the memory, of the kernels' precision; n numbers, or rows × cols of them column by
 * column without gaps, are read and written from the array's beginning. Arrays of one call are the same or do not
 * overlap. Scalars are rounded to the precision. Every method throws ShapeError for an array that is not over the
 * memory, of another precision or too short.
 */
import type { FloatArray } from './matrix.js';

/** An activation φ that the kernels know. */
export type ActivationKind = 'linear' | 'relu' | 'tanh' | 'sigmoid' | 'softplus' | 'gelu' | 'silu' | 'leakyRelu';
/** A loss ℓ(f, y): ½‖f − y‖²; Σ_k log(1 + e^{f_k}) − y_k f_k; log Σ_k e^{f_k} − yᵀf with Σ_k y_k = 1. */
export type LossKind = 'squared' | 'bce' | 'softmax';
/** A loss whose gradient is E[y | f] − y with a mean that is not f itself. */
export type MeanKind = 'bce' | 'softmax';

/** The numbers of one step of Adam, its bias corrections folded into `step` and `epsilon`. */
export interface AdamNumbers {
  readonly beta1: number;
  readonly beta2: number;
  readonly step: number;
  readonly epsilon: number;
}

/** The numbers of one direction of Adam. */
export interface AdamDirectionNumbers {
  readonly beta1: number;
  readonly beta2: number;
  /** 1 − beta1ᵗ after t steps. */
  readonly correction1: number;
  /** 1 − beta2ᵗ. */
  readonly correction2: number;
  readonly epsilon: number;
}

/** The kernels of one precision. */
export interface VectorKernels {
  /** y ← αx + βy; with β = 0 y is not read, with α = 0 x is not. */
  combine(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void;
  /** Σ x_i y_i, products and sum in double precision. */
  dot(n: number, x: FloatArray, y: FloatArray): number;
  /** y ← x∘y */
  multiply(n: number, x: FloatArray, y: FloatArray): void;
  /** y ← y + α·x∘s */
  multiplyAdd(n: number, alpha: number, x: FloatArray, s: FloatArray, y: FloatArray): void;
  /** y ← α·x∘s + βy; with β = 0 y is not read. */
  multiplyTo(n: number, alpha: number, x: FloatArray, s: FloatArray, beta: number, y: FloatArray): void;
  /** y ← α·x∘x + βy; with β = 0 y is not read. */
  squares(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void;
  /** Whether no number of x is NaN or infinite. */
  finite(n: number, x: FloatArray): boolean;
  /**
   * Z ← φ(Z), Z rows × cols with leading dimension ldz; slope ← φ′(Z) and curvature ← φ″(Z), where asked, without
   * gaps. Relu: φ′(0) = φ″ = 0; leaky ReLU: 0.01z and 0.01 for z ≤ 0, φ″ = 0; SiLU: zσ(z). Relative errors of a few
   * units, also where a unit saturates; φ″ of the sigmoid and the derivatives of GELU and SiLU, which have zeros,
   * relative to the sum of their terms' magnitudes. Limits at ±∞; NaN for NaN.
   */
  activate(
    name: ActivationKind,
    rows: number,
    cols: number,
    z: FloatArray,
    ldz: number,
    slope: FloatArray | null,
    curvature: FloatArray | null,
  ): void;
  /** y ← φ(x), slope ← φ′(x), curvature ← φ″(x), those that are not null, as `activate`; y may be x. */
  activateTo(
    name: ActivationKind,
    n: number,
    x: FloatArray,
    y: FloatArray | null,
    slope: FloatArray | null,
    curvature: FloatArray | null,
  ): void;
  /**
   * scale·Σ_j ℓ(f_j, y_j) over the columns of f and y, summed in double precision; out_j ← scale·∂ℓ/∂f. All rows ×
   * cols; out may be f.
   */
  lossGradient(
    kind: LossKind,
    scale: number,
    rows: number,
    cols: number,
    f: FloatArray,
    y: FloatArray,
    out: FloatArray,
  ): number;
  /** out ← E[y | f]: σ(f), or softmax of each column; rows × cols, out may be f. */
  mean(kind: MeanKind, rows: number, cols: number, f: FloatArray, out: FloatArray): void;
  /**
   * v_j ← p_i∘v_j − p_i(p_iᵀv_j): the Hessian of the cross-entropy, p rows × pcols with columns that sum to one, v rows
   * × cols, column j of v belonging to column i = ⌊j/(cols/pcols)⌋ of p. Of a class that is all but certain nothing is
   * lost by cancellation. Throws ShapeError unless pcols divides cols.
   */
  softmaxHessian(rows: number, cols: number, p: FloatArray, pcols: number, v: FloatArray): void;
  /** v ← p(1 − p)∘v */
  bceHessian(n: number, p: FloatArray, v: FloatArray): void;
  /** θ ← θ − rate·g */
  sgd(n: number, rate: number, g: FloatArray, θ: FloatArray): void;
  /** v ← βv + g, θ ← θ − rate·v; by Nesterov θ ← θ − rate·(g + βv). */
  momentum(n: number, rate: number, beta: number, nesterov: boolean, g: FloatArray, v: FloatArray, θ: FloatArray): void;
  /** s ← s + g∘g, θ ← θ − rate·g/(√s + ε) */
  adagrad(n: number, rate: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void;
  /** s ← ρs + (1 − ρ)g∘g, θ ← θ − rate·g/(√s + ε) */
  rmsprop(n: number, rate: number, rho: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void;
  /** m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g∘g, θ ← θ − step·m/(√v + ε) */
  adam(n: number, numbers: AdamNumbers, g: FloatArray, m: FloatArray, v: FloatArray, θ: FloatArray): void;
  /** m and v as `adam`, out ← (m/correction1)/(√(v/correction2) + ε); out may be g. */
  adamDirection(
    n: number,
    numbers: AdamDirectionNumbers,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    out: FloatArray,
  ): void;
}
