/**
 * K-FAC at work on one objective, wherever its vectors lie: d through the inverse of the factors, its length and the
 * momentum by the quadratic model, damping by the ratio of reductions (kfac.ts has the formulas).
 */
import type { FloatArray } from '../../core/floats.js';
import type { NewtonMethod } from '../newton/method.js';
import type { Steps } from '../newton/steps.js';
import { partOf, type Space } from '../newton/vectors.js';
import type { StepPlan, StepReport } from '../optimizer.js';
import { modelStep, nextDamping } from './damping.js';
import { requireSquares } from './ekfac-stepper.js';
import type { KfacObjective, KroneckerState } from './kfac-objective.js';
import type { KfacSettings } from './kfac-options.js';
import { layersText, type SideShape } from './kronecker-sides.js';

/** A step αd + μp, what is known of d, and what the model says that the step takes off f, where it was asked. */
interface Chosen {
  readonly alpha: number;
  readonly momentum: number;
  readonly reduction: number | null;
  readonly slope: number;
  readonly squared: number;
  readonly products: number;
}

/** K-FAC, with vectors in S. */
export class KfacStepper<S extends Space> implements NewtonMethod {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly #objective: KfacObjective<S>;
  readonly #settings: KfacSettings;
  readonly #kronecker: KroneckerState;
  readonly #previous: FloatArray;
  readonly #direction: FloatArray;
  /** θ + δ before it is taken; R and X of turns. */
  readonly #trial: FloatArray;
  readonly #right: FloatArray;

  constructor(objective: KfacObjective<S>, settings: KfacSettings) {
    this.#objective = objective;
    this.#settings = settings;
    this.#previous = objective.state();
    this.#direction = objective.vector();
    this.#trial = objective.vector();
    this.#right = objective.vector();
    this.#kronecker = objective.kronecker();
    this.arrays = { previous: this.#previous, ...this.#kronecker.arrays };
    this.numbers = { t: 0, statistics: 0, damping: settings.damping };
  }

  get rules(): readonly string[] {
    const text = ({ dense, size }: SideShape): string => (dense ? `${size} × ${size}` : `diagonal ${size}`);
    return this.#kronecker.sides.map(([input, output]) => `kfac: A ${text(input)}, Γ ${text(output)}`);
  }

  *steps(plan: StepPlan): Steps<StepReport> {
    const objective = this.#objective;
    const { space, batch } = objective;
    const { burnIn, ratioEvery, adaptDamping, largestRise } = this.#settings;
    const loss = yield* objective.evaluate(plan.step);
    const gradientNorm = yield* this.#clip(plan);
    requireSquares(gradientNorm, objective);
    const { t, damping } = this.numbers as { t: number; damping: number };
    const note = yield* this.#renew(t, plan.step);
    this.numbers['t'] = t + 1;
    if (t < burnIn) return { loss, gradientNorm, damping, note: note ?? 'statistics alone' };
    const tests = (t - burnIn) % ratioEvery === 0;
    // f before and behind the step is of one kind: with this step's statistics of the batch where there are such, else
    // without masks. The pass of the model goes over tangents, not over what `measure` needs: f before comes first.
    const masks = objective.usesBatchStatistics ? plan.step : null;
    const measures = batch.isRandom && masks === null;
    const before = tests && measures ? yield* objective.measure(objective.parameters, null) : loss;
    const chosen = yield* this.#choose(plan, damping);
    const base = {
      loss,
      gradientNorm,
      damping,
      products: chosen?.products ?? 0,
      ...(note === undefined ? {} : { note }),
    };
    if (chosen === null) return this.#reject(base);
    this.#lay(plan, chosen);
    const { alpha, momentum, slope, squared } = chosen;
    const [square] = yield* space.dots([this.#right, this.#right]);
    const report = {
      ...base,
      alpha,
      momentum,
      cosine: -slope / (gradientNorm * Math.sqrt(squared)),
      equivalentRate: (alpha * squared) / -slope,
      stepNorm: Math.sqrt(square),
    };
    if (!Number.isFinite(report.stepNorm)) return this.#reject(report);
    if (!tests) {
      this.#take();
      return report;
    }
    const after = yield* objective.measure(this.#trial, masks);
    const reduction = chosen.reduction ?? (yield* this.#reductionOf(this.#right, damping));
    const tested = { ...report, ratio: (before - after) / reduction, evaluations: measures ? 2 : 1 };
    if (!(after <= before + largestRise * Math.abs(before))) return this.#reject(tested);
    if (adaptDamping && reduction > 0) this.#adapt(tested.ratio);
    this.#take();
    return tested;
  }

  /** The gradient without frozen layers, at most `clip` long; its norm before. */
  *#clip({ clip, layers }: StepPlan): Steps<number> {
    const { space, gradient, network } = this.#objective;
    layers.forEach((layer, ℓ) => {
      if (layer === null) space.clear(gradient, partOf(network.layers[ℓ]));
    });
    const [square] = yield* space.dots([gradient, gradient]);
    const norm = Math.sqrt(square);
    if (clip !== null && norm > clip) space.scale(clip / norm, gradient);
    return norm;
  }

  /** θ stays, the step before is forgotten, λ grows. */
  #reject(report: StepReport): StepReport {
    this.#objective.space.clear(this.#previous);
    if (this.#settings.adaptDamping) this.#adapt(Number.NaN);
    return { ...report, rejected: true };
  }

  #adapt(ratio: number): void {
    const { dampingFactor: factor, dampingFloor: floor, dampingCeiling: ceiling } = this.#settings;
    this.numbers['damping'] = nextDamping(this.numbers['damping'], ratio, { factor, floor, ceiling });
  }

  /** Statistics and bases, when it is time; says of which layers the bases stay as they were. */
  *#renew(t: number, step: number): Steps<string | undefined> {
    const { statisticsEvery, statisticsSamples, average, inversesEvery } = this.#settings;
    const inverts = t % inversesEvery === 0 || (t < inversesEvery && t % statisticsEvery === 0);
    if (t % statisticsEvery === 0 || inverts) {
      const made = this.numbers['statistics'];
      yield* this.#kronecker.update(Math.min(average, made / (made + 1)), step, statisticsSamples);
      this.numbers['statistics'] = made + 1;
    }
    if (!inverts) return undefined;
    const failed = yield* this.#kronecker.rebase();
    if (failed.size === 0) return undefined;
    this.numbers['statistics'] = 0;
    return `no eigenbasis was found for ${layersText(failed)}: its step is along the gradient`;
  }

  /** d and the step along it; null where there is none that is finite. */
  *#choose(plan: StepPlan, damping: number): Steps<Chosen | null> {
    const objective = this.#objective;
    const { space, gradient, batch } = objective;
    const { learningRate, fixedMomentum, normConstraint, modelSamples, momentum } = this.#settings;
    const [direction, previous] = [this.#direction, this.#previous];
    this.#kronecker.solve({
      from: gradient,
      to: direction,
      places: [this.#trial, this.#right],
      factors: plan.layers.map((layer) => (layer === null ? null : -layer.factor)),
      damping: damping + objective.regularization,
      kind: this.#settings.dampingKind,
    });
    const [slope, squared, pp, gp, dp] = yield* space.dots(
      [gradient, direction],
      [direction, direction],
      [previous, previous],
      [gradient, previous],
      [direction, previous],
    );
    if (!(slope < 0) || !Number.isFinite(slope + squared)) return null;
    if (learningRate !== null) {
      const rate = learningRate * plan.factor;
      const bound = normConstraint === null ? 1 : Math.min(1, Math.sqrt(normConstraint / (rate * rate * -slope)));
      return { alpha: rate * bound, momentum: fixedMomentum, reduction: null, slope, squared, products: 0 };
    }
    const both = momentum && pp > 0;
    const samples = Math.min(modelSamples, batch.count);
    const form = yield* objective.quadratic(both ? [direction, previous] : [direction], samples);
    const numbers = {
      slopes: [slope, both ? gp : 0],
      curvature: [form[0] + damping * squared, both ? form[1] + damping * dp : 0, both ? form[3] + damping * pp : 0],
    } as const;
    const step = modelStep(numbers, both);
    return step && { ...step, slope, squared, products: both ? 2 : 1 };
  }

  /** −(gᵀδ + ½δᵀ(G + λI)δ) of a step, by the model's samples. */
  *#reductionOf(δ: FloatArray, λ: number): Steps<number> {
    const { space, gradient, batch } = this.#objective;
    const samples = Math.min(this.#settings.modelSamples, batch.count);
    const [curvature] = yield* this.#objective.quadratic([δ], samples);
    const [slope, square] = yield* space.dots([gradient, δ], [δ, δ]);
    return -slope - (curvature + λ * square) / 2;
  }

  /** right ← δ = αd + μp, trial ← θ + δ, decay before it. */
  #lay({ layers }: StepPlan, { alpha, momentum }: Chosen): void {
    const { space, parameters, network } = this.#objective;
    space.copy(this.#direction, this.#right);
    space.combine(momentum, this.#previous, alpha, this.#right);
    space.copy(parameters, this.#trial);
    layers.forEach((layer, ℓ) => {
      if (layer === null) {
        space.clear(this.#right, partOf(network.layers[ℓ]));
        return;
      }
      const decay = Math.max(0, alpha) * layer.factor * layer.decay;
      if (decay > 0) space.shrink(this.#trial, network.layers[ℓ], 1 - decay, layer.decayBias);
    });
    space.add(1, this.#right, this.#trial);
  }

  #take(): void {
    const { space, parameters } = this.#objective;
    space.copy(this.#trial, parameters);
    space.copy(this.#right, this.#previous);
  }
}
