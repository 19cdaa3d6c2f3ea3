/**
 * An objective on a device as Adam in Kronecker's eigenbases takes it: moments of Adam, statistics and steps in the
 * bases stay there.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { writing } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { awaited, type Steps } from '../newton/steps.js';
import type { LayerUpdate } from '../objective/update.js';
import type { StepPlan } from '../optimizer.js';
import type { AdamNumbers, EkfacObjective } from './ekfac-objective.js';
import type { SidesOptions } from './kronecker-sides.js';
import { SidesOnDevice } from './sides-on-device.js';
import { turnSteps, type DeviceTurn } from './turn-on-device.js';

/** x ← h[s]·m/(√v + h[s + 1]) with m and v after they took g. */
const ADAM_DIRECTION: PortableKernel = {
  ...writing(
    'direction by adam',
    ['x', 'g', 'm', 'v', 's'],
    `real own = h[g + i];
real first = beta1 * h[m + i] + (1.0 - beta1) * own;
real second = beta2 * h[v + i] + (1.0 - beta2) * own * own;
h[m + i] = first;
h[v + i] = second;
h[x + i] = h[s] * first / (sqrt(second) + h[s + 1]);`,
  ),
  reals: ['beta1', 'beta2'],
};

/** The objective. */
export class EkfacOnDevice implements EkfacObjective {
  readonly network: ParameterLayout;
  readonly precision: Precision;
  readonly sides: SidesOnDevice['sides'];
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #sides: SidesOnDevice;
  readonly #moments: readonly [FloatArray, FloatArray];
  readonly #spare: readonly FloatArray[];

  constructor(objective: DeviceObjective, options: SidesOptions) {
    const { space, vector } = objective.newton();
    this.network = objective.network;
    this.precision = objective.batch.precision;
    this.#objective = objective;
    this.#space = space;
    const [first, second] = [objective.vector(), objective.vector()];
    this.#moments = [first, second];
    this.#spare = [vector(), vector(), vector()];
    this.#sides = new SidesOnDevice(objective, options);
    this.sides = this.#sides.sides;
    this.arrays = { first, second, ...this.#sides.arrays };
  }

  evaluate(step: number): Steps<number> {
    return awaited(this.#space.ask(async () => this.#objective.evaluate(step)));
  }

  clip({ clip, layers }: StepPlan): Steps<number> {
    const frozen = layers.map((layer) => layer === null);
    return awaited(this.#space.ask(async () => this.#objective.clip(clip ?? Infinity, frozen)));
  }

  update(keep: number, step: number, samples: number): Steps<void> {
    return awaited(this.#space.ask(async () => this.#sides.update(keep, step, samples)));
  }

  rebase(): Steps<ReadonlySet<number>> {
    return awaited(this.#space.ask(async () => this.#sides.rebase()));
  }

  turnFirst(isTurned: readonly boolean[], way: 'back' | 'in'): void {
    const [to, , right] = this.#spare.map((vector) => this.#objective.placeOf(vector));
    const x = this.#objective.placeOf(this.#moments[0]);
    const at = way === 'in' ? { from: to, left: right, x, right, to } : { from: x, left: right, x, right, to };
    const layers = isTurned.map((own) => (own ? 'turned' : 'copied'));
    this.#hand(`first ${way}`, { layers, at, enters: way === 'in', leaves: way === 'back' });
  }

  take(isTurned: readonly boolean[], adam: AdamNumbers, layers: readonly (LayerUpdate | null)[]): void {
    const objective = this.#objective;
    const { at } = objective.batch.layout;
    const [direction, x, right] = this.#spare.map((vector) => objective.placeOf(vector));
    const [m, v] = this.#moments.map((vector) => objective.placeOf(vector));
    const { beta1, beta2, epsilon, correction1, correction2 } = adam;
    const parts = isTurned.map((own, ℓ) => (own && layers[ℓ] !== null ? 'turned' : 'out'));
    const root = Math.sqrt(correction2);
    this.#space.inOrder(async () => {
      // The corrections of both moments, folded into step and epsilon.
      objective.batch.write([root / correction1, epsilon * root], at.settings);
    });
    this.#hand('step', {
      layers: parts,
      at: { from: at.sum, left: direction, x, right, to: direction },
      enters: true,
      leaves: true,
      between: (ℓ, to, from): DeviceStep => {
        const { offset, width, outputs } = this.network.layers[ℓ];
        const integers = [to, from, m + offset, v + offset, at.settings];
        return { kernel: ADAM_DIRECTION, count: width * outputs, integers, reals: [beta1, beta2] };
      },
    });
    const of = (part: 'turned' | 'out'): (LayerUpdate | null)[] =>
      layers.map((layer, ℓ) => (parts[ℓ] === part ? layer : null));
    const [first, second] = this.#moments.map((vector) => objective.span(vector));
    this.#space.inOrder(async () => {
      await objective.update({ rule: { kind: 'sgd' }, layers: of('turned') }, direction);
      await objective.update({ rule: { ...adam, moments: [first, second] }, layers: of('out') });
    });
  }

  end(): Steps<void> {
    return awaited(this.#space.ask(async () => undefined));
  }

  #hand(name: string, turn: Omit<DeviceTurn, 'sides'>): void {
    const { batch } = this.#objective;
    this.#space.inOrder(async () => {
      const launches = await batch.prepared(`turn: ${name} ${turn.layers.join(' ')}`, () =>
        turnSteps(this.#objective, { ...turn, sides: this.sides }),
      );
      launches.run();
    });
  }
}
