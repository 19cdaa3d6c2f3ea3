/**
 * The kernels of `../vector-kernels.ts` in WebAssembly, over a memory that callers' arrays lie in: a call checks its
 * arrays and hands on their addresses.
 */
import type { Precision } from '../../core/floats.js';
import { LibraryError, OptionError, ShapeError } from '../../core/errors.js';
import type { FloatArray } from '../matrix.js';
import type {
  ActivationKind,
  AdamDirectionNumbers,
  AdamNumbers,
  LossKind,
  MeanKind,
  VectorKernels,
} from '../vector-kernels.js';
import { KernelArrays, routinesOf } from './kernel-arrays.js';
import { kernels as encoded } from './training-wasm.js';
import { openingFailure } from './wasm.js';
import { compiledFrom, WebAssembly } from './web-assembly.js';

/** The routines of one precision; `assembly/training/index.ts` documents them. Pointers in bytes. */
interface Routines {
  combine(n: number, alpha: number, x: number, beta: number, y: number): void;
  dot(n: number, x: number, y: number): number;
  multiplyTo(n: number, alpha: number, x: number, s: number, beta: number, y: number): void;
  finite(n: number, x: number): number;
  bceHessian(n: number, p: number, v: number): void;
  activate(
    kind: number,
    rows: number,
    cols: number,
    x: number,
    y: number,
    ld: number,
    slope: number,
    curvature: number,
  ): void;
  squaredLoss(n: number, scale: number, f: number, y: number, out: number): number;
  bceLoss(n: number, scale: number, f: number, y: number, out: number): number;
  softmaxLoss(rows: number, cols: number, scale: number, f: number, y: number, out: number): number;
  logistic(n: number, f: number, out: number): void;
  softmax(rows: number, cols: number, f: number, out: number): void;
  softmaxHessian(rows: number, pcols: number, each: number, p: number, v: number): void;
  sgd(n: number, rate: number, g: number, θ: number): void;
  momentum(n: number, rate: number, beta: number, nesterov: number, g: number, v: number, θ: number): void;
  rootOfSquares(
    n: number,
    rate: number,
    rho: number,
    sigma: number,
    epsilon: number,
    g: number,
    s: number,
    θ: number,
  ): void;
  adam(
    n: number,
    beta1: number,
    gamma1: number,
    beta2: number,
    gamma2: number,
    step: number,
    epsilon: number,
    g: number,
    m: number,
    v: number,
    θ: number,
  ): void;
  adamDirection(
    n: number,
    beta1: number,
    gamma1: number,
    beta2: number,
    gamma2: number,
    step: number,
    scale: number,
    epsilon: number,
    g: number,
    m: number,
    v: number,
    out: number,
  ): void;
}

const NAMES: readonly (keyof Routines)[] = [
  'combine',
  'dot',
  'multiplyTo',
  'finite',
  'bceHessian',
  'activate',
  'squaredLoss',
  'bceLoss',
  'softmaxLoss',
  'logistic',
  'softmax',
  'softmaxHessian',
  'sgd',
  'momentum',
  'rootOfSquares',
  'adam',
  'adamDirection',
];

/** As assembly/training/activations.ts numbers them. */
const ACTIVATION_NUMBERS: Readonly<Record<ActivationKind, number>> = {
  linear: 0,
  relu: 1,
  tanh: 2,
  sigmoid: 3,
  softplus: 4,
  gelu: 5,
  silu: 6,
  leakyRelu: 7,
};

function numberOf(name: ActivationKind): number {
  const kind = ACTIVATION_NUMBERS[name];
  if (kind === undefined) throw new OptionError(`Unknown activation "${String(name)}".`, { activation: name });
  return kind;
}

let compiled: object | undefined;

/**
 * The module over a memory whose first `reserved` bytes are its own: every thread's instance writes the same constants
 * there. Throws MemoryError, LibraryError where WebAssembly cannot run.
 */
export function instantiate(memory: object, reserved: number): object {
  let exports: { dataEnd(): number };
  try {
    compiled ??= compiledFrom(encoded);
    exports = new WebAssembly.Instance(compiled, { env: { memory } }).exports as typeof exports;
  } catch (error) {
    throw openingFailure(error);
  }
  if (exports.dataEnd() > reserved)
    throw new LibraryError(`The kernels' constants take ${exports.dataEnd()} bytes, and ${reserved} are theirs.`);
  return exports;
}

/** The kernels of a precision, of an instance over the memory that has the buffer. */
export class TrainingKernels implements VectorKernels {
  readonly #arrays: KernelArrays;
  readonly #routines: Routines;

  constructor(exports: object, buffer: SharedArrayBuffer, precision: Precision) {
    this.#arrays = new KernelArrays(buffer, precision);
    this.#routines = routinesOf<Routines>(exports, NAMES, precision);
  }

  #at(x: FloatArray, n: number, name: string): number {
    return this.#arrays.at(x, n, name);
  }

  #atIfAny(x: FloatArray | null, n: number, name: string): number {
    return this.#arrays.atIfAny(x, n, name);
  }

  combine(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void {
    this.#routines.combine(n, alpha, this.#at(x, n, 'x'), beta, this.#at(y, n, 'y'));
  }

  dot(n: number, x: FloatArray, y: FloatArray): number {
    return this.#routines.dot(n, this.#at(x, n, 'x'), this.#at(y, n, 'y'));
  }

  multiply(n: number, x: FloatArray, y: FloatArray): void {
    this.multiplyTo(n, 1, x, y, 0, y);
  }

  multiplyAdd(n: number, alpha: number, x: FloatArray, s: FloatArray, y: FloatArray): void {
    this.multiplyTo(n, alpha, x, s, 1, y);
  }

  multiplyTo(n: number, alpha: number, x: FloatArray, s: FloatArray, beta: number, y: FloatArray): void {
    this.#routines.multiplyTo(n, alpha, this.#at(x, n, 'x'), this.#at(s, n, 's'), beta, this.#at(y, n, 'y'));
  }

  squares(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void {
    this.multiplyTo(n, alpha, x, x, beta, y);
  }

  finite(n: number, x: FloatArray): boolean {
    return this.#routines.finite(n, this.#at(x, n, 'x')) !== 0;
  }

  activate(
    name: ActivationKind,
    rows: number,
    cols: number,
    z: FloatArray,
    ldz: number,
    slope: FloatArray | null,
    curvature: FloatArray | null,
  ): void {
    const kind = numberOf(name);
    const n = rows * cols;
    if (!(ldz >= rows)) throw new ShapeError(`z: a leading dimension of ${ldz} for ${rows} rows.`, { ldz, rows });
    const at = this.#at(z, n > 0 ? (cols - 1) * ldz + rows : n, 'z');
    const slopeAt = this.#atIfAny(slope, n, 'slope');
    const curvatureAt = this.#atIfAny(curvature, n, 'curvature');
    if (n === 0 || (kind === 0 && slopeAt === 0 && curvatureAt === 0)) return;
    this.#routines.activate(kind, rows, cols, at, at, ldz, slopeAt, curvatureAt);
  }

  activateTo(
    name: ActivationKind,
    n: number,
    x: FloatArray,
    y: FloatArray | null,
    slope: FloatArray | null,
    curvature: FloatArray | null,
  ): void {
    const kind = numberOf(name);
    const from = this.#at(x, n, 'x');
    const slopeAt = this.#atIfAny(slope, n, 'slope');
    const curvatureAt = this.#atIfAny(curvature, n, 'curvature');
    // A value that is not asked for is overwritten by a derivative.
    const to = this.#atIfAny(y, n, 'y') || slopeAt || curvatureAt;
    if (to !== 0) this.#routines.activate(kind, n, 1, from, to, n, slopeAt, curvatureAt);
  }

  lossGradient(
    kind: LossKind,
    scale: number,
    rows: number,
    cols: number,
    f: FloatArray,
    y: FloatArray,
    out: FloatArray,
  ): number {
    const n = rows * cols;
    const from = this.#at(f, n, 'f');
    const target = this.#at(y, n, 'y');
    const to = this.#at(out, n, 'out');
    if (n === 0) return 0;
    switch (kind) {
      case 'squared':
        return scale * this.#routines.squaredLoss(n, scale, from, target, to);
      case 'bce':
        return scale * this.#routines.bceLoss(n, scale, from, target, to);
      case 'softmax':
        return scale * this.#routines.softmaxLoss(rows, cols, scale, from, target, to);
      default:
        throw new OptionError(`Unknown loss "${String(kind)}".`, { loss: kind });
    }
  }

  mean(kind: MeanKind, rows: number, cols: number, f: FloatArray, out: FloatArray): void {
    const n = rows * cols;
    const from = this.#at(f, n, 'f');
    const to = this.#at(out, n, 'out');
    if (n === 0) return;
    if (kind === 'bce') this.#routines.logistic(n, from, to);
    else if (kind === 'softmax') this.#routines.softmax(rows, cols, from, to);
    else throw new OptionError(`Unknown mean "${String(kind)}".`, { mean: kind });
  }

  softmaxHessian(rows: number, cols: number, p: FloatArray, pcols: number, v: FloatArray): void {
    const each = cols === 0 ? 0 : cols / pcols;
    if (!Number.isInteger(each))
      throw new ShapeError(`${cols} columns of v do not belong to ${pcols} of p, as many to each.`, { cols, pcols });
    const from = this.#at(p, rows * pcols, 'p');
    const to = this.#at(v, rows * cols, 'v');
    if (rows > 0 && cols > 0) this.#routines.softmaxHessian(rows, pcols, each, from, to);
  }

  bceHessian(n: number, p: FloatArray, v: FloatArray): void {
    this.#routines.bceHessian(n, this.#at(p, n, 'p'), this.#at(v, n, 'v'));
  }

  sgd(n: number, rate: number, g: FloatArray, θ: FloatArray): void {
    this.#routines.sgd(n, rate, this.#at(g, n, 'g'), this.#at(θ, n, 'θ'));
  }

  momentum(
    n: number,
    rate: number,
    beta: number,
    nesterov: boolean,
    g: FloatArray,
    v: FloatArray,
    θ: FloatArray,
  ): void {
    const from = this.#at(g, n, 'g');
    this.#routines.momentum(n, rate, beta, nesterov ? 1 : 0, from, this.#at(v, n, 'v'), this.#at(θ, n, 'θ'));
  }

  adagrad(n: number, rate: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void {
    const from = this.#at(g, n, 'g');
    this.#routines.rootOfSquares(n, rate, 1, 1, epsilon, from, this.#at(s, n, 's'), this.#at(θ, n, 'θ'));
  }

  rmsprop(n: number, rate: number, rho: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void {
    const from = this.#at(g, n, 'g');
    this.#routines.rootOfSquares(n, rate, rho, 1 - rho, epsilon, from, this.#at(s, n, 's'), this.#at(θ, n, 'θ'));
  }

  adam(n: number, numbers: AdamNumbers, g: FloatArray, m: FloatArray, v: FloatArray, θ: FloatArray): void {
    const { beta1, beta2, step, epsilon } = numbers;
    this.#routines.adam(
      n,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      step,
      epsilon,
      this.#at(g, n, 'g'),
      this.#at(m, n, 'm'),
      this.#at(v, n, 'v'),
      this.#at(θ, n, 'θ'),
    );
  }

  adamDirection(
    n: number,
    numbers: AdamDirectionNumbers,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    out: FloatArray,
  ): void {
    const { beta1, beta2, correction1, correction2, epsilon } = numbers;
    this.#routines.adamDirection(
      n,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      1 / correction1,
      1 / correction2,
      epsilon,
      this.#at(g, n, 'g'),
      this.#at(m, n, 'm'),
      this.#at(v, n, 'v'),
      this.#at(out, n, 'out'),
    );
  }
}
