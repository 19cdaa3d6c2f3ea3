/**
 * A model on a device: its data, its passes and its curvature lie there, vectors alone come and go.
 */
import { requireName, requirePrecision } from '../../core/checks.js';
import { DeviceError, OptionError } from '../../core/errors.js';
import { floats, precisionOf, type FloatArray, type Precision } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { block, copyInto, view, type FlatVector, type Matrix, type Vectors } from '../../dense/matrix.js';
import type { Device } from '../../device/device.js';
import { requireProduct } from '../../hierarchical/matrix/product-operands.js';
import {
  asGraphModel,
  isGivenGraph,
  requireCount,
  type GivenGraphModel,
  type GraphModel,
} from '../../layers/graph-model.js';
import { perceptronGraph } from '../../layers/perceptron-graph.js';
import { requireFiniteParameters } from '../../layers/read-samples.js';
import { asModel, checkModel, type GivenModel } from '../../network/model.js';
import { CardPasses } from './card-passes.js';
import { HostPasses } from './host-passes.js';
import {
  DEVICE_CURVATURES,
  type DeviceCurvature,
  type DeviceModelLaunches,
  type DevicePasses,
  type PassesRequest,
} from './passes.js';

/** How a model is put on a device. */
export interface DeviceModelOptions {
  /** Which matrix `apply` multiplies by. Default 'gauss-newton'. */
  readonly curvature?: DeviceCurvature | undefined;
  /** What it is computed in there. Default: that of the parameters where the device has it, else f32. */
  readonly precision?: Precision | undefined;
}
const DEVICE_MODEL_KEYS: KeysOf<DeviceModelOptions> = { curvature: true, precision: true };
/** A model on a device. {@link putModel} puts it there. */
export class DeviceModel {
  /** The trained parameters, of which there is curvature: rows and columns of the matrix. */
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly device: Device;
  readonly curvature: DeviceCurvature;
  /** What it is computed in. */
  readonly precision: Precision;
  readonly samples: number;
  readonly #model: GraphModel;
  #passes: DevicePasses | undefined;
  /** Resolves when what was asked before is done: all use the same memory. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Of {@link putModel}. */
  constructor({ model, device, curvature, precision }: PassesRequest, passes: DevicePasses) {
    this.rows = model.network.trained;
    this.cols = this.rows;
    this.device = device;
    this.curvature = curvature;
    this.precision = precision;
    this.samples = model.data.samples;
    this.#model = model;
    this.#passes = passes;
  }

  /** Samples whose passes are kept: all of them, or as many as the device has room for at a time. */
  get capacity(): number {
    return this.#live().capacity;
  }

  /** Bytes on the device. */
  get bytes(): number {
    return this.#live().bytes;
  }

  /**
   * What a gradient and a product (where the passes at θ are made) are on a card: launches, flops asked for and done,
   * those of tiles that are not full included; null on the team.
   */
  get launches(): DeviceModelLaunches | null {
    return this.#live().launches;
  }

  /**
   * Other parameters, as many. What is asked afterwards is at them. Throws ShapeError, NonFiniteError.
   */
  setParameters(parameters: ArrayLike<number>): void {
    const θ = Float64Array.from(requireCount(this.#model.network, Float64Array.from(parameters)));
    requireFiniteParameters(θ);
    void this.#next(async (passes) => {
      passes.setParameters(θ);
    });
  }

  /**
   * f(θ) = (1/n) Σ_i loss_i and ∇f(θ), laid out like what is trained of θ, in θ's precision. The sums run in
   * `precision`. Rejects with NonFiniteError, DeviceError, DeviceLostError.
   */
  async lossAndGradient(): Promise<{ loss: number; gradient: FloatArray }> {
    const gradient = floats(this.rows, precisionOf(this.#model.parameters));
    const loss = await this.#next(async (passes) => passes.lossAndGradient(gradient));
    return { loss, gradient };
  }

  /**
   * Y = A·X for X of size N × p, A the curvature matrix at θ, a vector at a time; resolves to `out` or a new matrix of
   * X's precision. X must not change until then. Rejects with ShapeError, NonFiniteError, DeviceError, DeviceLostError.
   */
  apply(vectors: FlatVector | Matrix<Float64Array>, out?: undefined): Promise<Matrix<Float64Array>>;
  /** As before, into `out`. */
  apply<A extends FloatArray>(vectors: Vectors, out: Matrix<A>): Promise<Matrix<A>>;
  /** As before, for vectors of either precision. */
  apply(vectors: Vectors, out?: Matrix): Promise<Matrix>;
  async apply(vectors: Vectors, out?: Matrix): Promise<Matrix> {
    const { x, y } = requireProduct(this.rows, vectors, out);
    await this.#next(async (passes) => {
      const v = floats(this.rows, this.precision);
      const column = view(v, 0, this.rows, 1);
      for (let j = 0; j < x.cols; j++) {
        copyInto(column, block(x, 0, j, this.rows, 1));
        await passes.product(v, v);
        copyInto(block(y, 0, j, this.rows, 1), column);
      }
    });
    return y;
  }

  /** Frees what lies on the device. The model itself is untouched. */
  release(): void {
    this.#passes?.release();
    this.#passes = undefined;
  }

  #next<T>(ask: (passes: DevicePasses) => Promise<T>): Promise<T> {
    const asked = this.#turn.then(() => ask(this.#live()));
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  #live(): DevicePasses {
    if (this.#passes === undefined)
      throw new DeviceError('The model on the device was released: put it there again (putModel).', {
        device: this.device.name,
      });
    return this.#passes;
  }
}

/**
 * Puts a model on a device: a perceptron, or a network of layers (that of evaluation: statistics are those in θ,
 * nothing is dropped). Its loss, gradient and products with a curvature matrix are then computed there, and nothing but
 * vectors of θ's size comes and goes. Where the passes of all samples do not fit they are made again in each product,
 * with data that is sent again. On `cpu` the team computes them. Throws OptionError, ShapeError, MemoryError,
 * NonFiniteError, DeviceError, DeviceLostError.
 *
 * ```js
 * const onDevice = await putModel({ network, parameters, loss: 'mse', data }, await openDevice());
 * const { loss, gradient } = await onDevice.lossAndGradient();
 * const y = await onDevice.apply(gradient);
 * ```
 */
export async function putModel(
  model: GivenModel | GivenGraphModel,
  device: Device,
  options: DeviceModelOptions = {},
): Promise<DeviceModel> {
  requireRole(device, 'device', 'putModel');
  const { curvature = 'gauss-newton', ...others } = requireKnownOptions(options, DEVICE_MODEL_KEYS, 'putModel');
  requireName(curvature, 'curvature', 'putModel', DEVICE_CURVATURES);
  const graph = asGraph(model);
  requireFiniteParameters(graph.parameters);
  const own = precisionOf(graph.parameters);
  const precision = requirePrecision(others.precision ?? (device.precisions.includes(own) ? own : 'f32'));
  if (!device.precisions.includes(precision))
    throw new OptionError(
      `The device ${device.name} computes in ${device.precisions.join(' and ')}, not in ${precision}.`,
      { device: device.name, precision },
    );
  const request = { model: graph, device, curvature, precision };
  return new DeviceModel(
    request,
    device.team === null ? await CardPasses.open(request) : new HostPasses(request, device.team),
  );
}

function asGraph(given: GivenModel | GivenGraphModel): GraphModel {
  if (isGivenGraph(given)) return asGraphModel(given, 'putModel');
  const model = asModel(given, 'putModel');
  checkModel(model);
  return { ...model, network: perceptronGraph(model.network, model.loss) };
}
