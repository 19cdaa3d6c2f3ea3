/**
 * Adam in Kronecker's eigenbases at work on one objective, wherever its vectors lie (ekfac-adam.ts has the formulas).
 */
import { NonFiniteError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import type { NewtonMethod } from '../newton/method.js';
import type { Steps } from '../newton/steps.js';
import { layerUpdates, type StepPlan, type StepReport } from '../optimizer.js';
import type { EkfacObjective } from './ekfac-objective.js';
import { layersText } from './kronecker-sides.js';

/** What steps are made with. */
export interface EkfacSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly statisticsEvery: number;
  readonly statisticsSamples: number;
  readonly average: number;
  readonly basesEvery: number;
  readonly warmUp: number;
}

/** Steps, besides every `basesEvery`-th, at which the bases are made anew: statistics are young. */
const EARLY_BASES = [0, 10, 30];

/** Adam in the eigenbases of an objective's layers. */
export class EkfacStepper implements NewtonMethod {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly #objective: EkfacObjective;
  readonly #settings: EkfacSettings;

  constructor(objective: EkfacObjective, settings: EkfacSettings) {
    this.#objective = objective;
    this.#settings = settings;
    this.arrays = objective.arrays;
    this.numbers = { t: 0, statistics: 0 };
    objective.network.layers.forEach((_, ℓ) => (this.numbers[turnedKey(ℓ)] = 0));
  }

  get rules(): readonly string[] {
    const isTurned = this.#isTurned();
    return this.#objective.sides.map(([input, output], ℓ) => {
      if (!isTurned[ℓ]) return 'adam';
      const sides = !input.dense ? 'outputs' : !output.dense ? 'inputs' : 'inputs and outputs';
      return `ekfac-adam, turned by ${sides}`;
    });
  }

  /** Whether a layer has bases at all. */
  #hasBasis(layer: number): boolean {
    return this.#objective.sides[layer].some(({ dense }) => dense);
  }

  /** Of which layers bases are in force. */
  #isTurned(): boolean[] {
    return this.#objective.sides.map((_, ℓ) => this.numbers[turnedKey(ℓ)] === 1 && this.#hasBasis(ℓ));
  }

  *steps(plan: StepPlan): Steps<StepReport> {
    const objective = this.#objective;
    const { learningRate, beta1, beta2, epsilon, warmUp } = this.#settings;
    const { t } = this.numbers as { t: number };
    const loss = yield* objective.evaluate(plan.step, this.#changes(t) ? null : this.#isTurned());
    const gradientNorm = yield* objective.clip(plan);
    requireSquares(gradientNorm, objective);
    const note = yield* this.#renew(t, plan.step);
    const warm = t < warmUp ? (t + 1) / warmUp : 1;
    const adam = {
      kind: 'adam',
      beta1,
      beta2,
      epsilon,
      correction1: 1 - beta1 ** (t + 1),
      correction2: 1 - beta2 ** (t + 1),
    } as const;
    objective.take(this.#isTurned(), adam, layerUpdates(learningRate * warm, plan));
    this.numbers['t'] = t + 1;
    return note === undefined ? { loss, gradientNorm } : { loss, gradientNorm, note };
  }

  /** Whether the bases are made anew at step t. */
  #changes(t: number): boolean {
    const { basesEvery } = this.#settings;
    return t % basesEvery === 0 || (EARLY_BASES.includes(t) && t < basesEvery);
  }

  /** Statistics and bases, when it is time; says which layers go by Adam for want of a basis. */
  *#renew(t: number, step: number): Steps<string | undefined> {
    const objective = this.#objective;
    const { statisticsEvery, statisticsSamples, average } = this.#settings;
    const changes = this.#changes(t);
    if (t % statisticsEvery === 0 || changes) {
      const made = this.numbers['statistics'];
      yield* objective.update(Math.min(average, made / (made + 1)), step, statisticsSamples);
      this.numbers['statistics'] = made + 1;
    }
    if (!changes || !objective.sides.some((_, ℓ) => this.#hasBasis(ℓ))) return undefined;
    objective.turnFirst(this.#isTurned(), 'back');
    const failed = yield* objective.rebase();
    objective.sides.forEach((_, ℓ) => {
      this.numbers[turnedKey(ℓ)] = failed.has(ℓ) || !this.#hasBasis(ℓ) ? 0 : 1;
    });
    objective.turnFirst(this.#isTurned(), 'in');
    if (failed.size === 0) return undefined;
    // Averages that are not finite would stay so: they begin anew.
    this.numbers['statistics'] = 0;
    return `Adam on ${layersText(failed)}: no eigenbasis was found`;
  }
}

const turnedKey = (layer: number): string => `turned ${layer + 1}`;

/** Throws NonFiniteError where squares of the gradient are not finite in the objective's precision. */
export function requireSquares(gradientNorm: number, { precision }: { readonly precision: Precision }): void {
  const square = gradientNorm * gradientNorm;
  if (!Number.isFinite(precision === 'f32' ? Math.fround(square) : square))
    throw new NonFiniteError(`The gradient's norm is ${gradientNorm}: the parameters have grown too large.`, {
      gradientNorm,
    });
}
