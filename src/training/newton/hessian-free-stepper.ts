/**
 * Hessian-free optimization (J. Martens, ICML 2010): (G + λI)x = −∇f by conjugate gradients from the decayed solution
 * of the step before, stopped by φ; G on the batch's first share, ∇f on all of it; of the kept iterates the one where f
 * begins to rise is left, going backwards; λ by the ratio.
 */
import type { AbortSignalLike } from '../../core/context.js';
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { StepPlan, StepReport } from '../optimizer.js';
import { nextDamping, reductionRatio, type DampingRule } from './adaptation.js';
import { conjugateGradients, type CgOutcome, type CgPlaces } from './conjugate-gradients.js';
import { armijo } from './line-search.js';
import type { NewtonMethod } from './method.js';
import type { NewtonObjective } from './newton-objective.js';
import { vectorNumbers } from '../objective/workspace.js';
import { Point } from './point.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import type { Steps } from './steps.js';
import type { Space } from './vectors.js';

/** Settings of {@link HessianFreeStepper}. */
export interface HessianFreeSettings {
  readonly damping: number;
  /** Null: λ stays. */
  readonly rule: DampingRule | null;
  readonly iterations: number;
  /** ε of the stop by φ. */
  readonly progress: number;
  readonly warmStart: number;
  readonly curvatureShare: number;
}

/** Iterates that are kept: of 2,000 iterations some 27, the last place taken by the last. */
const KEPT = 16;

/** Makes a preconditioner, whose scalars go among those of the stepper. */
export type BeginPreconditioner<S extends Space> = (numbers: Record<string, number>) => Preconditioner<S> | undefined;

/** Numbers of memory besides the preconditioner's. */
export const hessianFreeNumbers = ({ parameters }: ParameterLayout): number => (KEPT + 8) * vectorNumbers(parameters);

/** Hessian-free optimization on one objective, with vectors in S. */
export class HessianFreeStepper<S extends Space> implements NewtonMethod {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly rules: readonly string[];
  readonly prepare?: (signal: AbortSignalLike | undefined) => Promise<void>;
  readonly #settings: HessianFreeSettings;
  readonly #point: Point<S>;
  readonly #preconditioner: Preconditioner<S> | undefined;
  readonly #places: CgPlaces;
  readonly #b: FloatArray;
  readonly #x: FloatArray;
  readonly #d: FloatArray;
  readonly #kept: readonly FloatArray[];

  constructor(objective: NewtonObjective<S>, settings: HessianFreeSettings, begin: BeginPreconditioner<S>) {
    this.#settings = settings;
    this.#point = new Point(objective);
    const vector = (): FloatArray => objective.vector();
    this.#places = { r: vector(), p: vector(), q: vector(), z: vector() };
    this.#b = vector();
    this.#x = objective.state();
    this.#d = vector();
    this.#kept = Array.from({ length: KEPT }, vector);
    this.numbers = { damping: settings.damping, warm: 0, negativeCurvatures: 0, rejections: 0 };
    const preconditioner = begin(this.numbers);
    this.#preconditioner = preconditioner;
    this.arrays = { solution: this.#x, ...preconditioner?.arrays };
    this.rules = objective.network.layers.map(() => 'hessian-free');
    if (preconditioner?.ready !== undefined)
      this.prepare = (signal) => preconditioner.ready!(this.#samples, this.numbers['damping'], signal);
  }

  restored(): void {
    this.#preconditioner?.restored?.();
  }

  /** Samples of the curvature. */
  get #samples(): number {
    return Math.max(1, Math.round(this.#settings.curvatureShare * this.#point.objective.batch.count));
  }

  *steps(plan: StepPlan): Steps<StepReport> {
    const point = this.#point;
    const { numbers } = this;
    const { damping } = numbers;
    yield* point.begin(plan);
    if (point.gradientNorm === 0) return point.report(0, { slope: 0, square: 0 });
    const { space } = point;
    const samples = this.#samples;
    const preconditioner = this.#preconditioner;
    if (preconditioner !== undefined) yield* preconditioner.prepare(point, samples, damping);
    const found = yield* this.#solve(samples, damping);
    preconditioner?.took?.(found.iterations);
    if (!(yield* space.isFinite(this.#x))) {
      // Nothing of it can be used: the next step begins at zero with more damping.
      space.clear(this.#x);
      numbers['warm'] = 0;
      this.#adapt(Number.NEGATIVE_INFINITY);
      numbers['rejections']++;
      return { ...point.report(0, { slope: 0, square: 0 }), damping, note: 'conjugate gradients broke down' };
    }
    numbers['warm'] = 1;
    const { value, model } = yield* this.#backtrack(found, damping);
    const ratio = reductionRatio(point.loss, value, model);
    this.#adapt(ratio);
    let slopes = yield* point.slopes(this.#d);
    let rate = value < point.loss ? 1 : 0;
    if (!(yield* point.shape(this.#d)) || rate === 0) {
      slopes = yield* point.slopes(this.#d);
      const start = { value: point.loss, slope: slopes.slope };
      ({ rate } = yield* armijo((α) => point.tryStep(α, this.#d), start));
    }
    if (rate > 0) yield* point.take(rate, this.#d);
    else {
      space.clear(this.#x);
      numbers['warm'] = 0;
      numbers['rejections']++;
    }
    const { negativeCurvature } = found;
    if (negativeCurvature !== null) numbers['negativeCurvatures']++;
    return {
      ...point.report(rate, slopes),
      damping,
      ratio,
      cgIterations: found.iterations,
      residual: found.residual,
      ...(preconditioner?.note === undefined ? {} : { note: preconditioner.note }),
      // Of G, which has none: rounding.
      ...(negativeCurvature === null ? {} : { negativeCurvature: negativeCurvature - damping }),
    };
  }

  #adapt(ratio: number): void {
    const { rule } = this.#settings;
    if (rule !== null) this.numbers['damping'] = nextDamping(this.numbers['damping'], ratio, rule);
  }

  *#solve(samples: number, damping: number): Steps<CgOutcome> {
    const point = this.#point;
    const { space } = point;
    const { warmStart, iterations, progress } = this.#settings;
    const preconditioner = this.#preconditioner;
    space.combine(-1, point.gradient, 0, this.#b);
    const run = (warm: boolean): Steps<CgOutcome> =>
      conjugateGradients(
        space,
        (v, out) => point.product('gauss-newton', damping, { v, out }, samples),
        { b: this.#b, x: this.#x },
        this.#places,
        {
          iterations,
          progress,
          tolerance: 1e-10,
          warm,
          keep: this.#kept,
          ...(preconditioner === undefined
            ? {}
            : {
                precondition: (r: FloatArray, z: FloatArray) => {
                  preconditioner.apply(r, z);
                },
              }),
        },
      );
    if (this.numbers['warm'] === 0 || warmStart === 0) return yield* run(false);
    space.scale(warmStart, this.#x);
    point.mask(this.#x);
    const found = yield* run(true);
    // A start that leads to no reduction of the model is dropped.
    const [slope] = yield* space.dots([this.#x, point.gradient]);
    return found.model < 0 && slope < 0 ? found : yield* run(false);
  }

  /** d ← the kept iterate, going backwards, after which f rises; f there and the model without damping. */
  *#backtrack({ kept, model: last }: CgOutcome, damping: number): Steps<{ value: number; model: number }> {
    const point = this.#point;
    const { space } = point;
    if (kept.length === 0) {
      // The start itself was good enough.
      space.copy(this.#x, this.#d);
      const value = yield* point.tryStep(1, this.#d);
      const [square] = yield* space.dots([this.#d, this.#d]);
      return { value, model: last - 0.5 * damping * square };
    }
    let best = kept.length - 1;
    let value = yield* point.tryStep(1, this.#kept[kept[best].at]);
    for (let k = best - 1; k >= 0; k--) {
      const before = yield* point.tryStep(1, this.#kept[kept[k].at]);
      if (!(before < value) && value < Infinity) break;
      best = k;
      value = before;
    }
    const { at, model } = kept[best];
    const x = this.#kept[at];
    space.copy(x, this.#d);
    const [square] = yield* space.dots([x, x]);
    return { value, model: model - 0.5 * damping * square };
  }
}
