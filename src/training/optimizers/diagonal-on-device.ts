/**
 * The diagonal preconditioner of conjugate gradients (../newton/preconditioners/diagonal.ts) on a device.
 */
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { MULTIPLY, writing } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import type { MomentShape } from '../device/moment-steps.js';
import type { Point } from '../newton/point.js';
import { floorOf } from '../newton/preconditioners/diagonal.js';
import type { Preconditioner } from '../newton/preconditioners/preconditioner.js';
import { awaited, type Steps } from '../newton/steps.js';
import { refuseSquares } from '../objective/gradient-moment.js';

/** x ← (x + h[s])^{−3/4}. */
const INVERSE = writing(
  'inverse of a power',
  ['x', 's'],
  `real root = sqrt(h[x + i] + h[s]);
h[x + i] = 1.0 / (root * sqrt(root));`,
);

/** The moments that it is made of: squares of all layers. */
export const diagonalMoments = ({ layers }: ParameterLayout): MomentShape[] =>
  layers.map((_, layer) => ({ layer, of: 'squares', diagonal: true }));

/** The preconditioner. Its memory is that of the one here. */
export class DiagonalOnDevice implements Preconditioner<DeviceVectors> {
  readonly arrays = {};
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #inverse: FloatArray;

  /** Throws OptionError for networks of layers, as here. */
  constructor(objective: DeviceObjective, space: DeviceVectors) {
    if (!objective.isPerceptron) refuseSquares();
    this.#objective = objective;
    this.#space = space;
    this.#inverse = objective.apart(objective.network.parameters);
  }

  prepare({ plan }: Point<DeviceVectors>, _samples: number, damping: number): Steps<void> {
    return awaited(this.#space.ask(async () => this.#make(plan.step, floorOf(damping))));
  }

  apply(r: FloatArray, z: FloatArray): void {
    const [from, to, inverse] = [r, z, this.#inverse].map((vector) => this.#objective.placeOf(vector));
    const count = this.#space.length;
    this.#run(`scaled ${from} ${to}`, { kernel: MULTIPLY, count, integers: [to, 0, inverse, from], reals: [] });
  }

  async #make(step: number, floor: number): Promise<void> {
    const objective = this.#objective;
    const { batch, network } = objective;
    const x = objective.placeOf(this.#inverse);
    const moments = diagonalMoments(network).map((shape) => ({ ...shape, at: x + network.layers[shape.layer].offset }));
    await objective.moments(moments, 0, step, batch.count);
    const { settings } = batch.layout.at;
    batch.write([floor], settings);
    const power = { kernel: INVERSE, count: network.parameters, integers: [x, settings], reals: [] };
    (await batch.prepared('inverse of squares', () => [power])).run();
  }

  #run(name: string, step: DeviceStep): void {
    this.#space.inOrder(async () => (await this.#objective.batch.prepared(name, () => [step])).run());
  }
}
