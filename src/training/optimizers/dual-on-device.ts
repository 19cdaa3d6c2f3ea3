/**
 * The dual system (../newton/dual-solver.ts) on a device: columns of the root of the loss's Hessian are made here and
 * taken back there, one output after the other; B's parts, the matrix of the system and its factor stay there. A solve
 * is few launches a layer.
 */
import type { FloatArray } from '../../core/floats.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import { rootAtOutputs } from '../../layers/draw.js';
import type { FactorPair } from '../../layers/factor-pairs.js';
import type { LayerBlock, ParameterLayout } from '../../network/parameter-layout.js';
import { squaredScale, type LossName } from '../../network/losses/table.js';
import { FILL, reduction, writing } from '../../tape/device/maps.js';
import { place, Recorder, transposed } from '../../tape/device/recorder.js';
import type { LaunchStep } from '../../tape/device/tape.js';
import type { PortableKernel } from '../../device/portable-kernel.js';
import { numbersEach } from '../../tape/shape.js';
import type { Slice } from '../device/device-batch.js';
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import { copyStep } from '../device/launch-steps.js';
import { takeErrorsBack } from '../device/taken-errors.js';
import type { SolverThere } from '../newton/compose.js';
import { DualSolver, widest, type DualPlaces } from '../newton/dual-solver.js';
import type { Point } from '../newton/point.js';
import { awaited, type Steps } from '../newton/steps.js';
import { refuseLayers } from '../objective/perceptron-objective.js';
import { vectorNumbers } from '../objective/workspace.js';
import { factorNumbersThere } from './dense-on-device.js';

/** What weights and biases are divided by, as factors; whether there is a factor of the matrix. */
const FEW = 3;
const STATUS = 2;

/** Lower triangles: weights ← themselves + share·(ĀᵀĀ)∘(DᵀD), biases ← themselves + share·DᵀD. */
const ADD_LAYER: PortableKernel = {
  ...writing(
    'layer of a dual matrix',
    ['weights', 'biases', 'gram', 'inputs', 'rows', 'samples', 'bias'],
    `int row = i % rows;
int column = i / rows;
if (row >= column) {
  real product = share * h[gram + i];
  h[weights + i] = h[weights + i] + product * h[inputs + row % samples + samples * (column % samples)];
  if (bias > 0) { h[biases + i] = h[biases + i] + product; }
}`,
  ),
  reals: ['share'],
};
/** The lower triangle of y ← h[s]·weights + h[s + 1]·biases + I. */
const SYSTEM = writing(
  'dual matrix',
  ['y', 'weights', 'biases', 's', 'rows'],
  `int row = i % rows;
int column = i / rows;
if (row >= column) {
  real result = h[s] * h[weights + i] + h[s + 1] * h[biases + i];
  if (row == column) { result = result + 1.0; }
  h[y + i] = result;
}`,
);
/** y ← factor·Σ_p D_p∘(X_pᵀĀ) of a layer: what its inputs come to without ones, and the biases. */
const ROWS = reduction(
  'rows of a dual product',
  ['d', 'images', 'x', 'samples', 'width', 'inputs'],
  `real image = h[images + k + terms * (i % samples)];
if (width > inputs) { image = image + h[x + k * width + inputs]; }
value = h[d + k + terms * i] * image;`,
);
/** Images ← factor·Σ_a y_a∘D_a, outputs × samples. */
const IMAGES = reduction(
  'images of a dual vector',
  ['d', 'v', 'outputs', 'samples'],
  `int row = k * samples + i / outputs;
value = h[v + row] * h[d + i % outputs + outputs * row];`,
);
/** Biases of x ← themselves + Σ of the images of all samples. */
const ADD_BIASES: PortableKernel = {
  name: 'biases of a dual vector',
  buffers: ['h'],
  integers: ['x', 'terms', 'images', 'outputs', 'width', 'inputs'],
  sum: { terms: 'terms', text: 'value = h[images + i + outputs * k];', join: 'sum' },
  body: 'h[x + i * width + inputs] = h[x + i * width + inputs] + total;',
};

/** The dual solver on a device: as many numbers as here, but in its precision, and copies of the layers' inputs. */
export const DUAL_THERE: SolverThere = {
  passes: () => ['gauss-newton', 'draw'],
  apart: (network, batchSize) => dualNumbers(network, batchSize).reduce((sum, own) => sum + vectorNumbers(own), 0),
  beside: ({ outputs }, batchSize) => factorNumbersThere(batchSize * outputs),
  begin: (objective, own) => {
    if (!objective.isPerceptron) refuseLayers("solver: 'dual'", "solver: 'cg'");
    return new DualSolver(new DualThere(objective, own.space), own.vector(), own.vector());
  },
};

/** Numbers of three matrices of the system, ĀᵀĀ, y and a few, and the inputs of the layers. */
function dualNumbers({ layers, outputs }: ParameterLayout, samples: number): number[] {
  const rows = samples * outputs;
  return [rows ** 2, rows ** 2, rows ** 2, samples ** 2, rows, FEW, ...layers.map(({ inputs }) => inputs * samples)];
}

/** A layer, the part of B that is its errors' and its inputs, and its use in the network. */
interface DualLayer extends LayerBlock {
  readonly d: number;
  readonly a: number;
  readonly pair: FactorPair;
}

class DualThere implements DualPlaces<DeviceVectors> {
  readonly #objective: DeviceObjective;
  readonly #space: DeviceVectors;
  readonly #layers: readonly DualLayer[];
  /** ĀᵀĀ∘DᵀD of weights, DᵀD of biases, and the factor, (nr)² each; ĀᵀĀ; images, y; the few numbers. */
  readonly #at: Readonly<Record<'weights' | 'biases' | 'factor' | 'inputs' | 'images' | 'y' | 'few', number>>;

  constructor(objective: DeviceObjective, space: DeviceVectors) {
    const { network, capacity, batch } = objective;
    const rows = capacity * network.outputs;
    const own = (length: number): number => objective.placeOf(objective.apart(length));
    const { pairs } = batch.layout.training.draw!;
    this.#objective = objective;
    this.#space = space;
    this.#layers = network.layers.map((layer, ℓ) => ({
      ...layer,
      d: own(layer.outputs * rows),
      a: own(layer.inputs * capacity),
      pair: pairs.find((pair) => pair.layer === ℓ)!,
    }));
    this.#at = {
      weights: own(rows * rows),
      biases: own(rows * rows),
      factor: own(rows * rows),
      inputs: own(capacity * capacity),
      images: own(widest(network) * capacity),
      y: own(rows),
      few: own(FEW),
    };
  }

  gather(point: Point<DeviceVectors>): Steps<void> {
    return awaited(this.#space.ask(async () => this.#gather(point)));
  }

  factor(λ: number): Steps<boolean> {
    return awaited(this.#space.ask(async () => this.#factored(λ)));
  }

  solve(point: Point<DeviceVectors>, λ: number, b: FloatArray, x: FloatArray): void {
    const rows = this.#rows;
    const { factor, y } = this.#at;
    this.#divide(λ, b, x);
    this.#run(
      'product',
      point,
      (recorder, layers) => {
        recorder.run(FILL, rows, [y, 0], [0]);
        for (const layer of layers) this.#recordProduct(recorder, layer, this.#objective.placeOf(x));
      },
      x,
    );
    const systems = [
      { triangle: { offset: factor, ld: rows, order: rows }, x: { block: { offset: y, ld: rows }, columns: 1 } },
    ];
    this.#hand(`substitute ${rows}`, () =>
      [false, true].map((transposed) => ({ triangles: { kind: 'substitutions', transposed, systems } })),
    );
    // x ← M⁻¹(b − Bᵀy)
    this.#space.copy(b, x);
    this.#run(
      'transposed product',
      point,
      (recorder, layers) => {
        for (const layer of layers) this.#recordTransposed(recorder, layer, this.#objective.placeOf(x));
      },
      x,
    );
    this.#divide(λ, x, x);
  }

  get #samples(): number {
    return this.#objective.count;
  }

  get #rows(): number {
    return this.#samples * this.#objective.network.outputs;
  }

  /** B's parts of all slices, then the matrix. */
  async #gather(point: Point<DeviceVectors>): Promise<void> {
    const { batch, network } = this.#objective;
    await batch.overPassed(this.#samples, async (slice, tape) => {
      for (let a = 0; a < network.outputs; a++) {
        await this.#takeBack(slice, tape, a);
        const name = `dual: parts ${a} ${this.#samples} ${slice.first} ${batch.placeOf(slice)}`;
        (await batch.prepared(name, () => this.#copies(slice, tape, a))).run();
      }
    });
    await this.#launch('matrix', point, (recorder, layers) => this.#recordMatrix(recorder, layers));
  }

  /** Errors of all layers where those at the outputs are column a of the root of the loss's Hessian. */
  async #takeBack(slice: Slice, tape: DeviceTape, a: number): Promise<void> {
    const { batch, network } = this.#objective;
    const { output, draw } = tape.plan;
    const loss = network.loss as LossName;
    const reads = squaredScale(loss, numbersEach(output.shape)) === null;
    const [leaf] = draw!.seeds;
    const { count } = slice;
    await takeErrorsBack(batch, { slice, tape, reads }, (numbers) => {
      const request = { shape: output.shape, count, outputs: numbers(output), targets: batch.samples().targets };
      rootAtOutputs(loss, { ...request, out: numbers(leaf!) }, () => (k) => (k === a ? 1 : 0));
    });
  }

  /** Where a slice's errors and inputs go: rows (a, i) of all samples i of an output a stand one after the other. */
  #copies({ first, count }: Slice, tape: DeviceTape, a: number): LaunchStep[] {
    return this.#layers.flatMap(({ d, a: inputsAt, inputs, outputs, pair: { error, input } }) => [
      copyStep(d + outputs * (a * this.#samples + first), tape.at(error), outputs * count),
      ...(a === 0 ? [copyStep(inputsAt + inputs * first, tape.at(input), inputs * count)] : []),
    ]);
  }

  #recordMatrix(recorder: Recorder, layers: readonly DualLayer[]): void {
    const [samples, rows] = [this.#samples, this.#rows];
    const { weights, biases, factor, inputs: gram } = this.#at;
    for (const to of [weights, biases]) recorder.run(FILL, rows * rows, [to, 0], [0]);
    for (const { d, a, width, inputs, outputs } of layers) {
      // DᵀD where the factor will stand.
      const square = (to: number, of: number, size: number, depth: number, lower: boolean) => {
        const terms = [{ a: transposed(place(of, depth)), b: place(of, depth), depth }];
        return { c: place(to, size), rows: size, columns: size, lower, terms };
      };
      recorder.multiply(false, [square(factor, d, rows, outputs, true)]);
      recorder.multiply(false, [square(gram, a, samples, inputs, false)]);
      const integers = [weights, biases, factor, gram, rows, samples, width > inputs ? 1 : 0];
      recorder.run(ADD_LAYER, rows * rows, integers, [1 / samples]);
    }
  }

  async #factored(λ: number): Promise<boolean> {
    const { batch, options } = this.#objective;
    const rows = this.#rows;
    const { weights, biases, factor, few } = this.#at;
    batch.write([1 / (λ + options.regularization), 1 / λ], few);
    const launches = await batch.prepared(`dual: factor ${rows}`, () => [
      { kernel: SYSTEM, count: rows * rows, integers: [factor, weights, biases, few, rows], reals: [] },
      { triangles: { kind: 'cholesky', triangles: [{ offset: factor, ld: rows, order: rows, status: few + STATUS }] } },
    ]);
    launches.run();
    const [status] = await batch.read(1, few + STATUS);
    return status === 0;
  }

  /** y ← y + the layer's part of Bx. */
  #recordProduct(recorder: Recorder, { d, a, offset, width, inputs, outputs }: DualLayer, x: number): void {
    const samples = this.#samples;
    const { images, y } = this.#at;
    const terms = [{ a: transposed(place(x + offset, width)), b: place(a, inputs), depth: inputs }];
    recorder.multiply(false, [{ c: place(images, outputs), rows: outputs, columns: samples, terms }]);
    const integers = [y, 1, outputs, d, images, x + offset, samples, width, inputs];
    recorder.run(ROWS, this.#rows, integers, [1 / Math.sqrt(samples)]);
  }

  /** The layer's part of x ← itself − Bᵀy. */
  #recordTransposed(recorder: Recorder, { d, a, offset, width, inputs, outputs }: DualLayer, x: number): void {
    const samples = this.#samples;
    const { images, y } = this.#at;
    const ofImages = [images, 0, this.#objective.network.outputs, d, y, outputs, samples];
    recorder.run(IMAGES, outputs * samples, ofImages, [-1 / Math.sqrt(samples)]);
    const terms = [{ a: place(a, inputs), b: transposed(place(images, outputs)), depth: samples }];
    recorder.multiply(true, [{ c: place(x + offset, width), rows: inputs, columns: outputs, terms }]);
    if (width > inputs) recorder.run(ADD_BIASES, outputs, [x + offset, samples, images, outputs, width, inputs]);
  }

  /** y ← M⁻¹x */
  #divide(λ: number, x: FloatArray, y: FloatArray): void {
    const { network, options } = this.#objective;
    this.#space.combine(1 / λ, x, 0, y);
    if (options.regularization === 0) return;
    for (const layer of network.layers) this.#space.shrink(y, layer, λ / (λ + options.regularization), false);
  }

  /** Launches over the layers that are free, of a vector perhaps. */
  #run(
    name: string,
    point: Point<DeviceVectors>,
    record: (recorder: Recorder, layers: readonly DualLayer[]) => void,
    of: FloatArray,
  ): void {
    this.#space.inOrder(async () => this.#launch(`${name} ${this.#objective.placeOf(of)}`, point, record));
  }

  async #launch(
    name: string,
    { plan }: Point<DeviceVectors>,
    record: (recorder: Recorder, layers: readonly DualLayer[]) => void,
  ): Promise<void> {
    const free = this.#layers.filter((_, ℓ) => plan.layers[ℓ] !== null);
    const key = plan.layers.map((layer) => (layer === null ? 0 : 1)).join('');
    const launches = await this.#objective.batch.prepared(`dual: ${name} ${this.#samples} ${key}`, () => {
      const recorder = new Recorder({ samples: 0, at: () => 0, scratch: 0 });
      record(recorder, free);
      return recorder.steps;
    });
    launches.run();
  }

  #hand(name: string, steps: () => LaunchStep[]): void {
    this.#space.inOrder(async () => (await this.#objective.batch.prepared(`dual: ${name}`, steps)).run());
  }
}
