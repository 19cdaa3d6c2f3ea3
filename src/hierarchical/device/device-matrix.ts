/**
 * A hierarchical matrix on a device: its blocks stay there, vectors come and go.
 */
import { requireControl } from '../../core/context.js';
import { DeviceError, NonFiniteError } from '../../core/errors.js';
import { NUMBER_BYTES, type FloatArray, type Precision } from '../../core/floats.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { inUnits, requireMemory } from '../../core/memory.js';
import { RandomStream } from '../../core/random.js';
import { warn } from '../../core/warning.js';
import { squaredNorm, view, zeros, type FlatVector, type Matrix, type Vectors } from '../../dense/matrix.js';
import { requireArithmetic } from '../../device/arithmetic.js';
import type { Arithmetic, Device, DeviceBuffer } from '../../device/device.js';
import type { ResidentOperator, VectorLayout } from '../../device/resident-operator.js';
import type { Control } from '../../parallel/default-team.js';
import { DeviceFactorization, lostDigits } from '../factor/device/device-factorization.js';
import { factorHodlrOnDevice } from '../factor/device/hodlr.js';
import { factorUlvOnDevice } from '../factor/device/ulv.js';
import { requireSource, type EntrySource } from '../../source/entry-source.js';
import type { HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { requireProduct } from '../matrix/product-operands.js';
import { placesOf } from '../matrix/transposed-vectors.js';
import { DEVICE_MATRIX_KEYS, requireWholeOn, type DeviceMatrixOptions } from './device-options.js';
import { DeviceVectors } from './device-vectors.js';
import { EntryKernels } from './entry-kernels.js';
import { VectorLaunches, type PlannedLaunch } from './launches.js';
import { sendBlocks } from './packing.js';
import { planProduct, type BlockPlaces, type PlanPart, type ProductPlan } from './plan.js';

/** Options of `DeviceMatrix.factor`. */
export interface DeviceFactorOptions {
  /** λ ≥ 0 of K̃ + λI. Default 0. */
  readonly shift?: number | undefined;
}
/** The keys of {@link DeviceFactorOptions}. */
const DEVICE_FACTOR_KEYS: KeysOf<DeviceFactorOptions> = { shift: 'number' };

/** Bytes on a device: diagonal and near blocks are `leaf`, of diagonal blocks both triangles. */
export interface DeviceMatrixMemory extends Readonly<Record<PlanPart, number>> {
  /** What the launches read of the structure. */
  readonly lists: number;
  /** Vectors of the widest product so far. */
  readonly vectors: number;
  readonly bytes: number;
}

/** What lies on the device. */
interface Resident {
  readonly launches: VectorLaunches<PlanPart>;
  readonly values: Readonly<Record<PlanPart, DeviceBuffer>>;
  /** The matrix, and factorizations that read its blocks: who is last frees them. */
  holders: number;
}

/** Vectors that the error of an arithmetic is measured with: as few as are multiplied in it. */
const MEASURED = 17;
const ARITHMETIC_STREAM = 0xa417e;

const PARTS: readonly PlanPart[] = ['basis', 'coupling', 'leaf'];

/** Bytes that are under way at most: devices keep copies of their own of what they are sent. */
const WAITING_BYTES = 2 ** 26;

/** A hierarchical matrix on a device; `HierarchicalMatrix.to` puts it there. Nothing in it changes. */
export class DeviceMatrix implements ResidentOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly device: Device;
  /** What it is computed in. */
  readonly precision: Precision;
  #arithmetic: Arithmetic | undefined;
  #arithmeticError = 0;
  #evaluationError: number | undefined;
  readonly #vectors: DeviceVectors;
  readonly #data: HierarchicalData;
  readonly #places: BlockPlaces;
  #resident: Resident | undefined;

  private constructor(data: HierarchicalData, device: Device, precision: Precision, made: [ProductPlan, Resident]) {
    this.rows = data.tree.size;
    this.cols = data.tree.size;
    this.device = device;
    this.precision = precision;
    const [{ rows, places }, resident] = made;
    this.#data = data;
    this.#places = places;
    this.#resident = resident;
    const layout = { place: placesOf(data.tree.order), result: data.tree.size, rows };
    this.#vectors = new DeviceVectors(device, precision, layout, () => {
      this.#requireResident();
    });
  }

  /** Of `HierarchicalMatrix.to`. */
  static async make(
    data: HierarchicalData,
    device: Device,
    options: DeviceMatrixOptions,
    multiply: (x: Matrix<Float64Array>) => Matrix,
  ): Promise<DeviceMatrix> {
    const precision = requireWholeOn(device, data, { own: data.dtype, options, keys: DEVICE_MATRIX_KEYS }, 'matrix.to');
    requireArithmetic(device, options.arithmetic, precision);
    const plan = planProduct(data);
    requireBlocks(plan, device, precision);
    const { source } = options;
    if (source !== undefined) requireSource(source, 'matrix.to');
    const resident = await upload(plan, data, { device, precision, source });
    const made = new DeviceMatrix(data, device, precision, [plan, resident]);
    if (source !== undefined && device.kernels !== null) await made.#compare(multiply);
    if (options.arithmetic !== undefined) await made.#measure(options.arithmetic);
    return made;
  }

  get size(): number {
    return this.rows;
  }

  /** How products with more than 16 vectors are formed; undefined: in `precision`. */
  get arithmetic(): Arithmetic | undefined {
    return this.#arithmetic;
  }

  /**
   * ‖Y′ − Y‖_F/‖Y‖_F of products with seeded vectors, Y′ in `arithmetic`, Y in float32: measured when the matrix was
   * put on the device; 0 without an arithmetic.
   */
  get arithmeticError(): number {
    return this.#arithmeticError;
  }

  /**
   * ‖Y′ − Y‖_F/‖Y‖_F of products with seeded vectors, Y′ on the device by blocks that it evaluated from points, Y by
   * the matrix here, rounding to the device's precision included: measured when it was put there; undefined where
   * blocks were sent.
   */
  get evaluationError(): number | undefined {
    return this.#evaluationError;
  }

  /**
   * Y = K̃·X for X of size N × p, computed on the device; resolves to `out` or a new matrix of X's precision. Vectors
   * go there and back in the order of calls, and must not change until then; the blocks lie there already. Rounding is
   * that of `precision`: a few ε·|K̃|·|X|, ε = 6·10⁻⁸ in f32. Rejects with ShapeError, MemoryError, DeviceError,
   * DeviceLostError.
   */
  apply(vectors: FlatVector | Matrix<Float64Array>, out?: undefined): Promise<Matrix<Float64Array>>;
  /** As before, into `out`. */
  apply<A extends FloatArray>(vectors: Vectors, out: Matrix<A>): Promise<Matrix<A>>;
  /** As before, for vectors of either precision. */
  apply(vectors: Vectors, out?: Matrix): Promise<Matrix>;
  async apply(vectors: Vectors, out?: Matrix): Promise<Matrix> {
    const { x, y } = requireProduct(this.rows, vectors, out);
    await this.#vectors.run(this, x, y);
    return y;
  }

  /** How vectors stand on the device. */
  get layout(): VectorLayout {
    return this.#vectors.layout;
  }

  /** Memory for `width` vectors on the device. Throws MemoryError. */
  reserve(width: number): Promise<DeviceBuffer> {
    return this.#vectors.reserve(width);
  }

  /** Does `what` after the products before. */
  inTurn<T>(what: () => Promise<T>): Promise<T> {
    return this.#vectors.inTurn(what);
  }

  /** The launches of a product over vectors that lie there; what `apply` does between sending and fetching. */
  launch(vectors: DeviceBuffer, width: number): void {
    const { launches, values } = this.#requireResident();
    launches.run(values, vectors, width, this.#arithmetic);
  }

  /**
   * K̃ + λI factored on the device, a few launches a level, from the blocks that lie there: solves, log det. Its
   * factors stay there until it is released; the blocks do until both are. One solve is measured by a product, and a
   * warning ('float32-digits') says where three digits or more are lost. Of 'hodlr', the team of `control` splits the
   * couplings first. Rejects with OptionError for a shift below 0 and for a format without direct factorization;
   * NotPositiveDefiniteError with node, level, pivot and index; MemoryError before anything is computed there;
   * DeviceError, DeviceLostError.
   */
  async factor(options: DeviceFactorOptions = {}, control: Control = {}): Promise<DeviceFactorization> {
    const { shift = 0 } = requireKnownOptions(options, DEVICE_FACTOR_KEYS, 'factor');
    requireControl(control, 'factor');
    const resident = this.#requireResident();
    const [data, places, { device, precision }] = [this.#data, this.#places, this];
    resident.holders++;
    const release = (): void => {
      letGo(resident);
    };
    const blocks = { data, device, precision, places, values: resident.values, release };
    const hodlr = FORMAT_TABLE[data.format].factoredBy === 'hodlr';
    const factors = hodlr ? await factorHodlrOnDevice(blocks, shift, control) : await factorUlvOnDevice(blocks, shift);
    const factorization = await DeviceFactorization.make(data, device, factors, (x) => this.apply(x));
    const lost = lostDigits(factorization);
    if (lost !== undefined) warn('float32-digits', lost, control);
    return factorization;
  }

  /** The launches of a product with p vectors at a time, in order, and what each costs. */
  launches(p: number): PlannedLaunch[] {
    return this.#requireResident().launches.cost(p);
  }

  /** What lies on the device. */
  memory(): DeviceMatrixMemory {
    const { launches, values } = this.#requireResident();
    const lists = launches.bytes;
    const parts = { basis: values.basis.bytes, coupling: values.coupling.bytes, leaf: values.leaf.bytes };
    const vectors = this.#vectors.bytes;
    return { ...parts, lists, vectors, bytes: parts.basis + parts.coupling + parts.leaf + lists + vectors };
  }

  /** Frees what lies on the device; it cannot multiply any more. The matrix it came from can. */
  release(): void {
    const resident = this.#resident;
    this.#resident = undefined;
    this.#vectors.release();
    if (resident === undefined) return;
    resident.launches.release();
    letGo(resident);
  }

  /** Measures the error of blocks that the device evaluated. */
  async #compare(multiply: (x: Matrix<Float64Array>) => Matrix): Promise<void> {
    this.#evaluationError = await this.#errorBeside(async (x) => multiply(x));
    if (Number.isFinite(this.#evaluationError)) return;
    this.release();
    throw new NonFiniteError(
      `Entries that the device evaluated in ${this.precision} are no numbers: scale the points, or leave { source } ` +
        'out.',
      { precision: this.precision },
    );
  }

  /** Takes an arithmetic, and measures its error. */
  async #measure(arithmetic: Arithmetic): Promise<void> {
    this.#arithmeticError = await this.#errorBeside(async (x) => {
      const y = await this.apply(x);
      this.#arithmetic = arithmetic;
      return y;
    });
  }

  /** ‖K̃·X − Y‖_F/‖Y‖_F of seeded vectors, of which Y is asked first. The matrix is released where that fails. */
  async #errorBeside(multiply: (x: Matrix<Float64Array>) => Promise<Matrix>): Promise<number> {
    try {
      const x = zeros(this.rows, MEASURED);
      new RandomStream(ARITHMETIC_STREAM).fillNormal(x.data);
      const expected = await multiply(x);
      const got = await this.apply(x);
      const apart = got.data.map((value, i) => value - expected.data[i]) as Float64Array;
      return Math.sqrt(squaredNorm(view(apart, 0, this.rows, MEASURED)) / squaredNorm(expected));
    } catch (error) {
      this.release();
      throw error;
    }
  }

  #requireResident(): Resident {
    if (this.#resident === undefined)
      throw new DeviceError('The matrix on the device was released: put it there again (matrix.to).', {
        device: this.device.name,
      });
    return this.#resident;
  }
}

/** Numbers of all blocks. */
const needOf = ({ elements }: ProductPlan): number => PARTS.reduce((sum, part) => sum + elements[part], 0);

/** Throws MemoryError where the device has no room for so many bytes of blocks and what they are made of. */
function requireRoom(bytes: number, { name, memory }: Device): void {
  requireMemory(bytes, memory.limit - memory.bytes, {
    what: `The blocks take, on the device ${name},`,
    advice: 'release what lies there, raise memoryLimit, or compress with lower ranks or leaves.',
    data: { device: name },
  });
}

/** Throws MemoryError where the device has no room for the blocks, before any is sent. */
function requireBlocks(plan: ProductPlan, device: Device, precision: Precision): void {
  const { elements } = plan;
  const { bufferLimit } = device.memory;
  const width = NUMBER_BYTES[precision];
  const need = width * needOf(plan);
  requireRoom(need, device);
  for (const part of PARTS)
    requireMemory(width * elements[part], bufferLimit, {
      what: `The ${part} blocks take one buffer of the device ${device.name} of`,
      advice: `compress with ${part === 'leaf' ? 'smaller leaves' : 'lower ranks'} (${inUnits(need)} are all blocks).`,
      data: { device: device.name, part },
    });
}

/** Where a matrix goes, and whether its entries are evaluated there. */
interface Placement {
  readonly device: Device;
  readonly precision: Precision;
  readonly source: EntrySource | undefined;
}

/** Puts blocks and lists on the device; what was put there is freed where something fails. */
async function upload(
  plan: ProductPlan,
  data: HierarchicalData,
  { device, precision, source }: Placement,
): Promise<Resident> {
  const { kernels } = device;
  const evaluated: readonly PlanPart[] = source === undefined || kernels === null ? [] : ['coupling', 'leaf'];
  const blocks = evaluated.flatMap((part) => plan.blocks[part]);
  const entries = source === undefined || kernels === null ? undefined : new EntryKernels(source, data, blocks);
  if (entries !== undefined) requireRoom(NUMBER_BYTES[precision] * (needOf(plan) + entries.scratch), device);
  const buffers: Partial<Record<PlanPart, DeviceBuffer>> = {};
  try {
    for (const part of PARTS) {
      const buffer = await device.allocate(plan.elements[part], precision);
      buffers[part] = buffer;
      if (evaluated.includes(part)) continue;
      let waiting = 0;
      await sendBlocks(plan.blocks[part], data.values, precision, async (numbers, at) => {
        device.write(buffer, numbers, at);
        waiting += numbers.byteLength;
        if (waiting < WAITING_BYTES) return;
        await device.finish();
        waiting = 0;
      });
    }
    const parts = evaluated.map((part) => ({ buffer: buffers[part]!, blocks: plan.blocks[part] }));
    await entries?.evaluate(device, kernels!, precision, parts);
    const launches = await VectorLaunches.prepare(plan.steps, device);
    return { launches, values: buffers as Record<PlanPart, DeviceBuffer>, holders: 1 };
  } catch (error) {
    for (const part of PARTS) buffers[part]?.destroy();
    throw error;
  }
}

/** Frees the blocks where nobody else holds them. */
function letGo(resident: Resident): void {
  resident.holders--;
  if (resident.holders === 0) for (const part of PARTS) resident.values[part].destroy();
}
