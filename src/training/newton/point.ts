/**
 * Where a step stands: f and ∇f of the loaded batch at θ, with frozen layers left out of gradient and curvature; trials
 * on the same batch with the same masks of dropout; what was counted for the report.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import type { StepPlan, StepReport } from '../optimizer.js';
import type { NewtonCurvature, NewtonObjective } from './newton-objective.js';
import type { Steps } from './steps.js';
import { partOf, type Space, type Vectors } from './vectors.js';

/** A direction d at a point: gᵀd, dᵀd. */
export interface Slopes {
  readonly slope: number;
  readonly square: number;
}

/** A step's point, with vectors in S. */
export class Point<S extends Space = Vectors> {
  readonly objective: NewtonObjective<S>;
  readonly space: S;
  /** ∇f, zero in frozen layers: the objective's own array. */
  readonly gradient: FloatArray;
  /** Where trials are made, and θ while the gradient at a trial is taken. */
  readonly other: FloatArray;
  loss = 0;
  gradientNorm = 0;
  products = 0;
  evaluations = 0;
  #plan: StepPlan = { step: 0, factor: 1, layers: [], clip: null };

  /** Takes one vector of the objective. */
  constructor(objective: NewtonObjective<S>) {
    this.objective = objective;
    this.space = objective.space;
    this.gradient = objective.gradient;
    this.other = objective.vector();
  }

  get plan(): StepPlan {
    return this.#plan;
  }

  /** Loss and gradient at θ. Throws NonFiniteError, θ as it was. */
  *begin(plan: StepPlan): Steps<void> {
    this.#plan = plan;
    this.products = 0;
    this.evaluations = 0;
    this.loss = yield* this.objective.evaluate(plan.step);
    yield* this.#take();
  }

  /** Takes a gradient that stands already: that of θ on this batch. */
  *resume(plan: StepPlan, loss: number): Steps<void> {
    this.#plan = plan;
    this.products = 0;
    this.evaluations = 0;
    this.loss = loss;
    yield* this.#take();
  }

  *#take(): Steps<void> {
    this.mask(this.gradient);
    const [square] = yield* this.space.dots([this.gradient, this.gradient]);
    this.gradientNorm = Math.sqrt(square);
    if (!Number.isFinite(this.gradientNorm))
      throw new NonFiniteError('The gradient is not finite: the parameters have grown too large.', { loss: this.loss });
  }

  /** x ← 0 in frozen layers. */
  mask(x: FloatArray): void {
    this.#plan.layers.forEach((layer, ℓ) => {
      if (layer === null) this.space.clear(x, partOf(this.objective.network.layers[ℓ]));
    });
  }

  /** Whether all layers go at one rate. */
  get uniform(): boolean {
    return this.#plan.layers.every((layer) => layer === null || layer.factor === 1);
  }

  /** out ← (C + λI)v, C of the first `samples`; frozen layers left out. v has zeros there. */
  *product(
    of: NewtonCurvature,
    damping: number,
    { v, out }: { readonly v: FloatArray; readonly out: FloatArray },
    samples: number = this.objective.batch.count,
  ): Steps<void> {
    yield* this.objective.product(of, v, out, samples);
    this.products++;
    this.mask(out);
    if (damping !== 0) this.space.add(damping, v, out);
  }

  /** gᵀd and dᵀd. Throws NonFiniteError where d is not finite. */
  *slopes(d: FloatArray): Steps<Slopes> {
    const [slope, square] = yield* this.space.dots([this.gradient, d], [d, d]);
    if (!Number.isFinite(slope) || !Number.isFinite(square))
      throw new NonFiniteError('The direction of a Newton step is not finite: its damping is too small.', { slope });
    return { slope, square };
  }

  /**
   * d's layers by their factors, and all of it as the longest gradient that is taken says. Where that makes a direction
   * that does not go down, d ← −g by the same factors. Returns whether d still is what it was.
   */
  *shape(d: FloatArray): Steps<boolean> {
    const { clip } = this.#plan;
    if (this.uniform && (clip === null || this.gradientNorm <= clip)) return true;
    this.#weigh(d);
    if (!this.uniform) {
      const [slope] = yield* this.space.dots([this.gradient, d]);
      if (!(slope < 0)) {
        this.space.combine(-1, this.gradient, 0, d);
        this.#weigh(d);
      }
    }
    return false;
  }

  #weigh(d: FloatArray): void {
    const { clip, layers } = this.#plan;
    if (clip !== null && this.gradientNorm > clip) this.space.scale(clip / this.gradientNorm, d);
    layers.forEach((layer, ℓ) => {
      if (layer !== null && layer.factor !== 1)
        this.space.scale(layer.factor, d, partOf(this.objective.network.layers[ℓ]));
    });
  }

  /** other ← θ + αd; f there, Infinity where it is not finite. */
  *tryStep(alpha: number, d: FloatArray): Steps<number> {
    this.space.copy(this.objective.parameters, this.other);
    this.space.add(alpha, d, this.other);
    return yield* this.measure(this.other);
  }

  /** f at a vector of the objective with this step's masks, Infinity where it is not finite. */
  *measure(θ: FloatArray): Steps<number> {
    this.evaluations++;
    const loss = yield* this.objective.measure(θ, this.#plan.step);
    return Number.isFinite(loss) ? loss : Infinity;
  }

  /**
   * f at `origin` + αd, by which θ itself is replaced, and its gradient in `gradient`; Infinity where they are not
   * finite.
   */
  *moveTo(origin: FloatArray, alpha: number, d: FloatArray): Steps<number> {
    const { parameters } = this.objective;
    this.space.copy(origin, parameters);
    this.space.add(alpha, d, parameters);
    this.evaluations++;
    try {
      const loss = yield* this.objective.evaluate(this.#plan.step);
      this.mask(this.gradient);
      return (yield* this.space.isFinite(this.gradient)) ? loss : Infinity;
    } catch (error) {
      if (error instanceof NonFiniteError) return Infinity;
      throw error;
    }
  }

  /** θ ← θ + αd, then the plan's decoupled decay at that learning rate. Throws NonFiniteError before θ is touched. */
  *take(alpha: number, d: FloatArray, learningRate = 1): Steps<void> {
    const { parameters } = this.objective;
    this.space.copy(parameters, this.other);
    this.space.add(alpha, d, this.other);
    if (!(yield* this.space.isFinite(this.other)))
      throw new NonFiniteError('A Newton step leaves the range of numbers: its damping is too small.', { alpha });
    this.space.copy(this.other, parameters);
    this.decay(learningRate);
  }

  /** θ ← θ − α·factor·decay·θ on each layer's weights. */
  decay(learningRate = 1): void {
    const { factor, layers } = this.#plan;
    const { parameters: θ, network } = this.objective;
    layers.forEach((plan, ℓ) => {
      if (plan === null || plan.decay === 0) return;
      const keep = 1 - learningRate * factor * plan.factor * plan.decay;
      this.space.shrink(θ, network.layers[ℓ], keep, plan.decayBias);
    });
  }

  /** What every report says; `rate` is α of the taken step αd, 0 of a rejected one. */
  report(rate: number, { slope, square }: Slopes): StepReport {
    const length = Math.sqrt(square);
    return {
      loss: this.loss,
      gradientNorm: this.gradientNorm,
      stepNorm: Math.abs(rate) * length,
      products: this.products,
      evaluations: this.evaluations,
      ...(length > 0 && this.gradientNorm > 0 ? { cosine: -slope / (length * this.gradientNorm) } : {}),
      ...(slope < 0 ? { equivalentRate: (rate * square) / -slope } : {}),
      ...(rate === 0 ? { rejected: true } : {}),
    };
  }
}
