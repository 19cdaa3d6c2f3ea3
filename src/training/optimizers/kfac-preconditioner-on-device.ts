/**
 * K-FAC's preconditioner of conjugate gradients (../newton/preconditioners/kfac.ts) on a device: factors are made
 * there, come here to be factored in double precision, and go back as inverses, so that an application is two launches
 * of products.
 */
import type { FloatArray } from '../../core/floats.js';
import { view, zeros } from '../../dense/matrix.js';
import { place, type DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { copyStep } from '../device/launch-steps.js';
import type { DeviceMoment } from '../device/moment-steps.js';
import type { Point } from '../newton/point.js';
import { factorSides } from '../newton/preconditioners/kfac.js';
import type { Preconditioner } from '../newton/preconditioners/preconditioner.js';
import { awaited, type Steps } from '../newton/steps.js';

/** Both sides of a layer: A⁻¹ and Γ⁻¹ once they are made. */
interface Inverses {
  readonly inputs: FloatArray;
  readonly errors: FloatArray;
}

/** The preconditioner. Its memory is that of the one here. */
export class KfacPreconditionerOnDevice implements Preconditioner<DeviceVectors> {
  readonly arrays = {};
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #inverses: readonly Inverses[];
  #taken: readonly boolean[] = [];
  /** A vector that is free while conjugate gradients run. */
  #between: FloatArray = new Float64Array(0);

  constructor(objective: DeviceObjective, space: DeviceVectors) {
    this.#objective = objective;
    this.#space = space;
    this.#inverses = objective.network.layers.map(({ width, outputs }) => ({
      inputs: objective.apart(width * width),
      errors: objective.apart(outputs * outputs),
    }));
  }

  prepare({ plan, other }: Point<DeviceVectors>, samples: number, damping: number): Steps<void> {
    this.#taken = this.#inverses.map((_, ℓ) => plan.layers[ℓ] !== null);
    this.#between = other;
    return awaited(this.#space.ask(async () => this.#make(plan.step, samples, damping)));
  }

  apply(r: FloatArray, z: FloatArray): void {
    const { batch } = this.#objective;
    const [taken, between] = [this.#taken, this.#between];
    this.#space.inOrder(async () => {
      const [from, to, half] = [r, z, between].map((vector) => this.#objective.placeOf(vector));
      const name = `precondition ${from} ${to} ${half} ${taken.join(' ')}`;
      (await batch.prepared(name, () => this.#steps(taken, { from, to, half }))).run();
    });
  }

  async #make(step: number, samples: number, damping: number): Promise<void> {
    const objective = this.#objective;
    const { batch, options, network } = objective;
    const moments = this.#inverses.flatMap((sides, layer) =>
      (['inputs', 'errors'] as const).map((of): DeviceMoment => ({
        layer,
        of,
        diagonal: false,
        at: objective.placeOf(sides[of]),
      })),
    );
    await objective.moments(moments, 0, step, samples);
    for (const [ℓ, { width, outputs }] of network.layers.entries()) {
      const { inputs, errors } = this.#inverses[ℓ];
      const sides = [
        { at: objective.placeOf(inputs), size: width },
        { at: objective.placeOf(errors), size: outputs },
      ];
      const [a, g] = await Promise.all(
        sides.map(async ({ at, size }) => Float64Array.from(await batch.read(size * size, at))),
      );
      factorSides(options.blas, { a, width }, { g, outputs }, damping + options.regularization);
      [a, g].forEach((factor, k) => {
        const { at, size } = sides[k];
        const inverse = zeros(size, size);
        for (let j = 0; j < size; j++) inverse.data[j * (size + 1)] = 1;
        for (const side of ['N', 'T'] as const)
          options.blas.trsm('L', 'L', side, 'N', 1, view(factor, 0, size, size), inverse);
        batch.write(inverse.data, at);
      });
    }
  }

  /** Z = A⁻¹RΓ⁻¹, layer by layer; where a layer is frozen Z = R, which is zero. */
  #steps(taken: readonly boolean[], at: Readonly<Record<'from' | 'to' | 'half', number>>): DeviceStep[] {
    const objective = this.#objective;
    const { layers } = objective.network;
    const own = layers.map((layer, ℓ) => ({ ...layer, ℓ })).filter(({ ℓ }) => taken[ℓ]);
    const product = (stage: 'left' | 'right'): DeviceStep => ({
      keep: false,
      targets: own.map(({ offset, width, outputs, ℓ }) => {
        const vector = (from: number) => place(from + offset, width);
        const { inputs, errors } = this.#inverses[ℓ];
        const term =
          stage === 'left'
            ? { a: place(objective.placeOf(inputs), width), b: vector(at.from), depth: width }
            : { a: vector(at.half), b: place(objective.placeOf(errors), outputs), depth: outputs };
        return { c: vector(stage === 'left' ? at.half : at.to), rows: width, columns: outputs, terms: [term] };
      }),
    });
    const rest = layers
      .filter((_, ℓ) => !taken[ℓ])
      .map(({ offset, width, outputs }) => copyStep(at.to + offset, at.from + offset, width * outputs));
    return own.length > 0 ? [product('left'), product('right'), ...rest] : rest;
  }
}
