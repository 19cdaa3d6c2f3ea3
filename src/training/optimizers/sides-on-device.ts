/**
 * Kronecker factors and eigenbases of an objective on a device: statistics are made there, dense factors come here to
 * be decomposed in double precision, and eigenvectors and eigenvalues go there.
 */
import type { FloatArray } from '../../core/floats.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceMoment } from '../device/moment-steps.js';
import { eigenbasis } from '../objective/turn.js';
import { arraysOf, momentsOf, setIdentity, sideShapes, type Side, type SidesOptions } from './kronecker-sides.js';

/** The sides of all layers. */
export class SidesOnDevice {
  /** Input and output of each layer. */
  readonly sides: readonly (readonly [Side, Side])[];
  /** What a checkpoint keeps of them. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: DeviceObjective;
  readonly #options: SidesOptions;

  constructor(objective: DeviceObjective, options: SidesOptions) {
    this.#objective = objective;
    this.#options = options;
    this.sides = sideShapes({ network: objective.network, ...objective.options.factors }, options).map((shapes) => {
      const [input, output] = shapes.map((shape): Side => {
        const { dense, size } = shape;
        const take = (asked: boolean, length: number): FloatArray | null => (asked ? objective.take(length) : null);
        const [factor, vectors] = [take(dense, size * size), take(dense, size * size)];
        return { ...shape, factor, vectors, values: take(dense || options.values, size) };
      });
      return [input, output] as const;
    });
    this.arrays = arraysOf(this.sides.flat());
  }

  /** As `KroneckerState.update`. */
  async update(keep: number, step: number, samples: number): Promise<void> {
    const objective = this.#objective;
    const moments = momentsOf(this.sides, this.#options).map((shape): DeviceMoment => {
      const [input, output] = this.sides[shape.layer];
      const { dense, factor, values } = shape.of === 'inputs' || shape.of === 'gradientRows' ? input : output;
      return { ...shape, at: objective.placeOf((dense ? factor : values)!) };
    });
    await objective.moments(moments, keep, step, Math.min(samples, objective.count));
  }

  /** As `KroneckerState.rebase`. */
  async rebase(): Promise<ReadonlySet<number>> {
    const { options, batch } = this.#objective;
    const dense = this.sides.flat().filter((side) => side.dense);
    const place = (array: FloatArray): number => this.#objective.placeOf(array);
    for (const { size, factor, vectors, values } of dense) {
      factor!.set(await batch.read(size * size, place(factor!)));
      if (factor!.every(Number.isFinite))
        eigenbasis(options.blas, size, factor!, { vectors: vectors!, values: values! });
      else values![0] = Number.NaN;
    }
    const failed = new Set(dense.filter(({ values }) => Number.isNaN(values![0])).map(({ layer }) => layer));
    for (const side of dense) {
      if (failed.has(side.layer)) setIdentity(side);
      batch.write(side.vectors!, place(side.vectors!));
      batch.write(side.values!, place(side.values!));
    }
    return failed;
  }
}
