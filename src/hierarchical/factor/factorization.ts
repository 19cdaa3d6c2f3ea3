/**
 * A factorized hierarchical matrix: what `factor` returns.
 */
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { warn } from '../../core/warning.js';
import {
  asVectors,
  checkView,
  squaredNorm,
  transposeHint,
  view,
  zeros,
  type Matrix,
  type Precision,
  type FlatVector,
  type FloatArray,
  type Vectors,
} from '../../dense/matrix.js';
import { extremeEigenvalues, type RitzValue } from '../../krylov/lanczos.js';
import { normalVectors, sampleOptions, type SampleOptions } from '../../operator/draws.js';
import type { LinearOperator, OwnRowsOperator } from '../../operator/linear-operator.js';
import { movedRows } from '../../operator/moved-rows.js';
import type { RowShare } from '../../operator/row-share.js';
import { trustClass } from '../../operator/self-check.js';
import { shifted } from '../../operator/shifted.js';
import { requireControl, type RunControl } from '../../core/context.js';
import { precisionOf } from '../../core/floats.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Team } from '../../parallel/team.js';
import type { Kept } from '../../io/contents.js';
import type { Device } from '../../device/device.js';
import { DEVICE_PRECISION_KEYS, requireWholeOn, type DevicePrecisionOptions } from '../device/device-options.js';
import { breakdownError } from './breakdown.js';
import { checkShift, notFactored } from './breakdown-message.js';
import { DeviceFactorization } from './device/device-factorization.js';
import { sendHodlr } from './device/hodlr.js';
import { sendUlv } from './device/ulv.js';
import type { FactorEngine, Inertia } from './engine.js';
import type { PassKind } from './pass.js';
import { ownResult, ownVectors } from '../ranks/own-rows.js';
import { PassRunner } from './pass-runner.js';
import { gatherFactors } from './rank-file.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';

/** Options of `Factorization.conditionEstimate`. */
export interface ConditionOptions {
  /** Relative tolerance of the eigenvalues; default 1e-2. */
  readonly tolerance?: number | undefined;
  /** Most products with the matrix, and most solves; default 100 each. */
  readonly maxIterations?: number | undefined;
  /** Default 0. Seeds Lanczos' starting vectors. */
  readonly seed?: number | undefined;
}
/** The keys of {@link ConditionOptions}. */
const CONDITION_KEYS: KeysOf<ConditionOptions> = { tolerance: 'number', maxIterations: 'number', seed: 'number' };

/**
 * Eigenvalues of K̃ + λI of largest and smallest absolute value; `condition` is their quotient, never above the true
 * one but for rounding.
 */
export interface ConditionEstimate {
  readonly condition: number;
  readonly largest: number;
  readonly smallest: number;
  readonly converged: boolean;
}

const DIGITS_STREAM = 0xd16175;
/** What a residual in float32 may be, in units of its rounding, before it is said: three of seven digits. */
const MOST_LOST = 1e3;

/**
 * K̃ + λI = F·Fᵀ (or F·J·Fᵀ, J = diag(±1), where it was factored as indefinite), over a team. As a linear operator it
 * is the inverse: symmetric, and where nothing is indefinite positive definite to working precision, so that it
 * preconditions. Solves are synchronous and keep their workspace: 2N + (skeletons) numbers per vector, for at most 256
 * vectors (hierarchical/matrix/vector-chunks.ts).
 */
export class Factorization implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly #matrix: HierarchicalMatrix;
  readonly #engine: FactorEngine;
  readonly #team: Team;
  #shift: number;
  #valid = true;
  /** How many calls of `refactor` are under way. */
  #refactoring = 0;
  #released = false;
  readonly #passes: PassRunner;
  #own: OwnRowsOperator | undefined;

  /** Made by `factor`: the engine holds the factors for this shift. */
  constructor(matrix: HierarchicalMatrix, engine: FactorEngine, shift: number, team: Team) {
    this.rows = matrix.size;
    this.cols = matrix.size;
    this.#matrix = matrix;
    this.#engine = engine;
    this.#shift = shift;
    this.#team = team;
    this.#passes = new PassRunner(matrix.data, engine, team, () => matrix.onRows()!.rowShare);
  }

  get size(): number {
    return this.rows;
  }
  /** λ. */
  get shift(): number {
    return this.#shift;
  }
  /** Precision of the factors and of solves. */
  get precision(): Precision {
    return this.#engine.precision;
  }
  get indefinite(): boolean {
    return this.#engine.indefinite;
  }
  /** Bytes of the factors (of several ranks this one's) without the matrix's own and the workspace of solves. */
  get bytes(): number {
    return this.#engine.bytes;
  }
  /** Flops of a solve with p vectors, at most: 2p for each number of the factors, once downward and once upward. */
  flops(p: number): number {
    return 4 * p * (this.bytes / (this.precision === 'f64' ? 8 : 4));
  }
  /** Numbers of positive and negative eigenvalues of K̃ + λI. */
  get inertia(): Inertia {
    return this.#usable().inertia;
  }
  /**
   * log |det(K̃ + λI)|, with a relative error of order eps·cond at worst; the sign is (−1)^inertia.negative. O(N), from
   * the factors.
   */
  get logdet(): number {
    return this.#usable().logdet;
  }

  /**
   * X = (K̃ + λI)⁻¹·B for B of size N × p, or an array of N numbers; returns `out` or a new matrix of B's precision.
   * `out` may be B. Backward stable: ‖(K̃ + λI)X − B‖ ≲ eps·cond·‖B‖. Cost: O(r·N) flops a vector (HSS of rank r),
   * O(r·N·log N) (HODLR). Throws ShapeError; NonFiniteError where B holds NaN or ∞; OptionError after `release` or a
   * failed `refactor`.
   */
  solve(b: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  solve<A extends FloatArray>(b: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  solve(b: Vectors, out?: Matrix): Matrix;
  solve(b: Vectors, out?: Matrix): Matrix {
    return this.#checked('solve', b, out, 'b');
  }

  /**
   * X(own, :) of X = (K̃ + λI)⁻¹·B from B(own, :), both (own rows) × p, `own` that of the matrix: `solve` without
   * gathering the result on all ranks. Collective. Throws ShapeError; OptionError as `solve`.
   */
  solveOwn(b: Vectors, out?: Matrix): Matrix {
    this.#usable();
    const { x, y } = ownVectors(b, out, this.#passes.ownCount);
    this.#passes.runOwn('solve', y, x);
    return y;
  }

  /** (K̃ + λI)⁻¹ over own rows (`ownRows`): those of the matrix, or those given, which may be of another tree. */
  onRows(rows?: RowShare): OwnRowsOperator | undefined {
    const { rowShare } = this.#matrix.onRows()!;
    const own = (this.#own ??= {
      rows: rowShare.rows,
      cols: rowShare.rows,
      symmetric: true,
      precision: this.precision,
      rowShare,
      applyUnchecked: (out, x, alpha, beta) => {
        this.#usable();
        this.#passes.runOwn('solve', out, x, alpha, beta);
      },
    });
    return rows === undefined ? own : movedRows(own, rows);
  }

  /** out ← α·(K̃ + λI)⁻¹·X + β·out, shapes and values taken on trust. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#usable();
    this.#passes.run('solve', out, x, alpha, beta);
  }

  /**
   * F·Z, where F·Fᵀ = K̃ + λI: N × p from N × p. The columns of F have the factorization's own order. Throws as
   * `solve`, and OptionError where the factorization is indefinite.
   */
  applyFactor(z: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  applyFactor<A extends FloatArray>(z: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  applyFactor(z: Vectors, out?: Matrix): Matrix;
  applyFactor(z: Vectors, out?: Matrix): Matrix {
    this.#requireDefinite('F·Z');
    return this.#checked('factor', z, out, 'z');
  }

  /** F⁻ᵀ·Z, where F⁻ᵀ·F⁻¹ = (K̃ + λI)⁻¹. Throws as `applyFactor`. */
  applyInverseFactor(z: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  applyInverseFactor<A extends FloatArray>(z: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  applyInverseFactor(z: Vectors, out?: Matrix): Matrix;
  applyInverseFactor(z: Vectors, out?: Matrix): Matrix {
    this.#requireDefinite('F⁻ᵀ·Z');
    return this.#checked('inverse factor', z, out, 'z');
  }

  /**
   * (F·Z)(own, :), (own rows) × p, from all N rows of Z, the same on all ranks: `applyFactor` without gathering the
   * result, and so of format 'hss' without any message. Collective. Throws as `applyFactor`.
   */
  applyFactorOwn(z: Vectors, out?: Matrix): Matrix {
    this.#requireDefinite('F·Z');
    return this.#checkedOwn('factor', z, out);
  }

  /** (F⁻ᵀ·Z)(own, :), as `applyFactorOwn`. */
  applyInverseFactorOwn(z: Vectors, out?: Matrix): Matrix {
    this.#requireDefinite('F⁻ᵀ·Z');
    return this.#checkedOwn('inverse factor', z, out);
  }

  /**
   * Independent samples, N × count: F·z of N(0, K̃ + λI), or F⁻ᵀ·z of N(0, (K̃ + λI)⁻¹), z standard normal. Column j
   * depends on seed and j alone, but for rounding. Cost: half a solve each. Throws OptionError.
   */
  sample(options: SampleOptions = {}): Matrix<Float64Array> {
    const asked = sampleOptions(options);
    const z = normalVectors(this.rows, asked);
    return asked.of === 'matrix' ? this.applyFactor(z, z) : this.applyInverseFactor(z, z);
  }

  /** Own rows of `sample`, (own rows) × count, bit for bit. Every rank draws all of z. Collective. */
  sampleOwn(options: SampleOptions = {}): Matrix {
    const asked = sampleOptions(options);
    const z = normalVectors(this.rows, asked);
    return asked.of === 'matrix' ? this.applyFactorOwn(z) : this.applyInverseFactorOwn(z);
  }

  /**
   * diag((K̃ + λI)⁻¹), exactly but for rounding. HSS: selected inversion, O(r²·N), about two factorizations; HODLR:
   * O(r²·N·log² N), about one. Where several ranks have the matrix: collective. Throws OptionError, AbortedError.
   */
  async diagonalOfInverse(control: RunControl = {}): Promise<Float64Array> {
    requireControl(control, 'diagonalOfInverse');
    const diagonal = await this.#usable().diagonalOfInverse({ ...control, team: this.#team });
    // Each index is one rank's: all others have zeros there.
    if (this.#matrix.data.share !== undefined) this.#team.communicator.allreduce(diagonal, 'sum');
    return diagonal;
  }

  /** The rank's own rows of `diagonalOfInverse`, which nothing is gathered for. Collective. */
  async diagonalOfInverseOwn(control: RunControl = {}): Promise<Float64Array> {
    requireControl(control, 'diagonalOfInverseOwn');
    const diagonal = await this.#usable().diagonalOfInverse({ ...control, team: this.#team });
    return Float64Array.from(this.#matrix.own, (index) => diagonal[index]);
  }

  /** The 2-norm condition number of K̃ + λI by Lanczos, on products and on solves. Throws OptionError, AbortedError. */
  async conditionEstimate(asked: ConditionOptions = {}, control: RunControl = {}): Promise<ConditionEstimate> {
    requireKnownOptions(asked, CONDITION_KEYS, 'conditionEstimate');
    requireControl(control, 'conditionEstimate');
    this.#usable();
    const { tolerance = 1e-2, maxIterations = 100, seed = 0 } = asked;
    const options = { blas: this.#team.blas, tolerance, maxIterations, seed };
    const size = ({ smallest, largest }: { smallest: RitzValue; largest: RitzValue }): number =>
      Math.max(Math.abs(smallest.value), Math.abs(largest.value));
    const direct = await extremeEigenvalues(shifted(this.#matrix, this.#shift), options, control);
    const inverse = await extremeEigenvalues(this, options, control);
    const largest = size(direct);
    const smallest = 1 / size(inverse);
    return {
      condition: largest / smallest,
      largest,
      smallest,
      converged: direct.outcome === 'converged' && inverse.outcome === 'converged',
    };
  }

  /**
   * Factors again for another λ, in place and without compressing: what depends on ranks alone is kept. Throws as
   * `factor`; the factorization is then unusable until a `refactor` succeeds.
   */
  async refactor(
    shift: number,
    control: RunControl & { readonly suggestShift?: boolean | undefined } = {},
  ): Promise<this> {
    if (this.#released) throw new OptionError('The factorization was released.');
    checkShift(shift, this.indefinite);
    requireControl(control, 'refactor', { suggestShift: 'boolean' });
    const { suggestShift = true, signal, onProgress } = control;
    const teamControl = { signal, onProgress, team: this.#team };
    this.#valid = false;
    this.#shift = shift;
    this.#refactoring++;
    const breakdown = await this.#engine.refactor(shift, teamControl).finally(() => {
      this.#refactoring--;
    });
    if (breakdown !== undefined)
      throw await breakdownError(this.#matrix, this.#engine, breakdown, { shift, suggest: suggestShift }, teamControl);
    this.#valid = true;
    this.warnOfDigits(control);
    return this;
  }

  /**
   * In float32: one solve and one product with a seeded vector tell what the condition number leaves of seven digits;
   * where three or more are lost there is a warning (code 'float32-digits'). `factor` and `refactor` call it.
   */
  warnOfDigits(control: RunControl): void {
    if (this.precision === 'f64') return;
    const b = view(sharedFloat64(this.rows), 0, this.rows, 1);
    new RandomStream(0, DIGITS_STREAM).fillNormal(b.data as Float64Array);
    const rest = view(Float64Array.from(b.data), 0, this.rows, 1);
    shifted(this.#matrix, this.#shift).applyUnchecked(rest, this.solve(b), -1, 1);
    const residual = Math.sqrt(squaredNorm(rest) / squaredNorm(b));
    // One of several ranks says it.
    if (residual <= MOST_LOST * 2 ** -24 || this.#team.communicator.rank > 0) return;
    const lost = Math.min(7, Math.round(Math.log10(residual * 2 ** 24)));
    warn(
      'float32-digits',
      `Factored in float32 with λ = ${this.#shift}, solves have a relative residual of about ` +
        `${residual.toExponential(0)}: the condition number costs about ${lost} of 7 digits. Factor with precision ` +
        `'f64', or take a larger shift.`,
      control,
    );
  }

  /**
   * Puts the factorization on a device (`openDevice`), where it solves: factors and lists are sent once and stay until
   * `release`. This copy stays as it is. Measures one solve there by a product here. Throws OptionError for an
   * indefinite one or one that several ranks have, MemoryError before anything is sent, NonFiniteError for numbers
   * beyond float32, DeviceError, DeviceLostError.
   */
  async to(device: Device, options: DevicePrecisionOptions = {}): Promise<DeviceFactorization> {
    const engine = this.#usable();
    const { data } = this.#matrix;
    const asked = { own: this.precision, options, keys: DEVICE_PRECISION_KEYS };
    const precision = requireWholeOn(device, data, asked, 'factorization.to');
    const known = { shift: this.#shift, logdet: engine.logdet };
    const { byFormat } = engine;
    const factors =
      byFormat.format === 'ulv'
        ? await sendUlv(byFormat.factors, known, device, precision)
        : await sendHodlr(byFormat.factors, known, device, precision);
    return DeviceFactorization.make(data, device, factors, async (x) => this.#matrix.apply(x));
  }

  /** What a file keeps of it (`save`): the matrix, and the factors by name. Throws OptionError as `solve`. */
  get kept(): { readonly matrix: HierarchicalMatrix; readonly factors: FactorEngine['kept'] } {
    return { matrix: this.#matrix, factors: this.#usable().kept };
  }

  /**
   * What a file keeps: where several ranks have the matrix, put together on the first one (ranks/gather.ts), and what
   * they do as it is written. Collective.
   */
  whole(): Pick<Kept, 'ranks'> & {
    readonly matrix: Pick<HierarchicalMatrix, 'data' | 'elements' | 'report'>;
    readonly factors: FactorEngine['kept'];
  } {
    const engine = this.#usable();
    const { ranks, ...matrix } = this.#matrix.whole();
    const factors =
      this.#matrix.data.share === undefined
        ? engine.kept
        : gatherFactors(engine, engine.places(matrix.data), this.#team.communicator);
    return { matrix, factors, ranks };
  }

  /** Frees what the workers hold of it; nothing can be solved any more. The matrix is not touched. */
  release(): void {
    this.#released = true;
    this.#passes.release();
  }

  #usable(): FactorEngine {
    if (this.#released) throw new OptionError('The factorization was released.');
    if (!this.#valid) throw notFactored(this.#shift, this.#refactoring > 0);
    return this.#engine;
  }

  #requireDefinite(what: string): void {
    if (this.indefinite)
      throw new OptionError(
        `${what} and samples need a positive definite factorization: factor without { indefinite: true }.`,
      );
  }

  /** Vectors of N finite rows. Throws ShapeError, NonFiniteError. */
  #input(vectors: Vectors, name: string): Matrix {
    const x = asVectors(vectors, name);
    const n = this.rows;
    if (x.rows !== n)
      throw new ShapeError(`${name} has ${x.rows} rows; the factorization is of order ${n}.${transposeHint(x, n)}`, {
        rows: x.rows,
        expected: n,
      });
    const { data } = x;
    for (let j = 0; j < x.cols; j++) {
      const column = x.offset + j * x.ld;
      for (let i = column; i < column + n; i++) {
        const value = data[i];
        if (value - value !== 0)
          throw new NonFiniteError(`${name} holds ${value} in row ${i - column}, column ${j}.`, {
            row: i - column,
            column: j,
            value,
          });
      }
    }
    return x;
  }

  #checked(kind: PassKind, vectors: Vectors, out: Matrix | undefined, name: string): Matrix {
    this.#usable();
    const x = this.#input(vectors, name);
    const n = this.rows;
    const y = out ?? zeros(n, x.cols, precisionOf(x.data));
    checkView(y, 'out');
    if (y.rows !== n || y.cols !== x.cols)
      throw new ShapeError(`out is ${y.rows} × ${y.cols}; the solution is ${n} × ${x.cols}.`, {
        rows: y.rows,
        cols: y.cols,
        expected: [n, x.cols],
      });
    this.#passes.run(kind, y, x, 1, 0);
    return y;
  }

  #checkedOwn(kind: PassKind, vectors: Vectors, out: Matrix | undefined): Matrix {
    this.#usable();
    const x = this.#input(vectors, 'z');
    const y = ownResult(x, out, this.#passes.ownCount);
    this.#passes.runOwn(kind, y, x);
    return y;
  }
}
trustClass(Factorization);
