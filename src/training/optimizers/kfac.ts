/**
 * K-FAC for mini-batches (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671; step rules as in kfac-jax). With moving
 * averages of A = E āāᵀ and Γ = E δδᵀ of each layer, the step is δ = αd + μp, p the step before and
 *
 *   exact     d = −(A ⊗ Γ + λI)⁻¹g = −U_A[(U_AᵀGU_Γ) ⊘ (s_A s_Γᵀ + λ)]U_Γᵀ
 *   factored  d = −(A + π√λ I)⁻¹ G (Γ + √λ/π I)⁻¹,  π² = (tr A/width)/(tr Γ/outputs)
 *
 * α and μ minimise f + gᵀδ + ½δᵀ(G_N + λI)δ with the Gauss–Newton matrix G_N of a few samples of the batch. The damping
 * follows the ratio ρ of the reduction of f on the batch over that of the model. A step by which f rises
 * by more than a tenth is not taken.
 *
 * A step: the gradient (6nN flops), 4(width + outputs) flops a parameter, J·v of two vectors on the few samples (8nN);
 * every few steps the statistics, f at the new point, and rarely the bases (9·size³ flops a side).
 */
import { quoted } from '../../core/kind.js';
import { requireNonNegative, requirePositive, requireWhole } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import { requireKnownOptions, type KeysOf, type Resolved } from '../../core/known-options.js';
import type { Objective } from '../objective/objective.js';
import type { Divisors } from '../objective/turn.js';
import { spanOf, vectorNumbers } from '../objective/workspace.js';
import type { Optimizer, StepPlan, StepReport, Stepper } from '../optimizer.js';
import { modelStep, nextDamping } from './damping.js';
import { requireSquares } from './ekfac-adam.js';
import { clipGradient } from './first-order.js';
import { KroneckerSides, layersText, sidesSpare, type Side } from './kronecker-sides.js';

/** Settings of {@link kfacOptimizer}. */
export interface KfacOptimizerOptions {
  /** α of every step, with `fixedMomentum` as μ. Default null: both by the quadratic model. */
  readonly learningRate?: number | null | undefined;
  /** μ where the rate is fixed. Default 0.9. */
  readonly fixedMomentum?: number | undefined;
  /** c of α²·|dᵀg| ≤ c where the rate is fixed: a longer d is scaled down. Default 0.01; null: no bound. */
  readonly normConstraint?: number | null | undefined;
  /** Samples of the quadratic model. Default 64. */
  readonly modelSamples?: number | undefined;
  /** Whether the model takes the step before along. Default true. */
  readonly momentum?: boolean | undefined;
  /** λ at first. Default 0.1. */
  readonly damping?: number | undefined;
  /** Whether λ follows the ratio of reductions. Default true. */
  readonly adaptDamping?: boolean | undefined;
  /** Steps between ratios, and between tests of whether f has risen. Default 5. */
  readonly ratioEvery?: number | undefined;
  /** λ becomes λ·factor where the model is right, λ/factor where it is wrong. Default 0.95^ratioEvery. */
  readonly dampingFactor?: number | undefined;
  /** Least λ. Default 0.01. */
  readonly dampingFloor?: number | undefined;
  /** Largest λ. Default 10. */
  readonly dampingCeiling?: number | undefined;
  /** Share of f on the batch by which a step may raise it and is taken all the same. Default 0.1. */
  readonly largestRise?: number | undefined;
  /** How λ enters. Default 'exact'. */
  readonly dampingKind?: 'exact' | 'factored' | undefined;
  /** Steps between statistics. Default 5. */
  readonly statisticsEvery?: number | undefined;
  /** Most samples of a batch that statistics are made of. Default 200. */
  readonly statisticsSamples?: number | undefined;
  /** What of the old statistics stays, at least 0 and below 1. Default 0.95. */
  readonly average?: number | undefined;
  /** Steps between inverses; in the first of these steps, each time that statistics are made. Default 20. */
  readonly inversesEvery?: number | undefined;
  /** Steps at first that make statistics alone. Default 0. */
  readonly burnIn?: number | undefined;
  /** Of a side with more units only the diagonal is kept. Default 1024. */
  readonly largestSide?: number | undefined;
}
/** The keys of {@link KfacOptimizerOptions}. */
export const KFAC_OPTIMIZER_KEYS: KeysOf<KfacOptimizerOptions> = {
  learningRate: 'number or null',
  fixedMomentum: 'number',
  normConstraint: 'number or null',
  modelSamples: 'number',
  momentum: 'boolean',
  damping: 'number',
  adaptDamping: 'boolean',
  ratioEvery: 'number',
  dampingFactor: 'number',
  dampingFloor: 'number',
  dampingCeiling: 'number',
  largestRise: 'number',
  dampingKind: true,
  statisticsEvery: 'number',
  statisticsSamples: 'number',
  average: 'number',
  inversesEvery: 'number',
  burnIn: 'number',
  largestSide: 'number',
};

type Settings = Resolved<Omit<KfacOptimizerOptions, 'learningRate' | 'normConstraint'>> & {
  readonly learningRate: number | null;
  readonly normConstraint: number | null;
};

/** The settings, checked. Throws OptionError. */
function settingsOf(options: KfacOptimizerOptions): Settings {
  const { learningRate = null, normConstraint = 0.01, dampingKind = 'exact' } = options;
  const ratioEvery = requireWhole(options.ratioEvery ?? 5, 'ratioEvery', 1);
  if (dampingKind !== 'exact' && dampingKind !== 'factored')
    throw new OptionError(`dampingKind of kfacOptimizer is ${quoted(dampingKind)}: it is 'exact' or 'factored'.`, {
      dampingKind,
    });
  const dampingFactor = requirePositive(options.dampingFactor ?? 0.95 ** ratioEvery, 'dampingFactor');
  if (dampingFactor > 1)
    throw new OptionError(`dampingFactor of kfacOptimizer is ${dampingFactor}: it is a number above 0, at most 1.`, {
      dampingFactor,
    });
  const dampingFloor = requireNonNegative(options.dampingFloor ?? 0.01, 'dampingFloor');
  const dampingCeiling = requirePositive(options.dampingCeiling ?? 10, 'dampingCeiling');
  const damping = requirePositive(options.damping ?? Math.min(dampingCeiling, Math.max(dampingFloor, 0.1)), 'damping');
  if (!(dampingFloor <= damping && damping <= dampingCeiling))
    throw new OptionError(
      `damping of kfacOptimizer is ${damping}: it lies from dampingFloor, ${dampingFloor}, to dampingCeiling, ` +
        `${dampingCeiling}.`,
      { damping, dampingFloor, dampingCeiling },
    );
  return {
    learningRate: learningRate === null ? null : requirePositive(learningRate, 'learningRate'),
    fixedMomentum: requireNonNegative(options.fixedMomentum ?? 0.9, 'fixedMomentum', 1),
    normConstraint: normConstraint === null ? null : requirePositive(normConstraint, 'normConstraint'),
    modelSamples: requireWhole(options.modelSamples ?? 64, 'modelSamples', 1),
    momentum: options.momentum ?? true,
    damping,
    adaptDamping: options.adaptDamping ?? true,
    ratioEvery,
    dampingFactor,
    dampingFloor,
    dampingCeiling,
    largestRise: requireNonNegative(options.largestRise ?? 0.1, 'largestRise'),
    dampingKind,
    statisticsEvery: requireWhole(options.statisticsEvery ?? 5, 'statisticsEvery', 1),
    statisticsSamples: requireWhole(options.statisticsSamples ?? 200, 'statisticsSamples', 1),
    average: requireNonNegative(options.average ?? 0.95, 'average', 1),
    inversesEvery: requireWhole(options.inversesEvery ?? 20, 'inversesEvery', 1),
    burnIn: requireWhole(options.burnIn ?? 0, 'burnIn', 0),
    largestSide: requireWhole(options.largestSide ?? 1024, 'largestSide', 0),
  };
}

/**
 * K-FAC with lengths, momentum and damping by the quadratic model. Memory: four vectors of the size of θ, and 2·size²
 * for each side. Throws OptionError.
 */
export function kfacOptimizer(options: KfacOptimizerOptions = {}): Optimizer {
  const settings = settingsOf(requireKnownOptions(options, KFAC_OPTIMIZER_KEYS, 'kfacOptimizer'));
  return {
    name: 'kfac',
    settings,
    learningRate: settings.learningRate,
    curvature: 'gauss-newton',
    batchSize: 500,
    rotateInputs: () => true,
    spare: (network) => 4 * vectorNumbers(network.parameters) + sidesSpare(network, sidesOptions(settings)),
    begin: (objective) => new KfacStepper(objective, settings),
  };
}

const sidesOptions = ({ largestSide }: Settings) => ({ statistics: 'factors', largestSide, values: true }) as const;

/** A step αd + μp, what is known of d, and what the model says that the step takes off f, where it was asked. */
interface Chosen {
  readonly alpha: number;
  readonly momentum: number;
  readonly reduction: number | null;
  readonly slope: number;
  readonly squared: number;
  readonly products: number;
}

class KfacStepper implements Stepper {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly #objective: Objective;
  readonly #settings: Settings;
  readonly #sides: KroneckerSides;
  readonly #previous: FloatArray;
  readonly #direction: FloatArray;
  /** θ + δ before it is taken; R and X of turns. */
  readonly #trial: FloatArray;
  readonly #right: FloatArray;

  constructor(objective: Objective, settings: Settings) {
    this.#objective = objective;
    this.#settings = settings;
    this.#previous = objective.vector();
    this.#direction = objective.vector();
    this.#trial = objective.vector();
    this.#right = objective.vector();
    this.#sides = new KroneckerSides(objective, sidesOptions(settings));
    this.arrays = { previous: this.#previous, ...this.#sides.arrays() };
    this.numbers = { t: 0, statistics: 0, damping: settings.damping };
  }

  get rules(): readonly string[] {
    const text = ({ dense, size }: Side): string => (dense ? `${size} × ${size}` : `diagonal ${size}`);
    return this.#sides.sides.map(([input, output]) => `kfac: A ${text(input)}, Γ ${text(output)}`);
  }

  step(plan: StepPlan): StepReport {
    const objective = this.#objective;
    const { burnIn, ratioEvery, adaptDamping, largestRise } = this.#settings;
    const loss = objective.evaluate({ step: plan.step });
    const gradientNorm = clipGradient(objective, plan.clip ?? Infinity, plan.layers);
    requireSquares(gradientNorm, objective);
    const { t, damping } = this.numbers as { t: number; damping: number };
    const note = this.#renew(t, plan.step);
    this.numbers['t'] = t + 1;
    if (t < burnIn) return { loss, gradientNorm, damping, note: note ?? 'statistics alone' };
    const tests = (t - burnIn) % ratioEvery === 0;
    // f before and behind the step is of one kind: with this step's statistics of the batch where there are such, else
    // without masks. The pass of the model goes over tangents, not over what `measure` needs: f before comes first.
    const masks = objective.usesBatchStatistics ? plan.step : null;
    const measures = objective.isRandom && masks === null;
    const before = tests && measures ? objective.measure().loss : loss;
    const chosen = this.#choose(plan, damping);
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
    const report = {
      ...base,
      alpha,
      momentum,
      cosine: -slope / (gradientNorm * Math.sqrt(squared)),
      equivalentRate: (alpha * squared) / -slope,
      stepNorm: Math.sqrt(objective.kernels.dot(this.#right.length, this.#right, this.#right)),
    };
    if (!Number.isFinite(report.stepNorm)) return this.#reject(report);
    if (!tests) {
      this.#take();
      return report;
    }
    const after = objective.measure(this.#trial, masks).loss;
    const reduction = chosen.reduction ?? this.#reductionOf(this.#right, damping);
    const tested = { ...report, ratio: (before - after) / reduction, evaluations: measures ? 2 : 1 };
    if (!(after <= before + largestRise * Math.abs(before))) return this.#reject(tested);
    if (adaptDamping && reduction > 0) this.#adapt(tested.ratio);
    this.#take();
    return tested;
  }

  /** θ stays, the step before is forgotten, λ grows. */
  #reject(report: StepReport): StepReport {
    this.#previous.fill(0);
    if (this.#settings.adaptDamping) this.#adapt(Number.NaN);
    return { ...report, rejected: true };
  }

  #adapt(ratio: number): void {
    const { dampingFactor: factor, dampingFloor: floor, dampingCeiling: ceiling } = this.#settings;
    this.numbers['damping'] = nextDamping(this.numbers['damping'], ratio, { factor, floor, ceiling });
  }

  /** Statistics and bases, when it is time; says of which layers the bases stay as they were. */
  #renew(t: number, step: number): string | undefined {
    const { statisticsEvery, statisticsSamples, average, inversesEvery } = this.#settings;
    const inverts = t % inversesEvery === 0 || (t < inversesEvery && t % statisticsEvery === 0);
    if (t % statisticsEvery === 0 || inverts) {
      const made = this.numbers['statistics'];
      this.#sides.update(Math.min(average, made / (made + 1)), step, statisticsSamples);
      this.numbers['statistics'] = made + 1;
    }
    if (!inverts) return undefined;
    const failed = this.#sides.rebase();
    if (failed.size === 0) return undefined;
    this.numbers['statistics'] = 0;
    return `no eigenbasis was found for ${layersText(failed)}: its step is along the gradient`;
  }

  /** d and the step along it; null where there is none that is finite. */
  #choose(plan: StepPlan, damping: number): Chosen | null {
    const objective = this.#objective;
    const { kernels, gradient, count } = objective;
    const { learningRate, fixedMomentum, normConstraint, modelSamples, momentum } = this.#settings;
    const direction = this.#direction;
    const n = direction.length;
    this.#precondition(plan, damping + objective.regularization);
    const slope = kernels.dot(n, gradient, direction);
    const squared = kernels.dot(n, direction, direction);
    if (!(slope < 0) || !Number.isFinite(slope + squared)) return null;
    const previous = this.#previous;
    if (learningRate !== null) {
      const rate = learningRate * plan.factor;
      const bound = normConstraint === null ? 1 : Math.min(1, Math.sqrt(normConstraint / (rate * rate * -slope)));
      return { alpha: rate * bound, momentum: fixedMomentum, reduction: null, slope, squared, products: 0 };
    }
    const samples = Math.min(modelSamples, count);
    const pp = kernels.dot(n, previous, previous);
    const both = momentum && pp > 0;
    const form = objective.quadratic(both ? [direction, previous] : [direction], samples);
    const numbers = {
      slopes: [slope, both ? kernels.dot(n, gradient, previous) : 0],
      curvature: [
        form[0] + damping * squared,
        both ? form[1] + damping * kernels.dot(n, direction, previous) : 0,
        both ? form[3] + damping * pp : 0,
      ],
    } as const;
    const step = modelStep(numbers, both);
    return step && { ...step, slope, squared, products: both ? 2 : 1 };
  }

  /** d ← −(K + λ)⁻¹g; zero on frozen layers. */
  #precondition({ layers }: StepPlan, λ: number): void {
    const objective = this.#objective;
    const { network } = objective;
    const sides = this.#sides;
    layers.forEach((layer, ℓ) => {
      const { offset, width, outputs } = network.layers[ℓ];
      if (layer === null) this.#direction.fill(0, offset, offset + width * outputs);
    });
    objective.turn({
      bases: layers.map((layer, ℓ) => (layer === null ? null : (sides.basis(ℓ) ?? { input: null, output: null }))),
      enter: { from: spanOf(objective.gradient), left: spanOf(this.#direction), turned: null },
      rotated: spanOf(this.#trial),
      between: { kind: 'divide', layers: layers.map((layer, ℓ) => (layer === null ? null : this.#divisors(ℓ, λ))) },
      leave: { right: spanOf(this.#right), to: spanOf(this.#direction) },
      update: null,
    });
    layers.forEach((layer, ℓ) => {
      const { offset, width, outputs } = network.layers[ℓ];
      const part = this.#direction.subarray(offset, offset + width * outputs);
      if (layer !== null) objective.kernels.combine(part.length, -layer.factor, part, 0, part);
    });
  }

  /** −(gᵀδ + ½δᵀ(G + λI)δ) of a step, by the model's samples. */
  #reductionOf(δ: FloatArray, λ: number): number {
    const { kernels, gradient, count } = this.#objective;
    const [curvature] = this.#objective.quadratic([δ], Math.min(this.#settings.modelSamples, count));
    return -kernels.dot(δ.length, gradient, δ) - (curvature + λ * kernels.dot(δ.length, δ, δ)) / 2;
  }

  #divisors(layer: number, λ: number): Divisors {
    const [input, output] = this.#sides.sides[layer];
    const spans = { inputs: spanOf(input.values!), outputs: spanOf(output.values!) };
    if (this.#settings.dampingKind === 'exact') return { ...spans, inputShift: 0, outputShift: 0, shift: λ };
    const a = mean(input.values!);
    const c = mean(output.values!);
    const π = a > 0 && c > 0 ? Math.sqrt(a / c) : 1;
    const root = Math.sqrt(λ);
    return { ...spans, inputShift: π * root, outputShift: root / π, shift: 0 };
  }

  /** right ← δ = αd + μp, trial ← θ + δ, decay before it. */
  #lay({ layers }: StepPlan, { alpha, momentum }: Chosen): void {
    const { kernels, parameters, network } = this.#objective;
    const n = parameters.length;
    kernels.combine(n, 1, this.#direction, 0, this.#right);
    kernels.combine(n, momentum, this.#previous, alpha, this.#right);
    kernels.combine(n, 1, parameters, 0, this.#trial);
    layers.forEach((layer, ℓ) => {
      const { offset, width, inputs, outputs } = network.layers[ℓ];
      if (layer === null) {
        this.#right.fill(0, offset, offset + width * outputs);
        return;
      }
      const decay = Math.max(0, alpha) * layer.factor * layer.decay;
      if (decay === 0) return;
      const kept = layer.decayBias ? width : inputs;
      for (let p = 0; p < outputs; p++)
        for (let at = offset + p * width; at < offset + p * width + kept; at++) this.#trial[at] *= 1 - decay;
    });
    kernels.combine(n, 1, this.#right, 1, this.#trial);
  }

  #take(): void {
    const { kernels, parameters } = this.#objective;
    kernels.combine(parameters.length, 1, this.#trial, 0, parameters);
    kernels.combine(parameters.length, 1, this.#right, 0, this.#previous);
  }
}

function mean(values: FloatArray): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
