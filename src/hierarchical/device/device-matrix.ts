/**
 * A hierarchical matrix on a device: its blocks stay there, vectors come and go.
 */
import { requirePrecision } from '../../core/checks.js';
import { DeviceError, OptionError } from '../../core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { inUnits, refuseMemory, requireMemory } from '../../core/memory.js';
import { view, type FlatVector, type Matrix, type Vectors } from '../../dense/matrix.js';
import type { Device, DeviceBuffer, LaunchCost, PreparedRows } from '../../device/device.js';
import type { HierarchicalData } from '../matrix/data.js';
import { requireProduct } from '../matrix/product-operands.js';
import { PANEL, placesOf, transposeIn, transposeOut } from '../matrix/transposed-vectors.js';
import { sendBlocks } from './packing.js';
import { planProduct, type PlanPart, type ProductPlan } from './plan.js';

/** How a matrix is put on a device. */
export interface DeviceMatrixOptions {
  /** What it is computed in there. Default: the matrix's own where the device has it, else f32. */
  readonly precision?: Precision | undefined;
}
/** The keys of {@link DeviceMatrixOptions}. */
const DEVICE_MATRIX_KEYS: KeysOf<DeviceMatrixOptions> = { precision: true };

/** Bytes on a device: diagonal and near blocks are `leaf`, of diagonal blocks both triangles. */
export interface DeviceMatrixMemory extends Readonly<Record<PlanPart, number>> {
  /** What the launches read of the structure. */
  readonly lists: number;
  /** Vectors of the widest product so far. */
  readonly vectors: number;
  readonly bytes: number;
}

/** A launch of a product, and what it costs. */
export interface PlannedLaunch extends LaunchCost {
  /** "upward, level 3". */
  readonly step: string;
}

/** A launch whose lists lie on the device. */
interface PreparedStep {
  readonly name: string;
  readonly part: PlanPart;
  readonly rows: PreparedRows;
}

/** What lies on the device. */
interface Resident {
  readonly steps: PreparedStep[];
  readonly values: Record<PlanPart, DeviceBuffer>;
}

const PARTS: readonly PlanPart[] = ['basis', 'coupling', 'leaf'];

/** Bytes that are under way at most: devices keep copies of their own of what they are sent. */
const WAITING_BYTES = 2 ** 26;

/** Vectors at a time at most: beyond them nothing gets faster. */
const MOST_VECTORS = 512;

/** A hierarchical matrix on a device; `HierarchicalMatrix.to` puts it there. Nothing in it changes. */
export class DeviceMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly device: Device;
  /** What it is computed in. */
  readonly precision: Precision;
  readonly #vectorRows: number;
  readonly #place: Int32Array;
  #resident: Resident | undefined;
  #vectors: DeviceBuffer | undefined;
  #host: FloatArray;
  /** Resolves when the product before is done: all use the same memory. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(data: HierarchicalData, device: Device, precision: Precision, made: [ProductPlan, Resident]) {
    this.rows = data.tree.size;
    this.cols = data.tree.size;
    this.device = device;
    this.precision = precision;
    this.#vectorRows = made[0].rows;
    this.#resident = made[1];
    this.#place = placesOf(data.tree.order);
    this.#host = floats(0, precision);
  }

  /** Of `HierarchicalMatrix.to`. */
  static async make(data: HierarchicalData, device: Device, options: DeviceMatrixOptions): Promise<DeviceMatrix> {
    requireRole(device, 'device', 'matrix.to');
    requireKnownOptions(options, DEVICE_MATRIX_KEYS, 'matrix.to');
    if (data.share !== undefined)
      throw new OptionError(
        'This matrix is shared out over several ranks, and a device takes a whole one: make it on one rank.',
      );
    const own = device.precisions.includes(data.dtype) ? data.dtype : 'f32';
    const precision = requirePrecision(options.precision ?? own);
    if (!device.precisions.includes(precision))
      throw new OptionError(
        `The device ${device.name} computes in ${device.precisions.join(' and ')}, not in ${precision}.`,
        { device: device.name, precision },
      );
    const plan = planProduct(data);
    requireBlocks(plan, device, precision);
    return new DeviceMatrix(data, device, precision, [plan, await upload(plan, data, device, precision)]);
  }

  get size(): number {
    return this.rows;
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
    const before = this.#turn;
    const product = before.then(() => this.#multiply(x, y));
    this.#turn = product.catch(() => undefined);
    await product;
    return y;
  }

  /** The launches of a product with p vectors at a time, in order, and what each costs. */
  launches(p: number): PlannedLaunch[] {
    return this.#requireResident().steps.map(({ name, rows }) => ({ step: name, ...rows.cost(p) }));
  }

  /** What lies on the device. */
  memory(): DeviceMatrixMemory {
    const { steps, values } = this.#requireResident();
    const lists = steps.reduce((sum, { rows }) => sum + rows.bytes, 0);
    const parts = { basis: values.basis.bytes, coupling: values.coupling.bytes, leaf: values.leaf.bytes };
    const vectors = this.#vectors?.bytes ?? 0;
    return { ...parts, lists, vectors, bytes: parts.basis + parts.coupling + parts.leaf + lists + vectors };
  }

  /** Frees what lies on the device; it cannot multiply any more. The matrix it came from can. */
  release(): void {
    const resident = this.#resident;
    this.#resident = undefined;
    this.#vectors?.destroy();
    this.#vectors = undefined;
    this.#host = floats(0, this.precision);
    if (resident !== undefined) free(resident);
  }

  async #multiply(x: Matrix, y: Matrix): Promise<void> {
    const width = this.#width(x.cols);
    for (let first = 0; first < x.cols; first += width) {
      const p = Math.min(width, x.cols - first);
      const columns = (m: Matrix): Matrix => view(m.data, m.offset + first * m.ld, m.rows, p, m.ld);
      await this.#multiplyChunk(columns(x), columns(y), await this.#prepare(width));
    }
  }

  async #multiplyChunk(x: Matrix, y: Matrix, vectors: DeviceBuffer): Promise<void> {
    const { steps, values } = this.#requireResident();
    const p = x.cols;
    const numbers = this.#host.subarray(0, this.rows * p);
    for (let row = 0; row < this.rows; row += PANEL) transposeIn(row, x, numbers, this.#place);
    this.device.write(vectors, numbers);
    for (const { part, rows } of steps) this.device.multiply(rows, { values: values[part], vectors }, p);
    await this.device.read(vectors, numbers, this.rows * p);
    for (let row = 0; row < this.rows; row += PANEL)
      transposeOut(row, y, 1, 0, { values: numbers, place: this.#place });
  }

  /** Vectors at a time, of `wanted`: as many as the device has room for. Throws MemoryError where that is none. */
  #width(wanted: number): number {
    const each = this.#vectorRows * NUMBER_BYTES[this.precision];
    const { limit, bytes, bufferLimit } = this.device.memory;
    const room = Math.min(bufferLimit, limit - bytes + (this.#vectors?.bytes ?? 0));
    if (room < each && wanted > 0)
      refuseMemory(each, Math.max(0, room), {
        what: `A product on the device ${this.device.name} takes, for one vector,`,
        advice: 'release what lies there, or raise memoryLimit.',
      });
    return Math.max(1, Math.min(wanted, MOST_VECTORS, Math.floor(room / each)));
  }

  /** Memory for `width` vectors, here and on the device. */
  async #prepare(width: number): Promise<DeviceBuffer> {
    this.#requireResident();
    if (this.#host.length < this.rows * width) this.#host = floats(this.rows * width, this.precision);
    const length = this.#vectorRows * width;
    if (this.#vectors !== undefined && this.#vectors.length >= length) return this.#vectors;
    this.#vectors?.destroy();
    this.#vectors = undefined;
    const made = await this.device.allocate(length, this.precision);
    // It may have been released meanwhile.
    if (this.#resident === undefined) made.destroy();
    this.#requireResident();
    return (this.#vectors = made);
  }

  #requireResident(): Resident {
    if (this.#resident === undefined)
      throw new DeviceError('The matrix on the device was released: put it there again (matrix.to).', {
        device: this.device.name,
      });
    return this.#resident;
  }
}

/** Throws MemoryError where the device has no room for the blocks, before any is sent. */
function requireBlocks({ elements }: ProductPlan, device: Device, precision: Precision): void {
  const { limit, bytes, bufferLimit } = device.memory;
  const width = NUMBER_BYTES[precision];
  const need = width * PARTS.reduce((sum, part) => sum + elements[part], 0);
  requireMemory(need, limit - bytes, {
    what: `The blocks take, on the device ${device.name},`,
    advice: 'release what lies there, raise memoryLimit, or compress with lower ranks or leaves.',
    data: { device: device.name },
  });
  for (const part of PARTS)
    requireMemory(width * elements[part], bufferLimit, {
      what: `The ${part} blocks take one buffer of the device ${device.name} of`,
      advice: `compress with ${part === 'leaf' ? 'smaller leaves' : 'lower ranks'} (${inUnits(need)} are all blocks).`,
      data: { device: device.name, part },
    });
}

/** Puts blocks and lists on the device; what was put there is freed where something fails. */
async function upload(
  plan: ProductPlan,
  data: HierarchicalData,
  device: Device,
  precision: Precision,
): Promise<Resident> {
  const steps: PreparedStep[] = [];
  const buffers: Partial<Record<PlanPart, DeviceBuffer>> = {};
  try {
    for (const part of PARTS) {
      const buffer = await device.allocate(plan.elements[part], precision);
      buffers[part] = buffer;
      let waiting = 0;
      await sendBlocks(plan.blocks[part], data.values, precision, async (numbers, at) => {
        device.write(buffer, numbers, at);
        waiting += numbers.byteLength;
        if (waiting < WAITING_BYTES) return;
        await device.finish();
        waiting = 0;
      });
    }
    for (const { name, part, rows } of plan.steps) steps.push({ name, part, rows: await device.prepare(rows) });
    return { steps, values: buffers as Record<PlanPart, DeviceBuffer> };
  } catch (error) {
    free({ steps, values: buffers });
    throw error;
  }
}

function free({
  steps,
  values,
}: {
  readonly steps: PreparedStep[];
  readonly values: Partial<Resident['values']>;
}): void {
  for (const { rows } of steps) rows.destroy();
  for (const part of PARTS) values[part]?.destroy();
}
