/**
 * Factored hierarchical matrices in the Kronecker eigenbasis: (G̃ + λI)⁻¹ as an operator.
 *
 * With G̃ = Q·H̃·Qᵀ + c·A ⊗ (I − U₁U₁ᵀ) (the complement, on the last layer) and QᵀQ = I,
 *
 *   (G̃ + λI)⁻¹ = I/λ + Q·[(H̃ + λI)⁻¹ − I/λ]·Qᵀ + [(c·A + λI)⁻¹ − I/λ] ⊗ (I − U₁U₁ᵀ),
 *
 * where H̃ + λI is factored by ULV (hierarchical/factor/ulv/eliminate.ts) and c·A by its eigenvectors. Directions that
 * no sample uses are covered by I/λ. Where eigenvalues far above λ are inverted, I/λ cancels: relative accuracy
 * eps·‖G̃‖/λ. The three parts are orthogonal, so that f(G̃ + λI), and a factor of it, is f(λ)·I + Q·[f(H̃ + λI) −
 * f(λ)I]·Qᵀ + [f(c·A + λI) − f(λ)I] ⊗ (I − U₁U₁ᵀ).
 */
import { notFactored } from '../../hierarchical/factor/breakdown-message.js';
import { precisionOf } from '../../core/floats.js';
import { requireControl, throwIfAborted, type RunControl } from '../../core/context.js';
import { FactorizationError, NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { describe, requireRole } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import {
  asVectors,
  checkView,
  copyInto,
  transposeHint,
  view,
  zeros,
  type Matrix,
  type FlatVector,
  type FloatArray,
  type Vectors,
} from '../../dense/matrix.js';
import { factor } from '../../hierarchical/factor/factor.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import { addScaled } from '../../operator/block-arithmetic.js';
import { normalVectors, sampleOptions, type SampleOptions } from '../../operator/draws.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { Team } from '../../parallel/team.js';
import type { KroneckerHierarchicalMatrix } from './matrix.js';
import { nestedCore } from './nested-core.js';
import { RotatedProduct } from './product.js';
import type { BasisLayer } from './rotation.js';

/** Options of {@link factorKronecker}. */
export interface KroneckerFactorOptions {
  /** λ > 0: G̃ is singular wherever no sample reaches. */
  readonly shift: number;
  /** Bytes the factorization may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link KroneckerFactorOptions}. */
const KRONECKER_FACTOR_KEYS: KeysOf<KroneckerFactorOptions> = { shift: 'number', memoryLimit: 'number' };

/** c·A = V·diag(a)·Vᵀ of a layer with a complement. */
export interface ComplementEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix;
}

/** With where (c·A + λI)⁻¹ − I/λ goes. */
interface ComplementInverse extends ComplementEigen {
  readonly inverse: Matrix;
  readonly outputs: number;
}

/** What a Kronecker factorization is made of, and what a file keeps of it. */
export interface KroneckerFactors {
  readonly layers: readonly BasisLayer[];
  /** By layer; null where it has no complement. */
  readonly complements: readonly (ComplementEigen | null)[];
  /** H̃ + λI, factored; null where there is none. */
  readonly core: Factorization | null;
}

/**
 * Factors G̃ + λI of a matrix made with { preserve: 'positive-definite' }; another λ refactors from the leaves, without
 * a pass over the data. About |S|³/3 flops for the principal submatrix of |S| indices and 8·|S|² bytes. The matrix may
 * be released afterwards. Throws OptionError (λ ≤ 0; a matrix made otherwise), NotPositiveDefiniteError where λ is lost
 * in rounding, MemoryError, AbortedError.
 */
export async function factorKronecker(
  matrix: KroneckerHierarchicalMatrix,
  options: KroneckerFactorOptions,
  given: Control = {},
): Promise<KroneckerFactorization> {
  requireRole(matrix, 'Kronecker matrix', 'factorKronecker');
  const { shift, memoryLimit } = requireKnownOptions(
    options,
    KRONECKER_FACTOR_KEYS,
    'factorKronecker',
    'factorKronecker(matrix, { shift: 1e-3 })',
  );
  const control = await onTeam(given, 'factorKronecker');
  requirePositiveShift(shift);
  if (matrix.report.principal === undefined)
    throw new OptionError("Only a matrix made with { preserve: 'positive-definite' } has a direct factorization.");
  throwIfAborted(control.signal);
  const { team } = control;
  const core =
    matrix.core === null
      ? null
      : await factor(nestedCore(matrix.core, team), { shift, suggestShift: false, memoryLimit }, control);
  const complements = matrix.layers.map(({ complement }) => complement && decompose(complement, team.blas));
  return new KroneckerFactorization({ layers: matrix.layers, complements, core }, matrix.size, shift, team);
}

function requirePositiveShift(shift: number): void {
  if (!(Number.isFinite(shift) && shift > 0))
    throw new OptionError(
      `shift must be a positive number, not ${describe(shift)}: a Gauss–Newton matrix is singular.`,
      {
        option: 'shift',
        value: shift,
      },
    );
}

/** The powers of G̃ + λI that are multiplied by. */
type Power = -1 | -0.5 | 0.5;

/** (a + λ)^power − λ^power for a ≥ 0, without cancellation where a is small against λ. */
function powerLess(a: number, λ: number, power: Power): number {
  const whole = a + λ;
  if (power === -1) return -a / (λ * whole);
  const sum = Math.sqrt(whole) + Math.sqrt(λ);
  return power === 0.5 ? a / sum : -a / (sum * Math.sqrt(λ * whole));
}

/** As a linear operator the inverse: symmetric positive definite. Solves are synchronous and keep their workspace. */
export class KroneckerFactorization implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly #factors: KroneckerFactors;
  readonly #layers: readonly BasisLayer[];
  readonly #core: Factorization | null;
  readonly #complements: readonly ComplementInverse[];
  readonly #product: RotatedProduct;
  readonly #blas: Blas;
  #shift: number;
  #valid = true;
  #refactoring = 0;

  /** Made by `factorKronecker`. */
  constructor(factors: KroneckerFactors, size: number, shift: number, team: Team) {
    const { core, layers } = factors;
    const complements: ComplementInverse[] = [];
    this.#factors = factors;
    this.#layers = layers.map((layer, ℓ): BasisLayer => {
      const eigen = factors.complements[ℓ];
      if (eigen === null) return layer;
      const n = eigen.values.length;
      const inverse = view(sharedFloat64(n * n), 0, n, n);
      complements.push({ ...eigen, inverse, outputs: layer.outputs - layer.units });
      return { ...layer, complement: inverse };
    });
    this.rows = size;
    this.cols = size;
    this.#core = core;
    this.#complements = complements;
    this.#blas = team.blas;
    this.#product = new RotatedProduct(this.#layers, size, core?.rows ?? 0, team);
    this.#shift = shift;
    this.#invertComplements(-1);
  }

  get size(): number {
    return this.rows;
  }
  /** λ. */
  get shift(): number {
    return this.#shift;
  }

  /** Bytes of all that a product reads: factors, basis, complement. */
  get bytes(): number {
    const ofLayers = this.#layers.reduce(
      (sum, { inputVectors, outputVectors, complement }) =>
        sum + inputVectors.data.byteLength + (outputVectors?.data.byteLength ?? 0) + (complement?.data.byteLength ?? 0),
      0,
    );
    return ofLayers + (this.#core?.bytes ?? 0);
  }

  /**
   * log det(G̃ + λI), all N eigenvalues counted; how far G̃'s is from G's depends on the share that it was given
   * (`kroneckerHierarchical`: the default is far off).
   */
  get logdet(): number {
    this.#requireValid();
    let rest = this.rows - (this.#core?.rows ?? 0);
    let sum = this.#core?.logdet ?? 0;
    for (const { values, outputs } of this.#complements) {
      rest -= values.length * outputs;
      for (const a of values) sum += outputs * Math.log(a + this.#shift);
    }
    return sum + rest * Math.log(this.#shift);
  }

  /**
   * X = (G̃ + λI)⁻¹·B for B of N × p, or an array of N numbers; returns `out` or a new matrix of B's precision. Throws
   * ShapeError; NonFiniteError where B holds NaN or ∞; OptionError after `release` or a failed `refactor`.
   */
  solve(given: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  solve<A extends FloatArray>(given: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  solve(given: Vectors, out?: Matrix): Matrix;
  solve(given: Vectors, out?: Matrix): Matrix {
    return this.#checked(-1, given, out, 'b');
  }

  /** S·Z with S·Sᵀ = G̃ + λI: N × p from N × p. Cost: that of a solve. Throws as `solve`. */
  applyFactor(z: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  applyFactor<A extends FloatArray>(z: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  applyFactor(z: Vectors, out?: Matrix): Matrix;
  applyFactor(z: Vectors, out?: Matrix): Matrix {
    return this.#checked(0.5, z, out, 'z');
  }

  /** S⁻ᵀ·Z, where S⁻ᵀ·S⁻¹ = (G̃ + λI)⁻¹. Throws as `solve`. */
  applyInverseFactor(z: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  applyInverseFactor<A extends FloatArray>(z: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  applyInverseFactor(z: Vectors, out?: Matrix): Matrix;
  applyInverseFactor(z: Vectors, out?: Matrix): Matrix {
    return this.#checked(-0.5, z, out, 'z');
  }

  #checked(power: Power, given: Vectors, out: Matrix | undefined, name: string): Matrix {
    const b = asVectors(given, name);
    if (b.rows !== this.rows)
      throw new ShapeError(
        `${name} has ${b.rows} rows; the factorization is of order ${this.rows}.${transposeHint(b, this.rows)}`,
        { rows: b.rows, expected: this.rows },
      );
    const x = out ?? zeros(b.rows, b.cols, precisionOf(b.data));
    checkView(x, 'out');
    if (x.rows !== b.rows || x.cols !== b.cols)
      throw new ShapeError(`out is ${x.rows} × ${x.cols}; the solution is ${b.rows} × ${b.cols}.`, {
        rows: x.rows,
        cols: x.cols,
        expected: [b.rows, b.cols],
      });
    for (let j = 0; j < b.cols; j++) {
      for (let i = 0, at = b.offset + j * b.ld; i < b.rows; i++, at++)
        if (!Number.isFinite(b.data[at]))
          throw new NonFiniteError(`${name} holds ${b.data[at]} in row ${i}, column ${j}.`, {
            row: i,
            column: j,
            value: b.data[at],
          });
    }
    this.#requireValid();
    this.#byPower(power, x, b);
    return x;
  }

  /** x ← the power of G̃ + λI (or its factor) times b; x may be b. */
  #byPower(power: Power, x: Matrix, b: Matrix): void {
    if (power !== -1) this.#invertComplements(power);
    try {
      this.#multiply(power, x, b, 1, 0);
    } finally {
      if (power !== -1) this.#invertComplements(-1);
    }
  }

  /**
   * Independent draws, N × count in float64, of N(0, G̃ + λI) or of N(0, (G̃ + λI)⁻¹): S·z with z standard normal and
   * S·Sᵀ the covariance, S made of the core's factor and square roots of the rest. Column j depends on seed and j
   * alone, but for rounding. Cost: that of a solve each. Throws OptionError.
   */
  sample(options: SampleOptions = {}): Matrix<Float64Array> {
    const asked = sampleOptions(options);
    this.#requireValid();
    const z = normalVectors(this.rows, asked);
    this.#byPower(asked.of === 'matrix' ? 0.5 : -0.5, z, z);
    return z;
  }

  /** out ← α·(G̃ + λI)⁻¹·X + β·out, shapes and values taken on trust; out may be X. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#requireValid();
    this.#multiply(-1, out, x, alpha, beta);
  }

  /**
   * By the inverse (power −1), or by S with S·Sᵀ the matrix (½) or its inverse (−½); the complements hold that power.
   */
  #multiply(power: Power, out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const core = this.#core;
    const gamma = this.#shift ** power;
    const less: LinearOperator | null = core && {
      rows: core.rows,
      cols: core.cols,
      symmetric: power === -1,
      applyUnchecked: (y, z) => {
        if (power === -1) core.applyUnchecked(y, z, 1, 0);
        else if (power === 0.5) core.applyFactor(z, y);
        else core.applyInverseFactor(z, y);
        addScaled(y, -gamma, z);
      },
    };
    this.#product.applyUnchecked({ core: less, gamma }, out, x, alpha, beta);
  }

  /** Factors again for another λ > 0, in place. Throws as `factorKronecker`. */
  async refactor(shift: number, control: RunControl = {}): Promise<this> {
    requireControl(control, 'refactor');
    requirePositiveShift(shift);
    this.#valid = false;
    this.#shift = shift;
    this.#refactoring++;
    try {
      await this.#core?.refactor(shift, { ...control, suggestShift: false });
    } finally {
      this.#refactoring--;
    }
    this.#invertComplements(-1);
    this.#valid = true;
    return this;
  }

  /**
   * What a solve goes by: of each layer (c·A + λI)⁻¹ − I/λ where c·A stands, and the factorization of H̃ + λI. Throws
   * OptionError as `solve`.
   */
  get inverse(): Pick<KroneckerFactors, 'layers' | 'core'> {
    this.#requireValid();
    return { layers: this.#layers, core: this.#core };
  }

  /** What a file keeps of it (`save`). Throws OptionError as `solve`. */
  get kept(): KroneckerFactors {
    this.#product.requireUsable();
    this.#requireValid();
    return this.#factors;
  }

  /** Frees what the workers hold; nothing can be solved any more. */
  release(): void {
    this.#product.release();
    this.#core?.release();
  }

  #requireValid(): void {
    if (!this.#valid) throw notFactored(this.#shift, this.#refactoring > 0);
  }

  /** inverse ← V·diag((a + λ)^power − λ^power)·Vᵀ, where 1/(a + λ) − 1/λ = −a/(λ(a + λ)). */
  #invertComplements(power: Power): void {
    const λ = this.#shift;
    for (const { values, vectors, inverse } of this.#complements) {
      const n = values.length;
      const scaled = zeros(n, n);
      for (let j = 0; j < n; j++)
        for (let i = 0; i < n; i++) scaled.data[i + j * n] = vectors.data[i + j * n] * powerLess(values[j], λ, power);
      this.#blas.gemm('N', 'T', 1, scaled, vectors, 0, inverse);
    }
  }
}
trustClass(KroneckerFactorization);

function decompose(gram: Matrix, blas: Blas): ComplementEigen {
  const n = gram.rows;
  const vectors = zeros(n, n);
  copyInto(vectors, gram);
  const values = new Float64Array(n);
  const info = blas.syevd(true, 'L', vectors, values);
  if (info !== 0)
    throw new FactorizationError(`The eigenvalues of the last layer's inputs were not found (syevd: info ${info}).`, {
      routine: 'syevd',
      info,
    });
  // A is a Gram matrix: what lies below zero is rounding.
  for (let i = 0; i < n; i++) values[i] = Math.max(0, values[i]);
  return { values, vectors };
}
