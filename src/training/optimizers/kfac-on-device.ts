/**
 * An objective on a device as K-FAC takes it: factors, the gradient through their inverse and the quadratic model are
 * computed there. Factors come here to be decomposed, in double precision, and eigenbases go there.
 */
import type { FloatArray } from '../../core/floats.js';
import { FILL, writing } from '../../tape/device/maps.js';
import { place, transposed, type DeviceStep } from '../../tape/device/recorder.js';
import type { ProductTarget } from '../../device/work/products.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { copyStep } from '../device/launch-steps.js';
import type { DeviceMoment } from '../device/moment-steps.js';
import { SETTING_NUMBERS } from '../device/update-kernels.js';
import { awaited, type Steps } from '../newton/steps.js';
import { eigenbasis } from '../objective/turn.js';
import { shiftsOf, type InverseRequest, type KfacObjective, type KroneckerState } from './kfac-objective.js';
import { arraysOf, momentsOf, setIdentity, sideShapes, type Side, type SidesOptions } from './kronecker-sides.js';

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
  /** Whether diagonals here are older than those there. */
  #stale = true;

  constructor(objective: DeviceObjective, space: DeviceVectors, options: SidesOptions) {
    this.#objective = objective;
    this.#space = space;
    const { network } = objective;
    this.sides = sideShapes({ network, ...objective.options.factors }, options).map((shapes) => {
      const [input, output] = shapes.map((shape): Side => {
        const { dense, size } = shape;
        const square = (): FloatArray | null => (dense ? objective.take(size * size) : null);
        return { ...shape, factor: square(), vectors: square(), values: objective.take(size) };
      });
      return [input, output] as const;
    });
    this.arrays = arraysOf(this.sides.flat());
  }

  update(keep: number, step: number, samples: number): Steps<void> {
    const objective = this.#objective;
    const shapes = momentsOf(this.sides);
    const moments = this.sides.flat().map(({ dense, factor, values }, k): DeviceMoment => {
      const at = objective.placeOf((dense ? factor : values)!);
      return { ...shapes[k], at };
    });
    this.#stale = true;
    const count = Math.min(samples, objective.count);
    return awaited(this.#space.ask(async () => objective.moments(moments, keep, step, count)));
  }

  rebase(): Steps<ReadonlySet<number>> {
    return awaited(this.#space.ask(async () => this.#rebase()));
  }

  solve(request: InverseRequest): void {
    this.#space.inOrder(async () => this.#solve(request));
  }

  async #rebase(): Promise<ReadonlySet<number>> {
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
    const launches = await batch.prepared(name, () => this.#steps(taken, { from, to, x, right }));
    batch.write(settings, batch.layout.at.settings);
    launches.run();
  }

  /** L = U_AᵀF, X = L·U_Γ over the eigenvalues, R = U_A·X, T = R·U_Γᵀ, all layers' products in a launch each. */
  #steps(taken: readonly boolean[], vectors: Readonly<Record<'from' | 'to' | 'x' | 'right', number>>): DeviceStep[] {
    const { network, batch } = this.#objective;
    const [left, turned, back, out]: ProductTarget[][] = [[], [], [], []];
    const divisions: DeviceStep[] = [];
    const copies: DeviceStep[] = [];
    network.layers.forEach(({ offset, width, outputs }, ℓ) => {
      const count = width * outputs;
      const [from, to, x, right] = [vectors.from, vectors.to, vectors.x, vectors.right].map((at) => at + offset);
      if (!taken[ℓ]) {
        copies.push({ kernel: FILL, count, integers: [to, 0], reals: [0] });
        return;
      }
      const [input, output] = this.sides[ℓ];
      const own = (at: number) => place(at, width);
      const basis = ({ vectors: u, size }: Side) => place(this.#objective.placeOf(u!), size);
      const target = (c: number, a: ProductTarget['c'], b: ProductTarget['c'], depth: number): ProductTarget => ({
        c: own(c),
        rows: width,
        columns: outputs,
        terms: [{ a, b, depth }],
      });
      if (input.dense) left.push(target(to, transposed(basis(input)), own(from), width));
      const entered = input.dense ? to : from;
      if (output.dense) turned.push(target(x, own(entered), basis(output), outputs));
      const values = [input, output].map((side) => this.#objective.placeOf(side.values!));
      const settings = batch.layout.at.settings + SETTING_NUMBERS * ℓ;
      const integers = [x, output.dense ? x : entered, ...values, settings, width];
      divisions.push({ kernel: DIVIDE, count, integers, reals: [] });
      if (input.dense) back.push(target(right, basis(input), own(x), width));
      const returned = input.dense ? right : x;
      if (output.dense) out.push(target(to, own(returned), transposed(basis(output)), outputs));
      else copies.push(copyStep(to, returned, count));
    });
    const products = (targets: ProductTarget[]): DeviceStep[] => (targets.length > 0 ? [{ keep: false, targets }] : []);
    return [...products(left), ...products(turned), ...divisions, ...products(back), ...products(out), ...copies];
  }
}
