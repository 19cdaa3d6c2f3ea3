/**
 * (G + λI)d = −g for few samples, by a matrix of their outputs: G = BᵀB + μI_W with B = n^{−½}(LᵢᵀJᵢ)ᵢ, nr × N, LLᵀ the
 * loss's Hessian, and with the diagonal M = λI + μI_W
 *
 *   (BᵀB + M)⁻¹ = M⁻¹ − M⁻¹Bᵀ(I + BM⁻¹Bᵀ)⁻¹BM⁻¹.
 *
 * J is never made: row (a, i) of B has the outer products of Ā_{ℓ−1}'s column i and errors δ, so that with D_ℓ = (δ of
 * all rows)
 *
 *   BM⁻¹Bᵀ = (1/n) Σ_ℓ (ĀᵀM⁻¹Ā)∘(D_ℓᵀD_ℓ),  Bx = n^{−½} Σ_ℓ D_ℓ·(X_ℓᵀĀ),  Bᵀy = n^{−½} Ā(Σ_a y_a∘D_ℓ)ᵀ.
 *
 * One step of refinement by a product with G takes back what single precision lost.
 */
import { NotPositiveDefiniteError, OptionError } from '../../core/errors.js';
import { inUnits } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { floats, precisionOf, type FloatArray } from '../../core/floats.js';
import { block, view } from '../../dense/matrix.js';
import { gatherPortions, ownPortion } from '../../distributed/portion.js';
import { layerWeights } from '../../network/network.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { requirePerceptron, type PerceptronObjective } from '../objective/perceptron-objective.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { StepPlan } from '../optimizer.js';
import type { Point } from './point.js';
import { ready, type Steps } from './steps.js';
import type { Bound, Solved, Solver, SolverPlan } from './solver.js';
import type { Space, Vectors } from './vectors.js';

/** Residual from which on a solution is refined, and how often at most. */
const REFINED = 1e-10;
const MOST_TURNS = 2;

/** Outputs of the widest layer, and of all. */
export const widest = ({ layers }: ParameterLayout): number => Math.max(...layers.map(({ outputs }) => outputs));
const units = ({ layers }: ParameterLayout): number => layers.reduce((sum, { outputs }) => sum + outputs, 0);

/**
 * The dual solver of Gauss–Newton systems: 2nr(nr + N) flops for the matrix, (nr)³/3 for each λ. Numbers: nr for each
 * of the network's units, 3(nr)² in float64. Ranks make panels of the matrix, and exchange them: 2(nr)² numbers; each
 * factors it.
 */
export const dualSolver = (): SolverPlan => ({
  spare(network, batchSize) {
    requireDual(batchSize * network.outputs);
    return (
      (units(network) * network.outputs + widest(network)) * batchSize +
      16 * (network.layers.length + 1) +
      2 * vectorNumbers(network.parameters)
    );
  },
  begin(objective) {
    const own = requirePerceptron(objective, "solver: 'dual'", "solver: 'cg'");
    return new DualSolver(new DualHere(own), own.vector(), own.vector());
  },
});

/** Most rows, samples times outputs: 8 GB. */
const MOST_ROWS = 16_000;

/** Throws OptionError for more rows than a dual system may have. */
function requireDual(rows: number): void {
  if (rows > MOST_ROWS) {
    throw new OptionError(
      `A dual system of ${rows} rows, samples times outputs, takes ${inUnits(32 * rows * rows)}: at most ` +
        `${MOST_ROWS} are taken. Choose smaller batches, or solver: 'cg'.`,
      { rows, most: MOST_ROWS },
    );
  }
}

/** Panels of columns that the matrix is made in, by ranks in portions: as many numbers each, but for rounding. */
const PANELS = 16;

/** First column of a panel of a lower triangle with so many rows; that of the next one ends it. */
const panelFirst = (rows: number, panel: number): number => rows - Math.round(rows * Math.sqrt(1 - panel / PANELS));

/** B and the dual matrix of a batch, wherever they lie. */
export interface DualPlaces<S extends Space = Vectors> {
  /** Makes them of the loaded batch, at the point. */
  gather(point: Point<S>): Steps<void>;
  /** The factor of I + BM⁻¹Bᵀ; false where there is none. */
  factor(λ: number): Steps<boolean>;
  /** x ← (G + λI)⁻¹b by the last factor, which is that of λ; b stays. */
  solve(point: Point<S>, λ: number, b: FloatArray, x: FloatArray): void;
}

/** The solver, with vectors in S. */
export class DualSolver<S extends Space = Vectors> implements Solver<S> {
  readonly rule = 'dual gauss-newton';
  readonly #places: DualPlaces<S>;
  readonly #right: FloatArray;
  readonly #part: FloatArray;
  #factored = Number.NaN;

  /** Two vectors are its own. */
  constructor(places: DualPlaces<S>, right: FloatArray, part: FloatArray) {
    this.#places = places;
    this.#right = right;
    this.#part = part;
  }

  prepare(point: Point<S>): Steps<void> {
    this.#factored = Number.NaN;
    return this.#places.gather(point);
  }

  *solve(point: Point<S>, bound: Bound, d: FloatArray): Steps<Solved> {
    if (!('damping' in bound) || !(bound.damping > 0))
      throw new OptionError('A dual solver takes a damping above 0.', { bound });
    const λ = bound.damping;
    const { space } = point;
    // Of the same λ it stands.
    if (this.#factored !== λ) {
      this.#factored = Number.NaN;
      if (!(yield* this.#places.factor(λ)))
        throw new NotPositiveDefiniteError(
          `The dual system has no Cholesky factor at damping ${λ}: it is below what ${precisionOf(this.#right)} can ` +
            `tell from zero. Take more.`,
          { damping: λ },
        );
      this.#factored = λ;
    }
    const b = this.#right;
    space.combine(-1, point.gradient, 0, b);
    this.#places.solve(point, λ, b, d);
    let residual = Infinity;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      yield* point.product('gauss-newton', λ, { v: d, out: b });
      space.combine(-1, point.gradient, -1, b);
      const before = residual;
      const [square] = yield* space.dots([b, b]);
      residual = point.gradientNorm === 0 ? 0 : Math.sqrt(square) / point.gradientNorm;
      if (residual <= REFINED || !(residual < before) || turn + 1 === MOST_TURNS) break;
      this.#places.solve(point, λ, b, this.#part);
      space.add(1, this.#part, d);
    }
    const [slope, length, rest] = yield* space.dots([point.gradient, d], [d, d], [b, d]);
    // With the residual ρ = −g − (G + λI)d: dᵀGd = −gᵀd − λdᵀd − ρᵀd.
    const bend = -slope - λ * length - rest;
    return { model: slope + 0.5 * bend, residual };
  }
}

/** Those of a perceptron here. */
class DualHere implements DualPlaces {
  readonly #objective: PerceptronObjective;
  readonly #errors: readonly FloatArray[];
  readonly #images: FloatArray;
  /** ĀᵀĀ∘DᵀD of weights, DᵀD of biases, and the factor: (nr)² each. */
  readonly #weights: Float64Array;
  readonly #biases: Float64Array;
  readonly #factor: Float64Array;
  readonly #gram: FloatArray;
  readonly #inputs: FloatArray;
  readonly #y: Float64Array;

  constructor(objective: PerceptronObjective) {
    const { network, capacity, precision } = objective;
    const rows = capacity * network.outputs;
    this.#objective = objective;
    this.#errors = network.layers.map(({ outputs }) => objective.take(outputs * rows));
    this.#images = objective.take(widest(network) * capacity);
    this.#weights = sharedFloat64(rows * rows);
    this.#biases = sharedFloat64(rows * rows);
    this.#factor = sharedFloat64(rows * rows);
    this.#gram = floats(rows * rows, precision);
    this.#inputs = floats(capacity * capacity, precision);
    this.#y = new Float64Array(rows);
  }

  gather({ plan }: Point): Steps<void> {
    this.#gather(plan);
    return ready(undefined);
  }

  #gather(plan: StepPlan): void {
    const { network, count, blas } = this.#objective;
    const r = network.outputs;
    const rows = count * r;
    this.#weights.fill(0, 0, rows * rows);
    this.#biases.fill(0, 0, rows * rows);
    for (let a = 0; a < r; a++) {
      this.#objective.column(a);
      network.layers.forEach(({ outputs }, ℓ) => {
        const from = this.#objective.errorsOf(ℓ);
        this.#errors[ℓ].set(from.subarray(0, outputs * count), a * outputs * count);
      });
    }
    const { team } = this.#objective;
    const own = team === undefined ? { first: 0, end: PANELS } : ownPortion(team.communicator, PANELS);
    network.layers.forEach(({ width, inputs }, ℓ) => {
      if (plan.layers[ℓ] === null) return;
      const a = view(this.#objective.inputsOf(ℓ), 0, inputs, count, width);
      blas.gemm('T', 'N', 1 / count, a, a, 0, view(this.#inputs, 0, count, count));
      for (let panel = own.first; panel < own.end; panel++) this.#addPanel(panel, ℓ, rows);
    });
    if (team === undefined) return;
    const endOf = (panel: number): number => panelFirst(rows, panel + 1) * rows;
    for (const numbers of [this.#weights, this.#biases])
      gatherPortions(team.communicator, numbers, PANELS, { begin: 0, endOf });
  }

  /** Adds a layer to the columns of a panel, from the diagonal down. */
  #addPanel(panel: number, ℓ: number, rows: number): void {
    const { network, count, blas } = this.#objective;
    const { width, inputs, outputs } = network.layers[ℓ];
    const [first, end] = [panelFirst(rows, panel), panelFirst(rows, panel + 1)];
    if (first === end) return;
    const d = view(this.#errors[ℓ], 0, outputs, rows);
    const below = view(this.#gram, first * rows + first, rows - first, end - first, rows);
    blas.gemm(
      'T',
      'N',
      1,
      block(d, 0, first, outputs, rows - first),
      block(d, 0, first, outputs, end - first),
      0,
      below,
    );
    for (let j = first; j < end; j++) {
      const column = (j % count) * count;
      for (let i = j, at = j * rows + j; i < rows; i++, at++) {
        const product = this.#gram[at];
        this.#weights[at] += product * this.#inputs[column + (i % count)];
        if (width > inputs) this.#biases[at] += product / count;
      }
    }
  }

  factor(λ: number): Steps<boolean> {
    const rows = this.#objective.count * this.#objective.network.outputs;
    const byWeight = 1 / (λ + this.#objective.regularization);
    for (let j = 0; j < rows; j++) {
      for (let i = j, at = j * rows + j; i < rows; i++, at++)
        this.#factor[at] = this.#weights[at] * byWeight + this.#biases[at] / λ + (i === j ? 1 : 0);
    }
    return ready(this.#objective.blas.potrf('L', view(this.#factor, 0, rows, rows)) === 0);
  }

  solve(point: Point, λ: number, b: FloatArray, x: FloatArray): void {
    const { network, count, blas } = this.#objective;
    const rows = count * network.outputs;
    const root = 1 / Math.sqrt(count);
    this.#divide(λ, b, x);
    const y = this.#y.subarray(0, rows);
    y.fill(0);
    const images = this.#images;
    this.#free(point, (ℓ) => {
      const layer = network.layers[ℓ];
      const { outputs, width } = layer;
      const a = view(this.#objective.inputsOf(ℓ), 0, width, count);
      blas.gemm('T', 'N', root, layerWeights(layer, x), a, 0, view(images, 0, outputs, count));
      const d = this.#errors[ℓ];
      for (let row = 0; row < rows; row++) {
        let sum = 0;
        for (let p = 0, at = row * outputs, to = (row % count) * outputs; p < outputs; p++)
          sum += d[at + p] * images[to + p];
        y[row] += sum;
      }
    });
    const factor = view(this.#factor, 0, rows, rows);
    blas.trsm('L', 'L', 'N', 'N', 1, factor, view(y, 0, rows, 1));
    blas.trsm('L', 'L', 'T', 'N', 1, factor, view(y, 0, rows, 1));
    // x ← M⁻¹(b − Bᵀy)
    point.space.copy(b, x);
    this.#free(point, (ℓ) => {
      const layer = network.layers[ℓ];
      const { outputs, width } = layer;
      const d = this.#errors[ℓ];
      images.fill(0, 0, outputs * count);
      for (let row = 0; row < rows; row++)
        for (let p = 0, at = row * outputs, to = (row % count) * outputs; p < outputs; p++)
          images[to + p] += y[row] * d[at + p];
      const a = view(this.#objective.inputsOf(ℓ), 0, width, count);
      blas.gemm('N', 'T', -root, a, view(images, 0, outputs, count), 1, layerWeights(layer, x));
    });
    this.#divide(λ, x, x);
  }

  #free({ plan }: Point, work: (ℓ: number) => void): void {
    this.#objective.network.layers.forEach((_, ℓ) => {
      if (plan.layers[ℓ] !== null) work(ℓ);
    });
  }

  /** y ← M⁻¹x */
  #divide(λ: number, x: FloatArray, y: FloatArray): void {
    const { kernels, network, regularization } = this.#objective;
    kernels.combine(x.length, 1 / (λ + regularization), x, 0, y);
    if (regularization === 0) return;
    const back = (λ + regularization) / λ;
    for (const { width, inputs, outputs, offset } of network.layers)
      for (let p = 0; p < outputs && width > inputs; p++) y[offset + p * width + inputs] *= back;
  }
}
