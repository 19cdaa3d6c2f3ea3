/**
 * K-FAC's preconditioner of conjugate gradients (../newton/preconditioners/kfac.ts) on a device: factors are made
 * there, come here to be factored in double precision, and go back as inverses, so that an application is two launches
 * of products, and one for each layer without factors.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros } from '../../dense/matrix.js';
import { hasFactors } from '../../network/parameter-layout.js';
import { writing } from '../../tape/device/maps.js';
import { place, type DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { copyStep } from '../device/launch-steps.js';
import { sizeOf } from '../device/moment-steps.js';
import type { Point } from '../newton/point.js';
import { factorMoments, factorSides, invertDiagonals, sideNumbers } from '../newton/preconditioners/kfac.js';
import type { Preconditioner } from '../newton/preconditioners/preconditioner.js';
import { awaited, type Steps } from '../newton/steps.js';

/** y_ij ← a_i·x_ij·c_j. */
const SCALE = writing(
  'scale rows and columns',
  ['y', 'x', 'a', 'c', 'width'],
  'h[y + i] = h[a + i % width] * h[x + i] * h[c + i / width];',
);

/** Both sides of a layer: A⁻¹ and Γ⁻¹ once they are made, or their diagonals. */
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
    this.#inverses = objective.network.layers.map((layer) => {
      const [inputs, errors] = sideNumbers(layer).map((length) => objective.apart(length));
      return { inputs, errors };
    });
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
    const moments = factorMoments(network).map((shape) => ({
      ...shape,
      at: objective.placeOf(this.#inverses[shape.layer][shape.of]),
    }));
    await objective.moments(moments, 0, step, samples);
    const λ = damping + options.regularization;
    for (const [ℓ, layer] of network.layers.entries()) {
      const sides = moments.filter((moment) => moment.layer === ℓ);
      const numbers = sideNumbers(layer);
      const [a, g] = await Promise.all(
        sides.map(async ({ at }, k) => Float64Array.from(await batch.read(numbers[k], at))),
      );
      const { width, outputs } = layer;
      if (hasFactors(layer)) factorSides(options.blas, { a, width }, { g, outputs }, λ);
      else invertDiagonals(a, g, λ);
      [a, g].forEach((side, k) => {
        const own = hasFactors(layer) ? inverseOf(options.blas, side, sizeOf(sides[k], layer)) : side;
        batch.write(own, sides[k].at);
      });
    }
  }

  /** Z = A⁻¹RΓ⁻¹, layer by layer; where a layer is frozen Z = R, which is zero. */
  #steps(taken: readonly boolean[], at: Readonly<Record<'from' | 'to' | 'half', number>>): DeviceStep[] {
    const objective = this.#objective;
    const { layers } = objective.network;
    const all = layers.map((layer, ℓ) => ({ ...layer, ℓ })).filter(({ ℓ }) => taken[ℓ]);
    const own = all.filter(hasFactors);
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
    const scaled = all
      .filter((layer) => !hasFactors(layer))
      .map(({ offset, width, outputs, ℓ }): DeviceStep => {
        const { inputs, errors } = this.#inverses[ℓ];
        const places = [at.to + offset, at.from + offset, objective.placeOf(inputs), objective.placeOf(errors)];
        return { kernel: SCALE, count: width * outputs, integers: [...places, width], reals: [] };
      });
    const rest = layers
      .filter((_, ℓ) => !taken[ℓ])
      .map(({ offset, width, outputs }) => copyStep(at.to + offset, at.from + offset, width * outputs));
    return [...(own.length > 0 ? [product('left'), product('right')] : []), ...scaled, ...rest];
  }
}

/** (LLᵀ)⁻¹ of a lower triangle. */
function inverseOf(blas: Blas, factor: Float64Array, size: number): Float64Array {
  const inverse = zeros(size, size);
  for (let j = 0; j < size; j++) inverse.data[j * (size + 1)] = 1;
  for (const side of ['N', 'T'] as const) blas.trsm('L', 'L', side, 'N', 1, view(factor, 0, size, size), inverse);
  return inverse.data;
}
