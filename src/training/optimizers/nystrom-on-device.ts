/**
 * What the Nyström preconditioner of conjugate gradients (../newton/preconditioners/nystrom.ts) keeps on a device: U
 * and Y. Small matrices come here to be decomposed, rotations go there; an application is two launches of products.
 */
import { floats, type FloatArray } from '../../core/floats.js';
import type { RandomStream } from '../../core/random.js';
import { zeros, type Matrix } from '../../dense/matrix.js';
import { factorGram, MOST_PASSES } from '../../lowrank/orthonormalize.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { MULTIPLY } from '../../tape/device/maps.js';
import { place, Recorder, transposed, type DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { copyStep } from '../device/launch-steps.js';
import { nystromRank, type NystromPlaces, type NystromSettings } from '../newton/preconditioners/nystrom.js';
import { awaited, type Steps } from '../newton/steps.js';
import { vectorNumbers } from '../objective/workspace.js';

/** Tall matrices of n rows: where they begin, and how many columns they have. */
interface Tall {
  readonly at: number;
  readonly columns: number;
}

/** to ← XᵀY. */
function recordGram(recorder: Recorder, to: number, n: number, [x, y]: readonly [Tall, Tall]): void {
  const terms = [{ a: transposed(place(x.at, n)), b: place(y.at, n), depth: n }];
  recorder.begin();
  recorder.sum(false, [{ c: place(to, x.columns), rows: x.columns, columns: y.columns, terms }]);
}

/** Numbers that parts of long sums take, those of products with one vector and with k. */
function partNumbers(n: number, k: number): number {
  const recorder = new Recorder({ samples: 0, at: () => 0, scratch: 0 });
  for (const columns of [1, k])
    recordGram(recorder, 0, n, [
      { at: 0, columns: k },
      { at: 0, columns },
    ]);
  return recorder.scratchUsed;
}

/** Numbers that it takes there besides those of the one here. */
export function nystromApart(settings: NystromSettings, network: ParameterLayout): number {
  const k = nystromRank(settings, network);
  return [k * k, k * k, k, k, partNumbers(network.parameters, k)].reduce((sum, own) => sum + vectorNumbers(own), 0);
}

/** U, Y and Λ. */
export class NystromThere implements NystromPlaces {
  readonly u: readonly FloatArray[];
  readonly y: readonly FloatArray[];
  readonly values: FloatArray;
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  /** Where U, Y, the small matrix that is made, the rotation, Uᵀr, what it is scaled by, and parts of sums stand. */
  readonly #at: Readonly<Record<'u' | 'y' | 'gram' | 'rotation' | 't' | 'scale' | 'parts', number>>;

  constructor(objective: DeviceObjective, space: DeviceVectors, settings: NystromSettings) {
    const n = space.length;
    const k = nystromRank(settings, objective.network);
    const [u, y] = [objective.take(n * k), objective.apart(n * k)];
    const own = (length: number): number => objective.placeOf(objective.apart(length));
    this.#objective = objective;
    this.#space = space;
    this.u = objective.parts(u, k);
    this.y = objective.parts(y, k);
    this.values = objective.take(k);
    this.arrays = { nystromVectors: u, nystromValues: this.values };
    this.#at = {
      u: objective.placeOf(u),
      y: objective.placeOf(y),
      gram: own(k * k),
      rotation: own(k * k),
      t: own(k),
      scale: own(k),
      parts: own(partNumbers(n, k)),
    };
  }

  fill(column: FloatArray, stream: RandomStream): void {
    const { batch } = this.#objective;
    const numbers = floats(this.#space.length, batch.precision);
    stream.fillNormal(numbers);
    this.#write(numbers, this.#objective.placeOf(column));
  }

  /**
   * Cholesky QR (../../lowrank/orthonormalize.ts): Y ← U, R of YᵀY here, U ← YR⁻¹. Random columns take two passes, few
   * of them that are long one: at most 4 launches each.
   */
  *orthonormalize(): Steps<boolean> {
    const { batch, options } = this.#objective;
    const { u, y } = this.#at;
    const [n, k] = [this.#space.length, this.u.length];
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      this.#run('copy', (recorder) => recorder.steps.push(copyStep(y, u, n * k)));
      const factor = zeros(k, k);
      const kind = { rows: n, precision: batch.precision };
      const found = factorGram(yield* this.gram('y'), factor, kind, options.blas);
      if (found === 'none') return false;
      const inverse = zeros(k, k);
      for (let j = 0; j < k; j++) inverse.data[j * (k + 1)] = 1;
      options.blas.trsm('L', 'U', 'N', 'N', 1, factor, inverse);
      this.rotate(inverse);
      if (found === 'last') return true;
    }
    return false;
  }

  /** In the device's precision. */
  gram(x: 'u' | 'y'): Steps<Matrix> {
    const { gram } = this.#at;
    const k = this.u.length;
    this.#run(`gram ${x}`, (recorder) => {
      const tall = (at: number): Tall => ({ at, columns: k });
      recordGram(recorder, gram, this.#space.length, [tall(this.#at[x]), tall(this.#at.y)]);
    });
    return awaited(
      this.#space.ask(async () => {
        const matrix = zeros(k, k);
        matrix.data.set(await this.#objective.batch.read(k * k, gram));
        return matrix;
      }),
    );
  }

  rotate(w: Matrix<Float64Array>): void {
    const { u, y, rotation } = this.#at;
    const [n, k] = [this.#space.length, this.u.length];
    this.#write(w.data, rotation);
    this.#run('rotation', (recorder) => {
      const terms = [{ a: place(y, n), b: place(rotation, k), depth: k }];
      recorder.multiply(false, [{ c: place(u, n), rows: n, columns: k, terms }]);
    });
  }

  keep(values: ArrayLike<number>): void {
    this.values.set(values);
    this.#write(values, this.#objective.placeOf(this.values));
  }

  scale(by: ArrayLike<number>): void {
    this.#write(by, this.#at.scale);
  }

  apply(r: FloatArray, z: FloatArray): void {
    const [from, to] = [r, z].map((vector) => this.#objective.placeOf(vector));
    const { u, t, scale } = this.#at;
    const [n, k] = [this.#space.length, this.u.length];
    this.#run(`application ${from} ${to}`, (recorder) => {
      recordGram(recorder, t, n, [
        { at: u, columns: k },
        { at: from, columns: 1 },
      ]);
      recorder.run(MULTIPLY, k, [t, 0, t, scale]);
      recorder.steps.push(copyStep(to, from, n));
      const terms = [{ a: place(u, n), b: place(t, k), depth: k }];
      recorder.multiply(true, [{ c: place(to, n), rows: n, columns: 1, terms }]);
    });
  }

  #write(numbers: ArrayLike<number>, at: number): void {
    this.#space.inOrder(async () => {
      this.#objective.batch.write(numbers, at);
    });
  }

  #run(name: string, record: (recorder: Recorder) => void): void {
    this.#space.inOrder(async () => {
      const launches = await this.#objective.batch.prepared(`nystrom: ${name}`, (): DeviceStep[] => {
        const recorder = new Recorder({ samples: 0, at: () => 0, scratch: this.#at.parts });
        record(recorder);
        return recorder.steps;
      });
      launches.run();
    });
  }
}
