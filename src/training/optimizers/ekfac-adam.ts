/**
 * Adam in the Kronecker eigenbasis of each layer (N. Vyas et al., SOAP, arXiv 2409.11321; T. George et al., EKFAC,
 * NeurIPS 2018). With the layer's gradient G (width × outputs) and the eigenvectors U_A, U_Γ of its factors:
 *
 *   G̃ = U_AᵀGU_Γ,  m ← β₁m + (1 − β₁)G̃,  v ← β₂v + (1 − β₂)G̃²,  W ← W − α·U_A(m̂/(√v̂ + ε))U_Γᵀ
 *
 * The factors are A = E āāᵀ and Γ = E δδᵀ of drawn signs, or GGᵀ and GᵀG as in SOAP. At a change of bases m is turned
 * along, v stays. A side above `largestSide`, or one whose factor is diagonal by construction, is left alone; a layer
 * without a turned side goes by Adam itself.
 *
 * A step: the gradient (6nN flops), 4 flops a parameter for each unit of a turned side, every few steps the
 * statistics on ≤ 200 samples, rarely the bases (9·size³ flops a side). Where a layer has more outputs (inputs) than
 * the batch has n samples, G̃ is formed from turned samples: 2n·size² flops instead of half of those of its input
 * (output) side.
 */
import { quoted } from '../../core/kind.js';
import { NonFiniteError, OptionError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import { requireNonNegative, requirePositive, requireWhole } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf, type Resolved } from '../../core/known-options.js';
import type { Objective } from '../objective/objective.js';
import { lossOf } from '../../network/losses/table.js';
import type { LayerBasis, SampleTurns } from '../objective/turn.js';
import { spanOf, vectorNumbers, type Span } from '../objective/workspace.js';
import { layerUpdates, type Optimizer, type StepPlan, type StepReport, type Stepper } from '../optimizer.js';
import { clipGradient } from './first-order.js';
import { KroneckerSides, layersText, sidesSpare, type SidesOptions, type Statistics } from './kronecker-sides.js';

/** Settings of {@link ekfacAdam}. */
export interface EkfacAdamOptions {
  /** α. Default 6e-3. */
  readonly learningRate?: number | undefined;
  /** β₁. Default 0.9. */
  readonly beta1?: number | undefined;
  /** β₂. Default 0.99. */
  readonly beta2?: number | undefined;
  /** ε. Default 1e-8. */
  readonly epsilon?: number | undefined;
  /** What the bases are of: A and Γ, or moments of the gradients as in SOAP. Default 'factors'. */
  readonly statistics?: Statistics | undefined;
  /** Steps between statistics. Default 5. */
  readonly statisticsEvery?: number | undefined;
  /** Most samples of a batch that statistics are made of. Default 200. */
  readonly statisticsSamples?: number | undefined;
  /** What of the old statistics stays, at least 0 and below 1. Default 0.95. */
  readonly average?: number | undefined;
  /** Steps between changes of the bases; the first ones come at steps 0, 10 and 30. Default 100. */
  readonly basesEvery?: number | undefined;
  /** A side with more units is not turned. Default 256. */
  readonly largestSide?: number | undefined;
  /** Steps over which the rate rises from zero. Default 20. */
  readonly warmUp?: number | undefined;
}
/** The keys of {@link EkfacAdamOptions}. */
export const EKFAC_ADAM_KEYS: KeysOf<EkfacAdamOptions> = {
  learningRate: 'number',
  beta1: 'number',
  beta2: 'number',
  epsilon: 'number',
  statistics: true,
  statisticsEvery: 'number',
  statisticsSamples: 'number',
  average: 'number',
  basesEvery: 'number',
  largestSide: 'number',
  warmUp: 'number',
};

type Settings = Resolved<EkfacAdamOptions>;

/**
 * Adam in Kronecker's eigenbases, with rates and moments as Adam has them: what `train` takes by default. Memory: five
 * vectors of the size of θ, and 2·size² for each turned side. Throws OptionError.
 */
export function ekfacAdam(options: EkfacAdamOptions = {}): Optimizer {
  requireKnownOptions(options, EKFAC_ADAM_KEYS, 'ekfacAdam');
  const { statistics = 'factors' } = options;
  if (statistics !== 'factors' && statistics !== 'gradients')
    throw new OptionError(
      `statistics of ekfacAdam are ${quoted(statistics)}: they are of 'factors' or of 'gradients'.`,
      { statistics },
    );
  const settings: Settings = {
    learningRate: requirePositive(options.learningRate ?? 6e-3, 'learningRate'),
    beta1: requireNonNegative(options.beta1 ?? 0.9, 'beta1', 1),
    beta2: requireNonNegative(options.beta2 ?? 0.99, 'beta2', 1),
    epsilon: requireNonNegative(options.epsilon ?? 1e-8, 'epsilon'),
    statistics,
    statisticsEvery: requireWhole(options.statisticsEvery ?? 5, 'statisticsEvery', 1),
    statisticsSamples: requireWhole(options.statisticsSamples ?? 200, 'statisticsSamples', 1),
    average: requireNonNegative(options.average ?? 0.95, 'average', 1),
    basesEvery: requireWhole(options.basesEvery ?? 100, 'basesEvery', 1),
    largestSide: requireWhole(options.largestSide ?? 256, 'largestSide', 0),
    warmUp: requireWhole(options.warmUp ?? 20, 'warmUp', 0),
  };
  return {
    name: 'ekfac-adam',
    settings,
    learningRate: settings.learningRate,
    curvature: statistics === 'factors' ? 'gauss-newton' : 'none',
    batchSize: 200,
    // Turned inputs let small classifiers overfit; autoencoders of bce took half the time.
    rotateInputs: (loss) => !lossOf(loss).classes,
    spare: (network) => 5 * vectorNumbers(network.parameters) + sidesSpare(network, sidesOptions(settings)),
    begin: (objective) => new EkfacAdamStepper(objective, settings),
  };
}

const sidesOptions = ({ statistics, largestSide }: Settings): SidesOptions => ({
  statistics,
  largestSide,
  values: false,
});

/** Steps, besides every `basesEvery`-th, at which the bases are made anew: statistics are young. */
const EARLY_BASES = [0, 10, 30];

class EkfacAdamStepper implements Stepper {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly #objective: Objective;
  readonly #settings: Settings;
  readonly #sides: KroneckerSides;
  readonly #first: Span;
  readonly #second: Span;
  readonly #spare: readonly [Span, Span, Span];

  constructor(objective: Objective, settings: Settings) {
    this.#objective = objective;
    this.#settings = settings;
    const first = objective.vector();
    const second = objective.vector();
    const vector = (): Span => spanOf(objective.vector());
    this.#first = spanOf(first);
    this.#second = spanOf(second);
    this.#spare = [vector(), vector(), vector()];
    this.#sides = new KroneckerSides(objective, sidesOptions(settings));
    this.arrays = { first, second, ...this.#sides.arrays() };
    this.numbers = { t: 0, statistics: 0 };
    objective.network.layers.forEach((_, ℓ) => (this.numbers[turnedKey(ℓ)] = 0));
  }

  get rules(): readonly string[] {
    return this.#bases().map((basis) => {
      if (basis === null) return 'adam';
      const sides = basis.input === null ? 'outputs' : basis.output === null ? 'inputs' : 'inputs and outputs';
      return `ekfac-adam, turned by ${sides}`;
    });
  }

  /** The bases in force: of layers that have been turned. */
  #bases(): (LayerBasis | null)[] {
    return this.#objective.network.layers.map((_, ℓ) =>
      this.numbers[turnedKey(ℓ)] === 1 ? this.#sides.basis(ℓ) : null,
    );
  }

  step(plan: StepPlan): StepReport {
    const objective = this.#objective;
    const { learningRate, beta1, beta2, epsilon, warmUp } = this.#settings;
    const { t } = this.numbers as { t: number };
    const turned = this.#turnedSamples(t);
    const loss = objective.evaluate({ step: plan.step, turned });
    const gradientNorm = clipGradient(objective, plan.clip ?? Infinity, plan.layers);
    requireSquares(gradientNorm, objective);
    const note = this.#renew(t, plan.step);
    const warm = t < warmUp ? (t + 1) / warmUp : 1;
    const adam = {
      kind: 'adam',
      beta1,
      beta2,
      epsilon,
      correction1: 1 - beta1 ** (t + 1),
      correction2: 1 - beta2 ** (t + 1),
      moments: [this.#first, this.#second],
    } as const;
    const [to, rotated, right] = this.#spare;
    objective.turn({
      bases: this.#bases(),
      enter: { from: spanOf(objective.gradient), left: to, turned },
      rotated,
      between: adam,
      leave: { right, to },
      update: { rule: adam, layers: layerUpdates(learningRate * warm, plan) },
    });
    this.numbers['t'] = t + 1;
    return note === undefined ? { loss, gradientNorm } : { loss, gradientNorm, note };
  }

  /** Whether the bases are made anew at step t. */
  #changes(t: number): boolean {
    const { basesEvery } = this.#settings;
    return t % basesEvery === 0 || (EARLY_BASES.includes(t) && t < basesEvery);
  }

  /**
   * The sides by which it is cheaper to turn n samples than the gradient: U_A of a layer with more than n outputs, U_Γ
   * of one with more than n inputs. None where the bases change at this step, or the gradient itself is asked for.
   */
  #turnedSamples(t: number): SampleTurns | null {
    const { count, network, regularization, turnsSamples } = this.#objective;
    if (!turnsSamples || this.#changes(t) || this.#settings.statistics === 'gradients' || regularization > 0)
      return null;
    const bases = this.#bases();
    const [inputs, , errors] = this.#spare;
    const layers = network.layers.map(({ width, outputs }, ℓ) => ({
      input: outputs > count ? (bases[ℓ]?.input ?? null) : null,
      output: width > count ? (bases[ℓ]?.output ?? null) : null,
    }));
    return { layers, inputs, errors };
  }

  /** Statistics and bases, when it is time; says which layers go by Adam for want of a basis. */
  #renew(t: number, step: number): string | undefined {
    const { statisticsEvery, statisticsSamples, average } = this.#settings;
    const changes = this.#changes(t);
    if (t % statisticsEvery === 0 || changes) {
      const made = this.numbers['statistics'];
      this.#sides.update(Math.min(average, made / (made + 1)), step, statisticsSamples);
      this.numbers['statistics'] = made + 1;
    }
    if (!changes) return undefined;
    const before = this.#bases();
    if (before.every((_, ℓ) => this.#sides.basis(ℓ) === null)) return undefined;
    this.#turnFirst(before, 'back');
    const failed = this.#sides.rebase();
    before.forEach((_, ℓ) => {
      this.numbers[turnedKey(ℓ)] = failed.has(ℓ) || this.#sides.basis(ℓ) === null ? 0 : 1;
    });
    this.#turnFirst(this.#bases(), 'in');
    if (failed.size === 0) return undefined;
    // Averages that are not finite would stay so: they begin anew.
    this.numbers['statistics'] = 0;
    return `Adam on ${layersText(failed)}: no eigenbasis was found`;
  }

  /** The first moment out of the bases into the first spare vector, or from there into the bases. */
  #turnFirst(bases: readonly (LayerBasis | null)[], way: 'back' | 'in'): void {
    const [to, , right] = this.#spare;
    this.#objective.turn({
      // Layers that are not turned are copied.
      bases: bases.map((basis) => basis ?? { input: null, output: null }),
      enter: way === 'in' ? { from: to, left: right, turned: null } : null,
      rotated: this.#first,
      between: null,
      leave: way === 'back' ? { right, to } : null,
      update: null,
    });
  }
}

const turnedKey = (layer: number): string => `turned ${layer + 1}`;

/** Throws NonFiniteError where squares of the gradient are not finite in the objective's precision. */
export function requireSquares(gradientNorm: number, { precision }: Pick<Objective, 'precision'>): void {
  const square = gradientNorm * gradientNorm;
  if (!Number.isFinite(precision === 'f32' ? Math.fround(square) : square))
    throw new NonFiniteError(`The gradient's norm is ${gradientNorm}: the parameters have grown too large.`, {
      gradientNorm,
    });
}
