/**
 * An objective here as Adam in Kronecker's eigenbases takes it.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { ready, type Steps } from '../newton/steps.js';
import type { Objective } from '../objective/objective.js';
import type { LayerBasis, SampleTurns } from '../objective/turn.js';
import type { LayerUpdate } from '../objective/update.js';
import { spanOf, type Span } from '../objective/workspace.js';
import type { StepPlan } from '../optimizer.js';
import type { AdamNumbers, EkfacObjective } from './ekfac-objective.js';
import { clipGradient } from './first-order.js';
import { KroneckerSides, type SidesOptions } from './kronecker-sides.js';

/** The objective. */
export class EkfacOnHost implements EkfacObjective {
  readonly network: ParameterLayout;
  readonly precision: Precision;
  readonly sides: KroneckerSides['sides'];
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: Objective;
  readonly #options: SidesOptions;
  readonly #sides: KroneckerSides;
  readonly #first: Span;
  readonly #second: Span;
  readonly #spare: readonly [Span, Span, Span];
  /** By which sides the gradient was turned while it was formed. */
  #turned: SampleTurns | null = null;

  constructor(objective: Objective, options: SidesOptions) {
    this.network = objective.network;
    this.precision = objective.precision;
    this.#objective = objective;
    this.#options = options;
    const first = objective.vector();
    const second = objective.vector();
    const vector = (): Span => spanOf(objective.vector());
    this.#first = spanOf(first);
    this.#second = spanOf(second);
    this.#spare = [vector(), vector(), vector()];
    this.#sides = new KroneckerSides(objective, options);
    this.sides = this.#sides.sides;
    this.arrays = { first, second, ...this.#sides.arrays() };
  }

  evaluate(step: number, isTurned: readonly boolean[] | null): Steps<number> {
    this.#turned = isTurned && this.#turnedSamples(isTurned);
    return ready(this.#objective.evaluate({ step, turned: this.#turned }));
  }

  clip({ clip, layers }: StepPlan): Steps<number> {
    return ready(clipGradient(this.#objective, clip ?? Infinity, layers));
  }

  update(keep: number, step: number, samples: number): Steps<void> {
    this.#sides.update(keep, step, samples);
    return ready(undefined);
  }

  rebase(): Steps<ReadonlySet<number>> {
    return ready(this.#sides.rebase());
  }

  turnFirst(isTurned: readonly boolean[], way: 'back' | 'in'): void {
    const [to, , right] = this.#spare;
    this.#objective.turn({
      // Layers that are not turned are copied.
      bases: this.#bases(isTurned).map((basis) => basis ?? { input: null, output: null }),
      enter: way === 'in' ? { from: to, left: right, turned: null } : null,
      rotated: this.#first,
      between: null,
      leave: way === 'back' ? { right, to } : null,
      update: null,
    });
  }

  take(isTurned: readonly boolean[], adam: AdamNumbers, layers: readonly (LayerUpdate | null)[]): void {
    const objective = this.#objective;
    const [to, rotated, right] = this.#spare;
    const rule = { ...adam, moments: [this.#first, this.#second] } as const;
    objective.turn({
      bases: this.#bases(isTurned),
      enter: { from: spanOf(objective.gradient), left: to, turned: this.#turned },
      rotated,
      between: rule,
      leave: { right, to },
      update: { rule, layers },
    });
  }

  end(): Steps<void> {
    return ready(undefined);
  }

  #bases(isTurned: readonly boolean[]): (LayerBasis | null)[] {
    return isTurned.map((own, ℓ) => (own ? this.#sides.basis(ℓ) : null));
  }

  /**
   * The sides by which it is cheaper to turn n samples than the gradient: U_A of a layer with more than n outputs, U_Γ
   * of one with more than n inputs. None where the gradient itself is asked for.
   */
  #turnedSamples(isTurned: readonly boolean[]): SampleTurns | null {
    const { count, network, regularization, turnsSamples } = this.#objective;
    if (!turnsSamples || this.#options.statistics === 'gradients' || regularization > 0) return null;
    const bases = this.#bases(isTurned);
    const [inputs, , errors] = this.#spare;
    const layers = network.layers.map(({ width, outputs }, ℓ) => ({
      input: outputs > count ? (bases[ℓ]?.input ?? null) : null,
      output: width > count ? (bases[ℓ]?.output ?? null) : null,
    }));
    return { layers, inputs, errors };
  }
}
