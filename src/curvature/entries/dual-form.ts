/**
 * The dual (neural tangent kernel) form of a Gauss–Newton Hessian: G = ĴᵀĴ with Ĵ of n·r rows S_iᵀJ_i/√n, T = ĴĴᵀ.
 * A. Jacot, F. Gabriel, C. Hongler, "Neural tangent kernel", NeurIPS 2018, arXiv 1806.07572, with the loss's factor Q_i
 * = S_iS_iᵀ. T has G's nonzero eigenvalues and Frobenius norm, and solves exactly: for n·r up to a few thousand this is
 * the reference for everything else, and the right solver for small batches.
 */
import { FactorizationError, NotPositiveDefiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { requireMemory } from '../../core/memory.js';
import type { KeysOf } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import { withBlas } from '../../dense/default-blas.js';
import {
  asVectors,
  block,
  checkView,
  copyInto,
  squaredNorm,
  transposeHint,
  view,
  zeros,
  type Matrix,
  type Vectors,
} from '../../dense/matrix.js';
import { backpropagate } from '../../network/backward.js';
import { batchOf } from '../../network/data-set.js';
import { forward } from '../../network/forward.js';
import { applyLossFactor } from '../../network/losses/evaluate.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import { layerWeights, type Network } from '../../network/network.js';
import { addScaled, combine } from '../../operator/block-arithmetic.js';
import { normalVectors, sampleOptions, type SampleOptions } from '../../operator/draws.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { derived } from '../../operator/self-check.js';
import { widened, widenedMatrix } from './unit-gram-arrays.js';

/** Options of {@link dualForm}. */
export interface DualOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Bytes that T and what is needed to form it may take. Default 2 GiB. */
  readonly memoryLimit?: number | undefined;
  /** Largest n·r. Default 8192: T is then 0.5 GB and its eigenvalues take minutes. */
  readonly largestOrder?: number | undefined;
}
/** The keys of {@link DualOptions}. */
const DUAL_KEYS: KeysOf<DualOptions> = { blas: true, memoryLimit: 'number', largestOrder: 'number' };

const DEFAULT_LIMIT = 2 ** 31;
const DEFAULT_ORDER = 8192;

/**
 * T and Ĵ of a model. T[(i, k), (j, k′)] = (1/n) Σ_ℓ (ā_{ℓ−1,i}·ā_{ℓ−1,j})(Δ_{ℓ,i}(k, :)·Δ_{ℓ,j}(k′, :)), row (i, k) at
 * i·r + k, by two GEMMs a layer; the n·r × N matrix Ĵ is never formed. In float64 (a float32 model is widened). Cost:
 * (nr)²·Σ_ℓ d_ℓ flops, r backward passes, 16(nr)² bytes. Throws OptionError where n·r is beyond `largestOrder`,
 * MemoryError, NonFiniteError, ShapeError.
 */
export function dualForm(given: GivenModel, options: DualOptions = {}): DualForm {
  const model = asModel(given, 'dualForm');
  const backed = withBlas(options, DUAL_KEYS, 'dualForm');
  checkModel(model);
  const { network, data } = model;
  const { blas, memoryLimit = DEFAULT_LIMIT, largestOrder = DEFAULT_ORDER } = backed;
  const order = data.samples * network.outputs;
  if (order > largestOrder) {
    throw new OptionError(
      `The dual form of ${data.samples} samples with ${network.outputs} outputs each is a matrix of order ` +
        `${order}; the limit is ${largestOrder}. Take at most ${Math.floor(largestOrder / network.outputs)} ` +
        'samples, raise largestOrder, or use the Gauss–Newton operator with an iterative solver.',
      { order, largestOrder },
    );
  }
  const units = network.layers.reduce((sum, { outputs }) => sum + outputs, 0);
  const widths = network.layers.reduce((sum, { width }) => sum + width, 0);
  const bytes = 8 * (2 * order ** 2 + order * units + data.samples * (widths + 2 * units) + data.samples ** 2);
  requireMemory(bytes, memoryLimit, {
    what: `The dual form of order ${order} needs`,
    advice: 'take fewer samples, or raise memoryLimit.',
  });
  return new DualForm(model, blas);
}

/** (G + λI)⁻¹ as an operator. */
export interface DualInverse extends LinearOperator {
  /** λ. */
  readonly shift: number;
  /** log det(G + λI). */
  readonly logdet: number;
}

/** T = ĴĴᵀ of a model, its eigenvalues, and solves with G + λI through it. */
export class DualForm {
  /** n·r. */
  readonly order: number;
  /** N. */
  readonly parameters: number;
  /** T, n·r × n·r, symmetric to the bit. */
  readonly matrix: Matrix<Float64Array>;
  readonly #network: Network;
  readonly #blas: Blas;
  readonly #samples: number;
  /** Ā_{ℓ−1}, width × n, and Δ_ℓᵀ, d_ℓ × n·r. */
  readonly #inputs: readonly Matrix[];
  readonly #errors: readonly Matrix[];
  #factor: { readonly shift: number; readonly cholesky: Matrix } | undefined;

  /** See `dualForm`, which checks first. */
  constructor({ network, parameters, loss, data }: Model, blas: Blas) {
    const weights = widened(parameters);
    const n = data.samples;
    const r = network.outputs;
    const pass = forward(network, weights, widenedMatrix(batchOf(data, 0, n).inputs), blas);
    this.order = n * r;
    this.parameters = network.parameters;
    this.#network = network;
    this.#blas = blas;
    this.#samples = n;
    this.#inputs = pass.inputs;
    this.#errors = network.layers.map(({ outputs }) => zeros(outputs, n * r));
    const unit = zeros(r, n);
    const error = zeros(r, n);
    for (let k = 0; k < r; k++) {
      // Row k of S_iᵀJ_i is the gradient of the output error S_i·e_k.
      unit.data.fill(0);
      for (let i = 0; i < n; i++) unit.data[k + i * r] = 1;
      applyLossFactor(loss, pass.output, 'N', unit, error);
      const deltas = backpropagate(network, weights, pass, error, { blas });
      deltas.forEach((delta, ℓ) => {
        copyInto(view(this.#errors[ℓ].data, k * delta.rows, delta.rows, n, r * delta.rows), delta);
      });
    }
    this.matrix = this.#form();
  }

  /**
   * Eigenvalues of T in descending order: those of G that are not zero, and zeros. About 4/3·(nr)³ flops. Throws
   * FactorizationError.
   */
  eigenvalues(): Float64Array {
    const copy = zeros(this.order, this.order);
    copyInto(copy, this.matrix);
    const values = new Float64Array(this.order);
    const info = this.#blas.syevd(false, 'L', copy, values);
    if (info !== 0)
      throw new FactorizationError(`The eigenvalues of the dual form did not converge (syevd, info ${info}).`, {
        routine: 'syevd',
        info,
      });
    return values.reverse();
  }

  /** ‖T‖_F = ‖G‖_F. */
  get frobeniusNorm(): number {
    return Math.sqrt(squaredNorm(this.matrix));
  }

  /** out ← Ĵ·X: X is N × k, out n·r × k, of either precision. 2k(nN + nrΣd) flops. Throws ShapeError. */
  applyJacobian(vectors: Vectors, out: Matrix): void {
    const x = this.#checked(vectors, this.parameters, out, this.order);
    inDouble(x, out, (wide, product) => {
      this.#jacobian(wide, product);
    });
  }

  #jacobian(x: Matrix, out: Matrix): void {
    const n = this.#samples;
    const r = this.#network.outputs;
    const scale = 1 / Math.sqrt(n);
    for (let c = 0; c < x.cols; c++) {
      const to = out.offset + c * out.ld;
      out.data.fill(0, to, to + this.order);
      this.#network.layers.forEach((layer, ℓ) => {
        const d = layer.outputs;
        const z = zeros(d, n);
        this.#blas.gemm('T', 'N', scale, this.#layerOf(x, c, ℓ), this.#inputs[ℓ], 0, z);
        const delta = this.#errors[ℓ].data;
        for (let row = 0, at = 0; row < n * r; row++) {
          const from = Math.floor(row / r) * d;
          let sum = 0;
          for (let p = 0; p < d; p++) sum += delta[at++] * z.data[from + p];
          out.data[to + row] += sum;
        }
      });
    }
  }

  /** out ← Ĵᵀ·Y: Y is n·r × k, out N × k, of either precision. Throws ShapeError. */
  applyJacobianTransposed(vectors: Vectors, out: Matrix): void {
    const y = this.#checked(vectors, this.order, out, this.parameters);
    inDouble(y, out, (wide, product) => {
      this.#jacobianTransposed(wide, product);
    });
  }

  #jacobianTransposed(y: Matrix, out: Matrix): void {
    const n = this.#samples;
    const r = this.#network.outputs;
    const scale = 1 / Math.sqrt(n);
    for (let c = 0; c < y.cols; c++) {
      const from = y.offset + c * y.ld;
      this.#network.layers.forEach(({ outputs: d }, ℓ) => {
        const sums = zeros(d, n);
        const delta = this.#errors[ℓ].data;
        for (let row = 0, at = 0; row < n * r; row++) {
          const to = Math.floor(row / r) * d;
          const weight = y.data[from + row];
          for (let p = 0; p < d; p++) sums.data[to + p] += weight * delta[at++];
        }
        this.#blas.gemm('N', 'T', scale, this.#inputs[ℓ], sums, 0, this.#layerOf(out, c, ℓ));
      });
    }
  }

  /**
   * The solutions X, in float64, of (G + λI)X = B for N × k right-hand sides of either precision, λ > 0: x = (b − Ĵᵀ(λI
   * + T)⁻¹Ĵb)/λ (Woodbury). Exact to rounding, relative error about eps·(‖G‖ + λ)/λ. The Cholesky factor of λI + T
   * (⅓(nr)³ flops) is kept for the next call with the same λ. Throws OptionError for λ ≤ 0, ShapeError,
   * NotPositiveDefiniteError where λ is lost in the rounding of T.
   */
  solve(given: Vectors, shift: number): Matrix<Float64Array> {
    requireShift(shift);
    const b = asVectors(given, 'right-hand sides');
    if (b.rows !== this.parameters)
      throw new ShapeError(
        `The right-hand sides have ${b.rows} rows, the network ${this.parameters} ` +
          `parameters.${transposeHint(b, this.parameters)}`,
        { rows: b.rows, parameters: this.parameters },
      );
    const cholesky = this.#cholesky(shift);
    const y = zeros(this.order, b.cols);
    this.applyJacobian(b, y);
    this.#blas.trsm('L', 'L', 'N', 'N', 1, cholesky, y);
    this.#blas.trsm('L', 'L', 'T', 'N', 1, cholesky, y);
    const x = zeros(this.parameters, b.cols);
    this.applyJacobianTransposed(y, x);
    for (let c = 0; c < b.cols; c++) {
      for (let i = 0, at = c * x.rows; i < x.rows; i++)
        x.data[at + i] = (b.data[b.offset + i + c * b.ld] - x.data[at + i]) / shift;
    }
    return x;
  }

  /**
   * Independent draws, N × count in float64, for λ > 0: of N(0, G + λI), x = √λ·z + Ĵᵀu, or of N(0, (G + λI)⁻¹), (G +
   * λI)⁻¹ times that: x = z/√λ + Ĵᵀ(λI + T)⁻¹(u − Ĵz/√λ), with z ∈ ℝᴺ and u ∈ ℝⁿʳ standard normal. Column j depends on
   * seed and j alone, but for rounding. Cost: at most that of a solve each. Throws as `solve`.
   */
  sample(shift: number, options: SampleOptions = {}): Matrix<Float64Array> {
    const asked = sampleOptions(options);
    requireShift(shift);
    const noise = normalVectors(this.parameters + this.order, asked);
    const z = block(noise, 0, 0, this.parameters, asked.count);
    const u = block(noise, this.parameters, 0, this.order, asked.count);
    const x = zeros(this.parameters, asked.count);
    const root = Math.sqrt(shift);
    if (asked.of === 'matrix') {
      this.applyJacobianTransposed(u, x);
      addScaled(x, root, z);
      return x;
    }
    const cholesky = this.#cholesky(shift);
    const y = zeros(this.order, asked.count);
    this.applyJacobian(z, y);
    combine(y, 1, u, -1 / root);
    this.#blas.trsm('L', 'L', 'N', 'N', 1, cholesky, y);
    this.#blas.trsm('L', 'L', 'T', 'N', 1, cholesky, y);
    this.applyJacobianTransposed(y, x);
    addScaled(x, 1 / root, z);
    return x;
  }

  /**
   * (G + λI)⁻¹ as an operator, λ > 0, for vectors of either precision; products are `solve`s. Factors at once, and for
   * each change of λ. Throws as `solve`.
   */
  inverse(shift: number): DualInverse {
    const logdet = this.logdet(shift);
    return derived({
      logdet,
      shift,
      rows: this.parameters,
      cols: this.parameters,
      symmetric: true,
      applyUnchecked: (out, x, alpha, beta) => {
        combine(out, alpha, this.solve(x, shift), beta);
      },
      flops: (vectors) => (2 * this.order ** 2 + 4 * this.#samples * this.parameters) * vectors,
    });
  }

  /**
   * log det(G + λI) = (N − n·r)·log λ + log det(T + λI), λ > 0, exact but for rounding: of about eps·‖G‖/λ in each of
   * the n·r smaller eigenvalues. By the Cholesky factor that `solve` keeps. Throws as `solve`.
   */
  logdet(shift: number): number {
    requireShift(shift);
    const { data } = this.#cholesky(shift);
    let sum = 0;
    for (let i = 0; i < this.order; i++) sum += Math.log(data[i * (this.order + 1)]);
    return (this.parameters - this.order) * Math.log(shift) + 2 * sum;
  }

  #cholesky(shift: number): Matrix {
    if (this.#factor?.shift === shift) return this.#factor.cholesky;
    const cholesky = zeros(this.order, this.order);
    copyInto(cholesky, this.matrix);
    for (let i = 0; i < this.order; i++) cholesky.data[i * (this.order + 1)] += shift;
    const info = this.#blas.potrf('L', cholesky);
    if (info > 0)
      throw new NotPositiveDefiniteError(
        `λI + T is not positive definite to rounding (pivot ${info}): λ = ${shift} is below the rounding of T. ` +
          'Take a larger λ.',
        { pivot: info, shift },
      );
    this.#factor = { shift, cholesky };
    return cholesky;
  }

  /** T, layer by layer: (1/n)(ĀᵀĀ ⊗ ones) ∘ ΔΔᵀ. */
  #form(): Matrix<Float64Array> {
    const { order, matrix } = { order: this.order, matrix: zeros(this.order, this.order) };
    const n = this.#samples;
    const r = this.#network.outputs;
    const products = zeros(order, order);
    const gram = zeros(n, n);
    this.#network.layers.forEach((_, ℓ) => {
      this.#blas.syrk('L', 'T', 1, this.#errors[ℓ], 0, products);
      this.#blas.syrk('L', 'T', 1 / n, this.#inputs[ℓ], 0, gram);
      for (let column = 0; column < order; column++) {
        const j = Math.floor(column / r);
        for (let i = j; i < n; i++) {
          const a = gram.data[i + j * n];
          const begin = Math.max(column, i * r) + column * order;
          for (let at = begin, end = (i + 1) * r + column * order; at < end; at++)
            matrix.data[at] += a * products.data[at];
        }
      }
    });
    for (let j = 1; j < order; j++) for (let i = 0; i < j; i++) matrix.data[i + j * order] = matrix.data[j + i * order];
    return matrix;
  }

  /** The part of column c of an N × k matrix that belongs to a layer. */
  #layerOf(x: Matrix, c: number, ℓ: number): Matrix {
    return layerWeights(this.#network.layers[ℓ], x.data, x.offset + c * x.ld);
  }

  #checked(vectors: Vectors, rows: number, out: Matrix, outRows: number): Matrix {
    const x = asVectors(vectors, 'x');
    checkView(out, 'out');
    if (x.rows !== rows || out.rows !== outRows || x.cols !== out.cols) {
      throw new ShapeError(
        `A product of ${outRows} × ${rows} by ${x.rows} × ${x.cols} into ${out.rows} × ${out.cols} does not fit.`,
        { expected: [rows, outRows], x: [x.rows, x.cols], out: [out.rows, out.cols] },
      );
    }
    return x;
  }
}

/** Throws OptionError unless λ is a finite number above 0. */
function requireShift(shift: number): void {
  if (!(shift > 0 && Number.isFinite(shift)))
    throw new OptionError(
      `The shift λ must be a number above 0, not ${describe(shift)}: G alone is singular where n·r < N.`,
      {
        shift,
      },
    );
}

/** `multiply` on float64 copies of what is float32. */
function inDouble(x: Matrix, out: Matrix, multiply: (x: Matrix, out: Matrix) => void): void {
  const target = out.data instanceof Float64Array ? out : zeros(out.rows, out.cols);
  multiply(widenedMatrix(x), target);
  if (target !== out) copyInto(out, target);
}
