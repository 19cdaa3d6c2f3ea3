/**
 * An objective on a device as K-FAC takes it: factors, the gradient through their inverse and the quadratic model are
 * computed there. Factors come here to be decomposed, in double precision, and eigenbases go there.
 */
import type { FloatArray } from '../../core/floats.js';
import { FILL, writing } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { SETTING_NUMBERS } from '../device/update-kernels.js';
import { awaited, type Steps } from '../newton/steps.js';
import { shiftsOf, type InverseRequest, type KfacObjective, type KroneckerState } from './kfac-objective.js';
import type { Side, SidesOptions } from './kronecker-sides.js';
import { SidesOnDevice } from './sides-on-device.js';
import { turnSteps, type DeviceTurn } from './turn-on-device.js';

/** y_ij ← h[s + 3]·x_ij/((a_i + h[s])(c_j + h[s + 1]) + h[s + 2]). */
const DIVIDE = writing(
  'divide by eigenvalues',
  ['y', 'x', 'a', 'c', 's', 'width'],
  `real divisor = (h[a + i % width] + h[s]) * (h[c + i / width] + h[s + 1]) + h[s + 2];
h[y + i] = h[s + 3] * h[x + i] / divisor;`,
);

/** The objective. */
export function kfacOnDevice(objective: DeviceObjective, options: SidesOptions): KfacObjective<DeviceVectors> {
  const own = objective.newton();
  const { space } = own;
  return {
    ...own,
    precision: objective.batch.precision,
    regularization: objective.options.regularization,
    usesBatchStatistics: objective.usesBatchStatistics,
    kronecker: () => new DeviceKronecker(objective, space, options),
    quadratic: (vectors, samples) => awaited(space.ask(async () => objective.quadratic(vectors, samples))),
  };
}

class DeviceKronecker implements KroneckerState {
  readonly sides: readonly (readonly [Side, Side])[];
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #sides: SidesOnDevice;
  /** Whether diagonals here are older than those there. */
  #stale = true;

  constructor(objective: DeviceObjective, space: DeviceVectors, options: SidesOptions) {
    this.#objective = objective;
    this.#space = space;
    this.#sides = new SidesOnDevice(objective, options);
    this.sides = this.#sides.sides;
    this.arrays = this.#sides.arrays;
  }

  update(keep: number, step: number, samples: number): Steps<void> {
    this.#stale = true;
    return awaited(this.#space.ask(async () => this.#sides.update(keep, step, samples)));
  }

  rebase(): Steps<ReadonlySet<number>> {
    return awaited(this.#space.ask(async () => this.#sides.rebase()));
  }

  solve(request: InverseRequest): void {
    this.#space.inOrder(async () => this.#solve(request));
  }

  async #solve(request: InverseRequest): Promise<void> {
    const { factors, kind } = request;
    const { batch } = this.#objective;
    if (kind === 'factored' && this.#stale) {
      for (const { dense, size, values } of this.sides.flat())
        if (!dense) values!.set(await batch.read(size, this.#objective.placeOf(values!)));
      this.#stale = false;
    }
    const settings = factors.flatMap((factor, ℓ) => {
      const [input, output] = this.sides[ℓ].map(({ values }) => values!);
      const { inputShift, outputShift, shift } = shiftsOf(request, input, output);
      return [inputShift, outputShift, shift, factor ?? 0];
    });
    const [from, to, x, right] = [request.from, request.to, ...request.places].map((vector) =>
      this.#objective.placeOf(vector),
    );
    const taken = factors.map((factor) => factor !== null);
    const name = `inverse ${from} ${to} ${x} ${right} ${taken.join(' ')}`;
    const launches = await batch.prepared(name, () => this.#steps(taken, { from, left: to, x, right, to }));
    batch.write(settings, batch.layout.at.settings);
    launches.run();
  }

  /** X over the eigenvalues in the bases; zero in layers that are not taken. */
  #steps(taken: readonly boolean[], at: DeviceTurn['at']): DeviceStep[] {
    const { network, batch } = this.#objective;
    const zeros = network.layers
      .filter((_, ℓ) => !taken[ℓ])
      .map(({ offset, width, outputs }): DeviceStep => ({
        kernel: FILL,
        count: width * outputs,
        integers: [at.to + offset, 0],
        reals: [0],
      }));
    const turned = turnSteps(this.#objective, {
      sides: this.sides,
      layers: taken.map((own) => (own ? 'turned' : 'out')),
      at,
      enters: true,
      leaves: true,
      between: (ℓ, to, from) => {
        const { width, outputs } = network.layers[ℓ];
        const values = this.sides[ℓ].map((side) => this.#objective.placeOf(side.values!));
        const settings = batch.layout.at.settings + SETTING_NUMBERS * ℓ;
        const integers = [to, from, ...values, settings, width];
        return { kernel: DIVIDE, count: width * outputs, integers, reals: [] };
      },
    });
    return [...turned, ...zeros];
  }
}
