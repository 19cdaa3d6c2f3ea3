/**
 * The whole matrix of curvature on a device (../newton/dense-solver.ts): its columns are products with unit vectors,
 * (C + λI)d = −g by Cholesky there. Where C + λI is not positive definite the matrix comes here for its eigenpairs.
 */
import { OptionError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import { largest, writing } from '../../tape/device/maps.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import type { SolverThere } from '../newton/compose.js';
import {
  ROUNDING_SHARE,
  solveByEigenpairs,
  type DenseSettings,
  type NegativeEigenvalues,
} from '../newton/dense-solver.js';
import type { NewtonCurvature, NewtonObjective } from '../newton/newton-objective.js';
import type { Point } from '../newton/point.js';
import type { Bound, Solved, Solver } from '../newton/solver.js';
import { awaited, type Steps } from '../newton/steps.js';
import { vectorNumbers } from '../objective/workspace.js';

/**
 * A column's number or λ, whether there is a factor, its largest and least pivot (with the sign turned), and the
 * largest of C's diagonal.
 */
const FEW = 5;
const SCALE = 4;

/** v ← the unit vector whose number is h[s]. */
const UNIT = writing('unit vector', ['v', 's'], 'h[v + i] = select(0.0, 1.0, i == int(h[s]));');
/** Column h[s] of a matrix of n rows ← x. */
const COLUMN = writing('column of a matrix', ['y', 'x', 's', 'n'], 'h[y + int(h[s]) * n + i] = h[x + i];');
/**
 * Y ← (X + Xᵀ)/2 + h[s]·I, of n rows. Where asked, parameters without curvature and gradient (of inputs that are
 * zero) get the largest besides: they stay, and are no reason to call the matrix singular.
 */
const SYMMETRIC = writing(
  'shifted symmetric part',
  ['y', 'x', 's', 'n', 'rows', 'gradient', 'fills', 'scale'],
  `int row = i % n;
int column = i / n;
real result = 0.5 * (h[x + i] + h[x + column + row * n]);
if (row == column) {
  result = result + h[s];
  if (fills > 0 && h[rows + row] == 0.0 && h[gradient + row] == 0.0) { result = result + h[scale]; }
}
h[y + i] = result;`,
);
/** y ← the largest of sign·x at every `step`. */
const PIVOT = largest('largest pivot', ['x', 'step', 'sign'], 'value = real(sign) * h[x + k * step];');

/** y_i ← max |X_ik| of n rows. */
const ROWS = largest('largest of each row', ['x', 'n'], 'value = abs(h[x + i + k * n]);');

/** Columns that cuSOLVER is thought to work in, of systems from so many rows on (device/cuda/factors.ts). */
const FACTOR_COLUMNS = 256;
const FACTOR_ROWS = 993;

/**
 * Numbers that a factorization of so many rows works in there, as is thought: how many they are is known when it is
 * planned, which is refused where they do not fit.
 */
export const factorNumbersThere = (rows: number): number => (rows < FACTOR_ROWS ? 0 : FACTOR_COLUMNS * rows);

/** The dense solver on a device: 2N² numbers there. */
export const denseThere = (settings: CurvatureSettings): SolverThere => ({
  apart: ({ parameters }) => 2 * vectorNumbers(parameters ** 2) + vectorNumbers(parameters) + vectorNumbers(FEW),
  beside: ({ parameters }) => factorNumbersThere(parameters),
  begin: (objective, own) => new DenseSolverOnDevice(objective, own, settings),
});

type CurvatureSettings = Pick<DenseSettings, 'curvature' | 'eigenvalues'>;

class DenseSolverOnDevice implements Solver<DeviceVectors> {
  readonly rule: string;
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #curvature: NewtonCurvature;
  readonly #eigenvalues: NegativeEigenvalues;
  readonly #unit: FloatArray;
  readonly #column: FloatArray;
  /** Where C, a factor of C + λI, the largest entry of each row, and the few numbers stand. */
  readonly #matrix: number;
  readonly #factor: number;
  readonly #rows: number;
  readonly #few: number;
  #eigenpairs: { readonly vectors: Matrix<Float64Array>; readonly values: Float64Array } | null = null;

  constructor(
    objective: DeviceObjective,
    { space, vector }: NewtonObjective<DeviceVectors>,
    { curvature, eigenvalues }: CurvatureSettings,
  ) {
    const n = objective.network.parameters;
    this.rule = `dense ${curvature}`;
    this.#objective = objective;
    this.#space = space;
    this.#curvature = curvature;
    this.#eigenvalues = eigenvalues;
    this.#unit = vector();
    this.#column = vector();
    const place = (length: number): number => objective.placeOf(objective.apart(length));
    this.#matrix = place(n * n);
    this.#factor = place(n * n);
    this.#rows = place(n);
    this.#few = place(FEW);
  }

  *prepare(point: Point<DeviceVectors>): Steps<void> {
    const { batch } = this.#objective;
    const n = this.#space.length;
    const [unit, column] = [this.#unit, this.#column].map((vector) => this.#objective.placeOf(vector));
    const [v, s] = [this.#unit, this.#few];
    const first = { kernel: UNIT, count: n, integers: [unit, s], reals: [] };
    const then = { kernel: COLUMN, count: n, integers: [this.#matrix, column, s, n], reals: [] };
    for (let j = 0; j < n; j++) {
      this.#space.inOrder(async () => {
        batch.write([j], s);
        (await batch.prepared('unit', () => [first])).run();
      });
      yield* point.product(this.#curvature, 0, { v, out: this.#column });
      this.#space.inOrder(async () => (await batch.prepared('column', () => [then])).run());
    }
    const at = this.#matrix;
    const scan = [
      { kernel: ROWS, count: n, integers: [this.#rows, n, at, n], reals: [] },
      { kernel: PIVOT, count: 1, integers: [s + SCALE, n, at, n + 1, 1], reals: [] },
    ];
    this.#space.inOrder(async () => (await batch.prepared('scan', () => scan)).run());
    this.#eigenpairs = null;
  }

  *solve(point: Point<DeviceVectors>, bound: Bound, d: FloatArray): Steps<Solved> {
    if (!('damping' in bound)) throw new OptionError('A dense solver takes a damping, not a radius.', {});
    const λ = bound.damping;
    const space = this.#space;
    if (this.#eigenpairs === null && !(yield* awaited(space.ask(async () => this.#factored(λ, point)))))
      this.#eigenpairs = yield* awaited(space.ask(async () => this.#decomposed()));
    if (this.#eigenpairs !== null) return yield* awaited(space.ask(async () => this.#byEigenpairs(point, λ, d)));
    space.combine(-1, point.gradient, 0, d);
    space.inOrder(async () => this.#substitute(d));
    const [slope, square] = yield* space.dots([point.gradient, d], [d, d]);
    return { model: slope - 0.5 * (slope + λ * square), negativeCurvature: null };
  }

  /** The factor ← the lower triangle of Cholesky's of C + λI; whether there is one. */
  async #factored(λ: number, { gradient }: Point<DeviceVectors>): Promise<boolean> {
    const { batch } = this.#objective;
    const n = this.#space.length;
    const [at, few] = [this.#factor, this.#few];
    await this.#shifted(λ, gradient);
    const pivot = (sign: number, to: number) => ({
      kernel: PIVOT,
      count: 1,
      integers: [to, n, at, n + 1, sign],
      reals: [],
    });
    const launches = await batch.prepared('cholesky', () => [
      { triangles: { kind: 'cholesky', triangles: [{ offset: at, ld: n, order: n, status: few + 1 }] } },
      pivot(1, few + 2),
      pivot(-1, few + 3),
    ]);
    launches.run();
    const [status, most, least] = await batch.read(3, few + 1);
    // A pivot that is rounding makes a factor of nothing.
    return status === 0 && -least > Math.sqrt(ROUNDING_SHARE[batch.precision]) * most;
  }

  /** The factor's place ← (C + Cᵀ)/2 + λI; with a gradient, parameters that have none and no curvature stay. */
  async #shifted(λ: number, gradient?: FloatArray): Promise<void> {
    const { batch } = this.#objective;
    const n = this.#space.length;
    batch.write([λ], this.#few);
    const g = gradient === undefined ? 0 : this.#objective.placeOf(gradient);
    const fills = gradient === undefined ? 0 : 1;
    const integers = [this.#factor, this.#matrix, this.#few, n, this.#rows, g, fills, this.#few + SCALE];
    (
      await batch.prepared(`shifted ${fills} ${g}`, () => [{ kernel: SYMMETRIC, count: n * n, integers, reals: [] }])
    ).run();
  }

  /** d ← L⁻ᵀL⁻¹d. */
  async #substitute(d: FloatArray): Promise<void> {
    const n = this.#space.length;
    const at = this.#objective.placeOf(d);
    const triangle = { offset: this.#factor, ld: n, order: n };
    const systems = [{ triangle, x: { block: { offset: at, ld: n }, columns: 1 } }];
    const launches = await this.#objective.batch.prepared(`substitute ${at}`, () =>
      [false, true].map((transposed) => ({ triangles: { kind: 'substitutions', transposed, systems } })),
    );
    launches.run();
  }

  async #decomposed(): Promise<{ readonly vectors: Matrix<Float64Array>; readonly values: Float64Array }> {
    const { batch, options } = this.#objective;
    const n = this.#space.length;
    await this.#shifted(0);
    const vectors = view(Float64Array.from(await batch.read(n * n, this.#factor)), 0, n, n);
    return { vectors, values: symmetricEigen(options.blas, vectors, 'the curvature') };
  }

  async #byEigenpairs({ gradient }: Point<DeviceVectors>, λ: number, d: FloatArray): Promise<Solved> {
    const { batch, options } = this.#objective;
    const { vectors, values } = this.#eigenpairs!;
    const g = await batch.read(this.#space.length, this.#objective.placeOf(gradient));
    const x = Float64Array.from(g, (value) => -value);
    const how = { λ, eigenvalues: this.#eigenvalues, share: ROUNDING_SHARE[batch.precision] };
    const { bend, least } = solveByEigenpairs(options.blas, { vectors, values }, how, x);
    batch.write(x, this.#objective.placeOf(d));
    const slope = x.reduce((sum, own, j) => sum + own * g[j], 0);
    return { model: slope + 0.5 * bend, negativeCurvature: least };
  }
}
