/**
 * The hierarchical preconditioner (../newton/preconditioners/hierarchical.ts) on a device. θ comes here when it is
 * made, the batch is here; bases and the factors of H̃ + λI go there when it was factored, and
 *
 *   z = r/λ + Q·[(H̃ + λI)⁻¹ − I/λ]·Qᵀr + [(c·A + λI)⁻¹ − I/λ]·R·(I − U_ΓU_Γᵀ)
 *
 * is nine launches at most, and those of a solve: V·U_Γ and U_Aᵀ·(V·U_Γ) of all layers, to the order of the tree and
 * back, and products back into the layers. Accuracy: ε‖G̃‖/λ, in the device's precision ε, since I/λ is taken away and
 * given back. It is measured whenever factors are sent, on r = (G̃ + λI)v of a random v, which has most of what
 * cancels; where r'z is not above zero, or z is wrong by more than a tenth, they count as factors that failed.
 */
import { NonFiniteError, NotPositiveDefiniteError } from '../../core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray } from '../../core/floats.js';
import { requireMemory } from '../../core/memory.js';
import { RandomStream } from '../../core/random.js';
import type { KroneckerFactorization } from '../../curvature/eigenbasis/factorization.js';
import type { BasisLayer } from '../../curvature/eigenbasis/rotation.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { DeviceBuffer, PreparedWork } from '../../device/device.js';
import { steps } from '../../device/work/gathers.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { DeviceFactorization } from '../../hierarchical/factor/device/device-factorization.js';
import { isGraphNetwork } from '../../layers/graph-model.js';
import type { GraphLoss } from '../../layers/losses.js';
import type { Batch } from '../../network/data-set.js';
import type { LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { combineKernel } from '../../tape/device/maps.js';
import { place, Recorder, transposed } from '../../tape/device/recorder.js';
import { Launches } from '../../tape/device/tape.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import {
  HierarchicalPreconditioner,
  hierarchicalPreconditioner,
  mostSamples,
  type HierarchicalPlaces,
  type HierarchicalSettings,
  type HierarchicalSubject,
} from '../newton/preconditioners/hierarchical.js';
import { numbersThere, type NumbersThere } from '../newton/preconditioners/hierarchical-costs.js';
import type { Preconditioner } from '../newton/preconditioners/preconditioner.js';
import { refuseLayers } from '../objective/perceptron-objective.js';
import { vectorNumbers } from '../objective/workspace.js';

/** Seeds v. */
const PROBE_STREAM = 0x7071e5;
/** ‖ẑ − z‖/‖z‖ from which on a preconditioner is none. */
const MOST_DISTANCE = 0.1;

/** The preconditioner before it has memory there. */
export function hierarchicalThere(settings: HierarchicalSettings) {
  const numbers = (network: ParameterLayout, batchSize: number, loss: GraphLoss): NumbersThere => {
    if (isGraphNetwork(network)) return { own: 0, core: 0 };
    const samples = mostSamples(settings, batchSize);
    return numbersThere({ network: network as Network, loss: loss as LossName, samples }, settings.share);
  };
  return {
    kept: hierarchicalPreconditioner(settings).spare,
    // With the two vectors that it is measured on.
    apart: (...size: Parameters<typeof numbers>): number =>
      vectorNumbers(numbers(...size).own) + 2 * vectorNumbers(size[0].parameters),
    beside: (...size: Parameters<typeof numbers>): number => numbers(...size).core,
    worksHere: true,
    begin: (
      objective: DeviceObjective,
      space: DeviceVectors,
      stepping: Record<string, number>,
    ): Preconditioner<DeviceVectors> => {
      const { perceptron, device } = objective.options;
      if (perceptron === undefined) return refuseLayers("preconditioner: 'hierarchical'", "preconditioner: 'kfac'");
      const { own, core } = numbers(perceptron, objective.capacity, objective.network.loss);
      requireMemory(NUMBER_BYTES[objective.batch.precision] * core, device.memory.bufferLimit, {
        what: `The preconditioner 'hierarchical' takes one buffer of the device ${device.name} of up to`,
        advice: "lower its share or curvatureShare, or take preconditioner: 'kfac'.",
        data: { device: device.name },
      });
      const places = new HierarchicalThere(objective, space, perceptron, own);
      return new HierarchicalPreconditioner(places, settings, stepping);
    },
  };
}

/** A layer of the basis, and where its matrices and what stands between two products begin. */
interface PlacedLayer extends BasisLayer {
  readonly inputsAt: number;
  readonly outputsAt: number;
  readonly complementAt: number;
  readonly half: number;
  readonly turned: number;
}

/** (H̃ + λI)⁻¹ there: vectors of a solve, and the way of rotated numbers to them and back. */
interface ResidentCore {
  readonly factorization: DeviceFactorization;
  readonly vectors: DeviceBuffer;
  readonly works: readonly [PreparedWork<'gathers'>, PreparedWork<'gathers'>];
}

/** What lies there until it is dropped. */
interface Resident {
  readonly layers: readonly PlacedLayer[];
  readonly gamma: number;
  /** Rotated numbers: where they begin, and how many there are. */
  readonly rotated: number;
  readonly size: number;
  readonly core: ResidentCore | undefined;
  readonly launches: Map<string, Launches>;
}

class HierarchicalThere implements HierarchicalPlaces {
  readonly subject: HierarchicalSubject;
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  /** Where its numbers begin, and how many there are. */
  readonly #at: number;
  readonly #most: number;
  /** What it is measured on: r and z there, v and G̃v here. */
  readonly #measured: readonly [r: FloatArray, z: FloatArray];
  readonly #v: Float64Array;
  readonly #curved: Float64Array;
  #resident: Resident | undefined;

  constructor(objective: DeviceObjective, space: DeviceVectors, network: Network, own: number) {
    const { regularization, team, blas } = objective.options;
    const loss = objective.network.loss as LossName;
    this.subject = { network, loss, regularization, team, blas, capacity: objective.capacity };
    this.#objective = objective;
    this.#space = space;
    this.#at = objective.placeOf(objective.apart(own));
    this.#most = own;
    this.#measured = [objective.apart(network.parameters), objective.apart(network.parameters)];
    this.#v = new Float64Array(network.parameters);
    this.#curved = new Float64Array(network.parameters);
    new RandomStream(0, PROBE_STREAM).fillNormal(this.#v);
    objective.whenClosed(() => {
      this.drop();
    });
  }

  keep(length: number): FloatArray {
    return this.#objective.keep(length);
  }

  async loaded(samples: number): Promise<{ readonly parameters: FloatArray } & Batch> {
    const { batch, parameters } = this.#objective;
    const own = await this.#space.ask(async () => batch.read(parameters.length, batch.layout.at.parameters));
    return { parameters: own, ...batch.samples(samples) };
  }

  async take(factorization: KroneckerFactorization, matrix?: LinearOperator): Promise<number> {
    const { layers, core } = factorization.inverse;
    let next = this.#at;
    const own = (length: number): number => {
      next += length;
      if (next > this.#at + this.#most) throw new RangeError('All numbers of the preconditioner are taken.');
      return next - length;
    };
    const send = (matrix: Matrix | null): number => {
      if (matrix === null) return this.#at;
      const at = own(matrix.data.length);
      if (matrix.data.length > 0) this.#objective.batch.write(matrix.data, at);
      return at;
    };
    const placed = layers.map((layer) => ({
      ...layer,
      inputsAt: send(layer.inputVectors),
      outputsAt: send(layer.outputVectors),
      complementAt: send(layer.complement),
      half: own(layer.width * layer.units),
      turned: own(layer.complement === null ? 0 : layer.width * layer.units),
    }));
    const size = layers.reduce((sum, { inputVectors, units }) => sum + inputVectors.cols * units, 0);
    const rotated = own(size);
    this.#resident = {
      layers: placed,
      gamma: 1 / factorization.shift,
      rotated,
      size,
      core: core === null ? undefined : await this.#takeCore(core, rotated),
      launches: new Map(),
    };
    const n = this.#v.length;
    matrix?.applyUnchecked(view(this.#curved, 0, n, 1), view(this.#v, 0, n, 1), 1, 0);
    return this.#distance(factorization);
  }

  /** ‖ẑ − z‖/‖z‖ of ẑ there and z here of one r. Rejects with NonFiniteError, NotPositiveDefiniteError. */
  async #distance(factorization: KroneckerFactorization): Promise<number> {
    const { batch, options } = this.#objective;
    const { shift } = factorization;
    const n = this.#v.length;
    const [from, to] = this.#measured;
    const r = floats(n, batch.precision);
    const z = new Float64Array(n);
    for (let k = 0; k < n; k++) r[k] = this.#curved[k] + shift * this.#v[k];
    if (!r.every(Number.isFinite)) throw new NonFiniteError(`Curvature is beyond what ${batch.precision} holds.`);
    await this.#space.ask(async () => {
      batch.write(r, this.#objective.placeOf(from));
    });
    this.apply(from, to);
    const there = await this.#space.ask(async () => batch.read(n, this.#objective.placeOf(to)));
    factorization.applyUnchecked(view(z, 0, n, 1), view(Float64Array.from(r), 0, n, 1), 1, 0);
    let [product, square, error] = [0, 0, 0];
    for (let k = 0; k < n; k++) {
      product += r[k] * there[k];
      square += z[k] ** 2;
      error += (there[k] - z[k]) ** 2;
    }
    const distance = Math.sqrt(error / square);
    if (product > 0 && distance <= MOST_DISTANCE) return distance;
    const { name } = options.device;
    throw new NotPositiveDefiniteError(
      `in ${batch.precision} on the device ${name} (G̃ + λI)⁻¹ is lost in rounding: of one vector it is ` +
        `${distance.toPrecision(2)} of the result away, λ = ${shift}. Raise damping or regularization.`,
      { device: name, distance, shift },
    );
  }

  drop(): void {
    const resident = this.#resident;
    this.#resident = undefined;
    if (resident === undefined) return;
    for (const launches of resident.launches.values()) launches.destroy();
    for (const work of resident.core?.works ?? []) work.destroy();
    resident.core?.factorization.release();
  }

  apply(r: FloatArray, z: FloatArray): void {
    const { device } = this.#objective.options;
    const { buffer } = this.#objective.batch;
    const resident = this.#resident!;
    const { core, gamma, rotated, size } = resident;
    const [from, to] = [r, z].map((vector) => this.#objective.placeOf(vector));
    this.#space.inOrder(async () => {
      (await this.#prepared(resident, `into ${from}`, (recorder) => this.#recordInto(recorder, resident, from))).run();
      if (core !== undefined) {
        const [there, back] = core.works;
        device.launch(there, { from: buffer, to: core.vectors });
        core.factorization.launch(core.vectors, 1);
        const less = await this.#prepared(resident, 'less', (recorder) => {
          recorder.run(combineKernel(1), size, [rotated, 0, rotated], [-gamma]);
        });
        less.run();
        device.launch(back, { from: core.vectors, to: buffer });
      }
      const back = await this.#prepared(resident, `back ${from} ${to}`, (recorder) => {
        recorder.run(combineKernel(1), this.#space.length, [to, 0, from], [gamma]);
        this.#recordBack(recorder, resident, { from, to });
      });
      back.run();
    });
  }

  async #takeCore(core: Factorization, rotated: number): Promise<ResidentCore> {
    const { options, batch } = this.#objective;
    const { device } = options;
    const factorization = await core.to(device, { precision: batch.precision });
    const { place: rows, result } = factorization.layout;
    const column = steps(1, 1);
    const here = { offset: rotated, rows: steps(rows.length, 1), columns: column };
    const gathers = { kind: 'gathers', alpha: 1 } as const;
    const works: PreparedWork<'gathers'>[] = [];
    try {
      const first = { from: here, to: { offset: 0, rows, columns: column } };
      const second = { from: { offset: result, rows, columns: column }, to: here };
      works.push(await device.plan({ ...gathers, keep: false, pieces: [first] }));
      works.push(await device.plan({ ...gathers, keep: true, pieces: [second] }));
      return { factorization, vectors: await factorization.reserve(1), works: [works[0], works[1]] };
    } catch (error) {
      for (const work of works) work.destroy();
      factorization.release();
      throw error;
    }
  }

  /** V·U_Γ of all layers, and Qᵀr. */
  #recordInto(recorder: Recorder, { layers, rotated, core }: Resident, from: number): void {
    const turned = layers.filter(({ outputVectors, units }) => outputVectors !== null && units > 0);
    recorder.multiply(
      false,
      turned.map(({ offset, width, outputs, units, outputsAt, half }) => {
        const terms = [{ a: place(from + offset, width), b: place(outputsAt, outputs), depth: outputs }];
        return { c: place(half, width), rows: width, columns: units, terms };
      }),
    );
    for (const { complement, width, units, half, turned: to } of turned)
      if (complement !== null) recorder.run(combineKernel(1), width * units, [to, 0, half], [-1]);
    if (core === undefined) return;
    recorder.multiply(
      false,
      layers.map(({ offset, width, units, base, inputVectors: { cols }, inputsAt, outputVectors, half }) => {
        const b = place(outputVectors === null ? from + offset : half, width);
        const terms = [{ a: transposed(place(inputsAt, width)), b, depth: width }];
        return { c: place(rotated + base, cols), rows: cols, columns: units, terms };
      }),
    );
  }

  /** z ← z + Q·(what stands in the rotated numbers) + (c·A + λI)⁻¹'s part of r. */
  #recordBack(
    recorder: Recorder,
    { layers, rotated, core }: Resident,
    { from, to }: { readonly from: number; readonly to: number },
  ): void {
    const inner = layers.map((layer) => {
      const { width, units, base, inputVectors, inputsAt, outputVectors, complement, complementAt, turned } = layer;
      const { cols } = inputVectors;
      const depth = core === undefined ? 0 : cols;
      const back = { a: place(inputsAt, width), b: place(rotated + base, cols), depth };
      // Where all outputs are units the complement is nothing.
      const less = { a: place(complementAt, width), b: place(turned, width), depth: width };
      const terms = [...(depth === 0 ? [] : [back]), ...(complement === null || outputVectors === null ? [] : [less])];
      return units === 0 ? [] : terms;
    });
    const products = layers.map((layer, ℓ) => ({ ...layer, inner: inner[ℓ] }));
    recorder.multiply(
      false,
      products
        .filter(({ inner: terms, outputVectors }) => terms.length > 0 && outputVectors !== null)
        .map(({ half, width, units, inner: terms }) => ({ c: place(half, width), rows: width, columns: units, terms })),
    );
    recorder.multiply(
      true,
      products.map((layer) => {
        const { offset, width, outputs, units, half, outputsAt, outputVectors, complement, complementAt } = layer;
        const c = place(to + offset, width);
        if (outputVectors === null) return { c, rows: width, columns: outputs, terms: layer.inner };
        const back = { a: place(half, width), b: transposed(place(outputsAt, outputs)), depth: units };
        const beyond = { a: place(complementAt, width), b: place(from + offset, width), depth: width };
        const terms = [...(layer.inner.length === 0 ? [] : [back]), ...(complement === null ? [] : [beyond])];
        return { c, rows: width, columns: outputs, terms };
      }),
    );
  }

  /** Launches of what lies there now, which go with it. */
  async #prepared(resident: Resident, name: string, record: (recorder: Recorder) => void): Promise<Launches> {
    let launches = resident.launches.get(name);
    if (launches === undefined) {
      const recorder = new Recorder({ samples: 0, at: () => 0, scratch: 0 });
      record(recorder);
      const { options, batch } = this.#objective;
      launches = await Launches.prepare(options.device, batch.buffer, recorder.steps);
      resident.launches.set(name, launches);
    }
    return launches;
  }
}
